"""A loopback venue for tests and drills: Kraken's interfaces without a network, with faults on demand.

::

    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        exchange = connect(ccxt.kraken(), venue)
        venue.faults.add(VenueFault.status(503), path="OHLC", times=3)
        venue.clock.advance(3600)

Shipped as public API, so that anyone can drill. Nothing here talks to another machine.
"""

from peaktrade_core.testing.client import connect
from peaktrade_core.testing.clock import VenueClock
from peaktrade_core.testing.faults import VenueFault, named_faults
from peaktrade_core.testing.kraken.signing import LOOPBACK, LoopbackKey
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.orders import RestingOrder
from peaktrade_core.testing.recorded import RecordedVenue, Recording, read_recordings
from peaktrade_core.testing.rules import FaultRule, FaultRules
from peaktrade_core.testing.venue import LoopbackVenue, Venue
from peaktrade_core.testing.wire import VenueRequest

__all__ = [
    "LOOPBACK",
    "FaultRule",
    "FaultRules",
    "LoopbackKey",
    "LoopbackVenue",
    "MarketSource",
    "RecordedVenue",
    "Recording",
    "RestingOrder",
    "Venue",
    "VenueClock",
    "VenueFault",
    "VenueRequest",
    "connect",
    "named_faults",
    "read_recordings",
]
