"""How the plain logs of a workspace grew: the ledger holds the hash of each part of them, in the order of their growth."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import open_plain
from peaktrade_core.base.log import ending

PLAIN_LOGS = (
    "logs/operations.log", "reports/alerts/*.jsonl", "reports/schedule/runs-*.jsonl", "reports/experiments/notes.jsonl",
    "reports/drills/*/workspace/reports/ledger.jsonl", "reports/drills/*/workspace/reports/live/halts.jsonl",
)  # fmt: skip
_CHUNK = 1 << 20


class LogPart(msgspec.Struct, frozen=True):
    """A part of a log: ``log`` below the workspace, whole lines from ``begin`` up to ``end`` [bytes], their SHA-256."""

    log: str
    begin: int
    end: int
    sha256: str


class Growth(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one entry of the ledger says.

    Attributes:
        parts: that are new; ends: how far each log is entered after it [bytes].
        anew: logs for which a person answers as they are, so that what was entered of them before no longer counts.
        by, reason: who, and why; empty for what grew.
    """

    parts: tuple[LogPart, ...]
    ends: dict[str, int]
    anew: tuple[str, ...] = ()
    by: str = ""
    reason: str = ""


def growth(home: Path, before: Mapping[str, int]) -> Growth | None:
    """Return what the plain logs of a workspace grew by; None where they did not. One that cannot be read is left out.

    Args:
        home: the workspace; before: how far each log is entered [bytes].
    """
    parts, ends = list[LogPart](), dict(before)
    for path in sorted(logs_of(home)):
        name = path.relative_to(home).as_posix()
        begin = before.get(name, 0)
        try:
            end = ending(path).size
            begin = begin if begin <= end else 0  # it was cut, or is another one, which the parts before tell
            if begin < end:
                parts.append(LogPart(name, begin, end, part_sha256(path, begin, end)))
                ends[name] = end
        except (OSError, EnvironmentFault):
            continue
    return Growth(tuple(parts), ends) if parts else None


def logs_of(home: Path) -> Iterator[Path]:
    """Yield the plain logs of a workspace."""
    return (path for form in PLAIN_LOGS for path in home.glob(form))


def part_sha256(path: Path, begin: int, end: int) -> str:
    """Return the SHA-256 of a part of a file; raises OSError where it cannot be read."""
    found, left = hashlib.sha256(), end - begin
    with open_plain(path) as file:
        file.seek(begin)
        while left > 0 and (data := file.read(min(_CHUNK, left))):
            found.update(data)
            left -= len(data)
    return found.hexdigest()
