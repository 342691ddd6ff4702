"""What the labs compute and draw, without a server: trials, ranges, curves, marks, and what is sent to the browser."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path

import ipywidgets as w
import numpy as np
import pytest
from ipywidgets import Widget
from serving import make_history, new_workspace

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.checks import SeriesVerdict
from peaktrade_core.candles.questions import Candles
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.labs import open_lab, recorded, study
from peaktrade_core.dashboard.labs.bench import card
from peaktrade_core.dashboard.labs.candles import CandlesLab
from peaktrade_core.dashboard.labs.compare import CompareLab
from peaktrade_core.dashboard.labs.heat import Heat
from peaktrade_core.dashboard.labs.limits import LimitsLab
from peaktrade_core.dashboard.labs.parameters import ParametersLab
from peaktrade_core.dashboard.labs.picture import POINTS, DrawnSeries, Picture, cut, together
from peaktrade_core.records.registry import Query
from peaktrade_core.research.divergence_session import load_recorded
from peaktrade_core.research.replay_limits import recorded_limits
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, extremes
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.strategies import all_strategies, get_strategy
from peaktrade_core.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = new_workspace(tmp_path_factory.mktemp("figures") / "home")
    make_history(made)
    bars = [Bar(60.0 * n, 100.0, 101.0, 99.0, 100.0 + math.sin(n * n), 1.0) for n in range(400) if not 100 <= n < 150]
    bars[200] = bars[200]._replace(high=400.0)
    CandleStore.of_workspace(made.home).put(Series("kraken", "BTC/EUR", "1m"), bars)
    return made


@pytest.fixture(autouse=True)
def _no_widgets_left() -> Iterator[None]:
    yield
    Widget.close_all()


def test_extremes_keep_ends_and_every_columns_highest() -> None:
    rng = np.random.default_rng(1)
    for n in (10, 5_000, 99_999):
        values = rng.standard_normal(n).cumsum()
        values[n // 3] = math.nan
        keep = extremes(500, values, -values)
        assert len(keep) <= 600
        assert {0, n - 1, int(np.nanargmax(values)), int(np.nanargmin(values))} <= set(keep.tolist())
        assert (np.diff(keep) > 0).all()


def test_a_long_line_is_thinned_and_comes_in_full_where_one_looks() -> None:
    ts = np.arange(500_000.0)
    values = np.sin(ts / 1e4)
    values[123_456] = 9.0
    whole = cut(DrawnSeries("x", ts, values))
    assert len(whole.values) <= POINTS
    assert max(whole.values) == 9.0
    near = cut(DrawnSeries("x", ts, values), (123_000.0, 123_600.0))
    assert [at.timestamp() for at in near.ts] == list(np.arange(122_999.0, 123_602.0))
    assert cut(DrawnSeries("x", ts, values, breaks=ts[[5, 400_000]]), (100.0, 400_100.0)).breaks == [
        from_seconds(400_000.0)
    ]
    assert list(cut(DrawnSeries("x", ts[:0], values[:0])).values) == []


def test_a_line_of_closes_is_cut_from_opens() -> None:
    ts = np.arange(10_000.0) * 60.0
    late = DrawnSeries("x", ts, ts, breaks=ts[[5, 7000]] + 60.0, late=60.0)
    for window in (None, (6000.0, 9000.0)):
        assert cut(late, window) == cut(DrawnSeries("x", ts + 60.0, ts, breaks=late.breaks), window)


def test_zooming_one_picture_brings_detail_to_all_and_double_click_brings_the_whole_back() -> None:
    ts = np.arange(100_000.0) * 60.0
    one, two = Picture(), Picture()
    together(one, two)
    for picture in (one, two):
        picture.show(Chart(name="x", lines=()), [DrawnSeries("x", ts, ts)])
    before = len(one.widget.data[0].x)
    one.widget.plotly_relayout({"xaxis.range": ["1970-01-02 00:00:00", "1970-01-02 02:00:00.5"]})
    assert [len(picture.widget.data[0].x) for picture in (one, two)] == [123, 123]
    assert one.widget.data[0].x[1] == "1970-01-02 00:00:00"
    one.widget.plotly_relayout({"xaxis.autorange": True})
    assert [len(picture.widget.data[0].x) for picture in (one, two)] == [before, before]


def test_a_page_that_connects_later_is_told_the_figure_as_it_is() -> None:
    picture = Picture()
    picture.show(Chart(name="x", title="T", lines=()), [DrawnSeries("x", np.arange(5.0), np.arange(5.0))])
    state = picture.widget.get_state()
    assert len(state["_widget_data"][0]["x"]) == 5
    assert state["_widget_layout"]["title"]["text"] == "T"
    assert len(state["_esm"]) < 300  # the script itself comes from the server, once


@pytest.mark.parametrize("strategy", all_strategies(), ids=lambda strategy: strategy.name)
def test_every_parameter_has_a_range_around_its_default_that_the_strategy_takes(strategy) -> None:  # type: ignore[no-untyped-def]
    for name, default in strategy.params()._asdict().items():
        low, high, step = study.range_of(strategy, name)
        assert low <= default <= high
        assert step > 0
        assert high > low
        assert type(low) is type(default)
        other = {n: type(v)(5 * v) for n, v in strategy.params()._asdict().items() if n != name}
        bases = (strategy.params(), strategy.params()._replace(**other))
        assert any(not strategy.check(base._replace(**{name: high})) for base in bases)


def held_at(workspace: Workspace, series: Series, opened: int = 0) -> float:
    """Have research begin the hold-out of a stored series, and open it; return where it begins [s since epoch]."""
    hold = HoldOut(workspace)
    split = hold.readable(CandleStore.of_workspace(workspace.home).read(series), series.symbol, series.timeframe)
    for _ in range(opened):
        hold.open("sw_0#0", series.symbol, series.timeframe, by="A", reason="test")
    assert split.since is not None
    return split.since.timestamp()


def test_what_research_holds_back_is_never_run_in_the_lab_nor_written(workspace: Workspace) -> None:
    text, stored = study.markets(workspace)[1]
    assert stored is not None
    lab = ParametersLab(workspace, f"market={text}")
    assert HoldOut(workspace).status() == []  # a look at a lab is not research's first use
    assert lab.said.value == ""
    assert lab.trial is not None
    before = study.market_data(lab.workspace, stored)
    since = held_at(workspace, stored, opened=2)
    assert before.since is not None
    assert before.since.timestamp() == since  # as the first use sets it
    lab = ParametersLab(Workspace(workspace.home), f"market={text}")
    assert lab.trial is not None
    assert since == lab.trial.closes[-1]
    lab.period.value = (0.2, 1.0)
    assert since == lab.trial.closes[-1]
    HoldOut(workspace).open("sw_0#1", stored.symbol, stored.timeframe, by="A", reason="meanwhile")
    lab.period.value = (0.1, 1.0)  # a page that is open learns of it
    told = lab.held_back.children[1].value
    assert wording.tied(f"{study.market_data(lab.workspace, stored).held:,} bars") in told
    assert "opened before, 3 times" in told
    assert "<code>peaktrade holdout open SWEEP#TRIAL" in told
    assert "not counted" in told


def test_a_broken_log_of_the_hold_out_shows_nothing_of_the_market(workspace: Workspace, tmp_path: Path) -> None:
    other = new_workspace(tmp_path / "home")
    stored = study.markets(workspace)[1][1]
    assert stored is not None
    bars = CandleStore.of_workspace(workspace.home).read(stored)
    CandleStore.of_workspace(other.home).put(
        stored, [Bar(ts, *row) for ts, row in zip(bars.ts, bars.ohlcv, strict=True)]
    )
    held_at(other, stored)
    HoldOut(other).chain.path.write_text("torn\n")
    lab = ParametersLab(other, f"market={stored}")
    assert lab.trial is None
    assert "ledger.jsonl" in lab.said.value


def test_figures_of_a_trial_are_those_of_its_metrics(workspace: Workspace) -> None:
    data, cache = study.market_data(workspace, None), workspace.compiled
    choice = study.Choice("ma_crossover", {"fast": 5}, (0.0, 0.2))
    trial, result = (run(workspace, data, choice, cache=cache) for run in (study.try_out, study.backtest))
    found, metrics = study.outcome(trial), result.metrics
    assert found.drawdown == pytest.approx(metrics.max_drawdown)
    assert found.fees == pytest.approx(metrics.fees)
    assert trial.closes[-1] == data.bars.ts[int(0.2 * len(data.bars))]
    assert found.fills == len(result.fills)
    assert found.pnl == pytest.approx(result.equity[-1] / 10_000.0 - 1.0)
    assert not data.real


@pytest.mark.parametrize(
    ("choice", "error", "says"),
    [
        (study.Choice("ma_crossover", {"fast": 50, "slow": 20}), ConfigError, "need 1 <= fast < slow"),
        (study.Choice("ma_crossover", {}, fee_bps=-1.0), ConfigError, "fee_bps"),
        (study.Choice("ma_crossover", {}, (0.5, 0.5)), DataError, "choose a longer one"),
    ],
)
def test_a_choice_that_cannot_be_run_says_why(
    workspace: Workspace, choice: study.Choice, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        study.try_out(workspace, study.market_data(workspace, None), choice, cache=None)


def test_a_move_in_the_lab_of_parameters_draws_anew(workspace: Workspace) -> None:
    lab = ParametersLab(workspace, "strategy=ma_crossover")
    (fast, _) = lab.params.children
    before, told = list(lab.equity.widget.data[0].y), lab.figures.children[0].value
    fast.value = 7
    assert lab.trial is not None
    assert lab.trial.decision.params.fast == 7
    assert list(lab.equity.widget.data[0].y) != before
    assert lab.figures.children[0].value != told
    assert "made up" in lab.held_back.children[1].value
    fast.value = 200
    assert "need 1 &lt;= fast &lt; slow" in lab.said.value
    fast.value = 9
    assert lab.said.value == ""
    lab.strategy.value = "rsi_reversion"
    assert {slider.description for slider in lab.params.children} == set(
        get_strategy("rsi_reversion").params()._asdict()
    )


def test_tighter_limits_deny_and_the_recorded_ones_repeat_the_session(workspace: Workspace) -> None:
    session_id = next(run.run_id for run in Views.of(workspace).rows() if run.strategy == "ma_crossover" and run.final)
    lab = LimitsLab(workspace, f"session={session_id}")
    assert lab.said.value == ""
    assert lab.tried is not None
    assert lab.tried.found.first is None
    assert (lab.tried.recorded.equity == lab.tried.replayed.equity).all()
    lab.sliders["max_order_notional"].value = 10.0
    assert lab.tried.found.blocked
    assert {mark.text.partition(":")[0] for mark in lab.tried.now} == {"MAX_ORDER_NOTIONAL"}
    assert lab.tried.found.replayed.orders_executed == 0
    assert lab.equity.widget.data[3].name == "denied, under these limits"
    assert len(lab.equity.widget.data[3].x) == len(lab.tried.now)
    lab.back.click()
    assert lab.tried.found.first is None
    lab.sliders["max_order_notional"].value = 0.0
    assert "max_order_notional" in lab.said.value


def test_two_sessions_lie_over_each_other_with_the_causes_of_their_difference(workspace: Workspace) -> None:
    one, other = (
        run.run_id
        for run in Views.of(workspace).rows()
        if run.final
        and run.strategy in ("ma_crossover", "rsi_reversion")
        and run.mode == "shadow"
        and run.status == "completed"
    )
    lab = CompareLab(workspace, f"session={one}&with={other}")
    assert lab.said.value == ""
    assert lab.found is not None
    assert sum(part.amount for part in lab.found.parts) == lab.found.whole
    lines = lab.picture.widget.data
    assert [line.name for line in lines[:2]] == [wording.short_id(one), wording.short_id(other)]
    assert list(lines[0].x[:3]) == [1.0, 2.0, 3.0]
    end = load_recorded(workspace, one)
    assert lines[0].y[-1] == pytest.approx(float(end.pnl), abs=0.01)
    assert "strategy_name" in lab.settings.children[1].value
    apart = lab.found.first
    assert apart is not None
    assert escape(apart.told) in lab._first.value
    for name, mine, theirs in apart.differing:
        assert mine != theirs
        assert all(text in lab._first.value for text in (name, mine, theirs))
    lab.axis.value = False
    assert str(lines[0].x[0]).startswith("2026-01-01")
    lab.right.value = ""
    assert lab.found.against == "the backtest of its bars"
    assert lab.found.first is None


def test_settings_and_figures_beside_each_other(workspace: Workspace) -> None:
    session = load_recorded(workspace, "latest")
    assert recorded.settings_that_differ(session.config, session.config) == []
    limits = recorded_limits(session.config)._replace(max_order_notional=1.0)
    tried = recorded.try_limits(session, limits, lambda denial: denial.code)
    (money, *_) = recorded.figures_beside(tried.found.recorded, tried.found.replayed, "EUR", (1e4, 1e4))
    assert money[0] == "Total PnL"


def test_gaps_outliers_and_verdict_of_stored_candles(workspace: Workspace) -> None:
    lab = CandlesLab(workspace, "symbol=BTC/EUR")
    assert lab.verdict is None
    assert lab.price.drawn.lines[0].values  # the curve does not wait for the verdict
    lab.judge()
    assert lab.verdict is not None
    assert lab.verdict.missing == 50
    (gap,) = lab.price.drawn.spans
    assert (gap.first.timestamp(), gap.last.timestamp()) == (6000.0, 9000.0)
    outliers, disagreeing = lab.price.drawn.marks
    assert [mark.ts.timestamp() for mark in outliers.marks] == [60.0 * 251]
    assert not disagreeing.marks
    assert None in lab.price.widget.data[0].y  # the line does not cross the gap
    lab.deviations.value = 100
    assert lab.said.value == ""


def test_a_verdict_comes_beside_what_a_kernel_does(workspace: Workspace) -> None:
    async def in_a_kernel() -> CandlesLab:
        lab = CandlesLab(workspace, "symbol=BTC/EUR")
        lab.judge()
        assert lab.verdict is None
        assert "Checking every bar" in lab.figures._repr_mimebundle_()["text/html"]
        await asyncio.wait_for(lab._judging, 60)
        return lab

    lab = asyncio.run(in_a_kernel())
    assert lab.verdict is not None
    assert len(lab.price.drawn.spans) == 1
    assert lab.said.value == ""


def test_a_verdict_is_drawn_when_its_tables_are_gone_and_what_fails_is_said(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    close = Candles.close

    def noted(candles: Candles) -> None:
        told.append("closed")
        close(candles)

    def failing(lab: CandlesLab, verdict: SeriesVerdict) -> None:
        told.append("shown")
        raise MemoryError("none left")

    async def in_a_kernel() -> str:
        lab = CandlesLab(workspace, "symbol=BTC/EUR")
        lab.judge()
        await asyncio.wait_for(lab._judging, 60)
        return str(lab.said.value)

    monkeypatch.setattr(Candles, "close", noted)
    monkeypatch.setattr(CandlesLab, "_show", failing)
    assert "none left" in asyncio.run(in_a_kernel())
    assert told == ["closed", "shown"]


def test_a_card_is_also_html_with_its_figures_drawn_and_what_its_controls_say(workspace: Workspace) -> None:
    lab = ParametersLab(workspace, "strategy=ma_crossover&p_fast=7")
    shown = lab.controls._repr_mimebundle_()
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.controls.model_id
    html = shown["text/html"]
    assert '<div class="still-control"><span>fast</span><span>7</span></div>' in html
    assert "<span>0% – 100%</span>" in html  # the period, as its slider writes it
    drawn = lab.curves._repr_mimebundle_()["text/html"]
    assert drawn.count('<path class="line" d="M') == 2
    assert 'style="height:340px"' in drawn
    box = card(w.HTML("<i>kept</i>"), w.Text("<b>", description="<i>"), w.Checkbox(True, description="on"), w.Button())
    text = box._repr_mimebundle_()["text/html"]
    assert "<i>kept</i>" in text
    assert "<span>&lt;i&gt;</span><span>&lt;b&gt;</span>" in text
    assert "<span>on</span><span>☑</span>" in text


def test_several_are_picked_one_by_one_and_taken_out_by_a_click(workspace: Workspace) -> None:
    first, second, third, fourth = [row.run_id for row in Views.of(workspace).rows(Query(status="completed"))][:4]
    lab = CompareLab(workspace, f"session={first}&session={second}&session={third}&session=nope")
    assert lab.more.value == (third,)
    offer, chip = lab.more.children
    drawn = len(lab.picture.drawn.lines)
    offer.value = fourth
    assert (lab.more.value, offer.value) == ((third, fourth), None)
    assert len(lab.picture.drawn.lines) == drawn + 1
    offer.value = fourth
    assert lab.more.value == (third, fourth)  # nothing twice
    _, chip, _ = lab.more.children
    chip.click()
    assert lab.more.value == (fourth,)
    assert len(lab.picture.drawn.lines) == drawn
    assert fourth[-6:] in lab.controls._repr_mimebundle_()["text/html"]


def test_a_recorded_curve_begins_with_the_balance_before_its_first_bar(workspace: Workspace) -> None:
    """What the first bar lost is a drawdown, as in the figures beside the curve."""
    run = next(run for run in Views.of(workspace).rows() if run.strategy == "ma_crossover" and run.final)
    session = load_recorded(workspace, run.run_id)
    ends = [bar.done for bar in session.bars][:2]
    curve = recorded.curve_of(ends, 2.0 * ends[0].equity)
    assert curve.drawdown[0] == pytest.approx(0.5)
    limits = recorded_limits(session.config)
    tried = recorded.try_limits(session, limits, lambda denial: denial.code)
    assert float(tried.recorded.drawdown.max()) == tried.found.recorded.max_drawdown


def test_each_compared_curve_begins_at_its_own_balance(tmp_path: Path) -> None:
    made = new_workspace(tmp_path / "home")
    desk = Desk.of(made)
    one, other = (
        run_session(plan_session(made, seed=1, steps=60, start_balance=balance), desk).session_id
        for balance in (10_000.0, 1_000.0)
    )
    lab = CompareLab(made, f"session={one}&with={other}")
    assert lab.said.value == ""
    for trace in lab.picture.widget.data[:2]:
        assert abs(trace.y[0]) < 500.0


def test_labs_of_an_empty_workspace_say_what_is_missing(tmp_path: Path) -> None:
    empty = new_workspace(tmp_path / "home")
    assert "peaktrade session run" in LimitsLab(empty, "").said.value
    assert "peaktrade session run" in CompareLab(empty, "").said.value
    assert "peaktrade exchange fetch" in CandlesLab(empty, "").said.value
    assert ParametersLab(empty, "strategy=nope&market=nope").said.value == ""
    with pytest.raises(ConfigError, match="compare"):
        open_lab("nope")


def test_an_address_presets_the_lab_and_a_session_brings_all_its_settings(workspace: Workspace) -> None:
    lab = ParametersLab(workspace, "strategy=ma_crossover&symbol=BTC/EUR&timeframe=1m&p_fast=7&p_slow=nope&p_other=1")
    assert lab.choice.params == {"fast": 7, "slow": lab.choice.params["slow"]}
    assert lab.market.label == "kraken BTC/EUR 1m"
    session = next(run for run in Views.of(workspace).rows() if run.strategy == "rsi_reversion" and run.final)
    lab = ParametersLab(workspace, f"session={session.run_id}")
    config = Views.of(workspace).record(session.run_id).config
    assert lab.choice.strategy == "rsi_reversion"
    assert lab.choice.params == config["params"]
    assert (lab.choice.fee_bps, lab.choice.position_fraction) == (config["fee_bps"], config["position_fraction"])
    assert lab.said.value == ""
    assert "nope" in ParametersLab(workspace, "session=nope").said.value


def test_each_combination_that_was_tried_on_the_page_is_told_once(workspace: Workspace) -> None:
    lab = ParametersLab(workspace, "strategy=ma_crossover")
    (fast, _) = lab.params.children
    for value in (7, 9, 7, 9):
        fast.value = value
    assert "tried on this page: 3." in lab.held_back.children[1].value


def test_the_figures_of_a_map_are_read_on_each_of_its_colours() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    shown = Heat()
    for signed in (False, True):
        shown.show("", ("a", [1]), ("b", [1]), np.array([[1.0]]), {"a": 1, "b": 1}, None, signed=signed)
        cells = shown.widget.data[0]
        figures = light(cells.textfont.color)
        for _, colour in cells.colorscale:
            brighter, darker = sorted((light(colour), figures), reverse=True)
            assert (brighter + 0.05) / (darker + 0.05) >= 4.5, colour  # WCAG, text of any size


def test_a_legend_comes_with_the_marks_and_takes_the_title_with_it() -> None:
    times = [from_seconds(3600.0 * hour) for hour in range(3)]
    picture = Picture()
    for marks in ([], [Mark(times[1], 2.0, "buy")], []):
        line = Line("close", times, [1.0, 2.0, 3.0])
        picture.show(Chart(name="price", title="Price", lines=[line], marks=[Marks("fills", "up", "green", marks)]))
        layout = picture.widget.layout
        assert layout.showlegend == bool(marks)
        assert (layout.title.text, layout.legend.title.text if marks else None) == (
            ("", "Price") if marks else ("Price", None)
        )
