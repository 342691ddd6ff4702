"""The status report: how everything stands now, as markdown and HTML, for whoever takes over."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from peaktrade_core.alerts.desk import ALERTS, OPEN, Alerts
from peaktrade_core.base.clock import both
from peaktrade_core.base.files import write_new
from peaktrade_core.control.status import SIGNS, Whole, whole
from peaktrade_core.desk.readiness import health_checks
from peaktrade_core.fleet.ops import POSITIONS, portfolio
from peaktrade_core.runbooks.notebook_tables import sessions_table
from peaktrade_core.runbooks.notebooks.html import policy
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.runs.columns import RUNNING, RUNS
from peaktrade_core.runs.run import DIED
from peaktrade_core.runs.views import Views
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, cover_script, needing
from peaktrade_core.show.table import TONE_OF, Cell, Table
from peaktrade_core.show.templates import css, template
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

NEWEST = 10
SUFFIX = {"markdown": "md", "html": "html"}


def status_report(workspace: Workspace, form: str) -> str:
    """Return the report as ``markdown`` or ``html``."""
    return _rendered(workspace, status_tables(workspace), form)


def write_status_report(workspace: Workspace, folder: Path, forms: Iterable[str]) -> list[Path]:
    """Write the report in each form into ``folder`` and return the files.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    stem, tables = f"status_{workspace.clock.now():%Y%m%dT%H%M%S}", status_tables(workspace)
    made = write_new(folder, stem, {SUFFIX[form]: _rendered(workspace, tables, form).encode() for form in forms})
    enter_papers(workspace, *made)
    return made


def status_cover(workspace: Workspace, found: Whole) -> Cover:
    """Return how everything stands at a glance.

    Args:
        workspace: whose day is drawn; found: the status of the whole, which gives the verdict.
    """
    today = read("daily_report", workspace, date="today").figure()
    sign = SIGNS[found.status]
    return Cover(
        subject="Status of the whole",
        whose="trading, risk, alerts, runs and the layers L0 to L6",
        when=f"as of {both(found.as_of)}",
        verdict=Cell(f"{sign} {found.word}", TONE_OF[found.status]),
        why=found.why,
        figures=[
            (part.name.capitalize(), Cell(part.word, TONE_OF[part.status]))
            for part in (found.trading, found.risk, found.alerts)
        ],
        chart=today if isinstance(today, Chart) else None,
        needs=needing(*(layer.findings for layer in found.layers)),
        links=(("Now:", Cell("`peaktrade control`")), ("Alerts:", Cell("`peaktrade alerts list`"))),
    )


def _rendered(workspace: Workspace, tables: list[Table], form: str) -> str:
    """Return tables as a document that begins with the status of the whole."""
    cover = status_cover(workspace, whole(workspace))
    now = workspace.clock.now()
    as_of = f"As of {both(now)}"
    page = template(f"tables.{SUFFIX[form]}.j2")
    heads = chain_heads(workspace.home)
    script = cover_script()
    return page.render(
        title="Live status report", as_of=as_of, cover=cover, error=None, tables=tables, css=css(), heads=heads,
        script=script, policy=policy([script]),
    )  # fmt: skip


def status_tables(workspace: Workspace) -> list[Table]:
    """Return what the report says, in its order."""
    return [
        check_table(health_checks(workspace), "Health"),
        _runs(workspace),
        _portfolio(workspace),
        _alerts(workspace),
        sessions_table(workspace, NEWEST),
    ]


def _runs(workspace: Workspace) -> Table:
    """Return what has not ended."""
    going = [run for run in Views.of(workspace).runs(500) if run.active or run.state == DIED]
    return RUNS.table("Running sessions", going, RUNNING, empty="No session runs.")


def _portfolio(workspace: Workspace) -> Table:
    """Return what running sessions hold."""
    names = "mode symbol sessions position exposure total realized unrealized"
    held = portfolio(Views.of(workspace).runs(500))
    return POSITIONS.table("Portfolio", held, names, empty="Nothing is held: no session runs.")


def _alerts(workspace: Workspace) -> Table:
    """Return the open alerts."""
    names = "severity rule run message raised taken runbook"
    return ALERTS.table("Alerts", Alerts.of(workspace).rows(OPEN), names, empty="No alert is open.")
