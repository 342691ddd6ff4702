"""The tables of the drill notebook and the drill report."""

from __future__ import annotations

from peaktrade_core.drills.board import PERSON, DrillBoard
from peaktrade_core.drills.coverage import EXERCISED, UNKNOWN, coverage
from peaktrade_core.drills.drill import DONE, DRILLS, SCORED, Drill, Noted, points_of
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.drills.scenarios import scenarios
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

NO_DRILL = "No drill was done yet. The notebook drill runs one, or peaktrade drill run."


def drill_list(workspace: Workspace) -> Table:
    """Return what can be practised, and when each was last practised by a person."""
    rows, _ = DrillBook(workspace.home, workspace.clock).rows()
    last = {drill.scenario.name: drill for drill in reversed(rows) if drill.score is not None and not drill.script}
    told = [
        (
            one.name,
            one.title,
            Cell(one.expect.runbook, href=f"{one.expect.runbook}.ipynb"),
            wording.moment(last[one.name].began_at) if one.name in last else "never",
            points_of(last.get(one.name)),
        )
        for one in scenarios(workspace.home)
    ]
    columns = ("Scenario", "What happens", "Runbook", "Last by a person (UTC)", "Points")
    return Table("What can be practised", columns, told, numbers=(4,))


def drill_story(board: DrillBoard) -> Table:
    """Return what will be seen, without what is wrong: that is for the operator to find."""
    drilled = board.operator if board.who == PERSON else f"{board.operator}, a {board.who} script"
    clock = "the machine's: it takes minutes" if board.who == PERSON else "moved in steps: it takes seconds"
    rows = [
        ("Scenario", board.scenario.name),
        ("What you see", board.scenario.story),
        ("Operator", drilled),
        ("Clock", clock),
        ("Ends at the latest after", wording.duration(board.scenario.limit_s)),
    ]
    return Table("The drill", ("", ""), rows)


def drill_state(board: DrillBoard) -> Table:
    """Return how the drill stands: where to work, and which alerts were raised."""
    drill = board.drill
    if drill is None:
        return Table("The drill", (), [], empty="It has not begun.")
    rows: list[tuple[object, object]] = [
        ("Drill", drill.drill_id),
        ("Status", Cell(drill.status, GOOD if drill.status == DONE else MID)),
        ("Work in", Cell(f"`export PEAKTRADE_HOME={drill.workspace}`", code=True)),
        ("Session", drill.session_id),
    ]
    raised = [
        (f"Alert, {wording.moment(one.at)} UTC", f"{one.severity}: {one.what}, {one.detail}") for one in board.alerts
    ]
    return Table("How it stands", ("", ""), [*rows, *(raised or [("Alerts", "none yet")])])


def drill_summary(drill: Drill | None) -> Table:
    """Return what a drill was and how it came out."""
    if drill is None:
        return Table("Drill", (), [], empty=NO_DRILL)
    rows: list[tuple[object, object]] = [
        ("Drill", drill.drill_id),
        ("Scenario", f"{drill.scenario.name}: {drill.scenario.title}"),
        ("Operator", f"{drill.operator} ({drill.role})" + (f", a {drill.script} script" if drill.script else "")),
        ("Began", f"{wording.moment(drill.began_at)} UTC, {drill.began_local} in Berlin"),
        ("Result", _result(drill)),
        ("Session", f"{drill.session_id} {wording.badge(drill.session_status)}"),
        ("Its error", drill.session_error or "none"),
        ("Runbooks used", ", ".join(drill.runbooks) or "none left evidence"),
        ("Lessons", drill.lessons or "none noted"),
    ]
    return Table("Drill", ("", ""), rows)


def drill_expected(drill: Drill | None) -> Table:
    """Return what was wrong, and what was expected of the operator."""
    if drill is None:
        return Table("What was expected", (), [], empty=NO_DRILL)
    expect = drill.scenario.expect
    rows = [
        ("Injected", "; ".join(f"{fault.what}: {fault.detail}" for fault in drill.faults) or "nothing"),
        ("Alerts", ", ".join(expect.alerts)),
        ("Diagnosis", f"{' or '.join(expect.diagnosis)}, {expect.severity}"),
        ("Mitigation", " or ".join(expect.mitigation)),
        ("Does harm", ", ".join(expect.wrong) or "nothing named"),
        ("Runbook", Cell(expect.runbook, href=f"../runbooks/{expect.runbook}.ipynb")),
    ]
    return Table("What was expected", ("", ""), rows)


def drill_phases(drill: Drill | None) -> Table:
    """Return how each phase of the reaction went, and the sum."""
    if drill is None or drill.score is None:
        none = (
            f"It was {drill.status}: {drill.early}."
            if drill and drill.early
            else "It has no score yet: it is not over."
        )
        return Table("Score", (), [], empty=NO_DRILL if drill is None else none)
    found = drill.score
    wrong = [(Cell("✕ wrong", BAD), "", "", f"{wording.MINUS}15", text) for text in found.wrong]
    return SCORED.table("Score", found.phases, note=_result(drill), more=wrong)


def drill_events(drill: Drill | None) -> Table:
    """Return faults, alerts and actions in the order in which they happened."""
    if drill is None:
        return Table("What happened", (), [], empty=NO_DRILL)
    first = min((fault.at for fault in drill.faults), default=None)
    kinds: tuple[tuple[Cell, tuple[Noted, ...]], ...] = (
        (Cell("✕ fault", BAD), drill.faults),
        (Cell("▲ alert", MID), drill.alerts),
        (Cell("→ action", GOOD), drill.actions),
    )
    found = sorted(((one.at, kind, one) for kind, all_ in kinds for one in all_), key=lambda row: (row[0], row[1].text))
    rows = [
        (
            f"{at:%H:%M:%S}",
            wording.NOTHING if first is None else wording.duration(max(0.0, (at - first).total_seconds())),
            kind,
            one.what,
            one.by,
            f"{one.severity}: {one.detail}" if one.severity else one.detail,
        )
        for at, kind, one in found
    ]
    columns = ("At (UTC)", "After the fault", "", "What", "By", "Detail")
    clock = f"The venue's clock, which was moved: {found[0][0]:%Y-%m-%d}." if drill.script and found else ""
    return Table("What happened", columns, rows, numbers=(1,), note=clock, empty="Nothing happened.")


def drill_log(workspace: Workspace, limit: int = 20) -> Table:
    """Return the drills that were done, newest first, and whether the log is as it was sealed."""
    book = DrillBook(workspace.home, workspace.clock)
    drills, faults = book.rows()
    verified = book.verify()
    text = "; ".join((f"{verified.question} {verified.evidence}", *faults))
    note = Cell(text, BAD if faults or verified.status != "pass" else "")
    return DRILLS.table("Drill log", drills[:limit], note=note, empty=NO_DRILL)


def drill_coverage(workspace: Workspace, days: int = 90) -> Table:
    """Return how much of each kind was exercised, and what was not."""
    found = coverage(workspace, days)
    kinds = list(dict.fromkeys(row.kind for row in found.rows))
    rows = []
    for kind in kinds:
        of = found.of(kind)
        done = [row for row in of if row.status == EXERCISED]
        unknown = [row.name for row in of if row.status == UNKNOWN]
        rest = [row.name for row in of if row.status not in (EXERCISED, UNKNOWN)]
        share = Cell(f"{len(done)} of {len(of)}", GOOD if len(done) == len(of) else MID)
        rows.append((kind, share, ", ".join(rest) or wording.NOTHING, ", ".join(unknown) or wording.NOTHING))
    columns = ("What", "Exercised", "Not exercised", "Unknown")
    note = "; ".join(found.faults)
    return Table(f"Exercised in the last {days} days", columns, rows, note=Cell(note, BAD) if note else "")


def _result(drill: Drill) -> Cell:
    if drill.score is None:
        return Cell(drill.status, MID)
    passed = drill.score.passed
    return Cell(
        f"{'✓ passed' if passed else '✕ not passed'}, {drill.score.points:g} of 100 points", GOOD if passed else BAD
    )
