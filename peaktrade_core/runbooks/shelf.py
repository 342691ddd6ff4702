"""Which class executes which notebook: by the notebook's name, in the room that does its work, loaded when it is begun."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peaktrade_core.runbooks.runbook import Runbook

RUNBOOKS = {
    "alert_handling": "alerts.alert_handling:AlertHandlingRunbook",
    "health_check": "desk.health_check:HealthRunbook",
    "incident_data_gap": "incidents.runbook:IncidentRunbook",
    "incident_exchange_error": "incidents.runbook:IncidentRunbook",
    "incident_failed_session": "incidents.runbook:IncidentRunbook",
    "incident_pnl_divergence": "incidents.divergence:DivergenceRunbook",
    "incident_risk_limit": "incidents.runbook:IncidentRunbook",
    "kill_switch": "desk.kill_switch:KillSwitchRunbook",
    "live_start": "control.live_start:LiveStartRunbook",
    "live_track_watch": "dashboard.watching.live_track_watch:LiveTrackRunbook",
    "monitoring_round": "dashboard.watching.monitoring_round:MonitoringRunbook",
    "orchestrator": "desk.orchestrator:OrchestratorRunbook",
    "post_session_check": "desk.session_run:PostSessionRunbook",
    "pre_session_check": "dashboard.watching.pre_session_check:PreSessionRunbook",
    "restart_after_maintenance": "dashboard.watching.restart_after_maintenance:RestartRunbook",
    "safe_stop": "desk.safe_stop:SafeStopRunbook",
    "session_explorer": "dashboard.watching.explorer:SessionExplorerRunbook",
    "session_run": "desk.session_run:SessionRunbook",
    "testnet_run": "desk.session_run:TestnetRunbook",
    "watch_only": "dashboard.watching.watch_only:WatchOnlyRunbook",
}


def kind_of(name: str) -> type[Runbook]:
    """Return the class of a runbook; a notebook that has none of its own, as one that a user adds, has the plain one."""
    module, _, kind = RUNBOOKS.get(name, "runbooks.runbook:Runbook").partition(":")
    found: type[Runbook] = getattr(import_module(f"peaktrade_core.{module}"), kind)
    return found
