"""Commands of ``peaktrade risk`` about halts: trading states, the way into and out of a halt, the limits and their use."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.account import Account, AccountUse
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL, STATES, Scope, find_scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Registry
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, TONE_OF, Cell, Column, Columns, Table
from peaktrade_core.trading.limit_use import limit_told, refusal
from peaktrade_core.trading.records import MODES
from peaktrade_core.trading.risk import DENY_CODES, OK
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@command
def status(workspace: Workspace) -> CommandResult:
    """Show what may be traded, who halted what and why, and the limits."""
    states = TradingStates.of(workspace).everything()
    limits = workspace.config.limits._asdict()
    pairs = {name: limit_told(name, value) for name, value in limits.items()}
    value = {"states": states, "limits": limits}
    title = "Limits ([live_risk]), amounts in the quote currency of each market"
    return CommandResult(value, lambda: [HALTS.table("", states), Table.pairs(pairs, title)])


HALTS = Columns[Any](
    scope=Column("Scope"),
    state=Column("State", lambda s: Cell(s.state, GOOD if s.state == "ACTIVE" else BAD)),
    since=Column("Since (UTC)", priority=1),
    by=Column("By", priority=1),
    reason=Column("Reason", form="words"),
)


@click.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or MODE.STRATEGY.SYMBOL.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the log of halts.")
@click.option("--state", type=click.Choice(STATES[1:]), default="HALTED", show_default=True)
@command
def halt(workspace: Workspace, scope: str, by: str, reason: str, state: str) -> CommandResult:
    """Halt trading: running sessions obey within a second, later ones start halted. What is stricter already stays so."""
    known = known_scope(workspace, scope)
    if known == GLOBAL:
        KillSwitch.of(workspace).engage(by, reason, state)
        after = TradingStates.of(workspace).read(known)
    else:
        after = TradingStates.of(workspace).stop(known, state, by=by, reason=reason, now=workspace.clock.now())
    return CommandResult(after, f"{after.scope} is {after.state}: {after.reason} ({after.by})")


@click.command()
@click.option("--scope", required=True, help="One that `risk status` shows; `killswitch release` is for `global`.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the log of halts.")
@command
def resume(workspace: Workspace, scope: str, by: str, reason: str) -> CommandResult:
    """Let a halted scope trade again; takes a named person and a reason."""
    known = known_scope(workspace, scope)
    before = TradingStates.of(workspace).read(known)
    if before.state == "ACTIVE":
        raise ConfigError(f"{known} is not halted; `peaktrade risk status` lists what is")
    after = TradingStates.of(workspace).set(known, "ACTIVE", by=by, reason=reason, now=workspace.clock.now())
    return CommandResult(after, f"{after.scope} is ACTIVE again (was {before.state}: {before.reason})")


def known_scope(workspace: Workspace, text: str) -> Scope:
    """Return the scope of this workspace that a person means.

    Its strategies, instruments and recorded sessions are known, and what was halted before; of a configuration that
    cannot be read, no instruments.

    Raises:
        ConfigError: it is not a scope; UnknownNameError: it is not known here; lists what is.
    """
    scope = Scope.parse(text)
    if scope == GLOBAL:  # whatever else cannot be read
        return scope
    try:
        symbols = sorted(workspace.config.instruments)
    except ConfigError:  # that must not keep anything trading; what runs is recorded
        symbols = []
    recorded = Registry.of(workspace).combinations()
    halted = [state.scope for state in TradingStates.of(workspace).everything()]
    return find_scope(
        text,
        MODES,
        [strategy.name for strategy in all_strategies()],
        symbols,
        [
            *halted,
            *(Scope.of(mode, name, symbol).text for mode, _, name, symbol, _ in recorded if mode and name and symbol),
        ],
    )


@click.command()
@command
def show(workspace: Workspace) -> CommandResult:
    """Show how much of each limit the account and each running session use, green, yellow or red."""
    uses = Account.of(workspace).uses()
    value = [{**msgspec.to_builtins(use), "limits": [limit._asdict() for limit in use.limits]} for use in uses]
    return CommandResult(value, lambda: [part for use in uses for part in _used(use)])


def _used(use: AccountUse) -> list[Part]:
    """Return what is used of the limits of one account."""
    sessions = "1 running session" if use.sessions == 1 else f"{use.sessions} running sessions"
    told = f"{use.mode} {use.currency}: {use.level}, {sessions}"
    if use.fault:
        return [told, f"  {use.fault}"]
    return [LIMITS.table(told, use.limits), *([SHARES.table("", use.shares)] if use.shares else [])]


def _amount(value: float, unit: str) -> str:
    """Return what is used of a limit, or may be: a count whole, money as finely as it is counted."""
    return f"{value:,.0f}" if unit == "positions" else wording.money(value, unit, code=False)


LIMITS = Columns[Any](
    limit=Column("Limit", lambda n: n.name),
    used=Column("Used", lambda n: _amount(n.used, n.unit), "number"),
    of=Column("Of", lambda n: _amount(n.limit, n.unit), "number"),
    unit=Column("Unit", priority=1),
    share=Column("Share", lambda n: f"{100 * n.share:.0f} %", "number"),
    level=Column("Level", lambda n: Cell(n.level, TONE_OF.get(n.level, ""))),
)
SHARES = Columns[Any](
    session=Column("Session", lambda s: s.run_id),
    symbol=Column("Symbol", priority=1),
    position=Column("Position", lambda s: f"{s.position:g}", "number"),
    exposure=Column("Exposure", lambda s: wording.money(s.exposure, wording.quote_currency(s.symbol)), "number"),
    pnl=Column(
        "PnL today", lambda s: wording.signed(s.equity - s.day_equity, wording.quote_currency(s.symbol)), "number"
    ),
)


@click.command()
@click.option("--symbol", help="Would an order in it pass? Without it: is the account within its limits?")
@click.option("--qty", type=float, help="Base units, negative to sell.")
@click.option("--price", type=float, help="Quote currency.")
@click.option("--mode", type=click.Choice(("shadow", "testnet")), default="shadow", show_default=True)
@command
def check(workspace: Workspace, symbol: str | None, qty: float | None, price: float | None, mode: str) -> CommandResult:
    """Check the account, or one opening order of a new session; exit 1 on red or when the order would be denied."""
    if symbol is None:
        uses = Account.of(workspace).uses()
        red = any(use.level == "red" for use in uses)
        levels = {f"{use.mode}.{use.currency}": use.level for use in uses}
        told = [f"{use.mode} {use.currency}: {use.level}" + (f" - {use.fault}" if use.fault else "") for use in uses]
        return CommandResult({"ok": not red, "levels": levels}, told, code=int(red))
    if qty is None or price is None or not price > 0.0 or not qty:
        raise ConfigError("--symbol goes with --qty, not 0, and --price, above 0")
    workspace.config.instrument(symbol)
    state = TradingStates.of(workspace).read(GLOBAL).state
    verdict = Account.of(workspace).check(symbol, qty, price, mode)
    code = "HALTED" if state != "ACTIVE" else DENY_CODES[verdict.code]
    passes = verdict.code == OK and state == "ACTIVE"
    why = refusal(code, verdict.value, verdict.limit, symbol)
    value = {"ok": passes, "code": code, "value": verdict.value, "limit": verdict.limit}
    return CommandResult(value, "it would pass" if passes else f"it would be denied: {why}", code=int(not passes))
