"""What alert rules look at: the state of runs, of the workspace and of the disk at one moment, and a run's last hours.

The same facts come from live runs, in steps of a watcher, and from recorded ones, bar by bar: rules see no difference.
Pure values; who gathers them is the alerting service.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.scope import TradingState
from peaktrade_core.records.kept import UNFINISHED_BAR, WARMUP_KEPT
from peaktrade_core.schedule.jobs import MOMENT
from peaktrade_core.session.plan import NO_FUNDING
from peaktrade_core.trading.account import account_of
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.events import AnyEvent, BarDone, Denial, Failure, Notice, Severity, Start, VenueAnswer
from peaktrade_core.trading.margin import distance_at, margin_of
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import finite

RUNNING, SILENT, DIED, UNKNOWN = "running", "silent", "died", "unknown"
ALIVE = (RUNNING, SILENT)
BENIGN_NOTICES = ("RECOVERED", NO_FUNDING, UNFINISHED_BAR, WARMUP_KEPT)  # what a feed tells that is no error


class RunMeter:
    """Folds the events of one run, in order, into what rules ask about its last hours.

    Attributes:
        equity: at the last bar [quote ccy], None before the first; drawdown: largest so far [fraction].
        broken: figures and lines that are no numbers or cannot be read.
        rejects_in_row: orders that the venue refused since it last took one.
        level: green, yellow or red, as the session last said.
        distance: of its position to liquidation [% of the price], None where it holds none on margin; least: its limit.
        last: time of the last event on the session's own clock; bar_at: of the last bar's close, None before it.
    """

    def __init__(self, keep_s: float, start_balance: float | None = None) -> None:
        """Begin with ``start_balance`` [quote ccy]; remember at least ``keep_s`` [s of session time]."""
        self.equity: float | None = None
        self.drawdown = 0.0
        self.broken = 0
        self.rejects_in_row = 0
        self.level = "green"
        self.distance: float | None = None
        self._market: Market | None = None
        self.last: datetime | None = None
        self.bar_at: datetime | None = None
        self._keep_s = keep_s
        self._start = self._peak = start_balance
        self._equity: deque[tuple[float, float]] = deque()
        self._errors: deque[float] = deque()
        self._denials: deque[float] = deque()

    def add(self, event: AnyEvent) -> None:
        """Take one event into account."""
        self.last = event.ts
        ts = event.ts.timestamp()
        match event:
            case Start():
                self._market = margin_of(event.config)
            case BarDone():
                self.bar_at = event.ts
                self.distance = distance_at(self._market, event)
                self._mark(ts, event.equity)
            case Denial():
                self._denials.append(ts)
            case VenueAnswer(accepted=True):
                self.rejects_in_row = 0
            case VenueAnswer():
                self.rejects_in_row += 1
                self._errors.append(ts)
            case Failure():
                self._errors.append(ts)
            case Notice() if event.code not in BENIGN_NOTICES:
                self._errors.append(ts)
            case Severity():
                self.level = event.level
        self._forget(ts)

    @property
    def least(self) -> float:
        """Return the smallest allowed distance to liquidation [% of the price], 0 where nothing is traded on margin."""
        return self._market.least_distance if self._market else 0.0

    def errors(self, window_s: float, at: datetime) -> int:
        """Return how many errors came in the window that ends at ``at``: failures, refusals of the venue, feed faults."""
        return _since(self._errors, at.timestamp() - window_s)

    def denials(self, window_s: float, at: datetime) -> int:
        """Return how many orders we denied in the window that ends at ``at``."""
        return _since(self._denials, at.timestamp() - window_s)

    def equity_before(self, window_s: float, at: datetime) -> float | None:
        """Return the equity with which the window that ends at ``at`` began, None where none is known.

        That is the last mark at or before its begin, else the balance at the start, else the first mark in it.
        """
        begin = at.timestamp() - window_s
        before = None
        for ts, equity in self._equity:
            if ts > begin:
                break
            before = equity
        if before is not None:
            return before
        return self._start if self._start else self._equity[0][1] if self._equity else None

    def _mark(self, ts: float, equity: float) -> None:
        if finite(equity) is None:
            self.broken += 1
            return
        self.equity = equity
        self._peak = equity if self._peak is None else max(self._peak, equity)
        if self._peak > 0.0:
            self.drawdown = max(self.drawdown, 1.0 - equity / self._peak)
        self._equity.append((ts, equity))

    def _forget(self, ts: float) -> None:
        """Drop what lies before the longest window; of the equity one mark before it stays."""
        oldest = ts - self._keep_s
        for times in (self._errors, self._denials):
            while times and times[0] < oldest:
                times.popleft()
        while len(self._equity) > 1 and self._equity[1][0] <= oldest:
            self._equity.popleft()


def _since(times: deque[float], begin: float) -> int:
    """Return how many of ascending ``times`` are later than ``begin``."""
    count = 0
    for ts in reversed(times):
        if ts <= begin:
            break
        count += 1
    return count


class RunFacts(NamedTuple):
    """One run at one moment.

    Attributes:
        now: wall clock.
        state: ``running``, ``silent``, ``died``, ``completed``, ``failed``, ``aborted``, ``unreadable``, or ``unknown``
            where somebody asked for a run that there is not.
        last_event_at: when its journal last grew, wall clock; None where it never wrote.
        heartbeat_at: of its process, wall clock; None where it has none.
        bar_closed_at: close of its last bar, for a feed in real time only; bar_s: length of a bar [s].
        max_drawdown: [fraction]; status, error: as its record says.
        scope: its trading-state scope; failures are counted over it.
        meter: its last hours, None where nobody read them; clock: the session's time now, for the meter's windows.
    """

    run_id: str
    now: datetime
    mode: str = "unknown"
    strategy: str = ""
    symbol: str = ""
    state: str = UNKNOWN
    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_event_at: datetime | None = None
    heartbeat_at: datetime | None = None
    bar_closed_at: datetime | None = None
    bar_s: float = 60.0
    max_drawdown: float | None = None
    rejects_in_row: int = 0
    error: str = ""
    scope: str = ""
    meter: RunMeter | None = None
    clock: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.state in ALIVE

    @property
    def account(self) -> str:
        """The account that it shares with others."""
        return account_of(self.mode, self.symbol)

    @property
    def failed(self) -> bool:
        """Whether it ended badly: failed, or its process died."""
        return self.state in ("failed", DIED) or (self.state == "aborted" and self.error.startswith("ProcessDied"))


def bar_seconds(timeframe: str | None) -> float:
    """Return the length of a run's bars [s], a minute where its timeframe is not known."""
    try:
        return float(timeframe_seconds(timeframe or "1m"))
    except ConfigError:
        return 60.0


class AccountFacts(NamedTuple):
    """What the running sessions of one account lost since 00:00 UTC of ``day`` [quote ccy]."""

    account: str
    mode: str
    currency: str
    day: str
    loss: float


class JobFacts(NamedTuple):
    """A period that a job of the scheduler could not do: the last run for it failed.

    Attributes:
        period: a day, a week or a moment; status: ``failed``, ``timed_out``, ``crashed``, or ``unreadable`` for the log.
        message: what the run said, with the page that it left; at: when it ended; attempt: how often it was tried.
        run_id: of that run.
    """

    job: str
    period: str
    status: str
    message: str
    at: datetime
    attempt: int = 1
    run_id: str = ""


class ChangeFacts(NamedTuple):
    """Something about configuration or code that was not approved: about what, in a sentence, and whether it became looser."""

    key: str
    message: str
    looser: bool = False


def of_jobs(runs: Sequence[JobFacts]) -> str:
    """Return in a sentence what a job could not do, the newest first, and how it is done again."""
    last = runs[-1]
    if last.status == "unreadable":
        return last.message
    tried = f", attempt {last.attempt}" if last.attempt > 1 else ""
    again = f"peaktrade schedule run-now {last.job}" + ("" if MOMENT in last.period else f" --period {last.period}")
    older = ", ".join(one.period for one in runs[:-1])
    return (
        f"{last.job} {last.status.replace('_', ' ')} for {last.period}{tried}: {last.message}; `{again}` does it again"
        + (f"; not done either: {older}" if older else "")
    )


class DeskFacts(NamedTuple):
    """Everything that rules may look at.

    Attributes:
        now: wall clock.
        runs: with a live or lost process, asked for by name, or ended lately, in the order of their start.
        ended: sessions that ended, newest first, enough to count failures in a row.
        disk_free: share of the workspace's disk [fraction], None where it cannot be told.
        reports: when each kind of report was last written, None where never.
        failed_reports: name of the newest report of a kind that failed, where no later one was written.
        first_session_at: since when there has been something to report.
        scopes: every trading state.
        jobs: what the scheduler could not do and nobody has made up since, oldest first.
        accounts: what each account lost today.
        changes: what is configured past all changes, and what was made tighter and not approved in time.
    """

    now: datetime
    runs: tuple[RunFacts, ...] = ()
    ended: tuple[RunFacts, ...] = ()
    disk_free: float | None = None
    reports: Mapping[str, datetime | None] = MappingProxyType({})
    failed_reports: Mapping[str, str] = MappingProxyType({})
    first_session_at: datetime | None = None
    scopes: tuple[TradingState, ...] = ()
    jobs: tuple[JobFacts, ...] = ()
    accounts: tuple[AccountFacts, ...] = ()
    changes: tuple[ChangeFacts, ...] = ()


class RuleFinding(NamedTuple):
    """What a rule found.

    Attributes:
        key: what it is about, in the rule's grouping; findings of one key are one alert.
        scopes: the trading-state scopes that it is about.
        cause: what it rests on (a session's id ...); an action is taken once for each rule, key and cause.
        runbook: that treats it, empty for the rule's own.
    """

    key: str
    severity: str
    message: str
    run_id: str | None = None
    symbol: str | None = None
    scopes: tuple[str, ...] = ()
    cause: str = ""
    runbook: str = ""

    @property
    def scope(self) -> str:
        """The one scope that it is about, empty where there is none or more than one."""
        return self.scopes[0] if len(self.scopes) == 1 else ""
