"""What a session's page lists: its trades, sorted, and what happened, by kind; a page of each at a time, in the address."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.dashboard.routes import Param, read_query
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.telling import kind_of, tell
from peaktrade_core.runs.trades import TradeRow, figure_text
from peaktrade_core.show.listing import Pager
from peaktrade_core.workspace.workspace import Workspace

TRADES, EVENTS = 12, 20  # rows of a page
MOST = 99_999_999
SORTS = ("number", "qty", "pnl", "bps", "duration")
TRADES_FROM = Param("trades_from", "How many trades are passed over.", 0, 0, MOST)
TRADES_SORT = Param(
    "trades_sort", "By what the trades are sorted.", "-number", choices=(*SORTS, *(f"-{name}" for name in SORTS))
)
EVENTS_FROM = Param("events_from", "How many newer events are passed over.", 0, 0, MOST)


def _address(look: Look, given: dict[str, list[str]], panel: str, **changed: object) -> str:
    """Return the address of a session's page at one of its lists, with something of what was asked changed."""
    fields = {name: values[-1] for name, values in given.items()} | changed
    pairs = {name: value for name, value in fields.items() if value not in (None, "", 0)}
    return f"/session/{quote(look.run_id)}?{urlencode(pairs)}#{panel}-title"


def _worth(row: TradeRow, name: str) -> float:
    """Return by what a trade is sorted; what is not known comes last, whichever way."""
    value = row.duration_seconds if name == "duration" else getattr(row, name)
    return float("-inf") if value is None else float(value)


@panel("session_trades")
def _trades(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what did it trade, why, and what did each trade and all of them bring?"""
    look, given = asked.look(workspace), read_query(asked.query)
    offset: int = TRADES_FROM.read(given.get(TRADES_FROM.name, []))
    address = partial(_address, look, given, "session_trades")
    sort: str = TRADES_SORT.read(given.get(TRADES_SORT.name, []))
    name = sort.removeprefix("-")
    found = look.trades
    defined = [one for one in found.figures if one.value is not None]
    rows = sorted(found.trades, key=lambda row: _worth(row, name), reverse=sort.startswith("-"))
    return {
        "final": look.record.status != "started",
        "session_id": look.run_id,
        "found": found,
        "figures": {one.name: (figure_text(one, found.currency), one.definition) for one in defined},
        "rows": rows[offset : offset + TRADES],
        "pager": Pager.of(offset, TRADES, len(rows), lambda offset: address(trades_from=offset)),
        "sorts": {
            one: (address(trades_from=0, trades_sort=f"-{one}" if sort != f"-{one}" else one), _sorted(sort, one))
            for one in SORTS
        },
    }


def _sorted(sort: str, name: str) -> str:
    """Return how a list is sorted by a column, as ``aria-sort`` says it; empty where it is not."""
    return "descending" if sort == f"-{name}" else "ascending" if sort == name else ""


@panel("session_events")
def _events(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what happened, by kind, newest first? The bars' own events are not among it: the curves show them."""
    look, given = asked.look(workspace), read_query(asked.query)
    happened = look.journal.happened
    counts = Counter(map(kind_of, happened))
    kind = Param("event", "Only events of this kind.", choices=tuple(counts)).read(given.get("event", []))
    chosen = [event for event in happened if kind in (None, kind_of(event))]
    offset: int = EVENTS_FROM.read(given.get(EVENTS_FROM.name, []))
    address = partial(_address, look, given, "session_events")
    last = len(chosen) - offset
    return {
        "final": look.record.status != "started",
        "session_id": look.run_id,
        "faults": look.journal.faults,
        "kind": kind,
        "n": len(happened),
        "all": address(events_from=0, event=None),
        "kinds": [(name, n, address(events_from=0, event=name)) for name, n in counts.most_common()],
        "events": tell(chosen[max(0, last - EVENTS) : max(0, last)]),
        "pager": Pager.of(offset, EVENTS, len(chosen), lambda offset: address(events_from=offset)),
    }
