"""The restart after maintenance: accept what changed, and see that what was started again really works.

Source: operational runbooks 4.2 and 4.3.
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.alerts.questions import log_checks, watcher
from peaktrade_core.base.question import FAIL, WARN, Check, Found, answers, question
from peaktrade_core.dashboard.watching.pre_session_check import dashboard_checks
from peaktrade_core.desk.installation import FILE, accept
from peaktrade_core.desk.smoke import smoke
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as jn
from peaktrade_core.workspace.workspace import Workspace

_TAIL = 2000  # events of a run among which signals and orders are looked for


def smoke_run(workspace: Workspace, stage: str = "shadow") -> list[Check]:
    """Return the smoke test: a real run through everything, in a workspace of its own (a second or two)."""
    return workspace.told(smoke(workspace, stage))


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
    rows = Views.of(workspace).runs(1) if run_id == "latest" else [Views.of(workspace).run(run_id)]
    if not rows:
        step = "Start one with its start runbook (session_run, testnet_run), then run this cell again."
        return [Check(id=lives.id, question=lives.text, status=FAIL, evidence="no run at all", next_step=step)]
    run = Restarted(workspace, rows[0])
    found = [lives(run), *log_checks(workspace, rows[0].started_at), *answers((signals, limits), run)]
    return [*workspace.told(found), *workspace.ask((watcher,)), *dashboard_checks(workspace, dashboard_url)]


class Restarted(NamedTuple):
    """A run that was started again."""

    workspace: Workspace
    row: Run


@question(
    "processes",
    "Does the run live, or has it come to its end?",
    "Do the runbook post_session_check for it; start nothing more before.",
)
def lives(run: Restarted) -> Found:
    """Look whether the run's process lives, or it came to its end in good order."""
    row = run.row
    ended = "it has ended already" if row.state == "completed" else row.notes or "see its checklist"
    told = f"{row.run_id} {row.state}" + ("" if row.state in ACTIVE else f": {ended}")
    return row.state in ("running", "completed"), told


@question(
    "signals",
    "Do signals and orders come?",
    "Wait some bars; the strategy must first warm up. Then look at the feed. Stop a run without a journal.",
    otherwise=WARN,
)
def signals(run: Restarted) -> Found:
    """Look for the first signals and orders in the run's journal."""
    events = Views.of(run.workspace).tail_events(run.row.run_id, _TAIL)
    found = sum(isinstance(event, jn.Signal) for event in events)
    orders = sum(isinstance(event, jn.Order) for event in events)
    return found > 0, f"{found} signals and {orders} orders in its last {len(events):,} events"


@question("limits", "Are risk limits in force for it?", "Stop it: a run without limits must not trade.")
def limits(run: Restarted) -> Found:
    """Look whether the run is held to limits: its own, and a trading state that can be read."""
    found = Views.of(run.workspace).look(run.row.run_id).record.setting("risk_limits")
    state = TradingStates.of(run.workspace).read(GLOBAL)
    count = len(found) if isinstance(found, dict) else 0
    return count > 0, f"{count} limits in its record, trading state {state.state}"
