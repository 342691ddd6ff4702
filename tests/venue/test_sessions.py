"""Whole sessions on a venue that misbehaves: what arrived is decided as if nothing had happened, the rest is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rig import (
    LINE_FAULTS,
    LIVELY,
    SILENT,
    Ran,
    VenueDesk,
    no_patience,
    on_venue,
    source_bars,
    write_candles,
    write_rates,
)

from peaktrade_core.candles.replay import ReplayFeed
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.session import Stop, run_session
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, VenueFault, named_faults
from peaktrade_core.trading.events import BarDone, Denial, Funding, Gap, Notice, Order, State
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.strategies import register, scratch_registry
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

Configure = Callable[[str, str], None]
REAL = "coinbase_BTC-USD_1m_20170903-20170904"
NETWORK = "ExchangeNetworkError"
FEED_FAULTS = {
    **dict.fromkeys(
        LINE_FAULTS,
        NETWORK,
    ),
    **dict.fromkeys(
        ["rate_limit_text", "status_418", "status_429", "rate_limited", "order_rate_limited", "lockout"],
        "ExchangeRateLimitError",
    ),
}
FATAL = {
    **dict.fromkeys(
        ["status_401", "wrong_key", "wrong_signature", "invalid_nonce", "permission_denied"],
        "ExchangeAuthenticationError",
    ),
    "unknown_pair": "ExchangeAPIError",
    "invalid_arguments": "ExchangeAPIError",
    "insufficient_funds": "InsufficientFunds",
    "minimum_not_met": "ExchangeOrderError",
    "cancel_only": "ExchangeOrderError",
}
SHAPES = {"clock_skew", "outlier_bar", "missing_bars", "late_bars"}  # each has a test of its own


def replayed(desk: VenueDesk, folder: Path, bars: list[Bar], **wishes: Any) -> Ran:
    """Return the session over a file of these candles."""
    path = write_candles(folder / "candles.parquet", bars)
    return desk.run(desk.plan(**{"feed": "replay", "candles": path, "steps": len(bars) - 60, **wishes}))


@pytest.fixture
def undisturbed(desk: VenueDesk, venue: LoopbackVenue, tmp_path: Path) -> Callable[..., Ran]:
    """Return a function that runs over the venue's candles as a file, less those that ``missing`` says."""
    began = venue.clock.seconds() // 60 * 60

    def run(steps: int, missing: Callable[[float], bool] = lambda _: False, **wishes: Any) -> Ran:
        bars = source_bars(MarketSource.synthetic(seed=7, volatility=1.5), began - 60 * 60, 60 + steps)
        return replayed(desk, tmp_path, [bar for bar in bars if not missing(bar.ts)], **wishes)

    return run


@pytest.mark.parametrize("mode", ["shadow", "testnet"])
@pytest.mark.parametrize("strategy", ["ma_crossover", "donchian_breakout"])
def test_a_session_on_real_candles_is_the_replay_of_them(
    workspace: Workspace,
    candles: Callable[[str], Path],
    configure: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    mode: str,
    strategy: str,
) -> None:
    whole = list(ReplayFeed(candles(REAL), 60))
    assert [b.ts - a.ts for a, b in pairwise(whole[600:901])] == [60.0] * 300
    futures = strategy == "donchian_breakout"
    wishes: dict[str, Any] = {
        "symbol": "BTC/USD-PERP" if futures else "BTC/USD",
        "strategy": strategy,
        "params": {"window": 5} if futures else LIVELY,
    }
    with LoopbackVenue(MarketSource("BTC/USD", whole, 60), clock=VenueClock(whole[660].ts + 20.0)) as venue:
        desk = on_venue(workspace, venue, configure, monkeypatch, "krakenfutures" if futures else "kraken")
        live = desk.session(mode=mode, steps=200, **wishes)
        assert len(venue.orders) == (len(live.of(Order)) if futures and mode == "testnet" else 0)
        rates = write_rates(tmp_path / "rates.csv", venue)
    if futures:
        configure(
            'venue_symbol = "BTC/USD:USD"', f'contract = "linear"\nmaintenance_margin_pct = 1.0\nfunding = "{rates}"'
        )
        desk = VenueDesk(Workspace(workspace.home), venue)
    told = [line for line in live.story() if b'"submission"' not in line and b'"venue_answer"' not in line]
    again = replayed(desk, tmp_path, whole[600:860], **wishes)
    assert told == again.story()
    assert live.record.metrics == again.record.metrics
    assert live.record.metrics["num_orders"] >= 10
    assert live.of(Notice) == []
    assert len(live.of(Funding)) == (3 if futures else 0)
    if futures:
        assert {bar.position_size > 0 for bar in live.of(BarDone) if bar.position_size} == {True, False}


def test_a_session_on_synthetic_candles_is_the_replay_of_them(desk: VenueDesk, undisturbed: Callable[..., Ran]) -> None:
    live = desk.session(steps=150)
    again = undisturbed(150)
    assert live.story() == again.story()
    assert live.record.metrics == again.record.metrics
    assert live.record.metrics["num_orders"] > 10


def test_every_fault_has_its_session() -> None:
    assert FEED_FAULTS.keys() | FATAL.keys() | SHAPES == named_faults().keys()


@pytest.mark.parametrize("name", FEED_FAULTS)
def test_a_fault_that_passes_changes_nothing_but_the_notices(
    desk: VenueDesk, venue: LoopbackVenue, undisturbed: Callable[..., Ran], name: str, configure: Configure
) -> None:
    if name in SILENT:
        no_patience(configure)
    venue.faults.add(VenueFault.named(name), path="OHLC", skip=8, times=3)
    ran = desk.session(steps=20)
    assert (ran.record.status, ran.record.error) == ("completed", None)
    assert ran.story() == undisturbed(20).story()
    assert ran.codes() == [FEED_FAULTS[name]] * 3 + ["RECOVERED"]


@pytest.mark.parametrize("name", FATAL)
def test_a_fault_that_asking_again_cannot_mend_ends_the_session_at_once(
    desk: VenueDesk, venue: LoopbackVenue, name: str
) -> None:
    venue.faults.add(VenueFault.named(name), path="OHLC", skip=8)
    ran = desk.session(steps=20)
    assert ran.record.status == "failed"
    assert ran.record.error.startswith(f"{FATAL[name]}: kraken")
    assert len(venue.requests_to("OHLC")) == 9
    assert len(ran.of(BarDone)) == ran.record.metrics["steps"] == 7
    halted = [state.state for state in TradingStates.of(desk.workspace).everything() if state.state != "ACTIVE"]
    assert halted == (["HALTED"] if FATAL[name] == "ExchangeAuthenticationError" else [])


def test_a_late_answer_and_a_wrong_time_change_nothing(
    desk: VenueDesk, venue: LoopbackVenue, undisturbed: Callable[..., Ran], configure: Callable[[str, str], None]
) -> None:
    configure("max_price_age_s = 300.0", "max_price_age_s = 1e6")
    venue.faults.add(VenueFault.late_bars(90.0), path="OHLC", skip=8, times=30)
    venue.faults.add(VenueFault.clock_skew(300.0), path="Time", times=1)
    ran = desk.session(steps=40)
    assert ran.story() == undisturbed(40).story()
    assert ran.codes() == ["CLOCK_SKEW", "NO_BARS"]  # by that time they were long due


def test_missing_bars_that_come_later_change_nothing(
    desk: VenueDesk, venue: LoopbackVenue, undisturbed: Callable[..., Ran]
) -> None:
    venue.faults.add(VenueFault.missing_bars(2), path="OHLC", skip=8, times=2)
    ran = desk.session(steps=30)
    assert ran.story() == undisturbed(30).story()
    assert ran.of(Gap) == []


@pytest.mark.parametrize("off_s", [90.0, -90.0, 1000.0, -1000.0])
def test_our_own_clock_may_be_off(desk: VenueDesk, undisturbed: Callable[..., Ran], off_s: float) -> None:
    """Prices are as fresh as the venue's clock says; the default limit of their age is 300 s."""
    ran = desk.run(desk.plan(steps=40, off_s=off_s))
    assert ran.story()[1:-1] == undisturbed(40).story()[1:-1]
    assert [(notice.code, round(notice.value)) for notice in ran.of(Notice)] == [("CLOCK_SKEW", -off_s)]


def test_a_hole_is_a_gap_with_the_right_count(
    desk: VenueDesk, venue: LoopbackVenue, undisturbed: Callable[..., Ran]
) -> None:
    hole = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(hole, hole + 240.0), path="OHLC")
    ran = desk.session(steps=35)
    (gap,) = ran.of(Gap)
    assert (gap.first.timestamp(), gap.last.timestamp(), gap.missing) == (hole, hole + 240.0, 5)
    assert ran.story() == undisturbed(40, lambda ts: hole <= ts <= hole + 240.0).story()
    assert (ran.record.metrics["gaps"], ran.record.metrics["bars_missing"]) == (1, 5)


def test_an_impossible_bar_is_told_and_a_gap(desk: VenueDesk, venue: LoopbackVenue) -> None:
    bad = venue.clock.seconds() // 60 * 60 + 600.0
    spoilt = VenueFault("spoilt", bars=lambda bars: [b._replace(low=-1.0) if b.ts == bad else b for b in bars])
    venue.faults.add(spoilt, path="OHLC")
    ran = desk.session(steps=30)
    assert ran.codes() == ["IMPOSSIBLE_BAR"]
    assert [(gap.first.timestamp(), gap.missing) for gap in ran.of(Gap)] == [(bad, 1)]
    assert ran.record.status == "completed"


class After(NamedTuple):
    """From which bar on to be long."""

    bars: int = 0


def after(p: After, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Be long from a bar on."""
    s[0] += 1.0
    return 1.0 if s[0] > p.bars else 0.0


@pytest.fixture
def long_after() -> Any:
    """Let ``after`` be a strategy."""
    with scratch_registry():
        register("after", After, slots=lambda _: 1, warmup=lambda _: 0, tier="core")(after)
        yield


@pytest.mark.usefixtures("long_after")
def test_an_outlier_passes_but_nothing_fills_far_from_it(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.outlier_bar(1.5), path="OHLC", skip=10, times=1)
    ran = desk.session(steps=30, strategy="after", params={"bars": 69})
    bars = ran.of(BarDone)
    assert bars[9].close == pytest.approx(1.5 * bars[8].close, rel=0.01)
    (denial,) = ran.of(Denial)
    assert (denial.code, denial.order_id) == ("PRICE_COLLAR", "o1")
    assert bars[10].position_size == 0.0
    assert bars[-1].position_size > 0.0  # and tried again when the price was itself


@pytest.mark.usefixtures("long_after")
def test_an_opening_on_a_stale_price_is_denied(desk: VenueDesk, venue: LoopbackVenue) -> None:
    """Twenty minutes without an answer, and in the backlog the moment to enter: the price is old, so nothing opens."""
    began = venue.clock.seconds()

    def each(now: float) -> None:
        venue.refuse() if began + 600 < now < began + 1800 else venue.accept()

    plan = desk.plan(steps=40, strategy="after", params={"bars": 72}, off_s=-2000.0)  # whatever our own clock thinks
    plan.feed.patience_s = 3600.0
    ran = desk.run(plan, each)
    denials = ran.of(Denial)
    assert {denial.code for denial in denials} == {"STALE_PRICE"}
    assert all(denial.value > denial.limit == 300.0 for denial in denials)
    opened = ran.of(Order)[0]
    assert opened.ts.timestamp() > began + 1500.0  # only once it was fresh again


def test_what_outlasts_the_patience_is_in_the_record(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.status(503), path="OHLC", skip=10)
    ran = desk.session(steps=100)
    assert ran.record.status == "failed"
    assert ran.record.error.startswith("ExchangeNetworkError: kraken")
    assert ran.record.metrics["steps"] == 9
    assert set(ran.codes()) == {NETWORK}
    assert [state for state in TradingStates.of(desk.workspace).everything() if state.state == "HALTED"] == []


@pytest.mark.parametrize("fault", [VenueFault.hang(), VenueFault.status(503)], ids=lambda fault: fault.name)
def test_a_stop_and_a_halt_are_obeyed_during_an_outage(
    desk: VenueDesk, venue: LoopbackVenue, configure: Callable[[str, str], None], fault: VenueFault
) -> None:
    """On the wall clock, with much patience: the session waits for a venue that does not answer."""
    plan = desk.plan(steps=100)
    stop, ended = Stop(), []
    venue.faults.add(fault, path="OHLC", skip=1)
    venue.clock.advance(55.0)

    def run() -> None:
        ended.append(run_session(plan, Desk.of(desk.workspace), stop=stop))

    plan.feed.speed = venue.clock.speed = 20.0  # the next bar is due in a third of a second, and the venue falls silent
    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: len(venue.requests_to("OHLC")) > 1)
        TradingStates.of(desk.workspace).set(GLOBAL, "HALTED", by="ada", reason="outage", now=venue.clock.now())
        (folder,) = desk.workspace.runs.iterdir()
        until(lambda: b'"HALTED"' in (folder / "events.jsonl").read_bytes(), 1.5)
        stop.request("enough")
        until(lambda: ended, 1.0)
    finally:
        stop.request("end of the test")
        thread.join(60)
    assert (ended[0].status, ended[0].error) == ("aborted", "Stopped: enough")
    events = list(Views.of(desk.workspace).events(ended[0].session_id))
    assert [event.state for event in events if isinstance(event, State)] == ["HALTED"]


def test_eight_hours_of_trouble(
    desk: VenueDesk, venue: LoopbackVenue, undisturbed: Callable[..., Ran], configure: Callable[[str, str], None]
) -> None:
    """480 bars: every fifth answer is spoilt, the venue is away for 20 minutes, and twelve bars never come."""
    no_patience(configure)
    configure("max_price_age_s = 300.0", "max_price_age_s = 1e6")
    began = venue.clock.seconds() // 60 * 60
    hole = began + 300 * 60.0
    chance = random.Random(11)
    names = sorted(FEED_FAULTS.keys() - SILENT)
    for seed, name in enumerate(names):
        venue.faults.add(VenueFault.named(name), path="OHLC", probability=0.2 / len(names), seed=seed)
    for name in ("hang", "drip"):
        venue.faults.add(VenueFault.named(name), path="OHLC", skip=chance.randrange(200), times=1)
    rules: list[Any] = []

    def each(now: float) -> None:
        venue.refuse() if began + 7200 < now < began + 8400 else venue.accept()
        if not rules and now > hole - 3600.0:
            rules.extend(venue.faults.active)
            venue.faults.clear()
            rules.append(venue.faults.add(VenueFault.hole(hole, hole + 11 * 60.0), path="OHLC"))
        elif rules and now > hole + 3600.0 and rules[-1] in venue.faults.active:
            venue.faults.clear()
            for name in names:
                venue.faults.add(VenueFault.named(name), path="OHLC", probability=0.2 / len(names), seed=99)

    plan = desk.plan(steps=468)
    plan.feed.patience_s = 7200.0
    ran = desk.run(plan, each)
    assert ran.record.status == "completed"
    assert ran.story() == undisturbed(480, lambda ts: hole <= ts <= hole + 660.0).story()
    gaps = ran.of(Gap)
    assert len(ran.of(BarDone)) + sum(gap.missing for gap in gaps) == 480
    assert [gap.missing for gap in gaps] == [12]
    times = [bar.ts_bar for bar in ran.of(BarDone)]
    assert times == sorted(set(times))
    faults = [request.fault for request in venue.requests_to("OHLC") if request.fault not in ("", "hole")]
    assert len(faults) > 60
    assert len(set(faults)) > 12
    told = [code for code in ran.codes() if code.startswith("Exchange")]
    assert len(told) > len(faults)  # and the refused connections, which the venue never saw
    assert ran.record.metrics["num_orders"] > 30


def test_in_accelerated_real_time_too(
    desk: VenueDesk, venue: LoopbackVenue, configure: Callable[[str, str], None]
) -> None:
    """The same with a clock that really runs: a minute passes in a tenth of a second."""
    configure("max_price_age_s = 300.0", "max_price_age_s = 1e6")
    plan = desk.plan(steps=25)
    plan.feed.speed = venue.clock.speed = 600.0
    venue.faults.add(VenueFault.named("truncated"), path="OHLC", skip=5, times=2)
    record = run_session(plan, Desk.of(desk.workspace))
    bars = [event for event in Views.of(desk.workspace).events(record.session_id) if isinstance(event, BarDone)]
    assert record.status == "completed"
    assert (len(bars), record.metrics["bars_missing"]) == (25, 0)
    market = MarketSource.synthetic(seed=7, volatility=1.5)
    assert [bar.close for bar in bars] == [bar.close for bar in source_bars(market, bars[0].ts_bar.timestamp(), 25)]


def test_the_steps_of_the_configuration_are_those_of_the_configured_venue(desk: VenueDesk) -> None:
    """Another venue than the configured one is asked for its own."""
    from peaktrade_core.session.markets import configured

    config = desk.workspace.config
    assert configured(config, "BTC/USDT", None).tick == "0.1"
    assert configured(config, "BTC/USDT", "kraken").tick == "0.1"
    other = configured(config, "BTC/USDT", "binance")
    assert (other.tick, other.lot, other.min_qty, other.complete) == ("", "", 0.0, False)
