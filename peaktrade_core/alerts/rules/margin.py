"""The alert rule about positions on margin: how near one is to its liquidation."""

from __future__ import annotations

from collections.abc import Iterator

from peaktrade_core.alerts.alerts import CRITICAL, WARNING
from peaktrade_core.alerts.rules.facts import RuleFinding, RunFacts
from peaktrade_core.alerts.rules.rule import Percent, Rule
from peaktrade_core.trading.risk import too_close


class NearLiquidation(Rule, tag="near_liquidation", frozen=True, kw_only=True):
    """The price may move less than ``warning_pct`` [%] against a position before it is liquidated.

    Critical below the session's own limit, at which it halts, and where the distance is not a number.
    """

    warning_pct: Percent = 30.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Grade the distance at the last close of a running session."""
        meter = run.meter
        if not run.alive or meter is None or meter.distance is None:
            return
        worst = too_close(meter.distance, meter.least)
        if worst or too_close(meter.distance, self.warning_pct):
            limit = meter.least if worst else self.warning_pct
            message = f"{meter.distance:.1f} % of the price from liquidation (at least {limit:g} %)"
            yield self.finding(run, CRITICAL if worst else WARNING, message)
