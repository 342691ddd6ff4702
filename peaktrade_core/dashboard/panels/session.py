"""One session: how it stands or ended, its curves, its use of the limits, its checks, its record and its events.

All panels of a page share one look at the session, so that each of its files is read once a request.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from peaktrade_core.base.question import Check, worst
from peaktrade_core.dashboard.panels.base import Visit, halts_of, panel
from peaktrade_core.dashboard.panels.charts import Curve, draw, event_marks
from peaktrade_core.dashboard.papers import Papers
from peaktrade_core.dashboard.routes import STRETCH, read_query
from peaktrade_core.runbooks.notebooks.lab import open_command
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.curves import WHOLE, TimeRange
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.handbook import denial_help, runbook_of
from peaktrade_core.runs.repeat import repeat_command
from peaktrade_core.runs.run import ENDED, verdict_of
from peaktrade_core.runs.telling import tell
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.trading.events import Halt
from peaktrade_core.trading.records import IMPORTED, finite
from peaktrade_core.workspace.workspace import Workspace

POINTS, INCIDENTS, PAPERS, HALTS = 2000, 20, 10, 2


@panel("session")
def _session(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: how does this session stand, or how did it end?"""
    look = asked.look(workspace)
    newer, older = look.neighbours
    stopped = [
        event
        for event in look.journal.incidents
        if type(event) is Halt or getattr(event, "state", "ACTIVE") != "ACTIVE"
    ]
    return {
        "row": look.run,
        "stands": verdict_of(look.run, _checked(look)),
        "halted": tell(stopped[:HALTS])[::-1],
        "halts": halts_of(workspace, asked, look.run),
        "newer": newer,
        "older": older,
    }


def _checked(look: Look) -> list[Check]:
    """Return the answers about a session that ended; none where its record cannot be read, which its panel says."""
    return look.checks if look.run.status in ENDED else []


@panel("session_curves")
def _curves(workspace: Workspace, asked: Visit) -> dict[str, Any]:
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


def _stretch(asked: Visit) -> TimeRange:
    """Return the range of time that the page's query asks for.

    Raises:
        ConfigError: a time in it cannot be read.
    """
    given = read_query(asked.query)
    return TimeRange(*(param.read(given.get(param.name, [])) for param in STRETCH))


def _final(look: Look) -> bool:
    """Return whether a session's record is the last word about it, so that its page need not be refreshed."""
    return look.record.status != "started"


@panel("session_limits")
def _limits(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: how much of each risk limit was used, what was denied, and what else happened?"""
    look = asked.look(workspace)
    return {
        "final": _final(look),
        "imported": look.run.kind == IMPORTED,
        "currency": look.run.currency,
        "faults": look.journal.faults,
        "limits": look.journal.limits,
        "warn": _warning(look),
        "denials": [(code, n, denial_help(code)) for code, n in look.journal.denials.items()],
        "incidents": tell(look.journal.incidents)[:INCIDENTS],
    }


def _warning(look: Look) -> float:
    """Return from which share of a limit its use is a warning."""
    limits = look.record.setting("risk_limits")
    given = finite(limits.get("warning_threshold_factor")) if isinstance(limits, dict) else None
    return given if given is not None and 0.0 < given <= 1.0 else 0.8


@panel("session_checks")
def _checks(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: is everything about this session in order?"""
    look = asked.look(workspace)
    checks = look.checks if _final(look) else []
    return {"session_id": look.run_id, "final": _final(look), "checks": checks, "worst": worst(checks)}


@panel("session_papers")
def _papers(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what was written about this session, and which commands go on with it?"""
    look = asked.look(workspace)
    session_id, record = look.run_id, look.record
    found = Papers.of(workspace).listed(about=session_id)
    runbook = runbook_of(record.error) if record.status == "failed" and record.error else ""
    commands = [
        ("check", open_command("post_session_check", {"session_id": session_id})),
        *([("incident", open_command(runbook, {"session_id": session_id}))] if runbook else []),
        ("report", f"peaktrade runbook run session_report -p session_id={session_id}"),
        ("decision", f"peaktrade session diff {session_id}"),
        ("trades", f"peaktrade session show {session_id} --trades"),
    ]
    return {"session_id": session_id, "rows": found[:PAPERS], "n": len(found), "commands": commands, "final": False}


@panel("session_record")
def _record(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what was asked for, and what is written down?"""
    look = asked.look(workspace)
    record = look.record
    shown = [
        "run_id",
        "run_type",
        "mode",
        "env_name",
        "symbol",
        "strategy_tier",
        "decision_id",
        "governance",
        "status",
        "host",
        "schema_version",
    ]
    times = [(name, at) for name in ("created_at", "started_at", "finished_at") if (at := getattr(record, name))]
    parts = {name: value for name, value in record.config.items() if isinstance(value, dict) and value}
    whole = [(name, value) for name, value in record.config.items() if name not in parts]
    metadata = [*((name, getattr(record, name)) for name in shown), *times, *record.extra.items()]
    tables = [("config", whole), *((name, list(part.items())) for name, part in parts.items()), ("metadata", metadata)]
    return {
        "session_id": look.run_id,
        "final": _final(look),
        "command": repeat_command(record),
        "metrics": figures_of(record),
        "tables": [(name, [(field, *_plain(value)) for field, value in rows]) for name, rows in tables],
    }


def _plain(value: object) -> tuple[str, str]:
    """Return a value of a record as people read it, and its form: ``number``, ``none`` or ``text``."""
    if value is None or value in ("", [], {}):
        return wording.NOTHING, "none"
    if isinstance(value, bool):
        return spoken("yes" if value else "no"), "text"
    if isinstance(value, (int, float)):
        return wording.minus(f"{value:,.10g}") if abs(value) < 1e15 else str(value), "number"
    if isinstance(value, datetime):
        return f"{wording.moment(value)} UTC", "text"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)[0]}" for name, item in value.items()), "text"
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item)[0] for item in value), "text"
    return str(value), "text"
