"""``peaktrade runbook``, the notebooks without a person, and ``peaktrade evidence``, what they left."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.base.clock import both
from peaktrade_core.base.question import FAIL
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import EVIDENCE, evidence_check, evidence_rows, record_told
from peaktrade_core.runs.views import Views
from peaktrade_core.session.options import texts_of
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import answer_told
from peaktrade_core.show.table import TONE_OF, Cell, Column, Columns, Table
from peaktrade_core.show.terminal import console
from peaktrade_core.workspace.command import CommandResult, Figure, answers, command, quiet, tell
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def runbook() -> None:
    """List runbooks and run one without a person."""


@runbook.command("list")
@click.argument("name", required=False)
@answers
def list_all(name: str | None) -> CommandResult:
    """List the notebooks that can be run, a line each; or one with its purpose and its parameters."""
    from peaktrade_core.runbooks.notebooks.parameters import Parameter
    from peaktrade_core.runbooks.runbooks import RunbookInfo, find_runbook, list_runbooks

    if name is not None:
        one = find_runbook(name)
        parameters = Columns[Parameter](
            parameter=Column("Parameter", lambda p: Cell(p.name, key=True)),
            type=Column("Type", priority=1),
            default=Column("Default", lambda p: repr(p.default), "words"),
            meaning=Column("Meaning", lambda p: p.comment, "words"),
        )
        head = f"{one.title}: {one.purpose}"
        return CommandResult(one, lambda: [head, parameters.table("", one.parameters, empty="It takes no parameters.")])
    columns = Columns[RunbookInfo](
        name=Column("Name", lambda info: Cell(info.name, key=True)),
        title=Column("Title"),
        kind=Column("Kind", priority=2),
        changes=Column("Changes", lambda info: "more than its report" if info.side_effects else "nothing", priority=3),
        parameters=Column(
            "Parameters", lambda info: Cell(", ".join(p.name for p in info.parameters), key=True), priority=4
        ),
    )
    found = list_runbooks()
    return CommandResult(found, lambda: [columns.table("", found), "`peaktrade runbook list NAME` tells more of one."])


@runbook.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter, for each of the notebooks that declares it; repeatable.",
)
@click.option("--timeout", type=Figure(min=1), help="Seconds for each run; else the notebook's own.")
@command
def run(workspace: Workspace, names: tuple[str, ...], params: tuple[str, ...], timeout: float | None) -> CommandResult:
    """Run notebooks headless into reports/, one after the other; each leaves the executed notebook and its HTML.

    With --json the outcome is printed, a list of them for several.
    """
    from peaktrade_core.base.errors import NotebookError
    from peaktrade_core.runbooks.runbooks import COMPLETED, run_runbooks

    recover(workspace)
    screen = console(stderr=True)

    def progress(name: str, done: int, total: int) -> None:
        if not quiet():
            of = f"{name}: " if len(names) > 1 else ""
            line = f"  {of}cell {done} of {total}"
            screen.print(line.ljust(60) if screen.is_terminal else line, end="\r" if screen.is_terminal else "\n")

    outcomes = []
    for outcome in run_runbooks(names, dict(texts_of(params)), workspace, progress=progress, timeout=timeout):
        outcomes.append(outcome)
        tell(f"{outcome.status}: {outcome.html}")
        if outcome.error:
            tell(f"  {outcome.error}", err=True)
        if outcome.evidence_id:
            tell(f"evidence {outcome.evidence_id}: {outcome.outcome}")
    code = 0 if all(outcome.outcome in (None, "passed", "warned") for outcome in outcomes) else 1
    if any(outcome.status != COMPLETED for outcome in outcomes):
        code = NotebookError.exit_code
    return CommandResult(outcomes if len(names) > 1 else outcomes[0], code=code)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", default="00_start_here", metavar="[RUNBOOK]")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTER OPTIONS]")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter; repeatable.")
@click.option("--no-open", is_flag=True, help="Only make the copy and print its path.")
@command
def lab(
    workspace: Workspace, name: str, jupyter: tuple[str, ...], params: tuple[str, ...], no_open: bool
) -> CommandResult:
    """Open a notebook in JupyterLab: a clean copy in runbooks/ of the workspace, its parameters as a form.

    Without RUNBOOK it is the start page, which says what needs doing now. A JupyterLab that already runs for this
    workspace is used. What follows `--` goes to JupyterLab, as in `peaktrade lab kill_switch -- --port=9999`.
    """
    from peaktrade_core.runbooks.notebooks.lab import START, copy_of, fill_in, open_lab

    if name.startswith("-"):  # no runbook was named: what was taken for its name is JupyterLab's
        name, jupyter = START, (name, *jupyter)
    path = copy_of(name, dict(texts_of(params)), workspace)
    if name == START:
        fill_in(path, workspace)
    if no_open:
        return CommandResult({"path": path}, str(path))
    tell(str(path))
    return CommandResult({"path": path}, code=open_lab(path, workspace, jupyter))


@click.group()
def evidence() -> None:
    """List what runbooks left, show one record, add one by hand, countersign one, verify all of them."""


@evidence.command("list")
@click.option("--runbook", help="Only of this runbook.")
@click.option("--subject", help="Only about this session, alert or incident.")
@click.option("--outcome", help="Only with this outcome: passed, warned, failed, stopped, incomplete, running.")
@click.option("--days", type=click.IntRange(min=1), help="Only of so many UTC days, today included.")
@click.option("--limit", type=click.IntRange(min=1), default=30, show_default=True, help="At most so many.")
@command
def list_evidence(
    workspace: Workspace, runbook: str | None, subject: str | None, outcome: str | None, days: int | None, limit: int
) -> CommandResult:
    """List the records, newest first, with whether each is as it was sealed."""
    book = EvidenceBook.of(workspace)
    subject = Views.of(workspace).meant(subject) if subject else None
    rows = evidence_rows(book, runbook=runbook, subject=subject, outcome=outcome, days=days, limit=limit)
    if not rows:
        some = any((runbook, subject, outcome, days)) and book.ids()
        none = "No record matches." if some else "No runbook has left evidence yet: `peaktrade runbook list`."
        return CommandResult(rows, none)
    return CommandResult(rows, EVIDENCE.table("", rows))


@evidence.command("show")
@click.argument("evidence_id")
@command
def show_evidence(workspace: Workspace, evidence_id: str) -> CommandResult:
    """Show one record (`latest` or its id): who, when, each step, and where its page is."""
    from peaktrade_core.runbooks.by_hand import countersignatures
    from peaktrade_core.runbooks.page import told

    book = EvidenceBook.of(workspace)
    evidence_id = book.find(evidence_id)
    record = book.load(evidence_id)
    row = next(row for row in evidence_rows(book) if row.evidence_id == evidence_id)
    page = book.folder / f"{evidence_id}.html"
    pairs = {
        "record": f"{evidence_id}, {record_told(row)}",
        "about": record.subject,
        "by": f"{record.operator} ({record.role}) on {record.host}",
        "began": both(record.began_at),
        "ended": both(record.ended_at) if record.ended_at else "",
        "page": page.relative_to(book.home).as_posix() if page.is_file() else "",
    }
    signed = countersignatures(book, evidence_id)
    pairs["countersigned"] = "; ".join(
        f"{one.told}, {wording.moment(one.at)} UTC{': ' if one.note else ''}{one.note}" for one in signed
    )
    known = {name: text for name, text in pairs.items() if text}
    columns = (Column[str]("Step"), Column[str]("Result"), Column[str]("What it says", form="words"))
    steps = ((step.title, Cell(step.status, TONE_OF.get(step.status, "")), told(step)) for step in record.steps)
    return CommandResult(record, [Table.pairs(known, f"{record.title}: {record.outcome}"), Table("", columns, steps)])


@evidence.command()
@click.option("--tag", required=True, help="What it is called: CI-HARDENING gives EV-YYYYMMDD-CI-HARDENING.")
@click.option("--text", required=True, help="What it shows, in sentences.")
@click.option("--by", required=True, help="Who you are.")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="In which role.")
@click.option("--about", default="", help="The session, alert or incident that it is about.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@command
def add(
    workspace: Workspace, tag: str, text: str, by: str, role: str, about: str, files: tuple[Path, ...]
) -> CommandResult:
    """Enter evidence by hand: a tag, what it shows, and files, of which a copy is kept beside the record."""
    from peaktrade_core.runbooks.by_hand import add_evidence
    from peaktrade_core.runbooks.page import write_page

    book = EvidenceBook.of(workspace)
    record = add_evidence(book, tag, text, files, by=by, role=role, about=Views.of(workspace).meant(about))
    page = write_page(book, record).relative_to(workspace.home).as_posix()
    return CommandResult(
        record, f"{record.evidence_id} by {record.operator}, {wording.many(len(files), 'file')} kept: {page}"
    )


@evidence.command("countersign")
@click.argument("evidence_id")
@click.option("--by", default="", help="Who you are, where nobody has a key; another person than who made the record.")
@click.option("--key", type=click.Path(path_type=Path), help="Your key; else the one in ~/.ssh that people.toml names.")
@click.option("--role", type=click.Choice(ROLES), default="risk_officer", show_default=True, help="In which role.")
@click.option("--note", default="", help="What you looked at.")
@command
def second_look(
    workspace: Workspace, evidence_id: str, by: str, key: Path | None, role: str, note: str
) -> CommandResult:
    """Confirm a finished record as its reviewer; the chain keeps who did. Where people have keys, it is signed."""
    from peaktrade_core.runbooks.by_hand import countersign

    made = countersign(EvidenceBook.of(workspace), evidence_id, by=by, role=role, note=note, key=key)
    return CommandResult(made, f"{evidence_id} is countersigned by {made.told}")


@evidence.command()
@command
def verify(workspace: Workspace) -> CommandResult:
    """Compare every record with the chain; exit 1 when one was changed, is torn or gone."""
    found = evidence_check(EvidenceBook.of(workspace))
    return CommandResult(found, answer_told(found), code=int(found.status == FAIL))
