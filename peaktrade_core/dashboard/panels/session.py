"""One session: how it stands or ended, its curves, its use of the limits, its checks, its record and its events."""

from __future__ import annotations

import shlex
from typing import Any

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, SessionNotFoundError
from peaktrade_core.base.question import worst
from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.panels.charts import MOST_MARKS, Curve, draw, fill_marks
from peaktrade_core.dashboard.panels.telling import tell
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runs.figures import figures_of
from peaktrade_core.runs.handbook import denial_help
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

POINTS, EVENTS, INCIDENTS = 2000, 20, 20


def subject(asked: Asked) -> str:
    """Return the id that the page is about.

    Raises:
        SessionNotFoundError: its address names none.
    """
    if not asked.subject:
        raise SessionNotFoundError("the address names no session; open one from the list")
    return asked.subject


def record_of(workspace: Workspace, asked: Asked) -> tuple[str, SessionRecord]:
    """Return the id of the page's session and its record."""
    session_id = Views.of(workspace).resolve(subject(asked))
    return session_id, Views.of(workspace).record(session_id)


@panel("session")
def _session(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how does this session stand, or how did it end?"""
    session_id, record = record_of(workspace, asked)
    row = Views.of(workspace).row(session_id)
    run = Views.of(workspace).run(session_id) if row.status == "started" else None
    now = run or row
    newer, older = Views.of(workspace).neighbours(session_id)
    return {
        "row": row,
        "run": run,
        "final": run is None,
        "timeframe": record.setting("timeframe"),
        "currency": wording.quote_currency(row.symbol),
        "pnl": now.realized_pnl,
        "unrealized": now.unrealized_pnl,
        "equity": run.equity if run else record.metric("equity_end"),
        "drawdown": now.max_drawdown,
        "blocked": now.orders_blocked,
        "steps": run.step if run else record.metric("steps"),
        "newer": newer,
        "older": older,
    }


@panel("session_curves")
def _curves(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how did price, position, equity and drawdown go?"""
    session_id, record = record_of(workspace, asked)
    context = {"final": record.status != "started", "faults": (), "charts": []}
    try:
        curves = Views.of(workspace).curves(session_id, POINTS)
    except ArtefactError as error:
        return {**context, "faults": (str(error),)}
    journal = Views.of(workspace).detail(session_id).journal
    currency = wording.quote_currency(record.symbol)
    base = (record.symbol or "").partition("/")[0]
    drawdown = [-100.0 * value for value in curves.drawdown]
    charts = draw(
        curves.ts,
        [
            Curve("equity", curves.equity, currency),
            Curve("drawdown", drawdown, "%", tone="red", filled=True),
            Curve("price", curves.price, currency, tone="ink"),
            Curve("position", curves.position, base, 6, tone="purple", step=True, filled=True),
        ],
        fill_marks(journal.fills, currency),
    )
    marked = min(len(journal.fills), MOST_MARKS)
    points = {"bars": curves.bars, "shown": len(curves.ts), "fills": journal.all_fills, "marked": marked}
    return {**context, **points, "faults": curves.faults, "charts": charts}


@panel("session_limits")
def _limits(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how much of each risk limit was used, what was denied, and what else happened?"""
    session_id, record = record_of(workspace, asked)
    journal = Views.of(workspace).detail(session_id).journal
    return {
        "final": record.status != "started",
        "currency": wording.quote_currency(record.symbol),
        "faults": journal.faults,
        "limits": journal.limits,
        "denials": [(code, n, denial_help(code)) for code, n in journal.denials.items()],
        "incidents": tell(journal.incidents)[:INCIDENTS],
    }


@panel("session_checks")
def _checks(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: is everything about this session in order?"""
    session_id, record = record_of(workspace, asked)
    final = record.status != "started"
    checks = post_session_checks(Views.of(workspace), session_id) if final else []
    incidents = IncidentBook.of(workspace).rows(subject=session_id)
    return {"session_id": session_id, "final": final, "checks": checks, "worst": worst(checks), "incidents": incidents}


@panel("session_record")
def _record(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what was asked for, and what is written down?"""
    session_id, record = record_of(workspace, asked)
    shown = ("run_id", "run_type", "mode", "env_name", "symbol", "strategy_tier", "status", "host", "schema_version")
    times = [(name, iso(at)) for name in ("created_at", "started_at", "finished_at") if (at := getattr(record, name))]
    extra = [(name, str(value)) for name, value in record.extra.items()]
    return {
        "session_id": session_id,
        "final": record.status != "started",
        "command": shlex.join(map(str, record.cli_args)),
        "metrics": figures_of(record),
        "config": [(name, _plain(value)) for name, value in record.config.items()],
        "metadata": [*((name, _plain(getattr(record, name))) for name in shown), *times, *extra],
    }


def _plain(value: object) -> str:
    """Return a value of a record as people read it."""
    if value is None or value == "":
        return wording.NOTHING
    if isinstance(value, dict):
        return "\n".join(f"{name} = {item}" for name, item in value.items()) or wording.NOTHING
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or wording.NOTHING
    return str(value)


@panel("session_events")
def _last_events(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what happened last?"""
    session_id, record = record_of(workspace, asked)
    journal = Views.of(workspace).detail(session_id).journal
    events = tell(journal.recent[-EVENTS:])
    return {"panel": "session_events", "final": record.status != "started", "faults": journal.faults, "events": events}
