"""Pointing a ccxt client at a loopback venue, unmodified otherwise."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.testing.venue import Venue
from peaktrade_core.venue.strict import redirected


def connect(exchange: Any, venue: Venue | str) -> Any:
    """Send all requests of a ccxt instance of a venue that is spoken here to a loopback venue, and return it.

    A venue's credentials are given to an instance that has none; nothing else of the instance changes. Works before
    and after ``set_sandbox_mode``.

    Args:
        exchange: the instance.
        venue: the venue, or its URL.

    Raises:
        ConfigError: the URL is not of this machine.
        UnknownNameError: an exchange that the venue does not speak for.
    """
    url = venue if isinstance(venue, str) else venue.url
    _check_loopback(url)
    if exchange.id == "kraken":
        exchange.urls["api"] = {"public": url, "private": url}
    elif exchange.id == "krakenfutures":
        urls = {
            "public": f"{url}/derivatives/api/",
            "private": f"{url}/derivatives/api/",
            "charts": f"{url}/api/charts/",
            "history": f"{url}/api/history/",
        }
        exchange.urls["api"], exchange.urls["test"] = dict(urls), dict(urls)
    elif exchange.id in ("binance", "binanceusdm", "bybit"):
        exchange.urls["api"] = redirected(exchange.urls["api"], url)
    else:
        raise UnknownNameError("exchange", exchange.id, ("kraken", "krakenfutures", "binance", "binanceusdm", "bybit"))
    if isinstance(venue, Venue) and not exchange.apiKey:
        exchange.apiKey, exchange.secret = venue.credentials
    return exchange


def _check_loopback(url: str) -> None:
    try:
        local = ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigError(f"{url} is no loopback venue; give one whose host is 127.0.0.1")
