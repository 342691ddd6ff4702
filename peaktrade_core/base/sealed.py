"""Records that are sealed: one file each, and a chain that holds the hash of each as it was sealed last.

A record that is to be sealed is written beside its place, then its hash enters the chain, then it takes its place. A
process that dies before the hash has changed nothing; one that dies after it leaves a record that the next writer, or
``peaktrade doctor``, puts in its place. A record ``ID`` is ``ID.json`` or a file in the folder ``ID``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.base.files import sha256_of, sync_folder, write_atomic
from peaktrade_core.base.log import locked
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check

HALF = "is half written, by a process that died; the next entry heals it"
_STAGED = ".sealing"
_SHOWN = 5  # names that an answer tells


def as_file(record: object) -> bytes:
    """Return a record as the file that people and programs read."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


class SealedRecords:
    """The sealed records of a folder.

    Attributes:
        folder: where they are; chain: over them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.chain = folder, Chain(folder / "chain.jsonl")

    def seal(self, kind: str, path: Path, record: object, at: datetime, **more: object) -> str:
        """Write a record, enter its hash into the chain, and return the chain's head: both, or neither.

        Args:
            kind: of the entry; path: where the record belongs; at: aware UTC; more: what else the entry says.

        Raises:
            EnvironmentFault: one of them cannot be written; the record is as it was.
            ArtefactError: the end of the chain cannot be trusted.
        """
        data, staged = as_file(record), _staged(path)
        entry = {"id": self._id(path), "sha256": hashlib.sha256(data).hexdigest(), **more}
        return self.chain.append(
            (kind, entry), at=at, first=lambda: write_atomic(staged, data), then=lambda: _put(staged, path)
        )

    def settle(self, path: Path | None = None) -> list[Path]:
        """Put records in their places whose process died while it sealed them, and return where they are.

        Args:
            path: where one belongs; None for all of the folder.

        Raises:
            EnvironmentFault: one cannot be put there; ArtefactError: the chain cannot be trusted.
        """
        if not (self._left() if path is None else _staged(path).exists()):
            return []
        done = []
        with locked(self.chain.path):
            sealed = self.chain.sealed()
            for staged in self._left() if path is None else filter(Path.exists, [_staged(path)]):
                place = _place(staged)
                if sealed.get(self._id(place)) == sha256_of(staged):
                    _put(staged, place)
                    done.append(place)
                else:  # its hash was never entered, so that nobody was told of it
                    staged.unlink(missing_ok=True)
        return done

    def pending(self, path: Path, digest: str) -> bool:
        """Return whether a record was sealed with this hash, and only has to be put in its place."""
        return sha256_of(_staged(path)) == digest

    def check(self, id: str, question: str, step: str, ended: Iterable[str] = ()) -> Check:
        """Return whether every record is as it was sealed last.

        Args:
            id, question: of the answer; step: what to do where one is not; ended: ids of records that must be sealed.
        """
        try:
            sealed = self.chain.sealed()
        except (ArtefactError, EnvironmentFault) as error:
            return check(id, question, False, str(error), step)
        wrong = [name for name, digest in sealed.items() if not self._is(name, digest)]
        wrong += [f"{name} (never sealed)" for name in ended if name not in sealed]
        told = f"changed or missing: {', '.join(wrong[:_SHOWN])}" if wrong else f"{len(sealed)} sealed"
        return with_ending(check(id, question, not wrong, told, step), self.chain)

    def _left(self) -> list[Path]:
        """Return what dead processes have left beside the places of records."""
        return [path for form in ("", "*/") for path in self.folder.glob(f"{form}.*{_STAGED}")]

    def _id(self, path: Path) -> str:
        return path.stem if path.parent == self.folder else path.parent.name

    def _is(self, name: str, digest: str) -> bool:
        """Return whether a record has a hash, in its place or on the way there."""
        places = [self.folder / f"{name}.json", *sorted((self.folder / name).glob("*.json"))]
        places += [_staged(self.folder / f"{name}.json"), *(self.folder / name).glob(f".*{_STAGED}")]
        return any(sha256_of(path) == digest for path in places)


def with_ending(found: Check, chain: Chain) -> Check:
    """Return the answer about a chained log, as a warning if all is well but its last line is unfinished."""
    try:
        torn = chain.torn()
    except EnvironmentFault as error:
        return msgspec.structs.replace(found, status=FAIL, evidence=str(error), next_step="Mend that first.")
    if found.status != PASS or not torn:
        return found
    told = f"{found.evidence}; the last line of {chain.path.name} {HALF}"
    return msgspec.structs.replace(found, status=WARN, evidence=told, next_step="Nothing; the next entry heals it.")


def _staged(path: Path) -> Path:
    """Return where a record waits until its hash is in the chain."""
    return path.with_name(f".{path.name}{_STAGED}")


def _place(staged: Path) -> Path:
    return staged.with_name(staged.name[1:].removesuffix(_STAGED))


def _put(staged: Path, path: Path) -> None:
    """Put a record in its place."""
    try:
        os.replace(staged, path)
        sync_folder(path.parent)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {path}: {error.strerror or error}; its hash is in the chain, `peaktrade doctor` puts it there"
        ) from error
