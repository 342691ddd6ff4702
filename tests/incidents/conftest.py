"""A desk on a loopback venue, as the exchange tests have it, for incidents that really happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.workspace.workspace import Workspace
from tests.venue.rig import VenueDesk, on_venue


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, volatility=1.5)) as running:
        yield running


@pytest.fixture
def desk(
    workspace: Workspace, venue: LoopbackVenue, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> VenueDesk:
    """Return a workspace on the spot side of ``venue``, with keys in the environment."""
    return on_venue(workspace, venue, configure, monkeypatch)
