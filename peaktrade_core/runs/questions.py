"""What is asked about sessions: of the registry as a whole, and of one session when it has ended.

Source: operator workflow 3.1 (pre-session), 3.4 (post-session), session explorer 12b.6, demo walkthrough 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Status, answers, question
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.runs.run_views import ACTIVE, DIED
from peaktrade_core.runs.views import SessionRow, Views
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import UNREADABLE, SessionRecord
from peaktrade_core.trading.tally import Tally
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(hours=24)
DRAWDOWN_REVIEW, DRAWDOWN_PAUSE = 0.05, 0.10  # fractions; escalation path of the operator workflow, 6.3
LOSS_REVIEW = 0.02  # fraction of the start balance
AGREEMENT = 1e-6  # two ledgers may differ by this [quote ccy]
NO_FIGURE = "the record has no such figure"


def of_drawdown(drawdown: float) -> Status:
    """Return how bad a drawdown [fraction] is: one that has reached a limit is beyond it."""
    return FAIL if drawdown >= DRAWDOWN_PAUSE else WARN if drawdown >= DRAWDOWN_REVIEW else PASS


def recent(workspace: Workspace, status: str | None = None) -> list[SessionRow]:
    """Return the sessions that began in the last 24 hours, newest first; of one status, or all."""
    views = Views.of(workspace)
    return views.rows(Query(since=views.now() - LOOK_BACK, status=status))


@question(
    "registry",
    "Can every record of the registry be read?",
    "`peaktrade session list --status unreadable` names the files and what is wrong with them.",
    otherwise=WARN,
)
def registry(workspace: Workspace) -> Found:
    """Count the records that cannot be read."""
    stats = Views.of(workspace).stats()
    unreadable = stats.by_status.get(UNREADABLE, 0)
    return not unreadable, f"{stats.total_sessions} records, {unreadable} unreadable"


@question(
    "failed",
    "Failed sessions in 24 h",
    "Read its post-session check and document it; two in a row mean: pause.",
    otherwise=WARN,
)
def failed(workspace: Workspace) -> Found:
    """Look for failed sessions."""
    return _counted([row.session_id for row in recent(workspace, "failed")])


@question(
    "aborted",
    "Aborted sessions in 24 h",
    "Document who stopped it and why; where no one did, look at the machine's log.",
    otherwise=WARN,
)
def aborted(workspace: Workspace) -> Found:
    """Look for aborted sessions."""
    return _counted([row.session_id for row in recent(workspace, "aborted")])


@question(
    "runs",
    "Does every session that is not ended give signs of life?",
    "`peaktrade monitor run` shows what it does; stop it with `peaktrade fleet stop`, or recover it.",
)
def runs(workspace: Workspace) -> Found:
    """Look for runs that are silent or died."""
    active = [run for run in Views.of(workspace).runs(500) if run.state in (*ACTIVE, DIED)]
    odd = [f"{run.run_id} {run.state}" for run in active if run.state != "running"]
    return not odd, ", ".join(odd[:5]) or (f"{len(active)} running" if active else "nothing runs")


@question(
    "drawdowns",
    "Is the drawdown of every running session below 5 %?",
    "Risk review; at 10 % and more pause at once and escalate.",
)
def drawdowns(workspace: Workspace) -> Found:
    """Compare what runs with the escalation path."""
    running = [run for run in Views.of(workspace).runs(500) if run.state in ACTIVE and run.max_drawdown is not None]
    deepest = max(running, key=lambda run: run.max_drawdown or 0.0, default=None)
    if deepest is None:
        return True, "nothing runs"
    found = deepest.max_drawdown or 0.0
    return of_drawdown(found), f"at most {100 * found:.2f} %, in {deepest.run_id}"


def _counted(ids: Sequence[str]) -> tuple[bool, str]:
    return not ids, f"{len(ids)}: {', '.join(ids[:3])}" if ids else "none"


class Ended(NamedTuple):
    """A session that is looked at after its end; ``fault`` says why its journal cannot be folded, empty where it can."""

    views: Views
    record: SessionRecord
    journal: Tally | None
    fault: str = ""

    @property
    def tally(self) -> Tally:
        """The fold of its journal.

        Raises:
            ArtefactError: it cannot be read.
        """
        if self.journal is None:
            raise ArtefactError(self.fault)
        return self.journal


def post_session_checks(views: Views, session_id: str) -> list[Check]:
    """Return the answered checklist of one session, in the order in which an operator reads it.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    record = views.record(session_id)
    if record.status == "started":
        return answers(STARTED, Ended(views, record, None))
    try:
        ended = Ended(views, record, views.tally(session_id))
    except ArtefactError as fault:
        return answers((*STARTED, journal, *POST_SESSION), Ended(views, record, None, str(fault)))
    return answers((*STARTED, *JOURNAL, *POST_SESSION), ended)


@question("status", "Is the session completed?")
def status(ended: Ended) -> Found:
    """Look at its status."""
    steps = {
        "failed": "Read the error below, open the runbook it names, and write an incident note.",
        "aborted": "Document who stopped it and why; where no one did, look at the machine's log.",
        "started": "The session still runs: check again when it has ended.",
    }
    found = ended.record.status
    bad: Status = PASS if found == "completed" else FAIL if found == "failed" else WARN
    return bad, found, steps.get(found, "A foreign status: find out who wrote this record.")


@question("error", "Is the error field empty?")
def error(ended: Ended) -> Found:
    """Look at its error and at what helps."""
    said, step = ended.record.error or "", next_step(ended.record.error or "")
    bad: Status = WARN if ended.record.status == "aborted" else FAIL
    return bad if said else PASS, said or "no error", step[:1].upper() + step[1:]


@question("journal", "Is the journal whole, from start to end?")
def journal(ended: Ended) -> Found:
    """Look whether it ends as the record says."""
    if ended.fault:
        return FAIL, ended.fault, "Restore the run folder from a backup; the record alone is no evidence."
    tally, end = ended.tally, ended.tally.end
    told = f"{tally.last_seq + 1} events, " + (f"ends as {end.status}" if end else "no end event")
    bad: Status = WARN if ended.record.status == "aborted" else FAIL
    step = "The process died before it could write the end; its figures go up to the last event."
    return PASS if end is not None and end.status == ended.record.status else bad, told, step


@question(
    "record",
    "Does the record equal the fold of its journal?",
    "The record or the journal was changed after the end: treat it as an incident.",
)
def record(ended: Ended) -> Found:
    """Compare each figure."""
    computed = msgspec.to_builtins(ended.tally.metrics())
    differing = sorted(name for name, value in computed.items() if ended.record.metrics.get(name) != value)
    return not differing, f"differs in {', '.join(differing)}" if differing else f"{len(computed)} figures equal"


@question(
    "ledger",
    "Does the exact (decimal) ledger agree?",
    "The accounting is wrong: stop trading on this version and tell the developers.",
)
def ledger(ended: Ended) -> Found:
    """Compare with the second ledger, which is folded from the fills."""
    bar, exact = ended.tally.last_bar, ended.tally.ledger
    realized = float(exact.realized_pnl)
    unrealized = float(exact.unrealized_pnl(bar.close)) if bar else 0.0
    ours = [ended.record.metric(name) or 0.0 for name in ("realized_pnl", "unrealized_pnl")]
    off = max(abs(realized - ours[0]), abs(unrealized - ours[1]))
    return off <= AGREEMENT, f"realized {realized:+.2f}, unrealized {unrealized:+.2f}, difference {off:.1e}"


@question(
    "identity",
    "Does equity equal start balance + realized + unrealized?",
    "The record is inconsistent: treat it as an incident.",
)
def identity(ended: Ended) -> Found:
    """Add the figures of the record up."""
    parts = [ended.record.metric(name) for name in ("equity_end", "realized_pnl", "unrealized_pnl")]
    start = ended.record.setting("start_balance")
    if None in parts or not isinstance(start, (int, float)):
        step = "The record was written by an older or foreign writer; compare it by hand."
        return WARN, "the record lacks a figure", step
    equity, realized, unrealized = (part or 0.0 for part in parts)
    well = abs(equity - (start + realized + unrealized)) <= AGREEMENT
    return well, f"{equity:.2f} = {start:.2f} {realized:+.2f} {unrealized:+.2f}"


def _missing() -> Found:
    return WARN, NO_FIGURE, "The session did not get far enough, or an older writer made the record."


@question("drawdown", "Is the maximum drawdown below 5 %?")
def drawdown(ended: Ended) -> Found:
    """Compare with the escalation path."""
    found = ended.record.metric("max_drawdown")
    if found is None:
        return _missing()
    how = of_drawdown(found)
    step = "10 % and more: pause at once and escalate." if how == FAIL else "Risk review; adapt the strategy."
    return how, f"{100 * found:.2f} %", step


@question(
    "pnl",
    "Is the realized PnL documented, and above -2 %?",
    "Risk review: compare with the backtest of the same bars (runbook 9, PnL divergence).",
    otherwise=WARN,
)
def pnl(ended: Ended) -> Found:
    """Compare with the start balance."""
    found, start = ended.record.metric("realized_pnl"), ended.record.setting("start_balance")
    if found is None:
        return _missing()
    share = found / start if isinstance(start, (int, float)) and start else 0.0
    return share > -LOSS_REVIEW, f"{found:+.2f} ({100 * share:+.2f} % of the start balance)"


@question(
    "duration",
    "Did it run as long as planned?",
    "It ended early: the status and the error say why.",
    otherwise=WARN,
)
def duration(ended: Ended) -> Found:
    """Compare its bars with the plan."""
    wanted, steps = ended.record.setting("steps"), ended.record.metric("steps")
    timeframe = ended.record.setting("timeframe")
    told = f"{steps:.0f} bars" if steps is not None else "unknown"
    if steps is not None and isinstance(timeframe, str):
        with suppress(ConfigError, OverflowError):  # a foreign record may name a timeframe that we do not have
            told += f" of {timeframe} = {timedelta(seconds=steps * timeframe_seconds(timeframe))} of market time"
    well = steps is not None and (wanted is None or steps == wanted)
    return well, told + (f", planned {wanted}" if wanted else "")


@question("orders", "Is the number of orders plausible?", otherwise=WARN)
def orders(ended: Ended) -> Found:
    """Compare its orders with its bars."""
    executed, steps = ended.record.metric("num_orders"), ended.record.metric("steps") or 0.0
    if executed is None:
        return _missing()
    many = executed > max(20.0, steps)
    told = f"{executed:.0f} executed in {steps:.0f} bars, {ended.record.metric('num_trades') or 0:.0f} round trips"
    step = "More orders than bars: look for a runaway strategy."
    return (
        not many and (executed > 0 or steps < 500),
        told,
        (step if many else "None in a long session: strategy or market?"),
    )


@question(
    "denials",
    "Did every order pass the risk checks?",
    "Runbook 8, risk limit: is the order too large or the limit too tight? Never go around a loss limit.",
    otherwise=WARN,
)
def denials(ended: Ended) -> Found:
    """Count what was denied, by code."""
    blocked = ended.record.metric("orders_blocked_risk") or 0.0
    codes = ended.record.metrics.get("deny_codes") or {}
    named = ", ".join(f"{code} x {n}" for code, n in codes.items()) if isinstance(codes, dict) else ""
    return blocked == 0, f"{blocked:.0f} blocked" + (f": {named}" if named else "")


@question(
    "gaps",
    "Are the data complete?",
    "Runbook 10, data gap: find out whether the venue or we lost them before trusting the result.",
    otherwise=WARN,
)
def gaps(ended: Ended) -> Found:
    """Count the bars that are missing."""
    missing = ended.record.metric("bars_missing") or 0.0
    return missing == 0, f"{missing:.0f} bars missing in {ended.record.metric('gaps') or 0:.0f} gaps"


@question(
    "risk",
    "Did the account stay green against its limits?",
    "Runbook 8, risk limit: see which limit in the session report.",
    otherwise=WARN,
)
def risk(ended: Ended) -> Found:
    """Look at its worst severity."""
    level = ended.record.metrics.get("risk_status")
    return level == "green", str(level or "unknown")


@question(
    "others",
    "Other failed sessions since 24 h before",
    "Two failures in a row mean: pause, and find the root cause before the next session.",
    otherwise=WARN,
)
def others(ended: Ended) -> Found:
    """Look for other failed sessions since the 24 hours before this one began."""
    since = (ended.record.started_at or ended.views.now()) - LOOK_BACK
    rows = ended.views.rows(Query(status="failed", since=since, limit=50))
    found = [row.session_id for row in rows if row.session_id != ended.record.session_id]
    return not found, f"none since {iso(since)}" if not found else _counted(found)[1]


STARTED = (status, error)
JOURNAL = (journal, record, ledger)
POST_SESSION = (identity, drawdown, pnl, duration, orders, denials, gaps, risk, others)
