"""What every notebook works with, and which class is whose.

A class is found by the notebook's name, in the room that does its work, and loaded when the notebook is opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.resources import named
from peaktrade_core.runbooks.notebooks.parameters import Parameter
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.runbooks.pickers import Suggestion
    from peaktrade_core.runbooks.runbook import Runbook

REPORTS = {
    "daily_report": "reports.period:DailyReport",
    "drill_report": "drills.report:DrillReport",
    "incident_report": "incidents.report:IncidentReport",
    "post_mortem": "incidents.report:PostMortemReport",
    "self_assessment": "drills.assessment:SelfAssessment",
    "session_report": "reports.session_reports:SessionReport",
    "weekly_incident_review": "incidents.review:WeeklyReview",
    "weekly_report": "reports.period:WeeklyReport",
}
RUNBOOKS = {
    "alert_handling": "alerts.questions:AlertHandlingRunbook",
    "backup_restore": "control.backup.runbook:BackupRunbook",
    "backtest": "control.playbook:BacktestRunbook",
    "change": "control.changing.runbook:ChangeRunbook",
    "audit_round": "drills.audit_round:AuditRound",
    "health_check": "desk.health_check:HealthRunbook",
    "drill": "drills.runbook:DrillRunbook",
    "incident_data_gap": "incidents.runbooks:DataGapRunbook",
    "incident_exchange_error": "incidents.runbooks:ExchangeErrorRunbook",
    "incident_failed_session": "incidents.runbooks:FailedSessionRunbook",
    "incident_pnl_divergence": "incidents.runbooks:DivergenceRunbook",
    "incident_risk_limit": "incidents.runbooks:RiskLimitRunbook",
    "kill_switch": "desk.kill_switch:KillSwitchRunbook",
    "live_start": "control.live_start:LiveStartRunbook",
    "live_track_watch": "dashboard.watching.live_track_watch:LiveTrackRunbook",
    "monitoring_round": "dashboard.watching.monitoring_round:MonitoringRunbook",
    "orchestrator": "desk.orchestrator:OrchestratorRunbook",
    "post_session_check": "reports.session_reports:PostSessionRunbook",
    "pre_session_check": "dashboard.watching.pre_session_check:PreSessionRunbook",
    "rnd_playbook": "control.playbook:PlaybookRunbook",
    "restart_after_maintenance": "dashboard.watching.restart_after_maintenance:RestartRunbook",
    "safe_stop": "desk.safe_stop:SafeStopRunbook",
    "session_explorer": "dashboard.watching.explorer:SessionExplorerRunbook",
    "session_run": "desk.session_run:SessionRunbook",
    "testnet_run": "desk.session_run:TestnetRunbook",
    "watch_only": "dashboard.watching.watch_only:WatchOnlyRunbook",
}


ANEW = ("answers", "resume")  # what of the parameters is not what an execution is about
URGENT = {"kill_switch": "desk.kill_switch:ENGAGE_NOW"}


class Urgent(NamedTuple):
    """What cannot wait for the steps of a notebook: a red button in its first screen, two clicks.

    Attributes:
        label: of the button; meaning: what happens, in a sentence.
        act: does it, given the workspace, the operator's name (may be empty) and a reason, and returns what came of it.
    """

    label: str
    meaning: str
    act: Callable[[Workspace, str, str], str]


class Notebook:
    """What every notebook works with; what only one does is in a subclass, a method a cell.

    Attributes:
        workspace: where it works; given: the notebook's parameters, by name.
    """

    def __init__(self, workspace: Workspace, given: SimpleNamespace) -> None:
        self.workspace, self.given = workspace, given

    @classmethod
    def offered(cls, parameter: str, workspace: Workspace) -> list[Suggestion]:
        """Return what only this notebook offers for a parameter, before what all of them do."""
        del parameter, workspace
        return []

    def links(self, *names: str) -> Table:
        """Return where to go on: notebooks by name, each with its purpose and its command."""
        from peaktrade_core.runbooks.notebook_tables import links

        return links(*names)


def read(name: str, workspace: Workspace | None = None, **given: Any) -> Any:
    """Open a report, which leaves no evidence, and return it: a :class:`Notebook` of the report's own kind.

    Args:
        name: of the notebook.
        workspace: where; None for the one that the notebook is in.
        given: parameters over those of the notebook's cell (and, outside a notebook, over its defaults).

    Raises:
        UnknownNameError: there is no such notebook, or it has no such parameter.
    """
    from peaktrade_core.runbooks.notebook import open_workspace
    from peaktrade_core.runbooks.runbooks import find_runbook

    return report_of(name)(workspace or open_workspace(), given_to(find_runbook(name).parameters, given))


def given_to(parameters: Sequence[Parameter], given: dict[str, Any]) -> SimpleNamespace:
    """Return a notebook's parameters: what is given, else what its cell has set, else the default.

    Raises:
        UnknownNameError: something is given that it does not take.
    """
    space = namespace()
    values = {one.name: space.get(one.name, one.default) for one in parameters}
    if unknown := sorted(set(given) - set(values)):
        raise UnknownNameError("parameter", unknown[0], sorted(values))
    return SimpleNamespace(**{**values, **given})


def as_begun(values: SimpleNamespace, parameters: Sequence[Parameter], begun: Mapping[str, Any]) -> SimpleNamespace:
    """Return the parameters of an execution that is taken up: where one is as it is by default, the value it was begun with.

    Args:
        values: as they are now; parameters: of the notebook.
        begun: what the record says; how it is taken up and answered is not of it.
    """
    fixed = [one for one in parameters if one.name in begun and one.name not in ANEW]
    kept = {one.name: begun[one.name] for one in fixed if getattr(values, one.name) == one.default}
    return SimpleNamespace(**{**vars(values), **kept})


def namespace() -> dict[str, Any]:
    """Return the names that the notebook's cells have set; outside a notebook there are none."""
    ipython = sys.modules.get("IPython")  # loaded where there is a notebook; to load it for nothing takes long
    shell = ipython.get_ipython() if ipython is not None else None
    return shell.user_ns if shell is not None else {}


def kind_of(name: str) -> type[Runbook]:
    """Return the class of a runbook; a notebook that has none of its own, as one that a user adds, has the plain one."""
    found: type[Runbook] = named(RUNBOOKS.get(name, "runbooks.runbook:Runbook"))
    return found


def report_of(name: str) -> type[Notebook]:
    """Return the class of a report; the plain one as for runbooks."""
    found: type[Notebook] = named(REPORTS.get(name, "runbooks.shelf:Notebook"))
    return found


def urgent_of(name: str) -> Urgent | None:
    """Return what of a notebook cannot wait; None for most."""
    found: Urgent | None = named(URGENT[name]) if name in URGENT else None
    return found
