"""A desk's own commands: ``init``, ``doctor``, ``readiness``, ``smoke``, and ``ops`` and ``orders`` over all sessions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, LiveModeNotAllowedError
from peaktrade_core.base.question import FAIL, Check, worst
from peaktrade_core.halts.account import Account, AccountUse
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import decision_options, planned
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import CHECKS, check_table, verdict
from peaktrade_core.show.table import MID, TONE_OF, Cell, Column, Columns, Table
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.workspace.command import CommandResult, Part, answers, command
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.fleet.ops import Orders
    from peaktrade_core.research.preview import Preview
    from peaktrade_core.venue.orders import VenueOrders


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@answers
def init(folder: Path) -> CommandResult:
    """Make FOLDER a workspace by writing the default configuration into it."""
    from peaktrade_core.alerts.engine import ALERTS
    from peaktrade_core.base.files import write_atomic
    from peaktrade_core.base.resources import share_dir
    from peaktrade_core.people.roster import PEOPLE
    from peaktrade_core.schedule.schedule import JOBS_FILE

    target = folder / CONFIG
    if target.exists():
        raise ConfigError(f"{target} exists already; nothing was changed")
    for other in (ALERTS, JOBS_FILE, PEOPLE):
        if not (folder / other).exists():
            write_atomic(folder / other, (share_dir() / other).read_bytes())
    write_atomic(target, (share_dir() / CONFIG).read_bytes())
    return CommandResult({"workspace": folder}, f"{folder} is a workspace now; its settings are in {target}")


@click.command()
@command
def doctor(workspace: Workspace) -> CommandResult:
    """Check environment, configuration, disk, clock and stale sessions; exit code 1 when a check fails.

    What processes that died have left is put right first, or removed.
    """
    from peaktrade_core.desk.doctor import DOCTOR
    from peaktrade_core.records.leftovers import tidy

    left = [os.path.relpath(path, workspace.home) for path in tidy(workspace)]
    checks = workspace.ask(DOCTOR)
    told = [f"put right or removed, left by processes that died: {', '.join(left)}"] if left else []
    return CommandResult(checks, check_table(checks, ""), code=int(worst(checks) == FAIL), notes=told)


@click.command()
@click.option("--stage", type=click.Choice(("shadow", "testnet", "live")), default="shadow", show_default=True)
@click.option("--symbol", metavar="SYMBOL", help="What is to be traded; else the configured one.")
@command
def readiness(workspace: Workspace, stage: str, symbol: str | None) -> CommandResult:
    """Answer the checklist of a stage; exit code 1 when an answer fails, 5 always for live."""
    from peaktrade_core.desk.readiness import ready_checks

    found = _checklist(ready_checks(workspace, stage, symbol or ""), f"Readiness-Check ({stage})")
    if stage == "live":
        found.code = LiveModeNotAllowedError.exit_code
    return found


@click.command()
@click.option(
    "--stage", type=click.Choice(("shadow", "testnet", "auto")), default="auto", show_default=True,
    help="testnet lets the venue take part; auto does so when testnet is switched on and there are credentials.",
)  # fmt: skip
@command
def smoke(workspace: Workspace, stage: str) -> CommandResult:
    """Run one small real session through everything, in a temporary workspace; exit code 1 when a part fails."""
    from peaktrade_core.base.errors import ExchangeAuthenticationError
    from peaktrade_core.desk.smoke import smoke as run_smoke
    from peaktrade_core.session.planning import TESTNET_OFF
    from peaktrade_core.venue.credentials import find_credentials

    missing = ""
    if stage == "auto" and workspace.config.environment.mode != "testnet":
        stage, missing = "shadow", f"The venue took no part: {TESTNET_OFF}"
    elif stage == "auto":
        try:
            find_credentials(workspace.config.exchange.venue)
            stage = "testnet"
        except ExchangeAuthenticationError as fault:
            stage, missing = "shadow", f"The venue took no part: {fault}"
    return _checklist(run_smoke(workspace, stage), f"Smoke-Test ({stage})", missing)


def _checklist(checks: Sequence[Check], title: str, note: str = "") -> CommandResult:
    """Return a checklist with its result in a word."""
    failed = worst(checks) == FAIL
    value = {"check": title, "passed": not failed, "result": worst(checks), "checks": checks}
    told = [verdict(checks, title), *([note] if note else [])]
    return CommandResult(value, [CHECKS.table("", checks), *told], code=int(failed))


@click.group()
def ops() -> None:
    """Orders, positions and health over all sessions; notes, emergency contacts, retention."""


@ops.command("orders")
@click.option("--open", "only_open", is_flag=True, help="Only what was sent and is not filled.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@command
def last_orders(workspace: Workspace, only_open: bool, limit: int) -> CommandResult:
    """Show the last orders of running sessions and of those of the last 24 hours."""
    from peaktrade_core.fleet.ops import orders as find_orders

    found = find_orders(Views.of(workspace), only_open=only_open)
    value = {"as_of": workspace.clock.now(), "orders": found.lines[:limit], "faults": found.faults}
    none = "No order is open." if only_open else "No session of the last 24 hours ordered anything."
    return CommandResult(value, _orders(found, none, limit), notes=_faults(found))


def _orders(found: Orders, none: str, limit: int | None = None) -> Part:
    """Return orders as a table, or that there are none."""
    from peaktrade_core.fleet.ops import ORDERS

    return ORDERS.table("", found.lines[:limit]) if found.lines else none


def _faults(found: Orders) -> list[str]:
    return [f"cannot be read: {fault}" for fault in found.faults]


@ops.command()
@command
def portfolio(workspace: Workspace) -> CommandResult:
    """Show what running sessions hold and earn, by symbol, and how much of the account's limits that is."""
    from peaktrade_core.fleet.ops import POSITIONS
    from peaktrade_core.fleet.ops import portfolio as holdings

    positions, uses = holdings(Views.of(workspace).runs()), Account.of(workspace).uses()
    held: list[Part] = ["No session runs, so nothing is held. `peaktrade fleet start-shadow` starts one.", ""]
    if positions:
        held = [POSITIONS.table("", positions)]
    value = {"as_of": workspace.clock.now(), "positions": positions, "accounts": uses}
    return CommandResult(value, [*held, ACCOUNTS.table("", uses)])


ACCOUNTS = Columns[AccountUse](
    account=Column("Account", lambda use: f"{use.mode} {use.currency}"),
    level=Column("Level", lambda use: Cell(use.level, TONE_OF.get(use.level, ""))),
    sessions=Column("Sessions", form="number", priority=1),
    positions=Column("Positions", lambda use: use.open_positions, "number", 1),
    exposure=Column("Exposure", lambda use: wording.money(use.exposure, use.currency), "number"),
    loss=Column("Loss today", lambda use: wording.money(use.daily_loss, use.currency), "number"),
)


@ops.command("note")
@click.argument("text")
@click.option("--by", required=True, help="Who you are.")
@click.option("--about", default="", metavar="ID", help="The session, alert or incident that it is about.")
@command
def write_note(workspace: Workspace, text: str, by: str, about: str) -> CommandResult:
    """Write TEXT into the operations log with your name; the activity feed shows it, and so does the session it is about."""
    from peaktrade_core.workspace.operations import note

    made = note(workspace, text, by, _subject(workspace, about) if about else "")
    return CommandResult(made, f"noted {wording.moment(made.at)} UTC about {made.about}, by {made.by}")


def _subject(workspace: Workspace, about: str) -> str:
    """Return the id of something that is there: an incident, an evidence record, an alert or a session."""
    from peaktrade_core.alerts.desk import Alerts
    from peaktrade_core.incidents.book import IncidentBook
    from peaktrade_core.runbooks.book import EvidenceBook

    if about.startswith("INC-"):
        return IncidentBook.of(workspace).load(about).incident_id
    if about.startswith("EV-"):
        return EvidenceBook.of(workspace).load(about).evidence_id
    alerts = [row.alert_id for row in Alerts.of(workspace).rows()]
    return about if about in alerts else Views.of(workspace).resolve(about)


@ops.command("notes")
@click.option("--about", default="", metavar="ID", help="Only those about this session, alert or incident.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True)
@command
def read_notes(workspace: Workspace, about: str, limit: int) -> CommandResult:
    """Show the notes of the operations log, newest first."""
    from peaktrade_core.workspace.operations import Note, notes

    found = notes(workspace, Views.of(workspace).meant(about))[:limit]
    columns = Columns[Note](
        at=Column("At (UTC)", lambda one: wording.moment(one.at)),
        about=Column("About"),
        by=Column("By"),
        text=Column("Note", form="words"),
    )
    return CommandResult(
        found, columns.table("", found) if found else "No note yet: `peaktrade ops note TEXT --by NAME`."
    )


@ops.command("contacts")
@command
def people(workspace: Workspace) -> CommandResult:
    """Show who is called in an emergency, from [contacts] of the configuration."""
    from peaktrade_core.desk.contacts import contacts_table, emergency_contacts

    return CommandResult(emergency_contacts(workspace), lambda: contacts_table(workspace))


@ops.command()
@click.option("--venue", is_flag=True, help="Ask the venue, too.")
@command
def health(workspace: Workspace, venue: bool) -> CommandResult:
    """Show machine, workspace, runs, watcher, scheduler and switch in one view; exit code 1 when a check fails."""
    from peaktrade_core.desk.readiness import health_checks

    return _checklist(health_checks(workspace, venue=venue), "Health-Check")


@ops.command()
@click.option("--apply", "apply_", is_flag=True, help="Do it; without this nothing is changed.")
@click.option("--by", default=login, show_default="your login", help="Who you are.")
@command
def retention(workspace: Workspace, apply_: bool, by: str) -> CommandResult:
    """Show what is old enough to leave the working folders; with --apply archive or delete it."""
    from peaktrade_core.schedule.retention import KEEP, survey, sweep, told

    columns = Columns[Any](
        kind=Column("Kind"),
        name=Column("Name"),
        age=Column("Age (days)", lambda i: f"{i.age_days:.0f}", "number", 1),
        size=Column("Size (kB)", lambda i: f"{i.size / 1e3:,.0f}", "number", 1),
        action=Column("Action", lambda i: Cell(i.action, MID if i.action == KEEP else "")),
        why=Column("Why", lambda i: i.reason, "words"),
    )
    settings = workspace.config.retention
    items = sweep(workspace, settings, by) if apply_ else survey(workspace, settings)
    going = any(item.action != KEEP for item in items)
    result = told(items) if apply_ or not going else f"would go: {told(items)}; --apply does it"
    shown: list[Part] = [columns.table("", items)] if items else []
    return CommandResult({"applied": apply_, "items": items}, [*shown, result])


@click.group()
def orders() -> None:
    """Show open orders, here and at the venue; preview what a strategy would order now."""


@orders.command("open")
@command
def open_orders(workspace: Workspace) -> CommandResult:
    """Show what was sent and is not filled, in our journals and, with credentials, at the venue."""
    from peaktrade_core.fleet.ops import orders as find_orders
    from peaktrade_core.venue.orders import venue_orders

    ours, theirs = find_orders(Views.of(workspace), only_open=True), venue_orders(workspace)
    value = {"as_of": workspace.clock.now(), "ours": ours, "venue": theirs}
    shown = [_orders(ours, "No order of ours is open."), *_at_venue(theirs)]
    return CommandResult(value, shown, code=int(theirs.failed or bool(ours.faults)), notes=_faults(ours))


def _at_venue(theirs: VenueOrders) -> list[Part]:
    """Return what is open at the venue."""
    told = f"Venue ({theirs.venue}): {theirs.told}"
    if not theirs.orders:
        return [told]
    columns = Columns[Any](
        order=Column("Order", lambda o: o.order_id),
        symbol=Column("Symbol"),
        side=Column("Side"),
        qty=Column("Quantity", lambda o: f"{o.qty:g}", "number"),
        price=Column("Price", lambda o: wording.price(o.price), "number"),
        since=Column("Since (UTC)", lambda o: o.at, priority=1),
    )
    return [columns.table(told, theirs.orders)]


@orders.command()
@click.option("--mode", default="shadow", show_default=True, help="shadow or testnet; nothing is sent in either.")
@decision_options
@click.option("--dry-run", is_flag=True, help="Nothing is ever sent by this command; for habit's sake.")
@command
def preview(workspace: Workspace, dry_run: bool, **options: Any) -> CommandResult:  # noqa: ARG001
    """Show what a session would order if it began now, with the verdict of the risk checks; nothing is sent."""
    from peaktrade_core.halts.scope import Scope
    from peaktrade_core.halts.states import TradingStates
    from peaktrade_core.research.preview import preview as look

    plan = planned(workspace, **options)
    scope = Scope.of(plan.mode, plan.config.strategy_name, plan.config.symbol)
    found = look(plan, TradingStates.of(workspace).in_force(scope), Account.of(workspace).check)
    return CommandResult(found, lambda: [_previewed(found), "Nothing was sent, nothing was written."])


def _previewed(found: Preview) -> Table:
    """Return what would be ordered, and what the risk checks say."""
    currency = wording.quote_currency(found.symbol)
    denied = f"denied: {refusal(found.code or '', found.value, found.limit, found.symbol)}"
    verdicts = {"nothing": "nothing to order", "allowed": "allowed", "denied": denied}
    signals = {1.0: "+1 long", -1.0: "−1 short (flat on a spot market)", 0.0: "0 flat"}
    side = "buy" if (found.qty or 0.0) > 0 else "sell"
    order = f"{side} {abs(found.qty or 0.0):.8g}, {wording.money(found.notional, currency)}"
    close = wording.price(found.price, currency)
    pairs = {
        "Session": f"{found.mode}, {found.strategy} on {found.symbol}",
        "Decides": f"{wording.moment(found.ts)} UTC, close {close}, {found.bars:,} bars seen",
        "Signal": signals.get(found.signal, str(found.signal)),
        "Order": wording.NOTHING if found.qty is None else order,
        "Risk": verdicts[found.verdict],
        "State": found.state,
    }
    return Table.pairs(pairs)
