"""The panels of the pages: each is one question to the read side and one template, filled with escaping on.

A view notebook shows them when the page is opened; the server makes the same ones again, by name, for the refresh. So
what a notebook arranges and what a refresh brings cannot differ. A panel that fails says so in words, in its own place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import jinja2

from peaktrade_core.adapters.registry import Query
from peaktrade_core.adapters.resources import share_dir
from peaktrade_core.adapters.trading_state import STATES
from peaktrade_core.domain.clock import iso
from peaktrade_core.domain.errors import ConfigError, PeaktradeError, UnknownNameError
from peaktrade_core.domain.records import MODES, STATUSES, UNREADABLE
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.dashboard.curve import Curve
from peaktrade_core.edge.dashboard.words import words
from peaktrade_core.services import wording
from peaktrade_core.services.error_help import next_step
from peaktrade_core.services.views import SessionRow

CONFIG_PATH = "PEAKTRADE_CONFIG_PATH"  # where a page's kernel finds the configuration that the server was given
SEVERITIES = ("green", "yellow", "red")
FINISHED = ("completed", "failed", "aborted")
PAGE_ROWS, MOST_ROWS = 50, 500
TREND_DAYS, TREND_ROWS = 30, 2000


class Filters(NamedTuple):
    """What the URL's query asks the sessions table to show; None means any."""

    mode: str | None = None
    status: str | None = None
    limit: int = PAGE_ROWS

    def link(self, **changed: Any) -> str:
        """Return the page's URL with some of the filters changed."""
        values = {name: value for name, value in self._replace(**changed)._asdict().items() if value is not None}
        if values["limit"] == PAGE_ROWS:
            del values["limit"]
        return f"/?{urlencode(values)}" if values else "/"


def read_filters(query: str) -> Filters:
    """Return the filters in a URL's query string; names that are not ours are passed over.

    Raises:
        UnknownNameError: a mode or status that does not exist.
        ConfigError: the limit is no number from 1 to 500.
    """
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    mode, status, limit = given.get("mode"), given.get("status"), given.get("limit", str(PAGE_ROWS))
    if mode is not None and mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    if status is not None and status not in (*STATUSES, UNREADABLE):
        raise UnknownNameError("status", status, (*STATUSES, UNREADABLE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_ROWS):
        raise ConfigError(f"limit = {limit!r} must be a whole number from 1 to {MOST_ROWS}")
    return Filters(mode, status, int(limit))


class Html(str):
    """Markup that a notebook shows as it is; only the panels' templates make it."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


class Page:
    """The panels of one view, for one query string.

    Args (of the constructor):
        open_workspace: returns the workspace; called by each panel, so that a broken one is said in the panel.
        query: the URL's query string.
    """

    def __init__(self, open_workspace: Callable[[], Workspace], query: str = "") -> None:
        self._open = open_workspace
        self._query = query

    def status(self) -> Html:
        """Show risk, trading state, running sessions and today's PnL."""
        return self.panel("status")

    def snapshot(self) -> Html:
        """Show the latest finished session."""
        return self.panel("snapshot")

    def trend(self) -> Html:
        """Show the realized PnL of the last 30 days."""
        return self.panel("trend")

    def sessions(self) -> Html:
        """Show the sessions that match the URL's filters."""
        return self.panel("sessions")

    def panel(self, name: str) -> Html:
        """Return one panel by name; its own failure becomes its content.

        Raises:
            UnknownNameError: there is no such panel.
        """
        if name not in PANELS:
            raise UnknownNameError("panel", name, sorted(PANELS))
        language = "en"
        try:
            workspace = self._open()
            language = workspace.config.ui.language
            return fill(name, language, PANELS[name](workspace, self._query))
        except PeaktradeError as error:
            message = str(error)
        except Exception as error:  # whatever it is, a page shows no traceback
            message = f"{type(error).__name__}: {error}"
        return fill("failed", language, {"name": name, "message": message, "filtered": bool(self._query)})


def open_page() -> Page:
    """Return the page that the server asked this kernel for; workspace and query string come from the environment."""
    workspace = cache(lambda: Workspace(config=os.environ.get(CONFIG_PATH)))
    return Page(workspace, os.environ.get("QUERY_STRING", ""))


@cache
def _templates() -> jinja2.Environment:
    """Return the panels' templates: escaping always on, a missing value is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(share_dir() / "templates" / "voila" / "panels"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "money",
        "percent",
        "count",
        "duration",
        "minute",
        "sign_class",
        "signed",
        "quote_currency",
        "short_id",
    ):
        env.filters[name] = getattr(wording, name)
    env.filters["iso"] = iso
    env.filters["next_step"] = next_step
    return env


def fill(name: str, language: str, context: dict[str, Any]) -> Html:
    """Return a filled template."""
    return Html(_templates().get_template(f"{name}.html.j2").render(w=words(language), **context))


def _status(workspace: Workspace, _: str) -> dict[str, Any]:
    """Answer: is all well, may anything trade, what runs, what did today bring?"""
    views = workspace.views
    now = views.now()
    rows = _rows_since(workspace, now.replace(hour=0, minute=0, second=0, microsecond=0))
    by_status = views.stats().by_status
    earned: dict[str, float] = {}
    for row in rows:
        if row.realized_pnl is not None and row.status in FINISHED:
            currency = wording.quote_currency(row.symbol)
            earned[currency] = earned.get(currency, 0.0) + row.realized_pnl
    return {
        "risk": max((row.risk_status for row in rows), key=SEVERITIES.index, default="green"),
        "trading": max(workspace.states.everything(), key=lambda state: STATES.index(state.state)),
        "running": by_status.get("started", 0),
        "unreadable": by_status.get(UNREADABLE, 0),
        "earned": sorted(earned.items()),
    }


def _rows_since(workspace: Workspace, moment: datetime, most: int | None = None) -> list[SessionRow]:
    """Return the sessions started at ``moment`` or later, newest first; at most ``most`` of them."""
    limit: int | None = 200
    while True:
        rows = workspace.views.rows(Query(limit=limit))
        started = [row for row in rows if row.started_at is not None and row.started_at >= moment]
        reached = any(row.started_at is not None and row.started_at < moment for row in rows)
        if limit is None or len(rows) < limit or reached or limit == most:
            return started
        limit = most if limit == 200 else None


def _snapshot(workspace: Workspace, _: str) -> dict[str, Any]:
    """Answer: how did the latest finished session end?"""
    found = [row for status in FINISHED for row in workspace.views.rows(Query(status=status, limit=1))]
    return {"row": max(found, key=_ended, default=None)}


def _ended(row: SessionRow) -> float:
    """Return when a session ended, or at least began [s since epoch]."""
    moment = row.ended_at or row.started_at
    return moment.timestamp() if moment else 0.0


def _trend(workspace: Workspace, _: str) -> dict[str, Any]:
    """Answer: where do the finished sessions of the last 30 days lead, in the currency of the latest?"""
    since = workspace.views.now() - timedelta(days=TREND_DAYS)
    rows = _rows_since(workspace, since, TREND_ROWS)
    done = sorted((row for row in rows if row.status in FINISHED and row.realized_pnl is not None), key=_ended)
    currency = wording.quote_currency(done[-1].symbol) if done else ""
    same = [row for row in done if wording.quote_currency(row.symbol) == currency]
    context = {"n": len(same), "currency": currency, "capped": len(rows) if len(rows) >= TREND_ROWS else None}
    if len(same) < 2:
        return {**context, "curve": None}
    earned = [row.realized_pnl or 0.0 for row in same]
    sums = list(accumulate(earned))
    return {
        **context,
        "curve": Curve(sums),
        "total": sums[-1],
        "best": max(earned),
        "worst": min(earned),
        "first": same[0].ended_at or same[0].started_at,
        "last": same[-1].ended_at or same[-1].started_at,
    }


def _sessions(workspace: Workspace, query: str) -> dict[str, Any]:
    """Answer: which sessions are there, under the filters of the URL?"""
    chosen = read_filters(query)
    views = workspace.views
    rows = views.rows(Query(limit=chosen.limit, mode=chosen.mode, status=chosen.status))
    statuses = views.stats(Query(mode=chosen.mode)).by_status
    return {
        "rows": rows,
        "total": statuses.get(chosen.status, 0) if chosen.status else sum(statuses.values()),
        "chosen": chosen,
        "modes": views.stats(Query(status=chosen.status)).by_mode,
        "statuses": statuses,
        "any": bool(rows or views.rows(Query(limit=1))),
        "more": min(MOST_ROWS, chosen.limit * 4),
    }


PANELS: dict[str, Callable[[Workspace, str], dict[str, Any]]] = {
    "status": _status,
    "snapshot": _snapshot,
    "trend": _trend,
    "sessions": _sessions,
}
