"""The style of reports is taken as it is written; how they look on a phone and on paper is in tests/browser."""

from __future__ import annotations

from peaktrade_core.control.status_report import status_report
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.runs.views import Views
from peaktrade_core.show.templates import css
from peaktrade_core.workspace.workspace import Workspace


def test_the_style_of_a_report_is_not_escaped(workspace: Workspace) -> None:
    assert '"Segoe UI"' in css()
    for page in (status_report(workspace, "html"), session_report(Views.of(workspace), form="html")):
        assert '"Segoe UI"' in page
        assert "&#34;Segoe" not in page
