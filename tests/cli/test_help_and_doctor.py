"""Help that comes at once, and a doctor that tells a sound workspace from a broken one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from peaktrade_core.cli import COMMANDS, cli

HEAVY = {"pandas", "numpy", "plotly", "ccxt", "numba", "pyarrow", "rich", "voila", "papermill", "IPython", "jinja2"}


def _paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _paths(command.get_command(context, name), (*path, name))


ALL = list(_paths(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        done = CliRunner().invoke(cli, [*path, flag], prog_name="peaktrade")
        assert done.exit_code == 0
        assert done.output.startswith(f"Usage: {' '.join(('peaktrade', *path))}")
        assert len(done.output.splitlines()) > 4


def test_the_help_lists_every_command_with_its_purpose(peaktrade: Callable[..., Any]) -> None:
    ended = peaktrade("--help")
    assert ended.code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in ended.stdout
        assert text.split(",")[0] in " ".join(ended.stdout.split())
    assert peaktrade("nonsense").code == 2
    assert peaktrade("--version").stdout.startswith("peaktrade ")


@pytest.mark.parametrize("args", [["--help"], ["session", "--help"], ["session", "run", "--help"], ["risk", "status"]])
def test_quick_commands_load_nothing_heavy(home: Path, args: list[str]) -> None:
    script = (
        "import sys\n"
        "from peaktrade_core.cli import main\n"
        "try:\n"
        f"    main({[*args, *(['--home', str(home)] if args[-1] == 'status' else [])]!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & HEAVY


def checks_of(ended: Any) -> dict[str, dict[str, str]]:
    return {check["id"]: check for check in json.loads(ended.stdout)}


def test_doctor_passes_on_a_fresh_workspace_and_leaves_no_trace_in_it(
    peaktrade: Callable[..., Any], home: Path
) -> None:
    ended = peaktrade("doctor", "--json")
    found = checks_of(ended)
    assert ended.code == 0, ended.stdout
    for name in (
        "python",
        "packages",
        "config",
        "writable_reports",
        "writable_live_runs",
        "writable_logs",
        "registry",
        "halts",
    ):
        assert found[name]["status"] == "pass", found[name]
    assert {path.name for path in home.iterdir()} <= {"config", ".cache"}
    assert peaktrade("doctor").code == 0


def test_doctor_fails_on_a_broken_configuration_and_names_the_key(
    peaktrade: Callable[..., Any], configure: Callable[[str, str], None]
) -> None:
    configure("fee_bps = 26.0", 'fee_bps = "cheap"')
    ended = peaktrade("doctor", "--json")
    config = checks_of(ended)["config"]
    assert (ended.code, config["status"]) == (1, "fail")
    assert "session.fee_bps = 'cheap'" in config["evidence"]
    assert config["next_step"]


def test_doctor_names_the_symbol_that_the_configuration_does_not_know(
    peaktrade: Callable[..., Any], configure: Callable[[str, str], None]
) -> None:
    configure('[instruments."BTC/EUR"]', '[instruments."BTC/XYZ"]')
    ended = peaktrade("doctor", "--json")
    found = checks_of(ended)["instruments"]
    assert (ended.code, found["status"], "BTC/EUR" in found["evidence"]) == (1, "fail", True)


def test_doctor_says_when_every_order_would_be_denied(
    peaktrade: Callable[..., Any], configure: Callable[[str, str], None]
) -> None:
    configure("max_order_notional = 1000.0", "max_order_notional = 100.0")
    ended = peaktrade("doctor", "--json")
    assert (ended.code, checks_of(ended)["sizing"]["status"]) == (0, "warn")


@pytest.mark.parametrize("folder", ["reports", "live_runs", "logs"])
def test_doctor_fails_where_a_folder_cannot_be_written(peaktrade: Callable[..., Any], home: Path, folder: str) -> None:
    (home / folder).write_text("a file")
    ended = peaktrade("doctor", "--json")
    assert ended.code == 1
    assert checks_of(ended)[f"writable_{folder}"]["status"] == "fail"
    assert str(home / folder) in checks_of(ended)[f"writable_{folder}"]["evidence"]


def test_doctor_shows_halts_and_a_fixed_clock(peaktrade: Callable[..., Any]) -> None:
    peaktrade("risk", "halt", "--by", "Ada", "--reason", "news")
    found = checks_of(peaktrade("doctor", "--json", env={"PEAKTRADE_FIXED_CLOCK": "2026-01-05T08:00:00+00:00"}))
    assert (found["halts"]["status"], found["clock"]["status"]) == ("fail", "warn")
    assert "global HALTED by Ada: news" in found["halts"]["evidence"]


def test_init_makes_a_workspace_once(peaktrade: Callable[..., Any], home: Path) -> None:
    assert peaktrade("init", home / "new").code == 0
    again = peaktrade("init", home / "new")
    assert (again.code, "exists already; nothing was changed" in again.stderr) == (2, True)
    assert peaktrade("session", "run", "--steps", 5, "--home", home / "new").code == 0
    assert (home / "new" / "live_runs").is_dir()
    assert not (home / "live_runs").exists()
