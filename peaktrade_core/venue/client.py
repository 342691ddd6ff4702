"""One client for one venue: ccxt's own, with answers checked, errors translated, a deadline, retries, a breaker, a pace.

What ccxt lets through as an empty result (truncated JSON, HTML, nothing) is an error here. Orders are never sent twice:
a call that places one is made once, and its unknown outcome is an error that says so. No redirect is followed: it could
send an order again, or a key to another host. Each request passes the guard of :mod:`.hosts` before it leaves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAPIError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeRateLimitError,
    OrderOutcomeUnknownError,
)
from peaktrade_core.venue.calls import Call, given_up
from peaktrade_core.venue.credentials import Credentials, find_credentials
from peaktrade_core.venue.faults import redacted_in, translate
from peaktrade_core.venue.hosts import Guard
from peaktrade_core.workspace.config import Venue
from peaktrade_core.workspace.workspace import Workspace

VENUES: tuple[Venue, ...] = get_args(Venue)
_ANSWERS = {  # a good answer of each venue has one of these
    "kraken": ("result",),
    "krakenfutures": ("result", "candles", "elements", "serverTime"),
}
# ccxt logs the headers of each request, the key among them. A logger outside logging's tree is reached by no
# configuration: dictConfig, which Jupyter calls, would enable a disabled one again.
_SILENT = logging.Logger("ccxt, silent", logging.CRITICAL + 1)


class CallPolicy(NamedTuple):
    """How patient we are with a venue.

    Attributes:
        timeout_s: for each read of a call [s]; deadline_s: for the whole of it [s].
        attempts: how often a call that changes nothing is made.
        backoff_s, longest_s: first and longest pause between two, with jitter [s].
        breaker_after: failed calls in a row after which we stop asking; breaker_s: for how long [s].
        order_pace_s: shortest time between two orders [s].
    """

    timeout_s: float = 10.0
    deadline_s: float = 30.0
    attempts: int = 4
    backoff_s: float = 1.0
    longest_s: float = 20.0
    breaker_after: int = 5
    breaker_s: float = 60.0
    order_pace_s: float = 1.0


PATIENT = CallPolicy()


class VenueClient:
    """Calls to one venue. Not for several threads at once: ccxt's throttle is not made for it.

    Attributes:
        name: ``kraken`` or ``krakenfutures``.
        loopback: whether it talks to this machine only.
        policy: how patient it is; sleep: how it waits.
        on_retry: told of each failed attempt that is made again.
    """

    def __init__(
        self,
        name: str,
        *,
        credentials: Credentials | None = None,
        base_url: str | None = None,
        demo: bool = False,
        policy: CallPolicy = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Describe the client; nothing is asked yet.

        Args:
            name: ``kraken`` or ``krakenfutures``.
            credentials: for private calls.
            base_url: a venue on this machine instead of the real one.
            demo: krakenfutures' demo venue.
            policy: patience.
            sleep: how to wait between attempts.

        Raises:
            ConfigError: the venue is unknown, or ``base_url`` leaves this machine or can be read in two ways.
        """
        if name not in VENUES:
            raise ConfigError(f"venue {name!r} is unknown; known: {', '.join(VENUES)}")
        self._guard = Guard(name, base_url=base_url, demo=demo)
        self.name, self.loopback, self.policy, self.sleep = name, base_url is not None, policy, sleep
        self.on_retry: Callable[[ExchangeError], None] = lambda _: None
        self._hidden = (credentials.key, credentials.secret) if credentials else ()
        self._failures = 0
        self._open_until = 0.0  # of the breaker
        self._last_order = -policy.order_pace_s
        self._ccxt = _strict(name)(
            {
                "apiKey": credentials.key if credentials else "",
                "secret": credentials.secret if credentials else "",
                "timeout": int(policy.timeout_s * 1000),
                "enableRateLimit": base_url is None,
                "session": self._guard.session(),
            }
        )
        self._ccxt.options["maxRetriesOnFailure"] = 0
        if demo:
            self._ccxt.set_sandbox_mode(True)
        if base_url is not None:
            self._ccxt.urls["api"] = _redirected(name, base_url)

    @property
    def hosts(self) -> set[str]:
        """The hosts that this client can reach: its guard lets nothing through to another one."""
        return {self._guard.origin.host}

    @property
    def has(self) -> dict[str, Any]:
        """What the venue offers, in ccxt's words (``fetchTime`` and the like)."""
        return dict(self._ccxt.has)

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call that changes nothing, again where that can help.

        Raises:
            ExchangeError: what outlasted the attempts, of the class that treats it.
        """
        self._check_breaker()
        retrying = Retrying(
            stop=stop_after_attempt(self.policy.attempts),
            wait=wait_random_exponential(multiplier=self.policy.backoff_s, max=self.policy.longest_s),
            retry=retry_if_exception(lambda fault: isinstance(fault, ExchangeError) and fault.retryable),
            sleep=self.sleep,
            before_sleep=lambda state: self._tell(state.outcome.exception() if state.outcome else None),
            reraise=True,
        )
        try:
            answer = retrying(lambda: self.finish(self.start(method, *args, **kwargs)))
        except ExchangeError as fault:
            self._count(fault)
            raise
        self._failures = 0
        return answer

    def start(self, method: str, *args: Any, **kwargs: Any) -> Call:
        """Begin a call that changes nothing, once and whatever the breaker says, and do not wait for it.

        For somebody with a patience of its own; :meth:`finish` returns the answer.
        """
        return Call(
            f"{self.name} {method}", lambda: getattr(self._ccxt, method)(*args, **kwargs), self.policy.deadline_s
        )

    def finish(self, call: Call) -> Any:
        """Wait for a call that was started, to its deadline at most, and return the answer.

        Raises:
            ExchangeError: of the class that treats it.
        """
        try:
            answer, fault = call.outcome()
        except TimeoutError as late:
            self._renew_session()
            raise ExchangeNetworkError(str(late)) from None
        if fault is not None:
            raise translate(fault, self._hidden)
        return answer

    def order(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call that places or cancels an order: once, at our own pace, in one single request.

        Raises:
            OrderOutcomeUnknownError: it was sent, and no clear answer came; reconcile by client order id, never send
                it again blindly.
            ExchangeError: it was not sent, or the venue refused.
        """
        self._check_breaker()
        if not self._ccxt.markets:  # else ccxt would load them inside the call
            self.ask("load_markets")
        wait = self._last_order + self.policy.order_pace_s - time.monotonic()
        if wait > 0:
            self.sleep(wait)
        self._last_order = time.monotonic()
        try:
            answer = redacted_in(self.finish(self.start(method, *args, **kwargs)), self._hidden)
        except ExchangeError as fault:
            self._count(fault)
            if _leaves_open(fault):
                raise OrderOutcomeUnknownError(f"{self.name} {method}: {fault}") from fault
            raise
        self._failures = 0
        return answer

    def now(self) -> datetime | None:
        """Return the venue's time, None where it tells none.

        Raises:
            ExchangeError: it could not be asked.
        """
        if not self._ccxt.has.get("fetchTime"):
            return None
        return datetime.fromtimestamp(self.ask("fetch_time") / 1000, UTC)

    def close(self) -> None:
        """Close the connections."""
        self._ccxt.session.close()

    def _renew_session(self) -> None:
        """Leave a connection that hangs to its thread and go on with a new one."""
        self._ccxt.session = self._guard.session()

    def _tell(self, fault: BaseException | None) -> None:
        """Report an attempt that failed and is made again."""
        if isinstance(fault, ExchangeError):
            self.on_retry(fault)

    def _count(self, fault: ExchangeError) -> None:
        """Open the breaker after too many failures of the connection in a row."""
        if not isinstance(fault, (ExchangeNetworkError, ExchangeRateLimitError)):
            return
        self._failures += 1
        if self._failures >= self.policy.breaker_after:
            self._open_until = time.monotonic() + self.policy.breaker_s

    def _check_breaker(self) -> None:
        """Refuse a call while the breaker is open.

        Raises:
            ExchangeNetworkError: it is.
        """
        left = self._open_until - time.monotonic()
        if left > 0:
            raise ExchangeNetworkError(
                f"{self.name}: {self._failures} calls in a row failed; the next attempt is due in {left:.0f} s"
            )


def _strict(name: str) -> Any:
    """Return ccxt's class for a venue, made to refuse answers that hold nothing."""
    import ccxt

    base: Any = getattr(ccxt, name)

    class Strict(base):  # type: ignore[misc]
        """The venue's client; an empty or mutilated answer is an error, and a call that was given up sends nothing."""

        logger = _SILENT

        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            if given_up():
                raise ccxt.RequestTimeout(f"{name}: the call was given up before it was sent")
            return super().fetch(*args, **kwargs)

        def handle_errors(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str, response: Any, *more: Any
        ) -> Any:
            handled = super().handle_errors(code, reason, url, method, headers, body, response, *more) if body else None
            good = isinstance(response, dict) and any(response.get(key) is not None for key in _ANSWERS[name])
            if 200 <= code < 300 and not good:
                raise ccxt.BadResponse(
                    f"{name} {method} {urlsplit(url).path}: an answer without content: {body[:80]!r}"
                )
            return handled

    Strict.__name__ = base.__name__
    return Strict


def _leaves_open(fault: ExchangeError) -> bool:
    """Return whether an order may have been taken in spite of this error: the line, or an answer nobody can read."""
    import ccxt

    if isinstance(fault, ExchangeNetworkError):
        return True
    return isinstance(fault, ExchangeAPIError) and not isinstance(fault.__cause__, ccxt.BaseError)


def _redirected(name: str, base_url: str) -> dict[str, str]:
    """Return ccxt's addresses of a venue, moved to ``base_url``."""
    base = base_url.rstrip("/")
    if name == "kraken":
        return {"public": base, "private": base, "zendesk": base}
    return {
        "public": f"{base}/derivatives/api/",
        "private": f"{base}/derivatives/api/",
        "charts": f"{base}/api/charts/",
        "history": f"{base}/api/history/",
        "feeds": f"{base}/api/feeds/",
    }


def require_rows(rows: Any, what: str) -> list[Any]:
    """Return a non-empty list.

    Raises:
        ExchangeAPIError: it is empty or none.
    """
    if not isinstance(rows, list) or not rows:
        raise ExchangeAPIError(f"{what}: the venue answered without a single row; is the symbol traded there?")
    return rows


def open_venue(workspace: Workspace, *, credentials: bool = False, venue: Venue | None = None) -> VenueClient:
    """Return a client of a venue, the configured one by default; with ``credentials`` one that can make private calls.

    Raises:
        ConfigError: ``base_url`` leaves this machine.
        ExchangeAuthenticationError: there are no credentials.
    """
    given = workspace.config.exchange
    name = venue or given.venue
    return VenueClient(
        name,
        credentials=find_credentials(name) if credentials else None,
        base_url=given.base_url or None,
        demo=name == "krakenfutures",
        policy=CallPolicy(
            timeout_s=given.timeout_s,
            deadline_s=given.deadline_s,
            attempts=given.attempts,
            order_pace_s=given.order_pace_s,
        ),
    )
