"""Figures of sessions: they say what the journal says, while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from peaktrade_core.runbooks import figures
from peaktrade_core.runbooks.figures import (
    course_figure,
    limit_use_figure,
    running_figure,
    running_table,
    runs_figure,
    sessions_figure,
    watch_in_cell,
)
from peaktrade_core.runbooks.notebook import open_session
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk, Progress
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.drawing import draw
from peaktrade_core.show.plotting import for_plotly
from peaktrade_core.show.table import Table
from peaktrade_core.trading.limit_use import COURSES, limits_used
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]


def marks(chart: Chart) -> dict[str, int]:
    return {kind.name: len(kind.marks) for kind in chart.marks}


def test_the_course_has_every_fill_and_denial_on_its_line(workspace: Workspace, run_shadow: Shadow) -> None:
    run_shadow(seed=5, steps=900, position_fraction=0.0999)
    session = open_session(workspace)
    chart = course_figure(session)
    assert isinstance(chart, Chart)
    bought = sum(fill.qty > 0 for fill in session.fills)
    assert marks(chart) == {
        "buy": bought, "sell": len(session.fills) - bought, "denied": len(session.denials)
    }  # fmt: skip
    assert bought
    assert session.denials
    equity = dict(zip(chart.lines[0].ts, chart.lines[0].values, strict=True))
    assert all(mark.value == equity[mark.ts] for kind in chart.marks for mark in kind.marks if mark.ts in equity)


def test_the_use_of_limits_over_time_ends_in_the_most_that_was_used(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=5, steps=900, position_fraction=0.0999)
    session, limits = open_session(workspace), record.config["risk_limits"]
    chart = limit_use_figure(session)
    assert isinstance(chart, Chart)
    most = {use.name: use.share for use in limits_used(session.events, limits)}
    for line, name in zip(chart.lines, COURSES, strict=True):
        assert len(line.values) == len(session.bars)
        assert max(line.values) == pytest.approx(100.0 * most[name])
    assert marks(chart) == {"denied": len(session.denials)}
    assert all(mark.value >= 100.0 for mark in chart.marks[0].marks)  # each was above its limit
    assert [level.value for level in chart.levels] == [100.0, 80.0]


def test_an_old_record_and_a_session_without_bars_say_so(workspace: Workspace, run_shadow: Shadow) -> None:
    run_shadow(seed=1, steps=20)
    session = open_session(workspace)
    session.record.config.pop("risk_limits")
    told = limit_use_figure(session)
    assert isinstance(told, Table)
    assert "names no limits" in told.empty
    session.bars.clear()
    assert isinstance(course_figure(session), Table)


def test_runs_lie_over_each_other_counted_in_bars_as_percent_of_their_start(
    workspace: Workspace, run_shadow: Shadow
) -> None:
    records = [run_shadow(seed=seed, steps=steps) for seed, steps in ((1, 300), (2, 600))]
    views = Views.of(workspace)
    chart = runs_figure(views, [views.run(record.session_id) for record in records])
    assert isinstance(chart, Chart)
    assert chart.counted
    for line, record, steps in zip(chart.lines, records, (300, 600), strict=True):
        assert line.name.endswith(record.session_id[-6:])
        assert line.ts[-1].timestamp() == steps - 1
        pnl = record.metrics["equity_end"] - 10_000.0
        assert line.values[-1] == pytest.approx(pnl / 100.0)
    assert isinstance(sessions_figure(views), Chart)
    assert isinstance(runs_figure(views, []), Table)


def test_while_it_runs_the_figure_grows_with_the_journal(workspace: Workspace) -> None:
    seen: list[tuple[int, Chart]] = []

    def watch(now: Progress) -> None:
        found = running_figure(Views.of(workspace), now.run_id, 10_000.0, "EUR")
        if found is not None:
            seen.append((now.step, found))

    record = run_session(plan_session(workspace, seed=3, steps=5000), Desk.of(workspace), watch=watch)
    assert seen
    last_step, last = seen[-1]
    assert last_step == 5000
    assert last.lines[0].values[-1] == pytest.approx(record.metrics["equity_end"])
    lengths = [chart.lines[0].ts[-1] for _, chart in seen]
    assert lengths == sorted(lengths)
    assert running_figure(Views.of(workspace), "nothing_yet", 1.0, "EUR") is None


def test_a_halt_while_it_runs_is_said_and_marked(home: Path, configure: Callable[[str, str], None]) -> None:
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.05")
    workspace = Workspace(home)
    seen: list[tuple[Progress, Chart | None]] = []

    def watch(now: Progress) -> None:
        seen.append((now, running_figure(Views.of(workspace), now.run_id, 10_000.0, "EUR")))

    run_session(plan_session(workspace, seed=3, steps=5000), Desk.of(workspace), watch=watch)
    now, chart = seen[-1]
    assert chart is not None
    assert "denied" in marks(chart)
    told = running_table(now, "EUR")._repr_html_()
    assert f"{now.orders_blocked} orders denied" in told
    assert "■ HALTED" in told
    assert "HALTED" not in running_table(seen[0][0], "EUR")._repr_html_()


def test_the_figures_of_a_running_session_do_not_wait_for_its_curve(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a long journal takes seconds; what is said of the session is of now all the same."""
    shown: list[figures.Running] = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: SimpleNamespace(update=shown.append))
    clock = iter(range(1000))  # each look at the clock is a second later: the curve takes one, and is due after eleven
    monkeypatch.setattr(figures, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    chart = Chart(name="course", lines=())
    drawn: list[str] = []
    monkeypatch.setattr(figures, "running_figure", lambda *given: drawn.append(given[1]) or chart)
    watch = watch_in_cell(workspace, plan_session(workspace, steps=20))
    for step in range(5):
        watch(Progress("running", step, 20, 10_000.0, 0.0, datetime(2026, 1, 5, tzinfo=UTC), run_id="one"))
    assert len(drawn) == 1
    assert [repr(one.table).count(f"{n} of 20 bars") for n, one in enumerate(shown)] == [1] * 5
    assert all(one.chart is chart for one in shown)


def test_outside_a_notebook_nothing_is_shown(workspace: Workspace, capsys: Any) -> None:
    plan = plan_session(workspace, steps=20)
    run_session(plan, Desk.of(workspace), watch=watch_in_cell(workspace, plan))
    assert capsys.readouterr().out == ""


def test_lanes_have_names_in_the_place_of_values() -> None:
    from datetime import UTC, datetime

    from peaktrade_core.show.chart import Mark, Marks

    at = datetime(2026, 1, 5, tzinfo=UTC)
    chart = Chart(
        name="lanes", lines=(), lanes=("calm", "a & b"), ends=(at, at.replace(hour=2)),
        marks=[Marks("seen", "up", "green", [Mark(at.replace(hour=1), 1.0, "here")])],
    )  # fmt: skip
    drawn, told = draw(chart), for_plotly(chart)
    assert ">calm</text>" in drawn
    assert "a &amp; b" in drawn
    assert 'x="50.00%"' in drawn
    assert told["layout"]["yaxis"]["ticktext"] == ["calm", "a & b"]
    assert told["layout"]["xaxis"]["range"] == ["2026-01-05 00:00:00", "2026-01-05 02:00:00"]
