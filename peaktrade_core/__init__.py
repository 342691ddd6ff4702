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
    "dashboard.watching.probe": "look_at_dashboard",
    "drills.board": "drill_checks drill_ended drill_files open_drill open_drill_board start_drill",
    "drills.tables": """
        drill_coverage drill_events drill_expected drill_list drill_log drill_phases drill_state drill_story
        drill_summary""",
    "incidents.escalation": "ask_escalation carry_out monitoring_checks path_checks",
    "dashboard.watching.explorer": "detail_checks explore_sessions figures_table settings_table",
    "fleet.during_session": "watched_table",
    "incidents.report": """
        incident_actions incident_checklist incident_evidence incident_files incident_learned incident_sentences
        incident_summary incident_timeline incident_times open_incident""",
    "incidents.review": "open_incident_week review_actions review_checks review_incidents review_overview",
    "runbooks.market_data": """
        candles_figure check_candles missing_candles odd_candles open_candles still_candles stored_candles""",
    "runbooks.notebook": """
        Session drawdown_figure equity_figure open_session open_workspace price_figure run_planned_session""",
    "runbooks.notebook_tables": """
        check_session deny_table evidence_table links plan_table
        risk_use_table runbook_index session_checks session_files session_summary sessions_table
        statistics_table""",
    "show.checklist": "check_table",
    "dashboard.watching.pages": "agreement_checks page_checks read_only_checks",
    "reports.period_tables": """
        open_day open_week period_alerts period_attention period_carried period_denials period_failures
        period_figure period_halts period_overview period_results period_sessions""",
    "runbooks.runbook": "begin",
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
