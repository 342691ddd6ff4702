"""A scan: what it says of a market is what a session or backtest says, every market counts, and what fails is a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.session.synthetic import START_TS, SyntheticFeed
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

N, HOUR = 2400, 3600
MARKET = ("--timeframe", "1h", "--warmup-candles", "60")
BTC = TrialMarket("ma_crossover", "BTC/EUR", "1h")


@pytest.fixture
def stored(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Hours of two markets; the last bar of the first is still open."""
    store = CandleStore.of_workspace(workspace.home)
    for seed, symbol in enumerate(("BTC/EUR", "ETH/EUR")):
        store.put(Series("made-up", symbol, "1h"), islice(SyntheticFeed(seed, HOUR), N + 1 - seed))
    monkeypatch.setenv(FIXED_CLOCK, iso(from_seconds(START_TS + N * HOUR + 1)))
    return workspace


def scanned(peaktrade: Callable[..., Any], *words: object, code: int = 0) -> Any:
    said = peaktrade("scan", "--strategy", "ma_crossover", "--symbols", "BTC/EUR,ETH/EUR", *MARKET, *words, "--json")
    assert said.code == code, said.stderr
    return json.loads(said.stdout)


def test_what_it_wants_is_the_last_signal_of_a_session_over_the_closed_bars(
    peaktrade: Callable[..., Any], stored: Workspace, run_shadow: Callable[..., Any], tmp_path: Path
) -> None:
    found = scanned(peaktrade)
    for seed, row in enumerate(found["rows"]):
        assert row["closed_at"] == iso(from_seconds(START_TS + N * HOUR)).replace("+00:00", "Z")
        assert row["bars"] == N
        store = CandleStore(tmp_path / "closed")
        series = Series("made-up", row["symbol"], "1h")
        store.put(series, islice(SyntheticFeed(seed, HOUR), N))
        record = run_shadow(candles=str(store.folder(series)), symbol=row["symbol"], timeframe="1h", warmup_candles=60)
        assert record.decision_id == row["decision_id"]
        bars = (stored.home / "live_runs" / record.session_id / "events.jsonl").read_text().splitlines()
        signals = [one["signal"] for one in map(json.loads, bars) if "signal" in one and "close" in one]
        assert signals[-1] == row["signal"]
        assert signals[-2] == row["before"]
    assert HoldOut(stored).status() == []  # nothing was looked at that is held back


def test_a_short_backtest_is_the_backtest_and_counts_once_with_it(
    peaktrade: Callable[..., Any], stored: Workspace
) -> None:
    found = scanned(peaktrade, "--mode", "backtest-lite", "-p", "fast=10")
    store = CandleStore.of_workspace(stored.home)
    folder = store.folder(store.find("BTC/EUR", "1h", "kraken"))
    words = ("--candles", folder, "--symbol", "BTC/EUR", *MARKET, "-p", "fast=10", "--json")
    ran = json.loads(peaktrade("backtest", *words).stdout)
    row = found["rows"][0]
    assert row["trial"]["equity"] == ran["metrics"]["equity_end"]
    assert row["held"] == N + 1 - row["bars"] > 0
    assert TrialLedger(stored).count(BTC) == 1
    assert [one["id"] for one in row["verdict"]] == ["enough", "deflated"]
    assert "of 2 trials ever begun" in row["verdict"][1]["evidence"]  # the other market is a try, too


def test_every_market_is_counted_before_and_signals_of_a_decision_once(
    peaktrade: Callable[..., Any], stored: Workspace
) -> None:
    first = scanned(peaktrade)
    assert TrialLedger(stored).count(BTC) == 1
    assert scanned(peaktrade)["scan_id"] == first["scan_id"]
    assert TrialLedger(stored).count(BTC) == 1
    assert scanned(peaktrade, "-p", "fast=10")["scan_id"] != first["scan_id"]
    assert TrialLedger(stored).count(BTC) == 2
    rows = {row.id: row for row in Experiments(stored).rows()}
    assert rows[first["scan_id"]].run_type == "scan"
    shown = peaktrade("experiments", "list", "--run-type", "scan", "--symbol", "ETH/EUR").stdout
    assert first["scan_id"] in shown
    assert "Wants".upper() in peaktrade("experiments", "details", first["scan_id"]).stdout


def test_a_market_that_cannot_be_read_is_a_row(peaktrade: Callable[..., Any], stored: Workspace) -> None:
    said = peaktrade("scan", "--strategy", "ma_crossover", "--symbols", " BTC/EUR , LTC/USD,NO/ONE", *MARKET, "--json")
    rows = json.loads(said.stdout)["rows"]
    assert said.code == 1
    assert [bool(row["error"]) for row in rows] == [False, True, True]
    assert "no candles of LTC/USD 1h are stored" in rows[1]["error"]
    none = peaktrade("scan", "--strategy", "ma_crossover", "--symbols", "LTC/USD", *MARKET)
    assert (none.code, "LTC/USD" in none.stderr) == (3, True)
    assert peaktrade("scan", "--strategy", "ma_crossover", "--symbols", ",", *MARKET).code == 2
    assert peaktrade("scan", "--strategy", "nothing", "--symbols", "BTC/EUR", *MARKET).code == 2
    assert peaktrade("scan", "--strategy", "ma_crossover", "--symbols", "BTC/EUR", *MARKET, "-p", "fast=x").code == 2
    short = peaktrade("scan", "--strategy", "ma_crossover", "--symbols", "BTC/EUR", "--timeframe", "1h", "--json",
                      "--warmup-candles", str(N))  # fmt: skip
    assert "have closed by" in json.loads(short.stdout)["rows"][0]["error"]


def test_a_tier_that_may_not_run_is_backtested_and_not_asked_what_it_wants(
    peaktrade: Callable[..., Any], stored: Workspace
) -> None:
    words = ("scan", "--strategy", "armstrong_cycle", "--symbols", "BTC/EUR", *MARKET)
    refused = peaktrade(*words)
    assert "TierNotAllowedError" in refused.stderr
    assert TrialLedger(stored).count(TrialMarket("armstrong_cycle", "BTC/EUR", "1h")) == 0
    assert peaktrade(*words, "--mode", "backtest-lite").code == 0
    assert TrialLedger(stored).count(TrialMarket("armstrong_cycle", "BTC/EUR", "1h")) == 1


def test_a_market_made_up_is_neither_counted_nor_kept(peaktrade: Callable[..., Any], workspace: Workspace) -> None:
    for mode in ("forward", "backtest-lite"):
        words = ("--symbols", "BTC/EUR,ETH/EUR", "--feed", "synthetic", "--mode", mode, "--json")
        found = json.loads(peaktrade("scan", "--strategy", "ma_crossover", *words).stdout)
        assert found["scan_id"] == ""
        assert found["rows"][0]["close"] != found["rows"][1]["close"]
    assert not (workspace.home / "reports" / "experiments").exists()


def test_a_broken_ledger_lets_nothing_be_tried(peaktrade: Callable[..., Any], stored: Workspace) -> None:
    scanned(peaktrade)
    path = stored.home / "reports" / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b"ma_crossover", b"no_crossover"))
    assert peaktrade("scan", "--strategy", "ma_crossover", "--symbols", "BTC/EUR", *MARKET, "-p", "fast=9").code == 4
