"""The scenarios: ``config/drills/*.toml`` of the workspace, and those that come with peaktrade."""

from __future__ import annotations

from pathlib import Path

import msgspec

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.resources import named_files
from peaktrade_core.base.typed import read_named
from peaktrade_core.drills.drill import Scenario

FOLDER = Path("config") / "drills"


def scenarios(home: Path) -> list[Scenario]:
    """Return all scenarios, sorted by name; a workspace's own replaces the one of its name.

    Raises:
        ConfigError: a file is not sound; says which and what is wrong.
    """
    files = named_files(home, FOLDER)
    return [read_scenario(files[name]) for name in sorted(files)]


def find_scenario(home: Path, name: str) -> Scenario:
    """Return a scenario by its name; raises as :func:`scenarios`, and UnknownNameError when there is none."""
    known = {scenario.name: scenario for scenario in scenarios(home)}
    if name not in known:
        raise UnknownNameError("drill", name, list(known), "peaktrade drill list")
    return known[name]


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a file.

    Raises:
        ConfigError: it cannot be read, or a key, type or value is wrong.
    """
    return msgspec.structs.replace(read_named(path, Scenario), name=path.stem)
