"""A notebook as one HTML file that needs nothing else: no network, no CDN, and no script where its figures can do without.

Charts bring their drawing as SVG. Any other figure of plotly's is drawn by a plotly that the page then carries; a content
security policy names the digests of its own two scripts, so that no other script can run and nothing can be
fetched, whatever a cell printed.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from pathlib import Path
from typing import Any

from peaktrade_core.base.resources import share_dir
from peaktrade_core.show.drawing import DRAWN, PLOTLY

TEMPLATE = "peaktrade"
_SCRIPTS = "<!--scripts-->"  # nbconvert parses and writes the page again: megabytes of script go in after that
_NOTEBOOK_LINK = re.compile(r'<a [^>]*href="(?![a-z]+:)[^"]*\.ipynb[^"]*"[^>]*>(.*?)</a>', re.DOTALL)


def to_html(notebook: Any) -> str:
    """Return an executed notebook as a page.

    Links to other notebooks, which a browser could not open from where the page lies, become plain text.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    notebook = _drawn(notebook)
    base = share_dir() / "templates" / "nbconvert"
    exporter = HTMLExporter(
        template_name=TEMPLATE,
        extra_template_basedirs=[str(base)],
        config=Config(NbConvertBase={"display_data_priority": [PLOTLY, "text/html", "text/markdown", "image/svg+xml",
                                                               "image/png", "image/jpeg", "text/plain"]}),
    )  # fmt: skip
    scripts = _scripts(base / TEMPLATE, notebook)
    page = {
        "css": (base / TEMPLATE / "report.css").read_text(encoding="utf-8"),
        "policy": _policy(scripts),
        "title": _title(notebook),
        "run": notebook.metadata.get("peaktrade", {}).get("run"),
    }
    body, _ = exporter.from_notebook_node(notebook, resources={"page": page})
    before, after = _NOTEBOOK_LINK.sub(r"<b>\1</b>", str(body)).rsplit(_SCRIPTS, 1)
    return before + "".join(f"<script>{script}</script>\n" for script in scripts) + after


def _drawn(notebook: Any) -> Any:
    """Return a copy of a notebook in which charts are their drawings alone."""
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        for output in cell.get("outputs", ()):
            if "".join(output.get("data", {}).get("text/html", "")).startswith(DRAWN):
                output["data"].pop(PLOTLY, None)
    return copied


def _scripts(template: Path, notebook: Any) -> list[str]:
    """Return the scripts of the page: none unless the notebook has figures that only plotly can draw."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    if not any(PLOTLY in output.get("data", {}) for output in outputs):
        return []
    from plotly.offline import get_plotlyjs

    return [str(get_plotlyjs()), (template / "report.js").read_text(encoding="utf-8")]


def _policy(scripts: list[str]) -> str:
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
