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
    "control.tables": """
        audit_answers evidence_index_table gate_answers layer_answers layer_table lock_answers
        open_control_center operator_text routine_answers status_answers status_at_a_glance todo_table workspace_state""",
    "dashboard.watching.live_track_watch": "tile_table",
    "dashboard.watching.pages": "agreement_checks page_checks",
    "dashboard.watching.probe": "look_at_dashboard",
    "dashboard.watching.walkthrough": """
        ask_clean_up set_up_practice strategies_table walk_clean_up walk_failure walk_failure_table
        walk_session""",
    "dashboard.watching.walkthrough_checks": """
        walk_agreement_checks walk_failure_checks walk_pre_checks walk_report_checks walk_setup_checks
        walk_start_checks""",
    "research.cells": """
        ask_finding evaluate_forward experiments_ranked experiments_table experiments_together finding_states
        finding_verdict forward_outcomes forward_sums forward_table scan_markets scanned_table sweep_counts sweep_map
        sweep_trials sweep_verdict try_grid write_forward""",
    "research.portfolio.tables": """
        portfolio_account portfolio_correlations portfolio_figure portfolio_presets portfolio_sleeves
        portfolio_verdict run_preset""",
    "runbooks.form": "form",
    "candles.tables": """
        candles_figure check_candles missing_candles odd_candles open_candles still_candles stored_candles""",
    "runbooks.figures": "course_figure",
    "runbooks.notebook": "drawdown_figure equity_figure open_session open_workspace price_figure",
    "runbooks.notebook_tables": """
        check_session deny_table evidence_table links plan_table risk_use_table runbook_index session_checks
        session_summary sessions_table statistics_table trades_table""",
    "runbooks.runbook": "begin",
    "runbooks.shelf": "read",
    "session.planning": "plan_session",
    "workspace.workspace": "Workspace",
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
