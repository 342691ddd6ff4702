"""What a day proves: sessions without a rest, a ledger that holds; where it does not, there is an alert."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.records.folder import RunFolder
from peaktrade_core.reports.jobs import differences
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "steps": 60}
Command = Callable[..., Any]


@pytest.fixture
def raised(home: Path, peaktrade: Command) -> Callable[[], dict[str, str]]:
    """Return a function that asks the alert rules and returns what they say of jobs."""
    (home / "config" / "alerts.toml").write_bytes((REPO / "config" / "alerts.toml").read_bytes())

    def turn() -> dict[str, str]:
        assert peaktrade("alerts", "check", "--record").stdout
        rows = json.loads(peaktrade("alerts", "list", "--json").stdout)["alerts"]
        return {
            row["key"]: row["message"] for row in rows if row["rule_id"] == "failed-job" and row["state"] == "raised"
        }

    return turn


def test_two_lines_of_the_ledger_that_changed_places_are_an_alert(
    workspace: Workspace,
    run_shadow: Callable[..., SessionRecord],
    peaktrade: Command,
    raised: Callable[[], dict[str, str]],
) -> None:
    for seed in (3, 4):
        run_shadow(**LIVELY, seed=seed)
    assert peaktrade("schedule", "run-now", "audit_verify").code == 0
    assert raised() == {}
    path = Ledger.of(workspace).path
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    path.write_bytes(b"".join(lines))
    assert peaktrade("schedule", "run-now", "audit_verify").code == 1
    assert "`peaktrade audit verify` says all of it" in raised()["audit_verify"]


def test_the_daily_notification_carries_the_head_of_the_ledger_off_the_machine(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], peaktrade: Command
) -> None:
    (workspace.home / "config" / "alerts.toml").write_bytes((REPO / "config" / "alerts.toml").read_bytes())
    run_shadow(**LIVELY, seed=3)
    assert peaktrade("schedule", "run-now", "audit_verify").code == 0
    assert peaktrade("watch", "--once").code == 0
    told = (workspace.home / "logs" / "alerts.log").read_text()
    (head,) = re.findall(r"checkpoint of the ledger.*?head of the ledger ([0-9a-f]{64})", told, re.DOTALL)
    said = peaktrade("audit", "verify", "--against", head)
    assert (said.code, "nothing was changed up to entry" in said.stdout) == (0, True)


def test_a_rest_of_the_day_is_a_failed_job(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    at = workspace.clock.now()
    day = Period(f"{at:%Y-%m-%d}", at)
    assert differences(workspace, day) == (True, "no session of this day has ended")
    first, second = (run_shadow(**LIVELY, seed=seed) for seed in (3, 4))
    assert differences(workspace, day) == (True, "2 of 2 sessions without a rest")
    journal = RunFolder(workspace.runs, first.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    at_end = max(n for n, line in enumerate(lines) if b'"type":"bar"' in line)
    bar = msgspec.json.decode(lines[at_end])
    lines[at_end] = msgspec.json.encode({**bar, "equity": bar["equity"] + 50.0}) + b"\n"
    journal.write_bytes(b"".join(lines))
    RunFolder(workspace.runs, second.session_id).journal.unlink()
    done, told = differences(workspace, day)
    assert not done
    assert told.startswith("0 of 1 sessions without a rest; rest +50.00 bps; 1 could not be compared. ")
    assert f"A rest has {first.session_id}:" in told
    assert differences(workspace, Period("2020-01-01", at)) == (True, "no session of this day has ended")
