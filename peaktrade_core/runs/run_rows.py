"""One run as people see it: from its record, or from its heartbeat, the end of its journal and whether its process lives.

Whatever stands in those files, there is a row; what is odd about them is in its notes.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.clock import as_utc, from_seconds
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.records.folder import Heartbeat, RunFolder
from peaktrade_core.records.journal import read_tail
from peaktrade_core.records.rows import Line
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import UNREADABLE, finite

RUNNING, SILENT, DIED = "running", "silent", "died"
ENDED = ("completed", "failed", "aborted")
ACTIVE = (RUNNING, SILENT)
HEARTBEAT_S = 15.0  # a process whose heartbeat is older hangs [s]
PATIENCE_S = 60.0  # how much later than two bars an event may come [s]


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list.

    Attributes:
        state: ``running``, ``silent`` (its process lives but nothing comes), ``died``, ``completed``, ``failed``,
            ``aborted`` or ``unreadable``.
        alive: its process holds the run's lock.
        last_event_at: when its journal last grew; silence_s: how long ago that is [s], None once it ended.
        price, position, exposure, equity, start_balance, realized_pnl, unrealized_pnl: [quote ccy, base units].
        max_drawdown: [fraction].
        trading_state: of a running session, as its heartbeat says.
        status: what its record says; notes: what is odd about it, else the operator's notes.
    """

    run_id: str
    mode: str = "unknown"
    strategy: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    state: str = UNREADABLE
    alive: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
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
    max_drawdown: float | None = None
    orders_blocked: int | None = None
    trading_state: str | None = None
    status: str | None = None
    notes: str = ""


class RunAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of one run; ``extra`` holds what its line says beyond the contract."""

    rule_id: str
    severity: str
    message: str
    run_id: str
    timestamp: datetime | None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


def finished_row(run_id: str, line: Line, has_folder: bool) -> RunRow:
    """Return the row of a run that its record describes."""
    return RunRow(
        run_id=run_id,
        mode=line.mode or "unknown",
        strategy=line.strategy,
        symbol=line.symbol,
        timeframe=line.timeframe,
        state=line.status,
        started_at=line.started_at,
        ended_at=line.finished_at,
        last_event_at=line.finished_at,
        step=line.steps,
        equity=line.equity_end,
        start_balance=line.start_balance,
        realized_pnl=line.realized_pnl,
        unrealized_pnl=line.unrealized_pnl,
        max_drawdown=line.max_drawdown,
        orders_blocked=line.orders_blocked,
        status=line.status,
        notes=line.notes if has_folder else "; ".join(filter(None, (line.notes, "its run folder is gone"))),
    )


def unfinished_row(folder: RunFolder, line: Line | None, now: datetime) -> RunRow:
    """Return the row of a run that may be running: its process, its heartbeat, else the end of its journal."""
    alive, beat = folder.alive(), folder.heartbeat()
    meta = folder.read_meta()  # after the lock: a run says how it ended before it lets go of it
    notes = [] if line else ["no record in the registry"]
    if not meta:
        notes.append("meta.json is missing or cannot be read")
    last_event_at = _changed_at(folder.journal)
    silence = None if last_event_at is None else max(0.0, (now - last_event_at).total_seconds())
    row = _named(folder.run_id, line, meta)
    row |= _beaten(beat) if beat else _from_tail(folder.journal, notes)
    if alive:
        hangs = beat is not None and (now - as_utc(beat.at)).total_seconds() > HEARTBEAT_S
        state = SILENT if hangs or (silence or 0.0) > _patience(row["timeframe"]) else RUNNING
    else:
        ended = _text(meta.get("status"))
        state = ended if ended in ENDED else DIED if line or meta else UNREADABLE
    if state == DIED:
        notes.insert(0, "its process is gone; the next command recovers it")
    return RunRow(
        **row,
        state=state,
        alive=alive,
        last_event_at=last_event_at,
        silence_s=silence if alive or state == DIED else None,
        status=line.status if line else None,
        notes="; ".join(notes) or (line.notes if line else ""),
    )


def _named(run_id: str, line: Line | None, meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is, from its record or else from its meta data, whatever is in there."""
    if line is not None:
        return {
            "run_id": run_id,
            "mode": line.mode or "unknown",
            "strategy": line.strategy,
            "symbol": line.symbol,
            "timeframe": line.timeframe,
            "started_at": line.started_at,
            "start_balance": line.start_balance,
        }
    config = meta.get("config")
    return {
        "run_id": run_id,
        "mode": _text(meta.get("mode")) or "unknown",
        "strategy": _text(meta.get("strategy_name")),
        "symbol": _text(meta.get("symbol")),
        "timeframe": _text(meta.get("timeframe")),
        "started_at": _moment(meta.get("started_at")),
        "ended_at": _moment(meta.get("ended_at")),
        "start_balance": finite(config.get("start_balance")) if isinstance(config, dict) else None,
    }


def _beaten(beat: Heartbeat) -> dict[str, Any]:
    """Return the figures that a heartbeat tells."""
    names = ("step", "price", "position", "exposure", "equity", "realized_pnl", "unrealized_pnl", "max_drawdown")
    return {name: getattr(beat, name) for name in (*names, "orders_blocked", "trading_state")}


def _from_tail(journal: Path, notes: list[str]) -> dict[str, Any]:
    """Return the figures of a journal's last bar; what is odd is added to the notes."""
    try:
        tail = read_tail(journal, 1, BarDone)
    except ArtefactError as error:
        notes.append(str(error))
        return {}
    notes.extend(tail.faults)
    for bar in tail.events:
        if type(bar) is BarDone:
            return {
                "step": bar.step,
                "price": bar.close,
                "position": bar.position_size,
                "exposure": abs(bar.position_size * bar.close),
                "equity": bar.equity,
                "realized_pnl": bar.realized_pnl,
                "unrealized_pnl": bar.unrealized_pnl,
            }
    return {}


def _patience(timeframe: str | None) -> float:
    """Return how long a live run may be silent [s]: two bars and a little."""
    try:
        return 2.0 * timeframe_seconds(timeframe or "1m") + PATIENCE_S
    except ConfigError:
        return 120.0 + PATIENCE_S


def _changed_at(path: Path) -> datetime | None:
    """Return when a file last changed, None when there is none."""
    try:
        return from_seconds(path.stat().st_mtime)
    except (OSError, OverflowError):
        return None


def _text(value: object) -> str | None:
    """Return a value if it is text."""
    return value if isinstance(value, str) else None


def _moment(value: object) -> datetime | None:
    """Return the time that a text names, in UTC, None for everything else."""
    try:
        return as_utc(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def read_alert(line: bytes, run_id: str) -> RunAlert:
    """Return the alert that a line holds."""
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return odd_alert(run_id, f"a line of alerts.jsonl cannot be read: {error}")
    if not isinstance(raw, dict):
        return odd_alert(run_id, "a line of alerts.jsonl is no object")
    return RunAlert(
        rule_id=str(raw.pop("rule_id", "unknown")),
        severity=str(raw.pop("severity", "warning")),
        message=str(raw.pop("message", "")),
        run_id=str(raw.pop("run_id", run_id)),
        timestamp=_moment(raw.pop("timestamp", None)),
        extra=raw,
    )


def odd_alert(run_id: str, message: str) -> RunAlert:
    """Return an alert that says what could not be read."""
    return RunAlert(rule_id=UNREADABLE, severity="warning", message=message, run_id=run_id, timestamp=None)
