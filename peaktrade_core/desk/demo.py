"""The demonstration: three sessions that end differently - one fine, one failed, one blocked by risk.

Everything in them is real: the failing one runs a strategy with a bug, the blocked one trades under limits that are too
tight for its size. They leave the same journals, records and reports as any other session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.session.session import Desk, Plan, Progress, run_session
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import AUX, register, scratch_registry

TIGHT = 100.0  # max_order_notional of the blocked session [quote ccy]


class Fragile(NamedTuple):
    """After how many bars the bug shows [bars]."""

    bars: int = 700


def fragile(p: Fragile, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
    """Divide by zero after a while, as a strategy fresh from research might."""
    s[0] += 1.0
    return 1.0 if c / (p.bars - s[0]) > 0.0 and s[0] % 100.0 < 50.0 else 0.0


class DemoSession(NamedTuple):
    """A session of the demonstration and what it shows."""

    title: str
    record: SessionRecord


def run_demo(
    plan: Callable[..., Plan], desk: Desk, watch: Callable[[Progress], None] = lambda _: None
) -> list[DemoSession]:
    """Run the three sessions and return them.

    Args:
        plan: the workspace's ``plan``.
        desk: where they run.
        watch: called with the progress of each.
    """
    fine = plan(strategy="ma_crossover", steps=2000, seed=7, notes="Demo: a session that ends well.", tags=("demo",))
    blocked = tightened(
        plan(
            strategy="donchian_breakout",
            symbol="ETH/EUR",
            steps=600,
            seed=11,
            notes=f"Demo: every order exceeds max_order_notional = {TIGHT:.0f}.",
            tags=("demo",),
        ),
        max_order_notional=TIGHT,
    )
    with scratch_registry():
        register("demo_fragile", Fragile, slots=lambda _: 1, warmup=lambda _: 0, tier=AUX)(fragile)
        failing = plan(
            strategy="demo_fragile", steps=1000, seed=3, notes="Demo: a strategy with a bug.", tags=("demo",)
        )
    return [
        DemoSession("fine", run_session(fine, desk, watch=watch)),
        DemoSession("fails: a bug in its strategy", run_session(failing, desk, watch=watch)),
        DemoSession("blocked: its limits are too tight", run_session(blocked, desk, watch=watch)),
    ]


def tightened(plan: Plan, **limits: Any) -> Plan:
    """Return the plan with some of its risk limits replaced, in decision and record alike."""
    changed: Limits = plan.decision.limits._replace(**limits)
    described: dict[str, Any] = changed._asdict()
    return plan._replace(
        decision=plan.decision._replace(limits=changed),
        config=msgspec.structs.replace(plan.config, risk_limits=described),
    )
