"""The pages by hand: two fingers on a chart, a phone's width, the keyboard alone, and the status in every header."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from browsing import Watched, at_rest
from playwright.sync_api import Browser, Page, expect
from serving import Dashboard, new_workspace

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session

MARKS = """() => [...document.querySelectorAll(".plot-price .marks")].map((kind) => {
  const all = [...kind.children], seen = all.filter((mark) => getComputedStyle(mark).display !== "none");
  return {
    all: all.reduce((n, mark) => n + Number(mark.dataset.n), 0),
    told: seen.reduce((n, mark) => n + Number(mark.querySelector(".n").textContent || 1), 0),
    places: seen.map((mark) => mark.querySelector("path").getBoundingClientRect()).map((box) => (box.left + box.right) / 2),
  };
})"""
WIDER = """() => [...document.querySelectorAll(".stacked")]
  .filter((table) => table.scrollWidth > table.parentElement.clientWidth + 1).map((table) => table.textContent.slice(0, 60))"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Return the page of a session that traded a lot, and its id."""
    workspace = new_workspace(tmp_path_factory.mktemp("busy") / "home")
    plan = plan_session(workspace, strategy="ma_crossover", params={"fast": 3, "slow": 9}, seed=5, steps=900)
    session_id = run_session(plan, Desk.of(workspace)).session_id
    told = [
        Raised(at=datetime.now(UTC), alert_id=f"A-{n}", rule_id=f"rule-{n}", key="", severity="warning", run_id=session_id,
               message=f"odd in way {n}", runbook="10")
        for n in (1, 2)
    ]  # fmt: skip
    Alerts.of(workspace).log.append(lambda _: list(told))
    running = Dashboard(workspace.home, refresh=1)
    yield running.url, session_id
    running.stop()


@pytest.fixture
def phone(browser: Browser) -> Iterator[Watched]:
    """Return a phone."""
    watched = Watched(browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield watched
    watched.context.close()


def spread(page: Page) -> None:
    """Spread two fingers on the chart of the price, from its middle."""
    page.locator(".plot-price").scroll_into_view_if_needed()
    box = at_rest(page.locator(".plot-price .plane"))
    wire, middle = page.context.new_cdp_session(page), box["x"] + box["width"] / 2

    def touch(kind: str, *apart: float) -> None:
        points = [{"x": middle + side, "y": box["y"] + 60, "id": n} for n, side in enumerate(apart)]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -20, 20)
    for far in range(30, 120, 10):
        touch("touchMove", -far, far)
    touch("touchEnd")


def test_marks_on_a_phone_never_cover_each_other_and_none_is_lost(phone: Watched, busy: tuple[str, str]) -> None:
    page = phone.open("{}session/{}".format(*busy))
    kinds = page.evaluate(MARKS)
    assert sum(kind["all"] for kind in kinds) > 60
    for kind in kinds:
        assert kind["told"] == kind["all"]
        assert all(right - left >= 15 for left, right in zip(kind["places"], kind["places"][1:], strict=False))
    assert phone.complaints == []


def test_two_fingers_zoom_and_a_double_tap_shows_all(phone: Watched, busy: tuple[str, str]) -> None:
    page = phone.open("{}session/{}".format(*busy))
    bars = page.locator("[data-panel=session_curves] .card-head .sub")
    whole = bars.inner_text()
    spread(page)
    page.wait_for_url("**since=**until=**")
    expect(bars).not_to_have_text(whole)
    plane = page.locator(".plot-price .plane")
    plane.tap(position={"x": 100, "y": 50})
    expect(page.locator(".plot-price .reading")).to_contain_text("UTC ·")
    plane.dblclick(position={"x": 100, "y": 50})
    expect(bars).to_have_text(whole)
    assert phone.complaints == []


def test_a_phone_reads_tables_without_pushing_them_sideways(phone: Watched, busy: tuple[str, str]) -> None:
    url, session_id = busy
    for path in (f"session/{session_id}", f"run/{session_id}", "ledger"):
        page = phone.open(f"{url}{path}")
        expect(page.locator(".stacked").first).to_be_visible()
        assert page.evaluate(WIDER) == [], path


def test_every_header_says_how_everything_stands_and_a_click_says_why(watched: Watched, dashboard: Dashboard) -> None:
    for path in ("", "sessions", "papers", "lab"):
        page = watched.open(f"{dashboard.url}{path}")
        expect(page.locator("#whole")).to_be_visible()
        expect(page.locator("#whole")).to_have_attribute("aria-label", "Status: warn")
    assert " records, 1 unreadable" in str(page.locator("#whole").get_attribute("title"))
    page.locator("#whole").click()
    page.wait_for_url("**/control-center")
    expect(page.locator("[data-panel=control_status]")).to_contain_text("7 records, 1 unreadable")


def test_what_needs_doing_comes_before_what_runs(phone: Watched, dashboard: Dashboard) -> None:
    page = phone.open(dashboard.url)
    panels = page.locator("[data-panel]").evaluate_all("all => all.map((one) => one.dataset.panel)")
    assert panels[:3] == ["status", "todo", "now"]


def test_two_alerts_of_one_run_are_both_there_after_a_refresh(watched: Watched, busy: tuple[str, str]) -> None:
    page = watched.open(busy[0])
    shown = page.locator("[data-panel=todo] li")
    whole = shown.count()
    as_of = page.locator("[data-panel=todo] .of").get_attribute("datetime")
    for _ in range(2):
        expect(page.locator("[data-panel=todo] .of")).not_to_have_attribute("datetime", str(as_of))
        as_of = page.locator("[data-panel=todo] .of").get_attribute("datetime")
    assert shown.count() == whole
    expect(page.locator("[data-panel=todo]")).to_contain_text("odd in way 1")
    expect(page.locator("[data-panel=todo]")).to_contain_text("odd in way 2")


def test_single_keys_work_from_a_ticked_row(watched: Watched, dashboard: Dashboard) -> None:
    page = watched.open(f"{dashboard.url}sessions")
    page.locator("tbody input[type=checkbox]").first.focus()
    page.keyboard.press("j")
    expect(page.locator("a.row-link").first).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("a.row-link").first).to_be_focused()


def test_what_is_moved_in_a_lab_stands_in_its_address_and_outlives_a_reload(
    watched: Watched, busy: tuple[str, str]
) -> None:
    url, session_id = busy
    page = watched.page
    page.goto(f"{url}lab/limits?session={session_id}")
    slider = page.get_by_role("slider").first
    expect(slider).to_be_visible(timeout=60_000)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**?session={session_id}&max_order_notional=*")
    moved = page.locator(".widget-readout").first.inner_text()
    page.reload()
    expect(page.locator(".widget-readout").first).to_have_text(moved)
    expect(page.locator("#banner")).to_be_hidden()
