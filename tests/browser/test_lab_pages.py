"""The labs in a browser: a figure appears, a slider's move changes it and what stands beside it, and nothing leaves here."""

from __future__ import annotations

import time

import psutil
import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from serving import Dashboard

from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("confined_kernels")]
LINE = ".scatterlayer .trace path.js-line"
WAIT_MS = 90_000  # the first time ever a strategy is compiled


def opened(watched: Watched, url: str) -> Page:
    """Open a lab and wait for its first figure."""
    watched.page.goto(url, wait_until="commit", timeout=WAIT_MS)
    expect(watched.page.locator(LINE).first).to_be_attached(timeout=WAIT_MS)
    return watched.page


def waited_for(number: int, page: Page, dashboard: Dashboard, there: set[psutil.Process]) -> list[psutil.Process]:
    """Return the kernels but those that were ``there``, once there are so many; a page that was left ends its own soon."""
    until = time.monotonic() + WAIT_MS / 1000
    while len(found := [one for one in dashboard.kernels() if one not in there]) != number and time.monotonic() < until:
        page.wait_for_timeout(200)
    assert len(found) == number
    return found


def complaints(watched: Watched) -> list[str]:
    """Return what went wrong; that Voila brings older libraries than its extensions know is said, and does no harm."""
    harmless = ("nsatisfied version", "No satisfying version", "Available versions", "debug: Starting WebSocket")
    return [text for text in watched.complaints if not any(word in text for word in harmless)]


def test_a_sliders_move_draws_the_backtest_anew(watched: Watched, dashboard: Dashboard) -> None:
    page = opened(watched, f"{dashboard.url}lab/parameters")
    line, told = page.locator(LINE).first, page.locator(".lab-figures").first
    drawn, said = line.get_attribute("d"), told.inner_text()
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    expect(line).not_to_have_attribute("d", drawn or "", timeout=WAIT_MS)
    expect(told).not_to_have_text(said, timeout=WAIT_MS)
    expect(page.locator(".lab-held-back")).to_contain_text("peaktrade holdout open")
    expect(page.get_by_role("heading", level=1)).to_have_text("Parameters")
    assert page.locator(".still").count() == 0  # the widgets took the place of what the server drew
    assert page.locator("main .lab-card").count() == 4  # what Voila draws is inside the page's main part
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    foreign = [url for url in watched.requests if not url.startswith((dashboard.url, "blob:", "data:"))]
    assert foreign == []
    assert complaints(watched) == []


def test_a_lab_is_seen_where_no_script_runs(browser: Browser, dashboard: Dashboard) -> None:
    watched = Watched(browser, java_script_enabled=False)
    page = watched.page
    page.goto(f"{dashboard.url}lab/parameters", timeout=WAIT_MS)
    expect(page.locator(".still-figure .line").first).to_be_visible()
    expect(page.locator(".still.lab-controls")).to_contain_text("ma_crossover")
    boxes = [figure.bounding_box() for figure in page.locator(".still-figure .plane").all()]
    assert len(boxes) == 2
    assert all(box is not None and box["width"] > 300 and box["height"] > 100 for box in boxes)
    watched.context.close()


@pytest.mark.parametrize("link", ["Try other limits", "Compare"])
def test_a_session_opens_the_labs_that_explain_it(
    watched: Watched, dashboard: Dashboard, history: Workspace, link: str
) -> None:
    session_id = Views.of(history).rows(Query(status="completed", limit=1))[0].run_id
    page = watched.open(f"{dashboard.url}session/{session_id}")
    page.get_by_role("link", name=link, exact=True).click()
    expect(page.locator(LINE).first).to_be_attached(timeout=WAIT_MS)
    picked = page.locator(".lab-controls select").first.evaluate("select => select.value")
    assert session_id.rpartition("_")[2] in picked
    assert complaints(watched) == []


def test_the_kernel_ends_with_the_page_and_an_ended_one_is_said(watched: Watched, dashboard: Dashboard) -> None:
    there = set(
        dashboard.kernels()
    )  # of the test without scripts: nobody ever connects to that one, so it stays two minutes
    page = opened(watched, f"{dashboard.url}lab/parameters")
    (kernel,) = waited_for(1, page, dashboard, there)
    kernel.kill()
    expect(page.locator(".banner-note", has_text="has ended")).to_be_visible(timeout=WAIT_MS)
    opened(watched, f"{dashboard.url}lab/parameters")
    waited_for(1, page, dashboard, there)
    page.goto(dashboard.url)
    waited_for(0, page, dashboard, there)
