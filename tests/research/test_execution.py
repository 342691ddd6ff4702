"""What executions cost on their way: decision, arrival, fill, fee, and what the venue says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from peaktrade_core.runs.execution import costs_of, executions, venue_price
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.trading import events as ev
from peaktrade_core.workspace.workspace import Workspace

AT = datetime(2026, 1, 5, tzinfo=UTC)


def test_a_buy_and_a_sell_that_both_cost() -> None:
    raw = {"orderEvents": [{"type": "EXECUTION", "price": 102.0, "amount": 1.0}, {"type": "OTHER", "price": 1.0}]}
    found = executions(
        [
            ev.Order(0, AT, "o1", "open", 2.0, 100.0, 200.0),
            ev.VenueAnswer(1, AT, "o1", True, "placed", raw),
            ev.Fill(2, AT, "o1", "open", 2.0, 101.5, 0.5, 101.0),
            ev.Order(3, AT, "o2", "close", -2.0, 110.0, 220.0),
            ev.Fill(4, AT, "o2", "close", -2.0, 108.0, 0.5, 109.0),
        ]
    )
    assert [(one.delay, one.slippage, one.venue_extra) for one in found] == [(2.0, 1.0, 1.0), (2.0, 2.0, None)]
    costs = costs_of(found)
    assert (costs.delay, costs.slippage, costs.fee, costs.venue_fills, costs.venue_extra) == (4.0, 3.0, 1.0, 1, 1.0)
    assert costs.bps(costs.slippage) == pytest.approx(1e4 * 3.0 / (203.0 + 216.0))
    assert costs_of([]).bps(0.0) is None


@pytest.mark.parametrize(
    ("raw", "price"),
    [
        (None, None),
        ({}, None),
        ({"orderEvents": []}, None),
        ({"orderEvents": ["x", {"type": "EXECUTION", "price": None, "amount": 1.0}]}, None),
        ({"orderEvents": [{"type": "EXECUTION", "price": 10.0, "amount": a} for a in (1.0, 3.0)]}, 10.0),
        ({"fill_id": "f", "price": 12.0, "size": 2.0}, 12.0),
        ({"descr": {"order": "buy"}}, None),
    ],
)
def test_the_price_in_a_venues_answer(raw: dict[str, Any] | None, price: float | None) -> None:
    assert venue_price(raw) == price


def test_a_demo_session_knows_what_the_venue_filled_at(
    workspace: Workspace, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peaktrade_core.venue.credentials import variables_of

    with LoopbackVenue(MarketSource.synthetic(seed=7, symbol="BTC/USD")) as venue:
        path = home / "config" / "config.toml"
        text = path.read_text().replace('base_url = ""', f'base_url = "{venue.url}"')
        text = text.replace('mode = "shadow"', 'mode = "testnet"')
        text = text.replace('venue = "kraken" ', 'venue = "krakenfutures" ').replace(
            "order_pace_s = 1.0", "order_pace_s = 0.0"
        )
        path.write_text(text)
        for name, value in zip(variables_of("krakenfutures"), venue.credentials, strict=True):
            monkeypatch.setenv(name, value)
        plan = plan_session(
            workspace,
            mode="testnet",
            symbol="BTC/USD-PERP",
            strategy="donchian_breakout",
            params={"window": 3},
            feed="synthetic",
            seed=4,
            steps=40,
        )
        record = run_session(plan, Desk.of(workspace))
    found = executions(Views.of(workspace).events(record.session_id))
    assert len(found) == record.metrics["num_orders"] > 2
    taken = {order.client_id.partition("-")[2]: float(order.average) for order in venue.orders}
    assert {one.order_id: one.venue for one in found} == {one.order_id: taken[one.order_id] for one in found}
    assert costs_of(found).venue_fills == len(found)
