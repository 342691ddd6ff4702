"""A session under an incident runbook: which one is meant, its diagnosis, and what of it the runbook treats."""

from __future__ import annotations

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.scope import Scope
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.incidents.diagnosis.findings import Diagnosis, Occurrence
from peaktrade_core.runbooks.notebook import Session, open_session
from peaktrade_core.runs.handbook import COMPARED, handbook
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import Workspace

NOTHING = "It did not happen in this session."


class Case:
    """One session under an incident runbook.

    Attributes:
        session, diagnosis: what is looked at; kinds: what the runbook treats; notebook: its name.
        finding: the worst of those kinds that happened, None when none did.
    """

    def __init__(self, workspace: Workspace, notebook: str, session: Session, diagnosis: Diagnosis) -> None:
        self.workspace, self.notebook, self.session, self.diagnosis = workspace, notebook, session, diagnosis
        self.kinds = tuple(kind for kind in handbook().kinds_of(notebook) if kind != COMPARED)
        self.finding: Occurrence | None = diagnosis.worst(*self.kinds)

    def __repr__(self) -> str:
        return f"{self.id}: {self.finding.kind if self.finding else 'nothing that this runbook treats'}"

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def happened(self) -> tuple[Occurrence, ...]:
        """What happened of the kinds that the runbook treats, the worst first."""
        return tuple(finding for finding in self.diagnosis.happened if finding.kind in self.kinds)

    @property
    def scope(self) -> str:
        """The trading-state scope of the session, empty where the record does not say."""
        record = self.session.record
        strategy, symbol = record.setting("strategy_name"), record.symbol
        return Scope.of(record.mode, strategy, symbol).text if isinstance(strategy, str) and symbol else ""


def open_case(workspace: Workspace, notebook: str, session_id: str) -> Case:
    """Return a session under an incident runbook, diagnosed.

    Args:
        workspace: where; notebook: which runbook; session_id: of the session.

    Raises:
        SessionNotFoundError: no session has that id.
    """
    recover(workspace)
    session = open_session(workspace, session_id)
    return Case(workspace, notebook, session, diagnose(workspace, session.id))


def session_of_alert(workspace: Workspace, alert_id: str, session_id: str = "latest") -> str:
    """Return the session that an alert is about.

    Args:
        workspace: where; alert_id: of the alert; session_id: what else was named.

    Raises:
        UnknownNameError: no alert has that id.
        ConfigError: it is not about a session, or about another than the one that is named.
    """
    row = Alerts.of(workspace).row(alert_id)
    if not row.run_id:
        raise ConfigError(f"alert {row.alert_id} is not about a session ({row.message}); give session_id instead")
    if session_id not in ("latest", row.run_id):
        raise ConfigError(f"alert {row.alert_id} is about {row.run_id}, not about {session_id}; give one of them")
    return row.run_id
