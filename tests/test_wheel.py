"""What is installed is enough: the wheel is built, unpacked far from the source tree, and an operator works with it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.container.steps import CONTAINERFILE, instructions

REPO = Path(__file__).resolve().parents[1]
BROUGHT = {  # by a dependency that is declared, whose objects they are
    "IPython", "aiohttp", "cryptography", "ipykernel", "jupyter_client", "jupyter_core", "jupyter_server", "llvmlite",
    "markupsafe", "nbclient", "nbformat", "requests", "tornado", "traitlets", "urllib3", "zmq",
}  # fmt: skip


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
        ("backup", "create", "../backups"),
        ("report", "daily"),
        ("export", "dashboard"),
        ("monitor", "overview"),
        ("audit", "verify"),
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


def test_fills_of_elsewhere_are_imported_and_reported(run: Callable[..., Any]) -> None:
    (run.home / "fills.csv").write_text(  # type: ignore[attr-defined]
        "time,symbol,side,qty,price\n2026-01-05T08:00,BTC/EUR,buy,1,100\n2026-01-05T09:00,BTC/EUR,sell,1,101\n"
    )
    ended = run("session", "import", "--csv", "fills.csv", "--start-balance", "1000", "--by", "Ada", "--json")
    (record,) = json.loads(ended.stdout)
    ended = run("runbook", "run", "session_report", "-p", f"session_id={record['session_id']}")
    assert "completed:" in ended.stdout, ended.stderr


def test_what_the_package_imports_is_what_it_says_it_needs() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    said = {re.split(r"[<>=!;\[ ]", line)[0].casefold().replace("-", "_") for line in lines}
    wanted = set[str]()
    for path in (REPO / "peaktrade_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                wanted |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                wanted.add((node.module or "").partition(".")[0])
    ours = wanted - set(sys.stdlib_module_names) - {"peaktrade_core"} - BROUGHT
    assert {name.casefold() for name in ours} <= said, "declare it in pyproject.toml, or say here who brings it"


def test_a_container_is_built_of_the_wheel_and_writes_to_its_volumes_alone(run: Callable[..., Any]) -> None:
    steps = instructions(CONTAINERFILE.read_text())
    last = steps[max(at for at, (word, _) in enumerate(steps) if word == "FROM") :]
    said = dict(last)
    assert said["USER"] == "10001:10001"
    assert said["VOLUME"] == "/workspace /state"
    assert '"watch", "--status"' in said["HEALTHCHECK"]
    assert json.loads(said["ENTRYPOINT"]) == ["peaktrade"]
    assert any("PEAKTRADE_LOG=json" in rest for word, rest in last if word == "ENV")
    assert [rest for word, rest in steps if word == "COPY" and "--from" not in rest] == [
        "*.whl constraints.txt /build/"
    ]
    assert (Path(run.environment["PYTHONPATH"]) / "peaktrade_core/_share/templates/container/Containerfile").is_file()  # type: ignore[attr-defined]


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
        with urllib.request.urlopen(f"{url}api/live_sessions", timeout=300) as answer:
            assert any(row["mode"] == "shadow" for row in json.load(answer))
        with urllib.request.urlopen(f"{url}sessions", timeout=300) as answer:
            assert b"</html>" in answer.read()
    finally:
        server.terminate()
        server.wait(60)
