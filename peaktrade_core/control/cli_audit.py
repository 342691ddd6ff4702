"""``peaktrade audit``: the proof that live stays locked, and whether every record is as it was written."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import FAIL, Check, worst
from peaktrade_core.records.registry import Registry
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def audit() -> None:
    """Prove that live stays locked; verify the registry, the evidence and the other chained logs."""


@audit.command()
@click.option("--output-json", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON goes.")
@click.option("--output-markdown", type=click.Path(dir_okay=False, path_type=Path), help="Where the markdown goes.")
@click.option("--stdout", is_flag=True, help="Print the markdown instead of writing files.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of writing files.")
@workspace_options
def snapshot(
    home: str | None,
    config: str | None,
    output_json: Path | None,
    output_markdown: Path | None,
    stdout: bool,
    as_json: bool,
) -> int:
    """Try each way to a live order and keep what came out, beside the chained logs; exit 1 unless live is locked.

    Without a file named, both go to out/operator_dashboard/live_audit_snapshot.json and .md.
    """
    from peaktrade_core.control.audit_page import snapshot_json, snapshot_markdown
    from peaktrade_core.control.live_lock import audit_snapshot

    workspace = Workspace(home, config)
    recover(workspace)
    found = audit_snapshot(workspace)
    if stdout or as_json:
        click.echo((snapshot_json if as_json else snapshot_markdown)(found), nl=False)
    else:
        default = workspace.home / "out" / "operator_dashboard" / "live_audit_snapshot"
        if output_json is None and output_markdown is None:
            output_json, output_markdown = default.with_suffix(".json"), default.with_suffix(".md")
        for path, text in ((output_json, snapshot_json), (output_markdown, snapshot_markdown)):
            if path is not None:
                write_atomic(path, text(found).encode())
                click.echo(path)
        click.echo(f"live: {found.verdict}")
    return int(found.verdict != "LOCKED" or worst(found.audit) == FAIL)


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the checks, the heads, every record that is wrong.")
@workspace_options
def verify(home: str | None, config: str | None, as_json: bool) -> int:
    """Compare the registry, the evidence, the kill switch and incidents with their chains; exit 1 when one was changed."""
    from peaktrade_core.control.audit import audit_checks, audit_registry
    from peaktrade_core.workspace.chain_heads import chain_heads

    workspace = Workspace(home, config)
    recover(workspace)
    checks, heads = audit_checks(workspace), chain_heads(workspace.home)
    if as_json:
        print_json({"checks": checks, "heads": heads, "registry": audit_registry(Registry.of(workspace))})
    else:
        _show(checks)
        for name, head in heads.items():
            click.echo(f"head of {name}: {head}")
    return int(worst(checks) == FAIL)


@audit.command()
@click.argument("records", nargs=-1)
@click.option("--by", required=True, help="Who answers for them.")
@click.option("--reason", required=True, help="Why they are right as they are; kept in the chain.")
@workspace_options
def adopt(home: str | None, config: str | None, records: tuple[str, ...], by: str, reason: str) -> None:
    """Answer with your name for RECORDS (session ids; none for all) that the chain does not know as they are.

    For records from before the chain, restored or removed on purpose. What the chain said before stays in it.
    """
    from peaktrade_core.control.audit import adopt as take_on

    workspace = Workspace(home, config)
    recover(workspace)
    names = take_on(workspace, records, by, reason)
    for name in names:
        click.echo(name)
    click.echo(f"{len(names)} records adopted" if names else "Nothing to adopt: every record is as it was entered.")


def _show(checks: list[Check]) -> None:
    """Print checks, those that need somebody with their next step."""
    print_table(
        ("QUESTION", "ANSWER", "EVIDENCE"), ((one.question, (one.status, one.status), one.evidence) for one in checks)
    )
    for one in checks:
        if one.next_step:
            click.echo(f"{one.id}: {one.next_step}")
