"""What lists show of an alert: the same columns in terminal, notebook and report."""

from __future__ import annotations

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.base.resources import share_dir
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, MID, Cell, Column, Columns

_SEVERITIES = {"critical": Cell("✕ critical", BAD), "warning": Cell("▲ warning", MID), "info": Cell("● info")}


def severity_cell(severity: str) -> Cell:
    """Return a severity with its sign and colour."""
    return _SEVERITIES.get(severity, Cell(severity))


def runbook_link(number: str) -> Cell:
    """Return the runbook that the handbook has under a number, as a link where it is a notebook."""
    chapter = handbook().chapter.get(number)
    name = chapter.notebook if chapter else ""
    for kind in ("runbooks", "reports"):
        if name and (share_dir() / "notebooks" / kind / f"{name}.ipynb").is_file():
            return Cell(f"{number} {name}", href=f"../{kind}/{name}.ipynb")
    return Cell(f"{number} {name}".strip() or wording.NOTHING)


def _state(row: AlertRow) -> str:
    parts = [row.state + (f" {row.count}×" if row.count > 1 else "")]
    parts += [f"ack {row.acknowledged_by}"] if row.acknowledged_by else []
    parts += [f"silenced by {row.silenced_by}"] if row.silenced_by else []
    parts += ["escalated"] if row.escalated else []
    parts += ["not told"] if row.untold else []
    return ", ".join(parts)


def _taken(row: AlertRow) -> Cell:
    if row.state == "cleared":
        return Cell("cleared")
    if row.acknowledged_by:
        return Cell(f"✓ {row.acknowledged_by}: {row.acknowledge_note or 'no note'}", "good")
    if row.silenced_by and row.silenced_until:
        return Cell(f"silenced by {row.silenced_by} until {wording.minute(row.silenced_until)}", MID)
    return Cell("nobody", MID)


def _what(row: AlertRow) -> str:
    about = f"{row.run_id}: " if row.run_id else ""
    return f"{about}{row.message} (runbook {row.runbook})" + (f"; {row.done}" if row.done else "")


def _told(row: AlertRow) -> str:
    if not row.deliveries:
        return "held back" if row.silenced_by else "nobody yet"
    why = {channel: f" ({reason})" for channel, reason in row.refusals.items()}
    return ", ".join(f"{channel} {outcome}{why.get(channel, '')}" for channel, outcome in row.deliveries.items())


ALERTS = Columns[AlertRow](
    alert=Column("Alert", lambda row: row.alert_id),
    severity=Column("Severity", lambda row: severity_cell(row.severity)),
    state=Column("State", _state, "words"),
    rule=Column("Rule", lambda row: row.rule_id, priority=1),
    run=Column("Run", lambda row: row.run_id),
    about=Column("About", lambda row: row.run_id or row.key or "the workspace"),
    message=Column("What", form="words"),
    what=Column("What", _what, "words"),
    raised=Column("Raised (UTC)", lambda row: row.raised_at, priority=2),
    owner=Column("Owner", priority=3),
    taken=Column("Taken on by", _taken, "words"),
    runbook=Column("Runbook"),
    notebook=Column("Runbook", lambda row: runbook_link(row.runbook)),
    told=Column("Told", _told, "words", 2),
)
