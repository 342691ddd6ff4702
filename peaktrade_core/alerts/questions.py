"""What is asked about those who watch: the watcher, critical alerts, the scheduler's jobs, and errors in the logs.

Source: operational runbooks 6.2 and 6.3 (logs searched for errors; none, or known ones).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CRITICAL, RAISED
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.rules import FailedInRow
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.log import newest_lines
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check, Found, answers, question
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.show import wording
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(hours=24)
MOST_LINES = 5000  # of one file, from its end
MOST_RUNS = 50
_BAD = re.compile(r"error|critical|exception|traceback|gave up|\bfailed\b", re.IGNORECASE)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+\d\d:\d\d|Z)?")


@question("watcher", "Does the watcher run?", "Start it with `peaktrade watch`; without it no one is told of anything.")
def watcher(workspace: Workspace) -> Found:
    """Look at what the watcher last said of itself."""
    watch = watch_of(workspace)
    turn = f", last turn {wording.moment(watch.state.at)} UTC" if watch.state else ""
    faults = "; ".join(f"{name}: {fault}" for name, fault in watch.state.faults.items()) if watch.state else ""
    told = f"{watch.status}{turn}" + (f", {faults}" if faults else "")
    if watch.status == "running":
        return WARN if faults else PASS, told, "Mend what its faults say."
    return FAIL if watch.status == "silent" else WARN, told


@question(
    "alerts",
    "Open alerts",
    "`peaktrade alerts list` names the runbook of each; acknowledge what you take care of.",
)
def alerts(workspace: Workspace) -> Found:
    """Look for alerts that are raised: a critical one fails, another warns, and where no rule was ever asked none is known."""
    desk = Alerts.of(workspace)
    if not desk.log.path.exists():
        return UNKNOWN, "no rule was ever asked", "`peaktrade watch` evaluates the rules."
    raised = desk.rows(RAISED)
    untold = sum(row.untold for row in desk.rows(OPEN))
    more = f"; {untold} could not be told on every channel" if untold else ""
    worst = [f"{row.rule_id}: {row.message}" for row in raised if row.severity == CRITICAL]
    if worst:
        return FAIL, f"{len(worst)} critical of {len(raised)}: {'; '.join(worst[:3])}{more}"
    free = sum(row.acknowledged_by is None and row.silenced_by is None for row in raised)
    told = f"{len(raised)}, {free} of them taken by no one" if raised else "none is raised" if untold else "none"
    return WARN if raised or untold else PASS, told + more


@question(
    "delivered",
    "Open alerts that could not be delivered",
    "`peaktrade alerts list` says why; tell the owner by hand, mend the channel in config/alerts.toml, then "
    "`peaktrade alerts ack` each.",
    otherwise=WARN,
)
def delivered(workspace: Workspace) -> Found:
    """Look for alerts that a channel refused and no person has seen, cleared ones too."""
    rows = [row for row in Alerts.of(workspace).rows(OPEN) if row.untold]
    lost = [f"{row.alert_id} ({', '.join(f'{name}: {why}' for name, why in row.refusals.items())})" for row in rows]
    return not lost, f"{len(lost)}: {', '.join(lost[:3])}" if lost else "none"


@question(
    "in_a_row",
    "Sessions that failed in a row",
    "Pause, and find the root cause before the next session.",
)
def in_a_row(workspace: Workspace) -> Found:
    """Ask the alert rule about a mode, strategy and symbol whose newest sessions failed one after the other."""
    found = [finding.message for _, finding in Alerts.of(workspace).ask(FailedInRow)]
    return not found, "; ".join(found) or "none"


@question(
    "unacknowledged",
    "Unacknowledged critical alerts",
    "`peaktrade alerts ack` each with your name, once you know what it is about; the alert names its runbook.",
)
def unacknowledged(workspace: Workspace) -> Found:
    """Look for critical alerts that no one has taken on."""
    raised = Alerts.of(workspace).rows(RAISED)
    left = [row.alert_id for row in raised if row.severity == CRITICAL and not row.acknowledged_by]
    return not left, f"{len(left)}: {', '.join(left[:3])}" if left else f"none, {len(raised)} raised"


@question(
    "schedule",
    "Did every scheduled job do its work?",
    "`peaktrade schedule status` says why; `peaktrade schedule run` works off what is missing.",
    otherwise=WARN,
)
def schedule(workspace: Workspace) -> Found:
    """Look for jobs that failed or are overdue."""
    states = [state for state in open_schedule(workspace).states() if state.enabled]
    bad = [f"{s.job} {s.status}" for s in states if s.status in ("failed", "timed_out", "crashed")]
    bad += [f"{s.job} overdue: {', '.join(s.missing[:3])}" for s in states if s.overdue]
    met = any(state.status != "never" for state in states)
    return not bad, "; ".join(bad) or (f"{len(states)} jobs" if met else "no job ever ran: no scheduler was started")


class BadLine(NamedTuple):
    """A line of a log that tells of an error: its file below the workspace, when (None where it does not say)."""

    file: str
    at: datetime | None
    text: str


def bad_lines(workspace: Workspace, since: datetime | None = None) -> list[BadLine]:
    """Return the lines that tell of an error, newest first.

    Args:
        workspace: whose ``logs/``, and whose runs' console output.
        since: nothing older; None for the last 24 hours. A line without a time counts with the one before it.

    Raises:
        ArtefactError: a log cannot be read.
    """
    since = since or Views.of(workspace).now() - LOOK_BACK
    files = sorted((workspace.home / "logs").glob("*.log"))
    runs = [run for run in Views.of(workspace).runs(MOST_RUNS) if (run.ended_at or Views.of(workspace).now()) >= since]
    files += [path for run in runs if (path := RunFolder(workspace.runs, run.run_id).console).is_file()]
    return [line for path in files for line in _of_file(path, workspace.home, since)]


class Logs(NamedTuple):
    """The logs of a workspace since a time; None for the last 24 hours."""

    workspace: Workspace
    since: datetime | None = None


@question("logs", "Errors in the logs", "Read them below: each is known, or it is an incident.", otherwise=WARN)
def logs(asked: Logs) -> Found:
    """Look for lines that tell of an error."""
    try:
        found = bad_lines(*asked)
    except ArtefactError as error:
        return FAIL, str(error), "Give this user the right to read logs/ and live_runs/."
    when = "in 24 h" if asked.since is None else f"since {wording.minute(asked.since)} UTC"
    newest = f"{len(found)} lines, the newest in {found[0].file}: {_short(found[0].text)}" if found else f"none {when}"
    return not found, newest


def log_checks(workspace: Workspace, since: datetime | None = None) -> list[Check]:
    """Return whether the logs can be read, and whether they tell of an error."""
    return workspace.told(answers((logs,), Logs(workspace, since)))


def bad_lines_table(workspace: Workspace, since: datetime | None = None, limit: int = 20) -> Table:
    """Return the newest lines of the logs that tell of an error."""
    try:
        found = bad_lines(workspace, since)
    except ArtefactError as error:
        return Table("Errors in the logs", (), [], empty=str(error))
    rows = [(line.file, wording.moment(line.at), Cell(_short(line.text))) for line in found[:limit]]
    note = f"{len(found) - limit} older lines are not shown." if len(found) > limit else ""
    columns = ("Log", "At (UTC)", "Line")
    return Table("Errors in the logs", columns, rows, note=note, empty="No log tells of an error.")


def _of_file(path: Path, home: Path, since: datetime) -> Iterator[BadLine]:
    """Yield the lines of one log, newest first, until they are too old."""
    name = path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name
    waiting: list[str] = []  # lines without a time of their own belong to the line above them
    for number, line in enumerate(newest_lines(path)):
        text = line.text.decode(errors="replace").strip().replace(f"{home}/", "")
        at = _time(text)
        if number >= MOST_LINES or (at is not None and at < since):
            return
        waiting += [text] if _BAD.search(text) else []
        if at is not None:
            yield from (BadLine(name, at, text) for text in waiting)
            waiting = []
    yield from (BadLine(name, None, text) for text in waiting)


def _time(text: str) -> datetime | None:
    """Return the time at the beginning of a line, None where there is none."""
    found = _STAMP.match(text)
    try:
        return as_utc(datetime.fromisoformat(found[0])) if found else None
    except ValueError:
        return None


def _short(text: str) -> str:
    """Return a line without its time, at a length that fits a table."""
    told = _STAMP.sub("", text, count=1).strip()
    return told if len(told) <= 160 else told[:159] + "…"
