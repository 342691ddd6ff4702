"""A session on a venue's candles: its bars can be checked only where there is a second source of them."""

from __future__ import annotations

import numpy as np

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.drills.staging.site import market
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.trading.market import Bar
from peaktrade_core.workspace.workspace import Workspace, open_site

BARS = 900


def test_the_store_is_the_second_source(workspace: Workspace) -> None:
    scenario = find_scenario(workspace.home, "outlier")
    done = run_drill(workspace, scenario, operator="Anna Example", script="good")
    site = open_site(workspace.home / done.workspace)
    alone = compare_session(site, done.session_id)
    assert [part.cause for part in alone.parts if not part.known] == ["data", "logic"]
    assert "peaktrade exchange fetch" in alone.notes[0]
    source = market(scenario, "BTC/EUR")
    bars = source.bars(60, source.first_ts + BARS * 60.0, BARS)
    CandleStore.of_workspace(site.home).put(Series("kraken", "BTC/EUR", "1m"), _kept(bars))
    found = compare_session(site, done.session_id)
    assert all(part.known for part in found.parts)
    assert found.first is not None
    assert (found.first.cause, "close" in found.first.why) == ("data", True)
    assert found.part("data").says.startswith("1 bar changed, 0 missing")
    halted = found.part("controls")
    assert "REDUCING" in halted.says


def _kept(bars: list[Bar]) -> list[Bar]:
    return [bar for bar in bars if np.isfinite(bar.close)][:-1]  # the last one is still open
