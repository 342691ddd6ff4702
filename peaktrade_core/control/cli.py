"""``peaktrade control`` and ``peaktrade gates``: how everything stands, in the few lines that go into the shift log."""

from __future__ import annotations

import click

from peaktrade_core.base.question import FAIL
from peaktrade_core.control.gates import GATES, GateResult, gate_results, run_gates
from peaktrade_core.session.recovery import recover
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

MARKS = {"pass": "PASS", "fail": "FAIL", "unknown": "UNKNOWN"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON: layers, gates, routine, evidence.")
@workspace_options
def control(home: str | None, config: str | None, as_json: bool) -> int:
    """Print the operator output: layers L0 to L6, the seven gates, new evidence, what is due; exit 1 on a failure."""
    from peaktrade_core.control.control import control_center, document, operator_output

    workspace = Workspace(home, config)
    recover(workspace)
    found = control_center(workspace)
    if as_json:
        print_json(document(found))
    else:
        click.echo(operator_output(found))
    return int(found.whole.status == FAIL)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
@click.pass_context
def gates(ctx: click.Context, home: str | None, config: str | None, as_json: bool) -> int:
    """Show the seven required gates: PASS and FAIL where known, else UNKNOWN; exit 1 when one fails."""
    if ctx.invoked_subcommand is not None:
        return 0
    return _show(gate_results(Workspace(home, config)), as_json)


@gates.command()
@click.argument("names", nargs=-1, metavar="[GATE]...")
@workspace_options
def run(home: str | None, config: str | None, names: tuple[str, ...]) -> int:
    """Run gates (all without a name) in the checkout and keep what came out; exit 1 when one fails."""
    return _show(run_gates(Workspace(home, config), names, click.echo), as_json=False)


run.help = f"{run.help}\n\nGates: {', '.join(gate.name for gate in GATES)}."


def _show(found: list[GateResult], as_json: bool) -> int:
    """Print gates and return the exit code."""
    if as_json:
        print_json(found)
    else:
        print_table(
            ("GATE", "STATUS", "KNOWN FROM", "NEXT STEP"),
            ((one.gate, (MARKS[one.status], one.status), one.text, one.next_step) for one in found),
        )
    return int(any(one.status == FAIL for one in found))
