"""Perpetual contracts: funding, inverse contracts and the distance to liquidation, calculated by hand and as properties."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine, risk
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import Market, fee, market_of, position_size
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.limit_use import limits_used
from peaktrade_core.trading.margin import Closes, distance_at, liquidation_distance, liquidation_price
from peaktrade_core.trading.market import MOST_LEVERAGE, Instrument, is_inverse, settled_in, worth
from peaktrade_core.trading.ports import FundingRate
from peaktrade_core.trading.risk import DENY_CODES, Limits
from peaktrade_core.trading.statistics import trades
from peaktrade_core.trading.tally import figures, fold

START = 10_000.0


def perpetual(
    contract: str = "linear", leverage: float = 2.0, margin: float | None = 0.5, least: float = 20.0
) -> Market:
    """Return a perpetual contract; maintenance margin in percent."""
    instrument = Instrument(
        kind="derivatives",
        tick="0.5",
        lot="1" if contract == "inverse" else "0.001",
        contract=contract,  # type: ignore[arg-type]
        leverage=leverage,
        maintenance_margin_pct=margin,
        min_liquidation_distance_pct=least,
    )
    return market_of(instrument, fee_bps=5.0, slippage_bps=0.0, position_fraction=0.05)


# ---- by hand ------------------------------------------------------------------------------------------------------------


def test_a_funding_payment_by_hand() -> None:
    """Long 0.02 BTC, worth 1,000 at 50,000; the rate is 0.01 %: pay 0.10. Short, one receives it."""
    for side, amount in ((1.0, -0.10), (-1.0, 0.10)):
        book = bk.new_book(START)
        bk.apply_fill(book, side * 0.02, 50_000.0, 0.5)
        assert bk.apply_funding(book, side * 0.02, 50_000.0, 0.0001) == pytest.approx(amount, abs=1e-12)
        bk.mark(book, 51_000.0)
        gained = side * 0.02 * 1000.0
        assert book[bk.FUNDING] == pytest.approx(amount)
        assert book[bk.REALIZED] == pytest.approx(-0.5 + amount)
        assert book[bk.UNREALIZED] == pytest.approx(gained)
        assert book[bk.EQUITY] == pytest.approx(START - 0.5 + amount + gained)
        assert book[bk.CASH] + side * 0.02 * 51_000.0 == pytest.approx(book[bk.EQUITY])


def test_an_inverse_contract_by_hand() -> None:
    """Long 10,000 USD from 50,000, half of it out at 62,500, marked at 40,000; the money is BTC.

    10,000 / 50,000 = 0.2 BTC. 5,000 (1 / 50,000 - 1 / 62,500) = 0.1 - 0.08 = 0.02 realized. 5,000 (1 / 50,000 - 1 / 40,000)
    = 0.1 - 0.125 = -0.025 unrealized. The fee is 0.05 % of what is traded: 0.0001 and 0.00004.
    """
    market = perpetual("inverse")
    book = bk.new_book(1.0, market.inverse)
    ledger = ExactAccount(1.0, inverse=True)
    for qty, price, cost in ((10_000.0, 50_000.0, 0.0001), (-5_000.0, 62_500.0, 0.00004)):
        assert fee(market, qty, price) == pytest.approx(cost)
        bk.apply_fill(book, qty, price, cost)
        ledger.apply(qty, price, cost)
    bk.mark(book, 40_000.0)
    assert book[bk.QTY] == 5_000.0
    assert book[bk.REALIZED] == pytest.approx(0.02 - 0.00014)
    assert book[bk.UNREALIZED] == pytest.approx(-0.025)
    assert book[bk.EQUITY] == pytest.approx(1.0 + 0.02 - 0.00014 - 0.025)
    assert book[bk.CASH] - 5_000.0 / 40_000.0 == pytest.approx(book[bk.EQUITY])
    assert ledger.realized_pnl == Decimal("0.01986")
    assert ledger.unrealized_pnl(40_000.0) == Decimal("-0.025")
    assert ledger.equity(40_000.0) == Decimal("0.99486")
    assert bk.apply_funding(book, 5_000.0, 40_000.0, 0.0002) == pytest.approx(-0.125 * 0.0002)
    # in quote currency: what a limit is compared with
    assert bk.notional(book, book[bk.QTY], 40_000.0) == 5_000.0
    assert bk.quoted(book, book[bk.UNREALIZED], 40_000.0) == pytest.approx(-1_000.0)
    assert position_size(market, 1.0, 40_000.0) == 2_000.0  # 5 % of 1 BTC, in USD


def test_the_average_entry_of_an_inverse_contract_is_what_gives_its_cost() -> None:
    """1,000 at 10,000 and 1,000 at 20,000 cost 0.1 + 0.05 BTC: 2,000 / 0.15 = 13,333.33, not 15,000."""
    book = bk.new_book(1.0, 1.0)
    bk.apply_fill(book, 1_000.0, 10_000.0, 0.0)
    bk.apply_fill(book, 1_000.0, 20_000.0, 0.0)
    assert book[bk.AVG] == pytest.approx(2_000.0 / 0.15)
    bk.mark(book, 2_000.0 / 0.15)
    assert book[bk.UNREALIZED] == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("contract", "side", "leverage", "price", "distance"),
    [
        # linear, entry 50,000, maintenance 0.5 %: 50,000 (1 - 1/2) / 0.995 = 25,125.63
        ("linear", 1.0, 2.0, 25_125.628140703518, 49.748743718592964),
        ("linear", -1.0, 2.0, 74_626.86567164179, 49.25373134328358),  # 50,000 x 1.5 / 1.005
        ("linear", 1.0, 1.0, 0.0, 100.0),
        # inverse: 50,000 x 1.005 / 1.5 = 33,500; short 50,000 x 0.995 / 0.5 = 99,500
        ("inverse", 1.0, 2.0, 33_500.0, 33.0),
        ("inverse", -1.0, 2.0, 99_500.0, 99.0),
        ("inverse", -1.0, 1.0, math.inf, math.inf),
    ],
)
def test_a_liquidation_distance_by_hand(
    contract: str, side: float, leverage: float, price: float, distance: float
) -> None:
    market = perpetual(contract, leverage)
    assert liquidation_price(market, side, 50_000.0) == pytest.approx(price)
    assert liquidation_distance(market, side, 50_000.0, 50_000.0) == pytest.approx(distance)


@pytest.mark.parametrize("contract", ["linear", "inverse"])
@pytest.mark.parametrize("side", [1.0, -1.0])
@given(entry=st.floats(1.0, 1e6), leverage=st.floats(1.01, MOST_LEVERAGE), margin=st.floats(0.0, 20.0))
def test_at_the_liquidation_price_only_the_maintenance_margin_is_left(
    contract: str, side: float, entry: float, leverage: float, margin: float
) -> None:
    """The margin with what was lost is the maintenance margin of the notional there: the sentence that the formula solves."""
    market = perpetual(contract, leverage, margin)
    price = liquidation_price(market, side, entry)
    book = bk.new_book(1.0, market.inverse)
    size = side * (entry if market.inverse else 1.0)
    value = (lambda at: abs(size) / at) if market.inverse else (lambda at: abs(size) * at)
    left = value(entry) / leverage + bk.gain(book, size, entry, price)
    assert left == pytest.approx(value(price) * margin / 100.0, rel=1e-9, abs=1e-9 * value(entry))


# ---- the ledger ---------------------------------------------------------------------------------------------------------

prices = st.integers(1_000, 10_000_000).map(lambda ticks: ticks / 100)
steps = st.lists(
    st.tuples(
        st.sampled_from(["fill", "funding"]),
        st.integers(-5_000, 5_000).filter(bool),
        prices,
        prices,
        st.integers(-300, 300).map(lambda n: n / 1e5),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize("inverse", [False, True])
@given(steps)
def test_cash_and_positions_are_equity_and_the_sums_of_events_are_the_figures(inverse: bool, done: list) -> None:  # type: ignore[type-arg]
    book, ledger = bk.new_book(START, float(inverse)), ExactAccount(START, inverse=inverse)
    paid = fees = 0.0
    turnover = START
    for kind, lots, price, close, rate in done:
        qty = float(lots) if inverse else lots / 1e3
        value = abs(qty) / price if inverse else abs(qty) * price
        if kind == "fill":
            cost = value * 0.0005
            bk.apply_fill(book, qty, price, cost)
            ledger.apply(qty, price, cost)
            fees += cost
        else:
            amount = bk.apply_funding(book, book[bk.QTY], price, rate)
            ledger.fund(amount)
            paid += amount
        bk.mark(book, close)
        held = book[bk.QTY]
        turnover += value + (abs(held) / close if inverse else abs(held) * close)
        near = pytest.approx(0.0, abs=max(1e-9, 1e-12 * turnover))
        position = -held / close if inverse else held * close
        assert book[bk.CASH] + position - book[bk.EQUITY] == near
        assert book[bk.EQUITY] == book[bk.START] + book[bk.REALIZED] + book[bk.UNREALIZED]
        assert book[bk.REALIZED] - float(ledger.realized_pnl) == near
        assert book[bk.UNREALIZED] - float(ledger.unrealized_pnl(close)) == near
        assert book[bk.EQUITY] - float(ledger.equity(close)) == near
        assert book[bk.FUNDING] - paid == near
        assert book[bk.GROSS] - fees + paid - book[bk.REALIZED] == near


@pytest.mark.parametrize("symbol", ["BTC/USD:USD", "BTC/USD:BTC"])
@given(steps)
def test_the_identity_holds_wherever_the_journal_of_a_perpetual_ends(symbol: str, done: list) -> None:  # type: ignore[type-arg]
    inverse = is_inverse(symbol)
    events = list(journal(symbol, done))
    for end in range(1, len(events) + 1):
        tally = fold(events[:end])
        metrics = tally.metrics()
        parts = metrics.realized_pnl + metrics.unrealized_pnl
        assert metrics.equity_end - START - parts == pytest.approx(0.0, abs=1e-6)
        assert tally.ledger.inverse is inverse
        told = [event.amount for event in events[:end] if isinstance(event, ev.Funding)]
        assert metrics.funding == pytest.approx(math.fsum(told), abs=1e-9)


def journal(symbol: str, done: list):  # type: ignore[type-arg,no-untyped-def]
    """Yield a journal in which each step is followed by a bar."""
    inverse = is_inverse(symbol)
    instrument = {"contract": "inverse" if inverse else "linear", "funding": "venue"}
    book, seq = bk.new_book(START, float(inverse)), 1
    yield ev.Start(0, EPOCH, ev.SCHEMA, {"symbol": symbol, "start_balance": START, "instrument": instrument})
    for step, (kind, lots, price, close, rate) in enumerate(done):
        if kind == "fill":
            qty = float(lots) if inverse else lots / 1e3
            bk.apply_fill(book, qty, price, 0.0)
            yield ev.Fill(seq, EPOCH, f"o{step}", "open", qty, price, 0.0, price)
        else:
            held = book[bk.QTY]
            yield ev.Funding(seq, EPOCH, EPOCH, rate, held, price, bk.apply_funding(book, held, price, rate))
        bk.mark(book, close)
        account = (book[bk.QTY], book[bk.CASH], book[bk.EQUITY], book[bk.REALIZED], book[bk.UNREALIZED])
        yield ev.BarDone(
            seq + 1, EPOCH, step, EPOCH, close, close, close, close, 1.0, *account, 0, False, 0, 0, 0, 0, True, ()
        )
        seq += 2


@given(st.lists(st.tuples(st.integers(-1_000, 1_000).filter(bool), prices), min_size=1, max_size=30))
def test_the_trades_of_an_inverse_contract_add_up_to_the_ledger(moved: list[tuple[int, float]]) -> None:
    total = sum(lots for lots, _ in moved)
    told = [*moved, (-total, moved[-1][1])] if total else moved
    fills = [ev.Fill(n, EPOCH, f"o{n}", "open", float(lots), price, 0.0, price) for n, (lots, price) in enumerate(told)]
    ledger = ExactAccount(0.0, inverse=True)
    for one in fills:
        ledger.apply(one.qty, one.price, one.fee)
    assert math.fsum(trade.pnl for trade in trades(fills, inverse=True)) == pytest.approx(
        float(ledger.realized_pnl), abs=1e-9
    )


# ---- funding that is told late ------------------------------------------------------------------------------------------


def test_funding_counts_on_what_was_held_when_it_was_due_however_late_it_is_told() -> None:
    closes, book = Closes(), bk.new_book(START)
    for ts, qty, price in ((60.0, 0.0, 100.0), (120.0, 2.0, 110.0), (180.0, 0.0, 120.0), (240.0, 0.0, 130.0)):
        closes.note(ts, qty, price)
    assert closes.book(book, FundingRate(120.0, 0.01)) == (2.0, 110.0, -2.2)
    assert closes.book(book, FundingRate(90.0, 0.01)) == (2.0, 110.0, -2.2)  # within the bar that closes at 120
    assert closes.book(book, FundingRate(121.0, 0.01)) == (0.0, 120.0, 0.0)
    assert closes.book(book, FundingRate(999.0, 0.01)) == (0.0, 130.0, 0.0)
    assert book[bk.EQUITY] == START - 4.4  # flat: what came late is in the equity at once
    assert Closes().book(book, FundingRate(60.0, 0.01)) == (0.0, 0.0, 0.0)


def test_a_record_without_funding_does_not_say_nothing_was_paid() -> None:
    spot = fold([ev.Start(0, EPOCH, 1, {"start_balance": 1.0, "instrument": {"kind": "spot"}})]).metrics()
    unknown = {"start_balance": 1.0, "instrument": {"contract": "linear", "funding": "unknown"}}
    assert "funding" not in figures(spot)
    assert fold([ev.Start(0, EPOCH, 1, unknown)]).metrics().funding is None
    known = unknown | {"instrument": {"contract": "linear", "funding": "venue"}}
    assert figures(fold([ev.Start(0, EPOCH, 1, known)]).metrics())["funding"] == 0.0


# ---- the check ----------------------------------------------------------------------------------------------------------

OFF = Limits(1e12, 1e12, 1e12, 5, 1e12, 1e12, 0.8, 1e12, 1e12, 1e12, 1e12, 1e12, 0.0, 2.0, 1e12)  # nothing bites


def bars(
    market: Market, limits: Limits, *closes: float, signal: float = 1.0
) -> tuple[list[float], list[tuple[str, float, float]]]:
    """Run bars of a signal and return the book and what was denied, halted or levelled: code, value, limit."""
    book, out = bk.new_book(1.0 if market.inverse else START, market.inverse, market.least_distance), engine.new_out()
    told, before = [], closes[0]
    for n, close in enumerate(closes):
        rows = engine.step(book, out, market, limits, signal, n * 60.0, n * 60.0 + 60.0, before, close, 0.0)
        for at in range(rows):
            kind, code, _, _, value, limit = out[at * engine.WIDTH : (at + 1) * engine.WIDTH]
            if kind in (engine.DENIAL, engine.HALT):
                told.append((DENY_CODES[int(code)], value, limit))
            if kind == engine.LEVEL:
                told.append((risk.SEVERITIES[int(code)], value, limit))
        before = close
    return book, told


@pytest.mark.parametrize("contract", ["linear", "inverse"])
def test_an_unknown_maintenance_margin_lets_no_position_be_opened(contract: str) -> None:
    book, told = bars(perpetual(contract, margin=None), OFF, 50_000.0)
    assert [(code, limit) for code, _, limit in told] == [("LIQUIDATION_DISTANCE", 20.0)]
    assert math.isnan(told[0][1])
    assert book[bk.QTY] == 0.0


def test_a_position_nearer_to_liquidation_than_its_limit_is_not_opened() -> None:
    """Three times, maintenance 0.5 %: 100 (1 - 2/3 / 0.995) = 33.0 % away."""
    _, told = bars(perpetual(leverage=3.0, least=33.1), OFF, 50_000.0)
    assert told == [("LIQUIDATION_DISTANCE", pytest.approx(100.0 * (1.0 - 2.0 / 3.0 / 0.995)), 33.1)]
    book, told = bars(perpetual(leverage=3.0, least=32.9), OFF, 50_000.0, 50_000.0)
    assert (told, book[bk.QTY] > 0.0) == ([("yellow", 0.0, 0.0)], True)


@pytest.mark.parametrize("contract", ["linear", "inverse"])
@pytest.mark.parametrize("signal", [1.0, -1.0])
def test_a_position_that_comes_too_near_halts_and_can_still_be_left(contract: str, signal: float) -> None:
    market = perpetual(contract, leverage=3.0)
    moved = [50_000.0 * (1.0 - signal * 0.02 * n) for n in range(15)]
    book, told = bars(market, OFF, 50_000.0, *moved, signal=signal)
    halted = [one for one in told if one[0] == "LIQUIDATION_DISTANCE"]
    distances = [
        liquidation_distance(market, signal, 50_000.0, price) for price in moved if abs(price - 50_000.0) < 50_000.0
    ]
    first = next(distance for distance in distances if distance < 20.0)
    assert halted == [("LIQUIDATION_DISTANCE", pytest.approx(first), 20.0)]
    assert ("yellow", 0.0, 0.0) in told  # before that, from 20 / 0.8 = 25 % on
    assert book[bk.STATE] == risk.HALTED
    assert all(a > b for a, b in pairwise(distances))
    out = engine.new_out()
    rows = engine.step(book, out, market, OFF, 0.0, 1e6, 1e6 + 60.0, moved[-1], moved[-1], 0.0)
    assert engine.ORDER in [out[at * engine.WIDTH] for at in range(rows)]


def test_limits_in_quote_currency_hold_for_an_inverse_contract() -> None:
    """1 BTC at 50,000: 5 % are 2,500 USD. The day's loss is 1 - 0.98 BTC, at 50,000 a thousand."""
    _, told = bars(perpetual("inverse"), OFF._replace(max_order_notional=2_499.0), 50_000.0)
    assert told == [("MAX_ORDER_NOTIONAL", 2_500.0, 2_499.0)]
    book = bk.new_book(1.0, 1.0)
    risk.start_day(book, 0.0)
    book[bk.EQUITY], book[bk.TOKENS] = 0.98, 10.0
    verdict = risk.check_opening(book, OFF._replace(max_daily_loss_abs=1_000.0), 100.0, 50_000.0, 0.0, 0.0)
    assert verdict == (risk.MAX_DAILY_LOSS_ABS, pytest.approx(1_000.0), 1_000.0)
    assert risk.severity(book, OFF._replace(max_daily_loss_abs=1_200.0), 50_000.0) == risk.YELLOW


def test_the_use_of_the_limit_is_read_from_the_journal() -> None:
    config = {
        "symbol": "BTC/USD:USD",
        "start_balance": START,
        "instrument": msgspec.to_builtins(
            Instrument(tick="0.5", lot="0.001", contract="linear", leverage=2.0, maintenance_margin_pct=0.5)
        ),
    }
    done = [("fill", 20, 50_000.0, 50_000.0, 0.0), ("funding", 1, 50_000.0, 40_000.0, 0.0)]
    events = list(journal("BTC/USD:USD", done))
    events[0] = ev.Start(0, EPOCH, ev.SCHEMA, config)
    (use,) = [use for use in limits_used(events, Limits()._asdict()) if use.name == "min_liquidation_distance_pct"]
    nearest = 100.0 * (40_000.0 - 25_125.628140703518) / 40_000.0
    assert (use.used, use.limit, use.unit, use.level) == (pytest.approx(nearest), 20.0, "%", "green")
    assert use.share == pytest.approx(20.0 / nearest)


def test_the_distance_is_the_same_from_a_bar_as_from_the_book() -> None:
    for contract, symbol in (("linear", "BTC/USD:USD"), ("inverse", "BTC/USD:BTC")):
        market = perpetual(contract)
        *_, bar = journal(symbol, [("fill", 30, 50_000.0, 47_000.0, 0.0)])
        assert distance_at(market, bar) == pytest.approx(liquidation_distance(market, 1.0, 50_000.0, 47_000.0))
    assert distance_at(None, bar) is None


# ---- what a contract is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "settled", "inverse"),
    [
        ("BTC/USD:BTC", "BTC", True),
        ("BTC/USDT:USDT", "USDT", False),
        ("BTC/USD:BTC-260327", "BTC", True),
        ("BTC/EUR", "", False),
        ("", "", False),
    ],
)
def test_a_symbol_says_what_a_contract_is_settled_in(symbol: str, settled: str, inverse: bool) -> None:
    assert (settled_in(symbol), is_inverse(symbol)) == (settled, inverse)
    assert worth(symbol, -300.0, 50.0) == (300.0 if inverse else 15_000.0)


@pytest.mark.parametrize(
    "wrong", [{"leverage": 3.1}, {"leverage": 0.5}, {"maintenance_margin_pct": 100.0}, {"contract": "quanto"}]
)
def test_leverage_has_a_hard_limit(wrong: dict[str, object]) -> None:
    with pytest.raises((msgspec.ValidationError, ConfigError, ValueError)):
        msgspec.convert({"tick": "1", "lot": "1", **wrong}, Instrument)


def test_a_market_without_a_contract_is_described_as_ever() -> None:
    assert list(Instrument(tick="1", lot="1").described()) == [
        "kind",
        "tick",
        "lot",
        "min_qty",
        "min_notional",
        "venue_symbol",
    ]
    assert Instrument(tick="1", lot="1", contract="linear").described()["leverage"] == 1.0
