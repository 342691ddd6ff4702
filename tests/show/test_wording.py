"""Money and prices: as finely as their currency is counted, and never 0.00 for something."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.show.chart import Chart, Frame, Line
from peaktrade_core.show.wording import (
    MINUS,
    NOTHING,
    TIED,
    coded,
    command,
    drawdown,
    gained,
    money,
    price,
    short_id,
    sign_class,
    signed,
    tied,
)


@pytest.mark.parametrize(
    ("value", "currency", "told"),
    [
        (10_045.666, "EUR", "10,045.67 EUR"),
        (-0.001, "EUR", "0.00 EUR"),
        (0.05, "BTC", "0.05000000 BTC"),
        (-0.00001234, "BTC", "−0.00001234 BTC"),
        (0.5, "ETH", "0.50000000 ETH"),
        (1_234_567.4, "JPY", "1,234,567 JPY"),
        (12.3, "USDT", "12.30 USDT"),
        (12.3456, "", "12.35"),
        (0.00123, "", "0.0012"),
        (2.6e-14, "", "0.00"),
        (0.0, "BTC", "0.00000000 BTC"),
        (None, "EUR", "–"),
    ],
)
def test_money_is_written_as_finely_as_it_is_counted(value: float | None, currency: str, told: str) -> None:
    assert money(value, currency) == told


def test_a_gain_has_its_plus_and_its_colour_in_any_currency() -> None:
    assert signed(0.00001234, "BTC") == "+0.00001234 BTC"
    assert signed(0.00001234, "EUR") == "0.00 EUR"
    assert (sign_class(0.00001234, "BTC"), sign_class(0.00001234, "EUR"), sign_class(-1.0)) == ("pos", "zero", "neg")
    assert signed(1.0, "EUR", code=False) == "+1.00"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (50_123.4, "50,123.40"),
        (1.0834, "1.0834"),
        (0.15, "0.15"),
        (1.958e-05, "0.00001958"),
        (1.9580080000000004e-05, "0.00001958008"),
        (0.0, "0.00"),
        (1e9, "1,000,000,000.00"),
        (None, "–"),
    ],
)
def test_a_price_has_the_digits_that_it_has(value: float | None, told: str) -> None:
    assert price(value) == told


@given(st.floats(1e-12, 1e12))
def test_a_price_is_never_told_as_nothing_and_is_right_to_six_digits(value: float) -> None:
    told = float(price(value).replace(",", ""))
    assert math.isclose(told, value, rel_tol=1e-6) or abs(told - value) <= 0.005
    assert told > 0.0


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("<p>limit 10 %)</p>", "<p>limit 10_%)</p>"),
        ("waits 6 m 28 s, 1 h", "waits 6_m_28_s, 1_h"),
        ("\N{MINUS SIGN}4.84 EUR in 3 sessions", "\N{MINUS SIGN}4.84_EUR in 3 sessions"),
        ('<i title="5 s">at 08:00 UTC</i>', '<i title="5 s">at 08:00_UTC</i>'),
        ("<code>--pace 5 s</code> 5 s", "<code>--pace 5 s</code> 5_s"),
        ("10 BTC/EUR, 5 BTC-PERP", "10 BTC/EUR, 5 BTC-PERP"),
    ],
)
def test_a_figure_is_not_torn_from_its_unit_and_code_stays_as_it_is(html: str, told: str) -> None:
    assert tied(html).replace(TIED, "_") == told


@given(st.none() | st.floats(-1.0, 1.0))
def test_a_drawdown_has_no_sign_and_a_return_has_one(value: float | None) -> None:
    assert drawdown(value) == (NOTHING if value is None else f"{abs(value) * 100:.2f} %")
    assert gained(value)[0] in f"+{MINUS}" or value is None or abs(value) < 0.00005 + 1e-12


@pytest.mark.parametrize(("days", "labels"), [(170, None), (400, "2017-04"), (900, "2018-01"), (9000, "2020-01")])
def test_a_long_chart_says_its_years_at_first_days_of_months(days: int, labels: str | None) -> None:
    begin = datetime(2017, 2, 5, tzinfo=UTC)
    ticks = Frame(Chart(name="", lines=[Line("", [begin, begin + timedelta(days=days)], [1.0, 2.0])])).time_ticks()
    if labels is None:
        assert all(tick.form == "day" for tick in ticks)
    else:
        assert labels in [tick.text for tick in ticks]
        assert 3 <= len(ticks) <= 7
        assert {(tick.at.day, tick.at.hour, tick.form) for tick in ticks} == {(1, 0, "month")}


def test_ids_beside_each_other_are_told_apart_by_their_end() -> None:
    assert short_id("shadow_20261129_164326_68b784") == "…164326_68b784"
    for other in ("ma_crossover", "BTC/EUR", "latest", "bt_bbadf0cb0ae3"):
        assert short_id(other) == other


def test_a_command_keeps_an_option_with_its_value_and_is_text_to_copy() -> None:
    said = coded("Ask <Ben>: `peaktrade change adopt --by NAME -p alert_id=A-71c0 --dry-run`")
    assert said.startswith("Ask &lt;Ben&gt;: <code>peaktrade change adopt <span")
    assert re.findall(r'<span class="kept">(.*?)</span>', said) == ["--by NAME", "-p alert_id=<wbr>A-71c0", "--dry-run"]
    assert "adopt --by NAME -p alert_id=A-71c0 --dry-run</code>" in re.sub(r"</?span[^>]*>|<wbr>", "", said)
    assert command("x `y`", "command") == '<code class="command">x `y`</code>'
