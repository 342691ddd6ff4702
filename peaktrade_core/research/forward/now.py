"""A decision on one market, and what it wants to hold at the last bar that has closed: the session's own decision code."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.replay import bars_of
from peaktrade_core.candles.store import stored_folder
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.trials.ledger import TrialMarket
from peaktrade_core.session.identity import content_id, decision_id
from peaktrade_core.session.plan import Plan
from peaktrade_core.session.planning import plan_session
from peaktrade_core.trading.market import DAY_S, Bars, timeframe_seconds
from peaktrade_core.workspace.workspace import Workspace

Source = Literal["stored", "synthetic"]
STORED, SYNTHETIC = "stored", "synthetic"


class OnMarket(NamedTuple):
    """A decision on one market, ready to be asked.

    Attributes:
        component: strategy, symbol, timeframe, parameters as they were asked for.
        plan: of a session that would decide so; bars: all that there are.
        made_up: whether the market is; then nothing is counted or kept.
    """

    component: Component
    plan: Plan
    bars: Bars
    made_up: bool

    @property
    def market(self) -> TrialMarket:
        """On what it is tried."""
        config = self.plan.config
        return TrialMarket(config.strategy_name, config.symbol, config.timeframe)

    @property
    def decision_id(self) -> str:
        """Of what decides, as a session would record it."""
        return decision_id(self.plan.decision)

    @property
    def asked_id(self) -> str:
        """Of this decision on this market without its bars: what looks at signals alone is one try, however often."""
        return content_id("fw", self.decision_id, self.market.symbol, self.market.timeframe)


class WantedPosition(NamedTuple):
    """What a decision wants to hold.

    Attributes:
        signal: -1, 0 or 1 at the close of the last bar; before: at the close before, None where that only warmed up.
        since: close of the bar with which it began, aware UTC; None where it has been so since the warm-up.
        closed_at, close: of the last bar, aware UTC and [quote ccy]; bars: that were looked at.
    """

    signal: int
    before: int | None
    since: datetime | None
    closed_at: datetime
    close: float
    bars: int


def on_market(
    workspace: Workspace, component: Component, source: Source = "stored", place: int = 0, days: float | None = None
) -> OnMarket:
    """Check a decision and read the candles of its market.

    Args:
        component: strategy and symbol at least. source: ``stored`` candles (or the component's own), or ``synthetic``.
        place: of several made-up markets; each has another seed. days: their length; None for the configured steps.

    Raises:
        ConfigError, UnknownNameError: a setting is wrong; DataError: there are no candles, or they cannot be used.
    """
    symbol, timeframe = str(component.symbol), component.timeframe or workspace.config.session.timeframe
    given: dict[str, Any] = {"feed": "synthetic", "seed": workspace.config.session.seed + place}
    if days is not None:
        given["steps"] = round(days * DAY_S / timeframe_seconds(timeframe))
    if source == STORED:
        given = {"candles": component.candles or stored_folder(workspace, symbol, timeframe)}
    plan = plan_session(
        workspace, strategy=component.strategy, params=component.params, symbol=symbol, timeframe=timeframe,
        warmup_candles=component.warmup_candles, **given,
    )  # fmt: skip
    most = None if source == STORED else plan.config.warmup_candles + int(plan.config.steps or 0)
    return OnMarket(component, plan, bars_of(plan.feed, most), source == SYNTHETIC)


def closed(found: OnMarket, now: datetime) -> Bars:
    """Return the bars of a market that have closed by ``now``; a made-up market has no present, so all of them."""
    bars, last = found.bars, now.timestamp() - found.plan.decision.bar_s
    at = len(bars) if found.made_up else int(np.searchsorted(bars.ts, last, "right"))
    return bars.part(0, at)


def standing(workspace: Workspace, found: OnMarket, now: datetime) -> WantedPosition:
    """Return what a decision wants to hold at the close of the last bar that has closed.

    The bars go through the decision code as those of a session would; nothing is read of what they would have gained.

    Raises:
        DataError: too few bars have closed for the warm-up; StrategyError: the strategy raises.
    """
    bars, warmup = closed(found, now), found.plan.config.warmup_candles
    if len(bars) <= warmup:
        when = "" if found.made_up else f" by {utc(now)}"
        raise DataError(
            f"{found.market.symbol} {found.market.timeframe}: {len(bars):,} bars have closed{when}, and the warm-up takes "
            f"{warmup:,}; take more candles, or lower warmup_candles"
        )
    ran = run_backtest(found.plan.decision, bars, warmup, workspace.compiled)
    signal, bar_s = ran.signal.astype(int), found.plan.decision.bar_s
    changes = np.flatnonzero(np.diff(signal))
    since = float(ran.ts[changes[-1] + 1]) + bar_s if len(changes) else None
    return WantedPosition(
        signal=int(signal[-1]),
        before=int(signal[-2]) if len(signal) > 1 else None,
        since=None if since is None else from_seconds(since),
        closed_at=from_seconds(float(bars.ts[-1]) + bar_s),
        close=float(bars.ohlcv[-1, 3]),
        bars=len(bars),
    )


def symbols_of(text: str) -> list[str]:
    """Return the symbols of a list with commas, each once and in its order.

    Raises:
        ConfigError: there is none.
    """
    found = list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not found:
        raise ConfigError(f"--symbols {text!r} names no symbol; write them like BTC/EUR,ETH/EUR")
    return found


def direction(signal: int | None) -> str:
    """Return what a signal says, in a word."""
    return {1: "long", -1: "short", 0: "flat"}.get(signal, "") if signal is not None else ""
