"""What is asked before a start: the stage's readiness, the settings and their changes, the day's health, loose ends.

Source: operator workflow 3.1, workflow overview (pre-session checklist), operational runbooks 2, 4 and 6.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.desk.doctor import interpreter_checks
from peaktrade_core.desk.health import health
from peaktrade_core.desk.installation import Change, accepted, changes, installed
from peaktrade_core.desk.readiness import pre_session_checks
from peaktrade_core.desk.stages import MACHINE, stage_checks
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.runbooks.rehearsal import portable
from peaktrade_core.runs.views import Views
from peaktrade_core.session.venue_readiness import smoke_checks
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(hours=24)
TESTED = ("core", "aux")  # tiers of strategies
GOOD_OUTCOMES = (ev.PASSED, ev.WARNED)
_REACH = {
    "shadow": "orders are filled by simulation, none leaves this machine",
    "testnet": "fills are simulated; the venue only validates each order, or is its demo",
}
_MOST_RECORDS = 300  # of evidence, newest first, among which something is looked for


def ready_checks(workspace: Workspace, stage: str, symbol: str = "", *, machine: bool = True) -> list[Check]:
    """Return the readiness of a stage, as ``peaktrade readiness`` answers it.

    Args:
        workspace: where; stage: which; symbol: what is to be traded, empty for the configured one.
        machine: with what is asked of the machine; the health check has asked that already.

    Raises:
        UnknownNameError: there is no such stage.
    """
    found = stage_checks(workspace, stage, symbol or None)
    return portable(workspace, [one for one in found if machine or one.id not in MACHINE])


def session_ready(workspace: Workspace, strategy: str = "") -> list[Check]:
    """Return the short checklist before a shadow session, as the dashboard shows it, with environment, limits and tier.

    Args:
        workspace: where; strategy: that is to run; empty for the configured one.
    """
    found = [*interpreter_checks(), *pre_session_checks(workspace)]
    if all(one.status != FAIL for one in found if one.id == "config"):
        found += [_limits(workspace), _tier(strategy or workspace.config.session.strategy)]
    return portable(workspace, found)


def smoke_order(workspace: Workspace, symbol: str) -> list[Check]:
    """Return whether the venue takes our smallest order; it is validated only, or placed in the demo and closed.

    Raises:
        ConfigError: the symbol is not configured.
    """
    return portable(workspace, smoke_checks(workspace, symbol))


def health_checks(workspace: Workspace, *, venue: bool = False) -> list[Check]:
    """Return the health of everything, as ``peaktrade ops health`` answers it, and whether the kept evidence is whole.

    Args:
        workspace: of which; venue: ask the venue, too.
    """
    return portable(workspace, [*health(workspace, venue=venue), evidence_check(EvidenceBook.of(workspace))])


def settings_checks(workspace: Workspace, stage: str) -> list[Check]:
    """Return whether what will run is what was meant: mode, strategy, limits, and no change nobody has accepted."""
    try:
        found = [_mode(workspace, stage), _strategy(workspace), _limits(workspace)]
    except PeaktradeError as error:
        found = [
            check("settings", "Can the settings be read?", False, str(error), "Mend that key; nothing starts before.")
        ]
    return portable(workspace, [*found, *change_checks(workspace)])


def desk_checks(workspace: Workspace) -> list[Check]:
    """Return whether the desk is ready: today's health check was done, and what went wrong lately is written down."""
    return [health_done(workspace), documented(workspace)]


def change_checks(workspace: Workspace) -> list[Check]:
    """Return whether program and configuration are as they were accepted last; see :mod:`installation`."""
    question = "Are program and configuration as somebody accepted them?"
    step = "Read each change below; the runbook restart_after_maintenance accepts them."
    try:
        last = accepted(workspace)
        found = changes(last.values, installed(workspace)) if last else []
    except PeaktradeError as error:
        return [check("changes", question, False, str(error), "Mend that file first.")]
    if last is None:
        return [check("changes", question, False, "nobody has accepted them yet", step, otherwise=WARN)]
    names = ", ".join(change.name for change in found[:3]) + (" …" if len(found) > 3 else "")
    told = f"{len(found)} changed since {last.evidence_id}: {names}" if found else f"as accepted by {last.by}"
    return [check("changes", question, not found, told, step, otherwise=WARN)]


def changes_table(workspace: Workspace) -> Table:
    """Return what changed since somebody accepted program and configuration, value by value."""
    columns = ("What", "Accepted", "Now")
    try:
        last = accepted(workspace)
        found = changes(last.values, installed(workspace)) if last else []
    except PeaktradeError as error:
        return Table("What changed", (), [], empty=str(error))
    if last is None:
        return Table("What changed", (), [], empty="Nothing to compare with: nobody has accepted an installation yet.")
    note = f"Accepted by {last.by}, {last.evidence_id}."
    return Table("What changed", columns, map(_change, found), note=note, empty=f"Nothing changed. {note}")


def _change(change: Change) -> tuple[str, str, str]:
    return change.name, change.before or "not there", change.now or "not there any more"


def health_done(workspace: Workspace) -> Check:
    """Return whether the daily health check was finished in the last 24 hours, and how."""
    record = last_evidence(workspace, "health_check")
    fresh = record is not None and record.began_at >= workspace.clock.now() - LOOK_BACK
    if record is None or not fresh:
        told = "never" if record is None else f"last on {wording.minute(record.began_at)} UTC"
    else:
        told = f"{record.evidence_id}: {record.outcome}"
    return check(
        "health_done",
        "Was the daily health check done in the last 24 hours, and passed?",
        fresh and record is not None and record.outcome in GOOD_OUTCOMES,
        told,
        "Do the runbook health_check first; it takes five minutes.",
        otherwise=WARN,
    )


def documented(workspace: Workspace) -> Check:
    """Return whether each session that failed or was aborted in the last 24 hours is written down somewhere."""
    since = workspace.clock.now() - LOOK_BACK
    rows = [
        row for status in ("failed", "aborted") for row in Views.of(workspace).rows(Query(status=status, since=since))
    ]
    told_of = "\n".join(_told_of(workspace)) if rows else ""
    left = [row.session_id for row in rows if row.session_id not in told_of]
    told = f"{len(left)} of {len(rows)} are not: {', '.join(left[:3])}" if left else f"{len(rows)} of {len(rows)} are"
    return check(
        "documented",
        "Is every session of the last 24 hours that failed or was aborted documented?",
        not left,
        told if rows else "none did",
        "Do the runbook post_session_check for each, or open an incident.",
        otherwise=WARN,
    )


def last_evidence(workspace: Workspace, runbook: str, *, within: int = _MOST_RECORDS) -> ev.Evidence | None:
    """Return the newest finished evidence of a runbook, None when there is none among the newest records."""
    tag = runbook.upper().replace("_", "-")
    for name in [name for name in EvidenceBook.of(workspace).ids() if f"-{tag}-" in name][:within]:
        try:
            record = EvidenceBook.of(workspace).load(name)
        except PeaktradeError:
            continue
        if record.runbook == runbook and record.ended_at is not None:
            return record
    return None


def _told_of(workspace: Workspace) -> Iterator[str]:
    """Yield what is written down: the subjects of finished evidence, and the text of each file among the incidents."""
    book = EvidenceBook.of(workspace)
    for name in [name for name in book.ids() if "POST-SESSION-CHECK" in name or "INCIDENT" in name][:_MOST_RECORDS]:
        try:
            record = book.load(name)
        except PeaktradeError:
            continue
        yield record.subject if record.ended_at is not None else ""
    for path in (workspace.reports / "incidents").rglob("*"):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def _mode(workspace: Workspace, stage: str) -> Check:
    given = workspace.config
    told = f"{stage} on {given.environment.name}: {_REACH.get(stage, 'always locked')}"
    return check("mode", "Is the mode one that may run?", stage in _REACH, told, "Choose shadow or testnet.")


def _strategy(workspace: Workspace) -> Check:
    session = workspace.config.session
    question = "Is the strategy configured, with parameters that make sense?"
    try:
        params: Any = get_strategy(session.strategy).parameters(workspace.config.strategy.get(session.strategy, {}))
    except PeaktradeError as error:
        return check("strategy", question, False, str(error), "`peaktrade strategies` lists those there are.")
    told = ", ".join(f"{name} {value:g}" for name, value in params._asdict().items())
    return check("strategy", question, True, f"{session.strategy}: {told}", "")


def _tier(name: str) -> Check:
    """Look whether a strategy has come through research: only core and aux have."""
    question, step = "Has the strategy come through backtest and research?", "`peaktrade backtest` it; run core or aux."
    try:
        tier = get_strategy(name).tier
    except PeaktradeError as error:
        return check("tier", question, False, str(error), "`peaktrade strategies` lists those there are.")
    return check("tier", question, tier in TESTED, f"{name} is {tier}", step, otherwise=WARN)


def _limits(workspace: Workspace) -> Check:
    """Look whether the limits stand in the file, so that somebody chose them, or are only defaults."""
    names = ("max_order_notional", "max_total_exposure_notional", "max_daily_loss_abs", "max_drawdown_halt_pct")
    ours = workspace.config.limits._asdict()
    written = tomllib.loads(workspace.config_path.read_text()).get("live_risk", {})
    missing = [name for name in Limits._fields if name in names and name not in written]
    told = ", ".join(f"{name} {ours[name]:g}" for name in names)
    return check(
        "limits_set",
        "Are the risk limits configured, none left to its default?",
        not missing,
        told if not missing else f"not in [live_risk]: {', '.join(missing)}",
        "Write them into [live_risk] of config/config.toml, so that everybody sees what holds.",
        otherwise=WARN,
    )
