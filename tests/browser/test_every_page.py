"""Every page at each width, in light and dark, in English and German: nothing cut, no id broken, no error, nobody else asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from browsing import Watched
from pictures import try_days
from playwright.sync_api import Browser, Page, expect
from serving import Dashboard, make_history, new_workspace

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views

pytestmark = pytest.mark.browser
WIDTHS = (390, 1280, 1920)
PAGES = (
    "", "sessions", "alerts", "activity", "control-center", "system", "papers", "ledger", "research",
    "lab", "wall", "session/{id}", "run/{id}", "requests/{request}", "research/{sweep}",
)  # fmt: skip
LABS = ("compare", "limits", "parameters", "candles", "sweep")
LINE = "main .lab-card:not(.still)"
WAIT_MS = 90_000  # the first time ever a strategy is compiled
# What is folded away is read, too; menus that lie over the page stay shut.
UNFOLD = "() => document.querySelectorAll('main details:not(.pick)').forEach(one => { one.open = true; })"
# Text that is cut: its box hides what does not fit, and nothing says so (dots, a bar to scroll, a title, a clamp).
CUT = """() => [...document.querySelectorAll('main *, header *')].filter(e => {
  const s = getComputedStyle(e);
  if (!e.innerText?.trim() || e.closest('.unseen, .skip, svg, .js-plotly-plot, dialog, thead') || !e.offsetParent) return false;
  if (s.clipPath !== 'none') return false; // for who hears the page
  if (s.overflowX === 'visible' || ['auto', 'scroll'].includes(s.overflowX)) return false;
  if (e.tagName === 'SELECT' || s.textOverflow === 'ellipsis' || s.webkitLineClamp !== 'none') return false;
  return e.scrollWidth > e.clientWidth + 1;
}).map(e => e.outerHTML.slice(0, 200))"""
# Text of two neighbours on top of each other, among what a form has side by side or below one another.
OVERLAP = """() => { const boxes = [...document.querySelectorAll('main .widget-label, main .widget-readout, main dt, main dd')]
  .filter(e => e.offsetParent && e.innerText.trim()).map(e => { const r = document.createRange(); r.selectNodeContents(e);
    return [e, r.getBoundingClientRect()]; });
  const found = [];
  for (const [i, [a, p]] of boxes.entries()) for (const [b, q] of boxes.slice(i + 1)) {
    if (a.contains(b) || b.contains(a)) continue;
    if (Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 3)
      found.push(a.innerText + ' | ' + b.innerText);
  } return found; }"""
ROOM = """const room = e => { const box = e.closest('p, li, td, th, dd, pre, div, section'), s = getComputedStyle(box);
  return box.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight); };"""
# An id that stands on more than one line, where its line had the room for it.
SPLIT = (
    f"() => {{ {ROOM}"
    + """ const id = /(?:shadow|testnet)_\\d{8}_\\d{6}_[0-9a-f]{6}|(?:INC|DRILL|EV)-\\d{8}-[A-Z0-9-]+/g;
  const found = [];
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) for (const match of node.data.matchAll(id)) {
    const r = document.createRange(); r.setStart(node, match.index); r.setEnd(node, match.index + match[0].length);
    const lines = new Set([...r.getClientRects()].filter(box => box.width > 1).map(box => Math.round(box.top)));
    const width = [...r.getClientRects()].reduce((sum, box) => sum + box.width, 0);
    if (lines.size > 1 && room(node.parentElement) > width + 8)
      found.push(match[0] + ' in ' + node.parentElement.parentElement.outerHTML.slice(0, 300));
  } return found; }"""
)

# A command in which an option stands on another line than its value, or a name of its own is broken, where there was room.
PARTED = (
    f"() => {{ {ROOM}"
    + """ const part = /--?[A-Za-z][\\w-]* (?!-)[^\\s=]+|[A-Z]+-[\\w-]+/g, found = [];
  for (const code of document.querySelectorAll('main code')) {
    const walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT), nodes = [];
    for (let node; (node = walk.nextNode());) nodes.push([node, nodes.length ? nodes.at(-1)[2] : 0,
      (nodes.length ? nodes.at(-1)[2] : 0) + node.data.length]);
    const at = place => { const [node, begin] = nodes.find(([, , end]) => place <= end); return [node, place - begin]; };
    for (const match of code.textContent.matchAll(part)) {
      const r = document.createRange(); r.setStart(...at(match.index)); r.setEnd(...at(match.index + match[0].length));
      const boxes = [...r.getClientRects()].filter(box => box.width > 1);
      const width = boxes.reduce((sum, box) => sum + box.width, 0);
      if (new Set(boxes.map(box => Math.round(box.top))).size > 1 && room(code) > width + 8)
        found.push(match[0] + ' in ' + code.textContent);
    }
  } return found; }"""
)
# A figure whose unit stands on the next line.
TORN = """() => { const figure = /\\d[ \\u00a0](?:[dhm][ \\u00a0]\\d+[ \\u00a0][hms]|ms|[smhd%]|bps|[A-Z]{3,5})(?![\\w/-])/g;
  const found = [];
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) for (const match of node.data.matchAll(figure)) {
    if (node.parentElement.closest('code, pre, option, script, .js-plotly-plot')) continue;
    const r = document.createRange(); r.setStart(node, match.index); r.setEnd(node, match.index + match[0].length);
    if (new Set([...r.getClientRects()].filter(box => box.width > 1).map(box => Math.round(box.top))).size > 1)
      found.push(match[0] + ' in ' + node.data.slice(0, 200));
  } return found; }"""


class Spoken(NamedTuple):
    """A dashboard that speaks a language, over sessions of every kind, open alerts, a request and a sweep, and their ids."""

    dashboard: Dashboard
    ids: dict[str, str]


@pytest.fixture(scope="module", params=["en", "de"])
def spoken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoken]:
    workspace = new_workspace(tmp_path_factory.mktemp(f"every_{request.param}") / "home")
    said = workspace.config_path.read_text().replace('language = "en"', f'language = "{request.param}"')
    assert f'language = "{request.param}"' in said
    workspace.config_path.write_text(said)
    make_history(workspace)
    session_id = Views.of(workspace).rows(Query(status="completed", limit=1))[0].run_id
    now = datetime.now(UTC)
    raised = [
        Raised(at=now, alert_id=f"A{n}0000000000{n}", rule_id=rule, key=str(n), severity=severity, run_id=session_id,
               message=f"{session_id} did what nobody wants it to do again", owner="operator on shift", runbook="8")
        for n, (rule, severity) in enumerate([("drawdown", "critical"), *[("stale-feed", "warning")] * 6])
    ]  # fmt: skip
    Alerts.of(workspace).log.append(lambda _: list(raised))
    book = EvidenceBook.of(workspace)
    for name in ("control_center_daily", "incident_failed_session"):
        book.begin(name, name.replace("_", " "), operator="Ada", subject=session_id)
    asked = Approvals.of(workspace).ask(
        "live", "live trading", "a" * 64, by="Ada", reason="10.3 % of 1,000.00 EUR in 6 m 28 s"
    )
    running = Dashboard(workspace.home, refresh=1)
    yield Spoken(running, {"id": session_id, "request": asked.id, "sweep": try_days(workspace)})
    running.stop()


def faults(page: Page, width: int) -> list[str]:
    """Return what a person would see wrong on a page as it stands."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    found = [f"{wide} px wide"] if wide > width else []
    for name, look in (("cut", CUT), ("overlap", OVERLAP), ("split", SPLIT), ("parted", PARTED), ("torn", TORN)):
        found += [f"{name}: {one}" for one in page.evaluate(look)[:3]]
    return found


def wrong(watched: Watched, url: str) -> list[str]:
    """Return complaints of the console, and addresses of others; Voila's words about its libraries' versions are passed over."""
    harmless = ("nsatisfied version", "No satisfying version", "Available versions", "debug: Starting WebSocket")
    foreign = [one for one in watched.requests if not one.startswith((url, "blob:", "data:"))]
    return foreign + [text for text in watched.complaints if not any(word in text for word in harmless)]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_at_every_width_in_light_and_dark(browser: Browser, spoken: Spoken, path: str) -> None:
    dashboard, ids = spoken
    for scheme in ("light", "dark"):
        watched = Watched(browser, color_scheme=scheme)
        page = watched.open(dashboard.url + path.format(**ids))
        page.evaluate(UNFOLD)
        found = []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1080})
            page.wait_for_timeout(50)
            found += [f"{width} px, {scheme}: {one}" for one in faults(page, width)]
        assert found + wrong(watched, dashboard.url) == []
        watched.context.close()


@pytest.mark.usefixtures("confined_kernels")
@pytest.mark.parametrize("lab", LABS)
def test_a_lab_at_every_width_in_light_and_dark(browser: Browser, spoken: Spoken, lab: str) -> None:
    dashboard, ids = spoken
    for scheme in ("light", "dark"):
        watched = Watched(browser, color_scheme=scheme)
        page = watched.page
        page.goto(f"{dashboard.url}lab/{lab}?session={ids['id']}", wait_until="commit", timeout=WAIT_MS)
        expect(page.locator(LINE).first).to_be_visible(timeout=WAIT_MS)
        found = []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1080})
            page.wait_for_timeout(400)
            found += [f"{width} px, {scheme}: {one}" for one in faults(page, width)]
        assert found + wrong(watched, dashboard.url) == []
        watched.context.close()
