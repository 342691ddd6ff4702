"""Live-Track as a person sees it: figures, filters, themes, narrow screens, refresh, and a server that dies."""

from __future__ import annotations

import pytest
from browsing import Watched
from playwright.sync_api import Browser, Page, expect
from serving import HOSTILE, Dashboard, make_history

from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

pytestmark = pytest.mark.browser


def test_tile_and_table_show_the_figures_of_the_views(
    watched: Watched, dashboard: Dashboard, history: Workspace
) -> None:
    page = watched.open(dashboard.url)
    rows = Views.of(history).rows()
    latest = next(row for row in rows if row.status == "completed")
    tile = page.locator("[data-panel=snapshot]")
    expect(tile).to_be_visible()
    expect(tile.locator("[data-figure=realized_pnl]")).to_have_text(wording.signed(latest.realized_pnl, "EUR"))
    expect(tile.locator("[data-figure=max_drawdown]")).to_have_text(wording.percent(latest.max_drawdown))
    expect(tile.locator("[data-figure=num_orders]")).to_have_text(str(latest.num_orders))
    assert page.locator("tr[data-session]").count() == len(rows)
    page.goto(f"{dashboard.url}sessions")
    for row in (row for row in rows if row.status in ("completed", "aborted")):
        line = page.locator(f"tr[data-session='{row.run_id}']")
        expect(line.locator("[data-figure=total]")).to_have_text(wording.signed(row.total_pnl, "EUR"))
        expect(line.locator("[data-figure=realized]")).to_have_text(wording.signed(row.realized_pnl, "EUR"))
        expect(line.locator("[data-figure=orders]")).to_have_text(str(row.num_orders))


def test_page_has_title_landmarks_and_age(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(dashboard.url)
    expect(page).to_have_title(
        "▲ Live-Track · peaktrade"
    )  # the sign of the unreadable record, once the page's script ran
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Live-Track")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text("Live-Track")
    expect(page.locator("#age")).to_contain_text("UTC ·")
    expect(page.locator("#age")).to_have_attribute("title", "Brought anew every 1 s")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


def test_filter_link_works_and_is_marked(watched: Watched, dashboard: Dashboard, history: Workspace) -> None:
    page = watched.open(f"{dashboard.url}sessions")
    page.get_by_role("link", name="completed 4").click()
    page.wait_for_url("**/sessions?status=completed")
    expect(page.locator("tr[data-session]")).to_have_count(
        Views.of(history).stats(Query(status="completed")).total_sessions
    )
    expect(page.get_by_role("link", name="completed 4")).to_have_attribute("aria-current", "true")
    page.goto(f"{dashboard.url}sessions?status=completed&mode=testnet")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("link", name="Show everything").first.click()
    expect(page.locator("tr[data-session]").first).to_be_visible()


def test_nothing_leaves_the_machine_and_nothing_complains(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}sessions")
    page.get_by_role("link", name="failed 1").click()
    expect(page.locator("tr[data-session]")).to_have_count(1)
    page.wait_for_timeout(2500)
    assert any("/api/panels" in url for url in watched.requests)
    assert [url for url in watched.requests if not url.startswith(dashboard.url)] == []
    assert watched.complaints == []


def test_hostile_text_is_text(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}?status=failed")
    expect(page.locator(".why-text")).to_contain_text(HOSTILE)
    page.wait_for_timeout(1500)
    assert page.evaluate("window.stolen") is None
    assert page.locator("[data-panel] script, [data-panel] img").count() == 0


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 640), (600, 400)])
def test_narrow_screens_do_not_scroll_sideways(browser: Browser, dashboard: Dashboard, width: int, height: int) -> None:
    watched = Watched(browser, viewport={"width": width, "height": height})
    page = watched.open(dashboard.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figure = page.locator("tr[data-session] [data-figure=total]").first.bounding_box()
    assert figure is not None
    assert figure["x"] + figure["width"] <= width
    watched.context.close()


def brightness(page: Page) -> float:
    """Return how bright the page's background is, 0 to 255."""
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")[:3]
    return (red + green + blue) / 3


def test_dark_theme_follows_the_system_and_the_button(browser: Browser, dashboard: Dashboard) -> None:
    watched = Watched(browser, color_scheme="dark")
    page = watched.open(dashboard.url)
    assert brightness(page) < 60
    page.get_by_role("button", name="Switch between light and dark").click()
    assert brightness(page) > 200
    page.reload()
    assert brightness(page) > 200
    watched.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(browser: Browser, dashboard: Dashboard, scheme: str) -> None:
    watched = Watched(browser, color_scheme=scheme)
    page = watched.open(dashboard.url)
    for selector in (
        ".badge.ok",
        ".badge.fail",
        ".badge.abort",
        ".mode-shadow",
        ".mode-testnet",
        ".sub",
        ".age",
        ".pnl",
    ):
        assert page.evaluate(CONTRAST, selector) >= 4.5, selector
    watched.context.close()


CONTRAST = """selector => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = css => {
    paint.fillStyle = css;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let element = document.querySelector(selector), behind = element;
  while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  const [a, b] = [light(rgb(getComputedStyle(element).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


def test_new_session_appears_by_itself(watched: Watched, dashboard: Dashboard, history: Workspace) -> None:
    page = watched.open(f"{dashboard.url}sessions?status=completed")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="shadow 4").focus()
    record = run_session(plan_session(history, seed=99, steps=100, strategy="rsi_reversion"), Desk.of(history))
    expect(page.locator(f"tr[data-session='{record.session_id}']")).to_be_visible(timeout=5000)
    assert page.evaluate("window.same") is True
    expect(page.get_by_role("link", name="shadow 5")).to_be_focused()


def test_hidden_page_pauses(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(dashboard.url)
    page.wait_for_timeout(1200)
    hide = "on => { Object.defineProperty(document, 'hidden', { value: on, configurable: true });"
    page.evaluate(f"{hide} document.dispatchEvent(new Event('visibilitychange')); }}", True)
    expect(page.locator("#age")).to_contain_text("paused")
    before = len(watched.requests)
    page.wait_for_timeout(2500)
    assert len(watched.requests) == before
    with page.expect_request("**/api/panels*"):
        page.evaluate(f"{hide} document.dispatchEvent(new Event('visibilitychange')); }}", False)


def test_dead_server_is_said_loudly_and_stops_clean(browser: Browser, workspace: Workspace) -> None:
    make_history(workspace)
    dashboard = Dashboard(workspace.home, refresh=1)
    watched = Watched(browser)
    page = watched.open(dashboard.url)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert dashboard.stop() == 0
    expect(page.get_by_role("alert")).to_contain_text("The dashboard's server does not answer.")
    expect(page.get_by_role("alert")).to_contain_text("UTC")
    expect(page.locator("[data-panel=snapshot]")).to_be_visible()
    expect(page.locator("#age")).to_have_class("age stale")
    watched.context.close()
