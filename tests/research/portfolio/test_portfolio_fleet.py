"""A portfolio is a fleet: real sessions over the same candles, with one account between them, journal the same events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.halts import account as seats
from peaktrade_core.research.portfolio.account import run_portfolio
from peaktrade_core.research.portfolio.preset import Weights
from peaktrade_core.research.portfolio.sleeve import SleevePlan
from peaktrade_core.runs.views import Views
from peaktrade_core.session import loop
from peaktrade_core.session.plan import Desk, Plan
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.market import Bar, Bars, timeframe_seconds
from peaktrade_core.trading.ports import Pause
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace

DECIDED = (ev.Fill, ev.Order, ev.Denial, ev.Halt, ev.Severity)
FLEET = (
    ("donchian_breakout", "BTC/EUR-PERP", "1m", 1, {"window": 5}),
    ("ma_crossover", "BTC/EUR", "1m", 2, {"fast": 3, "slow": 9}),
    ("rsi_reversion", "ETH/EUR", "5m", 3, {"period": 3}),
    ("donchian_breakout", "ETH/EUR", "1m", 4, {"window": 4}),
)
REAL = (  # with the gaps that they have: seven hours without trades in all, single minutes in the first
    ("donchian_breakout", "BTC/USD-PERP", "coinbase_BTC-EUR_1m_20180404-20180406", {"window": 15}),
    ("ma_crossover", "BTC/USD", "coinbase_BTC-USD_1m_20180404-20180406", {"fast": 3, "slow": 9}),
    ("rsi_reversion", "ETH/USD", "coinbase_ETH-USD_1m_20180404-20180405", {"period": 3}),
    ("donchian_breakout", "LTC/USD", "coinbase_LTC-USD_1m_20180404-20180406", {"window": 30}),
)
WARMUP = 60


class Turns:
    """Whose turn it is: by the time of a bar's close, then by rank, one at a time."""

    def __init__(self, agenda: list[tuple[float, int]]) -> None:
        self._agenda, self._at, self._changed = sorted(agenda), 0, threading.Condition()

    def take(self, turn: tuple[float, int]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._agenda[self._at] == turn, timeout=120.0), "a session hangs"

    def give(self) -> None:
        with self._changed:
            self._at += 1
            self._changed.notify_all()

    def rest(self) -> None:
        """Keep one's seat until all turns are over."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._at == len(self._agenda), timeout=120.0), "a session hangs"


class InTurn:
    """The feed of a paced session: between its bars it tells the account what it holds, as it does in any pause."""

    name, simulated, skew_s, data_sha256 = "replay", True, 0.0, None

    def __init__(self, bars: Bars, bar_s: float, rank: int, turns: Turns) -> None:
        self._bars, self._bar_s, self._rank, self._turns = bars, bar_s, rank, turns

    def __len__(self) -> int:
        return len(self._bars)

    def __iter__(self) -> Iterator[Bar | Pause]:
        for at in range(len(self._bars)):
            bar = self._bars[at]
            if at < WARMUP:
                yield bar
                continue
            self._turns.take((bar.ts + self._bar_s, self._rank))
            if at > WARMUP:
                yield Pause(0.0)
            yield bar
            yield Pause(0.0)
            self._turns.give()
        self._turns.rest()


def market(seed: int, timeframe: str, hours: float, missing: slice) -> Bars:
    bar_s = timeframe_seconds(timeframe)
    rows = np.array(list(SyntheticFeed(seed, bar_s, volatility=2.0, bars=WARMUP + int(hours * 3600 / bar_s))))
    rows[:, 0] -= WARMUP * bar_s  # all of them begin to trade at once
    rows = np.delete(rows, missing, axis=0)
    return Bars(rows[:, 0], rows[:, 1:])


def planned(workspace: Workspace, **more: Any) -> list[tuple[Plan, Bars]]:
    found = []
    for strategy, symbol, timeframe, seed, params in FLEET:
        plan = plan_session(
            workspace, strategy=strategy, symbol=symbol, timeframe=timeframe, params=params, warmup_candles=WARMUP,
            position_fraction=0.09, **more,
        )  # fmt: skip
        missing = slice(300 + 10 * seed, 300 + 17 * seed)
        found.append((plan, market(seed, timeframe, 14.0, missing)))
    return found


def real(workspace: Workspace, candles: Callable[[str], Path]) -> list[tuple[Plan, Bars]]:
    """Return the plans of real markets, which begin to trade at the first time that all have, and end together."""
    read = [read_candles(candles(file), bar_s=60.0) for _, _, file, _ in REAL]
    begin = min(set.intersection(*(set(bars.ts[WARMUP + 1 :].tolist()) for bars in read)))
    end = min(float(bars.ts[-1]) for bars in read)
    found = []
    for (strategy, symbol, _, params), bars in zip(REAL, read, strict=True):
        plan = plan_session(
            workspace, strategy=strategy, symbol=symbol, timeframe="1m", params=params, warmup_candles=WARMUP,
            position_fraction=0.09,
        )  # fmt: skip
        first, last = np.searchsorted(bars.ts, begin), np.searchsorted(bars.ts, end, side="right")
        found.append((plan, bars.part(int(first) - WARMUP, int(last))))
    return found


def run_fleet(workspace: Workspace, plans: list[tuple[Plan, Bars]], ranks: list[int]) -> list[list[ev.AnyEvent]]:
    turns = Turns([
        (ts + plan.decision.bar_s, rank)
        for (plan, bars), rank in zip(plans, ranks, strict=True)
        for ts in bars.ts[WARMUP:].tolist()
    ])  # fmt: skip
    sessions = []
    for number, ((plan, bars), rank) in enumerate(zip(plans, ranks, strict=True)):
        feed = InTurn(bars, plan.decision.bar_s, rank, turns)
        config = msgspec.structs.replace(plan.config, steps=None)
        sessions.append(plan._replace(feed=feed, config=config, session_id=f"shadow_fleet_{number}"))
    with ThreadPoolExecutor(len(sessions)) as pool:
        records = list(pool.map(lambda plan: run_session(plan, Desk.of(Workspace(workspace.home))), sessions))
    assert [one.status for one in records] == ["completed"] * len(records), [one.error for one in records]
    views = Views.of(workspace)
    return [list(views.events(one.session_id)) for one in records]


LIMITS = {
    "wide": (
        ("max_daily_loss_abs = 500.0", "max_daily_loss_abs = 1e6"),
        ("max_daily_loss_pct = 5.0", "max_daily_loss_pct = 90.0"),
        ("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 90.0"),
    ),
    "tight": (
        ("max_total_exposure_notional = 5000.0", "max_total_exposure_notional = 2000.0"),
        ("max_open_positions = 5", "max_open_positions = 3"),
    ),
    "losing": (
        ("max_daily_loss_abs = 500.0", "max_daily_loss_abs = 60.0"),
        ("max_daily_loss_pct = 5.0", "max_daily_loss_pct = 0.12"),
    ),
}


@pytest.fixture(params=["made up", "real"])
def plans(request: pytest.FixtureRequest, workspace: Workspace) -> Callable[[], list[tuple[Plan, Bars]]]:
    if request.param == "real":
        candles = request.getfixturevalue("candles")
        return lambda: real(workspace, candles)
    return lambda: planned(workspace)


@pytest.mark.parametrize("limits", LIMITS)
def test_a_portfolio_is_a_fleet_event_by_event(
    workspace: Workspace,
    configure: Any,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: str,
    plans: Callable[[], list[tuple[Plan, Bars]]],
) -> None:
    for old, new in LIMITS[limits]:
        configure(old, new)
    monkeypatch.setattr(loop, "GATE_S", 0.0)  # every pause is long enough to tell the account
    monkeypatch.setattr(seats, "PUBLISH_S", 0.0)
    fleet = plans()
    order = sorted(range(len(fleet)), key=lambda at: (fleet[at][0].config.symbol, at))
    journals = run_fleet(workspace, fleet, [order.index(at) for at in range(len(fleet))])
    parts = [
        SleevePlan(str(n), plan.config.symbol, plan.decision, bars, WARMUP) for n, (plan, bars) in enumerate(fleet)
    ]
    ran = run_portfolio(parts, Weights(rebalance="never"), [0.25] * 4, cache)
    for journal, sleeve in zip(journals, ran.sleeves, strict=True):
        decided = [msgspec.structs.replace(one, seq=0) for one in journal if isinstance(one, DECIDED)]
        assert [msgspec.structs.replace(one, seq=0) for one in sleeve.events] == decided
        done = [one for one in journal if isinstance(one, ev.BarDone)]
        assert [one.equity for one in done] == sleeve.equity.tolist()
        assert [one.cash for one in done] == sleeve.cash.tolist()
        assert sleeve.metrics == fold(journal).metrics()
    codes = {one.verdict.code for one in ran.refusals}
    assert (limits == "wide") == (not codes), codes
