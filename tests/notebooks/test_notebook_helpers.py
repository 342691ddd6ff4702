"""What the helpers show: the right figures, in words, escaped, and something sensible when there is nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import nbformat
import pytest

import peaktrade_core as pt
from peaktrade_core.base.question import Check
from peaktrade_core.desk.readiness import PRE_SESSION
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.notebook import Session
from peaktrade_core.runbooks.notebooks.html import PLOTLY, to_html
from peaktrade_core.runbooks.runbooks import run_runbook
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.limit_use import limits_used
from peaktrade_core.trading.risk import DENY_CODES, Limits

NASTY = "<script>alert('note')</script> & \"quotes\""


@pytest.fixture
def session(workspace):
    """Return a session that made money until its orders became too large."""
    plan = plan_session(workspace, seed=5, steps=900, position_fraction=0.0999, notes=NASTY)
    return Session(workspace, run_session(plan, Desk.of(workspace)))


def test_importing_the_package_costs_nothing():
    code = (
        "import sys, peaktrade_core; print([m for m in ('msgspec', 'numpy', 'plotly', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_every_public_name_is_there_and_no_other():
    assert dir(pt) == sorted(pt.__all__)
    assert all(getattr(pt, name).__doc__ for name in pt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'run_live_session'"):
        pt.run_live_session  # noqa: B018


def test_figures_show_the_session_that_the_record_tells(session):
    metrics = session.record.metrics
    equity = pt.equity_figure(session).values
    assert equity[-1] == pytest.approx(metrics["equity_end"], abs=0.005)
    assert -min(pt.drawdown_figure(session).values) == pytest.approx(100 * metrics["max_drawdown"], abs=1e-4)
    marks = {kind.name: len(kind.marks) for kind in pt.price_figure(session).marks}
    assert marks["buy"] + marks["sell"] == metrics["num_orders"]
    assert marks["denied"] == metrics["orders_blocked_risk"] > 0


def test_figures_say_their_unit_and_can_be_read_aloud(session):
    for figure in (pt.equity_figure(session), pt.drawdown_figure(session), pt.price_figure(session)):
        assert re.search(r"over \d+ bars", figure.label)
        assert re.search(r"\[(EUR|%)\]", figure.heading)


def bar(seq: int, at: datetime, equity: float, qty: float = 0.0, close: float = 100.0) -> ev.BarDone:
    prices = (close, close, close, close, 1.0)
    return ev.BarDone(seq, at, seq, at, *prices, qty, 0.0, equity, 0.0, 0.0, 0, False, 0, 0, 0, 0, True, ())


def test_limits_used_are_the_peaks_and_days_begin_at_midnight_utc():
    one, two = datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    events = [
        ev.Start(0, one, ev.SCHEMA, {"start_balance": 1000.0}),
        ev.Order(1, one, "o1", "open", 5.0, 100.0, 500.0),
        bar(2, one, 960.0, qty=-4.0),
        bar(3, two, 920.0),
        ev.Denial(4, two, "MAX_ORDER_NOTIONAL", 11.0, 100.0, 1100.0, 1000.0),
        ev.Order(5, two, "o2", "close", 20.0, 100.0, 2000.0),
    ]
    limits = Limits(max_order_notional=1000.0, max_symbol_exposure_notional=1000.0, max_daily_loss_abs=40.0)
    limits = limits._replace(max_drawdown_halt_pct=9.0)._asdict()
    used = {use.name: (use.used, use.level) for use in limits_used(events, limits)}
    assert used["max_order_notional"] == (1100.0, "red")  # what was denied counts, closing orders do not
    assert used["max_symbol_exposure_notional"] == (900.0, "yellow")  # 400 held and 500 sent
    assert used["max_daily_loss_abs"] == (40.0, "red")  # 40 each day, not 80; reached is a breach
    assert used["max_drawdown_halt_pct"] == (pytest.approx(8.0), "yellow")
    assert used["max_entries_per_day"] == (1.0, "green")


def test_limits_used_agree_with_the_severity_that_the_session_journalled(workspace):
    for seed in (3, 5, 8):
        record = run_session(
            plan_session(workspace, seed=seed, steps=700, position_fraction=0.0999), Desk.of(workspace)
        )
        session = Session(workspace, record)
        levels = [use.level for use in limits_used(session.events, record.config["risk_limits"])]
        assert max(levels, key=("green", "yellow", "red").index) == record.metrics["risk_status"]


def test_every_deny_code_is_explained():
    assert set(handbook().denial) == {*DENY_CODES, "other"} - {"OK"}


def test_denied_orders_are_shown_with_figures_and_next_step(session):
    text = repr(pt.deny_table(session))
    assert re.search(r"MAX_ORDER_NOTIONAL +\d+ +1,0\d\d\.\d\d of 1,000\.00", text)
    assert "Is the order too large" in text


def test_statistics_name_what_they_rest_on(session):
    text = pt.statistics_table(session)._repr_html_()
    for words in (
        "last equity / start balance",
        "volatility, sharpe, sortino: held back",
        "of the 60 days",
        "of the 365 days",
    ):
        assert words in text
    assert "a year" not in text  # 15 hours are not annualised, with or without a caveat


def test_a_session_that_never_traded_says_so_everywhere(workspace, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + "".join(f"{60_000 * n},1,1,1,1,1\n" for n in range(5)))
    Registry.of(workspace).folder.mkdir(parents=True)
    record = {"session_id": "old_1", "status": "failed", "mode": "paper", "error": "ConnectionError: gone"}
    (Registry.of(workspace).folder / "20260101T000000_live_session_paper_old_1.json").write_text(json.dumps(record))
    session = pt.open_session(workspace, "old_1")
    for helper in (pt.equity_figure, pt.drawdown_figure, pt.price_figure, pt.statistics_table):
        shown = helper(session)
        assert isinstance(shown, Table)
        assert "journal" in repr(shown) or "no bar" in repr(shown) or "is gone" in repr(shown)
    assert "older writer" in repr(pt.risk_use_table(session))
    assert "ConnectionError: gone" in repr(pt.session_summary(session))
    assert "not written" in repr(pt.evidence_table(session))


def test_an_empty_workspace_says_what_to_do_next(workspace):
    assert "none yet" in repr(pt.workspace_state(workspace))
    assert "Start one with the runbook session_run" in pt.sessions_table(workspace)._repr_html_()
    with pytest.raises(peaktrade_error(), match="peaktrade session run"):
        pt.open_session(workspace)


def peaktrade_error() -> type[Exception]:
    from peaktrade_core.base.errors import SessionNotFoundError

    return SessionNotFoundError


def test_readiness_sees_a_halt_a_failure_and_a_broken_configuration(workspace, configure):
    assert "Result: ✓ pass" in repr(check_table(workspace.ask(PRE_SESSION)))
    TradingStates.of(workspace).set("global", "HALTED", by="anna", reason="drill", now=workspace.clock.now())
    shown = repr(check_table(workspace.ask(PRE_SESSION)))
    assert "global HALTED by anna: drill" in shown
    assert "Result: ✕ fail, 1 of 7" in shown
    configure("position_fraction = 0.05", "position_fraction = 5")
    assert "position_fraction = 5" in check_table(pt.open_workspace(workspace.home).ask(PRE_SESSION))._repr_html_()


def test_a_checklist_shows_status_in_word_and_sign_and_the_next_step():
    checks = [
        Check(id="a", question="Is it whole?", status="pass", evidence="yes"),
        Check(id="b", question="Is it <small>?", status="warn", evidence="no", next_step="Run `peaktrade doctor`."),
    ]
    table = check_table(checks)
    page = table._repr_html_()
    assert "✓ pass" in page
    assert "▲ warn" in page
    assert "Is it &lt;small&gt;?" in page
    assert "<code>peaktrade doctor</code>" in page
    assert "Result: ▲ warn, 1 of 2 answers needs attention" in repr(table)


def test_tables_escape_every_text():
    table = Table(NASTY, (NASTY, "b"), [(NASTY, Cell(NASTY, "bad", href='x" onclick="y'))], note=NASTY)
    page = table._repr_html_()
    assert "<script" not in page
    assert 'onclick="y' not in page
    assert "<script" not in Table("t", ("a",), [], empty=NASTY)._repr_html_()


def test_a_verdict_keeps_to_one_line_and_a_sentence_folds():
    long = "HALTED by session shadow_20260105_063000_acb8bc: the venue refused our key"
    for table in (Table("t", ("a",), [(Cell(long, "bad"),)]), Table("t", ("a",), [(1,)], note=Cell(long, "bad"))):
        page = table._repr_html_()
        assert "nowrap" not in page.split(long)[0].rpartition("<span")[2]
    assert "nowrap" in Table("t", ("a",), [(Cell("✕ FAIL", "bad"),)])._repr_html_()


def test_dates_and_ids_fold_at_no_hyphen_and_paths_in_commands_stay_whole():
    page = Table(
        "t", ("a",), [("DRILL-20260105-01 on 2026-01-05",), (Cell("`A=reports/x_y`", code=True),)]
    )._repr_html_()
    assert page.count('<span style="white-space:nowrap">') == 2
    assert re.sub("<wbr>", "", page).count("<code>A=reports/x_y</code>") == 1


def test_a_title_is_not_folded_to_the_width_of_an_empty_table():
    page = Table("What else happened in this session", ("a",), [], empty="Nothing.")._repr_html_()
    assert re.search(r"<caption[^>]*><span[^>]*nowrap[^>]*>What else", page)
    assert re.search(r"<caption[^>]*><span[^>]*max-content[^>]*>Long", Table("Long " * 20, (), [])._repr_html_())


def test_a_note_with_markup_is_text_in_notebook_and_page(session, workspace):
    outcome = run_runbook("session_report", {"session_id": session.id}, workspace)
    assert outcome.status == "completed"
    shown = [
        "".join(output.data.get("text/html", ""))
        for cell in nbformat.read(outcome.notebook, 4).cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert any("&lt;script&gt;alert" in text for text in shown)
    assert not any("<script" in text for text in shown)
    page = outcome.html.read_text()
    assert "&lt;script&gt;alert('note')&lt;/script&gt;" in page
    assert "<script>alert" not in page


def page_of(*bundles: dict[str, object]) -> str:
    title = nbformat.v4.new_markdown_cell("# Title <b>\n\n[next](../runbooks/x.ipynb) [docs](https://example.org/x)")
    outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in bundles]
    return to_html(nbformat.v4.new_notebook(cells=[title, nbformat.v4.new_code_cell("1", outputs=outputs)]))


def test_the_page_carries_what_it_needs_and_lets_nothing_else_run(session):
    page = page_of(pt.equity_figure(session)._repr_mimebundle_(), pt.price_figure(session)._repr_mimebundle_())
    assert not re.search(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="http', page)
    policy = re.search(r'content="(default-src[^"]+)" http-equiv="Content-Security-Policy"', page)[1]
    assert policy.startswith("default-src 'none';")
    assert "script-src 'none'" in policy
    assert "<script" not in page
    assert re.search(r'<svg aria-label="Equity over 900 bars: from [^"]+" class="plane"', page)
    assert "<title>Title &lt;b&gt;" in page
    assert "x.ipynb" not in page
    assert 'href="https://example.org/x"' in page
    assert len(page) < 120_000


def test_a_figure_that_only_plotly_can_draw_brings_plotly_once(session):
    import plotly.graph_objects as go

    figure = go.Figure(go.Bar(x=[1], y=[2]), layout={"meta": {"label": "Two bars"}})
    bars = {PLOTLY: json.loads(figure.to_json())}
    page = page_of(pt.equity_figure(session)._repr_mimebundle_(), bars, bars)
    assert page.count("plotly.js v") == 1
    policy = re.search(r'content="(default-src[^"]+)" http-equiv="Content-Security-Policy"', page)[1]
    assert policy.count("'sha256-") == 2
    assert policy.count("unsafe") == 1  # styles
    assert page.count('<div aria-label="Two bars" class="canvas" role="img">') == 2
    assert page.count('class="plane"') == 1


@pytest.mark.browser
def test_a_browser_draws_the_figures_in_light_and_dark_without_the_network(session, workspace, browser):
    outcome = run_runbook("session_report", {"session_id": session.id}, workspace)
    titles = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 900})
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, said=said: request.url.startswith("http") and said.append(request.url))
        page.goto(outcome.html.as_uri())
        assert page.locator("figure.plot svg.plane path.line").count() >= 3
        box = page.locator("figure.plot svg.plane").first.bounding_box()
        assert box["width"] > 300
        assert box["height"] >= 200
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        titles[scheme] = page.locator(".over text").first.evaluate("e => getComputedStyle(e).fill")
        assert said == []
        page.close()
    assert titles["light"] != titles["dark"]
