"""The figures of a session with their units, in the order in which people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peaktrade_core.show import wording
from peaktrade_core.trading.records import SessionRecord, finite


def figures_of(record: SessionRecord) -> list[tuple[str, str]]:
    """Return the figures of a session with their units, in the order in which people read them."""
    return metric_figures(record.metrics, wording.quote_currency(record.symbol))


def metric_figures(metrics: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    """Return metrics with their units, in the order in which people read them; a dash where there is none."""
    codes = metrics.get("deny_codes")
    codes = codes if isinstance(codes, Mapping) else {}

    def figure(name: str) -> float | None:
        return finite(metrics.get(name))

    return [
        ("Realized PnL (net of fees)", wording.signed(figure("realized_pnl"), currency)),
        ("Unrealized PnL", wording.signed(figure("unrealized_pnl"), currency)),
        ("Equity at the end", wording.money(figure("equity_end"), currency)),
        ("Fees", wording.money(figure("fees"), currency)),
        ("Max drawdown", wording.percent(figure("max_drawdown"))),
        ("Steps (bars)", wording.count(figure("steps"))),
        ("Orders generated", wording.count(figure("orders_generated"))),
        ("Orders executed", wording.count(figure("num_orders"))),
        ("Orders blocked by risk", wording.count(figure("orders_blocked_risk"))),
        ("Orders rejected by the venue", wording.count(figure("orders_rejected"))),
        ("Orders still open", wording.count(figure("orders_open"))),
        ("Fill rate", wording.percent(figure("fill_rate"), 1)),
        ("Round trips", wording.count(figure("num_trades"))),
        ("Bars missing", wording.count(figure("bars_missing"))),
        ("Risk", str(metrics.get("risk_status") or wording.NOTHING)),
        ("Deny codes", ", ".join(f"{code} × {n}" for code, n in codes.items()) or "none"),
    ]
