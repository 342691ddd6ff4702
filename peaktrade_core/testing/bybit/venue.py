"""Bybit's v5 interface: a call finds its way to the public or the private half, and its answer into Bybit's words."""

from __future__ import annotations

from peaktrade_core.testing.binance.side import name_of
from peaktrade_core.testing.bybit.private import BybitPrivate
from peaktrade_core.testing.bybit.public import BybitPublic
from peaktrade_core.testing.bybit.refusals import API, BybitRefusalError, answer, refusal_of, refused
from peaktrade_core.testing.kraken.futures_account import FuturesAccount
from peaktrade_core.testing.kraken.signing import LoopbackKey
from peaktrade_core.testing.kraken.spot import Moment, RefusalError
from peaktrade_core.testing.kraken.spot_account import SpotAccount
from peaktrade_core.testing.market import MarketSource
from peaktrade_core.testing.wire import Reply, VenueRequest, json_reply

ALWAYS = ("market/time", "system/status")  # answered in maintenance, too


class Bybit:
    """Spot and linear perpetuals, over the venue's accounts."""

    def __init__(
        self, markets: dict[str, MarketSource], spot: SpotAccount, futures: FuturesAccount, key: LoopbackKey
    ) -> None:
        """Serve ``markets``; those of ``futures`` have a perpetual each."""
        perpetuals = {name_of(market.pair): market for market in futures.markets.values()}
        self._public = BybitPublic({name_of(market.pair): market for market in markets.values()}, perpetuals)
        self._private = BybitPrivate(self._public, spot, futures, key)

    def answer(self, request: VenueRequest, moment: Moment) -> Reply:
        """Return the answer to a request."""
        call = request.path.removeprefix(API)
        try:
            if moment.state == "maintenance" and call not in ALWAYS:
                raise refused("EService:Unavailable")
            if request.method == "GET" and (public := self._public.calls.get(call)):
                return json_reply(answer(public(request.params, moment), moment.stated))
            private = self._private.calls.get((request.method, call))
            if private is None:
                raise BybitRefusalError(404, 10001, "Request parameter error.")
            self._private.require_signed(request)
            self._private.match(moment.now)
            return json_reply(answer(private(request.params, moment), moment.stated))
        except BybitRefusalError as refusal:
            return refusal.reply
        except RefusalError as refusal:
            return refusal_of(str(refusal))
