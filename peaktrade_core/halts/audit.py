"""The audit of the kill switch: a chained log of who engaged it, who asked for its release and who released it.

The log is part of the switch: what it says and what the state's own file says must agree, else everything stays stopped.
So neither deleting nor editing one of the two lets anything loose. A line that a dead writer left unfinished may have been
an engagement: it counts as one, before it is healed and after.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock

from peaktrade_core.base.chain import HEALED, Chain
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.base.files import sha256_of

ENGAGE, REQUEST, REFUSAL, RELEASE = "engage", "request", "refusal", "release"
LOOK_S = 0.5  # how long a reader waits for a change that is being written
_POLL_S = 0.01


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit.

    Attributes:
        kind: ``engage``, ``request``, ``refusal`` or ``release``; state: what was in force after it.
        by, reason: who and why; checks: the health check before a release, id to status.
        digest: SHA-256 of the line, which the next one holds.
    """

    seq: int
    at: datetime
    kind: str
    by: str
    reason: str
    state: str
    digest: str
    checks: dict[str, str] = {}
    set_aside: str = ""


class KillSwitchAudit:
    """The log in its file; reading it verifies the whole chain, once for each change of the file.

    Attributes:
        path: the file; chain: the chained log in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chain = Chain(path)
        self._lock = FileLock(path.with_suffix(".deciding.lock"))
        self._kept: tuple[tuple[int, int, int], tuple[AuditEntry, ...]] | None = None

    @contextmanager
    def deciding(self, wait_s: float) -> Iterator[bool]:
        """Hold the lock under which the switch is changed inside the block; it ends with its process.

        Args:
            wait_s: how long to try [s].

        Yields False when the lock cannot be had in time or not at all. The block then runs without it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=wait_s, poll_interval=_POLL_S)
            alone = True
        except (OSError, RuntimeError):  # held for long, a disk that is read-only or knows no locks, a fork
            alone = False
        try:
            yield alone
        finally:
            if alone:
                self._lock.release()

    def entries(self) -> tuple[AuditEntry, ...]:
        """Return all lines, oldest first; none where there is no file.

        Raises:
            ArtefactError: the chain is broken or a line makes no sense.
            EnvironmentFault: the file cannot be read.
        """
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error
        seen, kept = (found.st_mtime_ns, found.st_size, found.st_ino), self._kept
        if kept is not None and kept[0] == seen:
            return kept[1]
        changed_at = datetime.fromtimestamp(found.st_mtime, UTC)
        try:
            entries = self._read(changed_at)
            doubted = bool(entries) and not entries[-1].digest
        except ArtefactError:
            doubted = True
        if doubted:  # perhaps a line that is being written
            with self.deciding(LOOK_S):
                entries = self._read(changed_at)
        self._kept = seen, entries
        return entries

    def decisive(self) -> AuditEntry | None:
        """Return the last line that changed the state, None when there is none; raises as :meth:`entries`."""
        return next((entry for entry in reversed(self.entries()) if entry.kind in (ENGAGE, RELEASE)), None)

    def append(self, kind: str, at: datetime, *, after: str = "", **data: Any) -> str:
        """Add a line and return its digest.

        Args:
            kind, at, data: what the line says.
            after: digest of the line that it must follow; when another came first, none is added and "" is returned.

        Raises:
            ArtefactError: the chain is broken.
            EnvironmentFault: the file cannot be written.
        """
        return self.chain.append((kind, data), at=at, after=after)

    def append_anyway(self, kind: str, at: datetime, **data: Any) -> str:
        """Add a line and return its digest; a log that is broken is moved aside first and named in the new line.

        Raises:
            ArtefactError: another process broke the chain just now.
            EnvironmentFault: the file cannot be moved or written.
        """
        try:
            self.entries()
        except (ArtefactError, EnvironmentFault):
            data["set_aside"] = self.begin_anew(at)
        return self.append(kind, at, **data)

    def begin_anew(self, at: datetime) -> str:
        """Move a log that cannot be trusted aside, kept as evidence, and return its new name and SHA-256.

        Raises:
            EnvironmentFault: it cannot be moved.
        """
        aside = self.path.with_name(f"{self.path.stem}.broken-{at:%Y%m%dT%H%M%S%f}{self.path.suffix}")
        try:
            os.rename(self.path, aside)
        except OSError as error:
            raise EnvironmentFault(f"cannot move {self.path} aside: {error.strerror or error}") from error
        return f"{aside.name} sha256={sha256_of(aside)}"

    def _read(self, changed_at: datetime) -> tuple[AuditEntry, ...]:
        """Return all lines, verified; the time is that of the file's last change."""
        try:
            found = [
                _unfinished(link.seq, link.at, digest)
                if link.kind == HEALED
                else msgspec.convert(
                    {**link.data, "seq": link.seq, "at": link.at, "kind": link.kind, "digest": digest}, AuditEntry
                )
                for link, digest in self.chain.links()
            ]
        except (msgspec.ValidationError, RecursionError) as error:
            raise ArtefactError(f"{self.path}: a line makes no sense: {error}") from None
        if self.chain.torn():
            found.append(_unfinished(len(found), changed_at, ""))
        return tuple(found)


def _unfinished(seq: int, at: datetime, digest: str) -> AuditEntry:
    """Return what an unfinished line counts as: an engagement, which two people release."""
    reason = "a line of the audit is unfinished, its writer died; it may have been an engagement"
    return AuditEntry(seq=seq, at=at, kind=ENGAGE, by="peaktrade", reason=reason, state="NO_ORDERS", digest=digest)
