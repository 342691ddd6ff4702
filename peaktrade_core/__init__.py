"""peaktrade: an operator's suite for crypto shadow and testnet trading.

What notebooks import is here; each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peaktrade_core.edge.alert_steps import (
        alert_checks,
        alert_desk_checks,
        alerts_table,
        evaluate_rules,
        handle_alert,
        meanings_table,
        open_alerts,
    )
    from peaktrade_core.edge.bootstrap import Workspace
    from peaktrade_core.edge.dashboard_probe import look_at_dashboard
    from peaktrade_core.edge.escalation import ask_escalation, carry_out, monitoring_checks, path_checks
    from peaktrade_core.edge.explorer_tables import detail_checks, explore_sessions, figures_table, settings_table
    from peaktrade_core.edge.fleet_steps import fleet_readiness, fleet_runs, orchestrate, outcome_checks, tail_of
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
    from peaktrade_core.edge.page_checks import agreement_checks, page_checks, read_only_checks
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
    from peaktrade_core.edge.steps import begin_runbook
    from peaktrade_core.edge.walkthrough import (
        ask_clean_up,
        set_up_practice,
        strategies_table,
        walk_clean_up,
        walk_failure,
        walk_failure_table,
        walk_session,
    )
    from peaktrade_core.edge.walkthrough_checks import (
        walk_agreement_checks,
        walk_failure_checks,
        walk_pre_checks,
        walk_report_checks,
        walk_setup_checks,
        walk_start_checks,
    )
    from peaktrade_core.edge.watch_checks import (
        export_checks,
        newest_session,
        round_checks,
        source_checks,
        watching_checks,
    )
    from peaktrade_core.edge.watch_export import export_snapshot, exported_files
    from peaktrade_core.edge.watch_tables import (
        dashboard_answers,
        next_round,
        series_checks,
        tile_table,
        watched_runs,
        watched_table,
    )

_HOMES = {
    "peaktrade_core.edge.alert_steps": (
        "alert_checks",
        "alert_desk_checks",
        "alerts_table",
        "evaluate_rules",
        "handle_alert",
        "meanings_table",
        "open_alerts",
    ),
    "peaktrade_core.edge.bootstrap": ("Workspace",),
    "peaktrade_core.edge.dashboard_probe": ("look_at_dashboard",),
    "peaktrade_core.edge.escalation": (
        "ask_escalation",
        "carry_out",
        "monitoring_checks",
        "path_checks",
    ),
    "peaktrade_core.edge.explorer_tables": (
        "detail_checks",
        "explore_sessions",
        "figures_table",
        "settings_table",
    ),
    "peaktrade_core.edge.fleet_steps": (
        "fleet_readiness",
        "fleet_runs",
        "orchestrate",
        "outcome_checks",
        "tail_of",
    ),
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
        "Session",
        "drawdown_figure",
        "equity_figure",
        "open_session",
        "open_workspace",
        "price_figure",
        "run_planned_session",
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
    "peaktrade_core.edge.page_checks": (
        "agreement_checks",
        "page_checks",
        "read_only_checks",
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
    "peaktrade_core.edge.steps": ("begin_runbook",),
    "peaktrade_core.edge.walkthrough": (
        "ask_clean_up",
        "set_up_practice",
        "strategies_table",
        "walk_clean_up",
        "walk_failure",
        "walk_failure_table",
        "walk_session",
    ),
    "peaktrade_core.edge.walkthrough_checks": (
        "walk_agreement_checks",
        "walk_failure_checks",
        "walk_pre_checks",
        "walk_report_checks",
        "walk_setup_checks",
        "walk_start_checks",
    ),
    "peaktrade_core.edge.watch_checks": (
        "export_checks",
        "newest_session",
        "round_checks",
        "source_checks",
        "watching_checks",
    ),
    "peaktrade_core.edge.watch_export": (
        "export_snapshot",
        "exported_files",
    ),
    "peaktrade_core.edge.watch_tables": (
        "dashboard_answers",
        "next_round",
        "series_checks",
        "tile_table",
        "watched_runs",
        "watched_table",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Session",
    "Workspace",
    "agreement_checks",
    "alert_checks",
    "alert_desk_checks",
    "alerts_table",
    "answers_table",
    "ask_clean_up",
    "ask_escalation",
    "begin_runbook",
    "candles_figure",
    "carry_out",
    "check_candles",
    "check_session",
    "check_table",
    "dashboard_answers",
    "deny_table",
    "detail_checks",
    "drawdown_figure",
    "equity_figure",
    "evaluate_rules",
    "evidence_table",
    "explore_sessions",
    "export_checks",
    "export_snapshot",
    "exported_files",
    "figures_table",
    "fleet_readiness",
    "fleet_runs",
    "handle_alert",
    "links",
    "look_at_dashboard",
    "meanings_table",
    "missing_candles",
    "monitoring_checks",
    "newest_session",
    "next_round",
    "odd_candles",
    "open_alerts",
    "open_candles",
    "open_day",
    "open_session",
    "open_week",
    "open_workspace",
    "orchestrate",
    "outcome_checks",
    "page_checks",
    "path_checks",
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
    "price_figure",
    "read_only_checks",
    "readiness",
    "risk_use_table",
    "round_checks",
    "run_planned_session",
    "runbook_index",
    "series_checks",
    "session_checks",
    "session_files",
    "session_summary",
    "sessions_table",
    "set_up_practice",
    "settings_table",
    "smoke_test",
    "source_checks",
    "statistics_table",
    "still_candles",
    "stored_candles",
    "strategies_table",
    "tail_of",
    "tile_table",
    "venue_readiness",
    "walk_agreement_checks",
    "walk_clean_up",
    "walk_failure",
    "walk_failure_checks",
    "walk_failure_table",
    "walk_pre_checks",
    "walk_report_checks",
    "walk_session",
    "walk_setup_checks",
    "walk_start_checks",
    "watched_runs",
    "watched_table",
    "watching_checks",
    "workspace_state",
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
