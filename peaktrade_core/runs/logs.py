"""Errors in the logs of a workspace and in what its runs printed: which lines tell of one, and whether there are any.

Source: operational runbooks 6.2 and 6.3 (logs searched for errors; none, or known ones).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.files import below
from peaktrade_core.base.log import newest_lines
from peaktrade_core.base.question import FAIL, WARN, Check, Found, answers, question
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import LOOK_BACK, Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.workspace.workspace import Workspace

MOST_LINES = 5000  # of one file, from its end
MOST_RUNS = 50
_BAD = re.compile(r"error|critical|exception|traceback|gave up|\bfailed\b", re.IGNORECASE)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+\d\d:\d\d|Z)?")


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
    none = "none in 24 h" if asked.since is None else f"none since {wording.minute(asked.since)} UTC"
    newest = (
        f"{wording.many(len(found), 'line')}, the newest in {found[0].file}: {_short(found[0].text)}" if found else none
    )
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
    name = below(home, path)
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
    return wording.cut(_STAMP.sub("", text, count=1).strip(), 160)
