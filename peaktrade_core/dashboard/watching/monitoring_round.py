"""A monitoring round: what runs and how, what the escalation path asks for, who decided, and the pause that follows from it.

The path is that of the alert rules: what they find about the runs that are watched, and what failed lately.

Source: operator workflow 3.3 and 6.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CRITICAL
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.rules.facts import RuleFinding
from peaktrade_core.alerts.rules.kinds import AnyRule, Drawdown, FailedInRow, FailedSession
from peaktrade_core.base.clock import iso, local
from peaktrade_core.base.question import WARN, Found, check, question
from peaktrade_core.dashboard.watching.live_track_watch import tile_table
from peaktrade_core.dashboard.watching.watch import DESK, LOOKED_AT
from peaktrade_core.fleet.during_session import Watched, during_checks, watch_runs, watched_table
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.halts.scope import STATES
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.figures import runs_figure
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

GO_ON, INVESTIGATE, REVIEW, PAUSE = "go_on", "investigate", "review", "pause"
LEVELS = (GO_ON, INVESTIGATE, REVIEW, PAUSE)
STEP = "escalation"
LONGEST_GAP = timedelta(minutes=30)  # between two rounds
_TEXT = "What does the escalation path ask for?"
_LABELS = {
    GO_ON: ("Go on", "the next round in 15 to 30 minutes", "routine"),
    INVESTIGATE: ("Investigate", "one failed: its runbook is incident_failed_session; the others go on", "routine"),
    REVIEW: ("Risk review", "a deep drawdown: the risk officer looks at it before the next session", "routine"),
    PAUSE: ("Pause now", "several failed in a row, or a drawdown that is critical: halt it, tell the owner", "pause"),
}


class Escalation(NamedTuple):
    """What the escalation path asks for: one of :data:`LEVELS`, why, and the trading scopes that it is about."""

    level: str
    why: tuple[str, ...]
    scopes: tuple[str, ...] = ()


def escalation(workspace: Workspace, watched: Sequence[Watched]) -> Escalation:
    """Return what the workspace's alert rules about failed sessions and drawdowns ask for now.

    One failed: investigate; several in a row of a mode, strategy and symbol: pause; a drawdown that is a warning: risk
    review; one that is critical: pause at once.

    Raises:
        ConfigError: the rules are not sound.

    Source: operator workflow 6.3.
    """
    alerts = Alerts.of(workspace)
    asked = alerts.ask(FailedSession, FailedInRow) + alerts.ask(Drawdown, rows=[one.row for one in watched])
    found = [(_level(rule, finding), finding) for rule, finding in asked]
    level = max((level for level, _ in found), key=LEVELS.index, default=GO_ON)
    why = tuple(dict.fromkeys(f"{one.run_id}: {one.message}" for _, one in found))
    scopes = dict.fromkeys(scope for its, one in found if its == level for scope in one.scopes)
    return Escalation(level, why or ("no failed session in 24 hours, no deep drawdown",), tuple(scopes))


def _level(rule: AnyRule, finding: RuleFinding) -> str:
    match rule:
        case FailedSession():
            return INVESTIGATE
        case Drawdown():
            return PAUSE if finding.severity == CRITICAL else REVIEW
    return PAUSE


@question(
    "cadence",
    "Was the last round at most 30 minutes ago, while something runs?",
    "Look every 15 to 30 minutes while something runs; write down why the gap was longer.",
    otherwise=WARN,
)
def cadence(this: Runbook) -> Found:
    """Look for the round before this one."""
    now = Views.of(this.workspace).now()
    running = [run.started_at for run in Fleet.of(this.workspace).active() if run.started_at]
    record = this.round.record
    rounds = EvidenceBook.of(this.workspace).newest(record.runbook, most=LOOKED_AT)
    last = max((one.began_at for one in rounds if one.evidence_id != record.evidence_id), default=None)
    since = max((at for at in (last, min(running, default=None)) if at), default=None)
    late = bool(running) and since is not None and now - since > LONGEST_GAP
    told = f"last round {iso(last)}" if last else "no round before this one"
    return not late, told if running else f"{told}; nothing runs"


class MonitoringRunbook(Runbook):
    """Look at everything that runs, decide what the escalation path asks for, and carry it out."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the run that is named; empty for all that run."""
        del workspace
        return str(given.run_id)

    @cached_property
    def watched(self) -> Sequence[Watched]:
        """The runs of this round, as they stood when it was first asked: the named one, else what runs, else the newest."""
        return watch_runs(Views.of(self.workspace), self.given.run_id)

    def running(self) -> Table:
        """Return the runs that are looked at, one a line.

        Raises:
            SessionNotFoundError: there is no run of that id.
        """
        return watched_table(self.watched)

    def figure(self) -> Chart | Table:
        """Return the PnL of the runs that are looked at, over each other."""
        return runs_figure(Views.of(self.workspace), [one.row for one in self.watched])

    def desk(self) -> Table:
        """Record whether the desk is watched between two rounds, and whether the last one was at most half an hour ago."""
        return self.check("desk", "Is the desk watched?", [*self.workspace.ask(DESK), cadence(self)])

    def sessions(self) -> Table:
        """Record the answered checklist of the runs."""
        return self.check("sessions", "Are the sessions in order?", during_checks(self.watched))

    def tile(self) -> Table:
        """Return the tile of the latest session, element by element."""
        return tile_table(self.workspace)

    def path(self) -> Table:
        """Record whether the escalation path asks for more than going on."""
        found = escalation(self.workspace, self.watched)
        label, meaning, _ = _LABELS[found.level]
        well, why, step = found.level == GO_ON, "; ".join(found.why), f"{label}: {meaning}."
        asked = check("path", "What the escalation path asks for", well, why, step, otherwise=WARN)
        return self.check("path", "The escalation path", [asked])

    def decision(self) -> Prompt | Table:
        """Ask what is to be done, unless there is nothing to decide; the evidence says which answer it supports."""
        found = escalation(self.workspace, self.watched)
        if found.level == GO_ON:
            return self.spare(STEP, _TEXT, "Nothing to ask: no failed session and no deep drawdown.")
        options = [
            Option(
                key=key,
                label=label,
                meaning=meaning,
                status="pass" if key == GO_ON else WARN,
                supported=key == found.level,
                authority=authority,
            )
            for key, (label, meaning, authority) in _LABELS.items()
        ]
        return self.ask(STEP, _TEXT, options, reason=True)

    def carry_out(self) -> Table:
        """Halt what the escalation is about if a pause was decided; sessions obey within a second, also after a restart.

        Raises:
            StepOpenError: a person steps through and has not decided yet.
        """
        self.round.require_answers()
        if not self.chose(STEP, PAUSE):
            return Table("Pause", (), [], empty="No pause was decided; nothing was changed.")
        return self.act("pause", "Pause", self._pause)

    def noted(self) -> Prompt | Table:
        """Ask whether what is not in order is written down, unless all is."""
        text = "Is every line that is not ✓ in the incident log, with its cause?"
        return self.confirm("noted", text, about=("desk", "sessions"))

    def next_round(self) -> Table:
        """Return when the next round is due."""
        minutes = self.given.every_minutes
        at = Views.of(self.workspace).now() + timedelta(minutes=minutes)
        rows = [("UTC", f"{at:%H:%M}"), ("Europe/Berlin", local(at)[11:16])]
        return Table(f"The next round is due in {minutes} minutes", ("", ""), rows)

    def _pause(self) -> str:
        """Halt the scopes of the escalation and return what was done; what is stricter already stays so."""
        found = escalation(self.workspace, self.watched)
        states, record = TradingStates.of(self.workspace), self.round.record
        done = []
        for scope in found.scopes:
            before = states.read(scope)
            if before.level >= STATES.index("HALTED"):
                done.append(f"{scope} was {before.state} already")
                continue
            reason = f"{record.evidence_id}: {'; '.join(found.why)}"
            states.stop(scope, "HALTED", by=record.operator, reason=reason, now=self.workspace.clock.now())
            done.append(f"{scope} is HALTED; `peaktrade risk resume --scope {scope}` once the cause is found")
        return "; ".join(done) or "there is no scope to halt"
