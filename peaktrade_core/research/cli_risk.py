"""``peaktrade risk``: the trading state and the way out of a halt, the limits and what is used of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click
import msgspec

from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.halts.account import Account, AccountUse
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import GLOBAL, TradingStates
from peaktrade_core.research.replay_limits import Counterfactual, describe, recorded_limits, replay_limits
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, TONE_OF, Cell, Column, Columns, Table
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.trading.risk import DENY_CODES, OK
from peaktrade_core.workspace.command import Answer, Part, command
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def risk() -> None:
    """Show limits and what is used of them, halt and resume trading, replay a session under other limits."""


@risk.command()
@command
def status(workspace: Workspace) -> Answer:
    """Show what may be traded, who halted what and why, and the limits."""
    states = TradingStates.of(workspace).everything()
    limits = workspace.config.limits._asdict()
    pairs = {name: f"{value:g}" for name, value in limits.items()}
    value = {"states": states, "limits": limits}
    return Answer(value, lambda: [STATES.table("", states), Table.pairs(pairs, "Limits ([live_risk])")])


STATES = Columns[Any](
    scope=Column("Scope"),
    state=Column("State", lambda s: Cell(s.state, GOOD if s.state == "ACTIVE" else BAD)),
    since=Column("Since (UTC)", priority=1),
    by=Column("By", priority=1),
    reason=Column("Reason", form="words"),
)


@risk.command()
@click.option("--scope", default="global", show_default=True, help="`global`, or one that `risk status` shows.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@click.option("--state", type=click.Choice(("REDUCING", "HALTED", "NO_ORDERS")), default="HALTED", show_default=True)
@command
def halt(workspace: Workspace, scope: str, by: str, reason: str, state: str) -> Answer:
    """Halt trading: running sessions obey within a second, later ones start halted."""
    if scope == GLOBAL:
        KillSwitch.of(workspace).engage(by, reason, state)
        after = TradingStates.of(workspace).read(scope)
    else:
        after = TradingStates.of(workspace).set(scope, state, by=by, reason=reason, now=workspace.clock.now())
    return Answer(after, f"{after.scope} is {after.state}: {after.reason} ({after.by})")


@risk.command()
@click.option("--scope", required=True, help="One that `risk status` shows; `killswitch release` is for `global`.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the audit log.")
@command
def resume(workspace: Workspace, scope: str, by: str, reason: str) -> Answer:
    """Let a halted scope trade again; takes a named person and a reason."""
    before = TradingStates.of(workspace).read(scope)
    if before.state == "ACTIVE":
        raise ConfigError(f"{scope} is not halted; `peaktrade risk status` lists what is")
    after = TradingStates.of(workspace).set(scope, "ACTIVE", by=by, reason=reason, now=workspace.clock.now())
    return Answer(after, f"{after.scope} is ACTIVE again (was {before.state}: {before.reason})")


@risk.command()
@command
def show(workspace: Workspace) -> Answer:
    """Show how much of each limit the account and each running session use, green, yellow or red."""
    uses = Account.of(workspace).uses()
    value = [{**msgspec.to_builtins(use), "limits": [limit._asdict() for limit in use.limits]} for use in uses]
    return Answer(value, lambda: [part for use in uses for part in _used(use)])


def _used(use: AccountUse) -> list[Part]:
    """Return what is used of the limits of one account."""
    told = f"{use.mode} {use.currency}: {use.level}, {use.sessions} running sessions"
    if use.fault:
        return [told, f"  {use.fault}"]
    return [LIMITS.table(told, use.limits), *([SHARES.table("", use.shares)] if use.shares else [])]


LIMITS = Columns[Any](
    limit=Column("Limit", lambda n: n.name),
    used=Column("Used", lambda n: f"{n.used:,.2f}", "number"),
    of=Column("Of", lambda n: f"{n.limit:,.2f}", "number"),
    unit=Column("Unit", priority=1),
    share=Column("Share", lambda n: f"{100 * n.share:.0f} %", "number"),
    level=Column("Level", lambda n: Cell(n.level, TONE_OF.get(n.level, ""))),
)
SHARES = Columns[Any](
    session=Column("Session", lambda s: s.run_id),
    symbol=Column("Symbol", priority=1),
    position=Column("Position", lambda s: f"{s.position:g}", "number"),
    exposure=Column("Exposure", lambda s: f"{s.exposure:,.2f}", "number"),
    pnl=Column("PnL today", lambda s: f"{s.equity - s.day_equity:+,.2f}", "number"),
)


@risk.command()
@click.option("--symbol", help="Would an order in it pass? Without it: is the account within its limits?")
@click.option("--qty", type=float, help="Base units, negative to sell.")
@click.option("--price", type=float, help="Quote currency.")
@click.option("--mode", type=click.Choice(("shadow", "testnet")), default="shadow", show_default=True)
@command
def check(workspace: Workspace, symbol: str | None, qty: float | None, price: float | None, mode: str) -> Answer:
    """Check the account, or one opening order of a new session; exit 1 on red or when the order would be denied."""
    if symbol is None:
        uses = Account.of(workspace).uses()
        red = any(use.level == "red" for use in uses)
        levels = {f"{use.mode}.{use.currency}": use.level for use in uses}
        told = [f"{use.mode} {use.currency}: {use.level}" + (f" - {use.fault}" if use.fault else "") for use in uses]
        return Answer({"ok": not red, "levels": levels}, told, code=int(red))
    if qty is None or price is None or not price > 0.0 or not qty:
        raise ConfigError("--symbol goes with --qty, not 0, and --price, above 0")
    workspace.config.instrument(symbol)
    state = TradingStates.of(workspace).read(GLOBAL).state
    verdict = Account.of(workspace).check(symbol, qty, price, mode)
    code = "HALTED" if state != "ACTIVE" else DENY_CODES[verdict.code]
    passes = verdict.code == OK and state == "ACTIVE"
    figures = "" if code in ("OK", "HALTED") else f" value={verdict.value:g} limit={verdict.limit:g}"
    value = {"ok": passes, "code": code, "value": verdict.value, "limit": verdict.limit}
    return Answer(value, "it would pass" if passes else f"it would be denied: {code}{figures}", code=int(not passes))


@risk.command()
@click.argument("session")
@click.option("--limits", "file", metavar="FILE", help="TOML with the limits that differ, as in [live_risk].")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="One limit; may be repeated.")
@command
def replay(workspace: Workspace, session: str, file: str | None, given: tuple[str, ...]) -> Answer:
    """Run a recorded session once more under other limits: what would have been blocked, and what it would have cost."""
    record = Views.of(workspace).record(Views.of(workspace).resolve(session))
    try:
        recorded = msgspec.convert(record.config, SessionConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"the configuration of {record.session_id} cannot be replayed: {error}") from None
    changes = {**(_limits_file(Path(file)) if file else {}), **dict(map(_limit, given))}
    limits = read_limits({**recorded_limits(recorded)._asdict(), **changes})
    found = replay_limits(record.session_id, recorded, Views.of(workspace).events(record.session_id), limits)
    return Answer(found, lambda: _told(found))


def _told(found: Counterfactual) -> list[Part]:
    """Return a counterfactual for people."""
    changed = ", ".join(f"{name} {old:g} -> {new:g}" for name, (old, new) in found.changed.items())
    told: list[Part] = [f"{found.session_id}: {found.bars:,} bars, {changed or 'its own limits'}"]
    first = found.first
    if first is None:
        return [*told, "Every event is the same."]
    told.append(f"First difference at {wording.moment(first.at)} UTC, step {first.step}: {first.why}")
    told += [f"  recorded  {describe(first.recorded)}", f"  replayed  {describe(first.replayed)}"]
    told.append(f"{len(found.blocked)} orders would have been blocked, {found.allowed} denied ones allowed.")
    if found.blocked:
        told.append(BLOCKED.table("", found.blocked[:20]))
    ends = f"{found.recorded.equity_end:,.2f} -> {found.replayed.equity_end:,.2f}"
    return [*told, f"equity at the end {ends}: {found.pnl_difference:+,.2f}"]


BLOCKED = Columns[Any](
    at=Column("At (UTC)"),
    order=Column("Order", lambda b: b.order_id),
    notional=Column("Notional", lambda b: f"{b.notional:,.2f}", "number"),
    code=Column("Code"),
    value=Column("Value", lambda b: f"{b.value or 0.0:g}", "number"),
    limit=Column("Limit", lambda b: f"{b.limit or 0.0:g}", "number"),
)


def _limits_file(path: Path) -> dict[str, Any]:
    """Return the limits in a TOML file, in a table ``[live_risk]`` or at its top.

    Raises:
        ConfigError: there is none, or it is no TOML.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a file of limits: {error}") from None
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
