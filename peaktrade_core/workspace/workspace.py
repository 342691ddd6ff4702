"""A workspace: a folder with ``config/config.toml``; everything that peaktrade reads or writes lies below it.

One small file lies outside: what is remembered of its log of halts (``memory.py``). A workspace knows where it is,
what is configured and what time it is. Each room opens itself with it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from peaktrade_core.base.clock import Clock, FixedClock
from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.base.question import Check, Question, answers
from peaktrade_core.base.wall_clock import SystemClock, random_suffix
from peaktrade_core.show.language import speak
from peaktrade_core.trading.strategies import Strategy, get_strategy
from peaktrade_core.workspace.config import CONFIG, Config, load_config

T = TypeVar("T")
FIXED_CLOCK = "PEAKTRADE_FIXED_CLOCK"
HOME = "PEAKTRADE_HOME"
_TRACES = (Path("reports") / "live" / "halts.jsonl", Path("reports") / "experiments" / "live_sessions")
RUNS = "PEAKTRADE_RUNS_DIR"  # where run folders are, if not below the workspace


def find_home(given: str | Path | None = None) -> Path:
    """Return the workspace: ``given``, else ``PEAKTRADE_HOME``, else the nearest folder upwards with a configuration.

    Where no folder has one, it is the nearest that holds what sessions write: a configuration that was lost must not keep
    anybody from stopping them.

    Raises:
        ConfigError: none of them leads to a workspace.
    """
    named = given or os.environ.get(HOME)
    if named:
        home = Path(named).expanduser().resolve()
        if not home.is_dir():
            raise ConfigError(f"no workspace: {home} is not a folder; `peaktrade init {named}` makes it one")
        return home
    here = Path.cwd()
    for sign in (CONFIG, *_TRACES):
        for folder in (here, *here.parents):
            if _holds(folder, sign):
                return folder
    raise ConfigError(
        f"no workspace: neither {here} nor a folder above holds {CONFIG}; go to one, name it with --home or "
        f"{HOME}, or make one with `peaktrade init FOLDER`"
    )


def _holds(folder: Path, sign: Path) -> bool:
    """Return whether a folder holds a file; where that cannot be seen it counts as there, for nothing else may be stopped."""
    try:
        return (folder / sign).exists()
    except OSError:
        return os.path.isdir(folder / sign.parts[0])


def _fixed_time(text: str) -> datetime:
    """Return the time that ``PEAKTRADE_FIXED_CLOCK`` names.

    Raises:
        ConfigError: it is no time.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{FIXED_CLOCK} = {text!r} is no time; write 2026-01-05T08:00:00+00:00, or unset it"
        ) from None


class Workspace:
    """One workspace.

    Attributes:
        home: the folder; config_path: its configuration file; runs: where run folders are.
        clock: where times come from; fixed by ``PEAKTRADE_FIXED_CLOCK`` for reproducible notebooks.
        suffix: makes the last part of a run's id from a text.
    """

    def __init__(
        self, home: str | Path | None = None, config: str | Path | None = None, runs: str | Path | None = None
    ) -> None:
        self.home = find_home(home)
        named = runs or os.environ.get(RUNS)
        self.runs = Path(named).expanduser().resolve() if named else self.home / "live_runs"
        self.config_path = Path(config) if config else self.home / CONFIG
        self.clock: Clock = SystemClock()
        self.suffix: Callable[[str], str] = random_suffix
        self._opened: dict[type, object] = {}
        fixed = os.environ.get(FIXED_CLOCK)
        if fixed:
            self.clock = FixedClock(_fixed_time(fixed), timedelta(milliseconds=1))
            self.suffix = lambda text: hashlib.sha256(text.encode()).hexdigest()[:6]

    @cached_property
    def config(self) -> Config:
        """The configuration; user strategy modules it names are loaded with it.

        Raises:
            ConfigError: a key, type or value is wrong, also in the parameters of a strategy.
        """
        config = load_config(self.config_path)
        for module in config.strategy_modules:
            load_strategy_module(self.home / module)
        for name, params in config.strategy.items():
            try:
                get_strategy(name).parameters(params)
            except ConfigError as error:
                raise ConfigError(f"{self.config_path}: [strategy.{name}]: {error}") from None
        return config

    @property
    def reports(self) -> Path:
        """Where reports go."""
        return self.home / "reports"

    @property
    def compiled(self) -> Path:
        """Where compiled strategies are kept; what is missing there is compiled again."""
        return self.home / ".cache" / "numba"

    @property
    def operations_log(self) -> Path:
        """The log of operations: one line an operation, for people."""
        return self.home / "logs" / "operations.log"

    @property
    def rehearsal(self) -> bool:
        """Whether the clock is fixed: what is recorded is an example, the same on every machine, and no evidence."""
        return isinstance(self.clock, FixedClock)

    def ask(self, questions: Iterable[Question[Workspace]]) -> list[Check]:
        """Return the answers of a checklist about this workspace; see :func:`answers`."""
        return self.told(answers(questions, self, rehearsal=self.rehearsal))

    def told(self, checks: Iterable[Check]) -> list[Check]:
        """Return answers as they are; in a rehearsal without the folder that the workspace is in."""
        if not self.rehearsal:
            return list(checks)
        home = f"{self.home}/"
        return [
            msgspec.structs.replace(
                one, evidence=one.evidence.replace(home, ""), next_step=one.next_step.replace(home, "")
            )
            for one in checks
        ]

    def once(self, kind: type[T], make: Callable[[], T]) -> T:
        """Return the thing of a kind that belongs to this workspace; made when it is first asked for.

        Rooms open themselves with it: ``Registry.of(workspace)``, ``Views.of(workspace)``.
        """
        if kind not in self._opened:
            self._opened[kind] = make()
        return cast(T, self._opened[kind])

    def again(self) -> Workspace:
        """Return the same workspace with nothing opened, for another thread."""
        return Workspace(self.home, self.config_path, self.runs)


def open_site(home: Path, clock: Clock | None = None) -> Workspace:
    """Return the workspace of a drill, on the machine's clock or another, its runs below it whatever is configured."""
    site = Workspace(home, home / CONFIG, home / "live_runs")
    site.clock = clock or SystemClock()
    return site


def load_strategy_module(path: Path) -> list[Strategy]:
    """Run a Python file that registers strategies and return those it added.

    Raises:
        ConfigError: the file is missing or raises.
    """
    from peaktrade_core.trading.strategies import all_strategies

    before = {strategy.name for strategy in all_strategies()}
    name = f"peaktrade_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{path}: no such strategy module; give a Python file that calls register()")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # somebody else's code
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    return [strategy for strategy in all_strategies() if strategy.name not in before]


def speak_as_set(workspace: Workspace) -> str:
    """Show everything from now on in the workspace's language and return it; English where the configuration cannot be read."""
    try:
        language = workspace.config.ui.language
    except (PeaktradeError, OSError):
        language = "en"
    speak(language)
    return language


def speak_here() -> None:
    """Speak as the workspace around this place is set to, if there is one."""
    with suppress(PeaktradeError, OSError):
        speak_as_set(Workspace())
