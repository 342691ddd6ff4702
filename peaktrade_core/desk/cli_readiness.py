"""``peaktrade readiness``: may a session of this stage start here?"""

from __future__ import annotations

from collections.abc import Sequence

import click

from peaktrade_core.base.errors import LiveModeNotAllowedError
from peaktrade_core.base.question import FAIL, PASS, Check, worst
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.option("--stage", type=click.Choice(("shadow", "testnet", "live")), default="shadow", show_default=True)
@click.option("--symbol", metavar="SYMBOL", help="What is to be traded; else the configured one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def readiness(home: str | None, config: str | None, stage: str, symbol: str | None, as_json: bool) -> int:
    """Answer the checklist of a stage; exit code 1 when an answer fails, 5 always for live."""
    from peaktrade_core.desk.readiness import ready_checks

    checks = ready_checks(Workspace(home, config), stage, symbol or "")
    code = show_checks(checks, f"Readiness-Check ({stage})", as_json)
    return LiveModeNotAllowedError.exit_code if stage == "live" else code


def show_checks(checks: Sequence[Check], title: str, as_json: bool) -> int:
    """Print a checklist and its result in a word; return the exit code."""
    status = worst(checks)
    if as_json:
        print_json({"check": title, "passed": status != FAIL, "result": status, "checks": checks})
    else:
        print_table(
            ("CHECK", "RESULT", "EVIDENCE", "NEXT STEP"),
            ((c.question, (wording.MARKS[c.status], c.status), c.evidence, c.next_step) for c in checks),
        )
        open_ = sum(c.status != PASS for c in checks)
        counted = f"all {len(checks)} answers are good" if not open_ else f"{open_} of {len(checks)} need attention"
        click.echo(f"\n{title} {'FAILED' if status == FAIL else 'PASSED'}: {counted}")
    return 1 if status == FAIL else 0
