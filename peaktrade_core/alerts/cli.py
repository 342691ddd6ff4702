"""``peaktrade watch`` looks after everything; ``peaktrade alerts`` shows what is open, takes it on, silences and tests."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.alerts.causes import causes, parts_of
from peaktrade_core.alerts.desk import ALERTS, OPEN, Alerts, runbook_link, severity_cell
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, UnknownNameError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.run import ENDED
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.logs import speak_as_service
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.show.terminal import say
from peaktrade_core.trading.market import parse_duration
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.alerts.rules.kinds import AnyRule

BY = click.option("--by", required=True, help="Who you are.")


@click.group()
def alerts() -> None:
    """Ask the alert rules, see and take on alerts, silence, test channels and rules."""


@alerts.command()
@click.option("--run-id", metavar="ID", help="Only this run; one that nobody knows is silence: critical.")
@click.option("--pnl-drop-threshold-pct", type=float, metavar="PCT", help="Only with these thresholds: equity drop.")
@click.option("--pnl-drop-window-hours", type=float, default=1.0, show_default=True, metavar="HOURS")
@click.option("--no-events-max-minutes", type=float, metavar="MIN", help="Longest silence.")
@click.option("--error-spike-max-errors", type=int, metavar="N", help="Most errors in the window.")
@click.option("--error-spike-window-minutes", type=float, default=10.0, show_default=True, metavar="MIN")
@click.option("--record", is_flag=True, help="Also raise, clear and deliver, as a watcher's turn does (for cron).")
@command
def check(workspace: Workspace, run_id: str | None, record: bool, **given: float | None) -> CommandResult:
    """Ask the rules now; exit code 1 when something is critical, else 0.

    Without thresholds these are the rules of config/alerts.toml; with some, only those.
    """
    rules = _given_rules(given)
    if record and (rules or run_id):
        raise ConfigError("--record takes the rules of config/alerts.toml over everything; leave the others out")
    fault = _record(workspace) if record else ""
    run_id = run_id and Views.of(workspace).meant(run_id)
    found = Alerts.of(workspace).check(run_id, rules or None)
    watch = watch_of(workspace).status
    value = {"watcher": watch, "findings": [f._asdict() for f in found]}
    shown = FINDINGS.table("", found, empty=f"No rule finds anything about {run_id or 'this workspace'}.")
    notes = []
    if watch != "running":
        notes.append(f"note: the watcher is {watch}: nobody is told of alerts. Start it: peaktrade watch")
    code = EnvironmentFault.exit_code if fault else int(any(f.severity == "critical" for f in found))
    return CommandResult(value, shown, code=code, notes=[*notes, *([fault] if fault else [])])


FINDINGS = Columns[Any](
    severity=Column("Severity", lambda f: severity_cell(f.severity)),
    rule=Column("Rule", lambda f: f.rule_id),
    about=Column("About", lambda f: f.run_id or f.key),
    what=Column("What", lambda f: f.message, "words"),
    runbook=Column("Runbook", priority=2),
)


def _given_rules(given: dict[str, float | None]) -> tuple[AnyRule, ...]:
    """Return the rules that the options describe, checked like those of a file."""
    from peaktrade_core.alerts.settings import read_settings

    tables: list[dict[str, Any]] = []
    if (drop := given["pnl_drop_threshold_pct"]) is not None:
        window = 3600.0 * (given["pnl_drop_window_hours"] or 0.0)
        tables.append({"id": "pnl-drop", "kind": "pnl_drop", "runbook": "9", "threshold_pct": drop, "window_s": window})
    if (silence := given["no_events_max_minutes"]) is not None:
        tables.append({"id": "no-events", "kind": "no_events", "runbook": "10", "max_silence_s": 60.0 * silence})
    if (errors := given["error_spike_max_errors"]) is not None:
        window = 60.0 * (given["error_spike_window_minutes"] or 0.0)
        tables.append(
            {"id": "error-spike", "kind": "error_spike", "runbook": "7", "max_errors": errors} | {"window_s": window}
        )
    return read_settings({"channels": {"log": {"kind": "log"}}, "rule": tables}, "the options").rules


def _record(workspace: Workspace) -> str:
    """Make one turn, unless a watcher does so anyway, and return what of it could not be done, if something could not."""
    try:
        if watch_of(workspace).status == "off":
            open_watcher(workspace, once=True).run(once=True)
    except EnvironmentFault as fault:
        return str(fault)
    return ""


@alerts.command("list")
@click.option(
    "--open/--all",
    "only_open",
    default=True,
    show_default=True,
    help="Raised ones, and those that a channel refused to tell until a person has seen them; or all.",
)
@click.option("--run-id", metavar="ID", help="Only about this run.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@command
def list_(workspace: Workspace, only_open: bool, run_id: str | None, limit: int) -> CommandResult:
    """List alerts and the silences that hold: the open ones by cause with age and countdown, or all, newest first."""
    run_id = run_id and Views.of(workspace).meant(run_id)
    rows = Alerts.of(workspace).rows(OPEN if only_open else None, run_id, limit)
    silences = Alerts.of(workspace).silences()
    watch = watch_of(workspace).status
    groups = causes(workspace, rows) if only_open else []
    shown: list[Part] = ["No open alerts." if only_open else "No alerts yet."]
    if groups:
        shown = parts_of(groups)
    elif rows:
        shown = [ALERTS.table("", rows, "alert severity state rule raised owner what told")]
    for s in silences:
        until = wording.moment(s.until)
        shown.append(f"silenced until {until} UTC by {s.by}: {s.target} ({s.reason}) [{s.silence_id}]")
    value: dict[str, Any] = {"alerts": rows, "silences": silences, "watcher": watch}
    value |= {"causes": [one.item for one in groups]} if only_open else {}
    notes = [] if watch == "running" else [f"note: the watcher is {watch}; start it: peaktrade watch"]
    return CommandResult(value, shown, notes=notes)


@alerts.command()
@click.argument("alert_id")
@BY
@click.option("--note", default="", help="What you are doing about it.")
@click.option("--take-over", is_flag=True, help="Also from the person who has it.")
@command
def ack(workspace: Workspace, alert_id: str, by: str, note: str, take_over: bool) -> CommandResult:
    """Take an alert on: it is yours and escalates no further. Also says that you have seen what could not be told."""
    row = Alerts.of(workspace).acknowledge(alert_id, by, note, take_over=take_over)
    runbook = runbook_link(row.runbook).text
    told = f"{row.alert_id} ({row.rule_id}) is acknowledged by {row.acknowledged_by}; runbook {runbook}"
    return CommandResult(row, told)


@alerts.command()
@click.option("--rule", "rule_id", metavar="ID", help="Whose deliveries are held back.")
@click.option("--run", "run_id", metavar="ID", help="Or those about this run.")
@click.option("--for", "time", required=True, metavar="TIME", help="30 (minutes), 90s, 1h, 2d.")
@BY
@click.option("--reason", required=True, help="Why; kept in the alert log.")
@command
def silence(
    workspace: Workspace, rule_id: str | None, run_id: str | None, time: str, by: str, reason: str
) -> CommandResult:
    """Hold deliveries back for some time; alerts are recorded and shown all the same."""
    if rule_id is not None:
        alert_settings(workspace).rule(rule_id)
    run_id = run_id and Views.of(workspace).meant(run_id)
    made = Alerts.of(workspace).silence(
        by=by, reason=reason, seconds=parse_duration(time), rule_id=rule_id, run_id=run_id
    )
    told = f"{made.target} is silenced until {wording.moment(made.until)} UTC by {made.by} [{made.silence_id}]"
    return CommandResult(made, told)


@alerts.command()
@click.argument("silence_id")
@BY
@command
def unsilence(workspace: Workspace, silence_id: str, by: str) -> CommandResult:
    """End a silence before its time."""
    ended = Alerts.of(workspace).unsilence(silence_id, by)
    return CommandResult(ended, f"{ended.target} is told again")


@alerts.command("test-channel")
@click.argument("name")
@command
def test_channel(workspace: Workspace, name: str) -> CommandResult:
    """Send one test notification over a channel, once; exit code 1 when it was not taken."""
    from peaktrade_core.alerts.alerts import Notification
    from peaktrade_core.alerts.channels import DeliveryFailedError, open_channel
    from peaktrade_core.alerts.log import ChannelTest, note_test

    channels = alert_settings(workspace).channels
    if name not in channels:
        raise UnknownNameError("channel", name, list(channels), "peaktrade alerts rules")
    note = Notification(
        at=workspace.clock.now(),
        alert_ids=(),
        channels=(name,),
        severity="info",
        title="TEST peaktrade: this channel works",
        body=f"A test of the channel {name}. Nothing is wrong.",
    )
    folder, test = workspace.reports / "alerts", ChannelTest(at=note.at, channel=name, delivered=True)
    try:
        how = open_channel(channels[name], workspace.home / "logs" / "alerts.log").send(note)
    except DeliveryFailedError as error:
        note_test(folder, msgspec.structs.replace(test, delivered=False, reason=error.reason))
        again = "it would not be tried again" if error.permanent else "it would be tried again"
        value = {"channel": name, "delivered": False, "reason": error.reason, "permanent": error.permanent}
        return CommandResult(value, code=1, notes=[f"{name}: not delivered: {error.reason} ({again})"])
    note_test(folder, test)
    return CommandResult({"channel": name, "delivered": True}, f"{name}: delivered" + (f", {how}" if how else ""))


@alerts.command()
@command
def rules(workspace: Workspace) -> CommandResult:
    """Show the rules and channels that hold, with their thresholds."""
    settings = alert_settings(workspace)
    channels = {name: channel.kind for name, channel in settings.channels.items()}
    shown: list[Part] = [RULES.table("", settings.rules), CHANNELS.table("", list(settings.channels.items()))]
    return CommandResult({"channels": channels, "rules": settings.rules}, shown)


@alerts.command()
@click.argument("rules_file", metavar="RULES", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--session", "sessions", multiple=True, metavar="ID", help="A recorded session; repeatable.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Newest sessions, without --session."
)
@command
def backtest(workspace: Workspace, rules_file: Path, sessions: tuple[str, ...], limit: int) -> CommandResult:
    """Replay recorded sessions through the rules of a file: what fires, what is missed, how fast."""
    from peaktrade_core.alerts.engine import load_alert_settings
    from peaktrade_core.alerts.rules.history import replay_all, shown, summary
    from peaktrade_core.records.folder import is_id
    from peaktrade_core.records.registry import Query

    found = load_alert_settings(rules_file).rules
    views = Views.of(workspace)
    recorded = [row.run_id for row in views.rows(Query(limit=limit)) if row.status in ENDED]
    ids = [i for i in recorded if is_id(i) and RunFolder(workspace.runs, i).journal.is_file()]
    replayed = replay_all([views.resolve(i) for i in sessions] or ids, views.record, views.events, found)
    total = summary(replayed, found)
    return CommandResult({"summary": total, "sessions": replayed}, lambda: shown(total, replayed))


def _thresholds(rule: AnyRule) -> str:
    common = {field.name for field in msgspec.structs.fields(type(rule).__mro__[1])}
    own = {name: getattr(rule, name) for name in rule.__struct_fields__ if name not in common}
    return ", ".join(f"{name} {_threshold(value)}" for name, value in own.items() if value not in (None, (), []))


def _threshold(value: object) -> str:
    if isinstance(value, (list, tuple, frozenset)):
        return " ".join(map(_threshold, sorted(value) if isinstance(value, frozenset) else value))
    return f"{value:.10g}" if isinstance(value, (int, float)) else str(value)


def _address(channel: Any) -> str:
    """Return where a channel's address comes from, never what it is."""
    if channel.kind != "apprise":
        return wording.NOTHING
    if channel.url:
        return "in the file"
    from peaktrade_core.alerts.channels import DeliveryFailedError, find_address

    try:
        find_address(channel)
    except DeliveryFailedError as error:
        return f"missing: {error.reason}"
    return channel.url_env or f"keyring {channel.keyring}"


def _escalates(rule: AnyRule) -> str | None:
    after = wording.duration(rule.escalate_after_s)
    return f"{', '.join(rule.escalate_to)} after {after}" if rule.escalate_to else None


RULES = Columns[Any](
    rule=Column("Rule", lambda rule: rule.id),
    kind=Column("Kind", lambda rule: rule.__struct_config__.tag, priority=1),
    thresholds=Column("Thresholds", _thresholds, "words"),
    action=Column("Action", lambda rule: rule.stops),
    channels=Column("Channels", form="words"),
    escalates=Column("Escalates to", _escalates, "words", 2),
    owner=Column("Owner", priority=3),
    runbook=Column("Runbook", lambda rule: rule.chapter, priority=1),
)
CHANNELS = Columns[Any](
    channel=Column("Channel", lambda one: one[0]),
    kind=Column("Kind", lambda one: one[1].kind),
    address=Column("Address", lambda one: _address(one[1]), "words"),
)


@click.command()
@click.option("--once", is_flag=True, help="Make one turn, deliver what is due, and end.")
@click.option("--interval", default="2s", show_default=True, metavar="TIME", help="Between two turns: 2s, 1m.")
@click.option("--no-jobs", is_flag=True, help="Leave the scheduler's jobs to `peaktrade schedule run`, or to cron.")
@click.option("--status", is_flag=True, help="Only say whether a watcher runs; exit code 1 when none does.")
@command
def watch(workspace: Workspace, once: bool, interval: str, no_jobs: bool, status: bool) -> CommandResult | None:
    """Look after everything: recover dead runs, ask the alert rules, act and tell, restart runs, do the scheduler's jobs.

    One watcher runs on a workspace. It may be killed at any moment; the next one goes on where it was.
    """
    if status:
        return _status(workspace)
    seconds = float(parse_duration(interval))
    if seconds > 60.0:
        raise ConfigError(f"interval {interval!r} is too long: alerts come within seconds; give at most 1m")
    speak_as_service("watch")
    watcher = open_watcher(workspace, seconds, once=once, jobs=not (once or no_jobs))

    def end(_: int, __: FrameType | None) -> None:
        watcher.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if not once:
        say(f"watching {workspace.home} every {seconds:g} s; Ctrl+C ends it", err=True)
    watcher.run(once=once)
    state = watch_of(workspace).state if once else None
    if state is None:
        return None
    told = f"One turn: {wording.many(state.open_alerts, 'alert')} open, {wording.many(state.due, 'message')} due"
    return CommandResult(state, f"{told}; `peaktrade alerts list` shows them." if state.open_alerts else f"{told}.")


def _status(workspace: Workspace) -> CommandResult:
    """Return whether a watcher runs, and what it saw."""
    found = watch_of(workspace)
    pairs: dict[str, object] = {"watcher": found.status}
    if (state := found.state) is not None:
        pairs |= {
            "last turn (UTC)": wording.moment(state.at),
            "since (UTC)": wording.moment(state.started_at),
            "process": state.pid,
            "turns": state.turns,
            "open alerts": state.open_alerts,
            "due deliveries": state.due,
            "scheduled jobs": "done by it" if state.jobs else "left to `peaktrade schedule run`",
            "faults": "; ".join(f"{name}: {fault}" for name, fault in state.faults.items()) or "none",
        }
    start = ["start one: peaktrade watch"] if found.status == "off" else []
    return CommandResult(found, [Table.pairs(pairs), *start], code=int(found.status != "running"))
