"""The restart after maintenance: accept what changed, and see that what was started again really works.

Source: operational runbooks 4.2 and 4.3.
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.alerts.questions import watcher
from peaktrade_core.base.question import FAIL, WARN, Check, Found, answers, question
from peaktrade_core.changes.questions import alert_rules
from peaktrade_core.dashboard.watching.pre_session_check import BeforeStart, dashboard_checks
from peaktrade_core.desk.installation import FILE, accept, accepted
from peaktrade_core.desk.smoke import smoke
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.runbook import Prompt
from peaktrade_core.runs.logs import log_checks
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as jn
from peaktrade_core.workspace.workspace import Workspace

_ALERTS = "alerts_go"
_TAIL = 2000  # events of a run among which signals and orders are looked for


class RestartRunbook(BeforeStart):
    """See what maintenance changed, prove that everything still works, accept it, and watch the first run closely."""

    compared = ("changes", "What changed?")

    def tests_green(self) -> Prompt:
        """Ask for the test suite; without it nothing starts again."""
        return self.ask_must("tests_green", "Is the whole test suite green on this version (CI, or `make test`)?")

    def alerts_go(self) -> Table:
        """Record whether alert rules, channels and escalation are as they were approved; else nothing is accepted."""
        return self.check(_ALERTS, "Are the alert rules as they were approved?", self.workspace.ask((alert_rules,)))

    def smoke(self) -> Table:
        """Record the smoke test: a real run through everything, in a workspace of its own (a second or two)."""
        checks = self.workspace.told(smoke(self.workspace, self.given.stage))
        return self.check("smoke", "Does everything work together?", checks)

    def accept(self) -> Table:
        """Note, once the tests are known to be green, that the operator accepts the program as it is.

        Raises:
            StepOpenError: a person steps through and a question is open.
            EnvironmentFault: the note cannot be written.
        """
        title = "Accept the program as it is"
        self.round.require_answers("accept")
        if not self.chose("tests_green", "yes"):
            return Table(
                title, (), [], empty="Not accepted: the tests are not known to be green. Nothing starts before."
            )
        record = self.round.record
        alerts = record.step(_ALERTS)
        if alerts is None or alerts.status == FAIL:
            return Table(
                title, (), [], empty="Not accepted: the alert rules are not known to be as they were approved."
            )

        def note() -> str:
            accept(self.workspace, record.operator, record.evidence_id)
            return f"accepted by {record.operator}, kept in {FILE.as_posix()}"

        return self.act("accept", title, note)

    def restarted(self) -> Prompt | Table:
        """Ask whether what should run was started again."""
        return self.confirm("restarted", "Have you started again what should run, with its start runbook?")

    def running(self) -> Table:
        """Record the checklist after a restart for the run that was started again, since this runbook began.

        Raises:
            SessionNotFoundError: there is no such run.
            ConfigError: the dashboard's address is not a page on this machine.
        """
        views, run_id = Views.of(self.workspace), self.given.run_id
        rows = views.runs(1) if run_id == "latest" else [views.run(run_id)]
        return self.check(
            "running", "Does it work?", self._checked(rows[0]) if rows else [_nothing_runs("no run at all")]
        )

    def watched(self) -> Prompt | Table:
        """Ask whether it is watched more closely for a while."""
        text = "Who looks at logs and dashboard for the first two hours: is that agreed?"
        return self.confirm("watched", text, needed=True)

    def _checked(self, row: Run) -> list[Check]:
        """Return the checklist after a restart for one run; one from before the maintenance fails it."""
        began = self.round.record.began_at.replace(microsecond=0)
        run, old = Restarted(self.workspace, row), row.started_at is None or row.started_at < began
        told = (
            f"{row.run_id} began {wording.moment(row.started_at)} UTC, before this runbook at {wording.moment(began)}"
        )
        first = _nothing_runs(told) if old else lives(run)
        found = [first, *log_checks(self.workspace, row.started_at), *answers((signals, limits), run)]
        seen = dashboard_checks(self.workspace, self.given.dashboard_url)
        return [*self.workspace.told(found), *self.workspace.ask((watcher,)), *seen]


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
    row, last = run.row, accepted(run.workspace)
    if last is not None and last.at is not None and row.started_at is not None and row.started_at < last.at:
        when = f"{row.run_id} began before this installation was accepted ({wording.minute(last.at)} UTC)"
        return FAIL, when, "Start the run again with its start runbook, then run this cell once more."
    ended = "it has ended already" if row.state == "completed" else row.notes or "see its checklist"
    told = f"{row.run_id} {row.state}" + ("" if row.state in ACTIVE else f": {ended}")
    return row.state in ("running", "completed"), told


def _nothing_runs(told: str) -> Check:
    """Return the answer where nothing was started again."""
    return Check(
        id=lives.id,
        question=lives.text,
        status=FAIL,
        evidence=told,
        next_step="Start one with its start runbook (session_run, testnet_run), then run this cell again.",
    )


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
    return (
        found > 0,
        f"{wording.many(found, 'signal')} and {wording.many(orders, 'order')} in its last {len(events):,} events",
    )


@question("limits", "Are the configured risk limits in force for it?", "Stop it: it must not trade under other limits.")
def limits(run: Restarted) -> Found:
    """Compare the limits that the run is held to with the configured ones, and ask for the trading state."""
    found = Views.of(run.workspace).look(run.row.run_id).record.setting("risk_limits")
    state = TradingStates.of(run.workspace).read(GLOBAL).state
    if not isinstance(found, dict) or not found:
        return FAIL, f"its record names no limit; trading state {state}"
    wanted = run.workspace.config.limits._asdict()
    other = [
        f"{name} {found.get(name)} instead of {wanted[name]:g}" for name in wanted if found.get(name) != wanted[name]
    ]
    return not other, f"{'; '.join(other) or f'{len(wanted)} limits as configured'}; trading state {state}"
