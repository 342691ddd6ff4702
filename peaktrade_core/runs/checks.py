"""The post-session check: every line of the operator's checklist, answered from the artefacts.

Source: operator workflow 3.4 (post-session), session explorer 12b.6, demo walkthrough 7.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.error_help import next_step
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.tally import Tally

DRAWDOWN_REVIEW, DRAWDOWN_PAUSE = 0.05, 0.10  # fractions; escalation path of the operator workflow, 6.3
LOSS_REVIEW = 0.02  # fraction of the start balance
AGREEMENT = 1e-6  # two ledgers may differ by this [quote ccy]


def post_session_checks(views: Views, session_id: str) -> list[Check]:
    """Return the answered checklist of one session, in the order in which an operator reads it.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    record = views.record(session_id)
    checks = [_status(record), _error(record)]
    if record.status == "started":
        return checks
    try:
        tally = views.tally(session_id)
    except ArtefactError as fault:
        tally = None
        checks.append(
            Check(
                id="journal",
                question="Is the journal whole?",
                status=FAIL,
                evidence=str(fault),
                next_step="Restore the run folder from a backup; the record alone is no evidence.",
            )
        )
    if tally is not None:
        checks += [_journal(record, tally), _fold(record, tally), _ledger(record, tally)]
    checks += [_identity(record), _drawdown(record), _pnl(record), _duration(record), _orders(record)]
    checks += [_denials(record), _gaps(record), _risk(record), _siblings(views, record)]
    return checks


def _status(record: SessionRecord) -> Check:
    steps = {
        "failed": "Read the error below, open the runbook it names, and write an incident note.",
        "aborted": "Document who stopped it and why; if nobody did, look at the machine's log.",
        "started": "The session still runs: check again when it has ended.",
    }
    return check(
        "status",
        "Is the session completed?",
        record.status == "completed",
        record.status,
        steps.get(record.status, "A foreign status: find out who wrote this record."),
        otherwise=FAIL if record.status == "failed" else WARN,
    )


def _error(record: SessionRecord) -> Check:
    return check(
        "error",
        "Is the error field empty?",
        not record.error,
        record.error or "no error",
        _sentence(next_step(record.error or "")),
        otherwise=WARN if record.status == "aborted" else FAIL,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _journal(record: SessionRecord, tally: Tally) -> Check:
    ended = tally.end is not None and tally.end.status == record.status
    return check(
        "journal",
        "Is the journal whole, from start to end?",
        ended,
        f"{tally.last_seq + 1} events, " + (f"ends as {tally.end.status}" if tally.end else "no end event"),
        "The process died before it could write the end; its figures go up to the last event.",
        otherwise=WARN if record.status == "aborted" else FAIL,
    )


def _fold(record: SessionRecord, tally: Tally) -> Check:
    computed = msgspec.to_builtins(tally.metrics())
    differing = sorted(name for name, value in computed.items() if record.metrics.get(name) != value)
    return check(
        "record",
        "Does the record equal the fold of its journal?",
        not differing,
        f"{len(computed)} figures equal" if not differing else f"differs in {', '.join(differing)}",
        "Somebody changed the record or the journal after the end: treat it as an incident.",
    )


def _ledger(record: SessionRecord, tally: Tally) -> Check:
    bar, ledger = tally.last_bar, tally.ledger
    realized = float(ledger.realized_pnl)
    unrealized = float(ledger.unrealized_pnl(bar.close)) if bar else 0.0
    off = max(
        abs(realized - (record.metric("realized_pnl") or 0.0)),
        abs(unrealized - (record.metric("unrealized_pnl") or 0.0)),
    )
    return check(
        "ledger",
        "Does the exact (decimal) ledger agree?",
        off <= AGREEMENT,
        f"realized {realized:+.2f}, unrealized {unrealized:+.2f}, difference {off:.1e}",
        "The accounting is wrong: stop trading on this version and tell the developers.",
    )


def _identity(record: SessionRecord) -> Check:
    parts = [record.metric(name) for name in ("equity_end", "realized_pnl", "unrealized_pnl")]
    start = record.setting("start_balance")
    if None in parts or not isinstance(start, (int, float)):
        return Check(
            id="identity",
            question="Does equity equal start balance + realized + unrealized?",
            status=WARN,
            evidence="the record lacks a figure",
            next_step="The record was written by an older or foreign writer; compare it by hand.",
        )
    equity, realized, unrealized = (part or 0.0 for part in parts)
    return check(
        "identity",
        "Does equity equal start balance + realized + unrealized?",
        abs(equity - (start + realized + unrealized)) <= AGREEMENT,
        f"{equity:.2f} = {start:.2f} {realized:+.2f} {unrealized:+.2f}",
        "The record is inconsistent: treat it as an incident.",
    )


def _drawdown(record: SessionRecord) -> Check:
    drawdown = record.metric("max_drawdown")
    if drawdown is None:
        return _missing("drawdown", "Is the maximum drawdown below 5 %?")
    return check(
        "drawdown",
        "Is the maximum drawdown below 5 %?",
        drawdown < DRAWDOWN_REVIEW,
        f"{100 * drawdown:.2f} %",
        "Above 10 %: pause at once and escalate." if drawdown > DRAWDOWN_PAUSE else "Risk review; adapt the strategy.",
        otherwise=FAIL if drawdown > DRAWDOWN_PAUSE else WARN,
    )


def _pnl(record: SessionRecord) -> Check:
    pnl, start = record.metric("realized_pnl"), record.setting("start_balance")
    if pnl is None:
        return _missing("pnl", "Is the realized PnL documented, and above -2 %?")
    share = pnl / start if isinstance(start, (int, float)) and start else 0.0
    return check(
        "pnl",
        "Is the realized PnL documented, and above -2 %?",
        share > -LOSS_REVIEW,
        f"{pnl:+.2f} ({100 * share:+.2f} % of the start balance)",
        "Risk review: compare with the backtest of the same bars (runbook 9, PnL divergence).",
        otherwise=WARN,
    )


def _duration(record: SessionRecord) -> Check:
    wanted, steps = record.setting("steps"), record.metric("steps")
    timeframe = record.setting("timeframe")
    evidence = f"{steps:.0f} bars" if steps is not None else "unknown"
    if steps is not None and isinstance(timeframe, str):
        with suppress(ConfigError, OverflowError):  # a foreign record may name a timeframe that we do not have
            evidence += f" of {timeframe} = {timedelta(seconds=steps * timeframe_seconds(timeframe))} of market time"
    return check(
        "duration",
        "Did it run as long as planned?",
        steps is not None and (wanted is None or steps == wanted),
        evidence + (f", planned {wanted}" if wanted else ""),
        "It ended early: the status and the error say why.",
        otherwise=WARN,
    )


def _orders(record: SessionRecord) -> Check:
    executed, steps = record.metric("num_orders"), record.metric("steps") or 0.0
    if executed is None:
        return _missing("orders", "Is the number of orders plausible?")
    many = executed > max(20.0, steps)
    return check(
        "orders",
        "Is the number of orders plausible?",
        not many and (executed > 0 or steps < 500),
        f"{executed:.0f} executed in {steps:.0f} bars, {record.metric('num_trades') or 0:.0f} round trips",
        "More orders than bars: look for a runaway strategy."
        if many
        else "None in a long session: strategy or market?",
        otherwise=WARN,
    )


def _denials(record: SessionRecord) -> Check:
    blocked = record.metric("orders_blocked_risk") or 0.0
    codes = record.metrics.get("deny_codes") or {}
    named = ", ".join(f"{code} x {n}" for code, n in codes.items()) if isinstance(codes, dict) else ""
    return check(
        "denials",
        "Did every order pass the risk checks?",
        blocked == 0,
        f"{blocked:.0f} blocked" + (f": {named}" if named else ""),
        "Runbook 8, risk limit: is the order too large or the limit too tight? Never go around a loss limit.",
        otherwise=WARN,
    )


def _gaps(record: SessionRecord) -> Check:
    missing = record.metric("bars_missing") or 0.0
    return check(
        "gaps",
        "Are the data complete?",
        missing == 0,
        f"{missing:.0f} bars missing in {record.metric('gaps') or 0:.0f} gaps",
        "Runbook 10, data gap: find out whether the venue or we lost them before trusting the result.",
        otherwise=WARN,
    )


def _risk(record: SessionRecord) -> Check:
    level = record.metrics.get("risk_status")
    return check(
        "risk",
        "Did the account stay green against its limits?",
        level == "green",
        str(level or "unknown"),
        "Runbook 8, risk limit: see which limit in the session report.",
        otherwise=WARN,
    )


def _siblings(views: Views, record: SessionRecord) -> Check:
    """Look for other failed sessions in the 24 hours before this one began."""
    since = (record.started_at or views.now()) - timedelta(hours=24)
    failed = [
        row.session_id
        for row in views.rows(Query(status="failed", limit=50))
        if row.started_at and since <= row.started_at and row.session_id != record.session_id
    ]
    return check(
        "others",
        "Are there no other failed sessions since 24 h before?",
        not failed,
        f"none since {iso(since)}" if not failed else f"{len(failed)}: {', '.join(failed[:3])}",
        "Two failures in a row mean: pause, and find the root cause before the next session.",
        otherwise=WARN,
    )


def _missing(id: str, question: str) -> Check:
    return Check(
        id=id,
        question=question,
        status=WARN,
        evidence="the record has no such figure",
        next_step="The session did not get far enough, or an older writer made the record.",
    )


__all__ = ["FAIL", "PASS", "WARN", "Check", "post_session_checks"]
