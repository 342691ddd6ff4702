"""Registry and status reports on a narrow screen and on paper: nothing is wider than the page."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser
from serving import Dashboard

from peaktrade_core.control.status_report import status_report
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.reports.session_reports import session_report
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.notebooks.html import to_html
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

WIDER = """[...document.querySelectorAll("table")]
    .filter(t => t.scrollWidth > t.parentElement.clientWidth + 1).map(t => t.innerText.slice(0, 80))"""

REPO = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.stem for path in (REPO / "notebooks" / "reports").glob("*.ipynb"))
BROKEN = r"""(root) => {
    const found = [], walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode;
        if (!node.parentElement.checkVisibility() || node.parentElement.closest("svg, pre, footer, script")) continue;
        for (const word of node.textContent.matchAll(/[\p{L}\p{N}_.,:%]+/gu)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const tops = new Set([...range.getClientRects()].filter((r) => r.width).map((r) => Math.round(r.top)));
            if (tops.size > 1 && word[0].length <= 80) found.push(word[0]);
        }
    }
    return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_on_paper_no_word_is_broken_nothing_is_cut_off_and_the_cover_is_a_page(
    browser: Browser, name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.html"
    path.write_text(to_html(nbformat.read(REPO / "notebooks" / "reports" / f"{name}.ipynb", 4)))
    page = browser.new_page(viewport={"width": 688, "height": 980})  # A4 within its margins
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    assert page.locator("main").evaluate(BROKEN) == []
    assert page.evaluate(WIDER) == []
    assert page.locator(".pt-cover").bounding_box()["height"] < 900
    assert page.locator(".output.bare").evaluate("e => getComputedStyle(e).breakAfter") == "page"
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") >= 2
    page.close()


PALE = """() => [...document.querySelectorAll("main *")].filter(e => {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest("svg") || !e.checkVisibility()) return false;
    const paint = document.createElement("canvas").getContext("2d");
    paint.fillStyle = getComputedStyle(e).color;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 150;
}).map(e => e.outerHTML.slice(0, 120))"""  # text that is lost on white paper


@pytest.mark.browser
def test_pages_and_papers_print_without_a_broken_word_a_pale_text_or_a_blank_sheet(
    browser: Browser, workspace: Workspace, run_shadow
) -> None:
    session_id = run_shadow(seed=5, steps=900).session_id
    incident = IncidentBook.of(workspace).open(
        "risk_limit", "Every order was denied", subject=session_id, severity="medium", by="Ada", role="operator"
    )
    evidence = EvidenceBook.of(workspace).begin("drill", "Drill", operator="Ada", subject=session_id)
    papers = (f"papers/incident/{incident.incident_id}", f"papers/evidence/{evidence.id}")
    sheets = {"": 4, f"session/{session_id}": 8, "control-center": 5, "alerts": 2, papers[0]: 3, papers[1]: 2}
    served = Dashboard(workspace.home)
    try:
        for path, most in sheets.items():
            for theme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 688, "height": 980}, color_scheme=theme)
                page.goto(served.url + path)
                page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
                page.emulate_media(media="print", color_scheme=theme)
                broken = page.locator("main").evaluate(BROKEN)
                assert [word for word in broken if len(word) != 64] == [], path  # but hashes
                assert page.evaluate(PALE) == [], path
                assert 1 <= page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") <= most, path
                page.close()
    finally:
        served.stop()


@pytest.mark.browser
def test_the_chart_of_a_cover_reads_out_where_the_pointer_is(
    browser: Browser, workspace: Workspace, run_shadow, tmp_path: Path
) -> None:
    run_shadow(seed=5, steps=300)
    (tmp_path / "status.html").write_text(status_report(workspace, "html"))
    (tmp_path / "notebook.html").write_text(
        to_html(nbformat.read(REPO / "notebooks" / "reports" / "session_report.ipynb", 4))
    )
    for name in ("status", "notebook"):
        page, said = browser.new_page(), []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("request", lambda request, said=said: request.url.startswith("http") and said.append(request.url))
        page.goto((tmp_path / f"{name}.html").as_uri())
        box = page.locator(".pt-read svg.plane").bounding_box()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50)
        last = page.locator(".pt-at").inner_text()
        assert last.endswith("EUR")
        page.locator(".pt-read").press("Home")
        first = page.locator(".pt-at").inner_text()
        page.locator(".pt-read").press("End")
        assert first < last <= page.locator(".pt-at").inner_text()  # they begin with the time
        assert said == []
        page.close()


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
