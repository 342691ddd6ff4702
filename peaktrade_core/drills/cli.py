"""``peaktrade drill``: practise incidents where nothing can be lost, and be scored for it."""

from __future__ import annotations

import getpass

import click

from peaktrade_core.drills.drill import RUNNING, Drill
from peaktrade_core.drills.log import DrillBook
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def drill() -> None:
    """Practise incidents: real faults in a workspace of their own, timed and scored."""


def _book(workspace: Workspace) -> DrillBook:
    """Return the drill log, in which nothing runs any more that has no process."""
    recover(workspace)
    return DrillBook(workspace.home, workspace.clock)


@drill.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def list_drills(home: str | None, config: str | None, as_json: bool) -> None:
    """List the scenarios, and when each was last practised."""
    from peaktrade_core.drills.scenarios import scenarios

    workspace = Workspace(home, config)
    found = scenarios(workspace.home)
    if as_json:
        print_json(found)
        return
    rows, faults = _book(workspace).rows()
    last = {one.scenario.name: one for one in reversed(rows) if one.score is not None}
    print_table(
        ("DRILL", "WHAT HAPPENS", "FAULTS", "RUNBOOK", "LAST", "POINTS"),
        (
            (
                one.name,
                one.title,
                ", ".join(fault.kind for fault in one.fault),
                one.expect.runbook,
                wording.moment(last[one.name].began_at) if one.name in last else "never",
                _points(last[one.name]) if one.name in last else wording.NOTHING,
            )
            for one in found
        ),
        right=("POINTS",),
    )
    for fault in faults:
        click.echo(fault, err=True)


@drill.command()
@click.argument("scenario")
@click.option("--operator", help="Who is drilled; the name of the login by default.")
@click.option("--role", default="operator", show_default=True, help="operator, risk_officer or owner")
@click.option("--scripted", "script", is_flag=False, flag_value="good", default="", metavar="good|bad",
              help="A script stands in for the person: in seconds, the same every time.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON, nothing else.")
@workspace_options
def run(
    home: str | None, config: str | None, scenario: str, operator: str | None, role: str, script: str, as_json: bool
) -> int:
    """Run a drill; exit code 1 when it was not passed. With a person it takes minutes and stays in this terminal."""
    from peaktrade_core.drills.run import run_drill
    from peaktrade_core.drills.scenarios import find_scenario

    workspace = Workspace(home, config)
    found = find_scenario(workspace.home, scenario)
    say = (lambda _: None) if as_json else click.echo
    done = run_drill(workspace, found, operator=operator or getpass.getuser(), role=role, script=script, say=say)
    return _show(done, as_json)


@drill.command()
@click.argument("drill_id", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON, nothing else.")
@workspace_options
def score(home: str | None, config: str | None, drill_id: str, as_json: bool) -> int:
    """Judge a drill once more from its artefacts; exit code 1 when that is not what was sealed, or not passed."""
    from peaktrade_core.drills.run import rescore

    workspace = Workspace(home, config)
    sealed = _book(workspace).load(drill_id)
    again = rescore(workspace, sealed)
    code = _show(again, as_json)
    if sealed.status != RUNNING and sealed.score != again.score:
        click.echo(f"error: its artefacts say something else than what was sealed ({_points(sealed)})", err=True)
        return 1
    return code


@drill.command()
@click.argument("drill_id")
@click.argument("lessons")
@workspace_options
def note(home: str | None, config: str | None, drill_id: str, lessons: str) -> None:
    """Write down what was learned from a drill."""
    changed = _book(Workspace(home, config)).note(drill_id, lessons)
    click.echo(f"{changed.drill_id}: {changed.lessons}")


@drill.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def log(home: str | None, config: str | None, limit: int, as_json: bool) -> int:
    """List the drills that were done; exit code 1 when one cannot be read or was changed since it was sealed."""
    book = _book(Workspace(home, config))
    rows, faults = book.rows()
    verified = book.verify()
    if as_json:
        print_json({"drills": rows[:limit], "faults": faults, "verified": verified})
    elif rows:
        print_table(
            ("DRILL", "SCENARIO", "OPERATOR", "BEGAN (UTC)", "STATUS", "POINTS", "DETECTED", "MITIGATED", "LESSONS"),
            (
                (
                    one.drill_id,
                    one.scenario.name,
                    one.operator + (f" (script {one.script})" if one.script else ""),
                    wording.moment(one.began_at),
                    one.status,
                    _points(one),
                    _took(one, "detection"),
                    _took(one, "mitigation"),
                    one.lessons or wording.NOTHING,
                )
                for one in rows[:limit]
            ),
            right=("POINTS", "DETECTED", "MITIGATED"),
        )
        for one in rows[:limit]:
            if one.early:
                click.echo(f"{one.drill_id} {one.status}: {one.early}")
    else:
        click.echo("No drill yet. `peaktrade drill list` shows what can be practised.")
    bad = verified.status != "pass"
    for text in (*faults, *([f"{verified.question} {verified.evidence}. {verified.next_step}"] if bad else [])):
        click.echo(f"error: {text}", err=True)
    return int(bool(faults) or bad)


@drill.command()
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back.")
@click.option("--all", "everything", is_flag=True, help="Also what was exercised.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def coverage(home: str | None, config: str | None, days: int, everything: bool, as_json: bool) -> None:
    """Show which alert rules, deny codes, runbooks and scenarios were not exercised lately."""
    from peaktrade_core.drills.coverage import EXERCISED
    from peaktrade_core.drills.coverage import coverage as covered

    workspace = Workspace(home, config)
    recover(workspace)
    found = covered(workspace, days)
    if as_json:
        print_json(found)
        return
    kinds = list(dict.fromkeys(row.kind for row in found.rows))
    told = {kind: f"{sum(r.status == EXERCISED for r in found.of(kind))} of {len(found.of(kind))}" for kind in kinds}
    click.echo(f"Exercised in the last {days} days:")
    print_pairs(told)
    click.echo()
    print_table(
        ("KIND", "NAME", "STATUS", "TIMES", "LAST (UTC)", "WHERE"),
        (
            (row.kind, row.name, row.status, row.times, wording.moment(row.last), row.where or wording.NOTHING)
            for row in found.rows
            if everything or row.status != EXERCISED
        ),
        right=("TIMES",),
    )
    for fault in found.faults:
        click.echo(f"unreadable: {fault}", err=True)


def _show(done: Drill, as_json: bool) -> int:
    """Print how a drill went and return the exit code."""
    if as_json:
        print_json(done)
    elif done.score is None:
        click.echo(f"{done.drill_id} {done.scenario.name} was {done.status}: {done.early}")
    else:
        click.echo(f"\n{done.drill_id} {done.scenario.name}: {_points(done)} of 100 points")
        print_table(
            ("PHASE", "TOOK", "TARGET", "POINTS", "WHAT WAS SEEN"),
            (
                (p.name, wording.duration(p.took_s), wording.duration(p.target_s), f"{p.points:g}", p.says)
                for p in done.score.phases
            ),
            right=("TOOK", "TARGET", "POINTS"),
        )
        for text in done.score.wrong:
            click.echo(f"✕ {text}")
        for name in done.score.missed_alerts:
            click.echo(f"✕ the rule {name} never fired")
        click.echo(f"Page     reports/drills/{done.drill_id}/drill.md")
        click.echo(f'Next     peaktrade drill note {done.drill_id} "what was learned"')
    return int(done.score is None or not done.score.passed)


def _points(done: Drill) -> str:
    if done.score is None:
        return wording.NOTHING
    return f"{'✓' if done.score.passed else '✕'} {done.score.points:g}"


def _took(done: Drill, name: str) -> str:
    return wording.NOTHING if done.score is None else wording.duration(done.score.phase(name).took_s)
