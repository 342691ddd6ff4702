"""What is checked on the demo walkthrough: the installation, a session's begin and end, and that all tell the same of it.

Source: demo walkthrough (phase 84), its checklists 2.1, 4.5, 5.4, 7.1, 7.2 and its failed session, 9.
"""

from __future__ import annotations

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.dashboard.watching.probe import PageReply, SeenDashboard
from peaktrade_core.desk.doctor import INTERPRETER, WRITABLE
from peaktrade_core.desk.readiness import PRE_SESSION
from peaktrade_core.records.registry import Query
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.runbooks.notebook import Session
from peaktrade_core.runbooks.runbooks import list_runbooks
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.handbook import next_step, runbooks_in
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import live
from peaktrade_core.show import wording
from peaktrade_core.trading import events as ev
from peaktrade_core.workspace.workspace import Workspace


def walk_setup_checks(workspace: Workspace) -> list[Check]:
    """Return whether the installation is fit for the walk, and that live stays locked.

    Source: demo walkthrough 2.1 and 2.2.
    """
    return workspace.ask((*INTERPRETER, *WRITABLE, live))


def walk_pre_checks(workspace: Workspace) -> list[Check]:
    """Return the pre-session checklist of the practice workspace."""
    return workspace.ask(PRE_SESSION)


def walk_start_checks(session: Session) -> list[Check]:
    """Return whether a session began, warmed up, took its steps and ended with its figures.

    Source: demo walkthrough 4.5.
    """
    kinds = {type(event) for event in session.events}
    planned, steps = session.record.setting("steps"), session.record.metric("steps")
    step = "Look at the error in the record; the failed session below shows how."
    return [
        check("started", "Did it start without an error?", ev.Start in kinds, session.id, step),
        check(
            "warmup",
            "Was it warmed up?",
            ev.WarmedUp in kinds,
            f"{session.record.setting('warmup_candles')} bars",
            "More warm-up: --warmup-candles.",
        ),
        check("steps", "Did it take all its steps?", steps == planned, f"{steps or 0:.0f} of {planned} bars", step),
        check(
            "summary",
            "Did it end with its figures?",
            ev.End in kinds and session.record.metric("realized_pnl") is not None,
            f"{session.record.status}, {wording.signed(session.record.metric('realized_pnl'), session.currency)}",
            step,
        ),
    ]


def walk_report_checks(session: Session) -> list[Check]:
    """Return whether the registry's report shows the session, completed, with PnL and drawdown.

    Source: demo walkthrough 5.4.
    """
    query = Query(run_type="live_session_shadow", limit=5)
    report = session_report(Views.of(session.workspace), query)
    pnl, drawdown = _figures(session)
    missing = [text for text in (pnl, drawdown) if text not in report]
    return [
        check(
            "in_report",
            "Does the report of the registry show the session?",
            session.id in report,
            f"one of {Views.of(session.workspace).stats(query).total_sessions} shadow sessions",
            "`peaktrade session list` says whether it was recorded at all.",
        ),
        check(
            "completed",
            "Is its status completed?",
            session.record.status == "completed",
            session.record.status,
            "Failed: read the error. Aborted: who stopped it?",
            otherwise=WARN,
        ),
        check(
            "figures",
            "Are PnL and drawdown in it?",
            not missing,
            f"PnL {pnl}, max drawdown {drawdown}" if not missing else f"missing: {', '.join(missing)}",
            "An older record may lack them.",
        ),
    ]


def _figures(session: Session) -> tuple[str, str]:
    """Return PnL and drawdown as they are written for people everywhere."""
    record = session.record
    return (
        wording.signed(record.metric("realized_pnl"), wording.quote_currency(record.symbol)),
        wording.drawdown(record.metric("max_drawdown")),
    )


def walk_agreement_checks(session: Session, seen: SeenDashboard) -> list[Check]:
    """Return whether page, API, report and journal tell the same of a session, and no more than one truth.

    Source: demo walkthrough 7.1 and 7.2.
    """
    record, page = session.record, seen.answers.get("/", PageReply(0, "")).said
    told = seen.mapping(f"/api/live_sessions/{session.id}")
    tally = Views.of(session.workspace).look(session.id).tally.metrics()
    pnl, drawdown = _figures(session)
    same = "Open an incident: two places tell different figures of one session."
    sources = {
        "pnl_agrees": ("Is the PnL the same everywhere?", "realized_pnl", tally.realized_pnl, pnl),
        "drawdown_agrees": (
            "Is the maximum drawdown the same everywhere?",
            "max_drawdown",
            tally.max_drawdown,
            drawdown,
        ),
    }
    checks = [
        check("on_page", "Is the session in the table of the page?", f'data-session="{session.id}"' in page,
              session.id, "Refresh; take the filters off."),
        check("mode_shown", "Does the page show its mode?", f"mode-{record.mode}" in page, record.mode, same),
        check("status_shown", "Is its status as expected?", told.get("status") == record.status == "completed",
              f"record {record.status}, page {told.get('status')}", "A failed one has an error; read it.", otherwise=WARN),
    ]  # fmt: skip
    for id, (question, name, folded, text) in sources.items():
        three = (record.metric(name), told.get(name), folded)
        evidence = (
            f"{text} in registry, API, page and journal"
            if len(set(three)) == 1 and text in page
            else (
                f"registry {three[0]}, API {three[1]}, journal {three[2]}, page {'shows' if text in page else 'lacks'} {text}"
            )
        )
        checks.append(check(id, question, len(set(three)) == 1 and text in page, evidence, same))
    return [
        *checks,
        check("no_error", "Error in its record", not record.error, record.error or "none", "Read it, then go on."),
    ]


def walk_failure_checks(session: Session) -> list[Check]:
    """Return whether the failure was told truly: failed, with its error, everywhere, and its figures kept."""
    record = session.record
    named = runbooks_in(next_step(record.error or ""))
    return [
        check("failed", "Is it recorded as failed?", record.status == "failed", record.status, "Tell the developers."),
        check(
            "error_named",
            "Does the record name the error?",
            "ZeroDivisionError" in (record.error or ""),
            record.error or "no error",
            "Tell the developers: a failure without a reason cannot be treated.",
        ),
        check(
            "runbook_named",
            "Is there a runbook for this error?",
            bool(named) and set(named) <= {info.name for info in list_runbooks()},
            ", ".join(named) or "its next step names none",
            "Tell the developers: the handbook lacks this error (peaktrade_core/runs/handbook.toml).",
        ),
        check(
            "figures_kept",
            "Are the figures up to the error kept?",
            bool(record.metric("steps")) and record.metric("equity_end") is not None,
            f"{wording.many(int(record.metric('steps') or 0), 'bar')}, equity {dict(figures_of(record))['Equity at the end']}",
            "The journal holds what was acknowledged: `peaktrade session show` folds it.",
        ),
    ]
