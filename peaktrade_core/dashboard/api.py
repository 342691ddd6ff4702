"""The API: one line a route in :data:`ROUTES`, and the questions behind them. Everything is GET and only reads.

Ids are matched against the registry and the run folders, never joined to a path. Filters apply before limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_type_hints
from urllib.parse import urlencode

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, ConfigError, SessionNotFoundError, UnknownNameError
from peaktrade_core.dashboard import documents, snapshot
from peaktrade_core.dashboard.answers import (
    EventItem,
    EventsAnswer,
    ExperimentAnswer,
    Health,
    ListAnswer,
    PanelsAnswer,
    RunSnapshot,
    SessionAnswer,
    TailBar,
    csv_text,
)
from peaktrade_core.dashboard.labs.shelf import LabEntry
from peaktrade_core.dashboard.panels import PANELS, Page
from peaktrade_core.dashboard.panels.listing import LISTINGS
from peaktrade_core.dashboard.routes import STRETCH, Param, Route
from peaktrade_core.dashboard.site import Site
from peaktrade_core.dashboard.trust.ledger import (
    ENTRIES,
    MOST,
    LedgerAnswer,
    RequestAnswer,
    ledger_answer,
    request_answer,
)
from peaktrade_core.records.registry import Query
from peaktrade_core.reports.activity import KINDS, Activity, ActivityFeed
from peaktrade_core.research.experiments.page import shown
from peaktrade_core.runs.curves import Curves, TimeRange
from peaktrade_core.runs.run import RunItem, item_of
from peaktrade_core.runs.standing import RunAlert
from peaktrade_core.runs.sums import Stats
from peaktrade_core.runs.telling import EVENT_KINDS, kind_of
from peaktrade_core.runs.trades import TradeList, TradeRow
from peaktrade_core.runs.views import Views
from peaktrade_core.show.listing import DEEPEST, LONGEST_AGE, MOST_ROWS, PAGE_ROWS, Listing
from peaktrade_core.trading.records import ASKED_STATUSES, MODES


def health(site: Site) -> Health:  # noqa: ARG001  (every answer takes the site)
    """Say that the server is there."""
    return Health()


def sessions(site: Site, limit: int, mode: str | None, status: str | None) -> list[RunItem]:
    """List sessions, newest first; a file that cannot be read is an item with status unreadable."""
    return [item_of(run) for run in Views.of(site.workspace).rows(Query(limit=limit, mode=mode, status=status))]


def stats(site: Site, mode: str | None, status: str | None) -> Stats:
    """Count and sum the sessions; money of several currencies is never added."""
    return Views.of(site.workspace).stats(Query(mode=mode, status=status))


def session(site: Site, session_id: str) -> SessionAnswer:
    """Show one session with its configuration, metrics and command line."""
    look = Views.of(site.workspace).look(session_id)
    return SessionAnswer.of(look.run, look.record)


def session_curves(site: Site, session_id: str, since: datetime | None, until: datetime | None, points: int) -> Curves:
    """Show the curves of a session, or of a range of it, thinned out around the extremes of just that range."""
    views = Views.of(site.workspace)
    views.check_recorded(session_id)
    return views.curves(session_id, points, TimeRange(since, until))


def session_trades(site: Site, session_id: str) -> TradeList:
    """List the trades of a session, oldest first, with why each was opened and closed, and the figures of the run."""
    views = Views.of(site.workspace)
    views.check_recorded(session_id)
    return views.look(session_id).trades


def runs(site: Site, limit: int) -> list[RunItem]:
    """List runs, those that run first, then newest first."""
    return [item_of(run) for run in Views.of(site.workspace).runs(limit)]


def run_snapshot(site: Site, run_id: str) -> RunSnapshot:
    """Show how one run stands."""
    look = Views.of(site.workspace).look(run_id)
    try:
        orders = look.record.metric("orders_generated")
    except SessionNotFoundError:
        orders = None
    return RunSnapshot.of(look.run, None if orders is None else int(orders))


def run_tail(site: Site, run_id: str, limit: int) -> list[TailBar]:
    """List the last bars of a run, oldest first."""
    Views.of(site.workspace).run(run_id)
    return [TailBar.of(bar) for bar in Views.of(site.workspace).tail(run_id, limit)]


def run_alerts(site: Site, run_id: str, limit: int) -> list[RunAlert]:
    """List the last alerts of a run, newest first."""
    Views.of(site.workspace).run(run_id)
    return Views.of(site.workspace).run_alerts(run_id, limit)


def activity(site: Site, limit: int, kind: str | None, since: datetime | None) -> list[Activity]:
    """List what the suite and its automation did, newest first."""
    return ActivityFeed.of(site.workspace)(limit, kinds=(kind,) if kind else None, since=since)


def alerts(site: Site, state: str | None, run_id: str | None, limit: int) -> list[AlertRow]:
    """List alerts, newest first."""
    return Alerts.of(site.workspace).rows(state=state, run_id=run_id, limit=limit)


def session_events(site: Site, session_id: str, kind: str | None, limit: int, offset: int) -> EventsAnswer:
    """List what happened in a session, newest first, with how much there is of each kind; the bars' events are not among it."""
    found, counts = _events_of(site, session_id, kind)
    rows = found[offset : offset + limit]
    return EventsAnswer(total=len(found), offset=offset, kinds=counts, events=rows)


def session_events_csv(site: Site, session_id: str, kind: str | None) -> str:
    """List all that happened in a session, newest first, as CSV."""
    return csv_text(_events_of(site, session_id, kind)[0], EventItem.__struct_fields__)


def _events_of(site: Site, session_id: str, kind: str | None) -> tuple[list[EventItem], dict[str, int]]:
    views = Views.of(site.workspace)
    views.check_recorded(session_id)
    happened = views.look(session_id).journal.happened
    counts = Counter(map(kind_of, happened))
    return [EventItem.of(event) for event in reversed(happened) if kind in (None, kind_of(event))], dict(counts)


def session_trades_csv(site: Site, session_id: str) -> str:
    """List the trades of a session, oldest first, as CSV."""
    return csv_text(session_trades(site, session_id).trades, TradeRow.__struct_fields__)


def ledger(site: Site, limit: int) -> LedgerAnswer:
    """Show the ledger: whether it is the one it was, its heads, its newest entries, the requests that wait."""
    return ledger_answer(site.workspace, limit)


def request(site: Site, request_id: str) -> RequestAnswer:
    """Show one request: the text that is signed, who signed, who still must."""
    try:
        return request_answer(site.workspace, request_id)
    except UnknownNameError as error:  # an address of nothing, no wrong parameter
        raise ArtefactError(str(error)) from None


def experiment(site: Site, experiment_id: str) -> ExperimentAnswer:
    """Show one experiment: its verdict, equity, what is held back, the map of a sweep, and the sessions that decide so."""
    try:
        return ExperimentAnswer.of(shown(site.workspace, experiment_id))
    except UnknownNameError as error:  # an id in the path, as of a session: there is no such thing
        raise ArtefactError(str(error)) from None


def labs(site: Site) -> list[LabEntry]:
    """List the labs: notebooks with widgets, opened at /lab/NAME."""
    return site.shelf.labs()


def status_json(site: Site) -> snapshot.Snapshot:
    """Show everything at once: panels sorted by id; the same state gives the same bytes apart from generated_at."""
    return snapshot.take(site.workspace)


def status_html(site: Site) -> str:
    """Show the status snapshot as one HTML file that needs nothing else."""
    return documents.snapshot_html(snapshot.take(site.workspace))


def panels(site: Site, panel: list[str], query: str, subject: str | None) -> PanelsAnswer:
    """Bring the panels of an open page anew, as HTML."""
    page = Page(lambda: site.workspace, query, subject or None)
    made = {name: str(page.panel(name)) for name in dict.fromkeys(panel)}
    stands = page.asked.stands(site.workspace)
    return PanelsAnswer(iso(Views.of(site.workspace).now()), made, stands.status, stands.why)


def metrics(site: Site) -> str:
    """Tell Prometheus the figures."""
    return site.meter.text(site.workspace, site.kernels)


def docs(site: Site) -> str:
    """Describe this API on a page."""
    return documents.docs_html(ROUTES, site.told["version"])


def openapi(site: Site) -> dict[str, Any]:  # noqa: ARG001
    """Describe this API for programs, as OpenAPI."""
    return documents.openapi(ROUTES)


MOST_LINES = 100_000  # of a file of CSV


def _list_routes(listing: Listing[Any]) -> tuple[Route, Route]:
    """Return the two routes of a listing, which take what its page takes: JSON a page at a time, and CSV whole."""
    path = f"/api/{listing.name}"

    def page(site: Site, **asked: Any) -> ListAnswer:
        chosen = listing.read(_query(asked))
        found = listing.ask(site.workspace, chosen)
        after = chosen.offset + len(found.rows)
        return ListAnswer(
            total=found.total,
            offset=chosen.offset,
            rows=[listing.item(thing) for thing in found.rows],
            facets={name: dict(values) for name, values in found.facets.items()},
            next=listing.address(chosen, path, offset=after) if found.rows and after < found.total else None,
            csv=listing.address(chosen, f"{path}.csv"),
        )

    def lines(site: Site, **asked: Any) -> str:
        chosen = listing.read(_query(asked))._replace(limit=MOST_LINES, offset=0)
        found = listing.ask(site.workspace, chosen)
        if found.total > MOST_LINES:
            raise ConfigError(f"{found.total:,} match, a file takes {MOST_LINES:,}; narrow it with since and until")
        return csv_text(map(listing.item, found.rows), get_type_hints(listing.item)["return"].__struct_fields__)

    page.__doc__ = f"List {listing.name} as their page does: searched, narrowed down, sorted, a page at a time."
    lines.__doc__ = f"List all {listing.name} that match, as CSV."
    params = _list_params(listing)
    return Route(path, page, params), Route(f"{path}.csv", lines, params, media="text/csv")


def _list_params(listing: Listing[Any]) -> tuple[Param, ...]:
    """Return what a listing's routes take."""
    return (
        Param("q", "Words that must all stand in it: id, strategy, symbol, notes, tags …"),
        *(Param(one.name, f"Only this {one.name}.", choices=one.choices) for one in listing.facets),
        Param("since", "From this day or time on, UTC.", moment=True, as_written=True),
        Param("until", "Until this day or time, UTC; a day as a whole.", moment=True, as_written=True),
        Param("days", "Only of the last so many days, without since.", low=1, high=LONGEST_AGE),
        Param("sort", "By this column instead of the newest first.", choices=listing.sorts),
        Param("order", "The largest first, or the smallest.", choices=("asc", "desc")),
        Param("limit", "Rows of a page; a file of CSV has them all.", PAGE_ROWS, 1, MOST_ROWS),
        Param("offset", "How many to pass over.", 0, 0, DEEPEST),
    )


def _query(asked: Mapping[str, Any]) -> str:
    return urlencode({name: value for name, value in asked.items() if value is not None})


_MODE = Param("mode", "Only sessions of this mode.", choices=MODES)
_STATUS = Param("status", "Only sessions with this status.", choices=ASKED_STATUSES)
_KIND = Param("kind", "Only events of this kind.", choices=EVENT_KINDS)
_HTML, _TEXT, _CSV = "text/html", "text/plain", "text/csv"


def _limit(default: int, most: int) -> Param:
    """Return the parameter that bounds a list."""
    return Param("limit", "At most so many; filters apply before.", default, 1, most)


ROUTES = (
    Route("/api/health", health, aliases=("/health",)),
    Route("/api/live_sessions", sessions, (_limit(50, 500), _MODE, _STATUS)),
    Route("/api/live_sessions/stats", stats, (_MODE, _STATUS)),
    Route("/api/live_sessions/{session_id}", session),
    Route(
        "/api/live_sessions/{session_id}/curves",
        session_curves,
        (*STRETCH, Param("points", "About so many bars; a range with fewer comes whole.", 2000, 10, 20_000)),
    ),
    Route("/api/live_sessions/{session_id}/trades", session_trades),
    Route("/api/live_sessions/{session_id}/trades.csv", session_trades_csv, media=_CSV),
    Route(
        "/api/live_sessions/{session_id}/events",
        session_events,
        (_KIND, _limit(100, 1000), Param("offset", "How many newer ones are passed over.", 0, 0, 99_999_999)),
    ),
    Route("/api/live_sessions/{session_id}/events.csv", session_events_csv, (_KIND,), media=_CSV),
    *(route for listing in LISTINGS for route in _list_routes(listing)),
    Route("/api/experiments/{experiment_id}", experiment),
    Route("/runs", runs, (_limit(200, 1000),)),
    Route("/runs/{run_id}/snapshot", run_snapshot),
    Route("/runs/{run_id}/tail", run_tail, (_limit(50, 500),)),
    Route("/runs/{run_id}/alerts", run_alerts, (_limit(20, 100),)),
    Route(
        "/api/activity",
        activity,
        (
            _limit(100, 500),
            Param("kind", "Only this kind.", choices=KINDS),
            STRETCH[0],
        ),
    ),
    Route(
        "/api/alerts",
        alerts,
        (
            Param("state", "Only alerts in this state.", choices=("raised", "cleared")),
            Param("run_id", "Only alerts about this run."),
            _limit(100, 500),
        ),
    ),
    Route("/api/ledger", ledger, (_limit(ENTRIES, MOST),)),
    Route("/api/requests/{request_id}", request),
    Route("/api/labs", labs),
    Route("/api/live/status/snapshot.json", status_json),
    Route("/api/live/status/snapshot.html", status_html, media=_HTML),
    Route(
        "/api/panels",
        panels,
        (
            Param("panel", "Which panels, by name.", choices=tuple(sorted(PANELS)), many=True),
            Param("query", "The page's own query string.", ""),
            Param("subject", "The id in the page's path."),
        ),
    ),
    Route("/metrics", metrics, media=_TEXT),
    Route("/docs", docs, media=_HTML),
    Route("/openapi.json", openapi),
)
