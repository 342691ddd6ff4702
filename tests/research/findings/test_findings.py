"""Findings: chance is called chance, what is planted is found, nothing is read that is held back, every look counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.research.findings.chance import block_length, bootstrap_interval, holm, shuffled_p, stretches
from peaktrade_core.research.findings.run import FAILS, HOLDS, NOTHING, TOO_FEW, run_finding
from peaktrade_core.research.findings.spec import Finding, MarketAsked, States, find_finding
from peaktrade_core.research.findings.states import after, labels, variance_rank
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.synthetic import START_TS, SyntheticFeed
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.workspace.workspace import Workspace

HOUR, DAY = 3600, 86_400
DAYS = "kraken_BTC-EUR_1d_20180727-20200714"


def persistent(rng: np.random.Generator, n: int, stay: float) -> Any:
    """Return two states that last, 1 / (1 - stay) bars on average."""
    return np.cumsum(rng.random(n) > stay) % 2


def test_states_that_last_and_returns_that_overlap_are_no_finding() -> None:
    """What a test without blocks calls a finding in every other market."""
    naive = found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        at = persistent(rng, 3000, 0.98)
        returns = np.convolve(rng.standard_normal(3023), np.ones(24), "valid")  # as over the next 24 bars
        both, _ = shuffled_p(returns, at, 2, block_length(at, 24), 200, seed)
        found += bool(both[0] <= 0.05)
        alone, _ = shuffled_p(returns, at, 2, 1, 200, seed)
        naive += bool(alone[0] <= 0.05)
    assert naive > 30
    assert found <= 8  # of 60; five per cent are 3, and blocks are an approximation


def test_the_interval_is_that_of_independent_returns_where_they_are() -> None:
    rng = np.random.default_rng(1)
    returns, inside = rng.standard_normal(4000), np.arange(4000) % 2 == 0
    low, high = bootstrap_interval(returns, inside, 1, 4000, 7)
    own = returns[inside]
    error = own.std(ddof=1) / np.sqrt(len(own))
    assert low == pytest.approx(own.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(own.mean() + 1.96 * error, abs=0.15 * error)
    longer = np.repeat(rng.standard_normal(200), 20)  # twenty bars say the same
    narrow, wide = (np.ptp(bootstrap_interval(longer, np.ones(4000, bool), size, 2000, 7)) for size in (1, 40))
    assert wide > 3.0 * narrow
    assert all(np.isnan(bootstrap_interval(returns, np.zeros(4000, bool), 5, 200, 0)))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03], 3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01], 5) == pytest.approx([0.05])  # four others were asked before
    assert holm([0.6, 0.9], 2) == [1.0, 1.0]
    assert holm([], 3) == []
    assert [stretches(np.array(one, bool)) for one in ([1, 1, 0, 1], [0, 0], [0, 1], [])] == [2, 0, 1, 0]


def test_the_return_after_a_bar_begins_at_the_next_open_and_needs_every_bar() -> None:
    ts = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0]) * HOUR  # the bar of hour 3 is missing
    opens, closes = np.array([10.0, 11, 12, 14, 15, 16]), np.array([10.5, 11.5, 12.5, 14.5, 15.5, 16.5])
    ohlcv = np.column_stack([opens, opens + 5, opens - 5, closes, np.ones(6)])
    found = after(Bars(ts, ohlcv, "hand"), HOUR, 2)
    assert found[0] == pytest.approx(12.5 / 11.0 - 1.0)
    assert found[3] == pytest.approx(16.5 / 15.0 - 1.0)
    assert np.isnan(found[[1, 2, 4, 5]]).all()
    assert np.isnan(after(Bars(ts, ohlcv, "hand"), HOUR, 9)).all()


def test_states_are_those_of_the_strategy_and_know_nothing_later(workspace: Workspace, cache: Path) -> None:
    plan = plan_session(workspace, strategy="el_karoui_vol_model", timeframe="1h", warmup_candles=0,
                        params={"window": 5, "lookback": 40})  # fmt: skip
    rows = np.array(list(islice(SyntheticFeed(4, HOUR), 900)))
    bars = Bars(rows[:, 0], rows[:, 1:], "synthetic")
    rank = variance_rank(bars.ohlcv[:, 3], 5, 40)
    signal = run_backtest(plan.decision, bars, 0, cache).signal
    known = np.isfinite(rank)
    assert known.sum() == 900 - 45
    assert np.array_equal(signal[known] == 1.0, rank[known] < 0.67)
    for states in (
        States(kind="volatility", window=5, lookback=40), States(kind="weekday"), States(kind="hour"), States(kind="phase"),
        States(kind="signal", strategy="el_karoui_vol_model", warmup=50),
    ):  # fmt: skip
        whole, part = (
            labels(states, one, plan.decision, cache) for one in (bars, Bars(bars.ts[:600], bars.ohlcv[:600], "part"))
        )
        assert np.array_equal(whole.at[:600], part.at)
        assert whole.names == part.names
    weekday = labels(States(kind="weekday"), bars, plan.decision, cache)
    assert weekday.names[weekday.at[0]] == "Thursday"  # 2026-01-01
    assert labels(States(kind="hour"), bars, plan.decision, cache).names[weekday.at[0]] == "03 h"


def market(seed: int, days: int, edge: Callable[[int], float], spread: float = 0.02) -> list[Bar]:
    """Return days whose return is drawn, and more by ``edge`` of their number."""
    rng = np.random.default_rng(seed)
    bars, price = [], 1000.0
    for day in range(days):
        close = price * (1.0 + spread * float(rng.standard_normal()) + edge(day))
        bars.append(Bar(START_TS - (days - day) * DAY, price, max(price, close), min(price, close), close, 1.0))
        price = close
    return bars


def asked(**changed: Any) -> Finding:
    given = {
        "name": "weekdays", "question": "Does a weekday tell the next day?", "states": States(kind="weekday"), "horizon": 1,
        "market": (MarketAsked(symbol="BTC/EUR", timeframe="1d"), MarketAsked(symbol="ETH/EUR", timeframe="1d")),
        "draws": 1000, **changed,
    }  # fmt: skip
    return Finding(**given)


def put(workspace: Workspace, symbol: str, bars: list[Bar]) -> None:
    CandleStore.of_workspace(workspace.home).put(Series("made-up", symbol, "1d"), bars)


def on_tuesdays(day: int) -> float:
    """Return an edge on every Tuesday of a market of 1,500 days that ends with 2025 (a Wednesday)."""
    return 0.02 if (1500 - day) % 7 == 2 else 0.0  # 1 is a Wednesday


def test_a_planted_edge_is_found_holds_unseen_and_on_both_markets(workspace: Workspace) -> None:
    for seed, symbol in enumerate(("BTC/EUR", "ETH/EUR")):
        put(workspace, symbol, market(seed, 1500, on_tuesdays))
    record = run_finding(workspace, asked())
    hold = {(row.symbol, row.state) for row in record.rows if row.word == HOLDS}
    assert hold == {("BTC/EUR", "Tuesday"), ("ETH/EUR", "Tuesday")}
    assert {row.word for row in record.rows if row.state != "Tuesday"} <= {NOTHING, FAILS}
    assert [one.status for one in record.verdict] == ["pass"] * 4
    assert all(row.low < row.mean < row.high for row in record.rows if row.mean is not None)
    assert record.held == 600


def test_an_edge_that_ends_does_not_hold_in_the_unseen_part(workspace: Workspace) -> None:
    for seed, symbol in enumerate(("BTC/EUR", "ETH/EUR")):
        put(workspace, symbol, market(seed, 1500, lambda day: on_tuesdays(day) if day < 840 else 0.0))  # 0.7 of 1,200
    record = run_finding(workspace, asked())
    words = {row.word for row in record.rows if row.state == "Tuesday"}
    assert words == {FAILS}
    assert {one.id: one.status for one in record.verdict}["unseen"] == "fail"


def test_what_is_held_back_and_unseen_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    """Other bars there change nothing of what is said of the seen part."""
    bars = market(5, 1000, lambda _: 0.0)
    put(workspace, "BTC/EUR", bars)
    finding = asked(market=(MarketAsked(symbol="BTC/EUR", timeframe="1d"),))
    record = run_finding(workspace, finding)
    (held,) = HoldOut(workspace).status()
    assert held.since.timestamp() == bars[800].ts
    assert record.unseen_from["BTC/EUR 1d"].timestamp() == bars[560].ts
    home = tmp_path / "other"
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((workspace.home / "config" / "config.toml").read_bytes())
    other = Workspace(home)
    put(other, "BTC/EUR", [*bars[:560], *(bar._replace(high=bar.high * 9, close=bar.close * 2) for bar in bars[560:])])
    seen = [
        [(row.state, row.count, row.mean, row.p) for row in one.rows] for one in (record, run_finding(other, finding))
    ]
    assert seen[0] == seen[1]


def test_every_look_counts_and_makes_the_next_one_harder(workspace: Workspace) -> None:
    put(workspace, "BTC/EUR", market(6, 1500, lambda _: 0.0))
    finding = asked(market=(MarketAsked(symbol="BTC/EUR", timeframe="1d"),))
    first = run_finding(workspace, finding)
    assert (first.tests, run_finding(workspace, finding)) == (7, first)
    count = TrialLedger(workspace).count(TrialMarket("finding", "BTC/EUR", "1d"))
    assert count == 7
    second = run_finding(workspace, asked(market=finding.market, horizon=2))
    assert second.tests == 14
    least = min(row.p for row in second.rows if row.p is not None)
    assert min(row.p_holm for row in second.rows if row.p_holm is not None) == pytest.approx(min(1.0, 14 * least))
    assert {row.run_type for row in Experiments(workspace).rows()} == {"finding"}


def test_a_state_that_was_there_once_is_too_few(workspace: Workspace, candles: Callable[[str], Path]) -> None:
    file = str(candles(DAYS))
    record = run_finding(workspace, asked(
        states=States(kind="phase"), market=(MarketAsked(symbol="BTC/EUR", timeframe="1d", candles=file),)
    ))  # fmt: skip
    assert {row.word for row in record.rows} == {TOO_FEW}
    assert all(row.mean is None and row.p is None for row in record.rows)
    assert [one.status for one in record.verdict] == ["fail", "unknown", "unknown", "unknown"]


def test_a_market_that_cannot_be_asked_is_told(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="no candles of BTC/EUR 1d"):
        run_finding(workspace, asked())
    put(workspace, "BTC/EUR", market(6, 700, lambda _: 0.0))
    record = run_finding(workspace, asked())
    assert list(record.errors) == ["ETH/EUR 1d"]
    put(workspace, "ETH/EUR", market(6, 4, lambda _: 0.0))
    with pytest.raises(DataError, match="too few"):
        run_finding(workspace, asked(market=(MarketAsked(symbol="ETH/EUR", timeframe="1d"),), horizon=3))


@pytest.mark.parametrize("name", ["volatility_regimes", "armstrong_phases"])
def test_the_shipped_findings_can_be_read(workspace: Workspace, name: str) -> None:
    assert find_finding(workspace, name).name == name


def test_the_command_and_what_is_wrong_with_a_file(
    peaktrade: Callable[..., Any], workspace: Workspace, home: Path
) -> None:
    put(workspace, "BTC/EUR", market(6, 1000, lambda _: 0.0))
    (home / "config" / "findings").mkdir()
    text = 'question = "q"\n[states]\nkind = "weekday"\n[[market]]\nsymbol = "BTC/EUR"\ntimeframe = "1d"\n'
    path = home / "config" / "findings" / "mine.toml"
    path.write_text(f"horizon = 1\n{text}")
    said = peaktrade("findings", "run", "mine", "--json")
    record = json.loads(said.stdout)
    assert (said.code, len(record["rows"]), record["finding"]["name"]) == (1, 7, "mine")
    shown = peaktrade("experiments", "details", record["finding_id"]).stdout
    assert shown.index("Verdict:") < shown.index("MEAN AFTER IT")
    for wrong, what in (
        ("horizon = 0\n", "horizon = 0 must be"), ("unseen = 0.9\n", "unseen"), ("colour = 1\n", "colour"),
        ("least_days = 5\n", "least_days"),
    ):  # fmt: skip
        path.write_text(wrong + text)
        refused = peaktrade("findings", "run", "mine")
        assert (refused.code, what in refused.stderr) == (2, True), refused.stderr
        assert "mine.toml" in peaktrade("findings", "list").stdout
    assert peaktrade("findings", "run", "nothing").code == 2
    with pytest.raises(ConfigError, match="needs a strategy"):
        States(kind="signal")
    with pytest.raises(ConfigError, match="twice"):
        asked(market=(MarketAsked(symbol="BTC/EUR", timeframe="1d"),) * 2)
