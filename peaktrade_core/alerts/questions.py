"""What is asked about those who watch, and the alerts' runbook: who watches, what is open and what it means, taking it on.

Source: operational runbooks 10c.
"""

from __future__ import annotations

from types import SimpleNamespace

from peaktrade_core.alerts.alerts import CRITICAL, AlertRow
from peaktrade_core.alerts.desk import ALERTS, OPEN, Alerts, runbook_link
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.figures import alerts_figure
from peaktrade_core.alerts.rules.kinds import FailedInRow
from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError, PeaktradeError, UnknownNameError
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Found, answers, check, question
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.workspace.workspace import Workspace


@question("watcher", "Does the watcher run?", "Start it with `peaktrade watch`; without it no one is told of anything.")
def watcher(workspace: Workspace) -> Found:
    """Look at what the watcher last said of itself."""
    watch = watch_of(workspace)
    turn = f", last turn {wording.moment(watch.state.at)} UTC" if watch.state else ""
    faults = "; ".join(f"{name}: {fault}" for name, fault in watch.state.faults.items()) if watch.state else ""
    told = f"{watch.status}{turn}" + (f", {faults}" if faults else "")
    if watch.status == "running":
        return WARN if faults else PASS, told, "Mend what its faults say."
    return FAIL if watch.status == "silent" else WARN, told


@question(
    "alerts",
    "Open alerts",
    "`peaktrade alerts list` names the runbook of each; acknowledge what you take care of.",
)
def alerts(workspace: Workspace) -> Found:
    """Look for open alerts: a critical one fails, another warns, and where no rule was ever asked none is known."""
    desk = Alerts.of(workspace)
    if not desk.log.path.exists():
        return UNKNOWN, "no rule was ever asked", "`peaktrade watch` evaluates the rules."
    rows = desk.rows(OPEN)
    untold = sum(row.untold for row in rows)
    more = f"; {untold} could not be told on every channel" if untold else ""
    worst = [f"{row.rule_id}: {row.message}" for row in rows if row.severity == CRITICAL]
    if worst:
        return FAIL, f"{len(worst)} critical of {len(rows)}: {'; '.join(worst[:3])}{more}"
    free = sum(row.free for row in rows)
    return WARN if rows else PASS, f"{free} of {len(rows)} not taken on{more}" if rows else "none"


@question(
    "delivered",
    "Open alerts that could not be delivered",
    "`peaktrade alerts list` says why; tell the owner by hand, mend the channel in config/alerts.toml, then "
    "`peaktrade alerts ack` each.",
    otherwise=WARN,
)
def delivered(workspace: Workspace) -> Found:
    """Look for alerts that a channel refused and no person has seen, cleared ones too."""
    rows = [row for row in Alerts.of(workspace).rows(OPEN) if row.untold]
    lost = [f"{row.alert_id} ({', '.join(f'{name}: {why}' for name, why in row.refusals.items())})" for row in rows]
    return not lost, wording.counted(lost, "none")


@question(
    "in_a_row",
    "Sessions that failed in a row",
    "Pause, and find the root cause before the next session.",
)
def in_a_row(workspace: Workspace) -> Found:
    """Ask the alert rule about a mode, strategy and symbol whose newest sessions failed one after the other."""
    found = [finding.message for _, finding in Alerts.of(workspace).ask(FailedInRow)]
    return not found, "; ".join(found) or "none"


@question(
    "unacknowledged",
    "Unacknowledged critical alerts",
    "`peaktrade alerts ack` each with your name, once you know what it is about; the alert names its runbook.",
)
def unacknowledged(workspace: Workspace) -> Found:
    """Look for critical alerts that no one has taken on."""
    rows = Alerts.of(workspace).rows(OPEN)
    left = [row.alert_id for row in rows if row.severity == CRITICAL and row.free]
    return not left, wording.counted(left, f"none, {len(rows)} open")


@question(
    "schedule",
    "Did every scheduled job do its work?",
    "`peaktrade schedule status` says why; `peaktrade schedule run` works off what is missing.",
    otherwise=WARN,
)
def schedule(workspace: Workspace) -> Found:
    """Look for jobs that failed or are overdue."""
    states = [state for state in open_schedule(workspace).states() if state.enabled]
    bad = [f"{s.job} {s.status}" for s in states if s.status in ("failed", "timed_out", "crashed")]
    bad += [f"{s.job} overdue: {', '.join(s.missing[:3])}" for s in states if s.overdue]
    met = any(state.status != "never" for state in states)
    return not bad, "; ".join(bad) or (
        wording.many(len(states), "job") if met else "no job ever ran: no scheduler was started"
    )


LOOK, ACKNOWLEDGE, SILENCE = "look", "ack", "silence"
ACTIONS = (LOOK, ACKNOWLEDGE, SILENCE)
_ACTS = {  # on its scope, and on everything
    "reduce": ("reduces by itself", "reduces everything by itself"),
    "halt": ("pauses by itself", "pauses everything by itself"),
    "kill_switch": ("stops by itself", "stops everything by itself"),
}


class AlertHandlingRunbook(Runbook):
    """See what is open and what it means, take an alert on with a name, or hold its deliveries back for a while."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the alert that is named; empty for all."""
        del workspace
        return str(given.alert_id)

    def trusted(self) -> Table:
        """Record whether alerts can be trusted: rules sound, a watcher that runs, deliveries that arrive, no endless silence."""
        try:
            settings = alert_settings(self.workspace)
            rules, fault = len(settings.rules), ""
            far = sorted(name for name, channel in settings.channels.items() if channel.kind == "apprise")
        except PeaktradeError as error:
            rules, fault, far = 0, str(error), []
        silences, now = Alerts.of(self.workspace).silences(), Views.of(self.workspace).now()
        long = [one.silence_id for one in silences if (one.until - now).total_seconds() > 86_400]
        found = [
            check(
                "rules",
                "Are the alert rules sound?",
                not fault and rules > 0,
                fault or wording.many(rules, "rule"),
                "Mend config/alerts.toml: no rule is asked before; `peaktrade alerts rules` shows what is read.",
            ),
            *answers((watcher, delivered), self.workspace),
            check(
                "channels",
                "Does a channel reach people who are not at this screen?",
                bool(far),
                ", ".join(far) if far else "only console and log",
                "Add mail, Slack or Telegram under [channels] in config/alerts.toml; `peaktrade alerts test-channel` tries it.",
                otherwise=WARN,
            ),
            check(
                "silences",
                "Silences that last for more than a day",
                not long,
                f"{len(long)} of {len(silences)}: {', '.join(long)}" if long else f"none of {len(silences)}",
                "`peaktrade alerts unsilence ID`: who is silenced for long is forgotten.",
                otherwise=WARN,
            ),
        ]
        return self.check("desk", "Can the alerts be trusted?", found)

    def evaluate(self) -> Table:
        """Ask the rules once and record what they find, as a turn of the watcher does; nothing where it was not asked for."""
        if not self.given.evaluate:
            return Table("Ask the rules", (), [], empty="Not asked for: what is open is what the watcher found.")
        return self.act("evaluate", "Ask the rules", self._evaluate)

    def open_alerts(self) -> Table:
        """Return the named alert, or all that are open: how bad, about what, since when, whose, who took it on.

        Raises:
            UnknownNameError: no alert has that id.
        """
        names = "alert severity rule about message raised owner taken notebook"
        return ALERTS.table("Open alerts", self._rows(), names, empty="No alert is open.")

    def figure(self) -> Chart | Table:
        """Return the alerts over time: open, not taken on, raised."""
        return alerts_figure(Alerts.of(self.workspace).rows(), Views.of(self.workspace).now())

    def meanings(self) -> Table:
        """Return what the rules of these alerts say and the first thing to do; of all rules when nothing is open.

        Raises:
            UnknownNameError: no alert has that id.
        """
        try:
            rules = alert_settings(self.workspace).rules
        except PeaktradeError as error:
            return Table("What they mean", (), [], empty=str(error))
        asked = {row.rule_id for row in self._rows()} or {rule.id for rule in rules}
        lines = []
        for rule in rules:
            if rule.id in asked:
                told = handbook().alert[str(rule.__struct_config__.tag)]
                acts = _ACTS[rule.action][rule.wide] if rule.action in _ACTS else ""
                lines.append((rule.id, told.says, Cell(told.first, code=True), acts, runbook_link(rule.chapter)))
        return Table("What they mean", ("Rule", "It says", "First", "When critical", "Runbook"), lines)

    def handle(self) -> Table:
        """Take an alert on, or hold its deliveries back for a while, once; ``look`` changes nothing.

        Raises:
            UnknownNameError: no such action or alert.
            ConfigError: no reason, an alert that has cleared, or more than one is open and none was named.
        """
        action = self.given.action
        if action == LOOK:
            empty = "Nothing was asked for. To take an alert on, set `action` to ack, `alert_id` and `reason`."
            return Table("What was done", (), [], empty=empty)
        if action not in ACTIONS:
            raise UnknownNameError("action", action, ACTIONS)
        done = self.round.record.step(action)
        if done is not None and done.status == PASS:
            return self.act(action, done.title, lambda: done.result)
        if not self.given.reason.strip():
            raise ConfigError("an alert is taken on or held back with a reason: set `reason` in the parameters")
        row = self._chosen()
        if action == ACKNOWLEDGE:
            return self.act(action, "Take it on", lambda: self._acknowledge(row))
        return self.act(action, "Hold it back", lambda: self._silence(row))

    def cared(self) -> Table:
        """Record whether every open alert has somebody who cares."""
        rows = [row for row in Alerts.of(self.workspace).rows(OPEN) if row.waits]
        critical = [row.alert_id for row in rows if row.severity == CRITICAL]
        others = [row.alert_id for row in rows if row.severity != CRITICAL]
        found = [
            check(
                "critical",
                "Is every critical alert taken on?",
                not critical,
                f"{len(critical)} not taken on: {', '.join(critical[:3])}" if critical else "all are taken on",
                "Take it on with `action` ack and work through its runbook, now.",
            ),
            check(
                "warnings",
                "Is every other alert taken on, or held back for a reason?",
                not others,
                f"{len(others)} not taken on: {', '.join(others[:3])}" if others else "all are taken on",
                "Take it on, or hold it back for a while with a reason.",
                otherwise=WARN,
            ),
        ]
        return self.check("cared", "Is every alert taken on?", found)

    def treated(self) -> Prompt | Table:
        """Ask whether the runbooks are being worked through, unless every alert has somebody who cares."""
        return self.confirm("treated", "Is the runbook of each alert above being worked through?", about="cared")

    def _rows(self) -> list[AlertRow]:
        """Return the named alert, or all that are open, the worst first."""
        alerts, named = Alerts.of(self.workspace), self.given.alert_id
        rows = [alerts.row(named)] if named else alerts.rows(OPEN)
        return sorted(rows, key=lambda row: (-row.rank, -row.raised_at.timestamp()))

    def _chosen(self) -> AlertRow:
        rows = self._rows()
        if len(rows) != 1:
            raise ConfigError(f"{len(rows)} alerts are open: name one in `alert_id`; the table above lists them")
        return rows[0]

    def _evaluate(self) -> str:
        if watch_of(self.workspace).status != "off":
            return "a watcher runs and asks them all the time"
        open_watcher(self.workspace, once=True).run(once=True)
        rows = Alerts.of(self.workspace).rows(OPEN)
        return (
            f"{wording.many(len(rows), 'alert')} open, {sum(row.severity == CRITICAL for row in rows)} of them critical"
        )

    def _acknowledge(self, row: AlertRow) -> str:
        by, reason = self.round.record.operator, self.given.reason
        Alerts.of(self.workspace).acknowledge(row.alert_id, by, reason)
        return f"{row.alert_id} ({row.rule_id}) is taken on by {by}: {reason}; it escalates no further"

    def _silence(self, row: AlertRow) -> str:
        by, reason, seconds = self.round.record.operator, self.given.reason, 60.0 * self.given.silence_minutes
        held = Alerts.of(self.workspace).silence(
            by=by, reason=reason, seconds=seconds, rule_id=row.rule_id, run_id=row.run_id
        )
        what = f"{row.rule_id} on {held.run_id}" if held.run_id else row.rule_id
        until = wording.minute(held.until)
        return f"{what} is silent until {until} UTC by {by}: {reason}; it is still recorded ({held.silence_id})"


def alert_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the open alerts, to pick one."""
    return [
        Suggestion(row.alert_id, f"{row.severity} · {row.rule_id} · {row.message}")
        for row in Alerts.of(workspace).rows(OPEN)
    ]
