"""What tests share: a fresh workspace, the command line on it, and the real candles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import settings

from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show.language import speak
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.warm.confine import missing
from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME, Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPO = Path(__file__).resolve().parent.parent
SHARED_DATA = "PEAKTRADE_SHARED_DATA"

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
QUIET = [  # asks nobody outside
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

FALLS_OVER = """
from typing import NamedTuple
from peaktrade_core.trading.strategies import register

class P(NamedTuple):
    n: int = 1

@register("falls_over", P, slots=lambda p: 1, warmup=lambda p: 1, tier="core")
def falls_over(p, s, o, h, l, c, v):
    raise ValueError("no")
"""
"""A module with a strategy that raises at each bar."""

settings.register_profile("peaktrade", deadline=None)
settings.load_profile("peaktrade")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's own workspace and clock out of the tests."""
    monkeypatch.delenv(HOME, raising=False)
    monkeypatch.delenv(FIXED_CLOCK, raising=False)


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests' workspaces remember out of the user's state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_HOME, str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Begin each test in English, whatever language another one was in."""
    speak("en")
    yield
    speak("en")


@pytest.fixture(scope="session")
def confined_kernels() -> None:
    """Need a system that confines the kernels of labs; without one a developer's run skips and CI fails."""
    if why := missing():
        said = f"kernels cannot be confined here: {why}"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return the machine's own Chrome or Chromium; without one a developer's run skips and CI fails."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        said = "no Chrome or Chromium found: install one (apt install chromium, brew install --cask chromium)"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh workspace folder with the shipped configuration."""
    folder = tmp_path / "home"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where compiled strategies are kept, by all tests of a run and all its workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "numba"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def compiled(home: Path, cache: Path) -> None:
    """Let the workspace's compiled strategies be those of all tests of a run: compiling one takes seconds."""
    (home / ".cache").mkdir()
    (home / ".cache" / "numba").symlink_to(cache, target_is_directory=True)


@pytest.fixture
def workspace(home: Path) -> Workspace:
    """Return the fresh workspace."""
    return Workspace(home)


@pytest.fixture
def configure(home: Path) -> Callable[[str, str], None]:
    """Return a function that replaces one text of the workspace's configuration by another."""

    def change(old: str, new: str) -> None:
        path = home / "config" / "config.toml"
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} must stand in the configuration once"
        path.write_text(text.replace(old, new))

    return change


@pytest.fixture
def run_shadow(workspace: Workspace) -> Callable[..., SessionRecord]:
    """Return a function that plans a session with its arguments, runs it and returns the record."""

    def run(**options: Any) -> SessionRecord:
        return run_session(plan_session(workspace, **options), Desk.of(workspace))

    return run


@pytest.fixture(scope="session")
def candles() -> Callable[[str], Path]:
    """Return a finder of real candle files by name, with or without ``.parquet``.

    They lie beside the repository (or where ``PEAKTRADE_SHARED_DATA`` says) and are never part of it. Absent, a test
    that needs them is skipped on a developer's machine and fails in CI.
    """

    def find(name: str) -> Path:
        folder = Path(os.environ.get(SHARED_DATA) or REPO.parent / "shared" / "data") / "candles"
        path = folder / (name if name.endswith(".parquet") else f"{name}.parquet")
        if not path.is_file():
            reason = f"real candles are absent: {path}; put them there or name their folder in {SHARED_DATA}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts ``peaktrade ARGS`` and does not wait; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*args: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(command(*args), cwd=home, env=environment(home), stdout=pipe, stderr=pipe, text=True)
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe_end in (process.stdout, process.stderr):
            pipe_end.close()


@pytest.fixture
def peaktrade(home: Path) -> Callable[..., Ended]:
    """Return a function that runs ``peaktrade ARGS`` in a process of its own, in the fresh workspace."""

    def run(*args: object, timeout: float = 300.0, env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            command(*args), cwd=home, env=environment(home, env), capture_output=True, text=True, timeout=timeout
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something that another thread or process does, and return it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.02)
    return found


def command(*args: object) -> list[str]:
    """Return the command line that runs ``peaktrade ARGS`` with this interpreter."""
    return [sys.executable, "-c", "from peaktrade_core.cli import main; main()", *map(str, args)]


def environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command on the workspace ``home``."""
    return {**os.environ, HOME: str(home), "COLUMNS": "200", "PYTHONPATH": str(REPO), **(extra or {})}
