"""The daily and the weekly report as files: the executed notebook, its HTML, and markdown with the same tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.schedule import periods
from peaktrade_core.show.templates import template
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace


class Kind(NamedTuple):
    """A kind of report: its period, its notebook and that notebook's parameter; the folder is the kind's name."""

    period: str
    notebook: str
    parameter: str


KINDS = {"daily": Kind(periods.DAY, "daily_report", "date"), "weekly": Kind(periods.WEEK, "weekly_report", "week")}


class MadeReport(msgspec.Struct, frozen=True):
    """A report.

    Attributes:
        label: of its day or week; html, notebook, markdown: its files; error: in a sentence, None when all went well.
    """

    label: str
    html: Path
    notebook: Path
    markdown: Path
    error: str | None


def make_report(kind: str, label: str, workspace: Workspace) -> MadeReport:
    """Make the report of a day or week, in place of an older one; one that fails never takes a good one's place.

    Args:
        kind: ``daily`` or ``weekly``.
        label: a day or week as :func:`~peaktrade_core.schedule.periods.span_named` takes it.
        workspace: of which, and where the files go: ``reports/daily/2026-01-04.html`` and so on.

    Raises:
        ConfigError: there is no such day or week.
        EnvironmentFault: the files cannot be written.
    """
    chosen = KINDS[kind]
    span = periods.span_named(chosen.period, label, workspace.clock.now())
    heads = chain_heads(workspace.home)  # the same as in the HTML
    outcome = run_runbook(chosen.notebook, {chosen.parameter: span.label}, workspace)
    folder = workspace.reports / kind
    name = span.label if outcome.error is None else f"{span.label}_failed"
    made = MadeReport(
        span.label, folder / f"{name}.html", folder / f"{name}.ipynb", folder / f"{name}.md", outcome.error
    )
    papers, gone = (made.notebook, made.html, made.markdown), [outcome.notebook, outcome.html]
    try:
        os.replace(outcome.notebook, made.notebook)
        os.replace(outcome.html, made.html)
        write_atomic(made.markdown, _markdown(kind, span.label, workspace, outcome.error, heads).encode())
        if outcome.error is None:
            gone += [old for old in folder.glob(f"{span.label}_failed.*") if old.is_file()]
            for old in gone:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {made.html}: {why(error)}") from error
    enter_papers(workspace, *papers, gone=gone)
    return made


def _markdown(kind: str, label: str, workspace: Workspace, error: str | None, heads: dict[str, str]) -> str:
    """Return a report as markdown: its tables, or only what went wrong."""
    chosen = KINDS[kind]
    report = None if error else read(chosen.notebook, workspace, **{chosen.parameter: label})
    tables, cover = (report.tables(), report.cover()) if report else ([], None)
    title = f"{kind.capitalize()} report {label}"
    page = template("tables.md.j2")
    return page.render(title=title, as_of="", cover=cover, error=error, tables=tables, heads=heads)
