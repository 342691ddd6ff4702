"""Every command, for people and for programs, in an empty and a used workspace, on terminals of any kind.

No trace, JSON that parses, an exit code that is documented, no line wider than the terminal, nothing that acts on it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import product

import pytest

from peaktrade_core.base.text import said
from peaktrade_core.cli import cli
from peaktrade_core.workspace.workspace import HOME
from tests.cli.surface import BY, NASTY, Place, faults, paths, ran, used_workspace, workspace_in

ASKED = {  # every command with what it needs to say something
    "alerts ack": ("ALERT", *BY),
    "alerts backtest": ("config/alerts.toml",),
    "alerts check": (),
    "alerts list": ("--all",),
    "alerts rules": (),
    "alerts silence": ("--rule", "failed-session", "--for", "1h", *BY, "--reason", NASTY),
    "alerts test-channel": ("log",),
    "alerts unsilence": ("none", *BY),
    "approve": ("REQ-20260105-0",),
    "audit adopt": (*BY, "--reason", "mine"),
    "audit snapshot": ("--stdout",),
    "audit verify": (),
    "backup create": ("out",),
    "backup list": (),
    "backup restore": ("gone.tar.gz", "--to", "elsewhere"),
    "backup verify": ("gone.tar.gz",),
    "backtest": ("--steps", "50", "--warmup-candles", "60"),
    "todo": (),
    "control": (),
    "control repo": (),
    "data check": (),
    "data import": ("nothing.csv",),
    "data list": (),
    "doctor": (),
    "drill coverage": (),
    "drill list": (),
    "drill log": (),
    "drill note": ("latest", "learned"),
    "drill score": (),
    "evidence add": ("--tag", "odd", "--text", NASTY, *BY),
    "evidence countersign": ("EVIDENCE", "--by", "another person"),
    "evidence list": (),
    "evidence show": ("EVIDENCE",),
    "evidence verify": (),
    "exchange fetch": ("BTC/EUR", "--since", "yesterday"),
    "exchange venues": ("kraken", "okx"),
    "experiments analyze": (),
    "experiments compare": ("nothing", "nowhere"),
    "experiments details": ("nothing",),
    "experiments export": ("nothing",),
    "experiments list": (),
    "experiments note": ("nothing", "--note=x"),
    "experiments show": ("nothing",),
    "experiments sweep-summary": ("nothing",),
    "experiments sweeps": (),
    "experiments top": (),
    "export dashboard": (),
    "export page": ("nothing",),
    "findings list": (),
    "findings run": ("armstrong_phases", "--feed", "synthetic"),
    "fleet restart": ("nothing",),
    "fleet status": (),
    "fleet stop": ("--all",),
    "fleet tail": ("latest",),
    "forward evaluate": (),
    "forward signals": ("--strategy", "ma_crossover", "--symbol", "BTC/EUR"),
    "gates": (),
    "holdout status": (),
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
    "ops contacts": (),
    "ops health": (),
    "ops note": (NASTY, *BY),
    "ops notes": (),
    "ops orders": (),
    "ops portfolio": (),
    "ops retention": (),
    "orders open": (),
    "orders preview": (),
    "change adopt": (*BY, "--reason", NASTY),
    "change apply": ("CHG-20260105-0", *BY),
    "change approve": ("CHG-20260105-0",),
    "change list": ("--all",),
    "change propose": ("live_risk.max_order_notional=500", *BY, "--reason", NASTY),
    "change reject": ("CHG-20260105-0", *BY, "--reason", NASTY),
    "change show": ("CHG-20260105-0",),
    "change verify": (),
    "people change": ("config/people.toml", *BY, "--reason", NASTY),
    "people check": (),
    "people list": (),
    "portfolio build": (),
    "portfolio presets": (),
    "portfolio show": ("nothing",),
    "readiness": (),
    "reject": ("REQ-20260105-0", *BY, "--reason", NASTY),
    "report status": ("--stdout",),
    "requests list": ("--all",),
    "requests show": ("REQ-20260105-0",),
    "risk check": (),
    "risk halt": (*BY, "--reason", NASTY),
    "risk replay": ("latest", "--set", "max_order_notional=100"),
    "risk resume": ("--scope", "global", *BY, "--reason", "calm"),
    "risk show": (),
    "risk status": (),
    "risk sweep": ("--set", "max_order_notional=100"),
    "runbook list": (),
    "scan": ("--strategy", "ma_crossover", "--symbols", "BTC/EUR,ETH/EUR", "--feed", "synthetic"),
    "schedule list": (),
    "schedule next": (),
    "schedule run-now": ("retention",),
    "schedule status": (),
    "service install": ("--dry-run",),
    "service status": ("--to", "units"),
    "session costs": (),
    "session diff": ("latest", "--backtest"),
    "session list": (),
    "session import": ("--csv", "nothing.csv", "--start-balance", "1000"),
    "session replay": ("latest",),
    "session report": ("--stdout",),
    "session run": ("--dry-run",),
    "session show": (),
    "strategies list": (),
    "strategies promote": ("armstrong_cycle", "--to=aux", "--by=ada"),
    "strategies show": ("armstrong_cycle",),
    "watch": ("--status",),
}
ELSEWHERE = {  # serve, start processes, ask a venue or take seconds: each has tests of its own
    "audit anchor", "audit bundle", "dashboard", "demo", "drill run",
    "exchange funding", "exchange inspect", "exchange markets", "fleet start", "fleet start-shadow",
    "fleet start-testnet", "gates run", "holdout open", "lab", "monitor follow", "portfolio backtest", "report daily",
    "report self-assessment", "report weekly", "runbook run", "schedule run", "schedule work", "smoke", "sweep run",
}  # fmt: skip
ENCODINGS = ("utf-8", "latin-1", "ascii", "cp1252")
WIDTHS = (80, 140)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(workspace_in(tmp_path_factory.mktemp("empty") / "home"), {})


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return used_workspace(tmp_path_factory.mktemp("used") / "home")


def test_every_command_is_asked_here_or_tested_elsewhere() -> None:
    assert {name for name, _ in paths(cli)} == set(ASKED) | ELSEWHERE


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("desk", ["empty", "used"])
def test_a_command_on_every_surface(
    name: str, desk: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, words = request.getfixturevalue(desk)
    monkeypatch.setenv(HOME, str(home))
    monkeypatch.chdir(home)
    args = [*name.split(), *(words.get(word, word) for word in ASKED[name])]
    for encoding, width, as_json in product(ENCODINGS, WIDTHS, (False, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        ended = ran([*args, *(["--json"] if as_json else [])], encoding)
        is_document = "--stdout" in args or name == "service install"  # its lines are as long as they are
        found = faults(ended, as_json=as_json, width=None if is_document else width)
        assert not found, (
            f"peaktrade {' '.join(args)}, {desk}, {encoding}, {width}, {as_json}: {found}\n{ended.out}{ended.err}"
        )


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
