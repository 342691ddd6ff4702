"""``peaktrade runbook``: the notebooks, without a person."""

from __future__ import annotations

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.output import console, print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def runbook() -> None:
    """List runbooks and run one without a person."""


@runbook.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_all(as_json: bool) -> None:
    """List the notebooks that can be run, with their parameters."""
    from peaktrade_core.runbooks.runbooks import list_runbooks

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
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter, for each of the notebooks that declares it; repeatable.",
)
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds for each run; else the notebook's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, a list of them for several.")
@workspace_options
def run(
    home: str | None,
    config: str | None,
    names: tuple[str, ...],
    params: tuple[str, ...],
    timeout: float | None,
    as_json: bool,
) -> int:
    """Run notebooks headless into reports/, one after the other; each leaves the executed notebook and its HTML."""
    from peaktrade_core.runbooks.runbooks import COMPLETED, run_runbooks

    workspace = Workspace(home, config)
    recover(workspace)
    screen = console(stderr=True)

    def progress(name: str, done: int, total: int) -> None:
        if not as_json:
            of = f"{name}: " if len(names) > 1 else ""
            line = f"  {of}cell {done} of {total}"
            screen.print(line.ljust(60) if screen.is_terminal else line, end="\r" if screen.is_terminal else "\n")

    outcomes = []
    for outcome in run_runbooks(names, _values(params), workspace, progress=progress, timeout=timeout):
        outcomes.append(outcome)
        if not as_json:
            click.echo(f"{outcome.status}: {outcome.html}")
            if outcome.error:
                click.echo(f"  {outcome.error}", err=True)
            if outcome.evidence_id:
                click.echo(f"evidence {outcome.evidence_id}: {outcome.outcome}")
    if as_json:
        print_json(outcomes if len(names) > 1 else outcomes[0])
    if any(outcome.status != COMPLETED for outcome in outcomes):
        return 6
    return 0 if all(outcome.outcome in (None, "passed", "warned") for outcome in outcomes) else 1


def _values(params: tuple[str, ...]) -> dict[str, object]:
    """Return what was written as KEY=VALUE."""
    given: dict[str, object] = {}
    for text in params:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise ConfigError(f"parameter {text!r} must be written KEY=VALUE")
        given[key.strip()] = value
    return given
