"""A venue with a market that stands still, and ccxt's own clients on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from peaktrade_core.testing import LoopbackVenue, MarketSource, connect

REPO = Path(__file__).resolve().parent.parent.parent
FAST = {"enableRateLimit": False, "timeout": 5000}


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7), balances={"EUR": 10_000.0, "BTC": 1.0}) as running:
        yield running


@pytest.fixture
def client() -> Callable[..., Any]:
    """Return a maker of ccxt clients that know their markets."""

    def make(name: str, venue: LoopbackVenue, **settings: object) -> Any:
        exchange = connect(getattr(ccxt, name)(FAST | settings), venue)
        exchange.load_markets()
        return exchange

    return make


@pytest.fixture
def kraken(venue: LoopbackVenue, client: Callable[..., Any]) -> Any:
    exchange = client("kraken", venue)
    venue.forget()
    return exchange


@pytest.fixture
def demo(venue: LoopbackVenue, client: Callable[..., Any]) -> Any:
    """Return ccxt's krakenfutures in sandbox mode."""
    exchange = client("krakenfutures", venue)
    exchange.set_sandbox_mode(True)
    venue.forget()
    return exchange


@pytest.fixture(scope="session")
def recordings_folder() -> Path:
    """Return the folder of recorded exchanges with Kraken; absent, skip here and fail in CI."""
    base = Path(os.environ.get("PEAKTRADE_SHARED_DATA") or REPO.parent / "shared" / "data")
    folder = base / "kraken_http" / "aiokraken"
    if not folder.is_dir():
        reason = f"recorded exchanges are absent: {folder}; put them there or name their home in PEAKTRADE_SHARED_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
