"""Commands of ``peaktrade risk`` about halts: trading states, the way into and out of a halt, the limits and their use."""

from __future__ import annotations

import click
import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL, STATES, Scope, find_scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Registry
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.trading.records import MODES
from peaktrade_core.trading.risk import DENY_CODES, OK
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def status(home: str | None, config: str | None, as_json: bool) -> None:
    """Show what may be traded, who halted what and why, and the limits."""
    workspace = Workspace(home, config)
    states = TradingStates.of(workspace).everything()
    limits = workspace.config.limits._asdict()
    if as_json:
        print_json({"states": states, "limits": limits})
        return
    print_table(
        ("SCOPE", "STATE", "SINCE (UTC)", "BY", "REASON"),
        (
            (s.scope, (s.state, "green" if s.state == "ACTIVE" else "red"), wording.moment(s.since), s.by, s.reason)
            for s in states
        ),
    )
    click.echo("\nLimits ([live_risk])")
    print_pairs({name: f"{value:g}" for name, value in limits.items()})


@click.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or MODE.STRATEGY.SYMBOL.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the log of halts.")
@click.option("--state", type=click.Choice(STATES[1:]), default="HALTED", show_default=True)
@workspace_options
def halt(home: str | None, config: str | None, scope: str, by: str, reason: str, state: str) -> None:
    """Halt trading: running sessions obey within a second, later ones start halted. What is stricter already stays so."""
    workspace = Workspace(home, config)
    known = known_scope(workspace, scope)
    if known == GLOBAL:
        KillSwitch.of(workspace).engage(by, reason, state)
        after = TradingStates.of(workspace).read(known)
    else:
        after = TradingStates.of(workspace).set(known, state, by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is {after.state}: {after.reason} ({after.by})")


@click.command()
@click.option("--scope", required=True, help="One that `risk status` shows; `killswitch release` is for `global`.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the log of halts.")
@workspace_options
def resume(home: str | None, config: str | None, scope: str, by: str, reason: str) -> None:
    """Let a halted scope trade again; takes a named person and a reason."""
    workspace = Workspace(home, config)
    known = known_scope(workspace, scope)
    before = TradingStates.of(workspace).read(known)
    if before.state == "ACTIVE":
        raise ConfigError(f"{known} is not halted; `peaktrade risk status` lists what is")
    after = TradingStates.of(workspace).set(known, "ACTIVE", by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is ACTIVE again (was {before.state}: {before.reason})")


def known_scope(workspace: Workspace, text: str) -> Scope:
    """Return the scope of this workspace that a person means.

    Its strategies, instruments and recorded sessions are known, and what was halted before.

    Raises:
        ConfigError: it is not a scope; UnknownNameError: it is not known here; lists what is.
    """
    scope = Scope.parse(text)
    if scope == GLOBAL:  # whatever else cannot be read
        return scope
    config = workspace.config
    recorded = Registry.of(workspace).combinations()
    halted = [state.scope for state in TradingStates.of(workspace).everything()]
    return find_scope(
        text,
        MODES,
        [strategy.name for strategy in all_strategies()],
        sorted(config.instruments),
        [
            *halted,
            *(Scope.of(mode, name, symbol).text for mode, _, name, symbol, _ in recorded if mode and name and symbol),
        ],
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def show(home: str | None, config: str | None, as_json: bool) -> None:
    """Show how much of each limit the account and each running session use, green, yellow or red."""
    uses = Account.of(Workspace(home, config)).uses()
    if as_json:
        print_json([{**msgspec.to_builtins(use), "limits": [limit._asdict() for limit in use.limits]} for use in uses])
        return
    for use in uses:
        click.echo(f"{use.mode} {use.currency}: {use.level}, {use.sessions} running sessions")
        if use.fault:
            click.echo(f"  {use.fault}")
            continue
        print_table(
            ("LIMIT", "USED", "OF", "UNIT", "SHARE", "LEVEL"),
            (
                (n.name, f"{n.used:,.2f}", f"{n.limit:,.2f}", n.unit, f"{100 * n.share:.0f} %", (n.level, n.level))
                for n in use.limits
            ),
            right=("USED", "OF", "SHARE"),
        )
        if use.shares:
            print_table(
                ("SESSION", "SYMBOL", "POSITION", "EXPOSURE", "PNL TODAY"),
                (
                    (s.run_id, s.symbol, f"{s.position:g}", f"{s.exposure:,.2f}", f"{s.equity - s.day_equity:+,.2f}")
                    for s in use.shares
                ),
                right=("POSITION", "EXPOSURE", "PNL TODAY"),
            )


@click.command()
@click.option("--symbol", help="Would an order in it pass? Without it: is the account within its limits?")
@click.option("--qty", type=float, help="Base units, negative to sell.")
@click.option("--price", type=float, help="Quote currency.")
@click.option("--mode", type=click.Choice(("shadow", "testnet")), default="shadow", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def check(
    home: str | None,
    config: str | None,
    symbol: str | None,
    qty: float | None,
    price: float | None,
    mode: str,
    as_json: bool,
) -> int:
    """Check the account, or one opening order of a new session; exit 1 on red or when the order would be denied."""
    workspace = Workspace(home, config)
    if symbol is None:
        uses = Account.of(workspace).uses()
        red = any(use.level == "red" for use in uses)
        if as_json:
            print_json({"ok": not red, "levels": {f"{use.mode}.{use.currency}": use.level for use in uses}})
        else:
            for use in uses:
                click.echo(f"{use.mode} {use.currency}: {use.level}" + (f" - {use.fault}" if use.fault else ""))
        return int(red)
    if qty is None or price is None or not price > 0.0 or not qty:
        raise ConfigError("--symbol goes with --qty, not 0, and --price, above 0")
    workspace.config.instrument(symbol)
    state = TradingStates.of(workspace).read(GLOBAL).state
    verdict = Account.of(workspace).check(symbol, qty, price, mode)
    code = "HALTED" if state != "ACTIVE" else DENY_CODES[verdict.code]
    passes = verdict.code == OK and state == "ACTIVE"
    figures = "" if code in ("OK", "HALTED") else f" value={verdict.value:g} limit={verdict.limit:g}"
    if as_json:
        print_json({"ok": passes, "code": code, "value": verdict.value, "limit": verdict.limit})
    else:
        click.echo("it would pass" if passes else f"it would be denied: {code}{figures}")
    return int(not passes)
