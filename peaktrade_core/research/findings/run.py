"""Running a finding: states, count, returns of the seen part, and the second look at the unseen part, each market its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import DataError
from peaktrade_core.base.question import Check
from peaktrade_core.changes.code import code_digest
from peaktrade_core.research.findings.chance import block_length, bootstrap_interval, holm, shuffled_p, stretches
from peaktrade_core.research.findings.spec import Finding, MarketAsked
from peaktrade_core.research.findings.states import Labels, after, labels
from peaktrade_core.research.forward.now import OnMarket, Source, on_market
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.store import RecordKind, Store
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.verdict import answer
from peaktrade_core.session.identity import bars_digest, content_id
from peaktrade_core.trading.market import DAY_S, Bars
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOO_FEW, NOTHING, HOLDS, FAILS, UNSEEN_FEW = (
    "too few", "chance explains it", "holds in the unseen part", "not in the unseen part", "too few unseen",
)  # fmt: skip
MADE_UP_DAYS = 400.0


class StateFound(msgspec.Struct, frozen=True, kw_only=True):
    """What follows one state on one market.

    Attributes:
        symbol, timeframe, state: which; word: what can be said of it, one of ``too few``, ``chance explains it``, ``holds
            in the unseen part``, ``not in the unseen part``, ``too few unseen``.
        days, stretches, count: UTC days, separate stretches and bars in the state, in the seen part.
        mean, low, high: of the return after it, with the 95 % interval; market: mean after all bars [fraction].
        p: two-sided; p_holm: for all states that were ever asked; null where it is too few.
        unseen_days, unseen_mean, unseen_market, unseen_p: of the unseen part, p one-sided; null where it was not looked at.
    """

    symbol: str
    timeframe: str
    state: str
    word: str
    days: int
    stretches: int
    count: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    market: float | None = None
    p: float | None = None
    p_holm: float | None = None
    unseen_days: int = 0
    unseen_mean: float | None = None
    unseen_market: float | None = None
    unseen_p: float | None = None


class FindingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a finding.

    Attributes:
        finding_id: of its content, empty over a made-up market; finding: as its file says it; by, at: who and when, aware UTC.
        tests: states that were ever asked about on its markets, these included; held: bars that were held back.
        unseen_from: by market, where its unseen part begins, aware UTC; errors: by market, why it could not be asked.
        rows: by market and state; verdict: what can be said.
    """

    finding_id: str
    finding: Finding
    by: str
    at: datetime
    tests: int
    held: int
    unseen_from: dict[str, datetime]
    errors: dict[str, str]
    rows: tuple[StateFound, ...]
    verdict: tuple[Check, ...]


class FindingStore(Store[FindingRecord]):
    """The findings of a workspace: a file each, ``reports/experiments/findings/<id>.json``."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, RecordKind("finding", "fd"), FindingRecord)


class ReadyMarket(NamedTuple):
    """A market with its states; no return was looked at.

    Attributes:
        bars: that may be read; held: that may not; labels: of the bars; split: first bar of the unseen part.
    """

    asked: MarketAsked
    found: OnMarket
    bars: Bars
    held: int
    labels: Labels
    split: int

    @property
    def name(self) -> str:
        """Of the market."""
        return f"{self.asked.symbol} {self.asked.timeframe}"

    @property
    def trial_market(self) -> TrialMarket:
        """On what it counts: all findings on one market count together."""
        return TrialMarket("finding", self.asked.symbol, self.asked.timeframe)


def run_finding(workspace: Workspace, finding: Finding, source: Source = "stored") -> FindingRecord:
    """Count a finding, ask it, keep and return it; one that is known is not asked again.

    Raises:
        ConfigError, UnknownNameError: a setting is wrong; DataError: not one of its markets can be asked.
        ArtefactError, EnvironmentFault: hold-out or ledger cannot be used: nothing is looked at.
    """
    ready, errors = list[ReadyMarket](), dict[str, str]()
    for place, asked in enumerate(finding.market):
        try:
            ready.append(_prepare(workspace, finding, asked, source, place))
        except DataError as error:
            errors[f"{asked.symbol} {asked.timeframe}"] = str(error)
    if not ready:
        raise DataError("; ".join(errors.values()))
    finding_id, tests, store = "", sum(len(one.labels.names) for one in ready), FindingStore(workspace)
    if source == "stored":
        finding_id = _id(finding, ready)
        tests = sum(_count(workspace, finding, finding_id, one) for one in ready)
        if store.has(finding_id):
            return store.load(finding_id)
    rows = _judged(finding, [row for one in ready for row in _asked(finding, one)], tests, ready)
    record = FindingRecord(
        finding_id=finding_id, finding=finding, by=login(), at=workspace.clock.now(), tests=tests,
        held=sum(one.held for one in ready), errors=errors, rows=tuple(rows), verdict=tuple(_verdict(finding, rows)),
        unseen_from={one.name: from_seconds(float(one.bars.ts[one.split])) for one in ready},
    )  # fmt: skip
    if finding_id:
        store.save(record)
    return record


def _prepare(workspace: Workspace, finding: Finding, asked: MarketAsked, source: Source, place: int) -> ReadyMarket:
    """Return a market with its states.

    Raises:
        ConfigError: a setting is wrong; DataError: there are too few candles, or they cannot be read.
    """
    states = finding.states
    component = Component(
        strategy=states.strategy or workspace.config.session.strategy, params=states.params, symbol=asked.symbol,
        timeframe=asked.timeframe, candles=asked.candles, warmup_candles=states.warmup if states.strategy else 0,
    )  # fmt: skip
    found = on_market(workspace, component, source, place, MADE_UP_DAYS)
    bars, held = found.bars, 0
    if source == "stored":
        bars, held, _ = HoldOut(workspace).readable(bars, asked.symbol, asked.timeframe)
    split = round(len(bars) * (1.0 - finding.unseen))
    if split <= finding.horizon or len(bars) - split <= finding.horizon or len(bars) <= states.warmup:
        raise DataError(
            f"{asked.symbol} {asked.timeframe} has {len(bars):,} bars that may be read: too few for {finding.horizon} "
            "bars after a state, in the seen part and in the unseen one"
        )
    cache = workspace.compiled
    return ReadyMarket(asked, found, bars, held, labels(states, bars, found.plan.decision, cache), split)


def _id(finding: Finding, ready: Sequence[ReadyMarket]) -> str:
    asked = msgspec.to_builtins(finding)
    for market in asked["market"]:
        market.pop("candles")  # where they lie changes nothing
    code = code_digest(ready[0].found.plan.decision.strategy) if finding.states.strategy else ""
    params = ready[0].found.plan.decision.params._asdict() if finding.states.strategy else {}
    return content_id("fd", asked, params, code, [(one.name, bars_digest(one.bars)) for one in ready])


def _count(workspace: Workspace, finding: Finding, finding_id: str, one: ReadyMarket) -> int:
    """Count the states of one market, and return how many were ever asked about on it."""
    ledger = TrialLedger(workspace)
    same = content_id("fd", finding_id, one.name)
    ledger.begin(same, one.trial_market, len(one.labels.names), by=login(), question=finding.question)
    return ledger.count(one.trial_market)


class MarketPart(NamedTuple):
    """Bars of a part of a market: returns after them, states, and UTC days [since 1970]; all (n,)."""

    returns: NDArray[np.float64]
    at: NDArray[np.int64]
    day: NDArray[np.int64]


def _part(finding: Finding, one: ReadyMarket, begin: int, end: int) -> MarketPart:
    """Return the bars of ``[begin, end)`` whose state and return are known; no return reaches over the end."""
    bar_s = one.found.plan.decision.bar_s
    bars = one.bars.part(begin, end)
    returns, at = after(bars, bar_s, finding.horizon), one.labels.at[begin:end]
    known = np.isfinite(returns) & (at >= 0)
    return MarketPart(returns[known], at[known], ((bars.ts[known] + bar_s) // DAY_S).astype(np.int64))


def _block(finding: Finding, one: ReadyMarket, part: MarketPart) -> int:
    a_day = DAY_S / one.found.plan.decision.bar_s
    return block_length(part.at, max(finding.horizon, math.ceil(finding.block_days * a_day)))


def _independent(finding: Finding, one: ReadyMarket, part: MarketPart, state: int) -> int:
    """Return how many independent days a state has: its UTC days, and where a return takes longer than one, fewer."""
    span = max(1.0, finding.horizon * one.found.plan.decision.bar_s / DAY_S)
    return int(len(np.unique(part.day[part.at == state])) / span)


def _asked(finding: Finding, one: ReadyMarket) -> list[StateFound]:
    """Return each state of a market as the seen part has it."""
    part = _part(finding, one, 0, one.split)
    if not len(part.returns):
        return []
    block, states = _block(finding, one, part), len(one.labels.names)
    both, _ = shuffled_p(part.returns, part.at, states, block, finding.draws, finding.seed)
    rows = []
    for state, name in enumerate(one.labels.names):
        inside = part.at == state
        days, apart = _independent(finding, one, part, state), stretches(inside)
        row = StateFound(
            symbol=one.asked.symbol, timeframe=one.asked.timeframe, state=name, word=TOO_FEW, days=days, stretches=apart,
            count=int(inside.sum()), market=float(part.returns.mean()),
        )  # fmt: skip
        if days >= finding.least_days and apart >= finding.least_stretches:
            low, high = bootstrap_interval(part.returns, inside, block, finding.draws, finding.seed)
            mean = float(part.returns[inside].mean())
            row = msgspec.structs.replace(row, word=NOTHING, mean=mean, low=low, high=high, p=float(both[state]))
        rows.append(row)
    return rows


def _judged(finding: Finding, rows: list[StateFound], tests: int, ready: Sequence[ReadyMarket]) -> list[StateFound]:
    """Return the states with what Holm leaves of them, and the unseen part of those that are left."""
    tested = [at for at, row in enumerate(rows) if row.p is not None]
    for at, value in zip(tested, holm([rows[at].p or 0.0 for at in tested], tests), strict=True):
        rows[at] = msgspec.structs.replace(rows[at], p_holm=value)
    for one in ready:
        mine = [at for at in tested if (rows[at].symbol, rows[at].timeframe) == (one.asked.symbol, one.asked.timeframe)]
        left = [at for at in mine if (rows[at].p_holm or 0.0) <= finding.alpha]
        if left:
            part = _part(finding, one, one.split, len(one.bars))
            _, side = shuffled_p(
                part.returns, part.at, len(one.labels.names), _block(finding, one, part), finding.draws, finding.seed
            )
            for at in left:
                rows[at] = _second_look(finding, one, rows[at], part, side)
    return rows


def _second_look(
    finding: Finding, one: ReadyMarket, row: StateFound, part: MarketPart, side: NDArray[np.float64]
) -> StateFound:
    """Return a state with what the unseen part says of it."""
    state = one.labels.names.index(row.state)
    inside, days = part.at == state, _independent(finding, one, part, state)
    if not inside.any():
        return msgspec.structs.replace(row, word=UNSEEN_FEW)
    mean, market = float(part.returns[inside].mean()), float(part.returns.mean())
    same = (mean - market) * ((row.mean or 0.0) - (row.market or 0.0)) > 0.0
    p = float(side[state]) if same else 1.0
    enough = days >= finding.least_days // 2 and stretches(inside) >= finding.least_stretches // 2
    word = UNSEEN_FEW if not enough else HOLDS if same and p <= finding.alpha else FAILS
    return msgspec.structs.replace(row, word=word, unseen_days=days, unseen_mean=mean, unseen_market=market, unseen_p=p)


def _verdict(finding: Finding, rows: Sequence[StateFound]) -> list[Check]:
    """Return what can be said of a finding: whether it is more than chance, holds unseen, and on other markets."""
    tested = [row for row in rows if row.p is not None]
    few = [row for row in rows if row.word == TOO_FEW]
    left = [row for row in tested if (row.p_holm or 0.0) <= finding.alpha]
    hold = [row for row in left if row.word == HOLDS]
    least = f"at least {finding.least_days} independent days and {finding.least_stretches} stretches"
    best = min(tested, key=lambda row: row.p_holm or 0.0, default=None)
    said = "no state has enough" if best is None else (
        f"{len(left)} of {len(tested)} states; the smallest p after Holm is {best.p_holm:.3f} ({best.symbol} {best.state})"
    )  # fmt: skip
    found = [
        answer(
            "enough",
            "Is there enough to judge every state?",
            not few,
            f"{len(few)} of {len(rows)} have too few; {least}",
        ),
        answer("chance", "Is what follows a state more than chance?", bool(left) if tested else None, said),
    ]
    names = ", ".join(f"{row.symbol} {row.state}" for row in hold) or "none"
    unknown = bool(left) and all(row.word == UNSEEN_FEW for row in left)
    holds = None if unknown or not left else bool(hold)
    said = f"{len(hold)} of {len(left)}: {names}" if left else "there is nothing to look for"
    found.append(answer("unseen", "Does it hold in the part that was not seen?", holds, said))
    where = {state: {row.symbol for row in hold if row.state == state} for state in {row.state for row in hold}}
    most = max((len(one) for one in where.values()), default=0)
    markets = len({(row.symbol, row.timeframe) for row in rows})
    crossed = None if markets < 2 or not left else most >= 2
    found.append(answer("cross", "Does it hold on more than one market?", crossed, f"on {most} of {markets} at most"))
    return found
