"""Which runs are due to be replaced: the rule alone, without processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.fleet.launches import Launch, LaunchOrder
from peaktrade_core.fleet.restarts import WINDOW, Past, due_restarts
from peaktrade_core.workspace.settings import Restart

ENDED = datetime(2026, 1, 5, 8, tzinfo=UTC)


def past(status: str = "failed", *, attempt: int = 0, policy: str = "on-failure", **more) -> Past:
    restart = Restart(policy=policy, max_restarts=3, backoff_s=10.0)
    order = LaunchOrder(mode="shadow", strategy="s", symbol="BTC/EUR", timeframe="1m", arguments=(), restart=restart)
    return Past(Launch(run_id="shadow_1", order=order, by="kim", at=ENDED, attempt=attempt), status, ENDED, **more)


def due(run: Past, after_s: float = 15.0, replaced: tuple[str, ...] = ()) -> bool:
    return bool(due_restarts([run], replaced, ENDED + timedelta(seconds=after_s)))


def test_what_failed_or_died_is_replaced_after_its_wait() -> None:
    assert due(past("failed"))
    assert due(past("aborted"))
    assert not due(past("failed"), after_s=9.9)
    assert due(past("failed"), after_s=10.0)


def test_the_wait_doubles() -> None:
    assert not due(past(attempt=2), after_s=39.0)
    assert due(past(attempt=2), after_s=40.0)


@pytest.mark.parametrize(
    "run",
    [
        past("completed"),
        past(policy="never"),
        past(by_person=True),
        past("aborted", by_person=True),
        past(halted=True),
        past(attempt=3),
    ],
)
def test_what_is_never_replaced(run: Past) -> None:
    assert not due(run, after_s=600.0)


def test_one_successor_is_enough() -> None:
    assert not due(past(), replaced=("shadow_1",))


def test_what_ended_long_ago_belongs_to_another_shift() -> None:
    assert due(past(), after_s=WINDOW.total_seconds())
    assert not due(past(), after_s=WINDOW.total_seconds() + 11.0)


@pytest.mark.parametrize("wrong", [{"policy": "always"}, {"max_restarts": -1}, {"backoff_s": -1.0}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        Restart(**wrong)
