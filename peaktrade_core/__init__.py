"""peaktrade: an operator's suite for crypto shadow and testnet trading.

What notebooks import is here; each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peaktrade_core.edge.bootstrap import Workspace
    from peaktrade_core.edge.control_tables import (
        audit_answers,
        evidence_index_table,
        gate_answers,
        layer_answers,
        layer_table,
        lock_answers,
        open_control_center,
        operator_text,
        routine_answers,
        status_answers,
    )
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
    from peaktrade_core.edge.steps import begin_runbook

_HOMES = {
    "peaktrade_core.edge.bootstrap": ("Workspace",),
    "peaktrade_core.edge.control_tables": (
        "audit_answers",
        "evidence_index_table",
        "gate_answers",
        "layer_answers",
        "layer_table",
        "lock_answers",
        "open_control_center",
        "operator_text",
        "routine_answers",
        "status_answers",
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
        "venue_readiness",
        "smoke_test",
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
        "statistics_table",
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
    "peaktrade_core.edge.steps": ("begin_runbook",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Session",
    "Workspace",
    "answers_table",
    "audit_answers",
    "begin_runbook",
    "candles_figure",
    "check_candles",
    "check_session",
    "check_table",
    "deny_table",
    "drawdown_figure",
    "equity_figure",
    "evidence_index_table",
    "evidence_table",
    "gate_answers",
    "layer_answers",
    "layer_table",
    "links",
    "lock_answers",
    "missing_candles",
    "odd_candles",
    "open_candles",
    "open_control_center",
    "open_day",
    "open_session",
    "open_week",
    "open_workspace",
    "operator_text",
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
    "readiness",
    "risk_use_table",
    "routine_answers",
    "run_planned_session",
    "runbook_index",
    "session_checks",
    "session_files",
    "session_summary",
    "sessions_table",
    "smoke_test",
    "statistics_table",
    "status_answers",
    "still_candles",
    "stored_candles",
    "venue_readiness",
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
