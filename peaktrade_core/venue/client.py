"""One client for one venue: ccxt's own, with answers checked, errors translated, a deadline, retries, a breaker, a pace.

What ccxt lets through as an empty result (truncated JSON, HTML, nothing) is an error here. Orders are never sent twice:
a call that places one is made once, and its unknown outcome is an error that says so. No redirect is followed: it could
send an order again, or a key to another host. Each request passes the guard of :mod:`.hosts` before it leaves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from peaktrade_core.base.errors import (
    ConfigError,
    ExchangeAPIError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeRateLimitError,
    ForbiddenRequestError,
    OrderOutcomeUnknownError,
)
from peaktrade_core.trading.market import Bar
from peaktrade_core.venue.calls import Call, SharedPace
from peaktrade_core.venue.credentials import Credentials, find_credentials
from peaktrade_core.venue.dialects import VenueDialect, dialect_of
from peaktrade_core.venue.faults import redacted_in, translate
from peaktrade_core.venue.hosts import Guard
from peaktrade_core.venue.places import no_sandbox
from peaktrade_core.venue.strict import page_of, redirected, strict
from peaktrade_core.workspace.venues import require_venue
from peaktrade_core.workspace.workspace import Workspace


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
        name: of the venue, ccxt's.
        loopback: whether it talks to this machine only.
        dialect: what is the venue's own; demo: whether it is a sandbox; base_url: of a venue on this machine, or empty.
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
        pace: Path | None = None,
    ) -> None:
        """Describe the client; nothing is asked yet.

        Args:
            name: of the venue, ccxt's.
            credentials: for private calls; production venues but Kraken spot are never given any.
            base_url: a venue on this machine instead of the real one.
            demo: the venue's sandbox.
            policy: patience.
            sleep: how to wait between attempts.
            pace: folder by which sessions share their turns at the venue; None for turns of its own.

        Raises:
            ConfigError: the venue is unknown or has no sandbox, a key would go to production, or ``base_url`` leaves this
                machine or can be read in two ways.
        """
        require_venue(name)
        if credentials and not (demo or base_url or name == "kraken"):
            raise ConfigError(f"{name} is asked for public data without a key; private calls go to its sandbox only")
        if demo and (reason := no_sandbox(name)):
            raise ConfigError(f"{name}: {reason}; testnet goes to a venue of `peaktrade exchange venues --sandbox`")
        self.dialect: VenueDialect = dialect_of(name)
        self._guard = Guard(name, base_url=base_url, demo=demo)
        self.name, self.loopback, self.policy, self.sleep = name, base_url is not None, policy, sleep
        self.demo, self.base_url = demo, base_url.rstrip("/") if base_url else ""
        self.on_retry: Callable[[ExchangeError], None] = lambda _: None
        self._hidden = credentials.hidden if credentials else ()
        self._failures = 0
        self._open_until = 0.0  # of the breaker
        self._last_order = -policy.order_pace_s
        self._ccxt = strict(name)(
            {
                **(credentials.fields if credentials else {}),
                "timeout": int(policy.timeout_s * 1000),
                "enableRateLimit": base_url is None or pace is not None,
                "session": self._guard.session(),
            }
        )
        self._ccxt.options["maxRetriesOnFailure"] = 0
        place = f"{name}-sandbox" if demo else name
        self._orders = SharedPace(pace / f"{place}-orders") if pace else None
        self._ccxt.pace = SharedPace(pace / place) if pace else None
        if demo:
            self._ccxt.set_sandbox_mode(True)
        if base_url is not None:
            self._ccxt.urls["api"] = redirected(self._ccxt.urls["api"], base_url.rstrip("/"))

    @property
    def hosts(self) -> set[str]:
        """The hosts that this client can reach: its guard lets nothing through to another one."""
        return {origin.host for origin in self._guard.places.all}

    @property
    def order_hosts(self) -> set[str]:
        """Those of them that take orders: a sandbox's, or this machine; Kraken spot's only validates and is none."""
        return {origin.host for origin in self._guard.places.orders}

    @property
    def has(self) -> dict[str, Any]:
        """What the venue offers, in ccxt's words (``fetchTime`` and the like)."""
        return dict(self._ccxt.has)

    @property
    def page(self) -> int:
        """Bars in an answer at most, for any of the venue's kinds of market."""
        return self.dialect.page or page_of(self._ccxt.features)

    @property
    def wants_price(self) -> bool:
        """Whether a market order to buy says what it may cost; elsewhere a price would turn a quantity into a cost."""
        return bool(self._ccxt.options.get("createMarketBuyOrderRequiresPrice"))

    @property
    def whole_steps(self) -> bool:
        """Whether the steps of its markets are steps, and not numbers of digits."""
        import ccxt

        return bool(self._ccxt.precisionMode == ccxt.TICK_SIZE)

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

        Raises:
            ConfigError: the venue has no candles for us.
        """
        if method == "fetch_ohlcv" and self.dialect.no_candles:
            raise ConfigError(f"no candles of {self.name}: {self.dialect.no_candles}; choose another --venue")
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
            raise translate(fault, self._hidden, self.name)
        return answer

    def order(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call that places or cancels an order: once, at our own pace, in one single request.

        Raises:
            OrderOutcomeUnknownError: it was sent, and no clear answer came; reconcile by client order id, never send
                it again blindly.
            ForbiddenRequestError: this client reads only.
            ExchangeError: it was not sent, or the venue refused.
        """
        if not self.order_hosts and self.name != "kraken":
            raise ForbiddenRequestError(
                f"not sent: this client reads the public data of {self.name}; it sends no order"
            )
        self._check_breaker()
        if not self._ccxt.markets:  # else ccxt would load them inside the call
            self.ask("load_markets")
        pace = self.policy.order_pace_s
        wait = self._orders.take(pace) if self._orders else self._last_order + pace - time.monotonic()
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


def _leaves_open(fault: ExchangeError) -> bool:
    """Return whether an order may have been taken in spite of this error: the line, or an answer nobody can read."""
    import ccxt

    if isinstance(fault, ExchangeNetworkError):
        return True
    return isinstance(fault, ExchangeAPIError) and not isinstance(fault.__cause__, ccxt.BaseError)


def require_rows(rows: Any, what: str) -> list[Any]:
    """Return a non-empty list.

    Raises:
        ExchangeAPIError: it is empty or none.
    """
    if not isinstance(rows, list) or not rows:
        raise ExchangeAPIError(f"{what}: the venue answered without a single row; is the symbol traded there?")
    return rows


def open_venue(
    workspace: Workspace, *, credentials: bool = False, venue: str | None = None, sandbox: bool = False
) -> VenueClient:
    """Return a client of a venue, the configured one by default.

    Args:
        workspace: which says how patient the client is.
        credentials: it can make private calls, to Kraken spot or the sandbox.
        venue: its name; None for the configured one.
        sandbox: the venue's sandbox, as in a testnet session; always so for krakenfutures, never for Kraken spot.

    Raises:
        ConfigError: ``base_url`` leaves this machine, or the venue has no sandbox.
        ExchangeAuthenticationError: there are no credentials.
    """
    given = workspace.config.exchange
    name = venue or given.venue
    demo = dialect_of(name).always_demo or ((sandbox or credentials) and name != "kraken")
    return VenueClient(
        name,
        credentials=find_credentials(name) if credentials else None,
        base_url=given.base_url or None,
        demo=demo,
        pace=None if given.base_url else workspace.home / ".cache" / "pace",
        policy=CallPolicy(
            timeout_s=given.timeout_s,
            deadline_s=given.deadline_s,
            attempts=given.attempts,
            order_pace_s=given.order_pace_s,
        ),
    )


def bar_of(row: list[Any]) -> Bar:
    """Return ccxt's row as a bar; what is missing becomes nan and is then found impossible."""
    values = [float("nan") if value is None else float(value) for value in row[1:6]]
    return Bar(row[0] / 1000.0, *values)
