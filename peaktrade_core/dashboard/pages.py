"""The pages: which there are, where, from which view notebook, and how a notebook becomes HTML.

A cell that only calls a panel is filled by the server, so a notebook of such cells is shown at once and without a
kernel; in JupyterLab the same cell runs and shows the same. Other code cells run in a kernel and arrive after.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import jinja2

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.files import read_plain
from peaktrade_core.base.resources import share_dir
from peaktrade_core.dashboard.papers import PAPER_LIST
from peaktrade_core.research.experiments.listing import EXPERIMENT_LIST
from peaktrade_core.runs.listing import SESSION_LIST

PANEL_CALL = re.compile(r"""page\.panel\(["']([a-z][a-z0-9_]*)["']\)""")
SETUP = ("from peaktrade_core.dashboard.panels import open_page", "page = open_page()")


class PageSpec(NamedTuple):
    """A page: where it is and what it shows.

    Attributes:
        path: its address; may hold one part in braces, ``{session_id}``, ``{run_id}`` or ``{lab}``, the page's subject.
        name: of the view notebook, without its ending.
        title: in the navigation; empty for a page that is not listed there.
        aliases: further addresses of the same.
        twin: the JSON of the same, linked from the page; shared: the query parameters that both take.
    """

    path: str
    name: str
    title: str = ""
    twin: str = "/api/live/status/snapshot.json"
    shared: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def part(self) -> str | None:
        """The name of the path's variable part."""
        found = re.search(r"\{(\w+)\}", self.path)
        return found[1] if found else None

    @property
    def pattern(self) -> str:
        """Its addresses as a regular expression; an id has no slash and is not long."""
        paths = "|".join(map(re.escape, (self.path, *self.aliases)))
        return re.sub(r"\\\{(\w+)\\\}", r"(?P<subject>[^/]{1,200})", f"(?:{paths})")


PAGES = (
    PageSpec("/", "live_track", "Live-Track", "/api/live_sessions", ("mode", "status", "limit")),
    PageSpec("/sessions", "sessions", "Sessions", "/api/sessions", SESSION_LIST.fields, ("/dashboard",)),
    PageSpec("/session/{session_id}", "session", twin="/api/live_sessions/{session_id}"),
    PageSpec("/run/{run_id}", "run", twin="/runs/{run_id}/snapshot"),
    PageSpec("/activity", "activity", "Activity", "/api/activity", ("kind", "limit")),
    PageSpec("/alerts", "alerts", "Alerts", "/api/alerts", ("state", "run_id", "limit")),
    PageSpec("/system", "system", "System"),
    PageSpec("/control-center", "control_center", "Control center"),
    PageSpec("/wall", "wall", "Wall"),
    PageSpec("/papers", "papers", "Papers", "/api/papers", PAPER_LIST.fields),
    PageSpec("/ledger", "ledger", "Ledger", "/api/ledger", ("limit",)),
    PageSpec("/requests/{request_id}", "request", twin="/api/requests/{request_id}"),
    PageSpec("/research", "research", "Research", "/api/experiments", EXPERIMENT_LIST.fields),
    PageSpec("/research/{experiment_id}", "experiment", twin="/api/experiments/{experiment_id}"),
    PageSpec("/lab", "labs", "Labs", "/api/labs"),
    PageSpec("/lab/{lab}", "lab", twin="/api/labs"),
)


class PageAddress(NamedTuple):
    """A page as it was asked for.

    Attributes:
        spec: which page; subject: the id in its path; query: the URL's query string.
    """

    spec: PageSpec
    subject: str | None = None
    query: str = ""

    def twin(self) -> str:
        """Return the address of the JSON twin; of the query it gets what it understands."""
        path = re.sub(r"\{\w+\}", quote(self.subject or "", safe=""), self.spec.twin)
        asked = urlencode([field for field in parse_qsl(self.query) if field[0] in self.spec.shared])
        return f"{path}?{asked}" if asked else path


def shown_pages(folder: Path) -> list[PageSpec]:
    """Return the pages of the navigation whose notebook is there."""
    return [spec for spec in PAGES if spec.title and (folder / f"{spec.name}.ipynb").is_file()]


def read_view(path: Path) -> dict[str, Any]:
    """Return a view notebook.

    Raises:
        FileNotFoundError: there is none.
        ArtefactError: it does not say that it is a view (opening a page executes its notebook, so one that could have
            side effects is never opened), or it is no notebook.
    """
    notebook = parsed(path)
    about = notebook["metadata"].get("peaktrade", {})
    if about.get("kind") != "view" or about.get("side_effects"):
        raise ArtefactError(f"{path}: no view notebook; one says so in its metadata: peaktrade.kind = view")
    return notebook


def parsed(path: Path) -> dict[str, Any]:
    """Return a notebook's JSON with each cell's source as one text, read again only when the file changed.

    Raises:
        FileNotFoundError: there is none.
        ArtefactError: it is no notebook.
    """
    stat = path.stat()
    return _parsed(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _parsed(path: Path, mtime_ns: int, size: int) -> dict[str, Any]:  # noqa: ARG001  (they make it anew)
    """Return a notebook's JSON with each cell's source as one text."""
    try:
        notebook = dict(json.loads(read_plain(path)))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
        return {**notebook, "metadata": dict(notebook["metadata"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: no notebook: {error!r}") from None


def panel_of(cell: dict[str, Any]) -> str | None:
    """Return the panel that a cell shows, None for a cell that does something else."""
    found = PANEL_CALL.fullmatch(cell["source"].strip()) if cell["cell_type"] == "code" else None
    return found[1] if found else None


def is_interactive(notebook: dict[str, Any]) -> bool:
    """Return whether a page keeps its kernel while somebody looks at it."""
    return notebook["metadata"].get("peaktrade", {}).get("interactive") is True


def needs_kernel(notebook: dict[str, Any]) -> bool:
    """Return whether a notebook holds code other than calls of panels and what leads to them."""
    code = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return any(panel_of(cell) is None and cell["source"].strip() not in ("", *SETUP) for cell in code)


def weave(notebook: dict[str, Any], panel: Callable[[str], str]) -> dict[str, Any]:
    """Return a notebook with its panels filled in.

    A cell that called a panel becomes a raw cell with the panel's markup; without other code, no code cell is left.
    """
    live = needs_kernel(notebook)
    cells = []
    for cell in notebook["cells"]:
        if name := panel_of(cell):
            filled = {"cell_type": "raw", "id": cell.get("id", name), "metadata": {"panel": name}}
            cells.append({**filled, "source": panel(name)})
        elif live or cell["cell_type"] != "code":
            cells.append(cell)
    return {**notebook, "cells": cells}


def render(notebook: dict[str, Any], peaktrade: dict[str, Any], name: str) -> str:
    """Return the page of a woven notebook that needs no kernel.

    Args:
        notebook: from :func:`weave`.
        peaktrade: what the template is told: words, version, pages ...
        name: of the notebook.
    """
    resources = {"peaktrade": peaktrade, "metadata": {"name": name}, "base_url": "/"}
    return _template().render(nb=notebook, resources=resources, page_config={})


@cache
def _template() -> jinja2.Template:
    """Return the template of the pages, the one that Voila fills for a page with a kernel."""
    folder = share_dir() / "templates" / "voila" / "templates" / "peaktrade"
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=False)  # noqa: S701  (as Voila's: it escapes itself)
    env.filters["markdown2html"] = _markdown
    env.filters["trusted"] = lambda output: output
    return env.get_template("index.html.j2")


@lru_cache(maxsize=256)
def _markdown(text: str) -> str:
    """Return markdown of a notebook as HTML."""
    from nbconvert.filters.markdown import markdown2html

    return str(markdown2html(text))
