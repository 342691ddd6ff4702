"""How a run stands: told by its record, or by its heartbeat, the end of its journal and whether its process lives.

Whatever stands in those files, there is a run; what is odd about them is in its notes. Nothing is written.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.clock import as_utc, from_seconds
from peaktrade_core.base.errors import ArtefactError, ConfigError, why
from peaktrade_core.base.log import newest_lines
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_tail
from peaktrade_core.records.rows import RegistryLine, line_of
from peaktrade_core.runs.run import ACTIVE, DIED, ENDED, RUNNING, SILENT, Run
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.market import timeframe_seconds, worth
from peaktrade_core.trading.records import REHEARSAL, UNREADABLE, SessionRecord, finite, total_pnl

HEARTBEAT_S = 15.0  # a process whose heartbeat is older hangs [s]
PATIENCE_S = 60.0  # how much later than two bars an event may come [s]
_BEATEN = ("step", "price", "position", "exposure", "equity", "realized_pnl", "unrealized_pnl", "max_drawdown",
           "orders_blocked", "trading_state")  # fmt: skip


class RunAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of one run; ``extra`` holds what its line says beyond the contract."""

    rule_id: str
    severity: str
    message: str
    run_id: str
    timestamp: datetime | None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


def run_of(record: SessionRecord) -> Run:
    """Return a run as its record alone tells it; without a look at its process, one that has not ended runs."""
    run = recorded(line_of("", record))
    return msgspec.structs.replace(run, state=RUNNING) if run.status == "started" else run


def recorded(line: RegistryLine, gone: str = "") -> Run:
    """Return a run as its record tells it: all there is to know of one that ended.

    Args:
        line: its record; gone: where its folder is, if not in its place.
    """
    until = line.finished_at
    return Run(
        **_named(line),
        ended_at=until,
        duration_seconds=_seconds(line.started_at, until),
        state=line.status,
        last_event_at=until,
        step=line.steps,
        equity=line.equity_end,
        realized_pnl=line.realized_pnl,
        unrealized_pnl=line.unrealized_pnl,
        total_pnl=line.total_pnl,
        max_drawdown=line.max_drawdown,
        num_orders=line.num_orders,
        orders_blocked=line.orders_blocked,
        denied=line.denied,
        halted=line.halted,
        notes="; ".join(filter(None, (line.notes, gone))),
    )


def standing(folder: RunFolder, line: RegistryLine | None, now: datetime) -> Run:
    """Return a run that may be going on: from its process, its heartbeat, else the end of its journal."""
    alive, beat = folder.alive(), folder.heartbeat()
    meta = folder.read_meta()  # after the lock: a run says how it ended before it lets go of it
    notes = [] if line else ["no record in the registry"]
    if not meta:
        notes.append("meta.json is missing or cannot be read")
    last_event_at = _changed_at(folder.journal)
    silence = None if last_event_at is None else max(0.0, (now - last_event_at).total_seconds())
    run = _named(line) if line else _described(folder.run_id, meta)
    run |= {name: getattr(beat, name) for name in _BEATEN} if beat else _from_tail(folder.journal, notes, run["symbol"])
    if alive:
        hangs = beat is not None and (now - as_utc(beat.at)).total_seconds() > HEARTBEAT_S
        state = SILENT if hangs or (silence or 0.0) > _patience(run["timeframe"]) else RUNNING
    else:
        ended = _text(meta.get("status"))
        state = ended if ended in ENDED else DIED if line or meta else UNREADABLE
    if state == DIED:
        notes.insert(0, "its process is gone; the next command recovers it")
    until = run.get("ended_at") or (now if state in ACTIVE else last_event_at)
    return Run(
        **run,
        state=state,
        alive=alive,
        duration_seconds=_seconds(run["started_at"], until),
        last_event_at=last_event_at,
        silence_s=silence if alive or state == DIED else None,
        total_pnl=total_pnl(*map(run.get, ("equity", "start_balance", "realized_pnl", "unrealized_pnl"))),
        notes="; ".join(notes) or (line.notes if line else ""),
    )


def lost(line: RegistryLine, folder: Path) -> Run:
    """Return a run that its record says has not ended, but of which there is no folder."""
    notes = f"the registry says {line.status!r}, but there is no run folder {folder}"
    return msgspec.structs.replace(recorded(line), state=UNREADABLE, notes=notes)


def alerts_of(path: Path, run_id: str, limit: int) -> list[RunAlert]:
    """Return the last alerts in a run's file, newest first; lines that cannot be read are alerts that say so."""
    if not path.exists():
        return []
    found: list[RunAlert] = []
    try:
        for line in newest_lines(path):
            if len(found) >= limit:
                break
            if line.whole:
                found.append(_alert(line.text, run_id))
    except ArtefactError as error:
        found.append(odd_alert(run_id, str(error)))
    return found[:limit]


def _named(line: RegistryLine) -> dict[str, Any]:
    """Return what a run is, as its record says."""
    return {
        "run_id": line.session_id if line.session_id is not None else line.name.removesuffix(".json"),
        "mode": line.mode or "unknown",
        "environment": line.environment,
        "strategy": line.strategy,
        "symbol": line.symbol,
        "timeframe": line.timeframe,
        "feed": line.feed,
        "data": line.data,
        "status": line.status,
        "started_at": line.started_at,
        "start_balance": line.start_balance,
        "risk_status": line.risk_status,
        "rehearsal": line.run_type == REHEARSAL,
        "tags": line.tags,
    }


def _described(run_id: str, meta: dict[str, Any]) -> dict[str, Any]:
    """Return what a run is, as its meta data say, whatever is in there."""
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
        "feed": _text(config.get("feed")) if isinstance(config, dict) else None,
    }


def _from_tail(journal: Path, notes: list[str], symbol: str | None) -> dict[str, Any]:
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
                "exposure": worth(symbol, bar.position_size, bar.close),
                "equity": bar.equity,
                "realized_pnl": bar.realized_pnl,
                "unrealized_pnl": bar.unrealized_pnl,
            }
    return {}


def _seconds(began: datetime | None, until: datetime | None) -> float | None:
    """Return the time between two moments [s], None where one is not known."""
    return (until - began).total_seconds() if began and until else None


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


def _alert(line: bytes, run_id: str) -> RunAlert:
    """Return the alert that a line holds."""
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return odd_alert(run_id, f"a line of alerts.jsonl cannot be read: {why(error)}")
    if not isinstance(raw, dict):
        return odd_alert(run_id, "a line of alerts.jsonl is not an object")
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
