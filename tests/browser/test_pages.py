"""All pages as a person uses them: opening, reading, sorting out times, charts, keys, a phone, and no script at all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from browsing import Watched, at_rest
from playwright.sync_api import Browser, Page, expect
from serving import HOSTILE, Dashboard, new_workspace

from peaktrade_core.alerts.alerts import Cleared, Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

pytestmark = pytest.mark.browser

PAGES = (
    "",
    "dashboard",
    "alerts",
    "activity",
    "control-center",
    "system",
    "wall",
    "research",
    "session/{id}",
    "run/{id}",
)
HOLD = """() => { const own = window.fetch, held = new Promise(go => { window.letGo = go; });
  window.fetch = async (...asked) => { await held; return own(...asked); }; }"""  # what is asked waits for letGo
CLI = (sys.executable, "-c", "from peaktrade_core.cli import main; main()")


@pytest.fixture(scope="module")
def session_id(history: Workspace) -> str:
    """Return the id of the newest completed session."""
    return Views.of(history).rows(Query(status="completed", limit=1))[0].run_id


@pytest.mark.parametrize("path", PAGES)
def test_page_opens_refreshes_and_stays_on_this_machine(
    watched: Watched, dashboard: Dashboard, session_id: str, path: str
) -> None:
    page = watched.open(dashboard.url + path.format(id=session_id))
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator(".card.failed")).to_have_count(0)
    with page.expect_response(lambda answer: "/api/" in answer.url and answer.ok):  # a page of ended things asks health
        pass
    page.set_viewport_size({"width": 390, "height": 844})
    wide = "[...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > 391).map(e => e.outerHTML)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(wide)[:3]
    assert [url for url in watched.requests if not url.startswith(dashboard.url)] == []
    assert watched.complaints == []


def test_row_opens_its_session_whose_figures_are_those_of_command_line_and_api(
    watched: Watched, dashboard: Dashboard, history: Workspace, session_id: str
) -> None:
    page = watched.open(dashboard.url)
    row = page.locator(f"tr[data-session='{session_id}']")
    box = row.bounding_box()
    assert box is not None
    row.click(position={"x": box["width"] - 20, "y": box["height"] / 2})  # far from the link itself
    page.wait_for_url(f"**/session/{session_id}")
    told = subprocess.run(
        [*CLI, "session", "show", session_id, "--json", "--home", str(history.home)], capture_output=True, check=True
    )
    cli, api = json.loads(told.stdout), json.loads(dashboard.get(f"/api/live_sessions/{session_id}").body)
    pnl = cli["metrics"]["realized_pnl"]
    assert api["realized_pnl"] == pnl
    tile = page.locator("[data-panel=session]")
    expect(tile.locator("[data-figure=realized_pnl]")).to_have_text(wording.signed(pnl, "EUR"))
    expect(tile.locator("[data-figure=equity]")).to_have_text(wording.money(cli["metrics"]["equity_end"], "EUR"))
    expect(tile.locator("[data-figure=num_orders]")).to_have_text(str(api["num_orders"]))


def test_session_full_of_markup_shows_it_as_text(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}session/testnet_20260101_080000_aaaaaa")
    expect(page.locator("[data-panel=session] .note")).to_contain_text(HOSTILE)
    page.wait_for_timeout(300)
    assert page.evaluate("window.stolen") is None
    assert page.locator("[data-panel] script, [data-panel] img").count() == 0
    assert watched.complaints == []


def test_unknown_session_is_a_page_that_says_so(watched: Watched, dashboard: Dashboard) -> None:
    answer = watched.page.goto(f"{dashboard.url}session/nobody")
    assert answer is not None
    assert answer.status == 404
    expect(watched.page.locator("main")).to_contain_text("nobody")


def test_local_time_is_everywhere_and_remembered(browser: Browser, dashboard: Dashboard, session_id: str) -> None:
    watched = Watched(browser, timezone_id="Asia/Kolkata")
    page = watched.open(f"{dashboard.url}session/{session_id}")
    began = page.locator("[data-panel=session] time").last
    utc = began.inner_text()
    tick = page.locator(".x-axis text").nth(1)
    before = tick.text_content()
    page.get_by_role("button", name="UTC").click()
    local = page.evaluate(
        """iso => { const at = new Date(new Date(iso).getTime() + 19800000).toISOString();
        return at.slice(0, 10) + " " + at.slice(11, 19); }""",
        began.get_attribute("datetime"),
    )
    assert utc != local
    expect(began).to_have_text(local)
    expect(page.locator("[data-panel=session] [data-zone]").first).to_have_text("local")
    expect(page.locator("#age")).to_contain_text("local")
    assert tick.text_content() != before
    page.goto(dashboard.url)
    expect(page.get_by_role("button", name="local")).to_be_visible()
    expect(page.locator(f"tr[data-session='{session_id}'] time")).to_have_text(local[:16])
    watched.context.close()


def test_keys_open_pages_filters_rows_and_their_own_list(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}sessions")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".row-link").nth(1)).to_be_focused()
    page.keyboard.press("3")
    page.wait_for_url("**/alerts")
    expect(page.get_by_role("navigation").get_by_role("link", name="Alerts")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Control+1")
    page.wait_for_timeout(100)
    assert page.url.endswith("/alerts")


def test_chart_reads_values_and_zooms_by_mouse_and_keys(
    watched: Watched, dashboard: Dashboard, history: Workspace, session_id: str
) -> None:
    page = watched.open(f"{dashboard.url}session/{session_id}")
    equity = page.locator(".plot-equity")
    curves = Views.of(history).curves(session_id)
    whole = equity.locator(".line").get_attribute("d")

    box = at_rest(equity.locator(".plane"))
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 20)
    expect(equity.locator(".reading")).to_contain_text(f"{curves.equity[-1]:,.2f} EUR")
    expect(page.locator(".plot-price .reading")).to_contain_text(f"{curves.ts[-1]:%Y-%m-%d %H:%M:%S} UTC")
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    assert equity.locator(".line").get_attribute("d") != whole
    page.evaluate(HOLD)
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".plots")).not_to_contain_class("zoomed")
    page.mouse.move(0, 0)  # else focusing may scroll a chart under the pointer, which reads it
    equity.focus()
    page.keyboard.press("ArrowRight")  # before the range is there: it reads the range that was asked for
    page.evaluate("window.letGo()")
    expect(equity.locator(".reading")).to_contain_text(f"{curves.equity[0]:,.2f} EUR")
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()
    assert watched.complaints == []


def test_zoom_brings_the_range_at_full_detail_and_stays_in_the_address(
    watched: Watched, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace = new_workspace(tmp_path_factory.mktemp("zoom") / "home")
    session_id = run_session(plan_session(workspace, seed=3, steps=6000), Desk.of(workspace)).session_id
    dashboard = Dashboard(workspace.home, refresh=1)
    try:
        page = watched.open(f"{dashboard.url}session/{session_id}")
        about = page.locator("[data-panel=session_curves] .card-head .sub")
        whole = about.inner_text()
        plane = page.locator(".plot-equity .plane")
        plane.scroll_into_view_if_needed()
        box = at_rest(plane)
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20, steps=4)
        page.mouse.up()
        expect(about).to_contain_text("of 6,000 bars")
        bars, shown = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+)(?= of| points)", about.inner_text()))
        assert bars == shown == pytest.approx(1200, rel=0.03)  # every one is drawn
        assert "since=" in page.url
        page.reload()
        expect(about).to_contain_text(f"{bars:,} of 6,000 bars")
        expect(page.locator(".plots")).to_contain_class("zoomed")
        page.locator(".plot-equity").focus()
        page.keyboard.press("+")
        expect(about).not_to_contain_text(f"{bars:,} of 6,000 bars")
        page.keyboard.press("0")
        expect(about).to_have_text(whole)
        assert "since=" not in page.url
        page.get_by_label("Range from").fill("2026-01-02T00:00:00")
        page.get_by_label("Range from").press("Enter")
        expect(about).to_contain_text("of 6,000 bars")
        page.get_by_role("button", name="Show all").click()
        expect(about).to_have_text(whole)
        assert page.locator(".plots .reading").count() == page.locator(".plots .plot").count() == 4
        assert watched.complaints == []
    finally:
        dashboard.stop()


def test_script_and_server_draw_the_same_chart(watched: Watched, dashboard: Dashboard, session_id: str) -> None:
    page = watched.open(f"{dashboard.url}session/{session_id}")
    ends = "() => [...document.querySelectorAll('.line')].map(p => p.getAttribute('d').match(/[\\d.]+/g).map(Number))"
    ticks = "() => [...document.querySelectorAll('.y-axis text, .x-axis text')].map(text => text.textContent)"
    served, labels = page.evaluate(ends), page.evaluate(ticks)
    for _ in range(2):  # to local time and back: the script draws everything anew
        page.keyboard.press("z")
    drawn = page.evaluate(ends)
    assert page.evaluate(ticks) == labels
    assert len(labels) > 12
    for ours, theirs in zip(served, drawn, strict=True):
        assert ours == pytest.approx(theirs, abs=0.11)


@pytest.fixture
def running(history: Workspace) -> Iterator[str]:
    """Return the id of a session that runs, ten bars a second."""
    known = {row.run_id for row in Views.of(history).runs()}
    command = [*CLI, "session", "run", "--home", str(history.home), "--pace", "600", "--steps", "5000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        runs = Views.of(history).runs
        yield until(lambda: [row.run_id for row in runs() if row.run_id not in known and (row.step or 0) > 5])[0]
    finally:
        process.terminate()
        process.wait(60)


def test_running_session_refreshes_and_keeps_zoom_scroll_details_and_selection(
    watched: Watched, dashboard: Dashboard, running: str
) -> None:
    page = watched.open(f"{dashboard.url}session/{running}")
    expect(page.locator("[data-panel=session] .badge.run")).to_have_text("● RUN")
    steps = page.locator("[data-panel=session_curves] .card-head .sub")
    before = steps.inner_text()
    page.locator(".plot-price").focus()
    page.keyboard.press("+")
    select = """() => { const cell = [...document.querySelectorAll('.pairs th')].find(c => c.textContent === 'Symbol');
        getSelection().selectAllChildren(cell); scrollTo(0, 600); }"""
    top = "document.querySelector('.plots').getBoundingClientRect().top"
    page.evaluate(select)
    read = page.evaluate(top)
    expect(steps).not_to_have_text(before)
    expect(page.locator(".plots")).to_contain_class("zoomed")
    assert page.evaluate(top) == pytest.approx(
        read, abs=1
    )  # what is read stays where it is, also when a line comes above
    assert page.evaluate("getSelection().toString()").strip() == "Symbol"
    expect(page.locator(".plot-price")).to_be_focused()
    assert watched.complaints == []


def test_open_filter_stays_open_through_refreshes(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}sessions")
    page.locator(".pick summary").first.click()
    for _ in range(2):
        with page.expect_response(lambda answer: "/api/panels" in answer.url):
            pass
    page.wait_for_timeout(100)
    expect(page.locator(".pick").first).to_have_attribute("open", "")
    page.locator(".facets").get_by_role("link", name="rsi_reversion").click()
    page.wait_for_url("**/sessions?strategy=rsi_reversion")


def test_menu_of_columns_closes_and_what_is_chosen_can_be_compared_where_one_is(
    watched: Watched, dashboard: Dashboard
) -> None:
    """In a long list the button lies far below; it comes into sight with the first tick."""
    page = watched.open(f"{dashboard.url}sessions")
    page.set_viewport_size({"width": 1280, "height": 420})
    menu = page.locator("details.pick")
    for leave in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
        menu.locator("summary").click()
        expect(menu).to_have_attribute("open", "")
        leave()
        expect(menu).not_to_have_attribute("open", "")
    ticks, button = page.locator("tbody input[name=session]"), page.locator("#compare button")
    expect(button).not_to_be_in_viewport()
    ticks.nth(0).check()
    expect(button).to_be_disabled()
    ticks.nth(1).check()
    expect(button).to_be_in_viewport()
    chosen = [ticks.nth(number).get_attribute("value") for number in (0, 1)]
    button.click()
    page.wait_for_url("**/lab/compare?*")
    assert page.url.endswith(f"?session={chosen[0]}&session={chosen[1]}")


def test_wall_has_no_navigation_and_does_not_grow(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}wall")
    expect(page.get_by_role("navigation")).to_have_count(0)

    def size() -> int:
        return int(page.evaluate("document.querySelectorAll('*').length"))

    before = size()
    for _ in range(4):
        with page.expect_response(lambda answer: "/api/panels" in answer.url):
            pass
    assert size() == before
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.tile p, .sides th')].map(fontOf))".replace(
            "fontOf", "e => parseFloat(getComputedStyle(e).fontSize)"
        )
    )
    assert smallest >= 18


@pytest.fixture
def crowded(history: Workspace) -> Iterator[None]:
    """Let there be more halts and more causes of alerts than fit the wall."""
    now, halted = (
        datetime.now(UTC),
        [f"shadow.{name}.BTC/EUR" for name in ("ma_crossover", "rsi_reversion", "trend_following")],
    )
    long = "the feed says nothing, and what it said last is older than anybody would like it to be, by far " * 2
    for scope in halted:
        TradingStates.of(history).set(scope, "HALTED", by="ada", reason=f"drill {long}", now=now)
    raised = [
        Raised(at=now, alert_id=f"W-{n}", rule_id=f"rule-{n}", key="", severity="critical", message=long, runbook="10")
        for n in range(7)
    ]
    Alerts.of(history).log.append(lambda _: list(raised))
    yield
    Alerts.of(history).log.append(lambda _: [Cleared(at=now, alert_id=one.alert_id, message="over") for one in raised])
    for scope in halted:
        TradingStates.of(history).set(scope, "ACTIVE", by="ada", reason="over", now=now)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (3840, 2160)])
def test_wall_fits_its_screen_and_shows_everything_in_turn(
    browser: Browser, dashboard: Dashboard, crowded: None, width: int, height: int
) -> None:
    watched = Watched(browser, viewport={"width": width, "height": height})
    page = watched.open(f"{dashboard.url}wall")
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    causes = page.locator(".sides li")
    first = causes.first.get_attribute("data-key")
    expect(causes.first).not_to_have_attribute("data-key", str(first))
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    expect(page).to_have_title(re.compile("^◆ "))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/static/favicon_fail.svg")
    watched.context.close()


def test_pages_are_whole_without_scripts(browser: Browser, dashboard: Dashboard, session_id: str) -> None:
    watched = Watched(browser, java_script_enabled=False)
    page = watched.page
    page.goto(f"{dashboard.url}session/{session_id}")
    expect(page.locator(".plot .line")).to_have_count(4)
    expect(page.locator(".x-axis text").first).to_be_visible()
    assert "Without JavaScript" in page.content()  # Chromium shows it only where scripts are off in its settings
    expect(page.locator("[data-panel=session] time").last).to_contain_text(":")
    page.get_by_role("link", name="All sessions").first.click()
    expect(page.locator("tr[data-session]").first).to_be_visible()
    watched.context.close()


def test_phone_menu_opens_and_closes(browser: Browser, dashboard: Dashboard) -> None:
    watched = Watched(browser, viewport={"width": 390, "height": 844})
    page = watched.open(dashboard.url)
    alerts = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts")
    expect(alerts).to_be_hidden()
    page.get_by_role("button", name="Pages").click()
    expect(alerts).to_be_visible()
    alerts.click()
    page.wait_for_url("**/alerts")
    watched.context.close()


def test_panel_that_fails_says_so_and_the_others_go_on(watched: Watched, dashboard: Dashboard) -> None:
    page: Page = watched.open(f"{dashboard.url}?mode=nonsense")
    expect(page.locator(".card.failed")).to_contain_text("unknown mode")
    expect(page.locator("[data-panel=snapshot]")).to_contain_text("EUR")
    page.get_by_role("link", name="Show everything").click()
    expect(page.locator("tr[data-session]").first).to_be_visible()
