"""``peaktrade control`` and ``gates``, how everything stands; ``peaktrade audit``, the proof that live stays locked."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import FAIL, worst
from peaktrade_core.control.gates import GATE_WORDS, GATES, GateResult, gate_results, run_gates
from peaktrade_core.control.repo.cli import repo
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.cli import report, written_files
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.show.table import TONE_OF, Cell, Column, Columns
from peaktrade_core.show.terminal import Document
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.command import CommandResult, Part, answers, command, quiet, tell, workspace_options
from peaktrade_core.workspace.workspace import Workspace, speak_as_set

GATE_RESULTS = Columns[GateResult](
    gate=Column("Gate"),
    status=Column("Status", lambda one: Cell(GATE_WORDS[one.status], TONE_OF.get(one.status, ""))),
    known=Column("Known from", lambda one: one.text, "words"),
    step=Column("Next step", lambda one: Cell(one.next_step), "words"),
)


@click.group(invoke_without_command=True)
@click.pass_context
@workspace_options
@answers
def control(ctx: click.Context, home: str | None, config: str | None) -> CommandResult | None:
    """Print the operator output: layers L0 to L6, the seven gates, new evidence, what is due; exit 1 on a failure."""
    if ctx.invoked_subcommand is not None:
        return None
    workspace = Workspace(home, config)
    speak_as_set(workspace)
    from peaktrade_core.control.control import control_center, document, operator_output

    recover(workspace)
    found = control_center(workspace)
    return CommandResult(document(found), lambda: operator_output(found), code=int(found.whole.status == FAIL))


control.add_command(repo)


@click.command()
@command
def todo(workspace: Workspace) -> CommandResult:
    """List what waits for a person: halts, requests, alerts, runs, incidents, runbooks, duties; exit 1 if one cannot wait.

    Each with how long it waits, the next step, and the command that opens its runbook filled in.
    """
    from peaktrade_core.control.todo import NOTHING_WAITS, TODO, what_needs_doing

    recover(workspace)
    found = what_needs_doing(workspace)
    shown = TODO.table("", found, "status kind age what next") if found else NOTHING_WAITS
    return CommandResult(found, shown, code=int(any(one.status == FAIL for one in found)))


@click.group(invoke_without_command=True)
@click.pass_context
@workspace_options
@answers
def gates(ctx: click.Context, home: str | None, config: str | None) -> CommandResult | None:
    """Show the seven required gates: PASS and FAIL where known, else UNKNOWN; exit 1 when one fails."""
    return None if ctx.invoked_subcommand is not None else _gates(gate_results(Workspace(home, config)))


@gates.command()
@click.argument("names", nargs=-1, metavar="[GATE]...")
@click.option("--pr", "change", default="", metavar="NUMBER", help="The pull request that they are run for.")
@command
def run(workspace: Workspace, names: tuple[str, ...], change: str) -> CommandResult:
    """Run gates (all without a name) in the checkout and keep what came out; exit 1 when one fails."""
    return _gates(run_gates(workspace, names, tell, change=change))


run.help = f"{run.help}\n\nGates: {', '.join(gate.name for gate in GATES)}."


def _gates(found: list[GateResult]) -> CommandResult:
    """Return how the gates stand."""
    return CommandResult(found, GATE_RESULTS.table("", found), code=int(any(one.status == FAIL for one in found)))


@click.group()
def audit() -> None:
    """Prove that live stays locked; verify the registry, the evidence and the other chained logs."""


@audit.command()
@click.option("--output-json", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON goes.")
@click.option("--output-markdown", type=click.Path(dir_okay=False, path_type=Path), help="Where the markdown goes.")
@click.option("--stdout", is_flag=True, help="Print the markdown instead of writing files; so does --json the JSON.")
@command
def snapshot(
    workspace: Workspace, output_json: Path | None, output_markdown: Path | None, stdout: bool
) -> CommandResult:
    """Try each way to a live order and keep what came out, beside the chained logs; exit 1 unless live is locked.

    Without a file named, both go to out/operator_dashboard/live_audit_snapshot.json and .md.
    """
    from peaktrade_core.control.audit.page import contrary, snapshot_json, snapshot_markdown
    from peaktrade_core.control.live_lock import audit_snapshot

    recover(workspace)
    found = audit_snapshot(workspace)
    code = int(found.verdict != "LOCKED")
    if stdout or quiet():
        return CommandResult(found, lambda: Document(snapshot_markdown(found)), code=code)
    default = workspace.home / "out" / "operator_dashboard" / "live_audit_snapshot"
    if output_json is None and output_markdown is None:
        output_json, output_markdown = default.with_suffix(".json"), default.with_suffix(".md")
    written = []
    for path, text in ((output_json, snapshot_json), (output_markdown, snapshot_markdown)):
        if path is not None:
            write_atomic(path, text(found).encode())
            written.append(str(path))
    return CommandResult(None, [*written, f"live: {found.verdict}", contrary(found)], code=code)


@audit.command()
@click.option("--against", "given", metavar="HEAD|FILE", help="A head that was kept, or a file that names one.")
@command
def verify(workspace: Workspace, given: str | None) -> CommandResult:
    """Compare everything in the workspace with its ledger; exit 1 when something was changed. It writes nothing.

    With --against it also says whether something before a head was changed that was kept elsewhere: in a report, an
    evidence page, a notification. As JSON: the checks, the heads, every record that is wrong.
    """
    from peaktrade_core.control.audit.checks import audit_registry
    from peaktrade_core.control.audit.daily import everything
    from peaktrade_core.control.audit.proof import against
    from peaktrade_core.workspace.chain_heads import chain_heads

    proved = against(workspace, given) if given else ""
    checks, heads = everything(workspace), chain_heads(workspace.home)
    value = {"checks": checks, "heads": heads, "against": proved, "registry": audit_registry(Registry.of(workspace))}
    told = (f"head of {name}: {head}" for name, head in heads.items())
    shown: list[Part] = [CHECKS.table("", checks), *filter(None, (proved,)), *told]
    return CommandResult(value, shown, code=int(worst(checks) == FAIL))


@audit.command("bundle")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--without-journals", is_flag=True, help="Leave out journals and tables of sessions, which are large.")
@command
def bundle_(workspace: Workspace, path: Path, without_journals: bool) -> CommandResult:
    """Write the ledger and everything that it holds into PATH, a zip that is verified elsewhere.

    In it is verify.py, a page of Python that needs nothing else: `python verify.py [HEAD]`.
    """
    from peaktrade_core.control.audit.bundle import bundle

    made = bundle(workspace, path, journals=not without_journals)
    told = f"{made.path}: {many(made.files, 'file')}, {made.size / 1e6:,.1f} MB; unpack it and run `python verify.py`"
    return CommandResult({"path": str(made.path), "files": made.files, "bytes": made.size}, [told])


@audit.command("anchor")
@command
def anchor_(workspace: Workspace) -> CommandResult:
    """Have the ledger's last entry stamped by the time stamp authority of [audit] anchor_url, and keep its answer.

    Needs the extra `anchor`. Only a hash leaves the machine. `audit verify` verifies the answer, and who has the bundle can.
    """
    from peaktrade_core.control.audit.anchor import anchor

    made = anchor(workspace)
    told = (
        f"{made.id}: entry {made.entry:,} of the ledger was there at {made.at:%Y-%m-%d %H:%M:%S} UTC, says {made.url}"
    )
    return CommandResult(made, [told, f"head {made.head}"])


@audit.command()
@click.argument("records", nargs=-1)
@click.option("--by", required=True, help="Who answers for them.")
@click.option("--reason", required=True, help="Why they are right as they are; kept in the ledger.")
@command
def adopt(workspace: Workspace, records: tuple[str, ...], by: str, reason: str) -> CommandResult:
    """Answer with your name for RECORDS (ids or logs; none for all) that the ledger does not know as they are.

    For records from before the ledger, restored or removed on purpose, and for a ledger that is not what it was. What it
    said before stays in it.
    """
    from peaktrade_core.control.audit.checks import adopt as take_on

    recover(workspace)
    names = take_on(workspace, records, by, reason)
    told = f"{many(len(names), 'record')} adopted" if names else "Nothing to adopt: every record is as it was entered."
    return CommandResult({"adopted": names}, [*names, told])


@report.command()
@click.option("--output-format", type=click.Choice(("markdown", "html", "both")), default="both", show_default=True)
@click.option("--output-dir", metavar="DIR", help="Where the files go; reports/live by default.")
@click.option("--stdout", is_flag=True, help="Print the report instead of writing files.")
@command
def status(workspace: Workspace, output_format: str, output_dir: str | None, stdout: bool) -> CommandResult:
    """Report how everything stands now: health, running sessions, portfolio, alerts, the newest sessions."""
    from peaktrade_core.control.status_report import status_report, write_status_report

    recover(workspace)
    if stdout:
        text = status_report(workspace, "html" if output_format == "html" else "markdown")
        return CommandResult({"report": text}, Document(text))
    forms = ("markdown", "html") if output_format == "both" else (output_format,)
    folder = Path(output_dir) if output_dir else workspace.reports / "live"
    return written_files([str(path) for path in write_status_report(workspace, folder, forms)])
