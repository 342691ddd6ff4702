"""Notes and tags of experiments: a plain log beside them, as an experiment's own file is named by its content."""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.log import append_record, whole_lines
from peaktrade_core.workspace.workspace import Workspace


class ExperimentNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote about an experiment: its id, when, who, a text and tags, either of them empty."""

    id: str
    at: datetime
    by: str
    text: str = ""
    tags: tuple[str, ...] = ()


class ExperimentNotes:
    """The notes of a workspace, ``reports/experiments/notes.jsonl``."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.path = workspace.home / "reports" / "experiments" / "notes.jsonl"

    def add(self, experiment_id: str, text: str, tags: tuple[str, ...]) -> ExperimentNote:
        """Write a note down.

        Raises:
            ConfigError: neither a text nor a tag; EnvironmentFault: it cannot be written.
        """
        if not text.strip() and not any(tag.strip() for tag in tags):
            raise ConfigError("give a text or a tag: --note TEXT, --tag TAG")
        kept = tuple(tag.strip() for tag in tags if tag.strip())
        note = ExperimentNote(
            id=experiment_id, at=self._workspace.clock.now(), by=login(), text=text.strip(), tags=kept
        )
        append_record(self.path, msgspec.json.encode(note))
        return note

    def by_id(self) -> dict[str, list[ExperimentNote]]:
        """Return the notes of each experiment, oldest first; lines that cannot be read are left out."""
        found: dict[str, list[ExperimentNote]] = {}
        for line in whole_lines(self.path) if self.path.is_file() else []:
            try:
                note = msgspec.json.decode(line, type=ExperimentNote)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            found.setdefault(note.id, []).append(note)
        return found
