"""Single backtests as research: over bars that may be read, counted before they run, and kept by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.environment import login
from peaktrade_core.base.files import write_atomic
from peaktrade_core.candles.replay import ReplayFeed, bars_of
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.session.identity import bars_digest, content_id, decision_id
from peaktrade_core.show import wording
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.session.plan import Plan


class Counted(NamedTuple):
    """A backtest that may begin.

    Attributes:
        backtest_id, decision_id: of its content; empty over a market that is made up, which is no research.
        remarks: what a person should know of the bars and the count.
    """

    backtest_id: str = ""
    decision_id: str = ""
    remarks: tuple[str, ...] = ()


def begin_backtest(workspace: Workspace, plan: Plan) -> tuple[Bars, Counted]:
    """Return the bars of a backtest, and count it before it runs.

    Raises:
        DataError: there are no bars, or all of them are held back.
        ArtefactError, EnvironmentFault: hold-out or ledger are damaged or cannot be written: nothing is tried.
    """
    config = plan.config
    wanted = None if config.steps is None else config.warmup_candles + config.steps
    if not isinstance(plan.feed, ReplayFeed):
        return bars_of(plan.feed, wanted), Counted()
    split = HoldOut(workspace).readable(bars_of(plan.feed), config.symbol, config.timeframe)
    bars = split.readable if wanted is None else Bars(split.readable.ts[:wanted], split.readable.ohlcv[:wanted], "bars")
    decided = decision_id(plan.decision)
    backtest_id = content_id("bt", decided, bars_digest(bars), config.warmup_candles)
    market, ledger = TrialMarket(config.strategy_name, config.symbol, config.timeframe), TrialLedger(workspace)
    ledger.begin(backtest_id, market, 1, by=login(), question=config.notes)
    counted = ledger.count(market)
    said = [
        f"{backtest_id}; {counted:,} {'try' if counted == 1 else 'tries'} of {market.strategy} on this market so far"
    ]
    if split.since is not None:
        said.append(
            f"{split.held:,} bars since {wording.moment(split.since)} UTC are held back (peaktrade holdout status)"
        )
    return bars, Counted(backtest_id, decided, tuple(said))


def keep_backtest(workspace: Workspace, counted: Counted, value: dict[str, Any]) -> None:
    """Keep what a backtest gave, under its id.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    folder = workspace.home / "reports" / "experiments" / "backtests"
    write_atomic(folder / f"{counted.backtest_id}.json", msgspec.json.encode(value, order="deterministic"))
