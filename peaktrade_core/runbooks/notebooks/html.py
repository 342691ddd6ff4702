"""A notebook as one HTML file that needs nothing else: no network, no CDN, and no script where its figures can do without.

Charts bring their drawing as SVG. Any other figure of plotly's is drawn by a plotly that the page then carries; a content
security policy names the digests of its own scripts, so that no other script can run and nothing can be
fetched, whatever a cell printed.

A report with a cover begins with it; what the notebook says of itself and its parameters come last.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import re
from pathlib import Path
from typing import Any

from peaktrade_core.base.resources import share_dir
from peaktrade_core.show.cover import COVERED, cover_script
from peaktrade_core.show.drawing import DRAWN
from peaktrade_core.show.language import language, spoken
from peaktrade_core.show.plotting import PLOTLY
from peaktrade_core.show.templates import style
from peaktrade_core.show.wording import tied

TEMPLATE = "peaktrade"
ABOVE = "## At a glance"  # above the cover in a notebook
_SAID = re.compile(r'<p class="pt-(?:subject|verdict)[^>]*><b>(.*?)</b>')
_SCRIPTS = "<!--scripts-->"  # nbconvert parses and writes the page again: megabytes of script go in after that
_NOTEBOOK_LINK = re.compile(r'<a [^>]*href="(?![a-z]+:)[^"]*\.ipynb[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def to_html(notebook: Any) -> str:
    """Return an executed notebook as a page.

    Links to other notebooks, which a browser could not open from where the page lies, become plain text.
    """
    from traitlets.config import Config

    from peaktrade_core.runbooks.notebooks.exporter import SpokenExporter

    title = _title(notebook)
    notebook, covered = _cover_first(_drawn(notebook))
    base = share_dir() / "templates" / "nbconvert"
    exporter = SpokenExporter(
        template_name=TEMPLATE,
        extra_template_basedirs=[str(base)],
        config=Config(NbConvertBase={"display_data_priority": [PLOTLY, "text/html", "text/markdown", "image/svg+xml",
                                                               "image/png", "image/jpeg", "text/plain"]}),
    )  # fmt: skip
    scripts = _scripts(base / TEMPLATE, notebook) + [cover_script()] * covered
    page = {
        "css": (base / TEMPLATE / "report.css").read_text(encoding="utf-8") + style("cover") * covered,
        "policy": policy(scripts),
        "language": language(),
        "title": f"{_verdict(notebook)}{title}",
        "covered": covered,
        "run": notebook.metadata.get("peaktrade", {}).get("run"),
    }
    body, _ = exporter.from_notebook_node(notebook, resources={"page": page})
    before, after = _NOTEBOOK_LINK.sub(r"<b>\1</b>", str(body)).rsplit(_SCRIPTS, 1)
    return tied(before) + "".join(f"<script>{script}</script>\n" for script in scripts) + after


def _drawn(notebook: Any) -> Any:
    """Return a copy of a notebook in which charts are their drawings alone."""
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        for output in cell.get("outputs", ()):
            if _html(output).startswith(DRAWN):
                output["data"].pop(PLOTLY, None)
    return copied


def _cover_first(notebook: Any) -> tuple[Any, bool]:
    """Put a notebook's cover first, below its title, and its documentation and parameters last; return whether it has one."""
    cells = notebook.cells
    cover = next((cell for cell in cells if any(map(_is_cover, cell.get("outputs", ())))), None)
    about = next((cell for cell in cells if cell.cell_type == "markdown" and cell.source.startswith("# ")), None)
    if cover is None or about is None:
        return notebook, False
    failures = [cell for cell in cells if "failure" in cell.metadata.get("tags", ())]
    shown = [cell for cell in cells if cell.cell_type != "code" or cell.outputs]
    given = [cell for cell in cells if cell not in shown]  # parameters, imports
    above = [
        cell for cell in cells[: cells.index(cover)] if cell.source in (ABOVE, spoken(ABOVE))
    ]  # the cover needs no heading
    moved = {id(cell) for cell in (cover, about, *above, *failures, *given)}
    title, _, rest = about.source.partition("\n")
    first, about = copy.deepcopy(about), copy.deepcopy(about)
    first.id = f"{about.id}-title"
    first.source, about.source = title, f"{spoken('## About this report')}\n\n{rest.strip()}"
    cover.metadata["tags"] = [*cover.metadata.get("tags", ()), "cover"]
    about.metadata["tags"] = [*about.metadata.get("tags", ()), "about"]
    notebook.cells = [*failures, first, cover, *(cell for cell in cells if id(cell) not in moved), about, *given]
    return notebook, True


def _is_cover(output: Any) -> bool:
    return _html(output).startswith(COVERED)


def _html(output: Any) -> str:
    return "".join(output.get("data", {}).get("text/html", ""))


def _verdict(notebook: Any) -> str:
    """Return what stands on the cover, to be read in the title of a tab: verdict and subject; empty without a cover."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    cover = next((_html(output) for output in outputs if _is_cover(output)), "")
    return "".join(f"{html.unescape(said)} · " for said in reversed(_SAID.findall(cover)))


def _scripts(template: Path, notebook: Any) -> list[str]:
    """Return the scripts of the page: none unless the notebook has figures that only plotly can draw."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    if not any(PLOTLY in output.get("data", {}) for output in outputs):
        return []
    from plotly.offline import get_plotlyjs

    return [str(get_plotlyjs()), (template / "report.js").read_text(encoding="utf-8")]


def policy(scripts: list[str]) -> str:
    """Return the content security policy that lets exactly these scripts run."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}"


def _title(notebook: Any) -> str:
    """Return the notebook's first heading."""
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return str(line[2:].strip())
    return "Notebook"
