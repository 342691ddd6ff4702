"""Bars that cannot be impossible, timeframes, durations, price steps, times and names of errors."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base import errors
from peaktrade_core.base.clock import FixedClock, as_utc, from_seconds, iso
from peaktrade_core.base.errors import ConfigError, DataError, UnknownNameError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check, worst
from peaktrade_core.trading.market import (
    Bar,
    Bars,
    Instrument,
    Timeframe,
    bar_fault,
    decimal_step,
    parse_duration,
    require_sound,
    timeframe_months,
    timeframe_of,
    timeframe_seconds,
)

GOOD = Bar(0.0, 10.0, 12.0, 9.0, 11.0, 5.0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"high": 8.0}, "high = 8.0 is below low = 9.0"),
        ({"open": 13.0}, "open = 13.0 or close = 11.0 lies outside low = 9.0 .. high = 12.0"),
        ({"close": 8.9}, "open = 10.0 or close = 8.9 lies outside"),
        ({"low": 0.0}, "low = 0.0 is not positive"),
        ({"low": -1.0}, "low = -1.0 is not positive"),
        ({"volume": -0.1}, "volume = -0.1 is negative"),
        ({"volume": 0.0}, ""),
        ({"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}, ""),
        *(({name: bad}, "a value is missing or not finite") for name in Bar._fields for bad in (math.nan, math.inf)),
    ],
)
def test_what_is_impossible_about_a_bar(change: dict[str, float], fault: str) -> None:
    bar = GOOD._replace(**change)
    assert bar_fault(bar).startswith(fault)
    assert bool(bar_fault(bar)) == bool(fault)
    if fault:
        with pytest.raises(DataError, match="impossible bar at"):
            require_sound(bar)


@given(st.lists(st.tuples(*[st.floats(-5, 50) | st.just(math.nan)] * 5), min_size=1, max_size=6))
def test_columns_are_refused_exactly_when_one_of_their_bars_is(rows: list[tuple[float, ...]]) -> None:
    impossible = [bool(bar_fault(Bar(60.0 * n, *row))) for n, row in enumerate(rows)]
    ts, columns = np.arange(len(rows)) * 60.0, np.array(rows)
    if any(impossible):
        says = rf"row {impossible.index(True) + 1}: .*\({sum(impossible)} such rows\)"
        with pytest.raises(DataError, match=says):
            Bars(ts, columns)
    else:
        bars = Bars(ts, columns)
        assert [tuple(bars[n])[1:] for n in range(len(bars))] == rows


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 1800), ("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), (" 5 ", 300)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-5", "1.5h", "1w", "h", "1h30m", "one", "1 h", "٣٠ m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="is not understood; write 30"):
        parse_duration(text)


def test_timeframes() -> None:
    known = {"1s": 1, "1m": 60, "3m": 180, "15m": 900, "2h": 7200, "1d": 86_400, "3d": 259_200, "1w": 604_800}
    assert {name: timeframe_seconds(name) for name in known} == known
    for wrong in ("7m", "", "60", "1D"):
        with pytest.raises(ConfigError, match=r"known: 1s, 10s, 1m, 3m, .* 1w, .* 1M, 3M, 4M, 1y"):
            timeframe_seconds(wrong)
    assert [timeframe_months(name) for name in ("1M", "3M", "1y", "1m", "4w")] == [1, 3, 12, 0, 0]
    with pytest.raises(ConfigError, match="months are not of one length"):
        timeframe_seconds("1M")


@given(st.decimals("1e-12", "1e6", allow_nan=False).filter(lambda d: d > 0))
def test_a_step_is_the_fraction_that_its_decimal_says(step: Decimal) -> None:
    number, denominator = decimal_step("tick", str(step))
    assert Fraction(number, denominator) == Fraction(step)


@pytest.mark.parametrize("text", ["0", "-0.1", "nan", "inf", "dime", "", "0,1"])
def test_what_is_no_step(text: str) -> None:
    with pytest.raises(ConfigError, match="must be a positive decimal"):
        decimal_step("lot", text)
    if text:  # an empty one is found out when a session starts
        with pytest.raises(ConfigError, match="tick = "):
            Instrument(tick=text)


@pytest.mark.parametrize(
    "wrong", [{"kind": "casino"}, {"min_qty": -1.0}, {"min_notional": math.nan}, {"min_qty": math.inf}]
)
def test_what_is_no_instrument(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(wrong)))):
        Instrument(**wrong)


def test_a_naive_time_means_utc_and_another_zone_is_converted() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert as_utc(datetime(2026, 1, 5, 12)) == noon
    assert as_utc(datetime(2026, 1, 5, 14, tzinfo=timezone(timedelta(hours=2)))) == noon
    assert iso(noon + timedelta(microseconds=999_999)) == "2026-01-05T12:00:00+00:00"
    assert from_seconds(noon.timestamp()) == noon


def test_a_fixed_clock_moves_on_by_its_tick() -> None:
    clock = FixedClock(datetime(2026, 1, 5), timedelta(minutes=1))
    assert [clock.now().minute for _ in range(3)] == [0, 1, 2]
    assert clock.now().tzinfo is UTC


def test_the_worst_of_checks() -> None:
    def one(status: str) -> Check:
        return check("id", "Is it?", status == PASS, "figures", "do this", otherwise=WARN if status == WARN else FAIL)

    assert worst([]) == PASS
    assert worst([one(PASS), one(WARN)]) == WARN
    assert worst([one(FAIL), one(WARN)]) == FAIL
    assert (one(PASS).next_step, one(FAIL).next_step) == ("", "do this")


def test_the_error_tree_is_the_one_drawn() -> None:
    parents, path = {"PeaktradeError": None}, ["PeaktradeError"]
    for branch, name in re.findall(r"^    ([ │]*[├└]── )(\w+)", errors.__doc__ or "", re.MULTILINE):
        path[len(branch) // 4 :] = [name]
        parents[name] = path[-2]
    tree = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert set(parents) == set(tree)
    for name, parent in parents.items():
        assert parent is None or tree[name].__bases__[0] is tree[parent], f"{name} is drawn below {parent}"
        assert tree[name].__doc__
        assert 0 < tree[name].exit_code < 100


def test_an_unknown_name_lists_what_is_known() -> None:
    error = UnknownNameError("symbol", "X", ["A", "B"], "peaktrade strategies")
    assert str(error) == "unknown symbol 'X'; known: A, B; `peaktrade strategies` lists them"
    assert str(UnknownNameError("symbol", "X", [])) == "unknown symbol 'X'; known: none"
    newest = UnknownNameError("drill", "latest", [], "peaktrade drill log", "peaktrade drill list")
    assert str(newest) == "there is no drill yet: `peaktrade drill list`"


@pytest.mark.parametrize("name", [*get_args(Timeframe)])
def test_the_name_of_a_length_is_a_timeframe_of_that_length(name: str) -> None:
    assert timeframe_seconds(timeframe_of(timeframe_seconds(name))) == timeframe_seconds(name)


def test_a_length_without_a_name_is_said_in_seconds() -> None:
    assert (timeframe_of(86_400.0), timeframe_of(90.0), timeframe_of(0.5)) == ("1d", "90s", "0.5 s")
