"""Ids in a paper are links, but for its own."""

from __future__ import annotations

from markupsafe import Markup

from peaktrade_core.dashboard.papers import linked


def test_a_paper_does_not_link_to_itself() -> None:
    told = linked(Markup("<h1>DRILL-20261129-04: INC-20261129-01</h1>"), own="DRILL-20261129-04")
    assert (
        told
        == '<h1>DRILL-20261129-04: <a class="mono" href="/papers/incident/INC-20261129-01">INC-20261129-01</a></h1>'
    )
