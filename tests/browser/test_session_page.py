"""The lists of a session's page and the papers, as a person uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import Watched
from playwright.sync_api import Browser, expect
from serving import HOSTILE, Dashboard, new_workspace

from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with one session that traded, an incident about it, and a report that would run a script."""
    made = new_workspace(tmp_path_factory.mktemp("lists") / "home")
    record = run_session(plan_session(made, strategy="rsi_reversion", seed=3, steps=4000), Desk.of(made))
    IncidentBook.of(made).open(
        "other", HOSTILE, subject=record.session_id, severity="low", by="ada", role="operator", evidence="seen"
    )
    folder = made.reports / "sessions"
    folder.mkdir(parents=True)
    (folder / "session_report_20260105T080000.html").write_text(
        f"<title>✓ pass · one day · Session report · peaktrade</title><h1>{record.session_id}</h1>{HOSTILE}"
    )
    return made


@pytest.fixture(scope="module")
def shown(workspace: Workspace) -> Iterator[Dashboard]:
    """Return a dashboard over it."""
    running = Dashboard(workspace.home)
    yield running
    running.stop()


@pytest.fixture
def session_id(workspace: Workspace) -> str:
    """Return the session's id."""
    return IncidentBook.of(workspace).rows()[0].subject


def test_trades_are_sorted_and_turned_over_by_clicks(watched: Watched, shown: Dashboard, session_id: str) -> None:
    page = watched.open(f"{shown.url}session/{session_id}")
    table = page.locator("[data-panel=session_trades]")
    before = table.locator("tbody tr").first.inner_text()
    table.get_by_role("link", name="PnL EUR").click()
    expect(table.locator("th[aria-sort=descending]")).to_contain_text("PnL")
    table.get_by_role("link", name="next").click()
    expect(table.get_by_role("link", name="previous")).to_be_visible()
    assert table.locator("tbody tr").first.inner_text() != before
    assert "trades_sort=-pnl" in page.url
    assert [one for one in watched.complaints if not one.startswith("info: Autofocus")] == []


def test_events_are_chosen_by_kind(watched: Watched, shown: Dashboard, session_id: str) -> None:
    page = watched.open(f"{shown.url}session/{session_id}")
    events = page.locator("[data-panel=session_events]")
    events.get_by_role("link", name="fill").click()
    expect(events.locator("[aria-current=true]")).to_contain_text("fill")
    assert set(events.locator("tbody th").all_inner_texts()) == {"fill"}
    events.get_by_role("link", name="older").click()
    expect(events.get_by_role("link", name="newer")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(browser: Browser, shown: Dashboard, session_id: str, width: int, scheme: str) -> None:
    watched = Watched(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in (f"session/{session_id}", "papers"):
        page = watched.open(f"{shown.url}{path}")
        expect(page.locator(".card.failed")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.complaints == []
    watched.context.close()


def test_papers_open_without_running_anything_and_lead_back(
    watched: Watched, shown: Dashboard, session_id: str
) -> None:
    page = watched.open(f"{shown.url}papers?about={session_id}")
    page.get_by_role("link", name="Session report · one day", exact=True).click()
    expect(page.get_by_role("heading", name=session_id)).to_be_visible()
    page.wait_for_timeout(300)
    assert page.title() == "✓ pass · one day · Session report · peaktrade"
    assert page.evaluate("document.querySelectorAll('script').length") == 1  # it is there, and it did not run
    assert page.evaluate("window.stolen") is None
    page.goto(f"{shown.url}papers?kind=incident")
    page.locator(".row-link").first.click()
    page.get_by_role("link", name=session_id).first.click()
    expect(page.locator("[data-panel=session]")).to_be_visible()
