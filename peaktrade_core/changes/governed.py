"""What is governed: every value of the configuration as it holds, alert rules and jobs as they stand, and the code.

Values of ``config.toml`` have their defaults filled in, so that a key which is taken away shows as what then holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import read_plain, read_toml, sha256_of, short_digest
from peaktrade_core.changes.code import text_of, trading_digest
from peaktrade_core.changes.keys import ALERTS, CODE, FREE, SCHEDULE, TIER
from peaktrade_core.trading.strategies import MAY_RUN, all_strategies
from peaktrade_core.workspace.workspace import Workspace

CONFIG_FILE, ALERTS_FILE, JOBS_FILE = "config.toml", "alerts.toml", "jobs.toml"
FILES = (CONFIG_FILE, ALERTS_FILE, JOBS_FILE)
OF_A_DRILL = "exchange.base_url"  # a venue on this machine has another port each time
_LARGEST = 1 << 20  # bytes of a file of settings


def path_of(workspace: Workspace, file: str) -> Path:
    """Return where a file of :data:`FILES` is."""
    return workspace.config_path if file == CONFIG_FILE else workspace.home / "config" / file


def texts(workspace: Workspace) -> dict[str, bytes | None]:
    """Return what the files of settings hold, by name; None where one is not there.

    Raises:
        ConfigError: one cannot be read.
    """
    found: dict[str, bytes | None] = {}
    for file in FILES:
        path = path_of(workspace, file)
        try:
            found[file] = read_plain(path, _LARGEST)
        except FileNotFoundError:
            found[file] = None
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {why(error)}") from None
    return found


def governed(workspace: Workspace, files: Mapping[str, bytes | None] | None = None) -> dict[str, Any]:
    """Return every governed value by its key: of the files as they are on the disk, or as they are given.

    Args:
        workspace: whose; files: texts in the place of those on the disk.

    Raises:
        ConfigError: a file is not sound; says where.
    """
    if files is None:
        place, alerts, jobs = workspace, path_of(workspace, ALERTS_FILE), path_of(workspace, JOBS_FILE)
        return _values(Workspace(place.home, place.config_path, place.runs), alerts, jobs, code=not place.rehearsal)
    with staged(workspace, files) as folder:
        place = Workspace(workspace.home, folder / CONFIG_FILE, workspace.runs)
        return _values(place, folder / ALERTS_FILE, folder / JOBS_FILE, code=not workspace.rehearsal)


@contextmanager
def staged(workspace: Workspace, files: Mapping[str, bytes | None]) -> Iterator[Path]:
    """Return a folder that holds texts as the files of settings, to be read by whoever reads those; gone after the block.

    It lies in the workspace under a hidden name, where ``peaktrade doctor`` removes what a killed process left.

    Raises:
        ConfigError: of the block, without the folder in its words.
        EnvironmentFault: it cannot be written.
    """
    cache = workspace.home / ".cache"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        held = tempfile.TemporaryDirectory(prefix=".change-", suffix=".tmp", dir=cache)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {cache}: {why(error)}") from error
    with held as name:
        for file, data in files.items():
            if data is not None:
                (Path(name) / file).write_bytes(data)
        try:
            yield Path(name)
        except ConfigError as error:
            raise ConfigError(str(error).replace(f"{name}/", "")) from None


def _values(place: Workspace, alerts: Path, jobs: Path, *, code: bool) -> dict[str, Any]:
    config = place.config
    whole = msgspec.to_builtins(config)
    found = {
        key: value
        for key, value in _flat({name: part for name, part in whole.items() if name not in (*FREE, "strategy")})
        if not (place.rehearsal and key == OF_A_DRILL)
    }
    for one in all_strategies():
        if one.tier in MAY_RUN or one.name in config.strategy:
            params = one.parameters(config.strategy.get(one.name, {}))._asdict()
            found |= {f"strategy.{one.name}.{name}": value for name, value in params.items()}
        if code and one.tier in MAY_RUN:
            found |= {f"{TIER}{one.name}": one.tier, f"{CODE}{one.name}": short_digest(text_of(one.update).encode())}
    if code:
        found[f"{CODE}decision"] = f"sha256 {trading_digest()[:12]}"
        found |= {
            f"{CODE}module {name}": f"sha256 {sha256_of(place.home / name)[:12]}" for name in config.strategy_modules
        }
    for path, prefix in ((alerts, ALERTS), (jobs, SCHEDULE)):
        if path.exists():
            found |= {f"{prefix}{key}": value for key, value in _flat(_by_id(read_toml(path)))}
    return found


def _by_id(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a document of alert rules with its rules by their ids; others as they are."""
    rules = raw.get("rule")
    if not isinstance(rules, list):
        return raw
    named = {
        str(one.get("id", number)) if isinstance(one, dict) else str(number): one for number, one in enumerate(rules)
    }
    return {**raw, "rule": named}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a document under their dotted keys; a list is one leaf, and what holds nothing is none."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    elif value is not None:
        plain = (
            [str(one) if isinstance(one, (dict, list)) else one for one in value] if isinstance(value, list) else value
        )
        plain = plain if isinstance(plain, (bool, int, float, str, list)) else str(plain)
        yield (
            key,
            short_digest(str(plain).encode()) if key.endswith("url") and plain else plain,
        )  # an address may hold a secret
