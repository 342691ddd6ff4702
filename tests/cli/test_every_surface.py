"""Every command, for people and for programs, in an empty and a used workspace, on terminals of any kind.

No trace, JSON that parses, an exit code that is documented, no table wider than the terminal, nothing that acts on it.
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

from peaktrade_core.base.text import said
from peaktrade_core.cli import cli, main
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import HOME, Workspace

REPO = Path(__file__).resolve().parents[2]
CODES = {int(code) for code in re.findall(r"^\| (\d+) \|", (REPO / "docs" / "cli.md").read_text(), re.MULTILINE)}
NASTY = "It \x1b[31mbled\a\u202e → ✓ € „Straße“ 取引 \x9b2J"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
BY = ("--by", "Ada")
ASKED = {  # every command with what it needs to say something
    "alerts ack": ("ALERT", *BY),
    "alerts backtest": ("config/alerts.toml",),
    "alerts check": (),
    "alerts list": ("--all",),
    "alerts rules": (),
    "alerts silence": ("--rule", "failed-session", "--for", "1h", *BY, "--reason", NASTY),
    "alerts test-channel": ("log",),
    "alerts unsilence": ("none", *BY),
    "audit adopt": (*BY, "--reason", "mine"),
    "audit snapshot": ("--stdout",),
    "audit verify": (),
    "backtest": ("--steps", "50", "--warmup-candles", "60"),
    "control": (),
    "data check": (),
    "data list": (),
    "doctor": (),
    "drill coverage": (),
    "drill list": (),
    "drill log": (),
    "drill note": ("latest", "learned"),
    "drill score": (),
    "evidence list": (),
    "evidence show": ("EVIDENCE",),
    "evidence verify": (),
    "exchange fetch": ("BTC/EUR", "--since", "yesterday"),
    "export dashboard": (),
    "export page": ("nothing",),
    "fleet restart": ("nothing",),
    "fleet status": (),
    "fleet stop": ("--all",),
    "fleet tail": ("latest",),
    "gates": (),
    "incident assign": ("INCIDENT", "fixer", "Bo", *BY),
    "incident attach": ("INCIDENT", "config/config.toml", *BY),
    "incident close": ("INCIDENT", "--cause", "c", "--resolution", "r", *BY),
    "incident describe": ("INCIDENT", "--symptom", NASTY, *BY),
    "incident diagnose": (),
    "incident done": ("INCIDENT", "1", *BY),
    "incident list": (),
    "incident mitigate": ("INCIDENT", NASTY, *BY),
    "incident note": ("INCIDENT", NASTY, *BY),
    "incident open": ("--kind", "data_gap", "--title", NASTY, "--severity", "low", *BY),
    "incident postmortem": ("INCIDENT", "--root-cause", "r", "--went-well", "w", "--went-badly", "b", *BY),
    "incident review": (),
    "incident severity": ("INCIDENT", "high", "--reason", "r", *BY),
    "incident show": ("INCIDENT",),
    "init": (".",),
    "killswitch audit": (),
    "killswitch engage": (*BY, "--reason", NASTY),
    "killswitch release": (*BY, "--reason", "calm"),
    "killswitch status": (),
    "monitor overview": ("--include-inactive",),
    "monitor run": ("latest",),
    "ops health": (),
    "ops orders": (),
    "ops portfolio": (),
    "ops retention": (),
    "orders open": (),
    "orders preview": (),
    "readiness": (),
    "report status": ("--stdout",),
    "risk check": (),
    "risk halt": (*BY, "--reason", NASTY),
    "risk replay": ("latest", "--set", "max_order_notional=100"),
    "risk resume": ("--scope", "global", *BY, "--reason", "calm"),
    "risk show": (),
    "risk status": (),
    "runbook list": (),
    "schedule list": (),
    "schedule next": (),
    "schedule run-now": ("retention",),
    "schedule status": (),
    "session diff": ("latest", "--backtest"),
    "session list": (),
    "session report": ("--stdout",),
    "session run": ("--dry-run",),
    "session show": (),
    "strategies": (),
    "watch": ("--status",),
}
ELSEWHERE = {  # serve, start processes, ask a venue or take seconds: each has tests of its own
    "dashboard", "demo", "drill run", "exchange inspect", "exchange markets", "fleet start", "fleet start-shadow",
    "fleet start-testnet", "gates run", "monitor follow", "report daily", "report weekly", "runbook run", "schedule run",
    "schedule work", "smoke",
}  # fmt: skip
SCREENS = [  # encoding, width, as JSON
    ("utf-8", 80, False), ("utf-8", 140, False), ("latin-1", 80, False), ("latin-1", 140, False),
    ("utf-8", 80, True), ("latin-1", 80, True),
]  # fmt: skip


class Place(NamedTuple):
    """A workspace and what stands for the words of the table in it."""

    home: Path
    words: dict[str, str]


def _paths(command: click.Command, path: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _paths(found, f"{path} {name}".strip())


def _made(home: Path) -> Path:
    (home / "config").mkdir(parents=True)
    for name in ("config.toml", "alerts.toml", "jobs.toml"):
        (home / "config" / name).write_bytes((REPO / "config" / name).read_bytes())
    return home


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(_made(tmp_path_factory.mktemp("empty") / "home"), {})


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a workspace with sessions good and bad, records of others, alerts, an incident, evidence and a halt."""
    home = _made(tmp_path_factory.mktemp("used") / "home")
    workspace = Workspace(home)
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


class Ran(NamedTuple):
    """How a command ended and what it wrote."""

    code: object
    out: str
    err: str


def ran(args: list[str], encoding: str = "utf-8") -> Ran:
    """Run the command line in this process with streams of an encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        main(args)
    except SystemExit as end:
        code = end.code
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
    return Ran(code, *(stream.buffer.getvalue().decode(encoding) for stream in (out, err)))


def too_wide(text: str, width: int) -> list[str]:
    """Return the lines of tables that are wider than the screen; one word alone may be."""
    found, inside = [], False
    for line in text.splitlines():
        if re.fullmatch(r"[^a-z]*[A-Z][^a-z]*  [^a-z]*[A-Z][^a-z]*", line):
            inside = True
        inside = inside and bool(line.strip())
        if inside and len(line) > width and len(line.split()) > 1:
            found.append(line)
    return found


def test_every_command_is_asked_here_or_tested_elsewhere() -> None:
    assert set(_paths(cli)) == set(ASKED) | ELSEWHERE


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("desk", ["empty", "used"])
def test_a_command_on_every_surface(
    name: str, desk: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, words = request.getfixturevalue(desk)
    monkeypatch.setenv(HOME, str(home))
    monkeypatch.chdir(home)
    for encoding, width, as_json in SCREENS:
        monkeypatch.setenv("COLUMNS", str(width))
        args = [*name.split(), *(words.get(word, word) for word in ASKED[name]), *(["--json"] if as_json else [])]
        code, out, err = ran(args, encoding)
        where = f"peaktrade {' '.join(args)}, {desk}, {encoding}, {width}: {code}\n{out}\n{err}"
        assert code in CODES, where
        assert not re.search("Traceback|bug in peaktrade", err), where
        assert not ACTS.search(out + err), where
        if as_json:
            assert out or code, where
            assert not out or json.loads(out) is not ..., where
        else:
            assert out or err, where
            assert not too_wide(out, width), where


def test_what_a_latin_1_terminal_lacks_is_said_in_other_signs(used: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(used.home))
    out = ran(["incident", "show", used.words["INCIDENT"]], "latin-1").out
    assert "-> v EUR" in out
    assert "Straße" in out
    assert "\\u202e" in out
    assert json.loads(ran(["incident", "show", used.words["INCIDENT"], "--json"], "latin-1").out)["title"] == said(
        NASTY
    )


def test_a_table_into_a_file_is_a_line_a_row(used: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(used.home))
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = json.loads(ran(["session", "list", "--json"]).out)
    listed = ran(["session", "list"]).out.splitlines()
    assert listed[0].startswith("SESSION  ")
    assert len(rows) == listed.index("") - 1
    assert datetime.now(UTC).strftime("%Y-%m-%d ") in listed[1]
