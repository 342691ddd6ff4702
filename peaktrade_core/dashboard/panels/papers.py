"""Papers: reports, evidence, incidents and drills, each a link to what was written."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from peaktrade_core.dashboard.panels.base import Asked, panel
from peaktrade_core.dashboard.papers import KINDS, Papers
from peaktrade_core.dashboard.routes import Param, read_query
from peaktrade_core.workspace.workspace import Workspace

ROWS = 50  # of a page
_KIND = Param("kind", "Only this kind.", choices=KINDS)
_ABOUT = Param("about", "Only what is about this, or names it.")
_FROM = Param("from", "How many newer ones are passed over.", 0, 0, 99_999_999)


@panel("papers")
def _papers(workspace: Workspace, asked: Asked) -> dict[str, Any]:
    """Answer: what was written down, newest first?"""
    given = read_query(asked.query)
    kind, about, offset = (param.read(given.get(param.name, [])) for param in (_KIND, _ABOUT, _FROM))
    every = Papers.of(workspace).listed(about=about or "")
    found = [paper for paper in every if kind in (None, paper.kind)]

    def link(**changed: object) -> str:
        fields = {name: value for name, value in ({"kind": kind, "about": about} | changed).items() if value}
        return f"/papers?{urlencode(fields)}" if fields else "/papers"

    counts = Counter(paper.kind for paper in every)
    after = offset + ROWS
    return {
        "rows": found[offset:after],
        "kind": kind,
        "about": about,
        "kinds": [(name, counts[name], link(kind=name)) for name in KINDS],
        "all": (len(every), link(kind=None)),
        "whole": link(about=None),
        "pager": {
            "first": min(offset + 1, len(found)),
            "last": min(after, len(found)),
            "n": len(found),
            "before": link(**{"from": max(0, offset - ROWS)}) if offset else "",
            "after": link(**{"from": after}) if after < len(found) else "",
        },
    }
