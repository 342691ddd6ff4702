"""What the JSON API answers beyond the read side's own rows: their fields under the names that the contracts promise."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.question import Check, Status
from peaktrade_core.research.experiments.page import HeatMap, HeldBars, ShownExperiment
from peaktrade_core.research.experiments.rows import ExperimentRow
from peaktrade_core.research.trials.trial import DAY_S, Trial
from peaktrade_core.runs.run import Run, RunItem, item_of
from peaktrade_core.runs.telling import kind_of, text_of
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.trading.records import SessionRecord


class Health(msgspec.Struct, frozen=True):
    """The server is there."""

    status: str = "ok"


class SessionAnswer(RunItem, frozen=True, kw_only=True):
    """One session: its item of the list, and what its record holds beyond.

    Attributes:
        config, metrics, cli_args: as recorded; cli_args repeat the session.
        error: ``Type: message`` of a session that failed.
        extra: what a foreign writer added.
    """

    run_type: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    cli_args: list[str]
    error: str | None
    strategy_tier: str | None
    host: str | None
    schema_version: int
    extra: dict[str, Any]

    @classmethod
    def of(cls, run: Run, record: SessionRecord) -> SessionAnswer:
        """Return the answer for a session."""
        given = msgspec.structs.asdict(item_of(run))
        own = {name: getattr(record, name) for name in cls.__struct_fields__ if name not in given}
        return cls(**given, **own)


class RunSnapshot(RunItem, frozen=True, kw_only=True):
    """One run as it stands: its item of the list, and the totals so far; null where they are not known yet."""

    total_steps: int | None
    total_orders: int | None
    total_blocked_orders: int | None

    @classmethod
    def of(cls, run: Run, total_orders: int | None = None) -> RunSnapshot:
        """Return the snapshot of a run."""
        return cls(
            **msgspec.structs.asdict(item_of(run)),
            total_steps=run.step,
            total_orders=total_orders,
            total_blocked_orders=run.orders_blocked,
        )


class TailBar(msgspec.Struct, frozen=True, kw_only=True):
    """A bar of a run's journal. Prices and money in quote currency, quantities in base units.

    Attributes:
        ts_bar: when the bar began; ts_event: when it was worked off; price: its close.
        orders_count: orders that it led to, under the older name of ``orders_generated``.
    """

    seq: int
    step: int
    ts_bar: datetime
    ts_event: datetime
    price: float
    open: float
    high: float
    low: float
    close: float
    volume: float
    position_size: float
    cash: float
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    signal: int
    signal_changed: bool
    orders_generated: int
    orders_filled: int
    orders_rejected: int
    orders_blocked: int
    orders_count: int
    risk_allowed: bool
    risk_reasons: tuple[str, ...]

    @classmethod
    def of(cls, bar: BarDone) -> TailBar:
        """Return a bar under the contract's names."""
        given = msgspec.structs.asdict(bar)
        ts_event = given.pop("ts")
        return cls(**given, ts_event=ts_event, price=bar.close, orders_count=bar.orders_generated)


class EventItem(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a journal: its number, time and kind, what it says in words, and its own fields."""

    seq: int
    ts: datetime
    kind: str
    text: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, event: AnyEvent) -> EventItem:
        """Return an event as programs get it."""
        fields = {
            name: value for name, value in msgspec.to_builtins(event).items() if name not in ("seq", "ts", "type")
        }
        return cls(seq=event.seq, ts=event.ts, kind=kind_of(event), text=text_of(event), fields=fields)


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a session.

    Attributes:
        total: how many there are of the kind that was asked for; offset: how many of them come before these.
        kinds: how many there are of each kind; events: newest first.
    """

    total: int
    offset: int
    kinds: dict[str, int]
    events: list[EventItem]


class PanelsAnswer(msgspec.Struct, frozen=True):
    """Panels of a page, as HTML by name, the time that they show, and how everything stands, for the title of its tab."""

    as_of: str
    panels: dict[str, str]
    status: Status
    why: str


class ListAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list.

    Attributes:
        total: how many match in all; offset: how many of them are before these rows.
        rows: the things; facets: by name, each value with how many there are of it under everything else that is asked.
        next: address of the following page, null for the last one; csv: of all that match.
    """

    total: int
    offset: int
    rows: list[Any]
    facets: dict[str, dict[str, int]]
    next: str | None
    csv: str


class ExperimentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment as its page shows it.

    Attributes:
        experiment: as in the list; verdict: what was asked of it and answered; counted: tries ever begun on its market.
        days, equity: ends of UTC days as dates, and the equity there, of the best trial or the only one [quote ccy].
        held: what is held back behind them; map: of a sweep; trials: the best of a sweep; sessions: of the same decision.
    """

    experiment: ExperimentRow
    verdict: tuple[Check, ...]
    counted: int
    days: list[str]
    equity: list[float]
    held: HeldBars | None
    map: HeatMap | None
    trials: tuple[Trial, ...]
    sessions: list[RunItem]

    @classmethod
    def of(cls, found: ShownExperiment) -> ExperimentAnswer:
        """Return the answer about an experiment."""
        days = [f"{from_seconds(float(day) * DAY_S):%Y-%m-%d}" for day in found.marks.day]
        return cls(
            experiment=found.row, verdict=found.checks, counted=found.counted, days=days,
            equity=[float(one) for one in found.marks.equity], held=found.held, map=found.heat, trials=found.trials,
            sessions=[item_of(one) for one in found.sessions],
        )  # fmt: skip


_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def csv_text(items: Iterable[Any], fields: Sequence[str]) -> str:
    """Return structs as lines of CSV below a line with the names of their fields; what is not known is empty.

    A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(fields)
    writer.writerows([_field(getattr(item, name)) for name in fields] for item in items)
    return out.getvalue()


def _field(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = msgspec.json.encode(value).decode()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
