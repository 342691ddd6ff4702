"""A portfolio's run: sleeves on one clock, the account asked in the order of bars, cash moved at 00:00 UTC.

At one moment the sleeves come in the order of their symbols, and each hears what those before it did. What they use of
the account, and whether an order fits, is what the sessions of a fleet tell and ask
(:mod:`peaktrade_core.trading.account`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.research.backtest import BacktestResult
from peaktrade_core.research.portfolio.curve import CENTS, Levels, Transfer, cash_moved, day_returns
from peaktrade_core.research.portfolio.preset import Rebalance, Weights
from peaktrade_core.research.portfolio.sleeve import PendingOrder, Sleeve, SleevePlan
from peaktrade_core.research.portfolio.weights import weigh
from peaktrade_core.trading.account import check_account, totals
from peaktrade_core.trading.risk import DAY_S, OK, RiskVerdict


class Refusal(NamedTuple):
    """An opening order for which the account had no room.

    Attributes:
        sleeve: number of it; at: close at which it was decided [s since epoch]; verdict: why, with the account's figures.
    """

    sleeve: int
    at: float
    verdict: RiskVerdict


class Ran(NamedTuple):
    """What a portfolio did.

    Attributes:
        sleeves: by component, as backtests, whose account holds the cash that came and went, too.
        transfers, refusals: in the order of time.
    """

    sleeves: tuple[BacktestResult, ...]
    transfers: tuple[Transfer, ...]
    refusals: tuple[Refusal, ...]


def run_portfolio(
    parts: Sequence[SleevePlan], weights: Weights, first: Sequence[float], cache: Path | None = None
) -> Ran:
    """Run the components of a portfolio over the bars that they have, which begin to trade and end at the same time.

    Args:
        parts: the components; weights: how the account is divided again; first: shares at the beginning [fraction].
        cache: folder for compiled code; None compiles in memory only.

    Raises:
        DataError, StrategyError: as a backtest.
        EnvironmentFault: the weights cannot be computed.
    """
    sleeves = [Sleeve(part, cache) for part in parts]
    begin = min(float(sleeve.opens[0]) for sleeve in sleeves)
    end = max(float(sleeve.closes[-1]) for sleeve in sleeves)
    transfers: list[Transfer] = []
    refusals: list[Refusal] = []
    for moment in midnights(weights.rebalance, begin, end):
        refusals += _run_until(sleeves, moment)
        wanted = _wanted(sleeves, transfers, weights, first, moment)
        have, free = [round(one.equity * CENTS) for one in sleeves], [int(one.free_cash() * CENTS) for one in sleeves]
        cents = moves(have, free, wanted, weights.least)
        if any(cents):
            transfers.append(Transfer(moment, tuple(wanted), tuple(cents)))
            for sleeve, amount in zip(sleeves, cents, strict=True):
                if amount:
                    sleeve.transfer(amount / CENTS)
    refusals += _run_until(sleeves, math.inf)
    return Ran(tuple(sleeve.result() for sleeve in sleeves), tuple(transfers), tuple(refusals))


def _run_until(sleeves: Sequence[Sleeve], moment: float) -> list[Refusal]:
    """Run all bars that close until a moment and return what the account refused.

    The first order of all that wait is the one to answer: what the others did before it is certain.
    """
    ends = [sleeve.reach(moment) for sleeve in sleeves]
    order = sorted(range(len(sleeves)), key=lambda at: (sleeves[at].part.symbol, at))
    refused: list[Refusal] = []
    while True:
        waiting = [
            (asked.close_ts, rank, at, asked)
            for rank, at in enumerate(order)
            if (asked := sleeves[at].next_order(ends[at])) is not None
        ]
        if not waiting:
            return refused
        close_ts, rank, at, asked = min(waiting, key=lambda one: one[:2])
        verdict = _answer(sleeves, order, rank, asked)
        if verdict.code == OK:
            sleeves[at].accept()
        else:
            sleeves[at].refuse(verdict)
            refused.append(Refusal(at, close_ts, verdict))


def _answer(sleeves: Sequence[Sleeve], order: Sequence[int], rank: int, asked: PendingOrder) -> RiskVerdict:
    """Return what the account says to an order of the sleeve that is ``rank``-th at its moment."""
    seats = (sleeves[at].share(asked.close_ts, included=n < rank) for n, at in enumerate(order) if n != rank)
    others = totals(seat for seat in seats if seat is not None)
    return check_account(others, sleeves[order[rank]].part.decision.limits, asked.share, asked.notional)


def midnights(rebalance: Rebalance, begin: float, end: float) -> Iterator[float]:
    """Yield the moments of a rebalance after ``begin`` and before ``end`` [s since epoch]."""
    due: dict[Rebalance, Callable[[datetime], bool]] = {
        "never": lambda _: False,
        "daily": lambda _: True,
        "weekly": lambda day: day.weekday() == 0,
        "monthly": lambda day: day.day == 1,
    }
    day = datetime.fromtimestamp((begin // DAY_S + 1.0) * DAY_S, UTC)
    while rebalance != "never" and day.timestamp() < end:
        if due[rebalance](day):
            yield day.timestamp()
        day += timedelta(days=1)


def _wanted(
    sleeves: Sequence[Sleeve], transfers: Sequence[Transfer], weights: Weights, first: Sequence[float], moment: float
) -> list[float]:
    """Return the weights that a rebalance wants: the first ones until there are enough days to compute others."""
    begin, today = math.ceil(min(float(one.opens[0]) for one in sleeves) / DAY_S), int(moment // DAY_S)
    if weights.method == "given" or today - begin < weights.lookback:
        return list(first)
    came = cash_moved(transfers, len(sleeves))
    levels = [
        Levels.of(one.opens, one.closes, one.levels(), one.part.decision.start_balance, *cash)
        for one, cash in zip(sleeves, came, strict=True)
    ]
    returns = day_returns(levels, today - weights.lookback, today)
    return [float(one) for one in weigh(weights.method, returns, weights.largest)]


def moves(cents: Sequence[int], free: Sequence[int], weights: Sequence[float], least: float) -> list[int]:
    """Return what each sleeve gets (gives, where negative) so that it holds its weight of the whole; the sum is 0.

    A sleeve gives no more than it has free; the others then get less in proportion.

    Args:
        cents: equity of each; free: what each can give away; weights: wanted [fraction].
        least: nothing is moved while the largest move is smaller [quote ccy].
    """
    targets = split(sum(cents), weights)
    wanted = [target - have for target, have in zip(targets, cents, strict=True)]
    gives = [min(-want, can) if want < 0 else 0 for want, can in zip(wanted, free, strict=True)]
    gets = split(sum(gives), [max(0, want) for want in wanted])
    moved = [get - give for get, give in zip(gets, gives, strict=True)]
    return moved if max(map(abs, moved), default=0) >= least * CENTS else [0] * len(moved)


def split(whole: int, weights: Sequence[float]) -> list[int]:
    """Return whole cents in proportion to weights; the sum is exactly ``whole``. Rests go where the most was cut off."""
    total = math.fsum(weights)
    if total <= 0.0:
        return [0] * len(weights)
    exact = [whole * weight / total for weight in weights]
    found = [math.floor(one) for one in exact]
    for at in sorted(range(len(found)), key=lambda at: (found[at] - exact[at], at))[: whole - sum(found)]:
        found[at] += 1
    return found
