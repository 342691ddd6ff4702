"""Limits and what was measured against them, in words: each figure with its unit."""

from __future__ import annotations

import pytest

from peaktrade_core.trading.limit_use import limits_told, refusal


@pytest.mark.parametrize(
    ("code", "value", "limit", "symbol", "told"),
    [
        ("MAX_DRAWDOWN_HALT", 10.23456789, 10.0, "BTC/EUR", "MAX_DRAWDOWN_HALT: 10.23 % against 10 %"),
        ("MAX_ORDER_NOTIONAL", 1_500.25, 1e6, "BTC/EUR", "MAX_ORDER_NOTIONAL: 1,500.25 EUR against 1,000,000 EUR"),
        ("MAX_ORDER_NOTIONAL", 1_500.0, 1e3, "BTC/USD:BTC", "MAX_ORDER_NOTIONAL: 1,500 USD against 1,000 USD"),
        ("MAX_ORDER_NOTIONAL", 1_500.0, 1e3, None, "MAX_ORDER_NOTIONAL: 1,500 against 1,000"),
        ("SIZE_BELOW_MINIMUM", 0.00001234, 0.0001, "BTC/EUR", "SIZE_BELOW_MINIMUM: 0.00001234 against 0.0001"),
        ("STALE_PRICE", 3600.0, 300.0, "BTC/EUR", "STALE_PRICE: 3,600.00 s against 300 s"),
        ("CONSECUTIVE_REJECTS", 5.0, 5.0, "BTC/EUR", "CONSECUTIVE_REJECTS: 5 against 5"),
        ("BAD_SIGNAL", None, None, "BTC/EUR", "BAD_SIGNAL"),
        ("HALTED", 2.0, 0.0, "BTC/EUR", "HALTED"),  # the figure is the number of a state
    ],
)
def test_a_refusal_says_its_figures_with_their_units(
    code: str, value: float | None, limit: float | None, symbol: str | None, told: str
) -> None:
    assert refusal(code, value, limit, symbol) == told


def test_limits_have_their_units() -> None:
    limits = {"max_order_notional": 1000.0, "max_daily_loss_pct": 5.0, "max_price_age_s": 300.0, "max_open_orders": 2.0}
    told = "max_order_notional 1,000 EUR, max_daily_loss_pct 5 %, max_price_age_s 300 s, max_open_orders 2"
    assert limits_told(limits, "BTC/EUR") == told
    assert limits_told({"odd": "a word"}) == "odd a word"
