"""The one list of sessions: every run that has a record, answered by the registry's index."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from peaktrade_core.records.lookups import COUNTED
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.columns import RUNS
from peaktrade_core.runs.run import Run, item_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.listing import CHOICES, Chosen, Facet, Found, Listing
from peaktrade_core.trading.records import ASKED_STATUSES, MODES, RUNNING, STARTED
from peaktrade_core.workspace.workspace import Workspace

_FACETS = {{"risk_status": "risk"}.get(column, column): column for column in COUNTED}
_SORTS = {"started": "sorts_at", "ended": "finished_at", "duration": "duration", "total": "total_pnl",
          "realized": "realized_pnl", "drawdown": "max_drawdown", "orders": "num_orders", "denied": "orders_blocked",
          "step": "steps", "equity": "equity_end", "strategy": "strategy", "symbol": "symbol", "mode": "mode"}  # fmt: skip
_CHOICES = {"status": ASKED_STATUSES, "mode": MODES, "risk": ("green", "yellow", "red")}
"""By the name in an address: the index's column, and what may be chosen where that is known."""


def session_query(chosen: Chosen, views: Views) -> Query:
    """Return what an address asks as a question to the registry."""
    since, until = chosen.range(views.now())
    facets: dict[str, Any] = {_FACETS[name]: value for name, value in chosen.facets.items()}
    return Query(
        **facets,
        words=tuple(chosen.words),
        since=since,
        until=until,
        sort=_SORTS.get(chosen.sort),
        rising=chosen.rising,
        limit=chosen.limit,
        offset=chosen.offset,
    )


def _ask(workspace: Workspace, chosen: Chosen) -> Found[Run]:
    views = Views.of(workspace)
    query = session_query(chosen, views)
    total, counts = Registry.of(workspace).facets(tuple(_FACETS.values()), query, CHOICES)
    return Found(views.rows(query), total, {name: counts[column] for name, column in _FACETS.items()})


SESSION_LIST = Listing[Run](
    name="sessions",
    path="/sessions",
    columns=RUNS,
    lead="name",
    shown="state total realized drawdown orders started span duration mode",
    more="ended denied equity step risk strategy symbol timeframe feed tags notes",
    facets=tuple(Facet(name, _CHOICES.get(name, ()), {RUNNING: STARTED}) for name in _FACETS),
    sorts=tuple(_SORTS),
    latest="started",
    key=lambda run: run.run_id,
    link=lambda run: "" if run.status == "unreadable" else f"/session/{quote(run.run_id, safe='')}",
    item=item_of,
    ask=_ask,
    command="peaktrade session run --mode shadow --strategy ma_crossover",
    compare="/lab/compare",
)
