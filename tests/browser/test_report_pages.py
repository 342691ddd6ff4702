"""Registry and status reports on a narrow screen and on paper: nothing is wider than the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.reports.status_report import status_report
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

WIDER = """[...document.querySelectorAll("table")]
    .filter(t => t.scrollWidth > t.parentElement.clientWidth + 1).map(t => t.innerText.slice(0, 80))"""


@pytest.mark.browser
def test_reports_fit_a_phone_and_a_sheet_of_paper(
    browser: Browser, workspace: Workspace, run_shadow, tmp_path: Path
) -> None:
    record: SessionRecord = run_shadow(seed=5, steps=300, position_fraction=0.0999, notes="wide " * 30 + "x" * 200)
    pages = {"status": status_report(workspace, "html"), "sessions": session_report(Views.of(workspace), form="html")}
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(text)
    for name in pages:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto((tmp_path / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate(WIDER) == []
        assert "sans" in page.evaluate("getComputedStyle(document.body).fontFamily")
        assert record.session_id in page.inner_text("main")
        page.set_viewport_size({"width": 688, "height": 980})  # A4 within its margins
        page.emulate_media(media="print")
        assert page.evaluate(WIDER) == []
        page.close()
