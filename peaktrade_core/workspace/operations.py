"""The operations log as people write to it: a note in a sentence, with a name, about a session, alert or incident.

The suite writes its own lines into the same log (``<time> <what> ... by <who>: <text>``); the activity feed shows both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from peaktrade_core.base.clock import as_utc, iso
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.log import append_line, newest_lines
from peaktrade_core.base.people import person_key
from peaktrade_core.base.text import LONGEST, one_line
from peaktrade_core.workspace.workspace import Workspace

NOTE = "note"
DESK = "desk"  # what a note is about that is about no one thing
_LINE = re.compile(rf"(\S+) {NOTE} (\S+) by ([^:]+): (.*)")


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note: when (UTC), about what (``desk`` for no one thing), by whom, and the text."""

    at: datetime
    about: str
    by: str
    text: str


def note(workspace: Workspace, text: str, by: str, about: str = "") -> Note:
    """Write a note into the operations log and return it.

    Args:
        workspace: whose; text: at most ``LONGEST`` characters; what is longer is a document.
        by: who writes it; about: id of a session, alert or incident, empty for none.

    Raises:
        ConfigError: no text, a text that is too long, or no name.
        EnvironmentFault: the log cannot be written.
    """
    said = one_line(text)
    if not said:
        raise ConfigError("a note needs a text: say in a sentence what happened")
    if len(said) > LONGEST:
        raise ConfigError(
            f"a note has at most {LONGEST:,} characters, this one {len(said):,}: put it into a file and name it"
        )
    person_key(by)
    name, subject = " ".join(by.replace(":", " ").split()), "".join(about.split()) or DESK
    made = Note(at=workspace.clock.now(), about=subject, by=name, text=said)
    append_line(workspace.operations_log, f"{iso(made.at)} {NOTE} {subject} by {name}: {said}")
    return made


def notes(workspace: Workspace, about: str = "", since: datetime | None = None) -> list[Note]:
    """Return the notes, newest first.

    Args:
        workspace: whose; about: only those about this; since: nothing older.

    Raises:
        ArtefactError: the log cannot be read.
    """
    return [one for one in _notes(workspace, since) if not about or one.about == about]


def _notes(workspace: Workspace, since: datetime | None) -> Iterator[Note]:
    if not workspace.operations_log.exists():
        return
    for line in newest_lines(workspace.operations_log):
        found = _LINE.fullmatch(line.text.decode("utf-8", "replace").strip())
        if found is None:
            continue
        try:
            at = as_utc(datetime.fromisoformat(found[1]))
        except (ValueError, OverflowError):
            continue
        if since is not None and at < since:
            return
        yield Note(at=at, about=found[2], by=found[3], text=found[4])


def logged(workspace: Workspace, words: str) -> bool:
    """Return whether a line of the operations log holds some words, such as the id of an evidence record."""
    log, wanted = workspace.operations_log, words.encode()
    try:
        return log.exists() and any(wanted in line.text for line in newest_lines(log))
    except ArtefactError:
        return False
