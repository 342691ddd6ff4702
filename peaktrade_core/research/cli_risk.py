"""``peaktrade risk``: the trading state and the way out of a halt, the limits and what is used of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import GLOBAL, TradingStates
from peaktrade_core.research.replay_limits import Counterfactual, describe, recorded_limits, replay_limits
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.trading.risk import DENY_CODES, OK
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def risk() -> None:
    """Show limits and what is used of them, halt and resume trading, replay a session under other limits."""


@risk.command()
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


@risk.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or one that `risk status` shows.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@click.option("--state", type=click.Choice(("REDUCING", "HALTED", "NO_ORDERS")), default="HALTED", show_default=True)
@workspace_options
def halt(home: str | None, config: str | None, scope: str, by: str, reason: str, state: str) -> None:
    """Halt trading: running sessions obey within a second, later ones start halted."""
    workspace = Workspace(home, config)
    if scope == GLOBAL:
        KillSwitch.of(workspace).engage(by, reason, state)
        after = TradingStates.of(workspace).read(scope)
    else:
        after = TradingStates.of(workspace).set(scope, state, by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is {after.state}: {after.reason} ({after.by})")


@risk.command()
@click.option("--scope", required=True, help="One that `risk status` shows; `killswitch release` is for `global`.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the audit log.")
@workspace_options
def resume(home: str | None, config: str | None, scope: str, by: str, reason: str) -> None:
    """Let a halted scope trade again; takes a named person and a reason."""
    workspace = Workspace(home, config)
    before = TradingStates.of(workspace).read(scope)
    if before.state == "ACTIVE":
        raise ConfigError(f"{scope} is not halted; `peaktrade risk status` lists what is")
    after = TradingStates.of(workspace).set(scope, "ACTIVE", by=by, reason=reason, now=workspace.clock.now())
    click.echo(f"{after.scope} is ACTIVE again (was {before.state}: {before.reason})")


@risk.command()
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


@risk.command()
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


@risk.command()
@click.argument("session")
@click.option("--limits", "file", metavar="FILE", help="TOML with the limits that differ, as in [live_risk].")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="One limit; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def replay(
    home: str | None, config: str | None, session: str, file: str | None, given: tuple[str, ...], as_json: bool
) -> None:
    """Run a recorded session once more under other limits: what would have been blocked, and what it would have cost."""
    workspace = Workspace(home, config)
    record = Views.of(workspace).record(Views.of(workspace).resolve(session))
    try:
        recorded = msgspec.convert(record.config, SessionConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"the configuration of {record.session_id} cannot be replayed: {error}") from None
    changes = {**(_limits_file(Path(file)) if file else {}), **dict(map(_limit, given))}
    limits = read_limits({**recorded_limits(recorded)._asdict(), **changes})
    found = replay_limits(record.session_id, recorded, Views.of(workspace).events(record.session_id), limits)
    if as_json:
        print_json(found)
        return
    _tell(found)


def _tell(found: Counterfactual) -> None:
    """Print a counterfactual."""
    changed = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in found.changed.items())
    click.echo(f"{found.session_id}: {found.bars:,} bars, {changed or 'its own limits'}")
    if found.first is None:
        click.echo("Every event is the same.")
        return
    first = found.first
    click.echo(f"First difference at {wording.moment(first.at)} UTC, step {first.step}: {first.why}")
    click.echo(f"  recorded  {describe(first.recorded)}")
    click.echo(f"  replayed  {describe(first.replayed)}")
    click.echo(f"{len(found.blocked)} orders would have been blocked, {found.allowed} denied ones allowed.")
    print_table(
        ("AT (UTC)", "ORDER", "NOTIONAL", "CODE", "VALUE", "LIMIT"),
        (
            (
                wording.moment(b.at),
                b.order_id,
                f"{b.notional:,.2f}",
                b.code,
                f"{b.value or 0.0:g}",
                f"{b.limit or 0.0:g}",
            )
            for b in found.blocked[:20]
        ),
        right=("NOTIONAL", "VALUE", "LIMIT"),
    )
    click.echo(
        f"equity at the end {found.recorded.equity_end:,.2f} -> {found.replayed.equity_end:,.2f}: "
        f"{found.pnl_difference:+,.2f}"
    )


def _limits_file(path: Path) -> dict[str, Any]:
    """Return the limits in a TOML file, in a table ``[live_risk]`` or at its top.

    Raises:
        ConfigError: there is none, or it is no TOML.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no file of limits: {error}") from None
    found = raw.get("live_risk", raw)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: [live_risk] must be a table")
    return found


def _limit(text: str) -> tuple[str, float]:
    """Return a limit that was typed as ``name=value``.

    Raises:
        ConfigError: it is none.
    """
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ConfigError(f"--set {text!r} must be NAME=NUMBER") from None
