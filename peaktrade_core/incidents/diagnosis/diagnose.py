"""The diagnosis of a session: what happened, from its artefacts, and what the handbook does then.

Whoever asks at three in the morning gets the same answer as an auditor a year later: nothing here rests on what
somebody remembers. PnL divergence, which takes a backtest, is :mod:`peaktrade_core.research.divergence`.
"""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.data_gap import data_gap
from peaktrade_core.incidents.diagnosis.ending import died, failed_session
from peaktrade_core.incidents.diagnosis.exchange import network, rate_limit
from peaktrade_core.incidents.diagnosis.facts import Facts
from peaktrade_core.incidents.diagnosis.findings import Diagnosis, Finding
from peaktrade_core.incidents.diagnosis.refusals import api_error, authentication, order_rejects
from peaktrade_core.incidents.diagnosis.risk_limit import risk_limit
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

KINDS = dg.KINDS
_FIND: dict[str, Callable[[Facts], Finding]] = {
    dg.NETWORK: network,
    dg.RATE_LIMIT: rate_limit,
    dg.AUTHENTICATION: authentication,
    dg.API_ERROR: api_error,
    dg.ORDER_REJECTS: order_rejects,
    dg.RISK_LIMIT: risk_limit,
    dg.DATA_GAP: data_gap,
    dg.FAILED_SESSION: failed_session,
    dg.DIED: died,
}


def diagnose(sources: Workspace, session_id: str) -> Diagnosis:
    """Return what a session's artefacts say of every kind of incident.

    Args:
        sources: a workspace, or whatever else has its views, alerts and trading states.
        session_id: of the session; ``latest`` for the one that started last.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    facts = Facts(sources, Views.of(sources).resolve(session_id))
    record = facts.record
    return Diagnosis(
        session_id=record.session_id,
        at=facts.now,
        mode=record.mode,
        status=record.status if facts.run_state != "died" else "died",
        symbol=record.symbol or "",
        events=facts.events,
        findings=tuple(_FIND[kind](facts) for kind in KINDS),
        faults=tuple(facts.faults),
    )
