"""One view of health: the machine, the workspace, the runs, the watcher, the scheduler, the switch, and the venue."""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.desk.doctor import examine
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

DEVELOPERS = ("bytecode", "browser")  # of the doctor's checks, what does not concern an operator


def health(workspace: Workspace, *, venue: bool = False) -> list[Check]:
    """Return every check of live operations; none raises.

    Args:
        workspace: of which; sessions whose process died are ended first.
        venue: ask the venue, too.
    """
    asked = [
        ("runs", "Does every session that is not ended give signs of life?", _runs),
        ("watcher", "Does the watcher run?", _watcher),
        ("alerts", "Is no critical alert raised?", _alerts),
        ("schedule", "Did every scheduled job do its work?", _schedule),
        ("kill_switch", "Can the kill switch be trusted, and is it released?", _kill_switch),
        ("account", "Is the account of the running sessions below its limits?", _account),
    ]
    checks = [one for one in examine(workspace) if one.id not in DEVELOPERS]
    checks += [_answered(id, question, ask, workspace) for id, question, ask in asked]
    return checks + (_venue(workspace) if venue else [])


def _answered(id: str, question: str, ask: Callable[[str, str, Workspace], Check], workspace: Workspace) -> Check:
    """Return an answer, or a failed check when it cannot be given."""
    try:
        return ask(id, question, workspace)
    except PeaktradeError as error:
        return check(id, question, False, f"{type(error).__name__}: {error}", "Mend that first; the rest is unknown.")


def _runs(id: str, question: str, workspace: Workspace) -> Check:
    active = [run for run in Views.of(workspace).runs(500) if run.state in ("running", "silent", "died")]
    odd = [f"{run.run_id} {run.state}" for run in active if run.state != "running"]
    evidence = f"{len(active)} running" if active else "none runs"
    step = "`peaktrade monitor run` shows what it does; stop it with `peaktrade fleet stop`, or recover it."
    return check(id, question, not odd, ", ".join(odd[:5]) or evidence, step)


def _watcher(id: str, question: str, workspace: Workspace) -> Check:
    watch = watch_of(workspace)
    turn = f", last turn {wording.moment(watch.state.at)} UTC" if watch.state else ""
    faults = "; ".join(f"{name}: {fault}" for name, fault in watch.state.faults.items()) if watch.state else ""
    return check(
        id,
        question,
        watch.status == "running" and not faults,
        f"{watch.status}{turn}" + (f", {faults}" if faults else ""),
        "Start it with `peaktrade watch`; without it nobody is told of anything."
        if watch.status != "running"
        else "Mend what its faults say.",
        otherwise=FAIL if watch.status == "silent" else WARN,
    )


def _alerts(id: str, question: str, workspace: Workspace) -> Check:
    raised = Alerts.of(workspace).rows("raised")
    critical = [f"{row.rule_id}: {row.message}" for row in raised if row.severity == "critical"]
    step = "`peaktrade alerts list` names the runbook of each; acknowledge what you take care of."
    return check(id, question, not critical, "; ".join(critical[:3]) or f"{len(raised)} raised", step)


def _schedule(id: str, question: str, workspace: Workspace) -> Check:
    states = [state for state in open_schedule(workspace).states() if state.enabled]
    bad = [f"{s.job} {s.status}" for s in states if s.status in ("failed", "timed_out", "crashed")]
    bad += [f"{s.job} overdue: {', '.join(s.missing[:3])}" for s in states if s.overdue]
    met = any(state.status != "never" for state in states)
    evidence = "; ".join(bad) or (f"{len(states)} jobs" if met else "no job ever ran: no scheduler was started")
    step = "`peaktrade schedule status` says why; `peaktrade schedule run` works off what is missing."
    return check(id, question, not bad, evidence, step, otherwise=WARN)


def _kill_switch(id: str, question: str, workspace: Workspace) -> Check:
    switch = KillSwitch.of(workspace).status()
    told = f"{switch.state} by {switch.by}: {switch.reason}" if switch.engaged else "released"
    step = "Find the cause; two people release it with `peaktrade killswitch release`."
    return check(id, question, not switch.engaged and not switch.fault, switch.fault or told, step)


def _account(id: str, question: str, workspace: Workspace) -> Check:
    uses = Account.of(workspace).uses()
    told = "; ".join(
        use.fault or f"{use.mode} {wording.money(use.exposure, use.currency)} in {use.sessions} sessions, {use.level}"
        for use in uses
    )
    level = max((use.level for use in uses), key=("green", "yellow", "red").index, default="green")
    step = "`peaktrade risk show` names the limit; reduce before anything new is started."
    return check(id, question, level == "green", told, step, otherwise=FAIL if level == "red" else WARN)


def _venue(workspace: Workspace) -> list[Check]:
    """Return what the venue itself says."""
    from peaktrade_core.session.venue_readiness import venue_checks

    try:
        return venue_checks(workspace, workspace.config.session.symbol)
    except PeaktradeError as error:
        question = "Can the venue be asked?"
        return [check("venue", question, False, f"{type(error).__name__}: {error}", "Mend the configuration first.")]
