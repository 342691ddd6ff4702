"""One experiment: what speaks against it, its curve with what is held back, the map of a sweep, the sessions that decide so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.research.experiments.page import HeatMap, ShownExperiment, curve, shown
from peaktrade_core.research.experiments.rows import BACKTEST, FINDING, PORTFOLIO, SCAN, SWEEP
from peaktrade_core.research.experiments.tables import asked as asked_for
from peaktrade_core.research.experiments.tables import ratio
from peaktrade_core.research.trials.cli import TRIALS
from peaktrade_core.show import drawing, wording
from peaktrade_core.show.language import words
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

SHADES = 5  # of a map, on each side of zero


def _look(workspace: Workspace, asked: Visit) -> ShownExperiment:
    """Return the experiment that the page is about, read when its first panel asks.

    Raises:
        UnknownNameError: its address names none, or none that there is.
    """
    if not asked.subject:
        raise UnknownNameError("experiment", "", [], "peaktrade experiments list")
    if "experiment" not in asked.seen:
        asked.seen["experiment"] = shown(workspace, asked.subject)
    found: ShownExperiment = asked.seen["experiment"]
    return found


@panel("experiment")
def _experiment(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what was asked, and what speaks against it?"""
    found = _look(workspace, asked)
    row = found.row
    known: list[tuple[str, float | None, Callable[[float], str | None]]] = [
        ("sharpe", row.sharpe, ratio),
        ("gained", row.total_return, wording.gained),
        ("max_drawdown", row.max_drawdown, wording.drawdown),
        ("trades", row.trades, wording.count),
    ]
    return {
        "row": row,
        "asked": asked_for(row),
        "checks": found.checks,
        "counted": found.counted,
        "bars": found.bars,
        "held": found.held,
        "figures": [(name, say(value)) for name, value, say in known if value is not None],
        "lab": f"/lab/sweep?sweep={quote(row.id, safe='')}" if row.run_type == SWEEP and not row.fault else "",
        "commands": _commands(found),
    }


def _commands(found: ShownExperiment) -> list[tuple[str, str]]:
    """Return which commands go on with an experiment."""
    row = found.row
    said = [("details", f"peaktrade experiments details {row.id}")]
    if row.run_type in (BACKTEST, SWEEP) and not row.fault:
        said.append(("export", f"peaktrade experiments export {row.id} --out {row.id}.csv"))
    if row.run_type == SWEEP and row.best is not None and row.against is False:
        said.append(("holdout", f'peaktrade holdout open {row.id}#{row.best} --by NAME --reason "go or not"'))
    if row.run_type == FINDING:
        said.append(("again", f"peaktrade findings run {row.name}"))
    return said


@panel("experiment_curve")
def _curve(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: how did its equity go, and which part was never read?"""
    found = _look(workspace, asked)
    row, marks = found.row, found.marks
    text = words(workspace.config.ui.language)
    kind = "none" if row.run_type in (SCAN, FINDING) else "curve"
    chart = curve(found, text["plot_equity"], text["plot_about"])
    picture = Markup(drawing.draw(chart.thinned)) if chart else ""  # noqa: S704  (the drawing escapes what it is given)
    return {
        "kind": kind, "picture": picture, "held": found.held, "days": len(marks.day), "row": row,
        "portfolio": row.run_type == PORTFOLIO, "best": row.best,
    }  # fmt: skip


@panel("experiment_map")
def _map(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: a plateau, or one lucky point?"""
    found = _look(workspace, asked)
    heat = found.heat
    lines = [] if heat is None else _shaded(heat)
    return {"sweep": found.row.run_type == SWEEP, "heat": heat, "lines": lines, "id": found.row.id}


def _shaded(heat: HeatMap) -> list[tuple[Any, list[tuple[str, str, bool]]]]:
    """Return the rows of a map, the largest value of ``up`` on top: text, shade and whether it is the best, for each cell."""
    known = [abs(value) for line in heat.cells for value in line if value is not None]
    most = max(known, default=0.0) or 1.0
    lines = []
    for at in reversed(range(len(heat.rows))):
        cells = []
        for column, value in enumerate(heat.cells[at]):
            if value is None:
                cells.append(("", "none", False))
                continue
            shade = min(SHADES, max(1, round(abs(value) / most * SHADES))) if value else 0
            side = "up" if value > 0.0 else "down"
            cells.append((heat.said(value), f"{side}{shade}", heat.best == (at, column)))
        lines.append((heat.rows[at], cells))
    return lines


@panel("experiment_parts")
def _parts(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what is in it: the best trials of a sweep, sleeves, markets, states?"""
    found = _look(workspace, asked)
    tables: list[Table] = list(found.tables)
    if found.trials:
        tables.append(TRIALS.table("", found.trials))
    return {"tables": tables, "sweep": bool(found.trials), "ranked": found.ranked, "n": found.row.trials}


@panel("experiment_sessions")
def _sessions(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: was this very decision run, and what came of it?"""
    found = _look(workspace, asked)
    return {"rows": found.sessions, "decision": found.row.decision_id, "row": found.row}
