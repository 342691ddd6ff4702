"""The evidence of runbooks: one record an execution, on the disk after every step, chained when it is finished.

A runbook that is interrupted - kernel killed, laptop closed - leaves a record that says ``running``; it is taken up
again by its id. Answers that were given stay given, actions that were done are not done twice, checks are asked anew.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGUN
from peaktrade_core.base.clock import Clock, FixedClock, iso, local
from peaktrade_core.base.errors import (
    ArtefactError,
    ConfigError,
    EnvironmentFault,
    PeaktradeError,
    UnknownNameError,
    why,
)
from peaktrade_core.base.files import as_json, found_in, read_plain, write_atomic
from peaktrade_core.base.log import append_line, locked
from peaktrade_core.base.sealed import SealedRecords
from peaktrade_core.base.text import meant
from peaktrade_core.base.wall_clock import by_day
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.artefacts import artefact_of
from peaktrade_core.runbooks.round import Round
from peaktrade_core.workspace.ledger import EVIDENCE, Ledger
from peaktrade_core.workspace.workspace import Workspace

MOST_A_SECOND = 1000
_ID = re.compile(r"EV-\d{8}-[A-Z0-9-]{1,80}")


def tag_of(runbook: str) -> str:
    """Return how a runbook's name stands in the ids of its evidence."""
    return re.sub(r"[^A-Z0-9]+", "-", runbook.upper()).strip("-")


class EvidenceBook:
    """The evidence records of a workspace.

    Args (of the constructor):
        home: the workspace; clock: its clock; rehearsal: whether records are examples (see :class:`ev.Evidence`).
        approvals: what two people sign; None where nobody has a key.
    """

    def __init__(
        self, home: Path, clock: Clock, *, rehearsal: bool = False, approvals: Approvals | None = None
    ) -> None:
        self.home, self.clock, self.rehearsal, self.approvals = home, clock, rehearsal, approvals
        self.folder = home / "reports" / "evidence"
        self.ledger = Ledger(home)
        self.sealed = SealedRecords(self.folder, self.ledger.section(EVIDENCE))
        self.chain = self.sealed.chain

    @classmethod
    def of(cls, workspace: Workspace) -> EvidenceBook:
        """Return the evidence of a workspace, opened once; on a fixed clock it is a rehearsal."""
        rehearsal = isinstance(workspace.clock, FixedClock)
        approvals = Approvals.of(workspace)
        return workspace.once(
            cls, lambda: cls(workspace.home, workspace.clock, rehearsal=rehearsal, approvals=approvals)
        )

    @property
    def host(self) -> str:
        """The machine, as records name it."""
        return "rehearsal" if self.rehearsal else socket.gethostname()

    def begin(
        self,
        runbook: str,
        title: str,
        *,
        operator: str,
        role: str = "operator",
        subject: str = "",
        parameters: Mapping[str, Any] | None = None,
        notebook_sha256: str = "",
        waits: bool = False,
    ) -> Round:
        """Begin an execution of a runbook and return it; its record is on the disk.

        Args:
            runbook, title: which.
            operator, role: who; the role is one of :data:`ROLES`.
            subject: the session, alert or incident that it is about.
            parameters: all of the notebook's; notebook_sha256: of its sources.
            waits: as for :class:`Round`.

        Raises:
            ConfigError: the operator gave no name.
            UnknownNameError: no such role.
            EnvironmentFault: the record cannot be written.
        """
        if not operator.strip():
            raise ConfigError("evidence needs a name: set operator in the notebook's parameters")
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        now = self.clock.now()
        record = ev.Evidence(
            evidence_id="",
            runbook=runbook,
            title=title,
            subject=subject,
            operator=operator.strip(),
            role=role,
            began_at=now,
            began_local=local(now),
            parameters=dict(parameters or {}),
            notebook_sha256=notebook_sha256,
            host=self.host,
            rehearsal=self.rehearsal,
        )
        return Round(self, self.enter(record), waits=waits)

    def resume(self, evidence_id: str, runbook: str, *, waits: bool = False) -> Round:
        """Take an interrupted execution of a runbook up again.

        Raises:
            UnknownNameError: there is no such record.
            ConfigError: it is finished, or of another runbook.
        """
        if _ID.fullmatch(evidence_id):
            self.sealed.settle(self._path(evidence_id))
        record = self.load(evidence_id)
        if record.runbook != runbook:
            raise ConfigError(f"{evidence_id} is an execution of {record.runbook}, not of {runbook}; take it up there")
        if record.ended_at is not None:
            ended = f"{evidence_id} was finished as {record.outcome}"
            raise ConfigError(f"{ended}; open a clean copy to begin anew: `peaktrade lab {runbook}`")
        return Round(self, record, waits=waits)

    def find(self, typed: str) -> str:
        """Return the id that is meant, as of :func:`meant`.

        Raises:
            UnknownNameError: there is none.
        """
        return meant("evidence", typed, self.ids(), "peaktrade evidence list", "peaktrade runbook list")

    def load(self, evidence_id: str) -> ev.Evidence:
        """Return a record.

        Raises:
            UnknownNameError: there is none of that id; names the newest.
            ArtefactError: it cannot be read.
        """
        path = self._path(evidence_id) if _ID.fullmatch(evidence_id) else None
        if path is None or not path.is_file():
            raise UnknownNameError("evidence", evidence_id, self.ids()[:5], "peaktrade evidence list")
        try:
            return msgspec.json.decode(read_plain(path), type=ev.Evidence)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{path}: no evidence record: {why(error)}") from None

    def ids(self) -> list[str]:
        """Return the ids of all records, newest first."""
        found = [path for path in found_in(self.folder, "EV-*.json") if _ID.fullmatch(path.stem)]
        return [
            path.stem
            for path in sorted(
                found, key=lambda path: (*by_day(path.stem[3:11]), path.stat().st_mtime_ns), reverse=True
            )
        ]

    def newest(self, *runbooks: str, most: int | None = None) -> Iterator[ev.Evidence]:
        """Yield the newest records, of some runbooks or of all; one that cannot be read is passed over, the audit names it.

        Args:
            runbooks: beginnings of their names, ``incident`` is every incident runbook; most: how many are looked at.
        """
        tags = [f"-{tag_of(name)}" for name in runbooks]
        names = [name for name in self.ids() if not tags or any(tag in name for tag in tags)]
        for name in names[:most]:
            with suppress(PeaktradeError):
                yield self.load(name)

    def save(self, record: ev.Evidence) -> ev.Evidence:
        """Write a record as it stands and return it."""
        write_atomic(self._path(record.evidence_id), as_json(record))
        return record

    def seal(self, record: ev.Evidence) -> str:
        """Seal a finished record, enter it into the operations log, and return the chain's head."""
        at = record.ended_at or self.clock.now()
        head = self.sealed.seal("evidence", self._path(record.evidence_id), record, at, outcome=record.outcome)
        line = f"runbook {record.runbook} {record.outcome} by {record.operator} ({record.role}): {record.evidence_id}"
        append_line(self.home / "logs" / "operations.log", f"{iso(at)} {line}")
        return head

    def artefact(self, path: Path) -> ev.Artefact:
        """Return a file as evidence names it; one that is missing has the hash ``missing``."""
        return artefact_of(self.home, path)

    def _path(self, evidence_id: str) -> Path:
        return self.folder / f"{evidence_id}.json"

    def enter(self, record: ev.Evidence, wanted: str = "") -> ev.Evidence:
        """Give a new record an id that no other has, write it and return it; ``wanted`` gets a number when it is taken.

        Raises:
            ConfigError: the id would be too long; EnvironmentFault: it cannot be written.
        """
        wanted = wanted or f"EV-{record.began_at:%Y%m%d}-{tag_of(record.runbook)}-{record.began_at:%H%M%S}"
        if not _ID.fullmatch(f"{wanted}-{MOST_A_SECOND}"):  # nobody would find it again
            raise ConfigError(f"{wanted} is too long for the id of a record; give a shorter name")
        with locked(self.folder / "records"):
            for number in range(1, MOST_A_SECOND):
                name = wanted + (f"-{number}" if number > 1 else "")
                if not self._path(name).exists():
                    with suppress(PeaktradeError):  # a runbook can be stepped through whatever became of the ledger
                        self.chain.append((BEGUN, {"id": name, "by": record.operator}), at=record.began_at)
                    return self.save(msgspec.structs.replace(record, evidence_id=name))
        raise EnvironmentFault(f"{self.folder} holds a thousand records named {wanted}; clear it")
