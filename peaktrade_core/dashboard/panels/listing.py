"""Lists: one panel and one template for every listing, with search, facets, range, columns, sorting and both ways of paging."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.dashboard.papers import PAPER_LIST
from peaktrade_core.research.experiments.listing import EXPERIMENT_LIST
from peaktrade_core.runs.listing import SESSION_LIST
from peaktrade_core.show.listing import MOST_ROWS, Chosen, Found, Listing, Pager, query_of
from peaktrade_core.show.table import Cell
from peaktrade_core.workspace.workspace import Workspace

LISTINGS: tuple[Listing[Any], ...] = (SESSION_LIST, PAPER_LIST, EXPERIMENT_LIST)
DAYS, SIZES = (1, 7, 30, 90), (50, 200, MOST_ROWS)
BRIEF_ROWS = 10


class ListRow(NamedTuple):
    """A row of a list: the thing, its id, the address of its page, its name and what stands in the other columns."""

    thing: Any
    key: str
    link: str
    lead: Cell
    cells: list[Cell | datetime]


def list_page(workspace: Workspace, asked: Visit, listing: Listing[Any], *, brief: bool = False) -> dict[str, Any]:
    """Return what the template of lists shows.

    Args:
        brief: only its newest things, for a page that leads to the list; what the address asks is asked all the same.
    """
    chosen = listing.read(asked.query)
    columns = listing.picked(chosen)
    short = brief and not query_of(chosen)
    found = listing.ask(workspace, chosen._replace(limit=BRIEF_ROWS) if short else chosen)
    return {
        "list": listing,
        "brief": brief,
        "chosen": chosen,
        "columns": columns,
        "rows": [_row(listing, thing, [name for name, _ in columns]) for thing in found.rows],
        "total": found.total,
        "any": bool(found.total or (chosen.narrowed and listing.ask(workspace, Chosen(limit=1)).total)),
        "facets": [(one, chosen.facets.get(one.name, ""), _choices(one.name, chosen, found)) for one in listing.facets],
        "pager": Pager.of(
            chosen.offset, chosen.limit, found.total, lambda offset: listing.address(chosen, offset=offset)
        ),
        "asked": {"since": "", "until": "", **query_of(chosen)},
        "kept": {**query_of(chosen), "q": "", "since": "", "until": "", "columns": "", "offset": ""},
        "days": DAYS,
        "sizes": SIZES,
        "data": f"/api/{listing.name}",
    }


def _row(listing: Listing[Any], thing: Any, names: list[str]) -> ListRow:
    lead = listing.columns.cell(thing, listing.lead)
    values = [listing.columns.value(thing, name) for name in names]
    cells = [
        value if isinstance(value, datetime) else listing.columns.cell(thing, name)
        for name, value in zip(names, values, strict=True)
    ]
    return ListRow(thing, listing.key(thing), listing.link(thing), lead, cells)


def _choices(name: str, chosen: Chosen, found: Found[Any]) -> list[tuple[str, int]]:
    """Return what a facet offers; what is chosen is among it, also where it has nothing."""
    offered = list(found.facets.get(name, ()))
    wanted = chosen.facets.get(name)
    return offered if wanted is None or wanted in dict(offered) else [*offered, (wanted, 0)]


def _offer(listing: Listing[Any]) -> None:
    panel(listing.name)(lambda workspace, asked: list_page(workspace, asked, listing))


for _one in LISTINGS:
    _offer(_one)


@panel("history")
def _history(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: which sessions were the last ones, or those that the address asks for?"""
    return list_page(workspace, asked, SESSION_LIST, brief=True)
