"""The restart after maintenance: accept what changed, and see that what was started again really works.

Source: operational runbooks 4.2 and 4.3.
"""

from __future__ import annotations

from peaktrade_core.alerts.log_checks import log_checks
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.dashboard.watching.checks import dashboard_checks
from peaktrade_core.desk.installation import FILE, accept
from peaktrade_core.desk.smoke import smoke
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.rehearsal import portable
from peaktrade_core.runbooks.steps import Runbook
from peaktrade_core.runs.run_views import ACTIVE, RunRow
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as jn
from peaktrade_core.workspace.workspace import Workspace

_TAIL = 2000  # events of a run among which signals and orders are looked for


def smoke_run(workspace: Workspace, stage: str = "shadow") -> list[Check]:
    """Return the smoke test: a real run through everything, in a workspace of its own (a second or two)."""
    return portable(workspace, smoke(workspace, stage))


def accept_changes(runbook: Runbook, question: str = "tests_green") -> Table:
    """Note that the operator accepts program and configuration as they are, once the question is answered with yes."""
    title = "Accept program and configuration as they are"
    runbook.round.require_answers("accept")
    if not runbook.chose(question, "yes"):
        return Table(title, (), [], empty="Not accepted: the tests are not known to be green. Nothing starts before.")
    record = runbook.round.record

    def note() -> str:
        accept(runbook.workspace, record.operator, record.evidence_id)
        return f"accepted by {record.operator}, kept in {FILE.as_posix()}"

    return runbook.act("accept", title, note)


def restarted_checks(workspace: Workspace, run_id: str, dashboard_url: str) -> list[Check]:
    """Return the checklist after a restart for one run.

    Args:
        workspace: where.
        run_id: of the run that was started again; ``latest`` for the newest one.
        dashboard_url: of the dashboard on this machine.

    Raises:
        SessionNotFoundError: there is no such run.
        ConfigError: the address is no page on this machine.
    """
    rows = Views.of(workspace).runs(1 if run_id == "latest" else None)
    row = rows[0] if run_id == "latest" and rows else None if run_id == "latest" else Views.of(workspace).run(run_id)
    if row is None:
        step = "Start one with its start runbook (session_run, testnet_run), then run this cell again."
        return [check("processes", "Does the run live?", False, "no run at all", step)]
    logs = log_checks(workspace, row.started_at)
    found = [_lives(row), *logs, _signals(workspace, row), _limits(workspace, row), _watched(workspace)]
    return portable(workspace, [*found, *dashboard_checks(workspace, dashboard_url)])


def _lives(row: RunRow) -> Check:
    """Look whether the run's process lives, or it came to its end in good order."""
    ended = "it has ended already" if row.state == "completed" else row.notes or "see its checklist"
    return check(
        "processes",
        "Does the run live, or has it come to its end?",
        row.state in ("running", "completed"),
        f"{row.run_id} {row.state}" + ("" if row.state in ACTIVE else f": {ended}"),
        "Do the runbook post_session_check for it; start nothing more before.",
    )


def _signals(workspace: Workspace, row: RunRow) -> Check:
    """Look for the first signals and orders in the run's journal."""
    question, step = (
        "Do signals and orders come?",
        "Wait some bars; the strategy must first warm up. Then look at the feed.",
    )
    try:
        events = Views.of(workspace).tail_events(row.run_id, _TAIL)
    except PeaktradeError as error:
        return check("signals", question, False, str(error), "Without a journal the run must not go on: stop it.")
    signals = sum(isinstance(event, jn.Signal) for event in events)
    orders = sum(isinstance(event, jn.Order) for event in events)
    told = f"{signals} signals and {orders} orders in its last {len(events):,} events"
    return check("signals", question, signals > 0, told, step, otherwise=WARN)


def _limits(workspace: Workspace, row: RunRow) -> Check:
    """Look whether the run is held to limits: its own, and a trading state that can be read."""
    question, step = "Are risk limits in force for it?", "Stop it: a run without limits must not trade."
    try:
        limits = Views.of(workspace).record(row.run_id).setting("risk_limits")
        state = TradingStates.of(workspace).read("global")
    except PeaktradeError as error:
        return check("limits", question, False, str(error), step)
    count = len(limits) if isinstance(limits, dict) else 0
    return check("limits", question, count > 0, f"{count} limits in its record, trading state {state.state}", step)


def _watched(workspace: Workspace) -> Check:
    watch = watch_of(workspace)
    told = watch.status + (f", last turn {wording.moment(watch.state.at)} UTC" if watch.state else "")
    step = "Start `peaktrade watch`; without it nobody is told when something goes wrong."
    return check("watcher", "Does the watcher run?", watch.status == "running", told, step, otherwise=WARN)
