"""ccxt's class for a venue, made to refuse answers that hold nothing, moved to this machine, asked for its page."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from peaktrade_core.venue.calls import SharedPace, given_up
from peaktrade_core.venue.dialects import VenueDialect, dialect_of

FEW_BARS = 100  # that any venue gives in an answer, where nobody says how many it gives
# ccxt logs the headers of each request, the key among them. A logger outside logging's tree is reached by no
# configuration: dictConfig, which Jupyter calls, would enable a disabled one again.
_SILENT = logging.Logger("ccxt, silent", logging.CRITICAL + 1)


def strict(name: str) -> Any:
    """Return ccxt's class for a venue, made to refuse answers that hold nothing."""
    import ccxt

    base: Any = getattr(ccxt, name)
    dialect = dialect_of(name)

    class Strict(base):  # type: ignore[misc]
        """The venue's client; an empty or mutilated answer is an error, and a call that was given up sends nothing."""

        logger = _SILENT
        pace: SharedPace | None = None  # shared with other sessions; None: ccxt's own

        def throttle(self, cost: float | None = None) -> None:
            if self.pace is None:
                super().throttle(cost)
            else:
                time.sleep(self.pace.take(self.rateLimit / 1000.0 * (1.0 if cost is None else cost)))

        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            if given_up():
                raise ccxt.RequestTimeout(f"{name}: the call was given up before it was sent")
            return super().fetch(*args, **kwargs)

        def handle_errors(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str, response: Any, *more: Any
        ) -> Any:
            handled = super().handle_errors(code, reason, url, method, headers, body, response, *more) if body else None
            if 200 <= code < 300 and not _good(response, dialect):
                raise ccxt.BadResponse(
                    f"{name} {method} {urlsplit(url).path}: an answer without content: {body[:80]!r}"
                )
            return handled

    Strict.__name__ = base.__name__
    return Strict


def _good(answer: Any, dialect: VenueDialect) -> bool:
    """Return whether an answer has content: a table with what the venue answers with, or a list where it gives lists."""
    if isinstance(answer, dict):
        known = dialect.answers or tuple(answer)
        return any(answer.get(key) is not None for key in known)
    return isinstance(answer, list) and dialect.lists


def redirected(addresses: Any, base: str) -> Any:
    """Return ccxt's addresses of a venue, moved to ``base``: their paths stay, websockets get its scheme for those.

    A websocket's path begins with the host that it had: ccxt tells Binance's markets by ``/stream`` in the address.
    """
    if isinstance(addresses, dict):
        return {name: redirected(inner, base) for name, inner in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    there = urlsplit(addresses)
    moved = urlunsplit(("", "", there.path, there.query, ""))
    if there.scheme.startswith("ws"):
        return f"{base.replace('http', 'ws', 1)}/{there.hostname}{moved}"
    return f"{base}{moved}"


def page_of(features: Any) -> int:
    """Return the least number of bars that an answer holds after ccxt's ``features``, :data:`FEW_BARS` if they say none."""
    found: list[int] = []

    def look(part: Any) -> None:
        if not isinstance(part, dict):
            return
        candles = part.get("fetchOHLCV")
        if isinstance(candles, dict) and type(candles.get("limit")) is int and candles["limit"] > 0:
            found.append(candles["limit"])
        for name, inner in part.items():
            if name != "fetchOHLCV":
                look(inner)

    look(features)
    return min(found, default=FEW_BARS)
