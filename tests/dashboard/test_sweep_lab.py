"""The lab of sweeps: what a sweep's trials are as a surface, and that the page shows its verdict and its points."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from ipywidgets import Widget
from serving import new_workspace

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.labs.sweep import SweepLab
from peaktrade_core.research.experiments.page import heat_map
from peaktrade_core.research.experiments.surface import Surface
from peaktrade_core.research.trials.ranking import leading
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.trading.market import Bar
from peaktrade_core.workspace.workspace import Workspace

DAYS = Series("kraken", "BTC/EUR", "1d")


@pytest.fixture(autouse=True)
def _no_widgets_left() -> Iterator[None]:
    yield
    Widget.close_all()


def sweep_of(**parameters: Any) -> Sweep:
    judge = Judge(least_trades=0, blocks=2, metric="return")
    none = {"walk_forward": WalkForward(windows=0), "null": Null(shuffles=0), "judge": judge}
    asked = {"strategy": "ma_crossover", "symbol": "BTC/EUR", "timeframe": "1d", "warmup_candles": 30}
    return Sweep(name="days", question="Does it?", candles="data", parameters=parameters, **asked, **none)


def surface_of(table: list[list[float]], **more: Any) -> Surface:
    """Return a surface whose returns are the table's, rows by ``slow``, columns by ``fast``."""
    sweep = sweep_of(fast=[1, 2, 3], slow=[10, 20], **more)
    trials = [
        Trial(number=0, params={"fast": fast, "slow": slow, **dict.fromkeys(more, 1)}, total_return=table[row][column])
        for row, slow in enumerate((10, 20)) for column, fast in enumerate((1, 2, 3))
    ]  # fmt: skip
    return Surface(sweep, trials)


def test_a_plane_has_a_value_for_each_pair_and_nan_where_nothing_ran() -> None:
    surface = surface_of([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    plane = surface.plane("fast", "slow", "total_return", {"fast": 1, "slow": 10})
    assert np.array_equal(plane, [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    assert np.isnan(surface.plane("fast", "slow", "sharpe", None)).all()
    assert surface.along("slow", "total_return", {"fast": 2, "slow": 20}) == [0.2, 0.5]
    assert math.isnan(surface.value(Trial(number=1, params={}, error="refused", total_return=1.0), "total_return"))


def test_of_further_parameters_the_best_is_taken_where_no_point_is_named() -> None:
    sweep = sweep_of(fast=[1, 2], slow=[10, 20], width=[5, 6])
    trials = [
        Trial(number=n, params={"fast": f, "slow": s, "width": w}, total_return=float(w), max_drawdown=w / 10)
        for n, (f, s, w) in enumerate((f, s, w) for f in (1, 2) for s in (10, 20) for w in (5, 6))
    ]
    surface = Surface(sweep, trials)
    assert (surface.plane("fast", "slow", "total_return", None) == 6.0).all()
    assert (surface.plane("fast", "slow", "max_drawdown", None) == 0.5).all()
    assert (surface.plane("fast", "slow", "total_return", {"fast": 1, "slow": 10, "width": 5}) == 5.0).all()


def test_what_cannot_be_ranked_does_not_stand_for_the_others() -> None:
    """The star stood at +6.71 where the best trial gained +6.66: another of its place gained more, in too few trades."""
    sweep = sweep_of(fast=[1, 2], slow=[10, 20], width=[5, 6])
    judged = msgspec.structs.replace(sweep, judge=Judge(least_trades=4, blocks=2, metric="return"))
    trials = [
        Trial(number=n, params={"fast": f, "slow": s, "width": w}, total_return=w / 100, trades=9 - w if s == 10 else 0)
        for n, (f, s, w) in enumerate((f, s, w) for f in (1, 2) for s in (10, 20) for w in (5, 6))
    ]
    surface = Surface(judged, trials)
    heat = heat_map(surface)
    assert heat is not None
    assert surface.summit is not None
    assert heat.cells == ((0.05, 0.05), (0.06, 0.06))  # of slow = 20 no trial can be ranked: the best of what there is
    assert (heat.best, surface.summit.total_return) == ((0, 0), 0.05)
    assert [one.number for one in leading(trials, judged.judge)[0]] == [0, 4]
    assert leading(trials[2:4], judged.judge) == (trials[2:4], False)


@pytest.mark.parametrize(
    ("table", "size"),
    [
        ([[0.10, 0.10, 0.10], [0.01, 0.01, 0.01]], 3),  # a ridge
        ([[0.10, 0.01, 0.10], [0.01, 0.01, 0.01]], 1),  # a lone point: the other is no neighbour
        ([[0.10, 0.08, 0.01], [0.01, 0.07, 0.01]], 3),  # around a corner
        ([[-0.10, -0.20, -0.10], [-0.10, -0.10, -0.10]], 0),  # nothing gained
    ],
)
def test_the_region_of_the_best_is_what_is_reached_from_it_step_by_step(table: list[list[float]], size: int) -> None:
    surface = surface_of(table)
    assert surface.summit is not None
    assert len(surface.region(surface.summit)) == size


def test_trials_off_the_axes_are_left_out() -> None:
    sweep = sweep_of(fast=[1, 2], slow=[10, 20])
    surface = Surface(sweep, [Trial(number=0, params={"fast": 7, "slow": 10}, total_return=1.0)])
    assert surface.trials == []
    assert surface.summit is None


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = new_workspace(tmp_path_factory.mktemp("swept") / "home")
    store = CandleStore.of_workspace(workspace.home)
    prices = [100.0 + 20.0 * math.sin(n / 9.0) for n in range(400)]
    store.put(DAYS, [Bar(86_400.0 * n, p, p + 1.0, p - 1.0, p, 1.0) for n, p in enumerate(prices)])
    sweep = sweep_of(fast=[3, 5, 8], slow=[10, 20])
    asked = {name: getattr(sweep, name) for name in sweep.__struct_fields__} | {"candles": str(store.folder(DAYS))}
    run_sweep(workspace, prepare(workspace, Sweep(**asked)))
    return workspace


def test_the_lab_says_the_verdict_and_moves_its_point(swept: Workspace) -> None:
    (sweep_id,) = SweepStore(swept).ids()
    lab = SweepLab(swept, f"sweep={sweep_id}")
    assert lab.said.value == ""
    assert lab.surface is not None
    verdict = lab.verdict.children[1].value
    assert "Does it?" in verdict
    assert "Do its neighbours do as well?" in verdict
    assert "6 trials" in verdict
    assert lab.surface.summit is not None
    assert lab.chosen == lab.surface.summit.params
    cells, frame = lab.heat.widget.data
    assert np.array(cells.z, dtype=float).shape == (2, 3)
    assert list(frame.x) == [str(lab.chosen["fast"])]
    lab.values["fast"].value, lab.values["slow"].value = 8, 10
    assert list(frame.x) == ["8"]
    trial = lab.surface.at({"fast": 8, "slow": 10})
    assert trial is not None
    assert f"#{trial.number}" in lab.point.children[1].value
    assert "strategy=ma_crossover" in lab.point.children[1].value
    assert "p_fast=8" in lab.point.children[1].value
    lab.heat._clicked("3", "20")
    assert lab.chosen == {"fast": 3, "slow": 20}
    lab.figure.value, lab.rest.value = "max_drawdown", True
    assert lab.said.value == ""
    lab.up.value = "fast"
    assert lab.map.layout.display == "none"


def test_without_a_sweep_and_with_a_torn_one_it_says_so(swept: Workspace, tmp_path: Any) -> None:
    empty = new_workspace(tmp_path / "home")
    assert "peaktrade sweep run" in SweepLab(empty, "").said.value
    folder = empty.home / "reports" / "experiments" / "sweeps" / "sw_1"
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text("{")
    assert "not a sweep" in SweepLab(empty, "").said.value
