"""What a terminal or a program sees of a command, run in this process, and what must never be seen.

Used by the table of all commands and by the two benchmarks that make up commands and artefacts.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from peaktrade_core.cli import main
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import HOME, Workspace

REPO = Path(__file__).resolve().parents[2]
CODES = {int(code) for code in re.findall(r"^\| (\d+) \|", (REPO / "docs" / "cli.md").read_text(), re.MULTILINE)}
NASTY = "It \x1b[31mbled\a\u202e → ✓ € „Straße“ 取引 \x9b2J\u2028 <img src=x onerror=alert(1)> [a](javascript:alert(1))"
BY = ("--by", "Ada")
_ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_RAW = re.compile(  # words of libraries, the interpreter and the system
    r"Traceback|bug in peaktrade|assume_timezone|Expected \d+ columns|\bErrno\b|NumbaWarning|object has no attribute|"
    r"unsupported operand|positional argument|\bNoneType\b|codec can't|surrogates|JSONDecodeError|ValidationError|"
    r"ArrowInvalid|sqlite3\.|OperationalError|has no len\(\)|unhashable|not subscriptable|out of range for|"
    r"Object contains unknown field|Expected `|invalid literal|could not convert|maximum recursion|"
    r"<class '|0x7f[0-9a-f]{6,}"
)


class Place(NamedTuple):
    """A workspace and what stands for the words of a table of commands in it."""

    home: Path
    words: dict[str, str]


class Ran(NamedTuple):
    """How a command ended and what it wrote."""

    code: object
    out: str
    err: str


def paths(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from paths(found, f"{path} {name}".strip())


def ran(args: list[str], encoding: str = "utf-8") -> Ran:
    """Run the command line in this process with streams of an encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    code: object = "it did not exit"
    try:
        main(args)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout, sys.stderr = before
    out.flush()
    err.flush()
    return Ran(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))


def faults(ended: Ran, *, as_json: bool = False, width: int | None = None) -> list[str]:
    """Return what is wrong with what a command wrote; empty when nothing is.

    Args:
        width: of the screen; None for no screen.
    """
    found = [] if ended.code in CODES else [f"exit code {ended.code!r} is not documented"]
    said = _RAW.search(ended.err) or (None if as_json else _RAW.search(ended.out))
    if said:
        found.append(f"says {said[0]!r}: {said.string[max(0, said.start() - 80) : said.end() + 200]!a}")
    if acts := _ACTS.search(ended.out + ended.err):
        found.append(f"shows {acts[0]!r} raw")
    if as_json and (ended.out or not ended.code):
        try:
            json.loads(ended.out)
        except ValueError as error:
            found.append(f"is not JSON: {error}")
    if not as_json and not ended.out and not ended.err:
        found.append("says nothing")
    if width is not None and not as_json:
        found += [f"is wider than {width}: {line}" for line in too_wide(ended.out, width)]
    return found


def too_wide(text: str, width: int) -> list[str]:
    """Return the lines that are wider than the screen although they could be broken between words."""
    return [line for line in text.splitlines() if len(line) > width and not _unbreakable(line, width)]


def _unbreakable(line: str, width: int) -> bool:
    """Return whether a line is a command, which is copied, or holds a word that finds no room."""
    indent = len(line) - len(line.lstrip())
    is_command = re.match(r"(\S+ {2,}|\s*)peaktrade \w", line)
    return bool(is_command) or any(indent + len(word) > width for word in re.findall(r"(?:`[^`]*`|\S)+", line))


def workspace_in(home: Path) -> Path:
    """Make an empty workspace with the shipped configuration."""
    (home / "config").mkdir(parents=True)
    for name in ("config.toml", "alerts.toml", "jobs.toml"):
        (home / "config" / name).write_bytes((REPO / "config" / name).read_bytes())
    return home


def used_workspace(home: Path) -> Place:
    """Make a workspace with sessions good and bad, records of others, alerts, an incident, evidence and a halt."""
    workspace = Workspace(workspace_in(home))
    for options in ({"steps": 300}, {"steps": 20, "notes": NASTY}):
        run_session(plan_session(workspace, **options), Desk.of(workspace))
    now = datetime.now(UTC).isoformat()
    foreign = {
        "session_id": NASTY,
        "started_at": now,
        "finished_at": now,
        "mode": NASTY,
        "status": "failed",
        "symbol": NASTY,
        "error": NASTY,
    }
    (Registry.of(workspace).folder / "foreign.json").write_text(json.dumps(foreign))
    (Registry.of(workspace).folder / "torn.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME, str(home))
        ran(["killswitch", "engage", *BY, "--reason", NASTY])
        ran(["alerts", "check", "--record"])
        opened = ran(["incident", "open", "--kind", "data_gap", "--title", NASTY, "--severity", "high", *BY, "--json"])
        alerts = json.loads(ran(["alerts", "list", "--json"]).out)["alerts"]
        ran(["risk", "halt", "--scope", "shadow.ma-crossover.BTC-EUR", *BY, "--reason", NASTY])
    book = EvidenceBook.of(workspace)
    words = {"INCIDENT": json.loads(opened.out)["incident_id"], "ALERT": alerts[0]["alert_id"]}
    return Place(home, words | {"EVIDENCE": next(iter(book.ids()), "EV-20260101-NONE-000000")})
