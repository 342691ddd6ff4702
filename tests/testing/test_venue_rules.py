"""Which requests meet a fault: patterns, counts, chances, and their end."""

from __future__ import annotations

import pytest

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.testing import FaultRules, VenueFault, VenueRequest, named_faults


def ask(faults: FaultRules, path: str = "/0/public/OHLC", method: str = "GET") -> str:
    fault = faults.pick(VenueRequest(0.0, method, path, "", {}, ""))
    return fault.name if fault else ""


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        ({"times": 3}, "xxx......."),
        ({"every": 5}, "....x....x"),
        ({"skip": 2, "times": 1}, "..x......."),
        ({"every": 3, "times": 2}, "..x..x...."),
        ({}, "xxxxxxxxxx"),
        ({"probability": 0.0}, ".........."),
        ({"method": "post"}, ".........."),
        ({"path": "AddOrder$"}, ".........."),
        ({"path": "public/(OHLC|Ticker)", "method": "get", "times": 1}, "x........."),
    ],
)
def test_a_rule_hits_as_often_as_it_says(rule, hits: str) -> None:
    faults = FaultRules()
    added = faults.add(VenueFault.html(), **rule)
    assert "".join("x" if ask(faults) else "." for _ in range(10)) == hits
    assert added.applied == hits.count("x")


def test_chance_repeats_with_its_seed() -> None:
    def draw(seed: int) -> list[str]:
        faults = FaultRules()
        faults.add(VenueFault.html(), probability=0.5, seed=seed)
        return [ask(faults) for _ in range(40)]

    assert draw(1) == draw(1) != draw(2)
    assert 8 < sum(map(bool, draw(1))) < 32


def test_the_first_rule_that_fits_applies_and_each_can_be_ended() -> None:
    faults = FaultRules()
    first = faults.add(VenueFault.html(), path="OHLC")
    faults.add(VenueFault.empty())
    assert (ask(faults), ask(faults, "/0/public/Time")) == ("html", "empty")
    faults.remove(first)
    assert ask(faults) == "empty"
    with faults.during(VenueFault.stall(), path="Nothing"):
        assert len(faults.active) == 2
    faults.clear()
    assert (ask(faults), faults.active) == ("", ())


def test_a_spent_rule_is_active_no_more() -> None:
    faults = FaultRules()
    rule = faults.add(VenueFault.html(), times=1)
    assert faults.active == (rule,)
    ask(faults)
    assert faults.active == ()


@pytest.mark.parametrize("wrong", [{"times": 0}, {"every": 0}, {"skip": -1}, {"probability": 1.5}, {"path": "("}])
def test_a_rule_out_of_range_is_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="rule for html"):
        FaultRules().add(VenueFault.html(), **wrong)


def test_faults_can_be_asked_for_by_name() -> None:
    assert VenueFault.named("status_503").name == "status_503"
    with pytest.raises(UnknownNameError, match="unknown fault 'sttus'; known: hang, "):
        VenueFault.named("sttus")
    with pytest.raises(UnknownNameError, match="refusal"):
        VenueFault.refusal("nothing")
    with pytest.raises(ConfigError, match="state 'asleep'"):
        VenueFault.venue_state("asleep")
    assert len(named_faults()) > 45
