"""Writing forward signals: what a preset or a strategy wants now, put down before its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from peaktrade_core.base.clock import from_seconds, iso, utc
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, DataError, StrategyError
from peaktrade_core.research.forward.book import ForwardBook, ForwardSignal, not_open, require_clock
from peaktrade_core.research.forward.now import OnMarket, closed, on_market, standing
from peaktrade_core.research.portfolio.prepare import resolve
from peaktrade_core.research.portfolio.preset import Component, refuse_overlap
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.session.identity import bars_digest, content_id
from peaktrade_core.session.tiers import Promotions, refuse_tier
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace


class ComponentSignal(NamedTuple):
    """What came of asking one component.

    Attributes:
        component: strategy, symbol, timeframe; signal: as it stands in the book, None where there is none.
        new: whether it was written now; error: why nothing was written, empty where something stands.
    """

    component: Component
    signal: ForwardSignal | None
    new: bool
    error: str = ""


def write_signals(workspace: Workspace, components: Sequence[Component], preset: str = "") -> list[ComponentSignal]:
    """Write what each component wants to hold at the last bar that has closed.

    A component that cannot be asked, or whose bar has not closed or is an old one, is told and nothing is written of it.

    Raises:
        TierNotAllowedError: a strategy may not run; then nothing is written of any.
        ConfigError: a component or its trial is wrong, or two are the same.
        ArtefactError, EnvironmentFault: the ledger cannot be used, or the clock is wrong.
    """
    require_clock(workspace)
    found = [resolve(workspace, one).component for one in components]
    refuse_overlap([(str(one.strategy), str(one.symbol)) for one in found])
    for one in found:
        strategy = get_strategy(str(one.strategy))
        refuse_tier(strategy.name, Promotions(workspace).tier(strategy), told=workspace)
    return [_ask(workspace, one, preset) for one in found]


def _ask(workspace: Workspace, component: Component, preset: str) -> ComponentSignal:
    try:
        found = on_market(workspace, component)
        return _write(workspace, found, preset)
    except (ConfigError, DataError, StrategyError) as error:
        return ComponentSignal(component, None, False, str(error))


def _write(workspace: Workspace, found: OnMarket, preset: str) -> ComponentSignal:
    """Write the signal of one decision.

    Raises:
        DataError: nothing may be written of these candles; as :meth:`ForwardBook.write`.
    """
    now, decision, config = workspace.clock.now(), found.plan.decision, found.plan.config
    later = int((found.bars.ts > now.timestamp()).sum())
    if later:
        raise DataError(
            f"{config.symbol} {config.timeframe}: {later:,} bars begin after {utc(now)}, the first at "
            f"{utc(from_seconds(float(found.bars.ts[-later])))}: what becomes of a signal is known here, so none is written; "
            "set the clock right"
        )
    stand = standing(workspace, found, now)
    if late := not_open(stand.closed_at, decision.bar_s, now):
        raise DataError(f"{config.symbol} {config.timeframe}: {late}")
    signal = ForwardSignal(
        signal_id=content_id("fs", found.decision_id, config.symbol, config.timeframe, iso(stand.closed_at)),
        strategy=config.strategy_name, params=decision.params._asdict(), symbol=config.symbol, timeframe=config.timeframe,
        tier=found.plan.tier, decision_id=found.decision_id, preset=preset, signal=stand.signal, before=stand.before,
        closed_at=stand.closed_at, close=stand.close, bar_s=decision.bar_s, bars=stand.bars,
        data_sha256=bars_digest(closed(found, now)), candles=found.component.candles,
        cost=(config.fee_bps + config.slippage_bps) / 1e4, by=login(), written_at=now,
    )  # fmt: skip
    TrialLedger(workspace).begin(found.asked_id, found.market, 1, by=login(), question=preset or "forward signals")
    kept, new = ForwardBook(workspace).write(signal)
    return ComponentSignal(found.component, kept, new)
