"""A run: one execution of a strategy, from its record once it ended, from heartbeat and journal while it goes on.

A session and a run are the same thing. What it is called, how it stands in one word, and why, is said here, for terminal,
pages, notebooks and programs alike. It knows no disk and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, Check
from peaktrade_core.show import wording
from peaktrade_core.show.table import TONE_OF
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import IMPORTED, REHEARSAL, UNREADABLE

RUNNING, SILENT, DIED = "running", "silent", "died"
ENDED = ("completed", "failed", "aborted")
ACTIVE = (RUNNING, SILENT)
HALTED, REDUCING, BLOCKED, CHECKS = "halted", "reducing", "blocked", "checks"  # words beyond the states


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as every list, page and program sees it; null where nothing is known.

    Attributes:
        run_id: its id, which names its record and its folder.
        feed, data: where its bars come from: the feed's name and, of a replay, the file's.
        status: what its record says: ``started``, ``completed``, ``failed``, ``aborted`` or ``unreadable``; null without one.
        state: how it stands: ``running``, ``silent`` (its process lives but nothing comes), ``died``, ``completed``,
            ``failed``, ``aborted`` or ``unreadable``.
        alive: its process holds the run's lock.
        duration_seconds: from its start to its end, or until now [s].
        last_event_at: when its journal last grew; silence_s: how long ago that is [s], null once it ended.
        step: bars traded; position: signed [base units].
        price, exposure, equity, start_balance: [quote ccy].
        realized_pnl: net of fees; unrealized_pnl: of the open position; total_pnl: equity less start balance [quote ccy].
        max_drawdown: [fraction].
        num_orders, orders_blocked: executed, and denied by our own checks; denied: by which code how often, once it ended.
        trading_state: of a running one, as its heartbeat says; halted: the code that denied its orders in a halt.
        risk_status: worst severity, ``green``, ``yellow`` or ``red``; ``unknown`` without a record.
        rehearsal: it is practice, which no sum over sessions counts.
        notes: what is odd about it, its error, or else the operator's notes.
        tags: the words that it was given to be found by.
    """

    run_id: str
    mode: str = "unknown"
    environment: str | None = None
    symbol: str | None = None
    strategy: str | None = None
    timeframe: str | None = None
    feed: str | None = None
    data: str | None = None
    status: str | None = None
    state: str = UNREADABLE
    alive: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    last_event_at: datetime | None = None
    silence_s: float | None = None
    step: int | None = None
    price: float | None = None
    position: float | None = None
    exposure: float | None = None
    equity: float | None = None
    start_balance: float | None = None
    realized_pnl: float | None = None
    unrealized_pnl: float | None = None
    total_pnl: float | None = None
    max_drawdown: float | None = None
    num_orders: int | None = None
    orders_blocked: int | None = None
    denied: str | None = None
    trading_state: str | None = None
    halted: str | None = None
    risk_status: str = "unknown"
    rehearsal: bool = False
    notes: str = ""
    tags: tuple[str, ...] = ()

    @property
    def currency(self) -> str:
        """The currency that its money is counted in, empty where its symbol names none."""
        return wording.quote_currency(self.symbol)

    @property
    def market_seconds(self) -> float | None:
        """How much of the market it has seen: its bars by their length [s]; None where one of them is not known."""
        with suppress(ConfigError):  # a foreign record may name a timeframe that we do not have
            return self.step * timeframe_seconds(self.timeframe) if self.step is not None and self.timeframe else None
        return None

    @property
    def kind(self) -> str:
        """What it is told apart by in lists: its mode, or that it is practice."""
        return REHEARSAL if self.rehearsal else self.mode

    @property
    def counted(self) -> bool:
        """Whether it is a result of ours: no practice, and nothing that ran elsewhere."""
        return not self.rehearsal and self.mode != IMPORTED

    @property
    def active(self) -> bool:
        """Whether it goes on: it runs, or its process lives in silence."""
        return self.state in ACTIVE

    @property
    def final(self) -> bool:
        """Whether it ended, so that nothing about it changes any more."""
        return self.state in ENDED


class RunItem(Run, frozen=True, kw_only=True):
    """A run for programs: also under the names that a list of sessions and a list of runs gave it before they were one.

    Attributes:
        session_id, strategy_name: its id and its strategy, under the other names.
        is_live_warning: its record says ``live``, which peaktrade never writes.
        name: what it is, in words; word, why: how it stands, as the badge of a page says it.
    """

    session_id: str
    strategy_name: str | None
    is_live_warning: bool
    name: str
    word: str
    why: str


ItemT = TypeVar("ItemT", bound=RunItem)


class Verdict(NamedTuple):
    """How a run stands: a word, for which :mod:`wording` has sign and text, and why, empty where all is well."""

    word: str
    why: str = ""

    def __str__(self) -> str:
        return wording.badge(self.word)

    @property
    def tone(self) -> str:
        """Its colour by meaning: good, mid or bad; empty for one that runs."""
        return TONE_OF.get(self.word, "")


def item_of(run: Run) -> RunItem:
    """Return a run as programs get it."""
    word, why = verdict_of(run)
    return RunItem(
        **msgspec.structs.asdict(run),
        session_id=run.run_id,
        strategy_name=run.strategy,
        is_live_warning=run.mode == "live",
        name=name_of(run),
        word=word,
        why=why,
    )


def timeless(item: ItemT) -> ItemT:
    """Return an item without what depends on the time of asking: how long it has been silent, or running."""
    changed = {"silence_s": None} if item.ended_at else {"silence_s": None, "duration_seconds": None}
    return msgspec.structs.replace(item, **changed)


def name_of(run: Run) -> str:
    """Return what a run is, with its feed: ``ma_crossover on BTC/EUR 1m, replay march.parquet``."""
    market = " ".join(filter(None, (run.symbol or "unknown market", run.timeframe)))
    practice = "rehearsal" if run.rehearsal else ""
    return ", ".join(filter(None, (f"{run.strategy or 'unknown strategy'} on {market}", feed_of(run), practice)))


def feed_of(run: Run) -> str:
    """Return where a run's bars come from, in words; empty where its record does not say."""
    if run.feed == "synthetic":
        return "embedded market"
    if run.feed == "replay":
        return f"replay {run.data or 'of a file'}"
    if run.feed == "exchange":
        return f"exchange {run.environment or 'unknown'}"
    if run.feed == IMPORTED:
        return f"imported from {run.data or 'a file'}"
    return run.feed or ""


def verdict_of(run: Run, checks: Iterable[Check] = ()) -> Verdict:
    """Return how a run stands: the worst that is known of it.

    Args:
        run: the run.
        checks: the answers of its post-session check, where it was asked; a list reads no journal and has none.
    """
    if run.state == UNREADABLE:
        return Verdict(UNREADABLE, run.notes)
    if run.state == DIED:
        return Verdict(DIED, run.notes)
    if run.state == SILENT:
        return Verdict(SILENT, "its process lives, but nothing comes")
    if run.state in ("failed", "aborted"):
        return Verdict(run.state, run.notes)
    if run.halted or run.trading_state in ("HALTED", "NO_ORDERS"):
        halt, denied = run.halted or str(run.trading_state), run.denied or ""
        return Verdict(
            HALTED, f"orders are denied: {denied if halt in denied else ', '.join(filter(None, (halt, denied)))}"
        )
    if run.orders_blocked and not _filled(run):
        denied = wording.many(run.orders_blocked, "order")
        return Verdict(BLOCKED, f"no order was filled, {denied} denied" + (f": {run.denied}" if run.denied else ""))
    if run.state == RUNNING:
        return Verdict(REDUCING, "only reducing orders are allowed") if run.trading_state == "REDUCING" else _well(run)
    failed = [check.question for check in checks if check.status == FAIL]
    return Verdict(CHECKS, f"not answered well: {' '.join(failed)}") if failed else _well(run)


def _well(run: Run) -> Verdict:
    return Verdict(run.state)


def _filled(run: Run) -> bool:
    """Return whether an order of a run was filled; a running one does not count them, but a fill leaves its traces."""
    return bool(run.num_orders or run.position or run.realized_pnl)
