"""How the runs of the fleet were started: one ``launch.json`` in each run's folder, written before its process is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import as_json, read_plain, write_atomic
from peaktrade_core.records.folder import LAUNCH, RunFolder
from peaktrade_core.workspace.settings import Restart


class LaunchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A run that somebody wants: what it trades, and what becomes of it when it fails.

    Attributes:
        arguments: of ``peaktrade session run``, which say all of it, without the run's id.
    """

    mode: str
    strategy: str
    symbol: str
    timeframe: str
    arguments: tuple[str, ...]
    restart: Restart = Restart()


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a run.

    Attributes:
        order: what was wanted.
        by, at: who started it and when.
        restart_of: the run it replaces; attempt: which restart in a row this is, 0 for a start by a person.
    """

    run_id: str
    order: LaunchOrder
    by: str
    at: datetime
    restart_of: str | None = None
    attempt: int = 0


def write_launch(folder: RunFolder, launch: Launch) -> None:
    """Write how a run is started into its folder, which has no name yet.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    data = as_json(launch)
    write_atomic(folder.stage() / LAUNCH, data)


def read_launch(folder: Path) -> Launch | None:
    """Return how the run of a folder was started, None when not by the fleet or nobody can read it."""
    try:
        return msgspec.json.decode(read_plain(folder / LAUNCH), type=Launch)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigError):
        return None


def starting(base: Path) -> list[Launch]:
    """Return the launches whose runs have not begun."""
    found = (read_launch(path) for path in sorted(base.glob(".*.starting")))
    return [launch for launch in found if launch is not None]
