"""The audit snapshot as files: JSON for programs, markdown for auditors; the same state gives the same bytes but the time."""

from __future__ import annotations

from datetime import datetime

from peaktrade_core.base.clock import both
from peaktrade_core.base.files import as_json
from peaktrade_core.base.question import Check
from peaktrade_core.control.live_lock import AuditSnapshot
from peaktrade_core.show import wording
from peaktrade_core.show.table import Table
from peaktrade_core.show.templates import template
from peaktrade_core.trading.limit_use import limits_told


def snapshot_json(found: AuditSnapshot) -> str:
    """Return the snapshot as indented JSON."""
    return as_json(found).decode()


def snapshot_markdown(found: AuditSnapshot) -> str:
    """Return the snapshot as markdown."""
    sums = [f"{name.removeprefix('by_')}: {_pairs(counts)}" for name, counts in found.sessions.items()]
    facts = [
        ("Version", found.version),
        ("Commit", found.commit),
        ("Environment", found.environment),
        ("Configuration (SHA-256)", found.config_sha256),
        ("Kill switch", found.kill_switch),
        ("Not everything may be traded", "; ".join(found.states) or "everything is ACTIVE"),
        ("Sessions", "; ".join(sums)),
        ("Risk limits", limits_told(found.limits) or "none"),
    ]
    tables = [
        _checks("Each way to a live order, tried", found.lock),
        _checks("Everything that the ledger holds, verified", found.audit),
        Table(
            "Heads of the chains", ("Log", "SHA-256 of the last line"), found.heads.items(), empty="No log began yet."
        ),
        Table("What was looked at", ("What", "Value"), facts),
    ]
    as_of = f"**Live: {found.verdict}.** {contrary(found)}\n\nAs of {both(datetime.fromisoformat(found.as_of))}"
    return template("tables.md.j2").render(title="Live audit", as_of=as_of, error=None, tables=tables)


def contrary(found: AuditSnapshot) -> str:
    """Return in a sentence what speaks against a verdict, or that nothing does."""
    if not found.contrary:
        return f"Nothing speaks against it: {len(found.lock)} ways tried, {len(found.audit)} answers of the ledger are good."
    return f"{len(found.contrary)} against it or not shown: {'; '.join(found.contrary)}."


def _checks(title: str, checks: list[Check]) -> Table:
    rows = [(c.question, wording.MARKS.get(c.status, c.status), c.evidence, c.next_step) for c in checks]
    return Table(title, ("Question", "Answer", "Evidence", "Next step"), rows)


def _pairs(values: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items()) or "none"
