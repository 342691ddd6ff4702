"""What is asked about sessions: of the registry as a whole, and of one session when it has look.

Source: operator workflow 3.1 (pre-session), 3.4 (post-session), session explorer 12b.6, demo walkthrough 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from peaktrade_core.base.clock import utc
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import (
    FAIL,
    PASS,
    UNKNOWN,
    WARN,
    Check,
    Found,
    Question,
    Status,
    answers,
    known,
    question,
)
from peaktrade_core.changes.questions import governance_checks
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.handbook import next_step, runbook_of
from peaktrade_core.runs.run import ACTIVE, DIED
from peaktrade_core.runs.views import LOOK_BACK, Views
from peaktrade_core.show.wording import MINUS, gained, many, money, quote_currency, sign_class, signed, times
from peaktrade_core.show.wording import duration as span
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import IMPORTED, NO_CANDLES, UNREADABLE
from peaktrade_core.trading.risk import reached
from peaktrade_core.trading.tally import figures
from peaktrade_core.workspace.workspace import Workspace

DRAWDOWN_REVIEW, DRAWDOWN_PAUSE = 0.05, 0.10  # fractions; escalation path of the operator workflow, 6.3
LOSS_REVIEW = 0.02  # fraction of the start balance
AGREEMENT = 1e-6  # two ledgers may differ by this [quote ccy]
ELSEWHERE: Found = UNKNOWN, "not known: it ran elsewhere and was imported", "Ask the operator who ran it."
NO_FIGURE = "the record has no such figure"


def of_drawdown(drawdown: float) -> Status:
    """Return how bad a drawdown [fraction] is: one that has reached a limit is beyond it."""
    return FAIL if reached(drawdown, DRAWDOWN_PAUSE) else WARN if reached(drawdown, DRAWDOWN_REVIEW) else PASS


def needs_review(pnl: float) -> bool:
    """Return whether a session has lost so much [fraction of its start balance] that its risk has to be reviewed."""
    return reached(-pnl, LOSS_REVIEW)


def none_of(views: Views, query: Query) -> tuple[bool, str]:
    """Return whether there are none of a query's sessions, else how many there are and the newest three."""
    many = views.count(query)
    return not many, _told(many, [row.run_id for row in views.rows(query._replace(limit=3))]) if many else "none"


def _told(many: int, newest: Sequence[str]) -> str:
    return f"{many}: {', '.join(newest[:3])}"


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
    return not unreadable, f"{many(stats.total_sessions, 'record')}, {unreadable} unreadable"


def _ended_badly(status: str, step: str) -> Question[Workspace]:
    """Declare whether sessions of a status began in the last 24 hours."""

    @question(status, f"{status.capitalize()} sessions in 24 h", step, otherwise=WARN)
    def found(workspace: Workspace) -> Found:
        views = Views.of(workspace)
        return none_of(views, views.recently(Query(status=status)))

    return found


failed = _ended_badly("failed", "Read its post-session check and document it; two in a row mean: pause.")
aborted = _ended_badly("aborted", "Document who stopped it and why; where no one did, look at the machine's log.")


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


def post_session_checks(look: Look) -> list[Check]:
    """Return the answered checklist of one session, in the order in which an operator reads it.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    if look.record.status == "started":
        return answers(STARTED, look)
    folded = known(lambda: look.tally)  # without it the journal's own question says what is wrong
    found = answers((*STARTED, *(JOURNAL if folded else (journal,)), *POST_SESSION), look)
    return [*found, *governance_checks(look.record)]


@question("status", "Is the session completed?")
def status(look: Look) -> Found:
    """Look at its status."""
    steps = {
        "failed": f"Read the error below, open the runbook {runbook_of(look.record.error)}, and write an incident note.",
        "aborted": "Document who stopped it and why; where no one did, look at the machine's log.",
        "started": "The session still runs: check again when it has ended.",
    }
    found = look.record.status
    bad: Status = PASS if found == "completed" else FAIL if found == "failed" else WARN
    return bad, found, steps.get(found, "A foreign status: find out who wrote this record.")


@question("error", "Is the error field empty?")
def error(look: Look) -> Found:
    """Look at its error and at what helps."""
    said, step = look.record.error or "", next_step(look.record.error or "")
    bad: Status = WARN if look.record.status == "aborted" else FAIL
    return bad if said else PASS, said or "no error", step[:1].upper() + step[1:]


@question(
    "journal",
    "Is the journal whole, from start to end?",
    "Restore the run folder from a backup; the record alone is no evidence.",
)
def journal(look: Look) -> Found:
    """Look whether it ends as the record says."""
    tally, end = look.tally, look.tally.end
    told = f"{many(tally.last_seq + 1, 'event')}, " + (f"ends as {end.status}" if end else "no end event")
    bad: Status = WARN if look.record.status == "aborted" else FAIL
    step = "The process died before it could write the end; its figures go up to the last event."
    return PASS if end is not None and end.status == look.record.status else bad, told, step


@question(
    "record",
    "Does the record equal the fold of its journal?",
    "The record or the journal was changed after the end: treat it as an incident.",
)
def record(look: Look) -> Found:
    """Compare each figure."""
    computed = figures(look.tally.metrics())
    if "trading_state" not in look.record.metrics:  # from before there was one
        computed.pop("trading_state", None)
    differing = sorted(name for name, value in computed.items() if look.record.metrics.get(name) != value)
    return not differing, f"differs in {', '.join(differing)}" if differing else f"{len(computed)} figures equal"


@question(
    "ledger",
    "Does the exact (decimal) ledger agree?",
    "The accounting is wrong: stop trading on this version and tell the developers.",
)
def ledger(look: Look) -> Found:
    """Compare with the second ledger, which is folded from the fills."""
    bar, exact = look.tally.last_bar, look.tally.ledger
    realized = float(exact.realized_pnl)
    unrealized = float(exact.unrealized_pnl(bar.close)) if bar else 0.0
    ours = [look.record.metric(name) or 0.0 for name in ("realized_pnl", "unrealized_pnl")]
    currency = quote_currency(look.record.symbol)
    off = max(abs(realized - ours[0]), abs(unrealized - ours[1]))
    return (
        off <= AGREEMENT,
        f"realized {signed(realized, currency)}, unrealized {signed(unrealized, currency)}, difference {off:.1e}",
    )


@question(
    "identity",
    "Does equity equal start balance + realized + unrealized?",
    "The record is inconsistent: treat it as an incident.",
)
def identity(look: Look) -> Found:
    """Add the figures of the record up."""
    parts = [look.record.metric(name) for name in ("equity_end", "realized_pnl", "unrealized_pnl")]
    start = look.record.setting("start_balance")
    if None in parts or not isinstance(start, (int, float)):
        step = "The record was written by an older or foreign writer; compare it by hand."
        return WARN, "the record lacks a figure", step
    equity, realized, unrealized = (part or 0.0 for part in parts)
    well = abs(equity - (start + realized + unrealized)) <= AGREEMENT
    whole, begin, *parts_told = (
        money(abs(one), quote_currency(look.record.symbol), code=False) for one in (equity, start, realized, unrealized)
    )
    signs = [MINUS if sign_class(part) == "neg" else "+" for part in (realized, unrealized)]
    return well, f"{whole} = {begin} {signs[0]} {parts_told[0]} {signs[1]} {parts_told[1]}"


def _missing() -> Found:
    return WARN, NO_FIGURE, "The session did not get far enough, or an older writer made the record."


@question("drawdown", "Is the maximum drawdown below 5 %?")
def drawdown(look: Look) -> Found:
    """Compare with the escalation path."""
    found = look.record.metric("max_drawdown")
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
def pnl(look: Look) -> Found:
    """Compare with the start balance."""
    found, start = look.record.metric("realized_pnl"), look.record.setting("start_balance")
    if found is None:
        return _missing()
    share = found / start if isinstance(start, (int, float)) and start else 0.0
    told = signed(found, quote_currency(look.record.symbol))
    return not needs_review(share), f"{told} ({gained(share)} of the start balance)"


@question(
    "duration",
    "Did it run as long as planned?",
    "It ended early: the status and the error say why.",
    otherwise=WARN,
)
def duration(look: Look) -> Found:
    """Compare its bars with the plan."""
    wanted, steps = look.record.setting("steps"), look.record.metric("steps")
    timeframe = look.record.setting("timeframe")
    told = many(int(steps), "bar") if steps is not None else "unknown"
    if steps is not None and isinstance(timeframe, str):
        with suppress(ConfigError, OverflowError):  # a foreign record may name a timeframe that we do not have
            lasted = span(steps * timeframe_seconds(timeframe))
            told = f"{many(int(steps), 'bar')} of {timeframe} = {lasted} of market time"
    well = steps is not None and (wanted is None or steps == wanted)
    return well, told + (f", planned {wanted}" if wanted else "")


@question("orders", "Is the number of orders plausible?", otherwise=WARN)
def orders(look: Look) -> Found:
    """Compare its orders with its bars."""
    executed, steps = look.record.metric("num_orders"), look.record.metric("steps") or 0.0
    if executed is None:
        return _missing()
    runaway = executed > max(20.0, steps)
    trips = many(int(look.record.metric("num_trades") or 0), "round trip")
    told = f"{executed:,.0f} executed in {many(int(steps), 'bar')}, {trips}"
    step = "More orders than bars: look for a runaway strategy."
    return (
        not runaway and (executed > 0 or steps < 500),
        told,
        (step if runaway else "None in a long session: strategy or market?"),
    )


@question(
    "denials",
    "Did every order pass the risk checks?",
    "Runbook 8, risk limit: is the order too large or the limit too tight? Never go around a loss limit.",
    otherwise=WARN,
)
def denials(look: Look) -> Found:
    """Count what was denied, by code."""
    if look.record.mode == IMPORTED:
        return ELSEWHERE
    blocked = look.record.metric("orders_blocked_risk") or 0.0
    named = times(look.record.metrics.get("deny_codes"))
    return blocked == 0, f"{blocked:.0f} blocked" + (f": {named}" if named else "")


@question(
    "gaps",
    "Are the data complete?",
    "Runbook 10, data gap: find out whether the venue or we lost them before trusting the result.",
    otherwise=WARN,
)
def gaps(look: Look) -> Found:
    """Count the bars that are missing."""
    if NO_CANDLES in (look.record.setting("tags") or ()):
        step = "`peaktrade exchange fetch` or `data import` stores candles; then import it in another workspace."
        return UNKNOWN, "it was imported without candles: its bars are made of its own fills", step
    missing = look.record.metric("bars_missing") or 0.0
    return missing == 0, f"{many(int(missing), 'bar')} missing in {many(int(look.record.metric('gaps') or 0), 'gap')}"


@question(
    "risk",
    "Did the account stay green against its limits?",
    "Runbook 8, risk limit: see which limit in the session report.",
    otherwise=WARN,
)
def risk(look: Look) -> Found:
    """Look at its worst severity."""
    level = look.record.metrics.get("risk_status")
    if look.record.mode == IMPORTED:
        return ELSEWHERE
    return level == "green", str(level or "unknown")


@question(
    "others",
    "Other failed sessions since 24 h before",
    "Two failures in a row mean: pause, and find the root cause before the next session.",
    otherwise=WARN,
)
def others(look: Look) -> Found:
    """Look for other failed sessions since the 24 hours before this one began."""
    since = (look.record.started_at or look.views.now()) - LOOK_BACK
    found = look.failed_since(since)
    return not found, _told(len(found), found) if found else f"none since {utc(since)}"


STARTED = (status, error)
JOURNAL = (journal, record, ledger)
POST_SESSION = (identity, drawdown, pnl, duration, orders, denials, gaps, risk, others)
