"""Sessions on perpetual contracts of a venue: its funding is in journal, figures and record, and what is not known is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rig import Ran, VenueDesk, client_of, on_venue, write_rates

from peaktrade_core.alerts.rules.facts import RunFacts, RunMeter
from peaktrade_core.alerts.rules.margin import NearLiquidation
from peaktrade_core.base.clock import EPOCH, from_seconds
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.replay import read_rates
from peaktrade_core.cli import cli
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.research.replay.replay import replay_session
from peaktrade_core.research.replay_limits import replay_limits
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.trades import trade_rows
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueFault
from peaktrade_core.trading.events import BarDone, Denial, Fill, Funding, Notice, Order, Start
from peaktrade_core.trading.limit_use import limits_used
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.tally import fold
from peaktrade_core.venue.funding import rates_between
from peaktrade_core.workspace.workspace import Workspace

PERP = {
    "symbol": "BTC/USD-PERP",
    "strategy": "donchian_breakout",
    "params": {"window": 5},
    "mode": "shadow",
    "steps": 200,
}


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol="BTC/USD", volatility=1.5)) as running:
        yield running


@pytest.fixture
def desk(
    workspace: Workspace, venue: LoopbackVenue, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> VenueDesk:
    """Return a workspace on the futures side of ``venue``, with keys in the environment."""
    return on_venue(workspace, venue, configure, monkeypatch, "krakenfutures")


def sums(session: Ran) -> None:
    """Assert that the figures of a session are the sums of its events, and that its ledgers agree."""
    metrics = session.record.metrics
    paid = math.fsum(event.amount for event in session.of(Funding))
    assert metrics["funding"] == pytest.approx(paid, abs=1e-12)
    exact = fold(session.events).ledger
    last = session.of(BarDone)[-1]
    assert float(exact.realized_pnl) == pytest.approx(metrics["realized_pnl"], abs=1e-9)
    assert float(exact.equity(last.close)) == pytest.approx(metrics["equity_end"], abs=1e-9)
    assert last.cash + last.position_size * last.close == pytest.approx(last.equity, abs=1e-9)


def test_funding_is_booked_on_what_was_held_when_it_was_due(desk: VenueDesk, venue: LoopbackVenue) -> None:
    ran = desk.session(**PERP)
    assert (ran.record.status, ran.record.error, ran.of(Notice)) == ("completed", None, [])
    rates = dict(venue.futures.markets["PF_XBTUSD"].rates(0.0, venue.clock.seconds()))
    told = ran.of(Funding)
    assert [event.at.timestamp() % 3600 for event in told] == [0.0] * 3
    closes = {bar.ts.timestamp(): bar for bar in ran.of(BarDone)}
    for event in told:
        bar = closes[event.at.timestamp()]
        assert event.rate == float(rates[event.at.timestamp()])
        assert (event.qty, event.price) == (bar.position_size, bar.close)
        assert event.amount == pytest.approx(-bar.position_size * bar.close * event.rate)
        assert event.seq == bar.seq + 1  # right after the bar in which it fell due
    assert any(event.amount for event in told)
    sums(ran)


def test_the_figures_show_funding_on_a_line_of_its_own(desk: VenueDesk) -> None:
    ran = desk.session(**PERP)
    told = dict(figures_of(ran.record))
    assert told["Funding, in the realized PnL"].endswith("USD")
    spot = desk.session(**{**PERP, "symbol": "BTC/USD", "feed": "synthetic"})
    assert "Funding, in the realized PnL" not in dict(figures_of(spot.record))
    assert "funding" not in spot.record.metrics


def test_the_ledger_checks_hold_with_funding(desk: VenueDesk) -> None:
    ran = desk.session(**PERP)
    checks = {
        check.question: check for check in post_session_checks(Views.of(desk.workspace).look(ran.record.session_id))
    }
    for question in (
        "Does equity equal start balance + realized + unrealized?",
        "Does the exact (decimal) ledger agree?",
    ):
        assert checks[question].status == "pass", checks


def test_a_session_with_funding_is_replayed_byte_for_byte(desk: VenueDesk) -> None:
    ran = desk.session(**PERP)
    again = replay_session(desk.workspace, ran.record.session_id)
    assert (again.first, again.identical, again.fed["rates of funding"]) == (None, True, 3)


def test_other_limits_count_the_same_rates_on_other_positions(desk: VenueDesk) -> None:
    ran = desk.session(**PERP)
    plan = desk.plan(**PERP)
    same = replay_limits("s", plan.config, ran.events)
    assert (same.first, same.pnl_difference) == (None, 0.0)
    assert same.replayed.funding == ran.record.metrics["funding"]
    none = replay_limits("s", plan.config, ran.events, plan.decision.limits._replace(max_order_notional=1.0))
    assert (none.replayed.funding, none.replayed.equity_end) == (0.0, plan.config.start_balance)


def test_a_line_that_fails_delays_funding_and_loses_none(desk: VenueDesk, venue: LoopbackVenue) -> None:
    for number, name in enumerate(("reset", "html", "status_502", "truncated", "busy")):
        venue.faults.add(VenueFault.named(name), path="historicalfundingrates", skip=number, times=1)
    ran = desk.session(**PERP)
    assert len(ran.of(Funding)) == 3
    assert set(ran.codes()) == {"ExchangeNetworkError", "RECOVERED"}
    sums(ran)


def test_funding_that_the_venue_tells_late_is_told_so_and_booked_then(desk: VenueDesk, venue: LoopbackVenue) -> None:
    plan = desk.plan(**PERP)
    rates = venue.futures.markets["PF_XBTUSD"].rates
    venue.futures.markets["PF_XBTUSD"].rates = lambda start, now: [  # type: ignore[method-assign]
        (ts, rate) for ts, rate in rates(start, now) if ts <= now - 600.0
    ]
    ran = desk.run(plan)
    late = ran.of(Funding)
    assert late
    assert ran.codes() == ["FUNDING_LATE"] * len(ran.codes())
    closes = {bar.ts: bar for bar in ran.of(BarDone)}
    for event in late:
        assert (event.ts - event.at).total_seconds() == 540.0  # before the bar that closes ten minutes later
        due = closes.get(event.at)  # none before the first bar: nothing was held
        assert event.qty == (due.position_size if due else 0.0)
        assert due is None or event.price == due.close
    assert any(event.amount for event in late)
    assert replay_session(desk.workspace, ran.record.session_id).identical


def test_a_rate_that_cannot_be_is_taken_as_missing(desk: VenueDesk, venue: LoopbackVenue) -> None:
    plan = desk.plan(**PERP)
    market = venue.futures.markets["PF_XBTUSD"]
    rates = market.rates
    market.rates = lambda start, now: [(ts, rate * 10_000) for ts, rate in rates(start, now)]  # type: ignore[method-assign]
    ran = desk.run(plan)
    assert set(ran.codes()) == {"IMPOSSIBLE_FUNDING"}
    assert ran.of(Funding) == []


@pytest.mark.parametrize("margin", ["", "maintenance_margin_pct = 1.0\n"])
def test_a_feed_without_funding_says_so_and_an_unknown_margin_opens_nothing(
    desk: VenueDesk, configure: Callable[[str, str], None], margin: str
) -> None:
    configure('venue_symbol = "BTC/USD:USD"', f'contract = "linear"\n{margin}')
    plan = desk.plan(**{**PERP, "feed": "synthetic"})
    assert any("the feed tells no funding" in told for told in plan.remarks)
    assert any("the venue does not state the maintenance margin" in told for told in plan.remarks) is not bool(margin)
    ran = desk.run(plan)
    assert ran.codes() == ["NO_FUNDING"]
    assert ("funding" in ran.record.metrics, bool(ran.of(Fill))) == (False, bool(margin))
    assert {denial.code for denial in ran.of(Denial)} == (set() if margin else {"LIQUIDATION_DISTANCE"})
    assert replay_session(desk.workspace, ran.record.session_id).identical


def test_a_perpetual_knows_its_margin_and_contract_from_the_venue(desk: VenueDesk) -> None:
    plan = desk.plan(**PERP)
    told = plan.config.instrument
    assert (told["contract"], told["contract_size"], told["funding"]) == ("linear", 1.0, "venue")
    assert (told["maintenance_margin_pct"], told["leverage"], plan.decision.market.maintenance) == (1.0, 1.0, 0.01)


def test_research_refuses_a_perpetual_rather_than_to_give_other_figures(desk: VenueDesk) -> None:
    import numpy as np

    plan = desk.plan(**PERP)
    ts = np.arange(100.0) * 60.0
    bars = Bars(ts, np.full((100, 5), 100.0))
    with pytest.raises(ConfigError, match="perpetual contract, which pays funding"):
        run_backtest(plan.decision, bars, 10)


def test_the_alert_comes_before_the_halt(desk: VenueDesk, configure: Callable[[str, str], None]) -> None:
    """A position that is bought with three times its margin, in a market that falls by a fourth."""
    configure('venue_symbol = "BTC/USD:USD"', 'contract = "linear"\nmaintenance_margin_pct = 1.0\nleverage = 3.0')
    plan = desk.plan(**{**PERP, "feed": "synthetic"})
    start = Start(
        0, EPOCH, 1, {"instrument": plan.config.instrument, "symbol": "BTC/USD-PERP", "start_balance": 10_000.0}
    )
    rule, seen = NearLiquidation(id="near", warning_pct=30.0), []
    for price in (100.0, 95.0, 90.0, 85.0, 80.0):
        meter = RunMeter(3600.0)
        meter.add(start)
        lost = price - 100.0
        account = (1.0, 0.0, 10_000.0 + lost, 0.0, lost)
        meter.add(BarDone(1, EPOCH, 0, EPOCH, *[price] * 4, 1.0, *account, 1, False, 0, 0, 0, 0, True, ()))
        found = list(rule.look(RunFacts("r", EPOCH, state="running", meter=meter)))
        seen.append([one.severity for one in found])
        # 100 (1 - 1/3) / 0.99 = 67.34: from 100 it is 32.66 % away, from 95 29.1, from 80 15.8
    assert seen == [[], ["warning"], ["warning"], ["warning"], ["critical"]]
    assert list(rule.look(RunFacts("r", EPOCH, state="completed", meter=meter))) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("time,rate\n1767225600000,0.0001\n1767225600000,0.0001\n", "line 3: it is not later"),
        ("time,rate\nyesterday,0.0001\n", "line 2: it has to be a time and a rate"),
        ("time,rate\n1767225600000,\n", "line 2"),
        ("time,rate\n1767225600000,nan\n", "a rate of nan is none"),
        ("time,rate\n1767225600000,1.5\n", "a rate of 1.5 is none"),
        ("time,rate\n99999999999999999999,0.1\n", "line 2"),
        ("when,what\n1,2\n", "line 2"),
        ("time,rate\n1767225600000\n", "line 2"),
    ],
)
def test_a_file_of_rates_that_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=why):
        read_rates(path)


def test_files_of_rates(tmp_path: Path, venue: LoopbackVenue) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(b"\xef\xbb\xbftime,rate\r\n2026-01-01T08:00:00Z,-0.0001\r\n1767283200000,0.0003\r\n")
    assert read_rates(path) == [(1_767_254_400.0, -0.0001), (1_767_283_200.0, 0.0003)]
    for bad in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_rates(bad)
    path.write_bytes(b"time,rate\n\xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_rates(path)
    assert len(read_rates(write_rates(path, venue))) > 10


INVERSE = """[instruments."BTC/USD:BTC"]
kind = "derivatives"
tick = "0.5"
lot = "1"
min_qty = 1.0
leverage = 2.0
maintenance_margin_pct = 0.5
funding = "RATES"

[instruments."BTC/USD"]"""


def test_a_session_on_an_inverse_contract_is_counted_in_what_it_is_settled_in(
    workspace: Workspace, configure: Callable[[str, str], None], tmp_path: Path
) -> None:
    """1 BTC, 5 % a position, so 5 % of the price in USD; limits are in USD all the same."""
    rates = tmp_path / "rates.csv"
    rates.write_text("time,rate\n" + "".join(f"{1_767_225_600_000 + n * 3_600_000},{n}e-5\n" for n in range(1, 20)))
    configure('[instruments."BTC/USD"]', INVERSE.replace("RATES", str(rates)))
    configure("max_order_notional = 1000.0", "max_order_notional = 10000.0")
    configure("max_symbol_exposure_notional = 2000.0", "max_symbol_exposure_notional = 10000.0")
    configure("max_total_exposure_notional = 5000.0", "max_total_exposure_notional = 10000.0")
    desk = VenueDesk(workspace, None)  # type: ignore[arg-type]
    wishes = {"symbol": "BTC/USD:BTC", "strategy": "donchian_breakout", "params": {"window": 5}, "start_balance": 1.0}
    plan = plan_session(workspace, feed="synthetic", warmup_candles=60, steps=400, **wishes)
    ran = desk.run(plan)
    metrics = ran.record.metrics
    assert (ran.record.status, len(ran.of(Funding)), len(ran.of(Fill)) > 10) == ("completed", 6, True)
    for one in ran.of(Order):
        if one.purpose == "open":
            assert one.notional == abs(one.qty)
            assert one.notional == pytest.approx(0.05 * one.price, rel=0.02)
    first, *_ = ran.of(Fill)
    assert first.fee == pytest.approx(abs(first.qty) / first.price * 26e-4)
    exact, last = fold(ran.events).ledger, ran.of(BarDone)[-1]
    assert exact.inverse
    assert float(exact.equity(last.close)) == pytest.approx(metrics["equity_end"], abs=1e-12)
    assert last.cash - last.position_size / last.close == pytest.approx(last.equity, abs=1e-12)
    assert metrics["realized_pnl"] + metrics["unrealized_pnl"] + 1.0 == pytest.approx(metrics["equity_end"], abs=1e-12)
    told = dict(figures_of(ran.record))
    assert told["Equity at the end"].endswith("BTC")
    assert 0.9 < metrics["equity_end"] < 1.1
    look = Views.of(workspace).look(ran.record.session_id)
    checks = {check.question: check.status for check in post_session_checks(look)}
    assert checks["Does the exact (decimal) ledger agree?"] == "pass"
    assert checks["Does equity equal start balance + realized + unrealized?"] == "pass"
    trades = trade_rows(ran.events, last.close, last.ts)
    assert sum(row.realized_pnl for row in trades) + metrics["funding"] == pytest.approx(
        metrics["realized_pnl"], abs=1e-12
    )
    assert sum(row.unrealized_pnl for row in trades) == pytest.approx(metrics["unrealized_pnl"], abs=1e-12)
    uses = {use.name: use for use in limits_used(ran.events, plan.config.risk_limits)}
    assert uses["max_order_notional"].used == max(one.notional for one in ran.of(Order) if one.purpose == "open")
    assert 25.0 < uses["min_liquidation_distance_pct"].used < 100.0
    assert replay_session(workspace, ran.record.session_id).identical
    assert replay_limits("s", plan.config, ran.events).first is None
    closer = replay_limits("s", plan.config, ran.events, plan.decision.limits._replace(price_collar_pct=0.04))
    assert [one.notional for one in closer.blocked] == [abs(one.qty) for one in closer.blocked] != []
    diff = compare_session(workspace, ran.record.session_id)  # funding is data, the same on both sides
    assert (diff.whole, diff.first, diff.explained) == (0, None, True)


def test_an_inverse_contract_of_another_name_is_refused(
    workspace: Workspace, configure: Callable[[str, str], None]
) -> None:
    configure('venue_symbol = "BTC/USD:USD"', 'contract = "inverse"\nmaintenance_margin_pct = 1.0')
    with pytest.raises(ConfigError, match="for example BTC/USD:BTC"):
        plan_session(workspace, symbol="BTC/USD-PERP", feed="synthetic")


def test_rates_of_a_venue_are_downloaded_page_by_page_and_read_again(
    desk: VenueDesk, venue: LoopbackVenue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.venue.funding.FEW", 5)
    venue.clock.advance(86_400.0)
    market, now = venue.futures.markets["PF_XBTUSD"], venue.clock.seconds()
    wanted = [(ts, float(rate)) for ts, rate in market.rates(now - 86_400.0, now)]
    first = wanted[0][0]
    assert rates_between(client_of(venue, "krakenfutures"), "BTC/USD:USD", first, now) == wanted
    assert len(wanted) == 24
    with pytest.raises(ConfigError, match="kraken tells no funding of the past"):
        rates_between(client_of(venue, "kraken"), "BTC/USD", 0.0, now)
    out = tmp_path / "rates.csv"
    since = f"{from_seconds(first):%Y-%m-%dT%H:%M}"
    command = [
        "exchange",
        "funding",
        "BTC/USD:USD",
        "--since",
        since,
        "--out",
        str(out),
        "--home",
        str(desk.workspace.home),
    ]
    until = f"{from_seconds(now):%Y-%m-%dT%H:%M}"
    ended = CliRunner().invoke(cli, [*command, "--until", until])
    assert (ended.exit_code, ended.exception) == (0, None), ended.output
    assert read_rates(out) == wanted
