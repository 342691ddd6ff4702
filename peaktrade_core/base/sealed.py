"""Records that are sealed: one file each, and a chained log that holds the hash of each as it was sealed last.

A record that is to be sealed is written beside its place, then its hash enters the chain, then it takes its place. A
process that dies before the hash has changed nothing; one that dies after it leaves a record that the next writer, or
``peaktrade doctor``, puts in its place. A record ``ID`` is ``ID.json`` or a file in the folder ``ID``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import as_json, sha256_of, sync_folder, write_atomic
from peaktrade_core.base.log import locked
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check

HALF = "is half written, by a process that died; the next entry heals it"
ADOPTED, PAGES = "adopted", "pages"
_STAGED = ".sealing"
_SHOWN = 5  # names that an answer tells


class SealedRecords:
    """The sealed records of a folder.

    Args (of the constructor):
        folder: where they are; chain: over them.
    """

    def __init__(self, folder: Path, chain: Chain) -> None:
        self.folder, self.chain = folder, chain

    def seal(
        self,
        kind: str,
        path: Path,
        record: object,
        at: datetime,
        pages: Mapping[str, bytes] | None = None,
        **more: object,
    ) -> str:
        """Write a record, enter its hash into the chain, and return the chain's head: both, or neither.

        Args:
            kind: of the entry; path: where the record belongs; at: aware UTC.
            pages: what people read of it, sealed with it: files beside the record, by name.
            more: what else the entry says.

        Raises:
            EnvironmentFault: one of them cannot be written; the record is as it was.
            ArtefactError: the end of the chain cannot be trusted.
        """
        files = {path: as_json(record)} | {path.with_name(name): page for name, page in (pages or {}).items()}
        hashes = {place.name: hashlib.sha256(data).hexdigest() for place, data in files.items()}
        entry = {"id": self._id(path), "file": path.name, "sha256": hashes.pop(path.name), **more}
        entry |= {PAGES: hashes} if hashes else {}

        def stage() -> None:
            for place, data in files.items():
                write_atomic(_staged(place), data)

        def put() -> None:
            for place in files:
                _put(_staged(place), place)

        return self.chain.append((kind, entry), at=at, first=stage, then=put)

    def settle(self, path: Path | None = None) -> list[Path]:
        """Put records and pages in their places whose process died while it sealed them, and return where they are.

        Args:
            path: where one record belongs; None for all of the folder.

        Raises:
            EnvironmentFault: one cannot be put there; ArtefactError: the chain cannot be trusted.
        """
        if not self._left(path):
            return []
        done = []
        with locked(self.chain.path):
            sealed = self._sealed()
            for staged in self._left(path):
                place = _place(staged)
                if sha256_of(staged) == _hash_in(sealed.get(self._id(place), {}), place.name):
                    _put(staged, place)
                    done.append(place)
                else:  # its hash was never entered, so that nobody was told of it
                    staged.unlink(missing_ok=True)
        return done

    def pending(self, path: Path, digest: str) -> bool:
        """Return whether a record was sealed with this hash, and only has to be put in its place."""
        return sha256_of(_staged(path)) == digest

    def check(self, id: str, question: str, step: str, ended: Iterable[str] = ()) -> Check:
        """Return whether every record, with the pages that follow from it, is as it was sealed last.

        Args:
            id, question: of the answer; step: what to do where one is not; ended: ids of records that must be sealed.
        """
        try:
            wrong = self.wrong()
            sealed = self.chain.sealed()
        except (ArtefactError, EnvironmentFault) as error:
            return check(id, question, False, str(error), step)
        wrong += [f"{name} (never sealed)" for name in ended if name not in sealed]
        told = f"changed or missing: {', '.join(wrong[:_SHOWN])}" if wrong else f"{len(sealed)} sealed"
        return with_ending(check(id, question, not wrong, told, step), self.chain)

    def wrong(self) -> list[str]:
        """Return the ids of the records that are not as they were sealed last, and the pages of the others.

        Raises:
            ArtefactError: the chain cannot be trusted; EnvironmentFault: it cannot be read.
        """
        found = []
        for name, said in self._sealed().items():
            beside = self.folder / name
            inside = [beside / said["file"]] if "file" in said else sorted(beside.glob("*.json"))
            places = [self.folder / f"{name}.json", *inside]
            if not any(_is(path, said["sha256"]) for path in places):
                found.append(name)
            pages = said.get(PAGES, {})
            found += [f"{name}/{page}" for page in pages if not _is(self.folder / name / page, pages[page])]
        return found

    def adopt(self, ids: Iterable[str], by: str, reason: str, at: datetime) -> list[str]:
        """Enter records as they are now, on the word of a person, and return the ids of those.

        Args:
            ids: of which; by, reason: who answers for them and why; at: aware UTC.

        Raises:
            EnvironmentFault, ArtefactError: as for :meth:`seal`.
        """
        entries = []
        for name in dict.fromkeys(ids):
            path = next(filter(Path.exists, (self.folder / f"{name}.json", *(self.folder / name).glob("*.json"))), None)
            digest = sha256_of(path) if path else "missing"
            pages = {page.name: sha256_of(page) for page in sorted((self.folder / name).glob("*.md"))}
            entries.append((ADOPTED, {"id": name, "sha256": digest, PAGES: pages, "by": by, "reason": reason}))
        if entries:
            self.chain.append(*entries, at=at)
        return [str(entry["id"]) for _, entry in entries]

    def _sealed(self) -> dict[str, dict[str, Any]]:
        """Return what was said last of each record that was sealed, by its id; raises as :meth:`Chain.sealed`."""
        known = self.chain.sealed()
        return {str(link.data["id"]): link.data for link, _ in self.chain.links() if link.data.get("id") in known}

    def _left(self, path: Path | None = None) -> list[Path]:
        """Return what dead processes have left beside the places of records, or of one."""
        if path is None:
            return [found for form in ("", "*/") for found in self.folder.glob(f"{form}.*{_STAGED}")]
        beside = [_staged(path)] if path.parent == self.folder else path.parent.glob(f".*{_STAGED}")
        return [found for found in beside if found.exists()]

    def _id(self, path: Path) -> str:
        return path.stem if path.parent == self.folder else path.parent.name


def _hash_in(said: Mapping[str, Any], name: str) -> str:
    """Return the hash of a record or one of its pages in an entry, empty where it names none."""
    pages = said.get(PAGES, {})
    return str(pages[name] if name in pages else said.get("sha256", ""))


def _is(path: Path, digest: str) -> bool:
    """Return whether a file has a hash, in its place or on the way there."""
    return digest in (sha256_of(path), sha256_of(_staged(path)))


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
            f"cannot write {path}: {why(error)}; its hash is in the chain, `peaktrade doctor` puts it there"
        ) from error
