"""One session: how it stands or ended, its curves, its use of the limits, its checks, its record and its events.

All panels of a page share one look at the session, so that each of its files is read once a request.
"""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.clock import iso
from peaktrade_core.base.question import Check, worst
from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw, event_marks
from peaktrade_core.dashboard.panels.telling import tell
from peaktrade_core.dashboard.routes import STRETCH, read_query
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.curves import WHOLE, Stretch
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.handbook import denial_help
from peaktrade_core.runs.repeat import repeat_command
from peaktrade_core.runs.run import ENDED, verdict_of
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

POINTS, EVENTS, INCIDENTS = 2000, 20, 20


@panel("session")
def _session(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how does this session stand, or how did it end?"""
    look = asked.look(workspace)
    newer, older = look.neighbours
    return {"row": look.run, "stands": verdict_of(look.run, _checked(look)), "newer": newer, "older": older}


def _checked(look: Look) -> list[Check]:
    """Return the answers about a session that ended; none where its record cannot be read, which its panel says."""
    return look.checks if look.run.status in ENDED else []


@panel("session_curves")
def _curves(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how did price, position, equity and drawdown go?"""
    look = asked.look(workspace)
    run, stretch = look.run, _stretch(asked)
    curves = look.curves(POINTS, stretch)
    marks = event_marks(look.journal.happened, curves, run.currency)
    charts = draw(
        curves.ts,
        [
            Curve("equity", curves.equity, run.currency),
            Curve("drawdown", [-100.0 * value for value in curves.drawdown], "%", tone="red", filled=True),
            Curve("price", curves.price, run.currency, tone="ink"),
            Curve(
                "position",
                curves.position,
                (run.symbol or "").partition("/")[0],
                6,
                tone="purple",
                step=True,
                filled=True,
            ),
        ],
        marks,
    )
    counts = [(kind, sum(mark.n for mark in kind.marks)) for kind in marks]
    zoomed = stretch != WHOLE
    shown = {"final": _final(look), "faults": curves.faults, "session_id": look.run_id, "zoomed": zoomed}
    return {**shown, "curves": curves, "charts": charts, "marks": counts}


def _stretch(asked: Asked) -> Stretch:
    """Return the range of time that the page's query asks for.

    Raises:
        ConfigError: a time in it cannot be read.
    """
    given = read_query(asked.query)
    return Stretch(*(param.read(given.get(param.name, [])) for param in STRETCH))


def _final(look: Look) -> bool:
    """Return whether a session's record is the last word about it, so that its page need not be refreshed."""
    return look.record.status != "started"


@panel("session_limits")
def _limits(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: how much of each risk limit was used, what was denied, and what else happened?"""
    look = asked.look(workspace)
    return {
        "final": _final(look),
        "currency": look.run.currency,
        "faults": look.journal.faults,
        "limits": look.journal.limits,
        "denials": [(code, n, denial_help(code)) for code, n in look.journal.denials.items()],
        "incidents": tell(look.journal.incidents)[:INCIDENTS],
    }


@panel("session_checks")
def _checks(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: is everything about this session in order?"""
    look = asked.look(workspace)
    checks = look.checks if _final(look) else []
    incidents = IncidentBook.of(workspace).rows(subject=look.run_id)
    shown = {"session_id": look.run_id, "final": _final(look), "checks": checks}
    return {**shown, "worst": worst(checks), "incidents": incidents}


@panel("session_record")
def _record(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what was asked for, and what is written down?"""
    look = asked.look(workspace)
    record = look.record
    shown = ("run_id", "run_type", "mode", "env_name", "symbol", "strategy_tier", "status", "host", "schema_version")
    times = [(name, iso(at)) for name in ("created_at", "started_at", "finished_at") if (at := getattr(record, name))]
    extra = [(name, str(value)) for name, value in record.extra.items()]
    return {
        "session_id": look.run_id,
        "final": _final(look),
        "command": repeat_command(record),
        "metrics": figures_of(record),
        "config": [(name, _plain(value)) for name, value in record.config.items()],
        "metadata": [*((name, _plain(getattr(record, name))) for name in shown), *times, *extra],
    }


def _plain(value: object) -> str:
    """Return a value of a record as people read it."""
    if value is None or value == "":
        return wording.NOTHING
    if isinstance(value, dict):
        return "\n".join(f"{name} = {item}" for name, item in value.items()) or wording.NOTHING
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or wording.NOTHING
    return str(value)


@panel("session_events")
def _last_events(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what happened last?"""
    look = asked.look(workspace)
    events = tell(look.journal.recent[-EVENTS:])
    return {"panel": "session_events", "final": _final(look), "faults": look.journal.faults, "events": events}
