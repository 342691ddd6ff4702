"""The same data, configuration, code and seed give the same events, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import BarDone, Gap, Halt, WarmedUp
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Run = Callable[..., SessionRecord]


def events_of(workspace: Workspace, record: SessionRecord) -> bytes:
    return RunFolder(workspace.runs, record.session_id).journal.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 1500, "seed": 5},
        {"steps": 800, "seed": 6, "strategy": "rsi_reversion", "symbol": "BTC/EUR-PERP", "timeframe": "5m"},
        {"steps": 400, "seed": 7, "strategy": "donchian_breakout", "symbol": "ETH/EUR", "notes": "with ümlaut"},
    ],
    ids=lambda options: options.get("strategy", "ma_crossover"),
)
def test_twice_the_same_session_gives_the_same_bytes(
    workspace: Workspace, run_shadow: Run, options: dict[str, object]
) -> None:
    first, second = run_shadow(**options), run_shadow(**options)
    assert first.metrics["num_orders"] > 0
    assert events_of(workspace, first) == events_of(workspace, second)
    assert first.metrics == second.metrics


def test_another_seed_gives_other_events(workspace: Workspace, run_shadow: Run) -> None:
    assert events_of(workspace, run_shadow(seed=1, steps=50)) != events_of(workspace, run_shadow(seed=2, steps=50))


def test_real_candles_twice_give_the_same_bytes(
    workspace: Workspace, run_shadow: Run, candles: Callable[[str], Path]
) -> None:
    path = candles("coinbase_BTC-USD_1m_20180404-20180406")
    first, second = (run_shadow(candles=path, symbol="BTC/USD") for _ in range(2))
    assert first.status == "completed"
    assert events_of(workspace, first) == events_of(workspace, second)


def test_the_pace_changes_nothing_but_the_time_it_takes(workspace: Workspace, run_shadow: Run) -> None:
    options = {"timeframe": "1s", "steps": 300, "seed": 3, "params": {"fast": 2, "slow": 5}}
    paced, unpaced = run_shadow(**options, pace=600.0), run_shadow(**options)
    assert paced.duration_seconds > 0.45 > unpaced.duration_seconds
    assert events_of(workspace, paced) == events_of(workspace, unpaced)


def test_a_session_that_starts_halted_is_the_same_at_every_pace(workspace: Workspace, run_shadow: Run) -> None:
    TradingStates.of(workspace).set("global", "HALTED", by="Ada", reason="news", now=workspace.clock.now())
    options = {"timeframe": "1s", "steps": 60, "seed": 3, "params": {"fast": 2, "slow": 5}}
    assert events_of(workspace, run_shadow(**options, pace=1000.0)) == events_of(workspace, run_shadow(**options))


def test_how_events_are_grouped_for_the_disk_changes_nothing(
    home: Path, configure: Callable[[str, str], None], run_shadow: Run
) -> None:
    before = events_of(Workspace(home), run_shadow(steps=300))
    configure("events = 2000", "events = 7")
    other = Workspace(home)
    assert events_of(other, run_session(plan_session(other, steps=300), Desk.of(other))) == before


def test_a_session_that_halts_itself_is_repeatable_too(
    home: Path, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The halt goes to the disk, where the session finds it again at its next look, whenever that is by the wall clock.
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.05")
    found = []
    for gate in (0.0, 0.25, 60.0):
        monkeypatch.setattr("peaktrade_core.session.loop.GATE_S", gate)
        workspace = Workspace(shutil.copytree(home, home.with_name(f"looks-every-{gate}")))
        record = run_session(plan_session(workspace, steps=1500), Desk.of(workspace))
        assert any(type(event) is Halt for event in read_journal(RunFolder(workspace.runs, record.session_id).journal))
        found.append(events_of(workspace, record))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe", "missing", "gaps"),
    [
        ("coinbase_BTC-USD_1m_20180404-20180406", "BTC/USD", "1m", 433, 2),
        ("coinbase_BTC-EUR_1m_20180404-20180406", "BTC/EUR", "1m", 657, 156),
        ("coinbase_LTC-USD_1m_20180404-20180406", "LTC/USD", "1m", 433, 4),
        ("coinbase_BTC-USD_1m_20170903-20170904", "BTC/USD", "1m", 0, 0),
        ("binancefut_BTCUSD-PERP_1m_20221213-20221213", "BTC/USD-PERP", "1m", 1, 1),
        ("bitfinex_BTC-USD_1h_20131001-20131031", "BTC/USD", "1h", 9, 7),
        ("kraken_BTC-EUR_1d_20180727-20200714", "BTC/EUR", "1d", 0, 0),
    ],
)
def test_a_replay_journals_exactly_the_gaps_of_its_file(
    workspace: Workspace,
    run_shadow: Run,
    candles: Callable[[str], Path],
    name: str,
    symbol: str,
    timeframe: str,
    missing: int,
    gaps: int,
) -> None:
    record = run_shadow(candles=candles(name), symbol=symbol, timeframe=timeframe)
    events = Views.of(workspace).events(record.session_id)
    found = [event for event in events if type(event) is Gap]
    warm = next(event.seq for event in events if type(event) is WarmedUp)
    traded = [gap for gap in found if gap.seq > warm]  # the record counts from the end of the warm-up, as steps do
    assert record.status == "completed"
    assert (sum(gap.missing for gap in found), len(found)) == (missing, gaps)
    assert record.metrics["bars_missing"] == sum(gap.missing for gap in traded)
    assert record.metrics["gaps"] == len(traded)
    for gap in found:
        assert (gap.last - gap.first).total_seconds() == (gap.missing - 1) * {"1m": 60, "1h": 3600}[timeframe]


def test_minutes_without_a_trade_are_bars_like_any_other(
    workspace: Workspace, run_shadow: Run, candles: Callable[[str], Path]
) -> None:
    record = run_shadow(candles=candles("kraken_BTC-EUR_1h_20200614-20200714"), timeframe="1h", warmup_candles=0)
    bars = [event for event in Views.of(workspace).events(record.session_id) if type(event) is BarDone]
    assert (len(bars), sum(bar.volume == 0.0 for bar in bars)) == (719, 52)
    assert record.metrics["bars_missing"] == 0
