"""Where each venue is: its production hosts, for public data, and its sandbox, the only place that takes orders.

An order may go to a host only when two lists agree on it: the addresses that ccxt has for the venue's sandbox when the
client is built, and :data:`SANDBOXES`, which is reviewed by people. A host that production also uses is in neither: the
sandboxes of the OKX family and of WEEX are production's own hosts, told apart by a header or by nothing, and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.venue.dialects import dialect_of
from peaktrade_core.venue.origins import Origin, origin_of

DEMO_HOSTS = ("demo-futures.kraken.com",)
_BINANCE = ("testnet.binance.vision", "testnet.binancefuture.com")
SANDBOXES: dict[str, tuple[str, ...]] = {
    "alpaca": ("broker-api.sandbox.alpaca.markets", "paper-api.alpaca.markets"),
    "apex": ("testnet.omni.apex.exchange",),
    "bequant": ("api.demo.hitbtc.com",),
    "binance": _BINANCE,
    "binancecoinm": _BINANCE,
    "binanceus": _BINANCE,
    "binanceusdm": _BINANCE,
    "bingx": ("open-api-vst.bingx.com",),
    "bitso": ("stage.bitso.com",),
    "blofin": ("demo-trading-openapi.blofin.com",),
    "btse": ("testapi.btse.io",),
    "bullish": ("api.simnext.bullish-test.com",),
    "bybit": ("api-testnet.bybit.com",),
    "bybiteu": ("api-testnet.bybit.eu",),
    "bybitid": ("api-testnet.bybit.id",),
    "coinbaseexchange": ("api-public.sandbox.exchange.coinbase.com",),
    "cryptocom": ("uat-api.3ona.co",),
    "delta": ("testnet-api.delta.exchange",),
    "deribit": ("test.deribit.com",),
    "derive": ("testnet.api.derive.xyz",),
    "dydx": ("indexer.v4testnet.dydx.exchange", "test-dydx-rest.kingnodes.com", "test-dydx-rpc.kingnodes.com"),
    "extended": ("api.starknet.sepolia.extended.exchange",),
    "fmfwio": ("api.demo.hitbtc.com",),
    "gate": ("api-testnet.gateapi.io",),
    "gateeu": ("api-testnet.gateapi.io",),
    "gemini": ("api.sandbox.gemini.com",),
    "grvt": ("edge.testnet.grvt.io", "market-data.testnet.grvt.io", "trades.testnet.grvt.io"),
    "hashkey": ("api-glb.sim.hashkeydev.com",),
    "hitbtc": ("api.demo.hitbtc.com",),
    "hollaex": ("api.sandbox.hollaex.com",),
    "hyperliquid": ("api.hyperliquid-testnet.xyz",),
    "krakenfutures": DEMO_HOSTS,
    "lighter": ("testnet.zklighter.elliot.ai",),
    "modetrade": ("testnet-api-evm.orderly.org",),
    "nado": ("archive.test.nado.xyz", "gateway.test.nado.xyz", "trigger.test.nado.xyz"),
    "ndax": ("ndaxmarginstaging.cdnhop.net",),
    "pacifica": ("test-api.pacifica.fi",),
    "paradex": ("api.testnet.paradex.trade",),
    "phemex": ("testnet-api.phemex.com",),
    "poloniex": ("sand-spot-api-gateway.poloniex.com",),
    "woo": ("api-pub.staging.woox.io", "api.staging.woox.io"),
    "woofipro": ("testnet-api-evm.orderly.org",),
    "zebpay": ("dev-futuresbe.zebstage.com", "www.zebstage.com"),
}
SHARED = {  # venues whose sandbox, after ccxt, is at production's own hosts
    "myokx": "a header tells its demo from production",
    "okx": "a header tells its demo from production",
    "okxus": "a header tells its demo from production",
    "weex": "ccxt has production's own hosts for it",
}


class Places(NamedTuple):
    """What a client can reach.

    Attributes:
        reading: asked for public data only; orders: a sandbox, or this machine.
    """

    reading: frozenset[Origin] = frozenset()
    orders: frozenset[Origin] = frozenset()

    @property
    def all(self) -> frozenset[Origin]:
        """Every place."""
        return self.reading | self.orders


def no_sandbox(venue: str) -> str:
    """Return why no order can be sent to a venue's sandbox, an empty string where one can."""
    if venue in SANDBOXES:
        return ""
    return f"its sandbox is at production's own hosts ({SHARED[venue]})" if venue in SHARED else "it has no sandbox"


@cache
def places_of(venue: str, demo: bool) -> Places:
    """Return where a venue is, or its sandbox.

    Raises:
        ConfigError: it has no sandbox, or ccxt and :data:`SANDBOXES` do not agree on any of its hosts.
        UnknownNameError: ccxt does not know the venue.
    """
    import ccxt

    if venue not in ccxt.exchanges:
        raise UnknownNameError("venue", venue, ("kraken", "krakenfutures"), "peaktrade exchange venues")
    production = _origins(getattr(ccxt, venue)(), dialect_of(venue).hosts)
    if not demo:
        return Places(reading=production)
    if reason := no_sandbox(venue):
        raise ConfigError(f"{venue}: {reason}; testnet sessions go to a venue of `peaktrade exchange venues --sandbox`")
    sandbox = getattr(ccxt, venue)()
    sandbox.set_sandbox_mode(True)
    found = _origins(sandbox)
    theirs = {origin.host for origin in production}
    orders = frozenset(one for one in found if one.host in SANDBOXES[venue] and one.host not in theirs)
    if not orders:
        raise ConfigError(
            f"{venue}: ccxt has its sandbox at {', '.join(sorted(one.host for one in found)) or 'no host'}, and peaktrade knows "
            f"{', '.join(SANDBOXES[venue])}; no order is sent before the list in peaktrade_core/venue/places.py was reviewed"
        )
    return Places(reading=frozenset(one for one in found if one in production), orders=orders)


def addresses(exchange: Any, kind: str = "http") -> Iterator[str]:
    """Yield the addresses of a ccxt instance, its host name filled in; of ``ws`` those of its websockets."""

    def leaves(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            for inner in part.values():
                yield from leaves(inner)
        elif isinstance(part, str) and part.startswith(kind):
            yield part.replace("{hostname}", str(exchange.hostname or ""))

    yield from leaves(exchange.urls.get("api"))


def _origins(exchange: Any, hosts: tuple[str, ...] = ()) -> frozenset[Origin]:
    """Return where the addresses of a ccxt instance lead, only ``hosts`` if there are any; one that is odd is left out."""
    found = set()
    for url in addresses(exchange):
        try:
            origin = origin_of(url)
        except ValueError:
            continue  # nothing is sent there
        if origin.scheme == "https" and (not hosts or origin.host in hosts):
            found.add(origin)
    return frozenset(found)
