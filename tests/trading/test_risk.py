"""Risk, seen through the decision code of one bar: each deny code, the halts, the states, the day, the severity."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine, risk
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.market import decimal_step
from peaktrade_core.trading.risk import DENY_CODES, Limits

NAN = math.nan
KINDS = {
    engine.FILL: "fill",
    engine.ORDER: "order",
    engine.DENIAL: "denial",
    engine.HALT: "halt",
    engine.LEVEL: "level",
}
PERP = Market(1.0, 100.0, 1.0, 1e8, 0.0, 0.0, 1.0, 0.0, 0.0, 0.05)  # no costs, so that figures are round
SPOT = PERP._replace(shorts=0.0)
OFF = Limits(1e12, 1e12, 1e12, 5, 1e12, 1e12, 0.8, 1e12, 1e12, 1e12, 1e12, 1e12, 0.0, 2.0, 1e12)  # nothing bites
NOON = 1_504_440_000.0  # 2017-09-03T12:00:00Z


class Row(NamedTuple):
    """What one row says; ``code`` is a deny code, a severity, or 0 and 1 for reducing and opening."""

    kind: str
    code: str | float
    qty: float
    price: float
    value: float
    limit: float


class Desk:
    """An account and bars of a minute that are fed to it one by one."""

    def __init__(self, limits: Limits = OFF, market: Market = PERP, ts: float = NOON) -> None:
        self.book, self.out = bk.new_book(10_000.0), engine.new_out()
        self.limits, self.market, self.ts = limits, market, ts

    def bar(self, signal: float, close: float = 100.0, open_: float | None = None, age: float = 0.0) -> list[Row]:
        at, self.ts = self.ts, self.ts + 60.0
        first = close if open_ is None else open_
        n = engine.step(self.book, self.out, self.market, self.limits, signal, at, at + 60.0, first, close, age)
        rows = [self.out[i * engine.WIDTH : (i + 1) * engine.WIDTH] for i in range(n)]
        return [Row(KINDS[row[0]], _code(row), *row[2:]) for row in rows]

    def enter(self, side: float = 1.0, price: float = 100.0) -> Desk:
        """Bring the account to an open position, bought or sold at ``price``."""
        assert [row.kind for row in self.bar(side, price)] == ["order"]
        assert "fill" in [row.kind for row in self.bar(side, price)]
        return self

    def leave(self, price: float) -> Desk:
        """Close the position at ``price``."""
        self.bar(0.0, price)
        self.bar(0.0, price)
        assert self.book[bk.QTY] == 0.0
        return self


def _code(row: list[float]) -> str | float:
    if row[0] in (engine.DENIAL, engine.HALT):
        return DENY_CODES[int(row[1])]
    return risk.SEVERITIES[int(row[1])] if row[0] == engine.LEVEL else row[1]


def denials(rows: list[Row]) -> list[tuple[str | float, float, float]]:
    return [(row.code, row.value, row.limit) for row in rows if row.kind == "denial"]


def _with(state: float) -> Desk:
    desk = Desk()
    desk.book[bk.STATE] = state
    return desk


def _collared() -> list[Row]:
    desk = Desk(OFF._replace(price_collar_pct=5.0, duplicate_window_s=3600.0))
    desk.bar(1.0)
    desk.bar(1.0, open_=106.0)  # denied at the open; tried again a bar later
    return desk.bar(1.0)


def _late() -> list[Row]:
    desk = Desk(OFF._replace(max_price_age_s=300.0))
    desk.bar(1.0)
    desk.ts += 600.0
    return desk.bar(1.0)


def _jump() -> list[Row]:
    desk = Desk(OFF._replace(price_collar_pct=5.0))
    desk.bar(1.0)
    return desk.bar(1.0, open_=106.0)


CASES: list[tuple[str, str, float, float, Callable[[], list[Row]]]] = [
    ("a price that is no number", "NOT_FINITE", NAN, 0.0, lambda: Desk().bar(1.0, NAN)),
    ("a price whose age is unknown", "NOT_FINITE", 500.0, 0.0, lambda: Desk().bar(1.0, age=NAN)),
    ("a signal that is no number", "BAD_SIGNAL", NAN, 0.0, lambda: Desk().bar(NAN)),
    ("half a signal", "BAD_SIGNAL", 0.5, 0.0, lambda: Desk().bar(0.5)),
    ("two signals", "BAD_SIGNAL", 2.0, 0.0, lambda: Desk().bar(2.0)),
    ("halted", "HALTED", 2.0, 0.0, lambda: _with(risk.HALTED).bar(1.0)),
    ("no orders at all", "HALTED", 3.0, 0.0, lambda: _with(risk.NO_ORDERS).bar(1.0)),
    ("only reducing", "REDUCING_ONLY", 1.0, 0.0, lambda: _with(risk.REDUCING).bar(1.0)),
    ("too small a quantity", "SIZE_BELOW_MINIMUM", 5.0, 6.0, lambda: Desk(market=PERP._replace(min_qty=6.0)).bar(1.0)),
    (
        "too small a value",
        "SIZE_BELOW_MINIMUM",
        500.0,
        501.0,
        lambda: Desk(market=PERP._replace(min_notional=501.0)).bar(1.0),
    ),
    ("less than a lot", "SIZE_BELOW_MINIMUM", 0.0, 0.0, lambda: Desk(market=PERP._replace(lot_den=0.1)).bar(1.0)),
    ("too large", "MAX_ORDER_NOTIONAL", 500.0, 499.0, lambda: Desk(OFF._replace(max_order_notional=499.0)).bar(1.0)),
    (
        "too much of one",
        "MAX_SYMBOL_EXPOSURE",
        500.0,
        400.0,
        lambda: Desk(OFF._replace(max_symbol_exposure_notional=400.0)).bar(-1.0),
    ),
    (
        "too much of all",
        "MAX_TOTAL_EXPOSURE",
        500.0,
        300.0,
        lambda: Desk(OFF._replace(max_total_exposure_notional=300.0)).bar(1.0),
    ),
    (
        "one position too many",
        "MAX_OPEN_POSITIONS",
        1.0,
        0.0,
        lambda: Desk(OFF._replace(max_open_positions=0)).bar(1.0),
    ),
    (
        "lost too much",
        "MAX_DAILY_LOSS_ABS",
        50.0,
        50.0,
        lambda: Desk(OFF._replace(max_daily_loss_abs=50.0)).enter().leave(90.0).bar(1.0),
    ),
    (
        "lost too large a share",
        "MAX_DAILY_LOSS_PCT",
        0.5,
        0.5,
        lambda: Desk(OFF._replace(max_daily_loss_pct=0.5)).enter(-1.0).leave(110.0).bar(1.0),
    ),
    (
        "decided on an old price",
        "STALE_PRICE",
        301.0,
        300.0,
        lambda: Desk(OFF._replace(max_price_age_s=300.0)).bar(1.0, age=301.0),
    ),
    ("filled after a gap", "STALE_PRICE", 600.0, 300.0, _late),
    ("filled too far off", "PRICE_COLLAR", 6.0, 5.0, _jump),
    ("too fast", "MESSAGE_RATE", 2.0, 1.0, lambda: Desk(OFF._replace(max_orders_per_minute=1.0)).enter().bar(-1.0)),
    (
        "too often",
        "REPEATED_EXECUTION",
        2.0,
        1.0,
        lambda: Desk(OFF._replace(max_entries_per_day=1.0)).enter().leave(100.0).bar(1.0),
    ),
    ("the same again", "DUPLICATE_ORDER", 120.0, 3600.0, _collared),
    ("no open order allowed", "MAX_OPEN_ORDERS", 1.0, 0.0, lambda: Desk(OFF._replace(max_open_orders=0.0)).bar(1.0)),
    (
        "both legs of a reversal",
        "MAX_OPEN_ORDERS",
        2.0,
        1.0,
        lambda: Desk(OFF._replace(max_open_orders=1.0)).enter().bar(-1.0),
    ),
]


@pytest.mark.parametrize(
    ("code", "value", "limit", "scene"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_deny_code_comes_with_its_figures(code, value, limit, scene):
    rows = scene()
    assert denials(rows) == [(code, pytest.approx(value, nan_ok=True), limit)]
    assert not [row for row in rows if row.kind == "order" and row.code == 1.0]


def test_every_deny_code_is_provoked_here():
    halts = {"MAX_DRAWDOWN_HALT", "CONSECUTIVE_REJECTS"}  # these halt; what follows is denied as HALTED
    account = {"ACCOUNT_UNAVAILABLE", "LIQUIDATION_DISTANCE"}  # the session's, see tests/halts; see test_perpetuals.py
    assert {case[1] for case in CASES} | halts | account | {"OK"} == set(DENY_CODES)


def test_a_drawdown_on_marked_equity_halts_and_the_position_may_still_be_closed():
    desk = Desk(OFF._replace(max_drawdown_halt_pct=1.0)).enter()
    rows = desk.bar(1.0, 80.0)
    assert [(r.code, r.value, r.limit) for r in rows if r.kind == "halt"] == [
        ("MAX_DRAWDOWN_HALT", pytest.approx(1.0), 1.0)
    ]
    assert desk.book[bk.STATE] == risk.HALTED
    closing = desk.bar(0.0, 80.0)
    assert [(row.kind, row.code) for row in closing] == [("order", 0.0)]
    assert [row.kind for row in desk.bar(1.0, 80.0)] == ["fill", "denial"]


def test_a_halt_is_said_once_and_stays_when_prices_come_back():
    desk = Desk(OFF._replace(max_drawdown_halt_pct=1.0)).enter()
    said = [row.code for close in (80.0, 79.0, 150.0, 200.0) for row in desk.bar(1.0, close) if row.kind == "halt"]
    assert said == ["MAX_DRAWDOWN_HALT"]
    assert desk.book[bk.STATE] == risk.HALTED


def test_an_order_on_its_way_is_denied_when_the_halt_comes_before_its_fill():
    desk = Desk()
    desk.bar(1.0)
    desk.book[bk.STATE] = risk.HALTED
    assert denials(desk.bar(1.0))[0] == ("HALTED", 2.0, 0.0)
    assert desk.book[bk.QTY] == 0.0


def test_rejections_in_a_row_halt():
    desk = Desk(OFF._replace(max_consecutive_rejects=3.0))
    desk.book[bk.REJECTS] = 2.0
    assert not [row for row in desk.bar(0.0) if row.kind == "halt"]
    desk.book[bk.REJECTS] = 3.0
    assert [(r.code, r.value, r.limit) for r in desk.bar(0.0) if r.kind == "halt"] == [
        ("CONSECUTIVE_REJECTS", 3.0, 3.0)
    ]


def test_an_account_that_is_no_number_halts_and_is_red():
    desk = Desk().enter()
    rows = desk.bar(1.0, NAN)
    assert desk.book[bk.STATE] == risk.HALTED
    assert desk.book[bk.SEVERITY] == risk.RED
    assert "halt" in [row.kind for row in rows]


def test_no_orders_refuses_even_the_closing_order_and_asks_again_ever_more_seldom():
    desk = Desk().enter()
    desk.book[bk.STATE] = risk.NO_ORDERS
    asked = [i for i in range(40) if denials(desk.bar(0.0))]
    assert asked == [0, 1, 3, 7, 15, 31]
    assert desk.book[bk.QTY] > 0.0
    desk.book[bk.STATE] = risk.HALTED
    assert [(row.kind, row.code) for row in desk.bar(0.0)] == [("order", 0.0)]


def test_a_denied_order_is_tried_again_after_1_2_4_up_to_64_bars_and_at_once_for_a_new_signal():
    desk = Desk(OFF._replace(max_order_notional=1.0))
    tried = [i for i in range(300) if denials(desk.bar(1.0))]
    assert [b - a for a, b in itertools.pairwise(tried)] == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert denials(desk.bar(-1.0))
    assert denials(desk.bar(-1.0))


def test_after_a_success_the_waiting_starts_anew():
    desk = Desk(OFF._replace(max_order_notional=1.0))
    for _ in range(20):
        desk.bar(1.0)
    desk.limits = OFF
    while not [row for row in desk.bar(1.0) if row.kind == "order"]:
        pass
    assert desk.book[bk.BACKOFF] == 0.0


def test_a_reversal_needs_two_orders_of_the_minute_not_three():
    desk = Desk(OFF._replace(max_orders_per_minute=2.0)).enter()
    desk.ts += 120.0
    assert [(row.kind, row.code) for row in desk.bar(-1.0)] == [("order", 0.0), ("order", 1.0)]


def test_on_a_spot_market_minus_one_means_flat():
    desk = Desk(market=SPOT).enter()
    assert [(row.kind, row.code) for row in desk.bar(-1.0)] == [("order", 0.0)]
    assert [row.kind for row in desk.bar(-1.0)] == ["fill"]
    assert desk.book[bk.QTY] == 0.0
    assert desk.bar(-1.0) == []


def test_a_profit_never_breaches_a_loss_limit():
    desk = Desk(OFF._replace(max_daily_loss_abs=1.0, max_daily_loss_pct=0.01, max_drawdown_halt_pct=0.01)).enter()
    desk.bar(1.0, 200.0)
    assert desk.book[bk.EQUITY] == 10_500.0
    assert desk.book[bk.SEVERITY] == risk.GREEN
    desk.leave(200.0)
    assert [row.kind for row in desk.bar(1.0, 200.0)] == ["order"]


def test_the_daily_counters_start_anew_at_midnight_utc():
    desk = Desk(OFF._replace(max_daily_loss_abs=50.0, max_entries_per_day=1.0), ts=NOON + 43_200.0 - 5 * 60.0)
    desk.enter().leave(90.0)  # the bars of 23:55 to 23:58
    assert denials(desk.bar(1.0, 90.0))[0][0] == "MAX_DAILY_LOSS_ABS"
    assert desk.ts % 86_400.0 == 0.0
    desk.bar(0.0, 90.0)
    assert (desk.book[bk.DAY_EQUITY], desk.book[bk.ENTRIES]) == (9950.0, 0.0)
    assert [row.kind for row in desk.bar(1.0, 90.0)] == ["order"]


def test_a_day_that_began_without_equity_has_nothing_left_to_lose():
    desk = Desk(OFF._replace(max_daily_loss_pct=5.0))
    desk.bar(0.0)
    desk.book[bk.DAY_EQUITY] = 0.0
    assert denials(desk.bar(1.0)) == [("MAX_DAILY_LOSS_PCT", 100.0, 5.0)]


@pytest.mark.parametrize(
    ("used", "level"), [(0.0, "green"), (0.79, "green"), (0.8, "yellow"), (0.99, "yellow"), (1.0, "red"), (1.5, "red")]
)
@pytest.mark.parametrize("name", ["max_daily_loss_abs", "max_daily_loss_pct", "max_drawdown_halt_pct"])
def test_a_loss_is_yellow_from_exactly_08_and_red_from_exactly_1(name, used, level):
    limits = OFF._replace(**{name: 5.0 if name.endswith("pct") else 500.0})
    book = bk.new_book(10_000.0)
    risk.start_day(book, NOON)
    bk.apply_fill(book, 10.0, 100.0, 500.0 * used)  # the fee is the loss, so that the figure is exact
    bk.mark(book, 100.0)
    if name == "max_drawdown_halt_pct":
        book[bk.DRAWDOWN] = 0.05 * used
    assert risk.SEVERITIES[int(risk.severity(book, limits, 100.0))] == level


@pytest.mark.parametrize(("close", "level"), [(79.99, "green"), (80.0, "yellow"), (100.0, "yellow"), (100.01, "red")])
def test_an_exposure_at_its_limit_is_yellow_and_above_it_red(close, level):
    book = bk.new_book(10_000.0)
    bk.apply_fill(book, -10.0, 80.0, 0.0)
    assert risk.SEVERITIES[int(risk.severity(book, OFF._replace(max_symbol_exposure_notional=1000.0), close))] == level


def test_a_change_of_severity_is_said_once():
    desk = Desk(OFF._replace(max_daily_loss_abs=100.0)).enter()
    said = [
        row.code
        for close in (99.0, 84.0, 84.0, 80.0, 80.0, 83.0, 120.0)
        for row in desk.bar(1.0, close)
        if row.kind == "level"
    ]
    assert said == ["yellow", "red", "yellow", "green"]


tight = st.builds(
    Limits,
    max_order_notional=st.sampled_from([300.0, 520.0, 1e9]),
    max_symbol_exposure_notional=st.sampled_from([490.0, 1e9]),
    max_total_exposure_notional=st.sampled_from([505.0, 1e9]),
    max_open_positions=st.sampled_from([0, 1, 5]),
    max_daily_loss_abs=st.sampled_from([5.0, 50.0, 1e9]),
    max_daily_loss_pct=st.sampled_from([0.1, 5.0]),
    max_drawdown_halt_pct=st.sampled_from([0.5, 10.0]),
    price_collar_pct=st.sampled_from([1.0, 5.0]),
    max_price_age_s=st.sampled_from([30.0, 300.0]),
    max_orders_per_minute=st.sampled_from([1.0, 2.0, 10.0]),
    max_entries_per_day=st.sampled_from([1.0, 3.0, 500.0]),
    duplicate_window_s=st.sampled_from([0.0, 600.0]),
    max_open_orders=st.sampled_from([0.0, 1.0, 2.0]),
)
steps = st.tuples(st.sampled_from([-1.0, 0.0, 1.0, NAN]), st.integers(-400, 400), st.sampled_from([0, 0, 0, 0, 20]))


@given(
    tight, st.sampled_from([PERP, SPOT, PERP._replace(fee_rate=0.005, slippage=0.002)]), st.lists(steps, max_size=80)
)
def test_no_accepted_opening_order_breaks_a_limit(limits, market, moves):
    desk = Desk(limits, market)
    price, entries, day = 100.0, 0, 0.0
    for signal, move, age in moves:
        before, price = price, round(price * (1.0 + move / 1e4), 2)
        begin = desk.ts
        reference = desk.book[bk.ORDER_REF]
        rows = desk.bar(signal, price, before, float(age))
        day, entries = (begin // 86_400.0, 0) if begin // 86_400.0 != day else (day, entries)
        opened = [row for row in rows if row.kind == "order" and row.code == 1.0]
        entries += len(opened)
        book = desk.book
        loss = book[bk.DAY_EQUITY] - book[bk.EQUITY]
        for row in opened:
            assert row.value == abs(row.qty) * price
            assert row.value <= min(
                limits.max_order_notional, limits.max_symbol_exposure_notional, limits.max_total_exposure_notional
            )
            assert book[bk.QTY] == 0.0 or book[bk.CLOSING] == -book[bk.QTY]
            assert limits.max_open_positions >= 1
            assert book[bk.STATE] == risk.ACTIVE
            assert loss < limits.max_daily_loss_abs
            assert 100 * loss < limits.max_daily_loss_pct * book[bk.DAY_EQUITY]
            assert 100 * book[bk.DRAWDOWN] < limits.max_drawdown_halt_pct
            assert age <= limits.max_price_age_s
            assert entries <= limits.max_entries_per_day
            assert sum(r.kind == "order" for r in rows) <= limits.max_open_orders
            assert market.shorts or row.qty > 0.0
        for row in rows:
            if row.kind == "fill" and row.code == 1.0:
                assert abs(before / reference - 1.0) * 100 <= limits.price_collar_pct
        assert book[bk.EQUITY] == book[bk.START] + book[bk.REALIZED] + book[bk.UNREALIZED]


COARSE = PERP._replace(tick_num=25.0, tick_den=1.0, slippage=0.001)  # a buy at 100 fills at 125


def test_an_order_is_judged_by_the_price_at_which_it_would_fill():
    """500 at the close, 625 with slippage on the tick: it is 625 that is held against each limit."""
    for name, code in (
        ("max_order_notional", "MAX_ORDER_NOTIONAL"),
        ("max_symbol_exposure_notional", "MAX_SYMBOL_EXPOSURE"),
        ("max_total_exposure_notional", "MAX_TOTAL_EXPOSURE"),
    ):
        assert denials(Desk(OFF._replace(**{name: 600.0}), COARSE).bar(1.0)) == [(code, 625.0, 600.0)]
        assert denials(Desk(OFF._replace(**{name: 625.0}), COARSE).bar(1.0)) == []


def test_a_fill_is_judged_once_more_when_the_market_has_moved():
    desk = Desk(OFF._replace(max_order_notional=504.0))
    assert denials(desk.bar(1.0)) == []
    assert denials(desk.bar(1.0, open_=101.0)) == [("MAX_ORDER_NOTIONAL", 505.0, 504.0)]
    assert desk.book[bk.QTY] == 0.0


def test_the_collar_judges_the_fill_and_not_the_open():
    desk = Desk(OFF._replace(price_collar_pct=5.0), PERP._replace(slippage=0.02))
    desk.bar(1.0)
    (denied,) = denials(desk.bar(1.0, open_=104.0))
    assert denied == ("PRICE_COLLAR", pytest.approx(6.08), 5.0)


@given(
    st.floats(1e-6, 1e5),
    st.lists(st.floats(0.9, 1.1), min_size=2, max_size=12),
    st.sampled_from(["1", "0.01", "0.00000001"]),
    st.floats(0.01, 1.0),
)
def test_no_fill_breaks_a_limit_whatever_tick_and_market(price, moves, tick, fraction):
    num, den = decimal_step("tick", tick)
    limits = OFF._replace(max_order_notional=2000.0, max_symbol_exposure_notional=1500.0, price_collar_pct=5.0)
    desk = Desk(limits, PERP._replace(tick_num=num, tick_den=den, slippage=0.0005, position_fraction=fraction))
    reference = price
    for n, move in enumerate(moves):
        opened = price * move
        for row in desk.bar((1.0, -1.0, 0.0)[n % 3], opened, open_=opened):
            if row.kind == "fill" and row.code == 1.0:
                assert abs(row.qty) * row.price <= 1500.0 * (1 + 1e-9)
                assert abs(row.price / reference - 1) <= 0.05 * (1 + 1e-9)
        reference = price = opened


@pytest.mark.parametrize("moves", [(1.0, 1.0), (1.03, 0.97), (1.05, 1.05, 0.95), (0.96, 1.04)])
@pytest.mark.parametrize("tick_den", [1.0, 100.0])
def test_the_whole_of_equity_in_a_spot_market_leaves_cash_that_is_not_negative(tick_den, moves):
    whole = SPOT._replace(position_fraction=1.0, tick_den=tick_den, fee_rate=0.0026, slippage=0.0005)
    desk, price, filled = Desk(market=whole), 97.37, 0
    for n in range(40):
        opened = price * moves[n % len(moves)]
        filled += sum(row.kind == "fill" for row in desk.bar(float(n % 4 < 2), opened, open_=opened))
        assert desk.book[bk.CASH] >= 0.0
        price = opened
    assert filled > 10


@pytest.mark.parametrize(("equity", "halts"), [(9000.1, False), (9000.0, True), (8999.9, True)])
def test_a_drawdown_of_exactly_the_limit_halts(equity, halts):
    """1 - 9000 / 10000 is 0.09999999999999998 in floats, and 10 % all the same."""
    book = bk.new_book(10_000.0)
    book[bk.REALIZED] = equity - 10_000.0
    bk.mark(book, 1.0)
    limits = OFF._replace(max_drawdown_halt_pct=10.0)
    assert (risk.must_halt(book, limits) == risk.MAX_DRAWDOWN_HALT) == halts
    assert (risk.severity(book, limits, 1.0) == risk.RED) == halts
