"""``exchange inspect`` and ``exchange markets``: what the venue says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.testing import LoopbackVenue, VenueFault
from peaktrade_core.venue.client import VenueClient
from peaktrade_core.venue.facts import _market, inspect_venue, list_markets


def test_the_venue_is_described(venue: LoopbackVenue, client: Callable[..., VenueClient]) -> None:
    facts = inspect_venue(client(), venue.clock)
    assert (facts.venue, facts.status, facts.skew_s, facts.page) == ("kraken", "ok", 0.0, 720)
    assert (facts.markets, facts.active, facts.hosts, facts.loopback) == (1, 1, ["127.0.0.1"], True)
    assert {"1m", "1h", "1d"} <= set(facts.timeframes)
    assert {"candles", "orders"} <= set(facts.offers)


def test_skew_and_maintenance_are_seen(venue: LoopbackVenue, client: Callable[..., VenueClient]) -> None:
    venue.clock.skew_s = 90.0
    assert inspect_venue(client(), venue.clock).skew_s == pytest.approx(90.0)
    venue.state = "cancel_only"
    assert inspect_venue(client(), venue.clock).status == "maintenance"


def test_a_venue_that_tells_no_time_is_said_to(venue: LoopbackVenue, client: Callable[..., VenueClient]) -> None:
    facts = inspect_venue(client("krakenfutures"), venue.clock)
    assert (facts.time, facts.skew_s, facts.status) == (None, None, None)


def test_markets_have_their_steps_and_fees(venue: LoopbackVenue, client: Callable[..., VenueClient]) -> None:
    (market,) = list_markets(client(), "eur")
    assert (market.symbol, market.kind, market.active) == ("BTC/EUR", "spot", True)
    assert (market.tick, market.lot) == ("0.01", "0.00000001")
    assert market.min_qty == 0.00005
    assert 0.0 < market.maker < market.taker < 0.01
    assert list_markets(client(), "JPY") == []


def test_the_commands_print_tables_and_json(venue: LoopbackVenue, peaktrade: Callable[..., Any]) -> None:
    text = peaktrade("exchange", "inspect")
    assert text.code == 0, text.stderr
    for part in ("kraken at 127.0.0.1 (a drill on this machine)", "set this machine's clock", "maker 0."):
        assert part in text.stdout
    assert json.loads(peaktrade("exchange", "inspect", "--json").stdout)["status"] == "ok"
    table = peaktrade("exchange", "markets", "--quote", "EUR").stdout.splitlines()
    assert table[0].split() == ["SYMBOL", "KIND", "OPEN", "TICK", "LOT", "SMALLEST", "ORDER", "MAKER", "TAKER"]
    assert table[1].split()[:6] == ["BTC/EUR", "spot", "yes", "0.01", "0.00000001", "0.00005"]
    assert [m["symbol"] for m in json.loads(peaktrade("exchange", "markets", "--json").stdout)] == ["BTC/EUR"]
    assert "No market is quoted in JPY." in peaktrade("exchange", "markets", "--quote", "JPY").stdout


def test_a_venue_that_is_down_ends_with_eight_and_a_sentence(venue: LoopbackVenue, peaktrade, configure) -> None:
    configure("attempts = 4 ", "attempts = 1 ")
    venue.faults.add(VenueFault.html())
    ended = peaktrade("exchange", "inspect")
    assert (ended.code, ended.stdout) == (8, "")
    assert "an answer without content" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("changed", "tick", "lot", "min_qty", "contract"),
    [
        ({}, "0.01", "0.001", 0.005, None),
        ({"contract": True, "linear": True, "contractSize": 0.01}, "0.01", "0.00001", 0.00005, "linear"),
        ({"contract": True, "inverse": True, "contractSize": 100.0}, "0.01", "0.1", 0.5, "inverse"),
        ({"contract": True, "contractSize": 1.0}, "0.01", "0.001", 0.005, "quanto"),
        ({"precision": {"price": None, "amount": 0.0}}, None, None, 0.005, None),
    ],
)
def test_contracts_are_counted_in_base_units_and_inverse_ones_in_quote_currency(
    changed: dict[str, Any], tick: str | None, lot: str | None, min_qty: float, contract: str | None
) -> None:
    raw = {
        "symbol": "X/Y",
        "precision": {"price": 0.01, "amount": 0.001},
        "limits": {"amount": {"min": 0.005}},
    } | changed
    found = _market(raw, whole_steps=True)
    assert (found.tick, found.lot, found.min_qty, found.contract) == (tick, lot, min_qty, contract)
    digits = _market(raw, whole_steps=False)
    assert (digits.tick, digits.lot) == (None, None)
