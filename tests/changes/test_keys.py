"""Directions are data: what is not known to be tighter is not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.alerts.settings import STOPS as SHIPPED
from peaktrade_core.changes.keys import DECIDES, STOPS, STRICTEST, WAYS, direction, items_of, ruling, shown
from peaktrade_core.people.matrix import AUTHORITIES, ROLES, seated
from peaktrade_core.workspace.config import Config
from peaktrade_core.workspace.settings import RiskLimits


@pytest.mark.parametrize(
    ("key", "old", "new", "way"),
    [
        ("live_risk.max_order_notional", 1000.0, 500, "tighter"),
        ("live_risk.max_order_notional", 1000.0, 1000.01, "looser"),
        ("live_risk.duplicate_window_s", 0.0, 60.0, "tighter"),
        ("live_risk.duplicate_window_s", 60.0, 0.0, "looser"),
        ("live_risk.warning_threshold_factor", 0.8, 0.9, "looser"),
        ("session.position_fraction", 0.05, 0.1, "looser"),
        ("environment.mode", "testnet", "shadow", "tighter"),
        ("environment.mode", "shadow", "testnet", "looser"),
        ("retention.action", "archive", "delete", "looser"),
        ("journal.fsync", True, False, "looser"),
        ("triggers.drawdown.action", "halt", "off", "looser"),
        ("triggers.drawdown.threshold", None, 90.0, "looser"),  # it goes before the rule, which may be tighter
        ("triggers.drawdown.threshold", 5.0, None, "looser"),
        ("alerts.rule.drawdown.action", "halt", "kill_switch", "tighter"),
        ("alerts.rule.drawdown.enabled", True, False, "looser"),
        ("alerts.rule.drawdown.critical_pct", 10.0, None, "looser"),  # the default is nobody's decision
        ("alerts.rule.drawdown.channels", ["log"], ["log", "console"], "tighter"),
        ("alerts.rule.drawdown.channels", ["log", "console"], ["mail"], "looser"),
        ("alerts.rule.new.threshold_pct", None, 1.0, "neutral"),
        ("schedule.jobs.audit_verify.enabled", True, False, "looser"),
        ("exchange.venue", "kraken", "binance", "neutral"),
        ("strategy.ma_crossover.fast", 20, 10, "neutral"),
        ("code.ma_crossover", "sha256 a", "sha256 b", "neutral"),
        ("tier.mine", None, "core", "looser"),
        ("tier.mine", "core", "legacy", "tighter"),
        ("live_risk.max_order_notional", 1000.0, "a lot", "neutral"),
    ],
)
def test_which_way_a_key_goes(key: str, old: Any, new: Any, way: str) -> None:
    assert direction(key, old, new) == way


def test_free_space_is_tighter_the_more_there_must_be() -> None:
    def rule(kind: str, percent: float) -> dict[str, Any]:
        return {"alerts.rule.x.kind": kind, "alerts.rule.x.critical_pct": percent}

    def ways(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
        return [one.direction for one in items_of(before, now)]

    assert ways(rule("disk_free", 2.0), rule("disk_free", 1.0)) == ["looser"]
    assert ways(rule("drawdown", 2.0), rule("drawdown", 1.0)) == ["tighter"]
    assert ways(rule("drawdown", 2.0), rule("disk_free", 1.0)) == ["neutral", "neutral"]


def test_a_rule_that_hides_the_one_that_ships_is_looser() -> None:
    other = {"alerts.rule.other.kind": "daily_loss"}

    def added(kind: str, **fields: Any) -> set[str]:
        rule = {f"alerts.rule.mine.{name}": value for name, value in {"kind": kind, **fields}.items()}
        return {one.direction for one in items_of(other, {**other, **rule})}

    assert added("drawdown") == {"looser"}
    assert added("daily_loss") == added("pnl_drop") == {"neutral"}
    assert added("daily_loss", enabled=False) == {"neutral", "looser"}
    assert set(STOPS) == {kind.__struct_config__.tag for kind in SHIPPED.values()}


@pytest.mark.parametrize(
    ("name", "value", "way"), [("enabled", False, "looser"), ("enabled", True, "tighter"), ("sessions", 9, "looser")]
)
def test_a_value_in_the_place_of_a_default_is_looser(name: str, value: Any, way: str) -> None:
    before = {"alerts.rule.x.kind": "failed_in_row"}
    assert [one.direction for one in items_of(before, {**before, f"alerts.rule.x.{name}": value})] == [way]


def test_one_looser_key_makes_the_whole_looser_and_the_strictest_decide() -> None:
    items = items_of(
        {"live_risk.max_order_notional": 1.0, "live_risk.max_open_positions": 5, "exchange.venue": "a"},
        {"live_risk.max_order_notional": 2.0, "live_risk.max_open_positions": 1, "exchange.venue": "a"},
    )
    assert ruling(items) == ("looser", "limits", ("sweep",))
    assert ruling(items_of({"live_risk.max_order_notional": 2.0}, {"live_risk.max_order_notional": 1.0})).needs == ()
    mixed = items_of({"alerts.page": "", "code.x": "a"}, {"alerts.page": "b", "code.x": "c"})
    assert ruling(mixed)[:2] == ("neutral", "code")


def test_true_is_not_one() -> None:
    assert [one.key for one in items_of({"a": True}, {"a": 1})] == ["a"]
    assert items_of({"a": 5}, {"a": 5.0}) == ()


def test_who_may_decide_on_the_stricter_may_decide_on_all_after_it() -> None:
    assert {authority for _, authority, _ in DECIDES} == set(STRICTEST)
    pairs = [(a, b) for a in ROLES for b in ROLES]
    for before, after in pairwise(STRICTEST):
        strict, wide = AUTHORITIES[before], AUTHORITIES[after]
        both = [pair for pair in pairs if seated(strict, [[one] for one in pair]) == 2]
        assert both
        assert all(seated(wide, [[one] for one in pair]) == 2 for pair in both)


def test_every_limit_has_a_direction_and_every_pattern_a_key() -> None:
    limits = {f"live_risk.{name}" for name in RiskLimits.__struct_fields__}
    assert all(direction(key, 1.0, 2.0) != "neutral" for key in limits)
    assert all(direction(key, 2.0, 1.0) != direction(key, 1.0, 2.0) for key in limits)
    fields = {name for kind in AnyRule.__args__ for name in kind.__struct_fields__}  # type: ignore[attr-defined]
    tables = msgspec.json.schema(Config)["$defs"]["Config"]["properties"]
    for pattern, _ in WAYS:
        first, *_, last = pattern.split(".")
        if first == "alerts":
            assert last in fields, pattern
        elif first not in ("tier", "schedule"):
            assert first in tables, pattern


def test_values_are_shown_as_people_read_them() -> None:
    found = [shown(one) for one in (None, True, [], ["a", "b"], 1000.0, "", "x")]
    assert found == ["not there", "true", "none", "a, b", "1,000", "empty", "x"]
