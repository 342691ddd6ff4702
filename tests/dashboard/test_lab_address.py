"""The address of a lab: what was moved stands in it, and another lab that is opened by it stands the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import ipywidgets as w
import pytest

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.labs.address import Address, take, written
from peaktrade_core.dashboard.labs.candles import CandlesLab
from peaktrade_core.dashboard.labs.compare import CompareLab
from peaktrade_core.dashboard.labs.limits import COUNTS, LimitsLab
from peaktrade_core.dashboard.labs.parameters import ParametersLab
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]


def said(address: Address) -> str:
    """Return what the page's script is told."""
    found = re.search(r'data-address="([^"]*)"', address.widget.value)
    assert found is not None
    return unescape(found[1])


def test_an_untouched_lab_leaves_its_address_as_it_is() -> None:
    address = Address("session=a&session=b&x=%C3%BC")
    address.keep(fee=w.FloatSlider(value=2.0))
    assert said(address) == "session=a&session=b&x=%C3%BC"


def test_parameters_that_were_moved_stand_in_the_address_and_come_back(workspace: Workspace) -> None:
    lab = ParametersLab(workspace, "")
    lab.strategy.value = "rsi_reversion"
    next(one for one in lab.params.children if one.parameter == "period").value = 9
    lab.fee.value, lab.period.value = 7.5, (0.2, 0.9)
    query = said(lab.address)
    assert "fast" not in query
    again = ParametersLab(workspace, query)
    assert again.choice == lab.choice
    assert said(again.address) == query


def test_limits_that_were_moved_come_back_once(workspace: Workspace, run_shadow: Shadow) -> None:
    session = run_shadow(seed=3, steps=60).session_id
    lab = LimitsLab(workspace, f"session={session}")
    lab.sliders["max_order_notional"].value = 450.0
    again = LimitsLab(workspace, said(lab.address))
    assert again.limits == lab.limits
    assert again.limits.max_order_notional == 450.0
    again.back.click()
    assert again.limits.max_order_notional == 1000.0


def test_a_limit_on_whole_things_slides_by_whole_ones(workspace: Workspace, run_shadow: Shadow) -> None:
    lab = LimitsLab(workspace, f"session={run_shadow(seed=3, steps=60).session_id}")
    shown = {name: format(lab.sliders[name].value, lab.sliders[name].readout_format) for name in COUNTS}
    assert shown == {
        "max_open_positions": "5",
        "max_orders_per_minute": "10",
        "max_entries_per_day": "500",
        "max_open_orders": "2",
        "max_consecutive_rejects": "5",
    }
    assert isinstance(lab.limits.max_open_orders, float)  # as the decision code computes


def test_a_comparison_comes_back_with_all_its_curves(workspace: Workspace, run_shadow: Shadow) -> None:
    ids = [run_shadow(seed=seed, steps=40).session_id for seed in (1, 2, 3)]
    lab = CompareLab(workspace, f"session={ids[0]}&session={ids[1]}")
    lab.right.value, lab.more.value, lab.axis.value = "", (ids[2],), False
    again = CompareLab(workspace, said(lab.address))
    assert [again.left.value, again.right.value, again.more.value, again.axis.value] == [ids[0], "", (ids[2],), False]


def test_candles_come_back_with_what_stands_beside_them(workspace: Workspace) -> None:
    store = CandleStore.of_workspace(workspace.home)
    for timeframe, seconds in (("1m", 60), ("1h", 3600)):
        store.put(Series("kraken", "BTC/EUR", timeframe), list(SyntheticFeed(1, seconds, bars=120)))
    lab = CandlesLab(workspace, "symbol=BTC/EUR&timeframe=1m")
    lab.other.value, lab.deviations.value = lab.other.options[1][1], 12
    again = CandlesLab(workspace, said(lab.address))
    assert (again.series.value, again.other.value, again.deviations.value) == (lab.series.value, lab.other.value, 12)


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "x", "", "1,2,3", "-", "<script>"])
def test_what_a_control_cannot_be_leaves_it_as_it_is_or_within_its_bounds(text: str) -> None:
    controls = [
        w.FloatSlider(value=2.0, min=0.0, max=5.0),
        w.IntSlider(value=2, min=0, max=5),
        w.FloatRangeSlider(value=(0.0, 1.0), min=0.0, max=1.0),
        w.Dropdown(options=["a", "b"], value="b"),
        w.Checkbox(value=False),
    ]
    before = [written(one) for one in controls]
    for control in controls:
        take(control, text)
    assert [written(one) for one in controls] == before
