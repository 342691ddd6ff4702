"""``peaktrade alerts``: ask the rules, see what is open, take alerts on, hold deliveries back, test channels and rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.watcher import open_watcher, watch_of
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.trading.market import parse_duration
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.alerts.alerts import AlertRow
    from peaktrade_core.alerts.history import Replayed, Summary
    from peaktrade_core.alerts.rules import AnyRule

MARKS = {"critical": "✕ critical", "warning": "▲ warning", "info": "● info"}
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
@AS_JSON
@workspace_options
def check(
    home: str | None, config: str | None, run_id: str | None, record: bool, as_json: bool, **given: float | None
) -> int:
    """Ask the rules now; exit code 1 when something is critical, else 0.

    Without thresholds these are the rules of config/alerts.toml; with some, only those.
    """
    workspace = Workspace(home, config)
    rules = _given_rules(given)
    if record:
        if rules or run_id:
            raise ConfigError("--record takes the rules of config/alerts.toml over everything; leave the others out")
        _record(workspace)
    found = Alerts.of(workspace).check(run_id, rules or None)
    watch = watch_of(workspace).status
    if as_json:
        print_json({"watcher": watch, "findings": [f._asdict() for f in found]})
    elif found:
        print_table(
            ("SEVERITY", "RULE", "RUN", "WHAT", "RUNBOOK"),
            ((_severity(f.severity), f.rule_id, f.run_id or f.key, f.message, f.runbook) for f in found),
        )
    else:
        click.echo(f"No rule finds anything about {run_id or 'this workspace'}.")
    if watch != "running":
        click.echo(f"note: the watcher is {watch}: nobody is told of alerts. Start it: peaktrade watch", err=True)
    return int(any(f.severity == "critical" for f in found))


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


def _record(workspace: Workspace) -> None:
    """Make one turn, unless a watcher does so anyway."""
    if watch_of(workspace).status == "off":
        open_watcher(workspace).run(once=True)


@alerts.command("list")
@click.option(
    "--open/--all", "only_open", default=True, show_default=True, help="Only raised ones, or cleared ones too."
)
@click.option("--run-id", metavar="ID", help="Only about this run.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@AS_JSON
@workspace_options
def list_(home: str | None, config: str | None, only_open: bool, run_id: str | None, limit: int, as_json: bool) -> None:
    """List alerts, newest first, and the silences that hold."""
    workspace = Workspace(home, config)
    rows = Alerts.of(workspace).rows("raised" if only_open else None, run_id, limit)
    silences = Alerts.of(workspace).silences()
    if as_json:
        print_json({"alerts": rows, "silences": silences, "watcher": watch_of(workspace).status})
        return
    if rows:
        print_table(
            ("ID", "SEVERITY", "STATE", "RULE", "SINCE (UTC)", "OWNER", "WHAT", "TOLD"),
            map(_cells, rows),
        )
        click.echo("\ntake one on: peaktrade alerts ack ID --by NAME")
    else:
        click.echo("No open alerts." if only_open else "No alerts yet.")
    for s in silences:
        click.echo(
            f"silenced until {wording.moment(s.until)} UTC by {s.by}: {_target(s)} ({s.reason}) [{s.silence_id}]"
        )
    if (watch := watch_of(workspace).status) != "running":
        click.echo(f"note: the watcher is {watch}; start it: peaktrade watch", err=True)


@alerts.command()
@click.argument("alert_id")
@BY
@click.option("--note", default="", help="What you are doing about it.")
@workspace_options
def ack(home: str | None, config: str | None, alert_id: str, by: str, note: str) -> None:
    """Take an alert on: it escalates no further."""
    row = Alerts.of(Workspace(home, config)).acknowledge(alert_id, by, note)
    click.echo(f"{row.alert_id} ({row.rule_id}) is acknowledged by {row.acknowledged_by}; runbook {row.runbook}")


@alerts.command()
@click.option("--rule", "rule_id", metavar="ID", help="Whose deliveries are held back.")
@click.option("--run", "run_id", metavar="ID", help="Or those about this run.")
@click.option("--for", "time", required=True, metavar="TIME", help="30 (minutes), 90s, 1h, 2d.")
@BY
@click.option("--reason", required=True, help="Why; kept in the alert log.")
@workspace_options
def silence(
    home: str | None, config: str | None, rule_id: str | None, run_id: str | None, time: str, by: str, reason: str
) -> None:
    """Hold deliveries back for some time; alerts are recorded and shown all the same."""
    workspace = Workspace(home, config)
    if rule_id is not None:
        alert_settings(workspace).rule(rule_id)
    made = Alerts.of(workspace).silence(
        by=by, reason=reason, seconds=parse_duration(time), rule_id=rule_id, run_id=run_id
    )
    click.echo(f"{_target(made)} is silenced until {wording.moment(made.until)} UTC by {made.by} [{made.silence_id}]")


@alerts.command()
@click.argument("silence_id")
@BY
@workspace_options
def unsilence(home: str | None, config: str | None, silence_id: str, by: str) -> None:
    """End a silence before its time."""
    ended = Alerts.of(Workspace(home, config)).unsilence(silence_id, by)
    click.echo(f"{_target(ended)} is told again")


@alerts.command("test-channel")
@click.argument("name")
@workspace_options
def test_channel(home: str | None, config: str | None, name: str) -> int:
    """Send one test notification over a channel, once; exit code 1 when it was not taken."""
    from peaktrade_core.alerts.alerts import Notification
    from peaktrade_core.alerts.channels import DeliveryFailedError, open_channel

    workspace = Workspace(home, config)
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
    try:
        open_channel(channels[name], workspace.home / "logs" / "alerts.log").send(note)
    except DeliveryFailedError as error:
        again = "it would not be tried again" if error.permanent else "it would be tried again"
        click.echo(f"{name}: not delivered: {error.reason} ({again})", err=True)
        return 1
    click.echo(f"{name}: delivered")
    return 0


@alerts.command()
@AS_JSON
@workspace_options
def rules(home: str | None, config: str | None, as_json: bool) -> None:
    """Show the rules and channels that hold, with their thresholds."""
    settings = alert_settings(Workspace(home, config))
    if as_json:
        channels = {name: channel.kind for name, channel in settings.channels.items()}
        print_json({"channels": channels, "rules": settings.rules})
        return
    print_table(
        ("RULE", "KIND", "THRESHOLDS", "ACTION", "CHANNELS", "ESCALATES TO", "OWNER", "RUNBOOK"),
        (
            (
                rule.id,
                rule.__struct_config__.tag,
                _thresholds(rule),
                rule.stops or wording.NOTHING,
                ", ".join(rule.channels),
                f"{', '.join(rule.escalate_to)} after {wording.duration(rule.escalate_after_s)}"
                if rule.escalate_to
                else wording.NOTHING,
                rule.owner,
                rule.chapter,
            )
            for rule in settings.rules
        ),
    )
    click.echo("")
    print_table(("CHANNEL", "KIND", "ADDRESS"), ((n, c.kind, _address(c)) for n, c in settings.channels.items()))


@alerts.command()
@click.argument("rules_file", metavar="RULES", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--session", "sessions", multiple=True, metavar="ID", help="A recorded session; repeatable.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="Newest sessions, without --session."
)
@AS_JSON
@workspace_options
def backtest(
    home: str | None, config: str | None, rules_file: Path, sessions: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """Replay recorded sessions through the rules of a file: what fires, what is missed, how fast."""
    from peaktrade_core.alerts.engine import load_alert_settings
    from peaktrade_core.alerts.history import replay_all, summary
    from peaktrade_core.records.folder import is_id
    from peaktrade_core.records.registry import Query

    workspace = Workspace(home, config)
    found = load_alert_settings(rules_file).rules
    views = Views.of(workspace)
    recorded = [row.run_id for row in views.rows(Query(limit=limit)) if row.status in ENDED]
    ids = [i for i in recorded if is_id(i) and RunFolder(workspace.runs, i).journal.is_file()]
    replayed = replay_all([views.resolve(i) for i in sessions] or ids, views.record, views.events, found)
    total = summary(replayed, found)
    if as_json:
        print_json({"summary": total, "sessions": replayed})
    else:
        _show_backtest(total, replayed)


ENDED = ("completed", "failed", "aborted")


def _show_backtest(total: Summary, replayed: list[Replayed]) -> None:
    click.echo(f"{total.sessions} sessions, {total.events:,} events")
    print_table(("RULE", "FIRES"), sorted(total.fires.items(), key=lambda item: -item[1]), right=("FIRES",))
    rows = [
        (s.session_id, t.what, t.detail, t.noticed_by or ("missed", "fail"), _detect(t.detect_s))
        for s in replayed
        for t in s.truths
    ]
    if rows:
        click.echo("")
        print_table(("SESSION", "WHAT HAPPENED", "DETAIL", "NOTICED BY", "AFTER"), rows)
    click.echo(
        f"\nnoticed {total.noticed} of {total.truths}, missed {total.missed}, "
        f"{total.noise} alerts in sessions where nothing happened"
    )
    if total.rules_without_history:
        click.echo(f"not replayed, they look at more than one run: {', '.join(total.rules_without_history)}")


def _detect(seconds: float | None) -> str:
    if seconds is None:
        return wording.NOTHING
    return f"{wording.duration(-seconds)} before" if seconds < 0 else wording.duration(seconds)


def _cells(r: AlertRow) -> tuple[Any, ...]:
    since = wording.moment(r.raised_at)
    return (r.alert_id, _severity(r.severity), _state(r), r.rule_id, since, r.owner, _what(r), _told(r))


def _severity(severity: str) -> tuple[str, str]:
    return MARKS[severity], {"critical": "fail", "warning": "warn"}.get(severity, "started")


def _state(row: AlertRow) -> str:
    parts = [row.state + (f" {row.count}×" if row.count > 1 else "")]
    parts += [f"ack {row.acknowledged_by}"] if row.acknowledged_by else []
    parts += [f"silenced by {row.silenced_by}"] if row.silenced_by else []
    parts += ["escalated"] if row.escalated else []
    return ", ".join(parts)


def _what(row: AlertRow) -> str:
    about = f"{row.run_id}: " if row.run_id else ""
    return f"{about}{row.message} (runbook {row.runbook})" + (f"; {row.done}" if row.done else "")


def _told(row: AlertRow) -> str:
    if not row.deliveries:
        return "held back" if row.silenced_by else "nobody yet"
    return ", ".join(f"{channel} {outcome}" for channel, outcome in row.deliveries.items())


def _target(silence: Any) -> str:
    parts = [f"rule {silence.rule_id}"] if silence.rule_id else []
    return " on ".join(parts + ([f"run {silence.run_id}"] if silence.run_id else []))


def _thresholds(rule: AnyRule) -> str:
    common = {field.name for field in msgspec.structs.fields(type(rule).__mro__[1])}
    own: dict[str, Callable[..., Any]] = {n: getattr(rule, n) for n in rule.__struct_fields__ if n not in common}
    return ", ".join(
        f"{name} {value:g}" if not isinstance(value, str) else f"{name} {value}" for name, value in own.items()
    )


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
