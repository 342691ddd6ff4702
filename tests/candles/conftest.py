"""A store, a loopback venue that the workspace is configured for, and candles with planted faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from peaktrade_core.candles.store import CandleStore
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.trading.market import Bar
from peaktrade_core.venue.client import CallPolicy, VenueClient

QUICK = CallPolicy(timeout_s=0.5, deadline_s=1.0, attempts=4, backoff_s=0.01, longest_s=0.02)


@pytest.fixture
def store(home: Path) -> CandleStore:
    """Return the workspace's store, empty."""
    return CandleStore.of_workspace(home)


@pytest.fixture
def venue(configure: Callable[[str, str], None]) -> Iterator[LoopbackVenue]:
    """Return a venue that stands still at noon of 2026-01-01, which the workspace is configured for."""
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as running:
        configure('base_url = ""', f'base_url = "{running.url}"')
        configure("\ntimeout_s = 10.0", "\ntimeout_s = 2.0")
        yield running


@pytest.fixture
def client(venue: LoopbackVenue) -> Callable[..., VenueClient]:
    """Return a maker of impatient clients of the venue."""

    def make(name: str = "kraken") -> VenueClient:
        return VenueClient(name, base_url=venue.url, policy=QUICK)

    return make


@pytest.fixture(scope="session")
def minutes() -> list[Bar]:
    """Return three days of sound minutes."""
    return list(islice(SyntheticFeed(5, 60), 3 * 1440))
