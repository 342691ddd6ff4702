"""What is installed is enough: the wheel is built, unpacked far from the source tree, and an operator works with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the wheel was unpacked into."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    code = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    with zipfile.ZipFile(folder / built) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def run(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that runs ``peaktrade`` of the wheel in a folder of its own and returns what came out."""
    home = tmp_path_factory.mktemp("operator")
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}

    def peaktrade(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "peaktrade_core", *arguments],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    where = subprocess.run(
        [sys.executable, "-c", "import peaktrade_core; print(peaktrade_core.__file__)"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(installed)
    peaktrade.home = home  # type: ignore[attr-defined]
    peaktrade.environment = environment  # type: ignore[attr-defined]
    assert peaktrade("init", ".").returncode == 0
    assert peaktrade("session", "run", "--steps", "60").returncode == 0
    return peaktrade


@pytest.mark.parametrize(
    "arguments",
    [
        ("session", "list"),
        ("session", "show"),
        ("session", "report"),
        ("exchange", "venues"),
        ("watch", "--once"),
        ("audit", "snapshot"),
        ("service", "install", "--dry-run"),
        ("runbook", "list"),
    ],
    ids=" ".join,
)
def test_a_command_works_without_the_source_tree(run: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stderr.count("Traceback")) == (0, 0), ended.stderr
    assert not any(str(REPO / name) in ended.stdout for name in ("peaktrade_core", "notebooks", "templates", "config"))


def test_a_runbook_is_executed_and_leaves_evidence(run: Callable[..., Any]) -> None:
    ended = run("runbook", "run", "pre_session_check")
    assert "evidence EV-" in ended.stdout
    assert list((run.home / "reports" / "runbooks").glob("pre_session_check_*.html"))  # type: ignore[attr-defined]


def test_the_dashboard_serves_pages_and_figures(run: Callable[..., Any]) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "peaktrade_core", "dashboard", "--port", "0"],
        cwd=run.home,  # type: ignore[attr-defined]
        env=run.environment | {"PYTHONUNBUFFERED": "1"},  # type: ignore[attr-defined]
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = next(line for line in server.stdout if "at http://127.0.0.1:" in line)
        url = line.split(" at ")[1].split()[0]
        with urllib.request.urlopen(f"{url}api/live_sessions", timeout=60) as answer:
            assert len(json.load(answer)) == 1
        with urllib.request.urlopen(f"{url}sessions", timeout=60) as answer:
            assert b"</html>" in answer.read()
    finally:
        server.terminate()
        server.wait(30)
