"""What is remembered of a chained log beside it and outside its workspace, so that it cannot go missing unseen.

Both hold the number and the hash of the last line. A log that lacks that line is shorter than it was, or another one.
The outside one is in the user's state folder, by the path of the workspace; on a new machine there is none. The log of
halts and the ledger are remembered so.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import read_plain, write_atomic
from peaktrade_core.workspace.config import CONFIG

STATE_HOME = "PEAKTRADE_STATE_HOME"
KINDS = ("", "-ledger", "-sections")  # what is remembered outside: of the log of halts, the ledger, its checkpoint


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of the log.

    Attributes:
        seq, head: its number and its hash; at: when it was written, aware UTC.
        size: of the log up to its end [bytes], 0 where that is not kept.
        log: the file.
    """

    seq: int
    head: str
    at: datetime
    size: int = 0
    log: str = ""


class Memory:
    """The files that remember one log.

    Args (of the constructor):
        log: which; beside: the file next to it; outside: the file outside the workspace, None for none.
    """

    def __init__(self, log: Path, beside: Path, outside: Path | None) -> None:
        self._log, self._outside = log, outside
        self.files = (beside,) if outside is None else (beside, outside)

    def read(self) -> list[Remembered]:
        """Return what is remembered; nothing where there is no file, or its folder cannot be entered.

        Raises:
            ArtefactError: a file makes no sense.
        """
        found = []
        for path in self.files:
            try:
                found.append(msgspec.json.decode(read_plain(path), type=Remembered))
            except OSError:
                continue
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise ArtefactError(f"{path}, which remembers {self._log.name}, makes no sense: {why(error)}") from None
        return found

    def keep(self, last: Remembered, *, outside: bool = False) -> None:
        """Remember the last line; a file that cannot be written stays behind the log, which is no harm by itself.

        Args:
            outside: only there.
        """
        data = msgspec.json.encode(msgspec.structs.replace(last, log=str(self._log))) + b"\n"
        for path in self.files[-1:] if outside else self.files:
            with suppress(EnvironmentFault):
                write_atomic(path, data)

    def outside_is_new(self) -> bool:
        """Whether there is no file outside the workspace yet, as on a new machine."""
        return self._outside is not None and not os.path.lexists(self._outside)


def forget(home: Path) -> None:
    """Remove what is remembered outside a workspace that was made to be looked at once, and is gone."""
    for kind in KINDS:
        if (path := outside_of(home, kind)) is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def outside_of(home: Path, kind: str = "") -> Path | None:
    """Return the file outside a workspace that remembers a log; None for practice, which another workspace holds.

    Args:
        home: the workspace; kind: which log, empty for that of halts.
    """
    for folder in home.parents:
        if home.relative_to(folder).parts[0] in ("out", "reports") and (folder / CONFIG).is_file():
            return None
    try:
        state = Path(os.environ.get(STATE_HOME) or _user_state())
    except RuntimeError:  # a user without a home
        return None
    return state / f"{hashlib.sha256(str(home).encode()).hexdigest()[:16]}{kind}.json"


def _user_state() -> Path:
    """Return the folder in which the user's programs keep what they remember."""
    named = os.environ.get("XDG_STATE_HOME")
    return (Path(named) if named else Path.home() / ".local" / "state") / "peaktrade"
