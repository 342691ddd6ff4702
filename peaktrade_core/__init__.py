"""peaktrade: an operator's suite for crypto shadow and testnet trading.

What notebooks import is here; each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peaktrade_core.edge.bootstrap import Workspace
    from peaktrade_core.edge.dashboard_checks import dashboard_checks
    from peaktrade_core.edge.live_start import (
        ask_both,
        ask_go,
        gate_checks,
        go_no_go_path,
        limits_table,
        live_checks,
        preview_table,
        write_go_no_go,
    )
    from peaktrade_core.edge.log_checks import bad_lines_table, log_checks
    from peaktrade_core.edge.market_tables import (
        candles_figure,
        check_candles,
        missing_candles,
        odd_candles,
        open_candles,
        still_candles,
        stored_candles,
    )
    from peaktrade_core.edge.notebook import (
        Session,
        drawdown_figure,
        equity_figure,
        open_session,
        open_workspace,
        price_figure,
        run_planned_session,
    )
    from peaktrade_core.edge.notebook_tables import (
        answers_table,
        check_session,
        check_table,
        deny_table,
        evidence_table,
        links,
        plan_table,
        readiness,
        risk_use_table,
        runbook_index,
        session_checks,
        session_files,
        session_summary,
        sessions_table,
        smoke_test,
        statistics_table,
        venue_readiness,
        workspace_state,
    )
    from peaktrade_core.edge.period_tables import (
        open_day,
        open_week,
        period_alerts,
        period_attention,
        period_carried,
        period_denials,
        period_failures,
        period_figure,
        period_halts,
        period_overview,
        period_results,
        period_sessions,
    )
    from peaktrade_core.edge.restart_steps import accept_changes, restarted_checks, smoke_run
    from peaktrade_core.edge.session_steps import ask_to_start, run_session_step
    from peaktrade_core.edge.start_checks import (
        changes_table,
        desk_checks,
        health_checks,
        ready_checks,
        session_ready,
        settings_checks,
        smoke_order,
    )
    from peaktrade_core.edge.steps import begin_runbook
    from peaktrade_core.edge.stop_steps import running_table, stop_runs
    from peaktrade_core.edge.switch_steps import (
        ask_cause,
        audit_table,
        check_fit,
        check_obeyed,
        switch_checks,
        switch_files,
        switch_meaning,
        switch_table,
        use_switch,
    )

_HOMES = {
    "peaktrade_core.edge.bootstrap": ("Workspace",),
    "peaktrade_core.edge.dashboard_checks": ("dashboard_checks",),
    "peaktrade_core.edge.live_start": (
        "ask_both",
        "ask_go",
        "gate_checks",
        "go_no_go_path",
        "limits_table",
        "live_checks",
        "preview_table",
        "write_go_no_go",
    ),
    "peaktrade_core.edge.log_checks": ("bad_lines_table", "log_checks"),
    "peaktrade_core.edge.market_tables": (
        "candles_figure",
        "check_candles",
        "missing_candles",
        "odd_candles",
        "open_candles",
        "still_candles",
        "stored_candles",
    ),
    "peaktrade_core.edge.notebook": (
        "drawdown_figure",
        "equity_figure",
        "open_session",
        "open_workspace",
        "price_figure",
        "run_planned_session",
        "Session",
    ),
    "peaktrade_core.edge.notebook_tables": (
        "answers_table",
        "check_session",
        "check_table",
        "deny_table",
        "evidence_table",
        "links",
        "plan_table",
        "readiness",
        "risk_use_table",
        "runbook_index",
        "session_checks",
        "session_files",
        "session_summary",
        "sessions_table",
        "smoke_test",
        "statistics_table",
        "venue_readiness",
        "workspace_state",
    ),
    "peaktrade_core.edge.period_tables": (
        "open_day",
        "open_week",
        "period_alerts",
        "period_attention",
        "period_carried",
        "period_denials",
        "period_failures",
        "period_figure",
        "period_halts",
        "period_overview",
        "period_results",
        "period_sessions",
    ),
    "peaktrade_core.edge.restart_steps": ("accept_changes", "restarted_checks", "smoke_run"),
    "peaktrade_core.edge.session_steps": ("ask_to_start", "run_session_step"),
    "peaktrade_core.edge.start_checks": (
        "changes_table",
        "desk_checks",
        "health_checks",
        "ready_checks",
        "session_ready",
        "settings_checks",
        "smoke_order",
    ),
    "peaktrade_core.edge.steps": ("begin_runbook",),
    "peaktrade_core.edge.stop_steps": ("running_table", "stop_runs"),
    "peaktrade_core.edge.switch_steps": (
        "ask_cause",
        "audit_table",
        "check_fit",
        "check_obeyed",
        "switch_checks",
        "switch_files",
        "switch_meaning",
        "switch_table",
        "use_switch",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Session",
    "Workspace",
    "accept_changes",
    "answers_table",
    "ask_both",
    "ask_cause",
    "ask_go",
    "ask_to_start",
    "audit_table",
    "bad_lines_table",
    "begin_runbook",
    "candles_figure",
    "changes_table",
    "check_candles",
    "check_fit",
    "check_obeyed",
    "check_session",
    "check_table",
    "dashboard_checks",
    "deny_table",
    "desk_checks",
    "drawdown_figure",
    "equity_figure",
    "evidence_table",
    "gate_checks",
    "go_no_go_path",
    "health_checks",
    "limits_table",
    "links",
    "live_checks",
    "log_checks",
    "missing_candles",
    "odd_candles",
    "open_candles",
    "open_day",
    "open_session",
    "open_week",
    "open_workspace",
    "period_alerts",
    "period_attention",
    "period_carried",
    "period_denials",
    "period_failures",
    "period_figure",
    "period_halts",
    "period_overview",
    "period_results",
    "period_sessions",
    "plan_table",
    "preview_table",
    "price_figure",
    "readiness",
    "ready_checks",
    "restarted_checks",
    "risk_use_table",
    "run_planned_session",
    "run_session_step",
    "runbook_index",
    "running_table",
    "session_checks",
    "session_files",
    "session_ready",
    "session_summary",
    "sessions_table",
    "settings_checks",
    "smoke_order",
    "smoke_run",
    "smoke_test",
    "statistics_table",
    "still_candles",
    "stop_runs",
    "stored_candles",
    "switch_checks",
    "switch_files",
    "switch_meaning",
    "switch_table",
    "use_switch",
    "venue_readiness",
    "workspace_state",
    "write_go_no_go",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what is public, loaded or not."""
    return sorted(__all__)
