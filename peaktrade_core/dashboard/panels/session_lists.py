"""What a session's page lists: its trades, sorted, and what happened, by kind; a page of each at a time, in the address."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote, urlencode

from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.routes import Param, read_query
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.telling import kind_of, tell
from peaktrade_core.runs.trades import TradeRow, figure_text
from peaktrade_core.workspace.workspace import Workspace

TRADES, EVENTS = 12, 20  # rows of a page
MOST = 99_999_999
SORTS = ("number", "qty", "pnl", "bps", "duration")
TRADES_FROM = Param("trades_from", "How many trades are passed over.", 0, 0, MOST)
TRADES_SORT = Param(
    "trades_sort", "By what the trades are sorted.", "-number", choices=(*SORTS, *(f"-{name}" for name in SORTS))
)
EVENTS_FROM = Param("events_from", "How many newer events are passed over.", 0, 0, MOST)


class Pages:
    """A list on the page of a session: the part of it that the address asks for, and the addresses of the others.

    Args (of the constructor):
        look: at the session; given: the fields of the address; first: the parameter that says where the list begins.
        panel: which shows it.
    """

    def __init__(self, look: Look, given: dict[str, list[str]], first: Param, panel: str) -> None:
        self._look, self._given, self._first, self._panel = look, given, first, panel
        self.offset: int = first.read(given.get(first.name, []))

    def link(self, **changed: object) -> str:
        """Return the address of the page with something of the list changed; its first rows, unless that is changed."""
        kept = {name: values[-1] for name, values in self._given.items() if name != self._first.name}
        fields = {name: value for name, value in (kept | changed).items() if value not in (None, "")}
        return f"/session/{quote(self._look.run_id)}?{urlencode(fields)}#{self._panel}-title"

    def around(self, n: int, size: int) -> dict[str, Any]:
        """Return what a pager says of ``n`` rows in parts of ``size``: the first and last shown, and the links."""
        before, after = max(0, self.offset - size), self.offset + size
        return {
            "first": min(self.offset + 1, n),
            "last": min(after, n),
            "n": n,
            "before": self.link(**{self._first.name: before or None}) if self.offset else "",
            "after": self.link(**{self._first.name: after}) if after < n else "",
        }


def _worth(row: TradeRow, name: str) -> float:
    """Return by what a trade is sorted; what is not known comes last, whichever way."""
    value = row.duration_seconds if name == "duration" else getattr(row, name)
    return float("-inf") if value is None else float(value)


@panel("session_trades")
def _trades(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what did it trade, why, and what did each trade and all of them bring?"""
    look, given = asked.look(workspace), read_query(asked.query)
    pages = Pages(look, given, TRADES_FROM, "session_trades")
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
        "rows": rows[pages.offset : pages.offset + TRADES],
        "pager": pages.around(len(rows), TRADES),
        "sorts": {one: (pages.link(trades_sort=f"-{one}" if sort != f"-{one}" else one), _sorted(sort, one)) for one in SORTS},
    }  # fmt: skip


def _sorted(sort: str, name: str) -> str:
    """Return how a list is sorted by a column, as ``aria-sort`` says it; empty where it is not."""
    return "descending" if sort == f"-{name}" else "ascending" if sort == name else ""


@panel("session_events")
def _events(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what happened, by kind, newest first? The bars' own events are not among it: the curves show them."""
    look, given = asked.look(workspace), read_query(asked.query)
    happened = look.journal.happened
    counts = Counter(map(kind_of, happened))
    kind = Param("event", "Only events of this kind.", choices=tuple(counts)).read(given.get("event", []))
    chosen = [event for event in happened if kind in (None, kind_of(event))]
    pages = Pages(look, given, EVENTS_FROM, "session_events")
    last = len(chosen) - pages.offset
    return {
        "final": look.record.status != "started",
        "session_id": look.run_id,
        "faults": look.journal.faults,
        "kind": kind,
        "n": len(happened),
        "all": pages.link(event=None),
        "kinds": [(name, n, pages.link(event=name)) for name, n in counts.most_common()],
        "events": tell(chosen[max(0, last - EVENTS) : max(0, last)]),
        "pager": pages.around(len(chosen), EVENTS),
    }
