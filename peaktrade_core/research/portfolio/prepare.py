"""From a portfolio's file to sleeves that can run: trials looked up, candles read and cut, one common period, an id."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.base.question import FAIL
from peaktrade_core.candles.replay import bars_of
from peaktrade_core.candles.store import stored_folder
from peaktrade_core.changes.code import code_digest
from peaktrade_core.research.portfolio.account import split
from peaktrade_core.research.portfolio.curve import CENTS
from peaktrade_core.research.portfolio.preset import Component, Portfolio, refuse_overlap
from peaktrade_core.research.portfolio.sleeve import SleevePlan
from peaktrade_core.research.trials.holdout import HoldOut, Split
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.session.identity import bars_digest, content_id, decision_id, described
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.synthetic import START_TS
from peaktrade_core.session.tiers import refuse_tier
from peaktrade_core.show import wording
from peaktrade_core.show.wording import quote_currency
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.trading.risk import DAY_S, above
from peaktrade_core.workspace.workspace import Workspace

_GROWTH = 1.5  # of a sleeve, up to which it is told that its orders become too large


class SweptTrial(NamedTuple):
    """A trial of a sweep."""

    record: SweepRecord
    trial: Trial

    @property
    def stands(self) -> bool:
        """Whether it is the best trial of its sweep, was judged, and nothing speaks against it."""
        verdict = self.record.verdict
        return self.trial.number == self.record.best and bool(verdict) and all(one.status != FAIL for one in verdict)

    @property
    def verdict(self) -> str:
        """What was said of it: of the best trial of its sweep the verdict, of others that there is none."""
        return told(self.record.verdict) if self.trial.number == self.record.best else "not the best trial of its sweep"


class Resolved(NamedTuple):
    """A component with everything that it leaves to its trial or to the configuration.

    Attributes:
        component: with strategy, symbol, timeframe and params; trial: where it comes from a sweep.
    """

    component: Component
    trial: SweptTrial | None


class ReadyPortfolio(NamedTuple):
    """A portfolio that is ready to run; nothing is counted and nothing written, but for the beginning of a hold-out.

    Attributes:
        portfolio_id: of its content; empty over the embedded market, which is no research.
        parts, first, components: by component: what runs, its share at the beginning, what it was resolved to.
        begin, end: of the common period [s since epoch]; held: bars held back, of all components; unseen: of the first and
            to the end of the last of them [s since epoch], None for none.
        remarks: what a person should know of it.
    """

    portfolio: Portfolio
    portfolio_id: str
    parts: tuple[SleevePlan, ...]
    first: tuple[float, ...]
    components: tuple[Resolved, ...]
    begin: float
    end: float
    held: int
    unseen: tuple[float, float] | None
    start_balance: float
    remarks: tuple[str, ...]
    cache: Path

    @property
    def market(self) -> TrialMarket:
        """On what the portfolio as a whole is tried."""
        return portfolio_market(self.parts[0].symbol)

    def markets(self) -> list[TrialMarket]:
        """Return on what each component is tried."""
        return [
            TrialMarket(part.decision.strategy.name, part.symbol, str(one.component.timeframe))
            for part, one in zip(self.parts, self.components, strict=True)
        ]


def portfolio_market(symbol: str) -> TrialMarket:
    """Return on what portfolios are tried: all those of one currency count together, whatever is in them."""
    return TrialMarket("portfolio", f"*/{quote_currency(symbol)}", "*")


def resolve(workspace: Workspace, component: Component) -> Resolved:
    """Return a component with what its trial, or else the configuration, says of it.

    Raises:
        ConfigError: the trial does not exist, or what stands beside it does not agree.
    """
    if component.trial is None:
        return Resolved(
            msgspec.structs.replace(component, timeframe=component.timeframe or workspace.config.session.timeframe),
            None,
        )
    store = SweepStore(workspace)
    trial = store.trial(component.trial)
    found = SweptTrial(store.load(component.trial.partition("#")[0]), trial)
    if trial.error:
        raise ConfigError(f"{component.trial}: {found.trial.error}")
    sweep, session = found.record.asked, workspace.config.session
    own: dict[str, Any] = {
        "strategy": sweep.strategy, "symbol": sweep.symbol or session.symbol,
        "timeframe": sweep.timeframe or session.timeframe,
        "params": found.trial.params,
        "candles": sweep.candles, "warmup_candles": sweep.warmup_candles,
    }  # fmt: skip
    for name in ("strategy", "symbol", "timeframe", "params"):
        said = getattr(component, name)
        if said and said != own[name]:
            raise ConfigError(f"trial {component.trial} has {name} = {own[name]!r}, and beside it stands {said!r}")
    given = {name: getattr(component, name) for name in ("candles", "warmup_candles")}
    own |= {name: value for name, value in given.items() if value is not None}
    return Resolved(msgspec.structs.replace(component, **own), found)


def prepare(workspace: Workspace, portfolio: Portfolio, *, days: float | None = None) -> ReadyPortfolio:
    """Check everything that a portfolio needs and read its candles.

    Args:
        days: length of the embedded market [UTC days]; None for candles.

    Raises:
        ConfigError, UnknownNameError: a setting is wrong; TierNotAllowedError: a fleet would not run a component.
        DataError: candles are missing, or have no common period.
    """
    components = [resolve(workspace, one) for one in portfolio.component]
    refuse_overlap([(str(one.component.strategy), str(one.component.symbol)) for one in components])
    balance = workspace.config.session.start_balance
    cents, first = round(balance * CENTS), portfolio.shares()
    parts: list[SleevePlan] = []
    splits: list[Split] = []
    remarks: list[str] = []
    warm = [_warmup(workspace, one.component) for one in components]
    begin = START_TS + max(
        n * timeframe_seconds(str(c.component.timeframe)) for n, c in zip(warm, components, strict=True)
    )
    for resolved, share in zip(components, split(cents, first), strict=True):
        market = None if days is None else Embedded(_seed(components, resolved, workspace), begin + days * DAY_S)
        part, cut, said = part_of(workspace, portfolio, resolved.component, share / CENTS, market)
        parts.append(part)
        splits.append(cut)
        remarks += [one for one in said if one not in remarks]
    found = common_period(parts)
    begin, end = _period(found)
    asked = {"weights": portfolio.weights, "risk": portfolio.risk, "judge": portfolio.judge, "first": first}
    digests = [
        (described(one.decision), code_digest(one.decision.strategy), bars_digest(one.bars), one.warmup)
        for one in found
    ]
    portfolio_id = content_id("pf", asked, digests) if days is None else ""
    return ReadyPortfolio(
        portfolio, portfolio_id, tuple(found), tuple(first), tuple(components), begin, end,
        sum(one.held for one in splits), _unseen(parts, splits), balance, tuple(remarks), workspace.compiled,
    )  # fmt: skip


def _unseen(parts: list[SleevePlan], splits: list[Split]) -> tuple[float, float] | None:
    """Return from when to when something of a component is held back [s since epoch]; None where nothing is."""
    held = [
        (cut.since.timestamp(), cut.since.timestamp() + cut.held * part.decision.bar_s)
        for part, cut in zip(parts, splits, strict=True) if cut.since is not None and cut.held
    ]  # fmt: skip
    return (min(first for first, _ in held), max(last for _, last in held)) if held else None


class Embedded(NamedTuple):
    """A stretch of the embedded market."""

    seed: int
    end: float


def _warmup(workspace: Workspace, component: Component) -> int:
    return workspace.config.session.warmup_candles if component.warmup_candles is None else component.warmup_candles


def _seed(components: list[Resolved], one: Resolved, workspace: Workspace) -> int:
    """Return the seed of a symbol's market: the same for the same symbol, the configured one for the first by name."""
    symbols = sorted({str(other.component.symbol) for other in components})
    return workspace.config.session.seed + symbols.index(str(one.component.symbol))


def part_of(
    workspace: Workspace, portfolio: Portfolio, component: Component, balance: float, market: Embedded | None
) -> tuple[SleevePlan, Split, tuple[str, ...]]:
    """Return what a component runs, what of its bars is held back, and what to know of it."""
    symbol, timeframe = str(component.symbol), str(component.timeframe)
    if market is not None:
        steps = math.ceil((market.end - START_TS) / timeframe_seconds(timeframe)) - _warmup(workspace, component)
        source: dict[str, Any] = {"feed": "synthetic", "seed": market.seed, "steps": steps}
    else:
        source = {"candles": component.candles or stored_folder(workspace, symbol, timeframe)}
    plan = plan_session(
        workspace, strategy=component.strategy, params=component.params, symbol=symbol, timeframe=timeframe,
        warmup_candles=component.warmup_candles, position_fraction=portfolio.position_fraction, start_balance=balance,
        **source,
    )  # fmt: skip
    refuse_tier(plan.config.strategy_name, plan.tier)  # what a fleet would refuse
    warmup = plan.config.warmup_candles
    bars = bars_of(plan.feed, None if market is None else warmup + int(plan.config.steps or 0))
    cut = Split(bars, 0, None) if market else HoldOut(workspace).readable(bars, symbol, timeframe)
    if len(cut.readable) <= warmup:
        back = f", {cut.held:,} more are held back" if cut.held else ""
        raise DataError(
            f"{symbol} {timeframe} has {len(cut.readable):,} bars that may be read{back}, and the warm-up takes {warmup:,}: "
            "nothing is left to trade; lower warmup_candles, or take more candles"
        )
    part = SleevePlan(f"{component.strategy} {symbol} {timeframe}", symbol, plan.decision, cut.readable, warmup)
    most = portfolio.weights.largest if portfolio.weights.changes else 0.0
    told = too_large(part, balance, most * workspace.config.session.start_balance, quote_currency(symbol))
    return part, cut, (*plan.remarks, *told)


def too_large(part: SleevePlan, balance: float, largest: float, currency: str) -> tuple[str, ...]:
    """Return what to know of a component's orders beside ``max_order_notional``, which holds whatever a preset wants.

    Args:
        part: the component; balance: what its sleeve begins with; largest: what its weights may give it [quote ccy].
    """
    market, limit = part.decision.market, part.decision.limits.max_order_notional
    share = market.position_fraction * (1.0 + market.slippage)
    room = limit / share
    if not above(_GROWTH * max(balance, largest), room):
        return ()
    may = f" (its weight may make that {wording.money(largest, currency)})" if largest > balance else ""
    then = "so its orders would be denied" if above(balance, room) else "beyond that its orders are denied"
    return (
        f"max_order_notional = {limit:g} lets a sleeve trade that holds at most {wording.money(room, currency)}; "
        f"one begins with {wording.money(balance, currency)}{may}: {then}",
    )


def common_period(parts: list[SleevePlan], begin: float = -math.inf, end: float = math.inf) -> list[SleevePlan]:
    """Return components cut to the time in which all of them can trade, each with its warm-up before it.

    Args:
        begin, end: narrow it further [s since epoch].

    Raises:
        DataError: there is no such time.
    """
    begins = [float(part.bars.ts[part.warmup]) for part in parts]
    ends = [float(part.bars.ts[-1]) + part.decision.bar_s for part in parts]
    begin, end = max(begin, *begins), min(end, *ends)
    cut = []
    for part in parts:
        at = int(part.bars.ts.searchsorted(begin))
        to = int((part.bars.ts + part.decision.bar_s).searchsorted(end, "right"))
        if to <= at:
            late, early = begins.index(max(begins)), ends.index(min(ends))
            raise DataError(
                f"the components have no common period: {parts[late].name} trades only from {utc(from_seconds(begins[late]))} "
                f"on (after {wording.many(parts[late].warmup, 'bar')} of warm-up), {parts[early].name} only until "
                f"{utc(from_seconds(ends[early]))}; take candles of the same time"
            )
        cut.append(part._replace(bars=part.bars.part(at - part.warmup, to)))
    return cut


def _period(parts: list[SleevePlan]) -> tuple[float, float]:
    """Return when the first of the components begins to trade, and when the last of them ends [s since epoch]."""
    return (
        min(float(part.bars.ts[part.warmup]) for part in parts),
        max(float(part.bars.ts[-1]) + part.decision.bar_s for part in parts),
    )


def count(workspace: Workspace, ready: ReadyPortfolio) -> int:
    """Count the tries of a portfolio, before it runs, and return how many were ever begun on its markets.

    Each component is a try on its market, as its backtest would be; the portfolio is one more on all of them.

    Raises:
        ArtefactError, EnvironmentFault: the ledger is damaged or cannot be written: nothing may be tried.
    """
    ledger, by, question = TrialLedger(workspace), login(), ready.portfolio.summary or ready.portfolio.name
    for part, market in zip(ready.parts, ready.markets(), strict=True):
        same = content_id("bt", decision_id(part.decision), bars_digest(part.bars), part.warmup)
        ledger.begin(same, market, 1, by=by, question=question)
    ledger.begin(ready.portfolio_id, ready.market, 1, by=by, question=question)
    return sum(ledger.count(market) for market in {ready.market, *ready.markets()})
