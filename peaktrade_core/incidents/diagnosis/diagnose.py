"""The diagnosis of a session: what happened, from its artefacts, and what the handbook does then.

An operator at three in the morning gets the same answer as an auditor a year later: nothing here rests on memory. PnL
divergence, which takes a backtest, is :mod:`peaktrade_core.incidents.divergence`.
"""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.incidents.diagnosis.bars import data_gap
from peaktrade_core.incidents.diagnosis.facts import SessionFacts
from peaktrade_core.incidents.diagnosis.findings import DIAGNOSED, Diagnosis, Occurrence
from peaktrade_core.incidents.diagnosis.session import died, failed_session, risk_limit
from peaktrade_core.incidents.diagnosis.venue import api_error, authentication, network, order_rejects, rate_limit
from peaktrade_core.runs.handbook import Kind
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

_FIND: dict[Kind, Callable[[SessionFacts], Occurrence]] = {
    "network": network,
    "rate_limit": rate_limit,
    "authentication": authentication,
    "api_error": api_error,
    "order_rejects": order_rejects,
    "risk_limit": risk_limit,
    "data_gap": data_gap,
    "failed_session": failed_session,
    "died": died,
}


def diagnose(workspace: Workspace, session_id: str) -> Diagnosis:
    """Return what a session's artefacts say of every kind of incident.

    Args:
        workspace: where it ran.
        session_id: of the session; ``latest`` for the one that started last.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    facts = SessionFacts(workspace, Views.of(workspace).resolve(session_id))
    record = facts.record
    return Diagnosis(
        session_id=record.session_id,
        at=facts.now,
        mode=record.mode,
        status=record.status if facts.run_state != "died" else "died",
        symbol=record.symbol or "",
        events=facts.events,
        findings=tuple(_FIND[kind](facts) for kind in DIAGNOSED),
        faults=tuple(facts.faults),
    )
