"""The end of a run, however it came about: metrics and table from the journal, then the final record.

A session that ends by itself and one whose process died go the same way. Whoever looks first recovers the dead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.base.processes import this_host
from peaktrade_core.base.resources import named
from peaktrade_core.records.bar_table import BarTable
from peaktrade_core.records.folder import RunFolder, is_id, stamp_of_id
from peaktrade_core.records.journal import whole_events
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.show import wording
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.trading.market import worth
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import Tally, figures, start_balance_of
from peaktrade_core.workspace.workspace import Workspace

SLICE = 4096  # events that are taken in at once
NEWEST = 200  # run folders among which those without a record are looked for
FROM_JOURNAL = "its journal supplied the figures"
PROCESS_DIED = f"ProcessDied: the process ended without a word; {FROM_JOURNAL}"


class Reckoning:
    """What a run comes to, added up event by event: its metrics and the table of its bars.

    A session adds what is safe on the disk while it runs; recovery adds what it finds there.

    Attributes:
        tally: the fold of the events so far.
    """

    def __init__(self, folder: RunFolder, record: SessionRecord) -> None:
        self.tally = Tally(start_balance_of(record))
        self.table = BarTable(folder.table)

    def add(self, events: Iterable[AnyEvent]) -> None:
        """Take in the next events of the journal."""
        left, fold = iter(events), self.tally.add
        while some := list(islice(left, SLICE)):
            for event in some:
                fold(event)
            self.table.add(event for event in some if type(event) is BarDone)


def close_run(
    folder: RunFolder,
    record: SessionRecord,
    registry: Registry,
    reckoning: Reckoning,
    *,
    status: str,
    error: str | None,
    now: datetime,
) -> SessionRecord:
    """Write what remains to be written of a run and return its final record.

    Args:
        folder: the run; its lock must be held.
        record: as it was when the run started.
        registry: where the final record goes.
        reckoning: of all events of its journal.
        status, error: how the run ended.
        now: when it ended, aware UTC.

    Raises:
        EnvironmentFault: the record could not be written; the run stays ``started`` and is recovered later.
    """
    try:
        reckoning.table.close()
    except EnvironmentFault as fault:
        status, error = "failed", error or f"{type(fault).__name__}: {fault}"
    metrics = figures(reckoning.tally.metrics())
    final = msgspec.structs.replace(record, status=status, error=error, finished_at=now, metrics=metrics)
    folder.tidy()
    folder.write_meta({**folder.read_meta(), "ended_at": now, "status": status, "error": error})
    registry.write(final, folder.hashes())
    return final


ALSO = ("drills.recovery:close_dead",)
"""What else ends with its process, by the room that knows how; drills take place in workspaces of their own."""


def recover(workspace: Workspace) -> list[SessionRecord]:
    """End the sessions and drills of this machine whose process is gone; every command that looks calls it first.

    Returns:
        The records of the sessions; a drill's is in the drill log.
    """
    for home in ALSO:
        named(home)(workspace)
    recovered = recover_sessions(Registry.of(workspace), partial(RunFolder, workspace.runs))
    write_off(Registry.of(workspace), workspace.runs, workspace.clock)
    return recovered


def recover_sessions(registry: Registry, runs: Callable[[str], RunFolder]) -> list[SessionRecord]:
    """End every session of this machine whose process is gone, and return their records.

    A run whose journal already says how it ended (the process died between the two) keeps that end; the others become
    ``aborted`` with the metrics of their journal. A run that cannot be recovered now (disk full) is left for later.
    """
    recovered = []
    for entry in registry.entries(Query(status="started")):
        if entry.record is None or entry.record.host != this_host():
            continue
        if not is_id(entry.record.session_id):
            continue  # not written by us
        folder = runs(entry.record.session_id)
        if not folder.path.is_dir() or not folder.acquire():
            continue
        try:
            if _may_end(folder, entry.path.name, registry):
                recovered.append(_recover_one(folder, entry.record, registry))
        except (ArtefactError, EnvironmentFault):
            continue
        finally:
            folder.release()
    return recovered


def _may_end(folder: RunFolder, name: str, registry: Registry) -> bool:
    """Return whether a run has not ended yet, or with the journal that it still has.

    A record that was set back to ``started`` over another journal is not made good: the audit names it.
    """
    ended = registry.chain.ended(name)
    return ended is None or folder.hashes().get(folder.journal.name) == ended.data.get("run", {}).get(
        folder.journal.name
    )


def _recover_one(folder: RunFolder, record: SessionRecord, registry: Registry) -> SessionRecord:
    """Close one dead run."""
    current = registry.find(record.session_id)
    if current and current.record and current.record.status != "started":
        return current.record  # somebody else was faster
    reckoning = Reckoning(folder, record)
    reckoning.add(whole_events(folder.journal))
    end = reckoning.tally.end
    try:
        died = datetime.fromtimestamp(folder.journal.stat().st_mtime, UTC)
    except OSError:
        died = record.started_at or datetime.now(UTC)
    open_ = _left_open(reckoning.tally, record)
    status, error = (end.status, end.error) if end else ("aborted", f"{_how_it_died(folder)}{open_}")
    return close_run(folder, record, registry, reckoning, status=status, error=error, now=died)


def _left_open(tally: Tally, record: SessionRecord) -> str:
    """Return which position a run left behind that nobody looks after any more, empty where it was flat."""
    if not tally.ledger.qty:
        return ""
    bar = tally.last_bar
    size = worth(record.symbol, float(tally.ledger.qty), bar.close) if bar else 0.0
    money = wording.money(size, wording.quote_currency(record.symbol))
    told = f", worth {money} at its last price {wording.price(bar.close)}" if bar else ""
    return (
        f"; it left a position of {float(tally.ledger.qty):+g} {record.symbol or 'of an unknown symbol'} open{told}: "
        f"`peaktrade fleet stop {record.session_id} --close` closes it"
    )


def _how_it_died(folder: RunFolder) -> str:
    """Return the error of a run without an end: a process that went by itself, or one that somebody wanted gone."""
    asked = folder.stop_request()
    if asked is None:
        return PROCESS_DIED
    return (
        f"ProcessDied: {asked.by} asked it to stop ({asked.reason}) and its process was killed, or died, before it "
        f"could end itself; {FROM_JOURNAL}"
    )


def write_off(registry: Registry, base: Path, clock: Clock) -> list[str]:
    """Mark run folders as ended whose process died before the registry had its record, and return their ids.

    Nothing had happened in such a run, so that there is nothing to record.

    Args:
        registry: the records; base: where run folders are, of which the newest are looked at.
        clock: asked only where one is found.
    """
    try:
        newest = sorted(filter(is_id, os.listdir(base)), key=stamp_of_id, reverse=True)[:NEWEST]
    except OSError:
        return []
    recorded, done = registry.lines_of(newest), []
    for folder in (RunFolder(base, run_id) for run_id in newest if run_id not in recorded):
        meta = folder.read_meta()
        ours = bool(meta) and meta.get("host", this_host()) == this_host() and meta.get("ended_at") is None
        if not ours or not folder.acquire():
            continue
        try:
            if not registry.lines_of([folder.run_id]):  # it has not begun in between
                folder.tidy()
                folder.write_meta({**meta, "ended_at": clock.now(), "status": "aborted", "error": PROCESS_DIED})
                done.append(folder.run_id)
        except EnvironmentFault:
            continue
        finally:
            folder.release()
    return done
