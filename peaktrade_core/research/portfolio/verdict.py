"""What speaks against a portfolio. It says so, or that nothing does; it never says that a portfolio is good."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from peaktrade_core.base.question import FAIL, Check
from peaktrade_core.research.portfolio.account import Ran, run_portfolio
from peaktrade_core.research.portfolio.figures import PortfolioCurves, PortfolioFigures, curves
from peaktrade_core.research.portfolio.prepare import ReadyPortfolio
from peaktrade_core.research.trials.selection import sharpe
from peaktrade_core.research.trials.verdict import answer, carried_on, costlier, deflated, enough, stands_costs
from peaktrade_core.show.wording import figure, many

MOST_REFUSED = 0.1  # share of all orders, those that close included
ALIKE = 0.7  # correlation of UTC-day returns


def judged(ready: ReadyPortfolio, figures: PortfolioFigures, seen: PortfolioCurves, counted: int) -> list[Check]:
    """Return what may speak against a portfolio, answered.

    Args:
        ready, figures, seen: what ran and what came of it; counted: tries that were ever begun on its markets.
    """
    judge, own = ready.portfolio.judge, seen.account
    built = ready.portfolio.built
    walked = [carried_on(built.inside, built.outside, judge.efficiency)] if built else []
    return [
        enough(figures.trades, own, judge),
        deflated(own, max(1, counted), 1.0, 1.0 / max(1, len(own) - 1), judge),  # of no skill over its days
        _components(figures),
        _different(figures),
        _carried(figures),
        _weighted(ready, seen),
        stands_costs(lambda times: _gains(ready, times), judge.break_even),
        _room(figures),
        _halted(figures),
        *walked,
    ]


def _components(figures: PortfolioFigures) -> Check:
    """Answer what the components' own sweeps said."""
    question, every = "Did its components stand alone?", figures.sleeves
    against = [f"{one.trial}: {one.verdict}" for one in every if one.stands is False]
    if against:
        return answer("components", question, False, "; ".join(against), "Leave them out.")
    if typed := sum(one.stands is None for one in every):
        return answer(
            "components", question, None, f"{typed} of {len(every)} come from no sweep, so nothing judged them"
        )
    return answer("components", question, True, "nothing speaks against any of their trials")


def _different(figures: PortfolioFigures) -> Check:
    """Answer whether two sleeves are nearly the same."""
    question, n = "Are its sleeves different from each other?", len(figures.sleeves)
    pairs = [
        (value, f"{figures.sleeves[a].name} and {figures.sleeves[b].name}")
        for a in range(n) for b in range(a) if (value := figures.correlations[a][b]) is not None
    ]  # fmt: skip
    if not pairs:
        return answer("different", question, None, "there are no two sleeves that moved")
    value, who = max(pairs)
    said = f"largest correlation {figure(value, 2)}, of {who}; at most {ALIKE:g}"
    return answer("different", question, value <= ALIKE, said, "Keep the better one of them.")


def _carried(figures: PortfolioFigures) -> Check:
    """Answer whether the others gain without the best sleeve."""
    question = "Does it gain without its best sleeve?"
    if len(figures.sleeves) < 2:
        return answer("carried", question, None, "it has one sleeve")
    best = max(figures.sleeves, key=lambda one: one.contribution)
    rest = math.fsum(one.contribution for one in figures.sleeves) - best.contribution
    said = f"{best.name} earned {figure(best.contribution, 2, plus=True)}, all others together {figure(rest, 2, plus=True)}"
    return answer("carried", question, rest > 0.0, said, "It is one strategy with company: judge that one alone.")


def _weighted(ready: ReadyPortfolio, seen: PortfolioCurves) -> Check:
    """Answer whether its weights do better than equal ones, at the same rebalances."""
    question, weights = "Is it better than with equal weights?", ready.portfolio.weights
    first = [1.0 / len(ready.parts)] * len(ready.parts)
    if len(ready.parts) < 2 or (weights.method == "equal" and list(ready.first) == first):
        return answer("weights", question, None, "its weights are equal")
    equal = msgspec.structs.replace(weights, method="equal")
    own, other = sharpe(seen.account), sharpe(curves(run_portfolio(ready.parts, equal, first, ready.cache)).account)
    if math.isnan(own) or math.isnan(other):
        return answer("weights", question, None, "there are too few days, or nothing moved")
    said = f"Sharpe ratio of a day {figure(own, 3)}, with equal weights {figure(other, 3)}"
    return answer("weights", question, own >= other, said, "Take equal weights: they need no estimate.")


def _gains(ready: ReadyPortfolio, times: float) -> bool:
    """Return whether it gains at so many times the configured costs."""
    parts = [part._replace(decision=costlier(part.decision, times)) for part in ready.parts]
    return end_equity(run_portfolio(parts, ready.portfolio.weights, ready.first, ready.cache)) > ready.start_balance


def end_equity(ran: Ran) -> float:
    """Return what the account holds at the end [quote ccy]."""
    return math.fsum(float(one.level(np.array([np.inf]), after=True)[0]) for one in curves(ran).levels)


def _room(figures: PortfolioFigures) -> Check:
    """Answer how many orders the account had no room for; only opening ones are ever refused."""
    refused, sent = sum(figures.refused.values()), sum(one.fills for one in figures.sleeves)
    share = refused / max(1, refused + sent)
    codes = ", ".join(f"{code} {n:,}" for code, n in sorted(figures.refused.items()))
    counted = f"{many(refused, 'order')} refused beside {many(sent, 'execution')}"
    said = f"{counted}{f' ({codes})' if codes else ''}; at most {MOST_REFUSED:.0%}"
    return answer(
        "room", "Had the account room for its orders?", share <= MOST_REFUSED, said, "Less risk, or fewer components."
    )


def _halted(figures: PortfolioFigures) -> Check:
    """Answer whether each sleeve ran to the end."""
    halted = [f"{one.name} at {one.halted_at:%Y-%m-%d %H:%M} UTC" for one in figures.sleeves if one.halted_at]
    said = "; ".join(halted) or "no sleeve was halted"
    return answer("halted", "Did its own limits leave it running?", not halted, said)


def speaks_against(checks: Sequence[Check]) -> bool:
    """Return whether any answer is a no."""
    return any(one.status == FAIL for one in checks)
