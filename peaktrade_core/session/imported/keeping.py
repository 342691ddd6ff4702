"""An imported session is kept as any other: a journal, a table, a record, all of them in the ledger with the file's hash.

Its journal holds what the file tells and nothing else: orders where their asked price is known, fills, bars and the
account at each of them. There is no signal, no denial and no limit in it. Its money is added up by the session's own
account, so start balance, PnL and equity agree as everywhere.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.log import append_line
from peaktrade_core.base.processes import this_host
from peaktrade_core.records.bar_table import write_table
from peaktrade_core.records.folder import RunFolder, meta_of
from peaktrade_core.records.journal import JOURNAL
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.repeat import command_line
from peaktrade_core.runs.views import Views
from peaktrade_core.session.imported.bars import OWN, FillLayout, Laid
from peaktrade_core.session.imported.fills import NOISE, ROW, Elsewhere, ImportedPart
from peaktrade_core.show.wording import many
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.market import Bars, candle_steps
from peaktrade_core.trading.records import IMPORTED, NO_CANDLES, SCHEMA_VERSION, SessionConfig, SessionRecord
from peaktrade_core.trading.tally import figures, fold
from peaktrade_core.workspace.workspace import Workspace

AGREES = 1e-6  # two programs add up alike within this share of what was traded [fraction]


class ReadyImport(NamedTuple):
    """A part that can be kept: its id, its configuration and its events."""

    session_id: str
    part: ImportedPart
    config: SessionConfig
    events: list[ev.AnyEvent]


def ready(
    workspace: Workspace, source: Elsewhere, part: ImportedPart, layout: FillLayout, start_balance: float
) -> ReadyImport:
    """Return a part as the session that it becomes; nothing is written.

    Raises:
        ConfigError: it was imported before.
    """
    session_id = _id_of(source, part, from_seconds(layout.bars[0].bar.ts))
    _refuse_again(workspace, source, session_id)
    _refuse_overlap(workspace, part)
    config = _config(workspace, source, part, layout, start_balance)
    return ReadyImport(session_id, part, config, list(_events(config, layout)))


def _id_of(source: Elsewhere, part: ImportedPart, began: datetime) -> str:
    """Return the id of a part, the same for the same beginning: a longer file of the same fills is no other session."""
    first = part.fills[0]
    told = (
        source.kind,
        part.symbol,
        part.strategy,
        part.timeframe,
        iso(first.at),
        first.qty,
        first.price,
        first.order_id,
    )
    digest = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:6]
    return f"{IMPORTED}_{began:%Y%m%d_%H%M%S}_{digest}"


def _refuse_again(workspace: Workspace, source: Elsewhere, session_id: str) -> None:
    entry = Registry.of(workspace).find(session_id)
    if entry is None:
        return
    record = entry.record
    was = f" from {record.setting('candles')}" if record else ""
    same = record is not None and record.setting("data_sha256") == source.sha256
    more = "" if same else "; the file has changed since: --since takes what came later"
    raise ConfigError(f"these fills were imported{was} as {session_id}, and are not imported twice{more}")


def _refuse_overlap(workspace: Workspace, part: ImportedPart) -> None:
    """Refuse fills that a session holds which was imported with another beginning, timeframe or name of the strategy.

    Raises:
        ConfigError: names the session and the fill.
    """
    wanted = {_known(fill.at, fill.qty, fill.price, fill.order_id): fill for fill in part.fills}
    first, last = part.fills[0].at, part.fills[-1].at
    for entry in Registry.of(workspace).entries(Query(mode=IMPORTED, symbol=part.symbol)):
        record = entry.record
        if record is None or (record.started_at or first) > last or (record.finished_at or last) < first:
            continue
        for event in Views.of(workspace).events(record.session_id):
            if isinstance(event, ev.Fill) and (
                fill := wanted.get(_known(event.ts, event.qty, event.price, event.order_id))
            ):
                raise ConfigError(
                    f"{fill.where}: this fill of {iso(fill.at)} is in {record.session_id}, too, and is not imported twice; "
                    "--since takes what came later"
                )


def _known(at: datetime, qty: float, price: float, order_id: str) -> tuple[object, ...]:
    """Return what a fill is known again by; the number of a row is another one in another table."""
    return at, qty, price, "" if order_id.startswith(ROW) else order_id


def _config(
    workspace: Workspace, source: Elsewhere, part: ImportedPart, layout: FillLayout, start_balance: float
) -> SessionConfig:
    """Return what the session is known by; costs and size of a position are as measured over its fills."""
    instrument = workspace.config.instruments.get(part.symbol)
    given = msgspec.to_builtins(instrument) if instrument is not None and instrument.complete else _steps(layout)
    traded = sum(abs(fill.qty) * fill.price for fill in part.fills)
    known = [fill for fill in part.fills if fill.asked is not None]
    asked = sum(abs(fill.qty) * (fill.asked or 0.0) for fill in known)
    worse = sum(fill.qty * (fill.price - (fill.asked or 0.0)) for fill in known)
    notes = [*part.notes, *layout.notes, *_told_otherwise(part, traded)]
    if part.held:
        notes.append(f"A position of {part.held:+.8g} was still open at the end.")
    return SessionConfig(
        strategy_name=part.strategy,
        params={},
        symbol=part.symbol,
        timeframe=part.timeframe,
        feed=IMPORTED,
        seed=None,
        data_sha256=source.sha256,
        warmup_candles=0,
        steps=None,
        position_fraction=_fraction(part, start_balance),
        start_balance=start_balance,
        fee_bps=round(1e4 * sum(fill.fee for fill in part.fills) / traded, 6),
        slippage_bps=round(max(0.0, 1e4 * worse / asked), 6) if asked else 0.0,
        risk_limits={},
        instrument={**given, "kind": "derivatives" if part.short else "spot"},
        candles=source.name,
        tags=(IMPORTED, source.kind, *((NO_CANDLES,) if OWN in layout.notes else ())),
        notes=" ".join(notes),
    )


def _steps(layout: FillLayout) -> dict[str, Any]:
    """Return tick and lot as far as prices and quantities show them."""
    import numpy as np

    rows = np.array([one.bar for one in layout.bars], dtype=np.float64)
    tick, lot = candle_steps(Bars(rows[:, 0], rows[:, 1:], IMPORTED))
    return {"tick": tick, "lot": lot, "min_qty": 0.0, "min_notional": 0.0, "venue_symbol": ""}


def _fraction(part: ImportedPart, start_balance: float) -> float:
    """Return the usual size of what opened or added to a position, as a share of the start balance [fraction]."""
    held, sizes = 0.0, []
    for fill in part.fills:
        if held * fill.qty >= 0.0:
            sizes.append(abs(fill.qty) * fill.price)
        held += fill.qty
    return round(median(sizes) / start_balance, 9)


def _told_otherwise(part: ImportedPart, traded: float) -> list[str]:
    """Return a note where the other program's PnL is not what its own fills add up to."""
    if part.told_pnl is None or part.held:
        return []
    ours = -sum(fill.qty * fill.price + fill.fee for fill in part.fills)
    if abs(ours - part.told_pnl) <= AGREES * traded:
        return [f"Its own word on the PnL agrees: {part.told_pnl:+.8g}."]
    return [f"Its own word on the PnL is {part.told_pnl:+.8g}; its fills and fees add up to {ours:+.8g}."]


def _events(config: SessionConfig, layout: FillLayout) -> Iterator[ev.AnyEvent]:
    """Yield the journal: what the file tells, and the account at the end of each bar."""
    book, seq = bk.new_book(config.start_balance), 0
    first = layout.bars[0].bar

    def numbered(kind: Any, *values: object) -> Any:
        nonlocal seq
        seq += 1
        return kind(seq - 1, *values)

    yield numbered(ev.Start, from_seconds(first.ts), ev.SCHEMA, msgspec.to_builtins(config))
    yield numbered(ev.WarmedUp, from_seconds(first.ts), 0, None, None)
    seen: set[str] = set()
    for step, laid in enumerate(layout.bars):
        bar = laid.bar
        opened, closed = from_seconds(bar.ts), from_seconds(bar.ts + layout.bar_s)
        if laid.missing:
            missed = from_seconds(bar.ts - laid.missing * layout.bar_s), from_seconds(bar.ts - layout.bar_s)
            yield numbered(ev.Gap, opened, *missed, laid.missing)
        placed = 0
        for fill in laid.fills:
            held = book[bk.QTY]
            purpose = "open" if held * fill.qty >= 0.0 else "close"
            if fill.asked is not None and fill.order_id not in seen:
                at = max(opened, min(fill.asked_at or fill.at, fill.at))
                yield numbered(ev.Order, at, fill.order_id, purpose, fill.qty, fill.asked, abs(fill.qty) * fill.asked)
                placed += 1
            seen.add(fill.order_id)
            asked = fill.price if fill.asked is None else fill.asked
            yield numbered(ev.Fill, fill.at, fill.order_id, purpose, fill.qty, fill.price, fill.fee, asked)
            bk.apply_fill(book, fill.qty, fill.price, fill.fee)
            if abs(book[bk.QTY]) <= NOISE * abs(held):  # what rounding left of a position that was closed
                book[bk.QTY] = book[bk.AVG] = 0.0
        bk.mark(book, bar.close)
        yield _done(numbered, closed, step, laid, book, placed)
    yield numbered(ev.End, from_seconds(layout.bars[-1].bar.ts + layout.bar_s), "completed", None)


def _done(numbered: Any, closed: datetime, step: int, laid: Laid, book: list[float], placed: int) -> Any:
    """Return the end of a bar. Its signal is 0 and never changes, as none is known."""
    ts, *prices = laid.bar
    account = (book[slot] for slot in (bk.QTY, bk.CASH, bk.EQUITY, bk.REALIZED, bk.UNREALIZED))
    told = (0, False, placed, len(laid.fills), 0, 0, True, ())
    return numbered(ev.BarDone, closed, step, from_seconds(ts), *prices, *account, *told)


def keep(workspace: Workspace, source: Elsewhere, one: ReadyImport, by: str) -> SessionRecord:
    """Write an imported session and return its record: the folder is there whole, or not at all.

    Raises:
        ConfigError: it was imported meanwhile.
        EnvironmentFault: the disk is full or cannot be written.
    """
    now = workspace.clock.now()
    record = _record(one, now)
    folder = _fresh(workspace, one.session_id)
    try:
        folder.create(meta_of(record), {JOURNAL: msgspec.json.Encoder().encode_lines(one.events)})
    except FileExistsError:
        raise ConfigError(f"{one.session_id} is just being imported by another process") from None
    except OSError as error:
        raise EnvironmentFault(f"cannot write {folder.path}: {why(error)}; nothing was imported") from None
    try:
        write_table(folder.table, (event for event in one.events if isinstance(event, ev.BarDone)))
        Registry.of(workspace).write(record, folder.hashes())
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    finally:
        folder.release()
    told = f"{many(len(one.part.fills), 'fill')} of {one.part.symbol} from {source.name}, sha256 {source.sha256}"
    append_line(workspace.operations_log, f"{iso(now)} import {one.session_id} by {by}: {told}")
    return record


def _fresh(workspace: Workspace, session_id: str) -> RunFolder:
    """Return the folder to be; one that a process left which died before its record is taken away."""
    folder = RunFolder(workspace.runs, session_id)
    if folder.path.is_dir() and not Registry.of(workspace).lines_of([session_id]) and folder.acquire():
        try:
            shutil.rmtree(folder.path, ignore_errors=True)
        finally:
            folder.release()
    return RunFolder(workspace.runs, session_id)


def _record(one: ReadyImport, now: datetime) -> SessionRecord:
    tally = fold(one.events)
    last = one.events[-1].ts
    return SessionRecord(
        session_id=one.session_id,
        run_id=one.session_id,
        run_type=IMPORTED,
        mode=IMPORTED,
        env_name=one.part.venue,
        symbol=one.part.symbol,
        status="completed",
        started_at=one.events[0].ts,
        finished_at=last,
        created_at=now,
        config=msgspec.to_builtins(one.config),
        metrics=figures(tally.metrics()),
        cli_args=list(command_line()),
        error=None,
        strategy_tier=None,
        schema_version=SCHEMA_VERSION,
        host=this_host(),
    )
