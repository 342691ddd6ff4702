"""``peaktrade runbook``: the notebooks, without a person."""

from __future__ import annotations

import click

from peaktrade_core.domain.errors import ConfigError
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.cli import workspace_options
from peaktrade_core.edge.cli.output import console, print_json, print_table


@click.group()
def runbook() -> None:
    """List runbooks and run one without a person."""


@runbook.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(as_json: bool) -> None:
    """List the notebooks that can be run, with their parameters."""
    from peaktrade_core.services.runbooks import list_runbooks

    found = list_runbooks()
    if as_json:
        print_json(found)
        return
    print_table(
        ("NAME", "PURPOSE", "PARAMETERS"),
        (
            (info.name, info.purpose, "\n".join(f"{p.name}: {p.type} = {p.default!r}" for p in info.parameters))
            for info in found
        ),
    )


@runbook.command()
@click.argument("name")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter of the notebook; repeatable."
)
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds for the whole run; else the notebook's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@workspace_options
def run(
    home: str | None, config: str | None, name: str, params: tuple[str, ...], timeout: float | None, as_json: bool
) -> int:
    """Run one notebook headless into reports/; leaves the executed notebook and its HTML."""
    from peaktrade_core.services.runbooks import run_runbook

    workspace = Workspace(home, config)
    workspace.recover()
    given: dict[str, object] = {}
    for text in params:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise ConfigError(f"parameter {text!r} must be written KEY=VALUE")
        given[key.strip()] = value
    screen = console(stderr=True)

    def progress(done: int, total: int) -> None:
        if not as_json:
            screen.print(f"  cell {done} of {total}", end="\r" if screen.is_terminal else "\n")

    outcome = run_runbook(name, given, workspace, progress=progress, timeout=timeout)
    if as_json:
        print_json(outcome)
    else:
        click.echo(f"{outcome.status}: {outcome.html or outcome.notebook}")
        if outcome.error:
            click.echo(f"  {outcome.error}", err=True)
        if outcome.evidence_id:
            click.echo(f"evidence {outcome.evidence_id}: {outcome.outcome}")
    if outcome.status != "completed":
        return 6
    return 0 if outcome.outcome in (None, "passed", "warned") else 1
