"""The pre-session check: is everything in order to start a session here?

Source: operator workflow 3.1 (pre-session) and 10a.10 (before a shadow session). What the machine itself lacks is
``peaktrade doctor``'s business.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.base.errors import ConfigError, LiveModeNotAllowedError
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.notebook_tables import check_table
from peaktrade_core.runs.views import SessionRow, Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(hours=24)


def pre_session_checks(workspace: Workspace) -> list[Check]:
    """Return the answered checklist, in the order in which an operator reads it."""
    recent = _recent(workspace)
    config = _config(workspace)
    return [
        config,
        *([] if config.status == FAIL else [_sizing(workspace)]),
        _state(workspace),
        _ended(recent, "failed", "Did no session fail in the last 24 hours?"),
        _ended(recent, "aborted", "Was no session aborted in the last 24 hours?"),
        _registry(workspace),
        _live(workspace),
    ]


def _recent(workspace: Workspace) -> list[SessionRow]:
    """Return the sessions of the last 24 hours that ended badly or cannot be read."""
    views = Views.of(workspace)
    since: datetime = views.now() - LOOK_BACK
    rows = [row for status in ("failed", "aborted") for row in views.rows(Query(limit=50, status=status))]
    return [row for row in rows if row.started_at and row.started_at >= since]


def _config(workspace: Workspace) -> Check:
    try:
        session = workspace.config.session
    except ConfigError as error:
        return Check(
            id="config",
            question="Is the configuration sound?",
            status=FAIL,
            evidence=str(error),
            next_step="Mend that key in config/config.toml; nothing starts before.",
        )
    return check(
        "config",
        "Is the configuration sound?",
        True,
        f"{session.strategy} on {session.symbol} {session.timeframe}, feed {session.feed}",
        "",
    )


def _sizing(workspace: Workspace) -> Check:
    session, limits = workspace.config.session, workspace.config.limits
    wanted = session.position_fraction * session.start_balance
    return check(
        "sizing",
        "Does a new position fit its limit?",
        wanted <= limits.max_order_notional,
        f"{wanted:,.0f} of {limits.max_order_notional:,.0f} (max_order_notional)",
        "Every order would be denied: lower position_fraction or raise the limit.",
        otherwise=WARN,
    )


def _state(workspace: Workspace) -> Check:
    stopped = [state for state in TradingStates.of(workspace).everything() if state.state != "ACTIVE"]
    return check(
        "state",
        "May everything be traded?",
        not stopped,
        "; ".join(f"{s.scope} {s.state} by {s.by}: {s.reason}" for s in stopped) or "trading state ACTIVE",
        "Find the cause, then `peaktrade risk resume --scope SCOPE`; for global `peaktrade killswitch release`.",
        otherwise=FAIL if any(state.scope == "global" for state in stopped) else WARN,
    )


def _ended(recent: list[SessionRow], status: str, question: str) -> Check:
    found = [row.session_id for row in recent if row.status == status]
    steps = {
        "failed": "Read its post-session check and document it; two in a row mean: pause.",
        "aborted": "Document who stopped it and why; if nobody did, look at the machine's log.",
    }
    evidence = "none" if not found else f"{len(found)}: {', '.join(found[:3])}"
    return check(status, question, not found, evidence, steps[status], otherwise=WARN)


def _registry(workspace: Workspace) -> Check:
    stats = Views.of(workspace).stats()
    unreadable = stats.by_status.get("unreadable", 0)
    return check(
        "registry",
        "Can every record of the registry be read?",
        not unreadable,
        f"{stats.total_sessions} records, {unreadable} unreadable",
        "`peaktrade session list --status unreadable` names the files and what is wrong with them.",
        otherwise=WARN,
    )


def _live(workspace: Workspace) -> Check:
    """Try what must be impossible: to plan a live session."""
    try:
        plan_session(workspace, mode="live")
    except LiveModeNotAllowedError:
        return check("live", "Is live trading locked?", True, "planning a live session is refused", "")
    return check(
        "live", "Is live trading locked?", False, "a live session could be planned", "Stop: use another version."
    )


def readiness(workspace: Workspace) -> Table:
    """Return the pre-session checklist, answered."""
    return check_table(pre_session_checks(workspace), "Ready to start?")
