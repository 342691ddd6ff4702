"""The one list of experiments, for the page and for programs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from peaktrade_core.research.experiments.rows import RUN_TYPES, ExperimentRow, Experiments
from peaktrade_core.research.experiments.tables import EXPERIMENTS
from peaktrade_core.show.listing import Chosen, Facet, Found, Listing, among
from peaktrade_core.workspace.workspace import Workspace

AGAINST, STANDS, OPEN = "against", "stands", "open"  # how an experiment is judged
_VALUES = {"type": "run_type", "tag": "tags", "gained": "total_return", "drawdown": "max_drawdown", "ran": "at"}
"""By the name in an address: the attribute of a row."""


def judged(row: ExperimentRow) -> str:
    """Return how an experiment is judged: something speaks against it, nothing does, or it is not judged."""
    return OPEN if row.against is None else AGAINST if row.against else STANDS


def experiment_item(row: ExperimentRow) -> ExperimentRow:
    """Return an experiment as programs get it."""
    return row


def _value(row: ExperimentRow, name: str) -> Any:
    """Return what a row says by the name of a facet or column."""
    if name == "judged":
        return judged(row)
    if name in ("strategy", "symbol", "timeframe"):
        return tuple(filter(None, getattr(row, name).split(", ")))
    return getattr(row, _VALUES.get(name, name))


def _ask(workspace: Workspace, chosen: Chosen) -> Found[ExperimentRow]:
    rows = Experiments(workspace).rows()
    return among(EXPERIMENT_LIST, rows, chosen, workspace.clock.now(), when="ran", value=_value)


EXPERIMENT_LIST = Listing[ExperimentRow](
    name="experiments",
    path="/research",
    columns=EXPERIMENTS,
    lead="asked",
    shown="verdict type market trials sharpe gained ran",
    more="drawdown trades by tags question",
    facets=(
        Facet("judged", (STANDS, AGAINST, OPEN)), Facet("type", RUN_TYPES), Facet("strategy"), Facet("symbol"),
        Facet("timeframe"), Facet("tag"), Facet("by"),
    ),
    sorts=("ran", "sharpe", "gained", "drawdown", "trades", "trials"),
    latest="ran",
    key=lambda row: row.id,
    link=lambda row: f"/research/{quote(row.id, safe='')}",
    item=experiment_item,
    ask=_ask,
    command="peaktrade sweep run config/sweeps/NAME.toml",
)  # fmt: skip
