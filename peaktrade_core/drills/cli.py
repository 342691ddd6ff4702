"""``peaktrade drill``: practise incidents where nothing can be lost, and be scored for it."""

from __future__ import annotations

from typing import Any

import click

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import NotebookError
from peaktrade_core.control import cli as control_cli  # noqa: F401  (`report status` is there)
from peaktrade_core.drills.drill import DRILLS, RUNNING, SCORED, Drill, Scenario, points_of
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.reports.cli import report
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, Part, command, tell
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def drill() -> None:
    """Practise incidents: real faults in a workspace of their own, timed and scored."""


def _book(workspace: Workspace) -> DrillBook:
    """Return the drill log, in which nothing runs any more that has no process."""
    recover(workspace)
    return DrillBook(workspace.home, workspace.clock)


@drill.command("list")
@command
def list_drills(workspace: Workspace) -> CommandResult:
    """List the scenarios, and when each was last practised."""
    from peaktrade_core.drills.scenarios import scenarios

    found = scenarios(workspace.home)
    rows, faults = _book(workspace).rows()
    last = {one.scenario.name: one for one in reversed(rows) if one.score is not None}
    columns = Columns[Scenario](
        drill=Column("Drill", lambda one: one.name),
        title=Column("What happens", form="words"),
        faults=Column("Faults", lambda one: ", ".join(fault.kind for fault in one.fault), "words", 1),
        runbook=Column("Runbook", lambda one: one.expect.runbook, priority=2),
        last=Column("Last", lambda one: last[one.name].began_at if one.name in last else "never"),
        points=Column("Points", lambda one: points_of(last.get(one.name)), "number"),
    )
    return CommandResult(found, columns.table("", found), notes=faults)


@drill.command()
@click.argument("scenario")
@click.option("--operator", help="Who is drilled; the name of the login by default.")
@click.option("--role", default="operator", show_default=True, help="operator, risk_officer or owner")
@click.option("--scripted", "script", is_flag=False, flag_value="good", default="", metavar="good|bad",
              help="A script stands in for the person: in seconds, the same every time.")  # fmt: skip
@command
def run(workspace: Workspace, scenario: str, operator: str | None, role: str, script: str) -> CommandResult:
    """Run a drill; exit code 1 when it was not passed. With a person it takes minutes and stays in this terminal."""
    from peaktrade_core.drills.scenarios import find_scenario
    from peaktrade_core.drills.staging.run import run_drill

    found = find_scenario(workspace.home, scenario)
    done = run_drill(workspace, found, operator=operator or login(), role=role, script=script, say=tell)
    return _scored(done)


@drill.command()
@click.argument("drill_id", default="latest")
@command
def score(workspace: Workspace, drill_id: str) -> CommandResult:
    """Judge a drill once more from its artefacts; exit code 1 when that is not what was sealed, or not passed."""
    from peaktrade_core.drills.staging.run import rescore

    sealed = _book(workspace).load(drill_id)
    again = rescore(workspace, sealed)
    found = _scored(again)
    if sealed.status != RUNNING and sealed.score != again.score:
        told = f"error: its artefacts say something else than what was sealed ({points_of(sealed)})"
        return CommandResult(found.value, found.shown, code=1, notes=[told])
    return found


@drill.command()
@click.argument("drill_id")
@click.argument("lessons")
@command
def note(workspace: Workspace, drill_id: str, lessons: str) -> CommandResult:
    """Write down what was learned from a drill."""
    changed = _book(workspace).note(drill_id, lessons)
    return CommandResult(changed, f"{changed.drill_id}: {changed.lessons}")


@drill.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@command
def log(workspace: Workspace, limit: int) -> CommandResult:
    """List the drills that were done; exit code 1 when one cannot be read or was changed since it was sealed."""
    book = _book(workspace)
    rows, faults = book.rows()
    rows, verified = rows[:limit], book.verify()
    shown: list[Part] = ["No drill yet. `peaktrade drill list` shows what can be practised."]
    if rows:
        shown = [DRILLS.table("", rows), *(f"{d.drill_id} {d.status}: {d.early}" for d in rows if d.early)]
    bad = verified.status != "pass"
    wrong = [*faults, *([f"{verified.question} {verified.evidence}. {verified.next_step}"] if bad else [])]
    value = {"drills": rows, "faults": faults, "verified": verified}
    return CommandResult(value, shown, code=int(bool(wrong)), notes=[f"error: {text}" for text in wrong])


@drill.command()
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back.")
@click.option("--all", "everything", is_flag=True, help="Also what was exercised.")
@click.option(
    "--controls", "by_control", is_flag=True, help="The 29 controls instead: when each was exercised, by what."
)
@command
def coverage(workspace: Workspace, days: int, everything: bool, by_control: bool) -> CommandResult:
    """Show which alert rules, deny codes, runbooks and scenarios were not exercised lately, or the 29 controls.

    With --controls: what each means, what holds it, when it was exercised last and by what, *only by test*, or *not here*,
    which is never good.
    """
    from peaktrade_core.drills.coverage import EXERCISED
    from peaktrade_core.drills.coverage import coverage as covered

    recover(workspace)
    if by_control:
        return _controls(workspace, days)
    found = covered(workspace, days)
    kinds = list(dict.fromkeys(row.kind for row in found.rows))
    told = {kind: f"{sum(r.status == EXERCISED for r in found.of(kind))} of {len(found.of(kind))}" for kind in kinds}
    columns = Columns[Any](
        kind=Column("Kind"),
        name=Column("Name"),
        status=Column("Status"),
        times=Column("Times", form="number", priority=1),
        last=Column("Last (UTC)", priority=1),
        where=Column("Where", priority=2),
    )
    rows = [row for row in found.rows if everything or row.status != EXERCISED]
    shown = [Table.pairs(told, f"Exercised in the last {days} days:"), columns.table("", rows)]
    return CommandResult(found, shown, notes=[f"unreadable: {fault}" for fault in found.faults])


def _controls(workspace: Workspace, days: int) -> CommandResult:
    """Return how the controls stand."""
    from peaktrade_core.drills.controls import CONTROLS, controls_told, covered_controls

    found = covered_controls(workspace, days)
    shown: list[Part] = [controls_told(found), CONTROLS.table("", found.rows)]
    return CommandResult(found, shown, notes=[f"unreadable: {fault}" for fault in found.faults])


def _scored(done: Drill) -> CommandResult:
    """Return how a drill went."""
    if done.score is None:
        return CommandResult(done, f"{done.drill_id} {done.scenario.name} was {done.status}: {done.early}", code=1)
    title = f"{done.drill_id} {done.scenario.name}: {points_of(done)} of 100 points"
    shown: list[Part] = [SCORED.table(title, done.score.phases)]
    shown += [f"✕ {text}" for text in done.score.wrong]
    shown += [f"✕ the rule {name} never fired" for name in done.score.missed_alerts]
    shown.append(f"Page     reports/drills/{done.drill_id}/drill.md")
    shown.append(f'Next     peaktrade drill note {done.drill_id} "what was learned"')
    return CommandResult(done, shown, code=int(not done.score.passed))


@report.command("self-assessment")
@click.option("--year", default="this", show_default=True, help="A calendar year, UTC: 2026, this or last.")
@click.option(
    "--by", default="", help="Who answers for it: enters the report as evidence, for another person to countersign."
)
@command
def self_assessment(workspace: Workspace, year: str, by: str) -> CommandResult:
    """Report how the 29 controls stood in a year, what is missing and what to do: notebook and HTML in reports/yearly."""
    from peaktrade_core.drills.assessment import year_named
    from peaktrade_core.runbooks.book import EvidenceBook
    from peaktrade_core.runbooks.by_hand import add_evidence
    from peaktrade_core.runbooks.page import write_page
    from peaktrade_core.runbooks.runbooks import run_runbook

    recover(workspace)
    meant = year_named(year, workspace.clock.now())
    made = run_runbook("self_assessment", {"year": str(meant)}, workspace)
    told: list[Part] = [str(path.relative_to(workspace.home)) for path in (made.html, made.notebook)]
    value = {
        "year": meant,
        "html": str(made.html),
        "notebook": str(made.notebook),
        "error": made.error,
        "evidence_id": "",
    }
    if made.error:
        return CommandResult(value, told, code=NotebookError.exit_code, notes=[f"error: {made.error}"])
    if by:
        book = EvidenceBook.of(workspace)
        kept = add_evidence(book, f"SELF-ASSESSMENT-{meant}", f"Self-assessment of {meant}", [made.html], by=by)
        write_page(book, kept)
        value["evidence_id"] = kept.evidence_id
        told.append(
            f"evidence {kept.evidence_id}; another person: `peaktrade evidence countersign {kept.evidence_id} --by NAME`"
        )
    return CommandResult(value, told)
