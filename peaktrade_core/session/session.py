"""One session from start to end: feed -> strategy -> signal -> risk -> order -> fill, journalled, then recorded.

The decisions are those of :mod:`peaktrade_core.trading.engine`; this module brings bars to it, writes what it says to
the journal before anyone acts on it, and sees to it that every end - completed, stopped, failed, killed - leaves a whole
journal and a true record.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from peaktrade_core.base.errors import ConfigError, ExchangeError, ExchangeOrderError, PeaktradeError
from peaktrade_core.base.processes import this_host, this_process
from peaktrade_core.records.folder import RunFolder, meta_of
from peaktrade_core.records.journal import Journal
from peaktrade_core.records.kept import CODE
from peaktrade_core.session.code import code_text
from peaktrade_core.session.identity import decision_id
from peaktrade_core.session.loop import Loop
from peaktrade_core.session.plan import Desk, Plan, Progress, Stop
from peaktrade_core.session.pulse import Pulse
from peaktrade_core.session.recovery import Reckoning, close_run
from peaktrade_core.session.tiers import refuse_tier
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.records import SCHEMA_VERSION, SessionRecord
from peaktrade_core.trading.risk import HALTED

__all__ = ["Desk", "Plan", "Progress", "Stop", "run_session"]

STOPPED = "Stopped: "  # how the error of a session begins that somebody ended
IN_A_ROW = "orders in a row were refused"  # why it is a failure to end halted for what the venue refused


def run_session(
    plan: Plan, desk: Desk, *, stop: Stop | None = None, watch: Callable[[Progress], None] = lambda _: None
) -> SessionRecord:
    """Run one session and return its record.

    A stop ends it as ``aborted``; an error as ``failed``, with the error in the record and not raised.

    Args:
        plan: what to run.
        desk: where to run it.
        stop: somebody else's way to end it; signals are handled as well.
        watch: called a few times a second with the progress.

    Raises:
        ConfigError: the id that was given exists already.
        TierNotAllowedError: its strategy has not come through research, and it is no rehearsal.
        EnvironmentFault: nothing could be written at all, so that there is no session.
    """
    refuse_tier(plan.config.strategy_name, plan.tier, rehearsal=plan.rehearsal)
    stop = stop or Stop()
    folder, record = _begin(plan, desk)
    try:
        with stop.on_signals():  # to the last line of the record: a late signal ends nothing half-way
            reckoning = Reckoning(folder, record)
            status, error = _drive(plan, desk, folder, reckoning, stop, watch)
            return close_run(folder, record, desk.registry, reckoning, status=status, error=error, now=desk.clock.now())
    finally:
        folder.release()


def _begin(plan: Plan, desk: Desk) -> tuple[RunFolder, SessionRecord]:
    """Make the run's folder and write its ``started`` record."""
    now = desk.clock.now()
    config = msgspec.to_builtins(plan.config)
    while True:
        suffix = desk.suffix(f"{now.isoformat()}{config}")
        session_id = plan.session_id or f"{plan.mode}_{now:%Y%m%d_%H%M%S}_{suffix}"
        record = SessionRecord(
            session_id=session_id,
            run_id=session_id,
            run_type=plan.run_type,
            mode=plan.mode,
            env_name=plan.env_name,
            symbol=plan.config.symbol,
            status="started",
            started_at=now,
            finished_at=None,
            created_at=now,
            config=config,
            metrics={},
            cli_args=list(plan.cli_args),
            error=None,
            strategy_tier=plan.tier,
            schema_version=SCHEMA_VERSION,
            host=this_host(),
            decision_id=decision_id(plan.decision),
            governance=None if plan.rehearsal else desk.governance(),
        )
        folder = desk.runs(session_id)
        try:
            folder.create({**meta_of(record), "process": this_process()}, {CODE: code_text(plan.decision.strategy)})
        except FileExistsError as error:
            if plan.session_id:
                raise ConfigError(f"{error}; give another --session-id") from None
            now = desk.clock.now()
            continue
        try:
            desk.registry.write(record)
        except PeaktradeError:
            folder.release()
            raise
        return folder, record


def _drive(
    plan: Plan,
    desk: Desk,
    folder: RunFolder,
    reckoning: Reckoning,
    stop: Stop,
    watch: Callable[[Progress], None],
) -> tuple[str, str | None]:
    """Run the loop with a journal and return how it ended."""
    try:
        journal = Journal(folder.journal, desk.commit, reckoning.add)
    except PeaktradeError as fault:
        return "failed", _describe(fault)
    loop = Loop(plan, desk, folder.run_id, journal, stop, watch, Pulse(folder, stop))
    return drive(loop)


def drive(loop: Loop) -> tuple[str, str | None]:
    """Run a loop to its end and return how it ended: its status and its error, which is journalled and not raised."""
    status, error, stop = "completed", None, loop.stop
    try:
        loop.pulse(loop.progress("starting"))
        loop.run()
        if stop.requested:
            status, error = "aborted", f"{STOPPED}{stop.reason}"
        else:
            _require_accepted(loop)
    except BaseException as fault:  # whatever it is, the record must say so
        status, error = ("aborted" if isinstance(fault, KeyboardInterrupt) else "failed"), _describe(fault)
        loop.keep_unfinished()
        if isinstance(fault, ExchangeError) and fault.latches:
            loop.halt(type(fault).__name__, error)
    try:
        try:
            if status != "completed":
                loop.keep_unfinished()
            loop.finish(status, error)
        finally:
            loop.journal.close()
    except (PeaktradeError, OSError) as fault:
        status, error = "failed", error or _describe(fault)
    return status, error


def _require_accepted(loop: Loop) -> None:
    """Let a session end well only where it is not halted for what the venue refused.

    Raises:
        ExchangeOrderError: it is; says what the venue said last.
    """
    if loop.refused and loop.book[bk.STATE] >= HALTED:
        orders = int(loop.decision.limits.max_consecutive_rejects)
        raise ExchangeOrderError(f"{orders} {IN_A_ROW}, so the session halted; the last: {loop.refusal}")


def _describe(fault: BaseException) -> str:
    """Return an error as the record keeps it: ``Type: message``."""
    return f"{type(fault).__name__}: {fault}"
