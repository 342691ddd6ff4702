"""``peaktrade evidence``: what runbooks left, by whom, and whether it is as it was sealed."""

from __future__ import annotations

import click

from peaktrade_core.base.question import FAIL
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import SEALED, TOLD, evidence_check, evidence_rows
from peaktrade_core.runbooks.runbook import told
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

_STYLE = {"passed": "pass", "warned": "warn", "failed": "fail", "stopped": "warn", "incomplete": "warn"}


@click.group()
def evidence() -> None:
    """List what runbooks left, show one record, verify all of them."""


@evidence.command("list")
@click.option("--runbook", help="Only of this runbook.")
@click.option("--subject", help="Only about this session, alert or incident.")
@click.option("--outcome", help="Only with this outcome: passed, warned, failed, stopped, incomplete, running.")
@click.option("--days", type=click.IntRange(min=1), help="Only of so many UTC days, today included.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def list_all(
    home: str | None,
    config: str | None,
    runbook: str | None,
    subject: str | None,
    outcome: str | None,
    days: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the records, newest first, with whether each is as it was sealed."""
    workspace = Workspace(home, config)
    asked = {"runbook": runbook, "subject": subject, "outcome": outcome}
    rows = evidence_rows(EvidenceBook.of(workspace), **asked, days=days, limit=limit)
    if as_json:
        print_json(rows)
        return
    if not rows:
        some = any((runbook, subject, outcome, days)) and EvidenceBook.of(workspace).ids()
        click.echo("No record matches." if some else "No runbook has left evidence yet: `peaktrade runbook list`.")
        return
    print_table(
        ("EVIDENCE", "BEGAN (UTC)", "OUTCOME", "BY", "ABOUT", "RECORD"),
        (
            (
                row.evidence_id,
                wording.minute(row.began_at),
                (row.outcome or wording.NOTHING, _STYLE.get(row.outcome, "")),
                f"{row.operator} ({row.role})" if row.operator else wording.NOTHING,
                row.subject or wording.NOTHING,
                (("rehearsal, " if row.rehearsal else "") + TOLD[row.state], "" if row.state == SEALED else "warn"),
            )
            for row in rows
        ),
    )


@evidence.command()
@click.argument("evidence_id")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
@workspace_options
def show(home: str | None, config: str | None, evidence_id: str, as_json: bool) -> None:
    """Show one record: who, when, each step, and where its page is."""
    book = EvidenceBook.of(Workspace(home, config))
    record = book.load(evidence_id)
    if as_json:
        print_json(record)
        return
    state = next(row.state for row in evidence_rows(book) if row.evidence_id == evidence_id)
    page = book.folder / f"{evidence_id}.html"
    click.echo(f"{record.title}: {record.outcome}")
    pairs = {
        "record": ("rehearsal, " if record.rehearsal else "") + TOLD[state],
        "about": record.subject,
        "by": f"{record.operator} ({record.role}) on {record.host}",
        "began": f"{wording.moment(record.began_at)} UTC, {record.began_local}",
        "ended": f"{wording.moment(record.ended_at)} UTC, {record.ended_local}" if record.ended_at else "",
        "page": page.relative_to(book.home).as_posix() if page.is_file() else "",
    }
    print_pairs({name: text for name, text in pairs.items() if text})
    print_table(
        ("STEP", "RESULT", "WHAT IT SAYS"),
        ((step.title, (step.status, step.status), told(step)) for step in record.steps),
    )


@evidence.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def verify(home: str | None, config: str | None, as_json: bool) -> int:
    """Compare every record with the chain; exit 1 when one was changed, is torn or gone."""
    found = evidence_check(EvidenceBook.of(Workspace(home, config)))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.status}: {found.evidence}" + (f"\n{found.next_step}" if found.next_step else ""))
    return int(found.status == FAIL)
