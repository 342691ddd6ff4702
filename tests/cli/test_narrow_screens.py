"""What an operator must see in a window of 80 columns, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from peaktrade_core.desk.demo import run_demo
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Command = Callable[..., Any]
NARROW = {"COLUMNS": "80"}


@pytest.mark.parametrize("words", ["session list", "fleet status", "monitor overview --include-inactive"])
def test_a_rehearsal_is_seen_to_be_one(
    peaktrade: Command, run_shadow: Callable[..., SessionRecord], words: str
) -> None:
    counted = run_shadow(seed=2, steps=60, strategy="donchian_breakout", symbol="BTC/EUR")
    practised = run_shadow(seed=1, steps=60, strategy="donchian_breakout", symbol="BTC/EUR", rehearsal=True)
    lines = peaktrade(*words.split(), env=NARROW).stdout.splitlines()
    (line,) = [one for one in lines if one.startswith(practised.session_id)]
    assert " rehearsal " in line
    (line,) = [one for one in lines if one.startswith(counted.session_id)]
    assert "rehearsal" not in line


def test_an_alert_says_what_it_is_about(peaktrade: Command, workspace: Workspace) -> None:
    _, failed, _ = run_demo(partial(plan_session, workspace), Desk.of(workspace))
    lines = peaktrade("alerts", "check", env=NARROW).stdout.splitlines()
    (line,) = [one for one in lines if "failed-session" in one]
    assert failed.record.session_id in line


def test_a_list_of_alerts_says_how_each_stands(peaktrade: Command, workspace: Workspace) -> None:
    run_demo(partial(plan_session, workspace), Desk.of(workspace))
    peaktrade("alerts", "check", "--record", env=NARROW)
    told = peaktrade("alerts", "list", env=NARROW).stdout
    assert ("STATE" in told, "raised" in told) == (True, True), told
