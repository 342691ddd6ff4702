"""What the terminal says of times, counts, amounts and of nothing: as the other surfaces say it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.session.recovery import _left_open
from peaktrade_core.workspace.workspace import Workspace
from tests.cli.surface import ran

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d\d:\d\d in Berlin\)"


def said(workspace: Workspace, *words: str) -> str:
    """Return what a command writes."""
    return ran([*words, "--home", str(workspace.home)]).out


def test_a_time_is_said_in_utc_and_berlin_and_one_that_is_not_known_is_a_dash(workspace: Workspace) -> None:
    add_evidence(EvidenceBook.of(workspace), "SEEN", "seen", (), by="Ada")
    IncidentBook.of(workspace).open("data_gap", "a gap", subject="", severity="low", by="Ada", role="operator")
    shown = said(workspace, "evidence", "show", "latest")
    assert re.search(rf"began +{MOMENT}", shown)
    assert re.search(rf"ended +{MOMENT}", shown)
    report = said(workspace, "incident", "show", "latest")
    assert re.search(rf"\| Opened \| {MOMENT} by Ada", report)
    assert "| Began, by the evidence | – |" in report


def test_sweeps_are_missed_as_sweeps(workspace: Workspace) -> None:
    assert "No sweep was run yet: `peaktrade sweep run`" in said(workspace, "experiments", "sweeps")


def test_positions_are_counted_whole(workspace: Workspace) -> None:
    assert re.search(r"max_open_positions +0 +5 +positions", said(workspace, "risk", "show"))


def test_what_a_dead_session_left_open_has_its_currency_and_a_whole_price() -> None:
    bar = SimpleNamespace(close=50_802.8)
    tally = SimpleNamespace(ledger=SimpleNamespace(qty=0.00984), last_bar=bar)
    told = _left_open(cast("Any", tally), cast("Any", SimpleNamespace(symbol="BTC/EUR", session_id="shadow_1")))
    assert "worth 499.90 EUR at its last price 50,802.80" in told
