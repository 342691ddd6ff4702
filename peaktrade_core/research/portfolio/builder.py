"""The builder: from trials that nothing speaks against to a portfolio's file, and its own rule walked forward.

Candidates are the best trials of finished sweeps. They are taken by their deflated Sharpe ratio, the best first; one
that goes along with another that was taken is left out. Weights are those of the chosen method over the days that all
have in common. The same rule, over windows of the past, says what following it would have brought.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import iso
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import FAIL
from peaktrade_core.research.portfolio.account import run_portfolio, split
from peaktrade_core.research.portfolio.figures import curves
from peaktrade_core.research.portfolio.prepare import common_period, part_of, portfolio_market, resolve
from peaktrade_core.research.portfolio.preset import FOLDER, Built, Component, Portfolio, Rebalance, Risk, Weights
from peaktrade_core.research.portfolio.sleeve import SleevePlan
from peaktrade_core.research.portfolio.weights import Method, require_room, weigh
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.selection import deflated_sharpe
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.trial import LEAST_DAYS, Trial
from peaktrade_core.research.trials.verdict import chance, told
from peaktrade_core.session.identity import content_id
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show.wording import many, quote_currency
from peaktrade_core.trading.risk import DAY_S
from peaktrade_core.trading.strategies import MAY_RUN, all_strategies
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = 10_000  # weights are whole parts of so many, so that the file's sum is 1
TRAIN = 0.7  # share of a window in which the builder picks


class Wanted(NamedTuple):
    """What a portfolio is to be built from.

    Attributes:
        most: components; correlation: that none may have more of with another [fraction].
        objections: how many answers may speak against a trial; windows: of the walk-forward.
    """

    most: int = 5
    correlation: float = 0.7
    risk: Risk = "moderate"
    method: Method = "inverse_volatility"
    rebalance: Rebalance = "monthly"
    largest: float = 1.0
    objections: int = 0
    windows: int = 5


class SweptTrials(NamedTuple):
    """All trials of a finished sweep, as the builder sees them.

    Attributes:
        trials: those that ran; days: (m,) int64, since 1970; returns: (m, trials) float64 [fraction].
        counted: tries ever begun on its market.
    """

    record: SweepRecord
    market: TrialMarket
    trials: list[Trial]
    days: NDArray[np.int64]
    returns: NDArray[np.float64]
    counted: int


class CandidateTrial(NamedTuple):
    """A trial that may become a component.

    Attributes:
        deflated: Sharpe ratio, deflated by the tries on its market [probability].
        days, returns: (m,) of its UTC days; why_not: empty where it was taken.
    """

    name: str
    market: TrialMarket
    trial: Trial
    deflated: float
    days: NDArray[np.int64]
    returns: NDArray[np.float64]
    why_not: str = ""


class Draft(NamedTuple):
    """What the builder came to.

    Attributes:
        portfolio: as its file will say it; candidates: all of them, the taken ones first.
        left_out: sweeps whose best trial did not come in question, and why.
    """

    portfolio: Portfolio
    candidates: tuple[CandidateTrial, ...]
    left_out: tuple[tuple[str, str], ...]


def build(workspace: Workspace, name: str, wanted: Wanted) -> Draft:
    """Count the builder's own tries, pick, weigh, walk the rule forward, and return what came of it; nothing is written.

    Raises:
        ConfigError: no sweep has a trial that comes in question.
        ArtefactError, EnvironmentFault: a sweep or the ledger cannot be used.
    """
    tried = _tried(workspace)
    known, left_out = _candidates(tried, wanted.objections)
    if not known:
        close = "; ".join(f"{sweep}: {why}" for sweep, why in left_out[:3]) or "no sweep is finished"
        raise ConfigError(
            f"nothing to build from: none of {len(tried)} finished sweeps has a best trial that nothing speaks against "
            f"({close}). Run other sweeps (peaktrade sweep run); --objections 1 lets in what one answer speaks against"
        )
    ids = [one.name for one in known]
    build_id = content_id("pb", wanted, sorted(one.record.sweep_id for one in tried), ids)
    market = portfolio_market(known[0].market.symbol)
    TrialLedger(workspace).begin(build_id, market, 1 + wanted.windows, by=login(), question=f"builder: {name}")
    chosen = pick(known, wanted.most, wanted.correlation)
    taken = [one for one in chosen if not one.why_not]
    require_room(len(taken), wanted.largest)
    weights = Weights(method=wanted.method, rebalance=wanted.rebalance, largest=wanted.largest)
    inside, outside = _walked(workspace, tried, taken, wanted)
    built = Built(
        build_id=build_id, by=login(), at=iso(workspace.clock.now()), sweeps=len(tried), candidates=len(known),
        most=wanted.most, correlation=wanted.correlation, objections=wanted.objections, inside=tuple(inside),
        outside=tuple(outside),
    )  # fmt: skip
    shares = split(SHARES, weigh(wanted.method, _common(taken)[1], wanted.largest).tolist())
    components = tuple(
        msgspec.structs.replace(_component(workspace, one), weight=share / SHARES)
        for one, share in zip(taken, shares, strict=True)
    )
    portfolio = Portfolio(
        name=name, risk=wanted.risk, summary=f"built from {many(len(known), 'trial')} of {len(tried)} sweeps",
        component=components, weights=weights, built=built,
    )  # fmt: skip
    return Draft(portfolio, tuple(chosen), tuple(left_out))


def keep(workspace: Workspace, portfolio: Portfolio) -> Path:
    """Write a portfolio's file, ``config/portfolios/NAME.toml``, and return where it is.

    Raises:
        ConfigError: another one has that name already; EnvironmentFault: it cannot be written.
    """
    import tomli_w

    path = workspace.home / FOLDER / f"{portfolio.name}.toml"
    plain = msgspec.to_builtins(portfolio)
    slim = {key: value for key, value in plain.items() if key not in ("name", "judge")}
    slim["component"] = [{k: v for k, v in one.items() if v not in (None, {})} for one in slim["component"]]
    text = tomli_w.dumps(slim).encode()
    if path.exists():
        raise ConfigError(f"{path} is there already; give another --name, or move it away")
    write_atomic(path, text)
    return path


def pick(known: Sequence[CandidateTrial], most: int, correlation: float) -> list[CandidateTrial]:
    """Return the candidates, those that are taken first, the others with the reason why not.

    Args:
        most: how many are taken; correlation: that none may have more of with another that is taken [fraction].
    """
    taken: list[CandidateTrial] = []
    others: list[CandidateTrial] = []
    for one in sorted(known, key=lambda one: (-one.deflated, one.name)):
        why = _why_not(one, taken, most, correlation)
        (others if why else taken).append(one._replace(why_not=why))
    return taken + others


def _why_not(one: CandidateTrial, taken: Sequence[CandidateTrial], most: int, correlation: float) -> str:
    """Return why a candidate is left out, or an empty string."""
    if len(taken) == most:
        return f"{most} are taken"
    for other in taken:
        if one.market[:2] == other.market[:2]:
            return f"{one.market.strategy} on {one.market.symbol} is taken: {other.name}"
        if quote_currency(one.market.symbol) != quote_currency(other.market.symbol):
            return f"the account is in {quote_currency(other.market.symbol)}"
        days, both = _common([one, other])
        if len(days) < LEAST_DAYS:
            return f"only {len(days)} days in common with {other.name}"
        if not (both.std(axis=0) > 0.0).all():
            return "it did not move"
        alike = float(np.atleast_2d(np.corrcoef(both, rowvar=False))[0, 1])
        if alike > correlation:
            return f"correlation {alike:.2f} with {other.name}"
    return ""


def _common(candidates: Sequence[CandidateTrial]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the days that all have, (m,), and their returns on them, (m, n)."""
    days = candidates[0].days
    for one in candidates[1:]:
        days = np.intersect1d(days, one.days)
    return days, np.column_stack([one.returns[np.searchsorted(one.days, days)] for one in candidates])


def _tried(workspace: Workspace) -> list[SweptTrials]:
    """Return all finished sweeps of strategies that a fleet would run, with the returns of their trials."""
    store, ledger, found = SweepStore(workspace), TrialLedger(workspace), []
    session, promotions = workspace.config.session, Promotions(workspace)
    for sweep_id in sorted(store.ids()):
        record = store.load(sweep_id)
        if record.ended_at is None or not _may_run(promotions, record.sweep.strategy):
            continue
        asked = record.asked
        market = TrialMarket(asked.strategy, asked.symbol or session.symbol, asked.timeframe or session.timeframe)
        trials = [one for one in store.trials(sweep_id) if not one.error]
        days, _ = store.marks(sweep_id)
        returns = store.returns(sweep_id, session.start_balance)
        found.append(SweptTrials(record, market, trials, days, returns, ledger.count(market)))
    return found


def _may_run(promotions: Promotions, strategy: str) -> bool:
    """Return whether a fleet would run a strategy: it is known here, and its tier may."""
    known = {one.name: one for one in all_strategies()}
    return strategy in known and promotions.tier(known[strategy]) in MAY_RUN


def _candidates(tried: Sequence[SweptTrials], objections: int) -> tuple[list[CandidateTrial], list[tuple[str, str]]]:
    """Return the best trials that not more than so many answers speak against, and why the others are left out."""
    known, left_out = [], []
    for one in tried:
        against = sum(check.status == FAIL for check in one.record.verdict)
        if one.record.best is None or against > objections:
            left_out.append((one.record.sweep_id, told(one.record.verdict)))
            continue
        at = [trial.number for trial in one.trials].index(one.record.best)
        known.append(_candidate(one, at, slice(None)))
    return known, left_out


def _candidate(one: SweptTrials, at: int, days: slice) -> CandidateTrial:
    """Return a trial of a sweep as a candidate, seen on some days."""
    returns = one.returns[days]
    share, variance = chance(one.trials, returns)
    if len(returns) < len(one.returns):  # in a window the ratios are those of the window
        ratios = returns.mean(axis=0) / np.where(returns.std(axis=0) > 0.0, returns.std(axis=0, ddof=1), np.inf)
        variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    value = deflated_sharpe(returns[:, at], max(1.0, share * one.counted), variance)
    trial = one.trials[at]
    deflated = float(np.nan_to_num(value, nan=0.0))
    return CandidateTrial(
        f"{one.record.sweep_id}#{trial.number}", one.market, trial, deflated, one.days[days], returns[:, at]
    )


def _component(workspace: Workspace, one: CandidateTrial) -> Component:
    """Return a candidate as a component that says everything itself, and from which trial it comes."""
    return resolve(workspace, Component(trial=one.name)).component


def _walked(
    workspace: Workspace, tried: Sequence[SweptTrials], taken: Sequence[CandidateTrial], wanted: Wanted
) -> tuple[list[float], list[float]]:
    """Return the mean daily gain of the rule in each window and after it, each with a fresh account.

    In a window every finished sweep offers the trial that was best there: what their verdicts said is of later days.
    """
    same = [one for one in tried if quote_currency(one.market.symbol) == quote_currency(taken[0].market.symbol)]
    inside: list[float] = []
    outside: list[float] = []
    for begin, cut, end in _windows(same, wanted.windows):
        known = []
        for one in same:
            days = slice(int(np.searchsorted(one.days, begin)), int(np.searchsorted(one.days, cut)))
            part = one.returns[days]
            if len(part) > 1 and part.shape[1] and (spread := part.std(axis=0, ddof=1)).any():
                ratios = np.where(spread > 0.0, part.mean(axis=0) / np.where(spread > 0.0, spread, 1.0), -np.inf)
                known.append(_candidate(one, int(ratios.argmax()), days))
        picked = [one for one in pick(known, wanted.most, wanted.correlation) if not one.why_not] if known else []
        try:
            gained = [_gain(workspace, picked, wanted, *when) for when in ((begin, cut), (cut, end))] if picked else []
        except DataError:  # their candles do not reach so far
            continue
        if gained:
            inside.append(gained[0])
            outside.append(gained[1])
    return inside, outside


def _windows(tried: Sequence[SweptTrials], windows: int) -> Iterator[tuple[int, int, int]]:
    """Yield the windows over the days that all sweeps have: where each begins, where picking ends, where it ends [days]."""
    first = max((int(one.days[0]) for one in tried if len(one.days)), default=0)
    last = min((int(one.days[-1]) + 1 for one in tried if len(one.days)), default=0)
    size = (last - first) / (windows * (1.0 - TRAIN) + TRAIN) if windows else 0.0
    for number in range(windows):
        begin, cut = first + number * size * (1.0 - TRAIN), first + size * (TRAIN + number * (1.0 - TRAIN))
        end = cut + size * (1.0 - TRAIN)
        if end - cut >= 2.0 and cut - begin >= LEAST_DAYS:
            yield round(begin), round(cut), round(end)


def _gain(workspace: Workspace, picked: Sequence[CandidateTrial], wanted: Wanted, begin: int, end: int) -> float:
    """Return the mean daily gain of picked trials between two days [fraction].

    Raises:
        DataError: they have no bars then.
    """
    _, returns = _common(picked)
    largest = max(wanted.largest, 1.0 / len(picked))
    first = weigh(wanted.method, returns, largest).tolist()
    balance = workspace.config.session.start_balance
    bare = Portfolio(name="window", risk=wanted.risk, component=(Component(trial="window"),))
    parts: list[SleevePlan] = []
    for one, share in zip(picked, first, strict=True):
        part, _, _ = part_of(workspace, bare, _component(workspace, one), max(share, 1e-6) * balance, None)
        parts.append(part)
    cut = common_period(parts, begin * DAY_S, end * DAY_S)
    ran = run_portfolio(cut, Weights(method="equal", rebalance="never"), first, workspace.compiled)
    return float(curves(ran).account.mean())
