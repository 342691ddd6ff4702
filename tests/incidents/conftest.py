"""A desk on a loopback venue, as the exchange tests have it, for incidents that really happen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "exchange"))

from rig import Desk, on_venue

from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.testing import LoopbackVenue, MarketSource


@pytest.fixture
def venue() -> Iterator[LoopbackVenue]:
    with LoopbackVenue(MarketSource.synthetic(seed=7, volatility=1.5)) as running:
        yield running


@pytest.fixture
def desk(
    workspace: Workspace, venue: LoopbackVenue, configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    """Return a workspace on the spot side of ``venue``, with keys in the environment."""
    return on_venue(workspace, venue, configure, monkeypatch)
