"""Faults of a venue as values; :mod:`.rules` says which requests meet them.

A fault may replace the answer (the request is then not worked off), spoil how the answer is delivered, or change what
the venue shows: its candles, its clock, its state. :func:`named_faults` lists all of them by name.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.testing.binance import refusals as binance
from peaktrade_core.testing.bybit import refusals as bybit
from peaktrade_core.testing.wire import Reply, VenueRequest, Wire, html_reply, json_reply
from peaktrade_core.trading.market import Bar

DRIP_S = 0.05  # pause between the pieces of a slow answer [s]
SETTLE_S = 0.05  # pause before a reset, so that what was sent arrives [s]
LOOP = "/redirect-loop"  # everything below it redirects to itself
STATES = ("online", "maintenance", "cancel_only", "post_only", "limit_only")
REFUSALS = {
    "wrong_key": ("EAPI:Invalid key", "authenticationError"),
    "wrong_signature": ("EAPI:Invalid signature", "authenticationError"),
    "invalid_nonce": ("EAPI:Invalid nonce", "nonceBelowThreshold"),
    "permission_denied": ("EGeneral:Permission denied", "authenticationError"),
    "insufficient_funds": ("EOrder:Insufficient funds", "insufficientFunds"),
    "minimum_not_met": ("EOrder:Order minimum not met", "invalidAmount"),
    "unknown_pair": ("EQuery:Unknown asset pair", "contractNotFound"),
    "rate_limited": ("EAPI:Rate limit exceeded", "apiLimitExceeded"),
    "order_rate_limited": ("EOrder:Rate limit exceeded", "apiLimitExceeded"),
    "lockout": ("EGeneral:Temporary lockout", "apiLimitExceeded"),
    "unavailable": ("EService:Unavailable", "unavailable"),
    "busy": ("EService:Busy", "unavailable"),
    "timeout": ("EService:Timeout", "Server Error"),
    "cancel_only": ("EService:Market in cancel_only mode", "marketUnavailable"),
    "invalid_arguments": ("EGeneral:Invalid arguments", "invalidArgument"),
}  # name: (Kraken's spot text, its futures text)

Replace = Callable[[VenueRequest], Reply]
Deliver = Callable[[Wire, Reply], None]
Bars = Callable[[list[Bar]], list[Bar]]


class VenueFault(msgspec.Struct, frozen=True):
    """Something that goes wrong.

    Attributes:
        name: what the log of requests calls it.
        replace: the answer instead of the venue's own; None lets the venue work the request off.
        deliver: how the answer goes onto the wire; None sends it as it is.
        bars: what becomes of the candles in an answer.
        late_s: by how much candles lag behind [s].
        skew_s: by how much the stated time runs ahead [s].
        state: state of the venue, one of ``STATES``.
    """

    name: str
    replace: Replace | None = None
    deliver: Deliver | None = None
    bars: Bars | None = None
    late_s: float = 0.0
    skew_s: float = 0.0
    state: str = ""

    @classmethod
    def hang(cls) -> VenueFault:
        """Accept the request, do nothing with it and never answer."""
        return cls("hang", replace=_nothing, deliver=_silence)

    @classmethod
    def delay(cls, seconds: float) -> VenueFault:
        """Work the request off and answer ``seconds`` late."""

        def deliver(wire: Wire, reply: Reply) -> None:
            if wire.wait(seconds):
                wire.send(reply.head() + reply.body)

        return cls("delay", deliver=deliver)

    @classmethod
    def stall(cls) -> VenueFault:
        """Send the first half of the answer and then nothing."""
        return cls("stall", deliver=_stall)

    @classmethod
    def drip(cls, seconds: float = 3.0) -> VenueFault:
        """Send the whole answer evenly over ``seconds``, so that each read succeeds in time."""

        def deliver(wire: Wire, reply: Reply) -> None:
            data = reply.head() + reply.body
            start, sent = time.monotonic(), 0
            while sent < len(data):
                share = min(1.0, (time.monotonic() - start + DRIP_S) / seconds)
                due = max(sent + 1, int(len(data) * share))
                wire.send(data[sent:due])
                sent = due
                if not wire.wait(DRIP_S):
                    return

        return cls("drip", deliver=deliver)

    @classmethod
    def reset(cls) -> VenueFault:
        """Break the connection instead of answering."""
        return cls("reset", replace=_nothing, deliver=lambda wire, _: wire.reset())

    @classmethod
    def reset_in_body(cls) -> VenueFault:
        """Break the connection in the middle of the answer."""
        return cls("reset_in_body", deliver=_reset_in_body)

    @classmethod
    def wrong_length(cls, surplus: int = 100) -> VenueFault:
        """Claim ``surplus`` bytes more (negative: fewer) than the answer has, and close after it."""

        def deliver(wire: Wire, reply: Reply) -> None:
            last = reply._replace(headers=(*reply.headers, ("Connection", "close")))
            wire.send(last.head(max(0, len(reply.body) + surplus)) + reply.body)
            wire.close()

        return cls("wrong_length", deliver=deliver)

    @classmethod
    def truncated(cls) -> VenueFault:
        """Send half of the JSON as if that were all."""
        return cls("truncated", deliver=_truncated)

    @classmethod
    def bad_gzip(cls) -> VenueFault:
        """Claim gzip and send bytes that are not."""
        return cls("bad_gzip", deliver=_bad_gzip)

    @classmethod
    def lost_acknowledgement(cls, *, cut: bool = False) -> VenueFault:
        """Work the request off and never say so: by silence, or by breaking the connection (``cut``)."""
        return cls("lost_acknowledgement", deliver=_reset if cut else _silence)

    @classmethod
    def status(cls, status: int, text: str = "", retry_after_s: int | None = None) -> VenueFault:
        """Answer with an HTTP status.

        Args:
            status: 400 to 599.
            text: an error text of Kraken's, sent as JSON; empty sends a page of HTML.
            retry_after_s: value of the Retry-After header [s], None for no such header.
        """
        reply = json_reply({"error": [text]}, status) if text else html_reply(status, f"{status} from the venue")
        if retry_after_s is not None:
            reply = reply._replace(headers=(("Retry-After", str(retry_after_s)),))
        return cls(f"status_{status}", replace=lambda _: reply)

    @classmethod
    def html(cls) -> VenueFault:
        """Answer 200 with a page of HTML, as a captive portal does."""
        return cls("html", replace=lambda _: html_reply(200, "Checking your browser"))

    @classmethod
    def empty(cls) -> VenueFault:
        """Answer 200 with no body."""
        return cls("empty", replace=lambda _: Reply(200, b""))

    @classmethod
    def json(cls, value: Any, name: str = "json") -> VenueFault:
        """Answer 200 with a JSON value of your own: ``{}``, ``None``, ``[]``, ``{"error": []}``."""
        return cls(name, replace=lambda _: json_reply(value))

    @classmethod
    def redirect_loop(cls) -> VenueFault:
        """Redirect for ever."""
        return cls("redirect_loop", replace=lambda _: redirect())

    @classmethod
    def error(cls, text: str, futures_text: str = "", name: str = "") -> VenueFault:
        """Answer with an error text of Kraken's, for example ``EService:Busy``; each dialect has its own for it."""

        def replace(request: VenueRequest) -> Reply:
            if request.path.startswith("/0/"):
                return json_reply({"error": [text]})
            if binance.speaks(request.path):
                return binance.refusal_of(text)
            if bybit.speaks(request.path):
                return bybit.refusal_of(text)
            return json_reply({"result": "error", "error": futures_text or text})

        return cls(name or text, replace=replace)

    @classmethod
    def refusal(cls, name: str) -> VenueFault:
        """Answer with one of the known ``REFUSALS``: ``wrong_key``, ``rate_limited``, ``busy`` ...

        Raises:
            UnknownNameError: not one of them.
        """
        if name not in REFUSALS:
            raise UnknownNameError("refusal", name, tuple(REFUSALS))
        spot, futures = REFUSALS[name]
        return cls.error(spot, futures, name)

    @classmethod
    def venue_state(cls, state: str) -> VenueFault:
        """Put the venue into a state: ``maintenance`` refuses all but the status, ``cancel_only`` new orders ...

        Raises:
            ConfigError: not one of ``STATES``.
        """
        if state not in STATES:
            raise ConfigError(f"state {state!r} of the venue must be one of: {', '.join(STATES)}")
        return cls(f"state_{state}", state=state)

    @classmethod
    def clock_skew(cls, seconds: float) -> VenueFault:
        """State a time that is ``seconds`` ahead (negative: behind)."""
        return cls("clock_skew", skew_s=seconds)

    @classmethod
    def outlier_bar(cls, factor: float = 10.0, ago: int = 1) -> VenueFault:
        """Multiply the close of the bar ``ago`` before the newest (0 is the open one), and the extreme on that side."""

        def spike(bars: list[Bar]) -> list[Bar]:
            row = len(bars) - 1 - ago
            return [_spiked(bar, factor) if n == row else bar for n, bar in enumerate(bars)]

        return cls("outlier_bar", bars=spike)

    @classmethod
    def missing_bars(cls, count: int = 3, ago: int = 1) -> VenueFault:
        """Leave out ``count`` bars, the youngest of them ``ago`` before the newest."""

        def cut(bars: list[Bar]) -> list[Bar]:
            end = len(bars) - ago
            return [bar for n, bar in enumerate(bars) if not end - count <= n < end]

        return cls("missing_bars", bars=cut)

    @classmethod
    def hole(cls, first_ts: float, last_ts: float) -> VenueFault:
        """Leave out the bars that open from ``first_ts`` to ``last_ts`` [s since epoch]."""
        return cls("hole", bars=lambda bars: [bar for bar in bars if not first_ts <= bar.ts <= last_ts])

    @classmethod
    def late_bars(cls, seconds: float = 120.0) -> VenueFault:
        """Show candles as they were ``seconds`` ago."""
        return cls("late_bars", late_s=seconds)

    @classmethod
    def named(cls, name: str) -> VenueFault:
        """Return one of :func:`named_faults`.

        Raises:
            UnknownNameError: no such fault; lists those that exist.
        """
        known = named_faults()
        if name not in known:
            raise UnknownNameError("fault", name, tuple(known))
        return known[name]


def named_faults() -> dict[str, VenueFault]:
    """Return every kind of fault with its usual figures, by name."""
    plain = {
        "hang": VenueFault.hang(),
        "stall": VenueFault.stall(),
        "drip": VenueFault.drip(),
        "reset": VenueFault.reset(),
        "reset_in_body": VenueFault.reset_in_body(),
        "wrong_length": VenueFault.wrong_length(),
        "short_length": VenueFault.wrong_length(-10),
        "truncated": VenueFault.truncated(),
        "html": VenueFault.html(),
        "empty": VenueFault.empty(),
        "json_object": VenueFault.json({}),
        "json_null": VenueFault.json(None),
        "json_list": VenueFault.json([]),
        "no_result": VenueFault.json({"error": []}),
        "rate_limit_text": VenueFault.status(429, "EAPI:Rate limit exceeded", retry_after_s=1),
        "redirect_loop": VenueFault.redirect_loop(),
        "bad_gzip": VenueFault.bad_gzip(),
        "lost_acknowledgement": VenueFault.lost_acknowledgement(),
        "maintenance": VenueFault.venue_state("maintenance"),
        "clock_skew": VenueFault.clock_skew(300.0),
        "outlier_bar": VenueFault.outlier_bar(),
        "missing_bars": VenueFault.missing_bars(),
        "late_bars": VenueFault.late_bars(),
    }
    statuses = (401, 403, 404, 408, 418, 429, 500, 502, 503, 504)
    refused = {name: VenueFault.refusal(name) for name in REFUSALS}
    return plain | {f"status_{status}": VenueFault.status(status) for status in statuses} | refused


def redirect() -> Reply:
    """Return an answer that sends the client round in a circle."""
    return html_reply(302, "Moved")._replace(headers=(("Location", LOOP),))


def _nothing(_: VenueRequest) -> Reply:
    return Reply(200, b"")


def _silence(wire: Wire, _: Reply) -> None:
    wire.wait()


def _reset(wire: Wire, _: Reply) -> None:
    wire.reset()


def _half(reply: Reply) -> bytes:
    return reply.body[: len(reply.body) // 2]


def _stall(wire: Wire, reply: Reply) -> None:
    wire.send(reply.head() + _half(reply))
    wire.wait()


def _reset_in_body(wire: Wire, reply: Reply) -> None:
    wire.send(reply.head() + _half(reply))
    wire.wait(SETTLE_S)
    wire.reset()


def _truncated(wire: Wire, reply: Reply) -> None:
    half = reply._replace(body=_half(reply))
    wire.send(half.head() + half.body)


def _bad_gzip(wire: Wire, reply: Reply) -> None:
    packed = bytearray(gzip.compress(reply.body, mtime=0))
    packed[0] ^= 0xFF
    broken = reply._replace(body=bytes(packed), headers=(*reply.headers, ("Content-Encoding", "gzip")))
    wire.send(broken.head() + broken.body)


def _spiked(bar: Bar, factor: float) -> Bar:
    """Return ``bar`` with its close, and the extreme on that side, multiplied."""
    close = bar.close * factor
    return bar._replace(close=close, high=max(bar.high, close), low=min(bar.low, close))
