"""The alerts' runbook: who watches, what is open and what it means, taking an alert on, holding one back.

Source: operational runbooks 10c.
"""

from __future__ import annotations

from collections.abc import Sequence

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.columns import ALERTS, runbook_link
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError, PeaktradeError, UnknownNameError
from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.workspace.workspace import Workspace

LOOK, ACKNOWLEDGE, SILENCE = "look", "ack", "silence"
ACTIONS = (LOOK, ACKNOWLEDGE, SILENCE)
_ACTS = {"reduce": "reduces by itself", "halt": "pauses by itself", "kill_switch": "stops by itself"}


def alert_desk_checks(workspace: Workspace) -> list[Check]:
    """Return whether alerts can be trusted: rules sound, a watcher that runs, deliveries that arrive, no endless silence."""
    watch = watch_of(workspace)
    try:
        settings = alert_settings(workspace)
        rules, fault = len(settings.rules), ""
        far = sorted(name for name, channel in settings.channels.items() if channel.kind == "apprise")
    except PeaktradeError as error:
        rules, fault, far = 0, str(error), []
    open_ = Alerts.of(workspace).rows("raised")
    lost = [row.alert_id for row in open_ if "failed" in row.deliveries.values()]
    silences = Alerts.of(workspace).silences()
    long = [s.silence_id for s in silences if (s.until - Views.of(workspace).now()).total_seconds() > 86_400]
    return [
        check(
            "rules",
            "Are the alert rules sound?",
            not fault and rules > 0,
            fault or f"{rules} rules",
            "Mend config/alerts.toml: no rule is asked before; `peaktrade alerts rules` shows what is read.",
        ),
        check(
            "watcher",
            "Does the watcher ask them?",
            watch.status == "running",
            f"the watcher is {watch.status}",
            "`peaktrade watch` starts it; until then set `evaluate` to ask the rules once.",
            otherwise=FAIL if watch.status == "silent" else WARN,
        ),
        check(
            "channels",
            "Does a channel reach somebody who is not at this screen?",
            bool(far),
            ", ".join(far) if far else "only console and log",
            "Add mail, Slack or Telegram under [channels] in config/alerts.toml; `peaktrade alerts test-channel` tries it.",
            otherwise=WARN,
        ),
        check(
            "delivered",
            "Was every open alert delivered?",
            not lost,
            f"{len(open_)} open, {len(lost)} not delivered" + (f": {', '.join(lost[:3])}" if lost else ""),
            "Tell the owner by hand; mend the channel.",
        ),
        check(
            "silences",
            "Does no silence last for more than a day?",
            not long,
            f"{len(silences)} silences" + (f", longer: {', '.join(long)}" if long else ""),
            "`peaktrade alerts unsilence ID`: who is silenced for long is forgotten.",
            otherwise=WARN,
        ),
    ]


def open_alerts(workspace: Workspace, alert_id: str = "") -> list[AlertRow]:
    """Return the named alert, or all that are raised, the worst first.

    Raises:
        UnknownNameError: no alert has that id.
    """
    rows = [Alerts.of(workspace).row(alert_id)] if alert_id else Alerts.of(workspace).rows("raised")
    return sorted(rows, key=lambda row: (-row.rank, -row.raised_at.timestamp()))


def alerts_table(rows: Sequence[AlertRow]) -> Table:
    """Return alerts: how bad, about what, since when, whose, who took it on, and the runbook that treats it."""
    names = "alert severity rule about message raised owner taken notebook"
    return ALERTS.table("Open alerts", rows, names, empty="No alert is open.")


def meanings_table(workspace: Workspace, rows: Sequence[AlertRow]) -> Table:
    """Return what the rules of alerts say and the first thing to do; of all rules when nothing is open."""
    try:
        rules = alert_settings(workspace).rules
    except PeaktradeError as error:
        return Table("What they mean", (), [], empty=str(error))
    asked = {row.rule_id for row in rows} or {rule.id for rule in rules}
    lines = []
    for rule in rules:
        if rule.id in asked:
            told = handbook().alert[str(rule.__struct_config__.tag)]
            acts = _ACTS.get(rule.action, "") + (" everything" if rule.wide else "")
            lines.append((rule.id, told.says, Cell(told.first, code=True), acts, runbook_link(rule.chapter)))
    return Table("What they mean", ("Rule", "It says", "First", "When critical", "Runbook"), lines)


def evaluate_rules(runbook: Runbook, evaluate: bool) -> Table:
    """Ask the rules once and record what they find, as a turn of the watcher does; nothing without ``evaluate``."""
    if not evaluate:
        return Table("Ask the rules", (), [], empty="Not asked for: what is open is what the watcher found.")
    return runbook.act("evaluate", "Ask the rules", lambda: _evaluate(runbook.workspace))


def _evaluate(workspace: Workspace) -> str:
    if watch_of(workspace).status != "off":
        return "a watcher runs and asks them all the time"
    open_watcher(workspace).run(once=True)
    rows = Alerts.of(workspace).rows("raised")
    return f"{len(rows)} alerts open, {sum(row.severity == 'critical' for row in rows)} of them critical"


def handle_alert(runbook: Runbook, action: str, *, alert_id: str = "", reason: str = "", minutes: int = 60) -> Table:
    """Take an alert on, or hold its deliveries back for a while; ``look`` changes nothing.

    Args:
        runbook: whose operator does it.
        action: one of :data:`ACTIONS`.
        alert_id: which; empty for the only one that is open.
        reason: what is being done about it, or why it is held back.
        minutes: of silence.

    Raises:
        UnknownNameError: no such action or alert.
        ConfigError: no reason, an alert that has cleared, or more than one is open and none was named.
    """
    if action == LOOK:
        empty = "Nothing was asked for. To take an alert on, set `action` to ack, `alert_id` and `reason`."
        return Table("What was done", (), [], empty=empty)
    if action not in ACTIONS:
        raise UnknownNameError("action", action, ACTIONS)
    done = runbook.round.record.step(action)
    if done is not None and done.status == "pass":
        return runbook.act(action, done.title, lambda: done.result)
    if not reason.strip():
        raise ConfigError("an alert is taken on or held back with a reason: set `reason` in the parameters")
    row = _chosen(runbook.workspace, alert_id)
    by = runbook.round.record.operator
    if action == ACKNOWLEDGE:
        return runbook.act(action, "Take it on", lambda: _acknowledge(runbook.workspace, row, by, reason))
    return runbook.act(action, "Hold it back", lambda: _silence(runbook.workspace, row, by, reason, minutes))


def _chosen(workspace: Workspace, alert_id: str) -> AlertRow:
    if alert_id:
        return Alerts.of(workspace).row(alert_id)
    rows = Alerts.of(workspace).rows("raised")
    if len(rows) != 1:
        raise ConfigError(f"{len(rows)} alerts are open: name one in `alert_id`; the table above lists them")
    return rows[0]


def _acknowledge(workspace: Workspace, row: AlertRow, by: str, reason: str) -> str:
    Alerts.of(workspace).acknowledge(row.alert_id, by, reason)
    return f"{row.alert_id} ({row.rule_id}) is taken on by {by}: {reason}; it escalates no further"


def _silence(workspace: Workspace, row: AlertRow, by: str, reason: str, minutes: int) -> str:
    held = Alerts.of(workspace).silence(
        by=by, reason=reason, seconds=60.0 * minutes, rule_id=row.rule_id, run_id=row.run_id
    )
    about = f" on {held.run_id}" if held.run_id else ""
    until = wording.minute(held.until)
    return (
        f"{row.rule_id}{about} is silent until {until} UTC by {by}: {reason}; it is still recorded ({held.silence_id})"
    )


def alert_checks(workspace: Workspace) -> list[Check]:
    """Return whether every open alert has somebody who cares."""
    rows = Alerts.of(workspace).rows("raised")
    critical = [row.alert_id for row in rows if row.severity == "critical" and not row.acknowledged_by]
    others = [
        row.alert_id
        for row in rows
        if row.severity != "critical" and not row.acknowledged_by and row.silenced_by is None
    ]
    return [
        check(
            "critical",
            "Has somebody taken on every critical alert?",
            not critical,
            f"{len(critical)} nobody's: {', '.join(critical[:3])}" if critical else "none is nobody's",
            "Take it on with `action` ack and work through its runbook, now.",
        ),
        check(
            "warnings",
            "Is every other alert taken on, or held back for a reason?",
            not others,
            f"{len(others)} nobody's: {', '.join(others[:3])}" if others else "none is nobody's",
            "Take it on, or hold it back for a while with a reason.",
            otherwise=WARN,
        ),
    ]
