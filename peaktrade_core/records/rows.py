"""What a list shows of a session, taken from its record once, when it is read into the index; and sums of these."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from peaktrade_core.base.clock import as_utc
from peaktrade_core.show import wording
from peaktrade_core.trading.records import UNREADABLE, SessionRecord, finite, total_pnl

MOST_TAGS = 50  # of a session that a list knows
LONGEST_NOTE = 2000  # characters of an error or note that a list shows
STOPPED = ("REDUCING", "HALTED", "NO_ORDERS")  # trading states in which nothing is opened
HALTS = ("MAX_DRAWDOWN_HALT", "CONSECUTIVE_REJECTS", "HALTED")  # deny codes of a halted session, the cause first
LARGEST_COUNT = 2**53  # beyond it, counts of foreign records are no counts


class RegistryLine(NamedTuple):
    """One file of the registry as lists show it; the figures are null where its record has none.

    Attributes:
        name: of the file; sorts_at: when the session began, as text that sorts like the time.
        session_id: null for a file that nobody can read, whose ``fault`` says why.
        feed, data: where the bars came from: the feed's name and, of a replay, the file's.
        total_pnl: equity at the end less the start balance [quote ccy].
        denied: how often each code denied an order, in words.
        halted: the code by which the session was denied orders because trading was halted.
        decision_id: of what decided, as backtests and trials have it; null in older records.
        notes: the error if there is one, else the operator's notes, at most 2,000 characters.
        risk_status: worst severity of the session, green, yellow or red; unknown of one that was imported.
        tags: the words that it was given, in their order.
    """

    name: str
    sorts_at: str
    session_id: str | None
    mode: str | None
    status: str
    run_type: str | None
    symbol: str | None
    strategy: str | None
    timeframe: str | None
    environment: str | None
    feed: str | None
    data: str | None
    started_at: datetime | None
    finished_at: datetime | None
    realized_pnl: float | None
    unrealized_pnl: float | None
    total_pnl: float | None
    max_drawdown: float | None
    num_orders: int | None
    orders_blocked: int | None
    steps: int | None
    equity_end: float | None
    start_balance: float | None
    risk_status: str
    denied: str | None
    halted: str | None
    decision_id: str | None
    notes: str
    fault: str | None
    tags: tuple[str, ...]

    @property
    def searched(self) -> str:
        """Everything about it that a person may search for, regardless of case."""
        told = (self.name, self.session_id, self.mode, self.status, self.symbol, self.strategy, self.timeframe)
        rest = (
            self.environment,
            self.feed,
            self.data,
            self.risk_status,
            self.halted,
            self.denied,
            *self.tags,
            self.notes,
        )
        return "\n".join(filter(None, (*told, *rest))).casefold()


class SymbolSum(NamedTuple):
    """Figures over the records of one symbol.

    Attributes:
        sessions: how many records; ended: how many of them have a PnL.
        realized_pnl, total_pnl: their sums [quote ccy].
        drawdowns: how many have a maximum drawdown; drawdown: the sum of these [fraction].
    """

    symbol: str | None
    sessions: int
    ended: int
    realized_pnl: float
    total_pnl: float
    drawdowns: int
    drawdown: float


class DaySum(NamedTuple):
    """Figures over the sessions of one symbol that began on one UTC day; ``open`` have not ended."""

    day: str
    symbol: str | None
    sessions: int
    open: int
    realized_pnl: float
    total_pnl: float
    max_drawdown: float | None


class FileState(NamedTuple):
    """By what a changed file is told: its inode, time [ns since epoch] and size [bytes]."""

    inode: int
    mtime_ns: int
    size: int


def line_of(name: str, record: SessionRecord) -> RegistryLine:
    """Return the line of a record in the file ``name``."""
    return RegistryLine(
        name=name,
        sorts_at=sortable(record.started_at or record.created_at) or stamp_of(name),
        session_id=record.session_id,
        mode=record.mode,
        status=record.status,
        run_type=record.run_type,
        symbol=record.symbol,
        strategy=_text(record.setting("strategy_name")),
        timeframe=_text(record.setting("timeframe")),
        environment=record.env_name,
        feed=_text(record.setting("feed")),
        data=_file(record.setting("candles")),
        started_at=record.started_at,
        finished_at=record.finished_at,
        realized_pnl=_real(record.metric("realized_pnl")),
        unrealized_pnl=_real(record.metric("unrealized_pnl")),
        total_pnl=_real(
            total_pnl(
                record.metric("equity_end"),
                finite(record.setting("start_balance")),
                record.metric("realized_pnl"),
                record.metric("unrealized_pnl"),
            )
        ),
        max_drawdown=_real(record.metric("max_drawdown")),
        num_orders=_whole(record.metric("num_orders")),
        orders_blocked=_whole(record.metric("orders_blocked_risk")),
        steps=_whole(record.metric("steps")),
        equity_end=_real(record.metric("equity_end")),
        start_balance=_real(finite(record.setting("start_balance"))),
        risk_status=_risk_status(record),
        denied=_note(wording.times(record.metrics.get("deny_codes"))) or None,
        halted=_halted(record),
        decision_id=record.decision_id,
        notes=_note(record.error or str(record.setting("notes") or "")),
        fault=None,
        tags=_tags(record.setting("tags")),
    )


def fault_of(name: str, fault: str) -> RegistryLine:
    """Return the line of a file that nobody can read."""
    nothing: dict[str, Any] = dict.fromkeys(RegistryLine._fields)
    told: dict[str, Any] = {
        "name": name,
        "sorts_at": stamp_of(name),
        "status": UNREADABLE,
        "risk_status": "red",
        "tags": (),
    }
    return RegistryLine(**nothing | told | {"notes": _note(f"{name}: {fault}"), "fault": fault})


def sortable(moment: datetime | None) -> str | None:
    """Return a time as text that sorts like the time, to the microsecond: many sessions begin within a second."""
    return None if moment is None else as_utc(moment).isoformat(timespec="microseconds")


def stamp_of(name: str) -> str:
    """Return the time that a file's name begins with, as text that sorts with the others, or the beginning of time."""
    try:
        moment = datetime.strptime(name[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        moment = datetime.min
    return moment.replace(tzinfo=UTC).isoformat(timespec="microseconds")


def _text(value: object) -> str | None:
    """Return a value if it is text."""
    return value if isinstance(value, str) else None


def _tags(value: object) -> tuple[str, ...]:
    """Return the tags of a record, each once, of those that are text."""
    found = value if isinstance(value, (list, tuple)) else ()
    return tuple(dict.fromkeys(_note(one) for one in found if isinstance(one, str) and one))[:MOST_TAGS]


def _file(value: object) -> str | None:
    """Return the name of a file without its folders."""
    return value.replace("\\", "/").rstrip("/").rpartition("/")[2] or None if isinstance(value, str) else None


def _halted(record: SessionRecord) -> str | None:
    """Return the code that says that a session was denied orders because trading was halted, else the halt it ended in."""
    codes, state = record.metrics.get("deny_codes"), record.metrics.get("trading_state")
    denied = next((code for code in HALTS if code in codes), None) if isinstance(codes, dict) else None
    return denied or (str(state) if state in STOPPED else None)


def _real(value: float | None) -> float | None:
    """Return a figure as the index keeps it; a whole number may be longer than its integers."""
    return None if value is None else float(value)


def _whole(value: float | None) -> int | None:
    """Return a count as a whole number, as large as the index keeps them."""
    return None if value is None else max(-LARGEST_COUNT, min(LARGEST_COUNT, int(value)))


def _note(text: str) -> str:
    """Return a text short enough for a list."""
    return text if len(text) <= LONGEST_NOTE else f"{text[:LONGEST_NOTE]} …"


def _risk_status(record: SessionRecord) -> str:
    """Return the worst severity of a session; without one, a failed session is red and others green."""
    known = record.metrics.get("risk_status")
    if known in ("green", "yellow", "red", "unknown"):
        return str(known)
    return "red" if record.status == "failed" else "green"
