"""What the documentation says is what happens: the commands that replace the seeds' scripts all run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from peaktrade_core.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parent.parent
CLI = (REPOSITORY / "docs" / "cli.md").read_text()
REPLACEMENTS = [
    command
    for row in re.findall(r"^\| `[a-z_]+\.py.*$", CLI, re.MULTILINE)
    for command in re.findall(r"`(peaktrade [^`]+)`", row.split(" | ")[1])
    if "(needs" not in row  # tests/venue runs those of a venue against one on this machine
]


def test_the_table_of_replacements_is_found() -> None:
    assert len(REPLACEMENTS) >= 8


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("command", REPLACEMENTS)
def test_replacement_of_a_seed_command_runs(command: str, peaktrade, tmp_path: Path) -> None:
    words = shlex.split(command.replace("DIR", str(tmp_path / "out")))[1:]
    assert peaktrade(*words).code == 0


def test_every_command_is_documented() -> None:
    missing = [name for name in COMMANDS if f"`{name}" not in CLI]
    assert not missing


def test_every_exit_code_is_documented() -> None:
    from peaktrade_core.base import errors

    codes = {
        value.exit_code for value in vars(errors).values() if isinstance(value, type) and hasattr(value, "exit_code")
    }
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)}
    assert codes <= documented
