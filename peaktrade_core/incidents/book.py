"""The incidents of a workspace: one folder each, with the record and the report that people read.

``reports/incidents/INC-YYYYMMDD-NN/incident.json`` is the truth, replaced as a whole and under a lock, so that two
people who write at once lose nothing; ``incident.md`` and ``post_mortem.md`` follow from it. The hashes of all of them go
into the ledger, once more after every change. Retention never touches the folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.clock import Clock, iso, local
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, PeaktradeError, UnknownNameError, why
from peaktrade_core.base.files import FileCache, as_json, found_in, read_plain, write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.base.question import Check
from peaktrade_core.base.sealed import SealedRecords
from peaktrade_core.base.wall_clock import by_day
from peaktrade_core.incidents import incident as inc
from peaktrade_core.incidents.incident import Incident, State, TimelineEntry
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.runbooks.artefacts import artefact_of, secure
from peaktrade_core.runs.handbook import SEVERITIES, Severity
from peaktrade_core.workspace.ledger import INCIDENTS, Ledger
from peaktrade_core.workspace.workspace import Workspace

_ID = re.compile(r"INC-\d{8}-\d{2,4}")
_LOCK_S = 5.0
MOST_A_DAY = 9999
ROWS_KEPT = 10_000
UNCLOSED = "unclosed"
LOGGED = ("severity", "owner_told", "mitigated", "closed", "postmortem")  # what the operations log tells
Change = Callable[[Incident, datetime], Incident]


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in a list.

    Attributes:
        status: open, mitigated, closed, or ``unreadable`` for a record that cannot be read; fault: why.
        opened_at, closed_at: aware UTC; commander: who leads, empty where none is named.
    """

    incident_id: str
    status: State | Literal["unreadable"]
    severity: Severity | Literal[""] = ""
    kind: str = ""
    title: str = ""
    subject: str = ""
    alerts: tuple[str, ...] = ()
    opened_at: datetime | None = None
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    commander: str = ""
    drill: str = ""
    fault: str = ""

    @classmethod
    def of(cls, incident: Incident) -> IncidentRow:
        """Return an incident as a row."""
        fields = {name: getattr(incident, name) for name in cls.__struct_fields__ if hasattr(incident, name)}
        return cls(**fields, commander=incident.duties.get("commander", ""))


class IncidentBook:
    """The incidents of a workspace: of its folder, by its clock."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.home, self.clock = home, clock
        self.folder = home / "reports" / "incidents"
        self.sealed = SealedRecords(self.folder, Ledger(home).section(INCIDENTS))
        self.chain = self.sealed.chain
        self._rows = FileCache[IncidentRow](ROWS_KEPT)

    @classmethod
    def of(cls, workspace: Workspace) -> IncidentBook:
        """Return the incidents of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(workspace.home, workspace.clock))

    def open(
        self,
        kind: str,
        title: str,
        *,
        subject: str,
        severity: str,
        by: str,
        role: str,
        evidence: str | Iterable[str] = "",
        drill: str = "",
        artefacts: Iterable[Path] = (),
        join: bool = False,
        **known: Any,
    ) -> Incident:
        """Open an incident and return it; who opens it leads until the lead is handed over.

        Args:
            kind: one of :data:`~peaktrade_core.incidents.incident.KINDS`; title: in a sentence.
            subject: the session, run or alert that it is about.
            severity: low, medium or high; by, role: who opens it.
            evidence: sentences from the artefacts; artefacts: files to be named with their hashes, and copied.
            drill: id of the drill that it belongs to.
            join: if one of that kind about that subject is not closed yet, note it there instead of opening another.
            known: further fields of :class:`Incident` (system, symptom, suspected, next_step, since ...).

        Raises:
            ConfigError: a name or title is missing; UnknownNameError: the kind, severity or role is not known.
            EnvironmentFault: the folder cannot be written.
        """
        now, named = self.clock.now(), tuple(artefacts)
        text, who = inc.said("title", title), inc.person(by)
        draft = Incident(
            incident_id="",
            kind=inc.known("kind of incident", kind, inc.KINDS),
            title=text,
            subject=subject.strip(),
            severity=inc.known("severity", severity, SEVERITIES),
            opened_at=now,
            opened_local=local(now),
            opened_by=who,
            role=inc.known("role", role, ROLES),
            evidence=tuple(
                inc.said("evidence", one) for one in ((evidence,) if isinstance(evidence, str) else evidence) if one
            ),
            artefacts=tuple(artefact_of(self.home, path) for path in named),
            duties={"commander": who},
            drill=drill,
            timeline=(TimelineEntry(at=now, by=who, action="opened", text=f"{text} ({severity})"),),
            **known,
        )
        with self._locked():
            if join and (known_one := self._same(draft)):
                noted = inc.seen_again(known_one, now, who, text)
                self._save(noted, now)
                return noted
            incident = self._enter(draft, named)
        self._log(now, f"{incident.incident_id} opened, {severity}, by {who} ({role}): {text}")
        return incident

    def _enter(self, draft: Incident, named: Sequence[Path]) -> Incident:
        """Give a new incident its id, its folder and copies of its files, and return it; the lock must be held."""
        incident = msgspec.structs.replace(draft, incident_id=self._next_id(draft.opened_at))
        for left in (self.folder / incident.incident_id).glob(".*.tmp"):  # of a process killed while it opened
            left.unlink(missing_ok=True)
        try:
            self._save(incident, incident.opened_at, named)
        except EnvironmentFault:
            with suppress(OSError):  # a record that could not be written leaves no folder that stands for one
                self.path(incident.incident_id).parent.rmdir()
            raise
        return incident

    def note(self, incident_id: str, by: str, text: str, *, owner_told: bool = False) -> Incident:
        """Add a line to the timeline; this and the changes below raise as :mod:`~peaktrade_core.incidents.life`.

        Raises:
            UnknownNameError: the incident is not known.
            ArtefactError: its record cannot be read; EnvironmentFault: it cannot be written.
        """
        return self._change(incident_id, lambda i, at: inc.noted(i, at, by, text, owner_told=owner_told))

    def describe(self, incident_id: str, by: str, **sentences: str) -> Incident:
        """Write down or correct symptom, suspected, next_step or system."""
        return self._change(incident_id, lambda i, at: inc.described(i, at, by, **sentences))

    def assign(self, incident_id: str, by: str, duty: str, who: str) -> Incident:
        """Assign a duty: commander, scribe, investigator or communications."""
        return self._change(incident_id, lambda i, at: inc.assigned(i, at, by, duty, who))

    def severity(self, incident_id: str, by: str, severity: str, reason: str) -> Incident:
        """Raise or lower the severity."""
        return self._change(incident_id, lambda i, at: inc.graded(i, at, by, severity, reason))

    def attach(self, incident_id: str, by: str, *paths: Path) -> Incident:
        """Name files with the hashes they have now, and keep a copy of each beside the record."""
        secure(self.path(self.load(incident_id).incident_id).parent, self.home, paths, self.clock.now())
        files = tuple(artefact_of(self.home, path) for path in paths)
        return self._change(incident_id, lambda i, at: inc.attached(i, at, by, files))

    def mitigate(self, incident_id: str, by: str, text: str) -> Incident:
        """Say that the damage is held, and by what."""
        return self._change(incident_id, lambda i, at: inc.mitigated(i, at, by, text))

    def close(self, incident_id: str, by: str, cause: str, resolution: str) -> Incident:
        """Close it with its cause and what was done about it, and seal it."""
        return self._change(incident_id, lambda i, at: inc.closed(i, at, by, cause, resolution))

    def learn(
        self,
        incident_id: str,
        by: str,
        *,
        root_cause: str,
        went_well: str,
        went_badly: str,
        actions: Iterable[str] = (),
    ) -> Incident:
        """Write the post-mortem; an action is ``what; owner; YYYY-MM-DD``."""
        agreed = tuple(inc.read_action(text) for text in actions)
        return self._change(
            incident_id, lambda i, at: inc.learned(i, at, by, root_cause, went_well, went_badly, agreed)
        )

    def done(self, incident_id: str, by: str, number: int) -> Incident:
        """Say that an action of the post-mortem, counted from 1, is done."""
        return self._change(incident_id, lambda i, at: inc.done(i, at, by, number))

    def load(self, incident_id: str) -> Incident:
        """Return an incident.

        Raises:
            UnknownNameError: no incident has that id; names the newest.
            ArtefactError: its record cannot be read.
        """
        path = self.path(incident_id) if _ID.fullmatch(incident_id) else None
        if path is None or not path.parent.is_dir():
            raise UnknownNameError("incident", incident_id, self.ids()[:5], "peaktrade incident list")
        try:
            return msgspec.json.decode(read_plain(path), type=Incident)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(
                f"{path}: cannot be read as an incident: {why(error)}; restore it from a backup"
            ) from None

    def rows(self, *, status: str = "", subject: str = "", drills: bool = True) -> list[IncidentRow]:
        """Return the incidents, newest first; one that cannot be read is a row that says so.

        Args:
            status: only these; :data:`UNCLOSED` for all but the closed ones.
            subject: only those about this session, run or alert.
            drills: whether exercises are among them.
        """
        return [
            row
            for row in map(self.row, self.ids())
            if (not status or row.status == status or (status == UNCLOSED and row.status != "closed"))
            and (not subject or subject == row.subject or subject in row.alerts)
            and (drills or not row.drill)
        ]

    def row(self, incident_id: str) -> IncidentRow:
        """Return an incident as a row; its record is read again only when it has changed."""
        path = self.path(incident_id)
        try:
            return self._rows.get(path, "row", lambda: IncidentRow.of(self.load(incident_id)))
        except (ArtefactError, OSError) as error:
            told = why(error) if isinstance(error, ArtefactError) else f"{path}: {why(error)}"
            return IncidentRow(incident_id=incident_id, status="unreadable", severity="high", fault=told)

    def ids(self) -> list[str]:
        """Return the ids of all incidents, newest first; a folder that is empty but for hidden files was never one."""
        folders = [p for p in found_in(self.folder, "INC-*") if _ID.fullmatch(p.name) and p.is_dir()]
        found = [p.name for p in folders if any(not f.name.startswith(".") for f in p.iterdir())]
        return sorted(found, key=lambda name: (by_day(name[4:12]), _order(name)), reverse=True)

    def path(self, incident_id: str) -> Path:
        """Return where an incident's record is."""
        return self.folder / incident_id / "incident.json"

    def report(self, incident_id: str) -> Path:
        """Return where the report that people read is."""
        return self.folder / incident_id / "incident.md"

    def verify(self) -> Check:
        """Return whether every incident is as it was written last."""
        question = "Is every incident as it was written?"
        step = "Compare with a backup and open an incident about it: an incident was changed."
        closed = [row.incident_id for row in self.rows(status="closed")]
        return self.sealed.check("incidents", question, step, closed)

    def _change(self, incident_id: str, change: Change) -> Incident:
        """Change an incident under the lock, write it, seal it when it is closed, and return it."""
        with self._locked():
            now = self.clock.now()
            if _ID.fullmatch(incident_id):
                self.sealed.settle(self.path(incident_id))
            incident = change(self.load(incident_id), now)
            self._save(incident, now)
        last = incident.timeline[-1]
        if last.action in LOGGED:
            self._log(now, f"{incident_id} {last.action} by {last.by}: {last.text}")
        return incident

    def _same(self, draft: Incident) -> Incident | None:
        """Return the newest incident that is not closed and of the draft's kind, subject and drill."""
        for row in self.rows(status=UNCLOSED, subject=draft.subject):
            if (row.kind, row.drill) == (draft.kind, draft.drill) and draft.subject:
                return self.load(row.incident_id)
        return None

    def _save(self, incident: Incident, now: datetime, named: Sequence[Path] = ()) -> None:
        """Write the record, sealed with its pages, and copies of files that it names."""
        from peaktrade_core.incidents.report import pages_of

        path = self.path(incident.incident_id)
        secure(path.parent, self.home, named, now)
        pages = pages_of(path.parent, incident)
        try:
            self.sealed.seal("incident", path, incident, now, pages, status=incident.status)
        except PeaktradeError:
            if incident.status == "closed":  # any other is written all the same: it may be about the ledger
                raise
            for name, data in {path.name: as_json(incident), **pages}.items():
                write_atomic(path.parent / name, data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock under which incidents are written.

        Raises:
            EnvironmentFault: the folder cannot be made, or another process holds the lock for long.
        """
        lock = FileLock(self.folder / ".lock", timeout=_LOCK_S)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (OSError, Timeout) as error:
            raise EnvironmentFault(f"cannot write incidents to {self.folder}: {why(error)}") from error
        try:
            yield
        finally:
            lock.release()

    def _next_id(self, now: datetime) -> str:
        """Return the next free id of the day."""
        day = f"INC-{now:%Y%m%d}-"
        number = 1 + max((_order(name)[1] for name in self.ids() if name.startswith(day)), default=0)
        if number > MOST_A_DAY:
            raise EnvironmentFault(
                f"{self.folder} holds {MOST_A_DAY:,} incidents of this day; something opens them in a loop"
            )
        return f"{day}{number:02d}"

    def _log(self, at: datetime, text: str) -> None:
        append_line(self.home / "logs" / "operations.log", f"{iso(at)} incident {text}")


def _order(incident_id: str) -> tuple[str, int]:
    """Return what incidents are sorted by: their day, then their number."""
    _, day, number = incident_id.split("-")
    return day, int(number)
