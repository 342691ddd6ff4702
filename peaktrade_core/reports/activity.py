"""The activity feed: what the suite and its automation did, newest first, from what each part left on the disk.

Sessions come from the registry, alerts from their log, reports and incidents from their folders, everything else from
the operations log (one line an operation: ``<time> <what> ... by <who>: <text>``). Only ends of files are read. What
cannot be read is an entry that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from pathlib import Path

import msgspec

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import Clock, as_utc
from peaktrade_core.base.errors import ArtefactError, PeaktradeError, why
from peaktrade_core.base.files import Folders
from peaktrade_core.base.log import newest_lines
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.records.rows import RegistryLine
from peaktrade_core.show.wording import quote_currency, signed
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

KINDS = ("session", "alert", "halt", "runbook", "report", "fleet", "incident", "note", "other")
INFO, WARNING, CRITICAL = "info", "warning", "critical"
REPORTS = ("daily", "weekly", "live", "drills", "checklists")  # folders of reports/ whose files are reports
INCIDENTS = "incidents"
IN_THE_LOG = ("incident.md", "post_mortem.md")  # what the operations log tells anyway
WRITTEN = (".html", ".md", ".ipynb", ".pdf")  # what people read; other files there are states and data
LOG_BYTES = 4 << 20  # of the operations log, searched from its end
OUT_OF_ORDER = timedelta(days=1)  # a runbook is logged at its end under the time of its beginning
_KIND_OF = {
    "trading-state": "halt",
    "kill-switch": "halt",
    "killswitch": "halt",
    "account": "halt",
    "risk": "halt",
    "alerts": "alert",
    "watch": "alert",
    "watcher": "alert",
    "monitor": "fleet",
    "schedule": "runbook",
    "drill": "runbook",
    "reports": "report",
    "incidents": "incident",
}
_HALTED = re.compile(r"-> (HALTED|NO_ORDERS)\b|\bengaged?\b")
_WARNED = re.compile(r"-> REDUCING\b|\b(failed|refused|denied|gave up)\b")
_BY = re.compile(r"\bby (.+?)(?: \(.*?\))?(?::|$)")


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done.

    Attributes:
        at: when, UTC; kind: one of :data:`KINDS`; severity: ``info``, ``warning`` or ``critical``.
        who: the person, session or program that did it; text: what, in a sentence.
        subject: id of the session, alert, run or file that it is about, empty when there is none.
    """

    at: datetime
    kind: str
    severity: str
    who: str
    text: str
    subject: str = ""


class ActivityFeed:
    """What happened in a workspace.

    Args (of the constructor):
        registry: of the sessions.
        alerts: returns the newest alerts, at most as many as asked for.
        log: the operations log; reports: the folder ``reports/``.
        clock: dates what cannot be read.
    """

    def __init__(
        self,
        registry: Registry,
        alerts: Callable[[int], list[AlertRow]],
        log: Path,
        reports: Path,
        clock: Clock,
    ) -> None:
        self._registry, self._alerts, self._clock = registry, alerts, clock
        self._log, self._reports = log, reports
        self._folders = Folders()

    @classmethod
    def of(cls, workspace: Workspace) -> ActivityFeed:
        """Return the activity of a workspace, opened once."""
        alerts = Alerts.of(workspace)
        return workspace.once(
            cls,
            lambda: cls(
                Registry.of(workspace),
                lambda limit: alerts.rows(limit=limit),
                workspace.operations_log,
                workspace.reports,
                workspace.clock,
            ),
        )

    def __call__(
        self, limit: int, kinds: Collection[str] | None = None, since: datetime | None = None
    ) -> list[Activity]:
        """Return what happened, newest first.

        Args:
            limit: at most so many.
            kinds: only these; None for all.
            since: nothing older.
        """
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=UTC)
        found: list[Activity] = []
        logged = [*self._guarded("other", lambda: self._operations(limit, kinds, since))]
        sources: list[tuple[str, Callable[[], Iterable[Activity]]]] = [
            ("session", lambda: self._sessions(limit, since)),
            ("alert", lambda: self._raised(limit)),
            ("report", lambda: self._files(REPORTS, "report", _names_in(logged))),
            ("incident", lambda: self._files((INCIDENTS,), "incident", _names_in(logged))),
        ]
        found.extend(logged)
        for kind, source in sources:
            if kinds is None or kind in kinds:
                found.extend(self._guarded(kind, source))
        wanted = (a for a in found if (kinds is None or a.kind in kinds) and (since is None or a.at >= since))
        return nlargest(limit, wanted, key=lambda a: (a.at, a.kind, a.subject, a.text))

    def _guarded(self, kind: str, source: Callable[[], Iterable[Activity]]) -> list[Activity]:
        """Return what a source tells, or an entry that says why it does not."""
        found: list[Activity] = []
        try:
            found.extend(source())
        except (OSError, PeaktradeError) as error:
            text = f"cannot be read: {why(error)}"
            found.append(Activity(at=self._clock.now(), kind=kind, severity=WARNING, who="peaktrade", text=text))
        return found

    def _operations(self, limit: int, kinds: Collection[str] | None, since: datetime | None) -> Iterator[Activity]:
        """Yield the newest operations of the log."""
        if not self._log.exists():
            return
        count = 0
        try:
            for line in newest_lines(self._log, LOG_BYTES):
                entry = _operation(line.text)
                if entry is None:
                    continue
                if since is not None and since - entry.at > OUT_OF_ORDER:
                    return
                if kinds is None or entry.kind in kinds:
                    yield entry
                    count += 1
                if count >= limit + 50:  # some are a little out of order
                    return
        except ArtefactError:
            if not count and kinds is None:
                raise

    def _sessions(self, limit: int, since: datetime | None) -> Iterator[Activity]:
        """Yield beginnings and ends of the newest sessions, and the files that stand for none."""
        for line in self._registry.lines(Query(limit=limit, since=since)):
            if line.fault is not None:
                yield Activity(
                    at=datetime.fromisoformat(line.sorts_at),
                    kind="session",
                    severity=WARNING,
                    who="peaktrade",
                    text=line.notes,
                    subject=line.name,
                )
            elif line.started_at is not None:
                what = " ".join(filter(None, (line.mode, line.strategy, line.symbol)))
                yield _session(line, line.started_at, INFO, f"session began: {what}")
        for line in self._registry.lines(Query(limit=limit, since=since, by_end=True)):
            if line.finished_at is not None:
                yield _session(line, line.finished_at, _severity_of(line), _ending(line))

    def _raised(self, limit: int) -> Iterator[Activity]:
        """Yield the newest alerts, and when they cleared."""
        for row in self._alerts(limit):
            severity = row.severity if row.severity in (INFO, WARNING, CRITICAL) else WARNING
            told = {"kind": "alert", "who": row.rule_id, "subject": row.alert_id}
            yield Activity(at=as_utc(row.raised_at), severity=severity, text=f"raised: {row.message}", **told)
            if row.cleared_at is not None:
                yield Activity(at=as_utc(row.cleared_at), severity=INFO, text=f"cleared: {row.message}", **told)

    def _files(self, folders: Iterable[str], kind: str, told: str) -> Iterator[Activity]:
        """Yield the newest files below some folders of reports/ that the operations log does not name."""
        severity = WARNING if kind == "incident" else INFO
        shown: set[str] = set()
        for folder in folders:
            for file in self._folders.files(self._reports / folder):
                path = file.path.relative_to(self._reports).as_posix()
                stem = path.rpartition(".")[0]
                if (
                    file.path.suffix not in WRITTEN
                    or file.path.name in IN_THE_LOG
                    or file.path.name in told
                    or stem in shown
                ):
                    continue  # a report is often both a notebook and its HTML
                shown.add(stem)
                text = f"{kind} written: {path}"
                yield Activity(at=file.changed_at, kind=kind, severity=severity, who=folder, text=text, subject=path)


def _names_in(entries: Iterable[Activity]) -> str:
    """Return the texts of entries as one, to look file names up in."""
    return "\n".join(entry.text for entry in entries)


def _operation(line: bytes) -> Activity | None:
    """Return what a line of the operations log tells, None when it has no time."""
    stamp, _, text = line.decode("utf-8", "replace").strip().partition(" ")
    try:
        at = as_utc(datetime.fromisoformat(stamp))
    except (ValueError, OverflowError):
        return None
    what, _, rest = text.partition(" ")
    word = what.rstrip(":").lower()
    kind = _KIND_OF.get(word, word if word in KINDS else "other")
    if kind == "incident":
        severity = CRITICAL if " opened, high," in text else WARNING if " opened, " in text else INFO
    else:
        severity = CRITICAL if kind == "halt" and _HALTED.search(text) else WARNING if _WARNED.search(text) else INFO
    by = _BY.search(text)
    subject = rest.partition(" ")[0].rstrip(":")
    return Activity(at=at, kind=kind, severity=severity, who=by[1] if by else what, text=text, subject=subject)


def _session(line: RegistryLine, at: datetime, severity: str, text: str) -> Activity:
    """Return an entry about a session."""
    return Activity(
        at=at,
        kind="session",
        severity=severity,
        who=line.strategy or "session",
        text=text,
        subject=line.session_id or "",
    )


def _severity_of(line: RegistryLine) -> str:
    """Return how bad the end of a session is."""
    if line.status == "failed":
        return CRITICAL
    return WARNING if line.status == UNREADABLE or line.notes.startswith("ProcessDied") else INFO


def _ending(line: RegistryLine) -> str:
    """Return how a session ended, in a sentence."""
    earned = "" if line.total_pnl is None else f", Total PnL {signed(line.total_pnl, quote_currency(line.symbol))}"
    why = f": {line.notes}" if line.status != "completed" and line.notes else ""
    return f"session {line.status}{earned}{why}"
