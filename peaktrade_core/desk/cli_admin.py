"""``peaktrade init`` and ``peaktrade doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_table
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
def init(folder: Path) -> None:
    """Make FOLDER a workspace by writing the default configuration into it."""
    from peaktrade_core.alerts.engine import ALERTS
    from peaktrade_core.base.files import write_atomic
    from peaktrade_core.base.resources import share_dir
    from peaktrade_core.schedule.schedule import JOBS_FILE

    target = folder / CONFIG
    if target.exists():
        raise ConfigError(f"{target} exists already; nothing was changed")
    for other in (ALERTS, JOBS_FILE):
        if not (folder / other).exists():
            write_atomic(folder / other, (share_dir() / other).read_bytes())
    write_atomic(target, (share_dir() / CONFIG).read_bytes())
    click.echo(f"{folder} is a workspace now; its settings are in {target}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def doctor(home: str | None, config: str | None, as_json: bool) -> int:
    """Check environment, configuration, disk, clock and stale sessions; exit code 1 when a check fails."""
    from peaktrade_core.base.question import FAIL, worst
    from peaktrade_core.desk.doctor import DOCTOR

    checks = Workspace(home, config).ask(DOCTOR)
    if as_json:
        print_json(checks)
    else:
        print_table(
            ("CHECK", "RESULT", "EVIDENCE", "NEXT STEP"),
            ((c.question, (wording.MARKS[c.status], c.status), c.evidence, c.next_step) for c in checks),
        )
    return 1 if worst(checks) == FAIL else 0
