"""The dashboard as files: the API's answers under fixed names, and any page as one HTML file.

Files are made by the functions that answer the server's requests, so both show the same. With the same state the
files are the same, apart from ``generated_at``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError, ConfigError
from peaktrade_core.base.files import as_json, write_atomic
from peaktrade_core.dashboard import api, documents, snapshot
from peaktrade_core.dashboard.pages import PageAddress
from peaktrade_core.dashboard.site import Site, find_page
from peaktrade_core.runs.run import timeless
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.schedule.schedule import JobResult
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.workspace import Workspace

SESSIONS, BARS, ALERTS, RUNS = 50, 200, 50, 200
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>\s*", re.DOTALL | re.IGNORECASE)
_NEEDS_SCRIPT = re.compile(r"<(button|dialog|noscript)\b[^>]*>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_AGE = re.compile(r'(<span class="age" id="age">)\s*(</span>)')
_LINK = re.compile(r"<link\b[^>]*>\s*", re.IGNORECASE)
_LOCAL = re.compile(r"""\s(?:href|src)=(["'])/[^"']*\1""")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def export_dashboard(workspace: Workspace, folder: Path, run_id: str | None = None) -> list[Path]:
    """Write the files and return their paths.

    Args:
        run_id: of the ``run_*.json``; None takes the first run of the list and writes none when there is no run.

    Raises:
        SessionNotFoundError: there is no such run.
        EnvironmentFault: the folder cannot be written.
    """
    answers = list(_answers(Site(workspace), run_id))  # all are made before the first is written
    paths = []
    for name, body in answers:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / name, body)
        paths.append(folder / name)
    return paths


def _answers(site: Site, run_id: str | None) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file."""
    state = snapshot.take(site.workspace)
    yield "status_snapshot.json", as_json(state)
    yield "status_snapshot.html", documents.snapshot_html(state).encode()
    yield "live_sessions.json", as_json([timeless(row) for row in api.sessions(site, SESSIONS, None, None)])
    runs = api.runs(site, RUNS)
    yield "runs.json", as_json([timeless(row) for row in runs])
    chosen = run_id or (runs[0].run_id if runs else None)
    if chosen is not None:
        yield "run_snapshot.json", as_json(timeless(api.run_snapshot(site, chosen)))
        try:
            bars = api.run_tail(site, chosen, BARS)
        except ArtefactError:  # a run without a journal has no bars, and its snapshot says so
            bars = []
        yield "run_tail.json", as_json(bars)
        yield "run_alerts.json", as_json(api.run_alerts(site, chosen, ALERTS))


def export_page(
    workspace: Workspace, name: str, query: str = "", subject: str | None = None, out: Path | None = None
) -> Path:
    """Write a page as one HTML file and return its path.

    Args:
        name: of the page; query: its query string; subject: the id of a page that is about one session or run.

    Raises:
        UnknownNameError: there is no such page.
        ConfigError: the page needs an id and has none, or the other way round.
        SessionNotFoundError: nothing has that id.
        ArtefactError: the page's notebook is missing.
    """
    site, spec = Site(workspace), find_page(name)
    if bool(spec.part) != bool(subject):
        needed = f"needs --id, a {spec.part}" if spec.part else "is about no single session or run; leave --id out"
        raise ConfigError(f"page {name} {needed}")
    try:
        html = site.page(PageAddress(spec, subject, query))
    except FileNotFoundError as error:
        raise ArtefactError(f"page {name} has no notebook: {error.filename}") from None
    path = out or workspace.home / "out" / "operator_dashboard" / f"{spec.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    style = (site.assets / "static" / "peaktrade.css").read_text(encoding="utf-8")
    write_atomic(path, standalone(html, style, Views.of(workspace).now()).encode())
    return path


def standalone(html: str, style: str, as_of: datetime) -> str:
    """Return a page as one file: its style inside, no script, no link to the server, and the time that it shows."""
    for gone in (_SCRIPT, _NEEDS_SCRIPT, _LINK, _LOCAL):
        html = gone.sub("", html)
    html = _AGE.sub(rf"\g<1>{iso(as_of)}\g<2>", html)
    inside = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<style>{style}</style>\n</head>'
    return html.replace("</head>", inside, 1)


def export_job(workspace: Workspace, _: Period) -> JobResult:
    """Write the pages below out/: the job of the scheduler."""
    out = workspace.home / "out" / "operator_dashboard"
    return JobResult(
        True, f"{many(len(list(export_dashboard(workspace, out, None))), 'file')} in out/operator_dashboard"
    )
