"""A drill as a page of markdown: what was injected, what was expected, what was done, and how it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from peaktrade_core.base.clock import iso
from peaktrade_core.drills.drill import SCORED, Drill, Noted, Score
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.show.table import Cell, Table, markdown_cell


def drill_page(drill: Drill) -> str:
    """Return the page of a drill; it can be asked for while it runs."""
    expect = drill.scenario.expect
    first = min((fault.at for fault in drill.faults), default=None)
    parts = [
        f"# {drill.drill_id}: {markdown_cell(spoken(drill.scenario.title))}",
        markdown_cell(spoken(drill.scenario.story)),
        _markdown(
            ("", ""),
            [
                ("Status", Cell(_status(drill), code=True)),
                ("Scenario", f"{drill.scenario.name}, seed {drill.scenario.seed}"),
                ("Operator", f"{drill.operator} ({drill.role})" + (f", script {drill.script}" if drill.script else "")),
                ("Began", f"{iso(drill.began_at)}, {drill.began_local}"),
                (
                    "Session",
                    f"{drill.session_id or 'none'} {wording.badge(drill.session_status)} {drill.session_error}",
                ),
                ("Workspace", drill.workspace),
                ("Runbooks used", ", ".join(drill.runbooks) or "none"),
                ("Lessons", drill.lessons or "none noted"),
            ],
        ),
        f"## {spoken('Expected')}",
        _markdown(
            ("", ""),
            [
                ("Alerts", ", ".join(expect.alerts)),
                ("Diagnosis", f"{' or '.join(expect.diagnosis)}, severity {expect.severity}"),
                ("Mitigation", " or ".join(expect.mitigation)),
                ("Does harm", ", ".join(expect.wrong) or "nothing named"),
                ("Runbook", expect.runbook),
            ],
        ),
    ]
    if drill.score is not None:
        parts += [f"## {spoken('Score')}", *_score(drill.score)]
    parts += [f"## {spoken('What happened')}", _events(drill, first)]
    return "\n\n".join(parts) + "\n"


def _status(drill: Drill) -> str:
    if drill.score is None:
        return f"{drill.status}: {drill.early}" if drill.early else drill.status
    return (
        f"{drill.status}, {'passed' if drill.score.passed else 'not passed'} with {drill.score.points:g} of 100 points"
    )


def _score(score: Score) -> list[str]:
    told = [SCORED.table("", score.phases).markdown()]
    told += [f"{spoken('Wrong')}: {markdown_cell(spoken(text))}" for text in score.wrong]
    if score.missed_alerts:
        missed = markdown_cell(", ".join(score.missed_alerts))
        told.append(f"{spoken('Never raised')}: {missed}. {spoken('Mend the alert rules.')}")
    return told


def _events(drill: Drill, first: datetime | None) -> str:
    """Return faults, alerts and actions in one list, with their time since the first fault."""
    kinds: list[tuple[str, Sequence[Noted]]] = [
        ("fault", drill.faults),
        ("alert", drill.alerts),
        ("action", drill.actions),
    ]
    rows = sorted(
        (one.at, kind, one.what, one.by, one.detail if not one.severity else f"{one.severity}, {one.detail}")
        for kind, found in kinds
        for one in found
    )
    return _markdown(
        ("At (UTC)", "Since the fault", "", "What", "By", "Detail"),
        [(wording.moment(at), _since(first, at), kind, what, by, detail) for at, kind, what, by, detail in rows],
    )


def _since(first: datetime | None, at: datetime) -> str:
    if first is None:
        return wording.NOTHING
    seconds = (at - first).total_seconds()
    return f"{'+' if seconds >= 0 else wording.MINUS}{wording.duration(abs(seconds))}"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return Table("", columns, rows, empty="Nothing happened.").markdown()
