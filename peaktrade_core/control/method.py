"""The method of research as questions: before something is tried, and after it."""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.base.question import FAIL, PASS, WARN, Found, Status, question
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.candles.tables import open_candles
from peaktrade_core.records.registry import Query
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.trial import LEAST_DAYS
from peaktrade_core.runs.views import Views
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show import wording
from peaktrade_core.trading.risk import DAY_S
from peaktrade_core.trading.strategies import MAY_RUN, get_strategy
from peaktrade_core.workspace.workspace import Workspace


class Setup(NamedTuple):
    """What is to be tried: a strategy on a market, to answer a question; ``tried`` is the id of what ran, if it did."""

    workspace: Workspace
    strategy: str
    symbol: str
    timeframe: str
    question: str
    tried: str = ""

    @property
    def market(self) -> TrialMarket:
        """On what it is counted."""
        return TrialMarket(self.strategy, self.symbol, self.timeframe)


@question(
    "question",
    "Does the question stand before anything is looked at?",
    "Write into `question` what would have to come out for you to drop it.",
)
def asked(one: Setup) -> Found:
    """Look whether a question was written."""
    return bool(one.question.strip()), one.question.strip() or "none"


@question("candles", "Are the candles of the market whole?", "The notebook market_data shows where.", otherwise=WARN)
def candles(one: Setup) -> Found:
    """Look at the stored series as `peaktrade data check` does."""
    found = open_candles(one.workspace, one.symbol, one.timeframe)
    worse = [check.question for check in found.verdict.checks if check.status == FAIL]
    return not worse, "; ".join([found.verdict.title, *worse])


@question("days", "Are there enough days to judge by?", "`peaktrade exchange fetch`, or `peaktrade data import`.")
def days(one: Setup) -> Found:
    """Count the UTC days that research may read."""
    store = CandleStore.of_workspace(one.workspace.home)
    bars = store.read(store.find(one.symbol, one.timeframe, one.workspace.config.environment.name))
    split = HoldOut(one.workspace).preview(bars, one.symbol, one.timeframe)
    read = len({int(ts // DAY_S) for ts in split.readable.ts.tolist()})
    status: Status = PASS if read >= LEAST_DAYS else WARN
    return status, f"{read:,} days may be read, {split.held:,} bars are held back; under {LEAST_DAYS} no Sharpe is told"


@question("held", "Is a part of the market still unseen?", "Say in the reason why it still proves something.")
def held(one: Setup) -> Found:
    """Count how often what is held back was looked at."""
    found = HoldOut(one.workspace).of(one.symbol, one.timeframe)
    share = one.workspace.config.research.holdout
    if found is None:
        return share > 0.0, f"the last {share:.0%} will be held back from the first try on" if share else "holdout = 0"
    looks = [opening.trial for opening in found.openings]
    status: Status = WARN if looks else PASS
    return status, f"since {wording.moment(found.since)} UTC, " + (
        f"opened by {', '.join(looks)}" if looks else "unopened"
    )


@question("costs", "Does it cost to trade?", "Write fee_bps and slippage_bps into [session] of the configuration.")
def costs(one: Setup) -> Found:
    """Look whether fee and slippage are above zero."""
    own = one.workspace.config.session
    return own.fee_bps + own.slippage_bps > 0.0, f"fee {own.fee_bps:g} and slippage {own.slippage_bps:g} basis points"


@question("ledger", "Is it known how often it was tried?", "`peaktrade audit verify` says what is broken.")
def ledger(one: Setup) -> Found:
    """Count the tries of the strategy on the market."""
    counted = TrialLedger(one.workspace).count(one.market)
    return True, f"{wording.many(counted, 'try', 'tries')} of {one.strategy} on this market so far"


@question(
    "still", "Is it studied, and not traded meanwhile?", "Stop it, or study it under another name.", otherwise=WARN
)
def still(one: Setup) -> Found:
    """Look whether sessions of the strategy run that count."""
    tier = Promotions(one.workspace).tier(get_strategy(one.strategy))
    rows = Views.of(one.workspace).rows(Query(strategy=one.strategy, status="started"))
    running = [row.run_id for row in rows if not row.rehearsal]
    may = "may run" if tier in MAY_RUN else "may only be studied and rehearsed"
    return not running, f"{one.strategy} is {tier}: it {may}; " + (
        f"running now: {', '.join(running)}" if running else "none runs"
    )


@question("counted", "Was it counted before it ran?", "Do not use it: what is not counted cannot be deflated.")
def counted(one: Setup) -> Found:
    """Look for it in the ledger."""
    known, so_far = TrialLedger(one.workspace).has(one.tried), TrialLedger(one.workspace).count(one.market)
    return known, f"{wording.many(so_far, 'try', 'tries')} ever begun here" if known else "it is not in the ledger"


@question(
    "kept", "Does it stand among the experiments as it was asked?", "Run it again: the same question is the same file."
)
def kept(one: Setup) -> Found:
    """Read its record again."""
    row = Experiments(one.workspace).known(one.tried)
    same = not row.fault and (row.strategy, row.symbol, row.timeframe) == tuple(one.market)
    return same, row.fault or f"{row.run_type}, {wording.many(row.trials, 'trial')}"


@question("unseen", "Was what is held back left alone?", "Say in the reason who looked, and why.", otherwise=WARN)
def unseen(one: Setup) -> Found:
    """Look for openings by what was tried."""
    found = HoldOut(one.workspace).of(one.symbol, one.timeframe)
    own = [opening for opening in found.openings if opening.trial.startswith(one.tried)] if found else []
    return not own, f"opened {wording.many(len(own), 'time')} for it" if own else "not opened for it"


BEFORE = (asked, candles, days, held, costs, ledger, still)
AFTER = (counted, kept, unseen, still)
