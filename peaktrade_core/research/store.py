"""Records of research: one kind to a folder of ``reports/experiments``, one file to a record, named by the record's content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.files import found_in, write_atomic
from peaktrade_core.base.text import meant
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

R = TypeVar("R", bound=msgspec.Struct)


class RecordKind(NamedTuple):
    """One kind of records.

    Attributes:
        name: ``sweep``, in messages; its plural names the folder, ``sweep_id`` the field with the id.
        prefix: of the ids. within: file in a record's own folder, empty where the record is one file.
    """

    name: str
    prefix: str
    within: str = ""


class Store(Generic[R]):
    """The records of one kind in a workspace.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, workspace: Workspace, kind: RecordKind, record: type[R]) -> None:
        self.folder = workspace.home / "reports" / "experiments" / f"{kind.name}s"
        self._workspace, self._kind, self._record = workspace, kind, record

    def ids(self) -> list[str]:
        """Return the ids of all records, newest first.

        Raises:
            EnvironmentFault: their folder cannot be listed.
        """
        prefix, within = self._kind.prefix, self._kind.within
        found = found_in(self.folder, f"{prefix}_*/{within}" if within else f"{prefix}_*.json")
        newest = sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.parent.name if within else path.stem for path in newest]

    def has(self, record_id: str) -> bool:
        """Return whether there is a record of exactly this id."""
        return bool(re.fullmatch(rf"{self._kind.prefix}_\w+", record_id)) and self.path(record_id).is_file()

    def find(self, name: str) -> str:
        """Return the id that is meant: ``latest`` is the newest, a beginning is enough where it is one's only.

        Raises:
            UnknownNameError: there is none, or several begin so.
        """
        if self.has(name):
            return name
        hint = f"peaktrade experiments list --run-type {self._kind.name}"
        command = "findings" if self._kind.name == "finding" else self._kind.name
        return meant(self._kind.name, name, self.ids(), hint, f"peaktrade {command} --help")

    def load(self, name: str) -> R:
        """Return a record, by its id or as of :meth:`find`.

        Raises:
            UnknownNameError: there is none; ArtefactError: it cannot be read.
        """
        path = self.path(self.find(name))
        try:
            return msgspec.json.decode(path.read_bytes(), type=self._record)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{path}: not a {self._kind.name}: {why(error)}") from None

    def save(self, record: R) -> R:
        """Write a record under its id and return it.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        record_id: str = getattr(record, f"{self._kind.name}_id")
        path = self.path(record_id)
        write_atomic(path, msgspec.json.format(msgspec.json.encode(record)))
        beside = path.parent.rglob("*") if self._kind.within else self.folder.glob(f"{record_id}.*")
        enter_papers(self._workspace, *(file for file in sorted(beside) if file.is_file()))
        return record

    def path(self, record_id: str) -> Path:
        """Return the file of a record."""
        within = self._kind.within
        return self.folder / record_id / within if within else self.folder / f"{record_id}.json"
