"""Which class executes which notebook: by the notebook's name, in the room that does its work, loaded when it is opened."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peaktrade_core.runbooks.notebook import Notebook
    from peaktrade_core.runbooks.runbook import Runbook

REPORTS = {
    "drill_report": "drills.report:DrillReport",
    "incident_report": "incidents.report:IncidentReport",
    "post_mortem": "incidents.report:PostMortem",
}
RUNBOOKS = {
    "drill": "drills.runbook:DrillRunbook",
    "incident_data_gap": "incidents.runbook:IncidentRunbook",
    "incident_exchange_error": "incidents.runbook:IncidentRunbook",
    "incident_failed_session": "incidents.runbook:IncidentRunbook",
    "incident_pnl_divergence": "incidents.divergence:DivergenceRunbook",
    "incident_risk_limit": "incidents.runbook:IncidentRunbook",
    "kill_switch": "desk.kill_switch:KillSwitchRunbook",
    "live_start": "control.live_start:LiveStartRunbook",
    "orchestrator": "desk.orchestrator:OrchestratorRunbook",
    "safe_stop": "desk.safe_stop:SafeStopRunbook",
    "session_run": "desk.session_run:SessionRunbook",
    "testnet_run": "desk.session_run:TestnetRunbook",
}


def kind_of(name: str) -> type[Runbook]:
    """Return the class of a runbook; a notebook that has none of its own, as one that a user adds, has the plain one."""
    found: type[Runbook] = _load(RUNBOOKS.get(name, "runbooks.runbook:Runbook"))
    return found


def report_of(name: str) -> type[Notebook]:
    """Return the class of a report; the plain one as for runbooks."""
    found: type[Notebook] = _load(REPORTS.get(name, "runbooks.notebook:Notebook"))
    return found


def _load(where: str) -> Any:
    module, _, kind = where.partition(":")
    return getattr(import_module(f"peaktrade_core.{module}"), kind)
