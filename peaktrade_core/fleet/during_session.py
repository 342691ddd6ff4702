"""The checks while sessions run: every figure that an operator looks at every 15 to 30 minutes, and what follows from it.

One check covers all runs that are watched, so that a round is ten lines whether one session runs or forty. They are
answered from heartbeats, journals and records, never from what somebody saw.

Source: operator workflow 3.3, 4.1, 4.2 and 6.3; live-track monitoring 12a.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Status, answers, question
from peaktrade_core.runs.columns import RUNNING, RUNS
from peaktrade_core.runs.detail import JournalDetail
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.runs.questions import needs_review, of_drawdown
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.trading.events import Failure, Halt, Notice

LONG_BARS = 500  # a session of so many bars without any order is odd


class Watched(NamedTuple):
    """A run that is looked at, what its journal tells, and how many bars its feed missed."""

    row: Run
    journal: JournalDetail
    missing: float = 0.0


def watch_runs(views: Views, run_id: str = "") -> list[Watched]:
    """Return the runs to look at: the named one, else all that live or died unseen, else the newest session.

    Raises:
        SessionNotFoundError: there is no run of that id.
    """
    if run_id:
        rows = [views.run(views.meant(run_id))]
    else:
        rows = [row for row in views.runs() if row.state in (*ACTIVE, "died")] or views.runs(1)
    return [_watched(views, row) for row in rows]


def _watched(views: Views, row: Run) -> Watched:
    """Return a run with what its journal tells; a journal that cannot be read is told in its faults."""
    try:
        look = views.look(row.run_id)
        ended = look.record.metric("bars_missing")
        missing = look.tally.metrics().bars_missing if ended is None and not look.journal.faults else ended
    except PeaktradeError as error:
        return Watched(row, JournalDetail(faults=(str(error),)))
    return Watched(row, look.journal, float(missing or 0))


def watched_table(watched: Sequence[Watched]) -> Table:
    """Return the runs of a round, one a line."""
    newest = "this is the newest session" if len(watched) == 1 else "these are the newest sessions"
    note = "" if any(one.row.alive for one in watched) else f"Nothing runs now: {newest}."
    empty = "Nothing runs, and nothing ever ran: the runbook session_run starts the first session."
    return RUNS.table("What runs", (one.row for one in watched), RUNNING, note=note, empty=empty)


Judge = Callable[[Watched], "str | None"]


def _over(watched: Iterable[Watched], good: str, odd: Judge, bad: Judge | None = None) -> tuple[Status, str]:
    """Return one answer over all runs.

    Args:
        watched: the runs; good: the evidence when all is well.
        odd: says what is odd about a run, None when nothing is.
        bad: says what is so bad that the check fails; None: what is odd fails it.
    """
    runs = list(watched)
    fails = [f"{one.row.run_id}: {text}" for one in runs if (text := (bad or odd)(one))]
    warns = [] if bad is None else [f"{one.row.run_id}: {text}" for one in runs if not bad(one) and (text := odd(one))]
    return FAIL if fails else WARN if warns else PASS, "; ".join([*fails, *warns][:5]) or good


def _never(_: Watched) -> str | None:
    """Say that nothing is so bad that the check fails."""
    return None


@question(
    "state",
    "Is every session running, or completed?",
    "Failed or died: open the runbook incident_failed_session now. Aborted: write down who stopped it and why.",
)
def state(watched: Sequence[Watched]) -> Found:
    """Look at the state of each run."""
    states = [one.row.state for one in watched]
    counted = ", ".join(f"{states.count(name)} {name}" for name in dict.fromkeys(states))
    return _over(
        watched,
        counted or "nothing runs, and nothing ever ran",
        lambda one: None if one.row.state in ("running", "completed") else one.row.state,
        lambda one: one.row.state if one.row.state in ("failed", "died", "unreadable") else None,
    )


@question(
    "events",
    "Do events keep coming from what runs?",
    "Runbook 10, data gap: `peaktrade monitor follow` shows whether anything comes; else stop the run.",
)
def events(watched: Sequence[Watched]) -> Found:
    """Look for silence."""
    alive = [one for one in watched if one.row.alive]
    oldest = max((one.row.silence_s or 0.0 for one in alive), default=0.0)
    return _over(
        alive,
        f"last event at most {wording.duration(oldest)} ago" if alive else "nothing runs now",
        lambda one: f"silent for {wording.duration(one.row.silence_s)}" if one.row.state == "silent" else None,
    )


@question(
    "mode",
    "Is every session in a mode that is meant?",
    "peaktrade writes no such mode: find out who wrote the record, and treat it as an incident.",
)
def mode(watched: Sequence[Watched]) -> Found:
    """Look at the mode of each run."""
    return _over(
        watched,
        ", ".join(sorted({one.row.mode for one in watched})) or "none",
        lambda one: None if one.row.mode in ("shadow", "testnet", "paper") else f"mode {one.row.mode}",
    )


def _share(row: Run) -> float | None:
    """Return the total PnL as a fraction of the start balance, None where unknown."""
    return row.total_pnl / row.start_balance if row.total_pnl is not None and row.start_balance else None


@question(
    "pnl",
    "Is the PnL of every session above -2 % of its start balance?",
    "Risk review: check the limits with `peaktrade risk show`, then runbook 9 (PnL divergence).",
)
def pnl(watched: Sequence[Watched]) -> Found:
    """Compare the total PnL with the start balance."""

    def lost(one: Watched) -> str | None:
        share = _share(one.row)
        return wording.percent(share) if share is not None and needs_review(share) else None

    shares = [share for one in watched if (share := _share(one.row)) is not None]
    return _over(watched, f"lowest {wording.percent(min(shares))}" if shares else "no figure yet", lost, _never)


@question(
    "drawdown",
    "Is the maximum drawdown of every session below 5 %?",
    "5 % and more: risk review. 10 % and more: pause at once and escalate.",
)
def drawdown(watched: Sequence[Watched]) -> Found:
    """Compare with the escalation path."""

    def as_bad_as(*levels: Status) -> Judge:
        def judge(one: Watched) -> str | None:
            worst = one.row.max_drawdown or 0.0
            return wording.drawdown(worst) if of_drawdown(worst) in levels else None

        return judge

    found = [one.row.max_drawdown for one in watched if one.row.max_drawdown is not None]
    good = f"highest {wording.percent(max(found))}" if found else "no figure yet"
    return _over(watched, good, as_bad_as(WARN, FAIL), as_bad_as(FAIL))


@question("error", "Errors and halts that sessions report")
def error(watched: Sequence[Watched]) -> Found:
    """Look for errors and halts, and at what helps."""

    def said(one: Watched) -> str | None:
        failed = [event.error for event in one.journal.incidents if isinstance(event, Failure)]
        halts = [f"halt {event.code}" for event in one.journal.incidents if isinstance(event, Halt)]
        if failed or halts:
            return (failed or halts)[-1]
        return one.row.notes if one.row.state in ("failed", "died", "unreadable") else None

    errors = [text for one in watched if (text := said(one))]
    step = next_step(errors[0]) if errors else ""
    return *_over(watched, "none", said), f"{step[:1].upper()}{step[1:]}"


@question(
    "orders",
    "Is the number of orders plausible?",
    "More orders than bars: a runaway strategy, pause it. None for long: a bug, or nothing to trade.",
)
def orders(watched: Sequence[Watched]) -> Found:
    """Compare fills with bars."""

    def odd(one: Watched) -> str | None:
        steps, fills = one.row.step or 0, len(one.journal.fills)
        if fills > max(20, steps):
            return f"{wording.many(fills, 'fill')}, {wording.many(steps, 'bar')}"
        return f"no fill in {wording.many(steps, 'bar')}" if steps >= LONG_BARS and not fills else None

    return _over(watched, wording.many(sum(len(one.journal.fills) for one in watched), "fill"), odd, _never)


@question(
    "denials",
    "Did every order pass the risk checks?",
    "Runbook 8, risk limit: too large an order, or too tight a limit? Never go around a loss limit.",
)
def denials(watched: Sequence[Watched]) -> Found:
    """Count what was denied, by code."""

    def denied(one: Watched) -> str | None:
        return wording.times(one.journal.denials) or None

    return _over(watched, "none denied", denied, _never)


@question(
    "trading",
    "May what runs trade?",
    "`peaktrade risk status` says who or what halted it, and why. Find the cause first.",
)
def trading(watched: Sequence[Watched]) -> Found:
    """Look at the trading state that each run reports."""

    def stopped(one: Watched) -> str | None:
        said = one.row.trading_state
        return said if one.row.alive and said not in (None, "ACTIVE") else None

    return _over(watched, "nothing is halted", stopped, _never)


@question(
    "data",
    "Are the data whole: no gap, no notice of the feed, a journal that can be read?",
    "Runbook 10, data gap: find out whether the venue or we lost them.",
)
def data(watched: Sequence[Watched]) -> Found:
    """Look for gaps, notices and faults."""

    def gaps(one: Watched) -> str | None:
        found = [f"{wording.many(int(one.missing), 'bar')} missing"] if one.missing else []
        found += [f"{event.code}: {event.message}" for event in one.journal.incidents if isinstance(event, Notice)][-1:]
        return "; ".join([*found, *one.journal.faults[:1]]) or None

    return _over(watched, "no gap", gaps, _never)


ROUND = (state, events, mode, pnl, drawdown, error, orders, denials, trading, data)


def during_checks(watched: Sequence[Watched]) -> list[Check]:
    """Return the answered checklist of a monitoring round, in the order in which an operator reads it."""
    return answers(ROUND, watched)
