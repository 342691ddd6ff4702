"""peaktrade: an operator's suite for crypto shadow and testnet trading.

What notebooks import is here; each name is loaded when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# jsonschema, and so every import of nbformat in commands, kernels and server, would build a grammar of internationalised
# addresses, which takes a second. Nothing here checks such addresses, and jsonschema does without the module.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

_HOMES = {
    "alerts.alert_handling": """
        alert_checks alert_desk_checks alerts_table evaluate_rules handle_alert meanings_table open_alerts""",
    "workspace.workspace": "Workspace",
    "control.tables": """
        audit_answers evidence_index_table gate_answers layer_answers layer_table lock_answers
        open_control_center operator_text routine_answers status_answers workspace_state""",
    "dashboard.watching.checks": "dashboard_checks",
    "dashboard.watching.probe": "look_at_dashboard",
    "incidents.escalation": "ask_escalation carry_out monitoring_checks path_checks",
    "dashboard.watching.explorer": "detail_checks explore_sessions figures_table settings_table",
    "fleet.during_session": "watched_table",
    "alerts.questions": "bad_lines_table log_checks",
    "runbooks.market_data": """
        candles_figure check_candles missing_candles odd_candles open_candles still_candles stored_candles""",
    "runbooks.notebook": """
        Session drawdown_figure equity_figure open_session open_workspace price_figure run_planned_session""",
    "runbooks.notebook_tables": """
        answers_table check_session deny_table evidence_table links plan_table readiness
        risk_use_table runbook_index session_checks session_files session_summary sessions_table smoke_test
        statistics_table venue_readiness""",
    "show.checklist": "check_table",
    "dashboard.watching.pages": "agreement_checks page_checks read_only_checks",
    "dashboard.watching.restart_after_maintenance": "accept_changes restarted_checks smoke_run",
    "desk.session_run": "ask_to_start",
    "desk.installation": "changes_table",
    "runbooks.runbook": "begin",
    "runbooks.shelf": "read",
    "desk.readiness": """
        desk_checks health_checks readiness ready_checks session_ready settings_checks smoke_order""",
    "desk.safe_stop": "running_table",
    "dashboard.watching.walkthrough": """
        ask_clean_up set_up_practice strategies_table walk_clean_up walk_failure walk_failure_table walk_session""",
    "dashboard.watching.walkthrough_checks": """
        walk_agreement_checks walk_failure_checks walk_pre_checks walk_report_checks walk_setup_checks
        walk_start_checks""",
    "dashboard.watching.watch": "export_checks newest_session round_checks source_checks watching_checks",
    "dashboard.watching.export": "export_snapshot exported_files",
    "dashboard.watching.tables": "dashboard_answers next_round series_checks tile_table watched_runs",
    "session.planning": "plan_session",
}
"""The public names, by the module below this package that holds them."""
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605  (one list of names, not three)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"peaktrade_core.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name what is public, loaded or not."""
    return list(__all__)
