"""What a parameter may be picked from: sessions, markets, strategies, findings, files. A picker suggests; it never limits.

The pickers of other rooms are named as text and loaded when a form needs them, as the classes of runbooks are.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.base.resources import named
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.research.findings.spec import finding_files, read_finding
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.shelf import kind_of
from peaktrade_core.runs.run import item_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.workspace import Workspace

NEWEST = 30
USUAL = ("1m", "5m", "15m", "1h", "4h", "1d")  # timeframes


class Suggestion(NamedTuple):
    """A value and what it is, in words."""

    value: str
    label: str = ""


PICKERS = {
    "alert_id": "alerts.questions:alert_choices",
    "candles": "runbooks.pickers:candles",
    "change": "control.changing.runbook:change_choices",
    "drill": "drills.report:drills_to_pick",
    "drill_id": "drills.report:drill_choices",
    "finding": "runbooks.pickers:findings",
    "incident_id": "incidents.report:incident_choices",
    "other": "runbooks.pickers:runs",
    "profile": "desk.orchestrator:profile_choices",
    "resume": "runbooks.pickers:interrupted",
    "run_id": "runbooks.pickers:runs",
    "scenario": "drills.runbook:scenario_choices",
    "session_id": "runbooks.pickers:sessions",
    "strategy": "runbooks.pickers:strategies",
    "symbol": "runbooks.pickers:symbols",
    "timeframe": "runbooks.pickers:timeframes",
}


def suggested(parameter: str, workspace: Workspace, notebook: str) -> list[Suggestion]:
    """Return what to pick a parameter from; empty where it is typed, or where what it lists cannot be read now.

    Args:
        parameter: its name, which is the same in every notebook.
        workspace: where to look.
        notebook: whose form asks.
    """
    if parameter not in PICKERS:
        return []
    picker = named(PICKERS[parameter])
    try:
        own = kind_of(notebook).offered(parameter, workspace)
        usual: list[Suggestion] = picker(workspace, notebook) if picker is interrupted else picker(workspace)
    except (PeaktradeError, OSError):
        return []
    values = {one.value for one in own}
    return [*own, *(one for one in usual if one.value not in values)]


def strategies(workspace: Workspace) -> list[Suggestion]:
    """Return the strategies that are registered."""
    del workspace
    return [Suggestion(one.name, one.summary) for one in all_strategies()]


def symbols(workspace: Workspace) -> list[Suggestion]:
    """Return the instruments of the configuration."""
    return [Suggestion(symbol) for symbol in sorted(workspace.config.instruments)]


def timeframes(workspace: Workspace) -> list[Suggestion]:
    """Return the lengths of a bar: those of the stored series, each with its markets, then the usual ones."""
    stored: dict[str, list[str]] = {}
    for series in sorted(CandleStore.of_workspace(workspace.home).series(), key=lambda one: one.bar_s):
        stored.setdefault(series.timeframe, []).append(series.symbol)
    kept = [Suggestion(one, f"stored: {wording.first_of(symbols, 3)}") for one, symbols in stored.items()]
    return [*kept, *(Suggestion(one) for one in USUAL if one not in stored)]


def findings(workspace: Workspace) -> list[Suggestion]:
    """Return the findings that can be asked, each with its question; of one whose file is wrong only the name."""
    found = []
    for name, path in sorted(finding_files(workspace).items()):
        question = ""
        with suppress(ConfigError):
            question = read_finding(path).question
        found.append(Suggestion(name, question))
    return found


def candles(workspace: Workspace) -> list[Suggestion]:
    """Return the stored series, each by its folder."""
    store = CandleStore.of_workspace(workspace.home)
    return [Suggestion(str(store.folder(series).relative_to(workspace.home)), str(series)) for series in store.series()]


def sessions(workspace: Workspace) -> list[Suggestion]:
    """Return the newest sessions, each with how it stands."""
    return [Suggestion("latest", "the one that started last"), *runs(workspace)]


def runs(workspace: Workspace) -> list[Suggestion]:
    """Return the newest runs, each with how it stands."""
    found = [item_of(run) for run in Views.of(workspace).runs(NEWEST)]
    return [Suggestion(one.run_id, f"{wording.badge(one.word)} · {one.name}") for one in found]


def interrupted(workspace: Workspace, notebook: str) -> list[Suggestion]:
    """Return the executions of a runbook that nobody has finished, newest first."""
    newest = EvidenceBook.of(workspace).newest(notebook)
    begun = (one for one in newest if one.runbook == notebook and one.ended_at is None)
    return [
        Suggestion(
            one.evidence_id,
            f"begun {wording.moment(one.began_at)} UTC by {one.operator}, {wording.many(len(one.steps), 'step')}",
        )
        for one in islice(begun, NEWEST)
    ]
