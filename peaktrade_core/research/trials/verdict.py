"""What speaks against the best trial of a sweep. It says so, or that nothing does; it never says that a result is good."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, Check, Status
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.research.trials import selection
from peaktrade_core.research.trials.ranking import best_of, metric
from peaktrade_core.research.trials.spec import GRID, Judge, axes
from peaktrade_core.research.trials.trial import LEAST_DAYS, DailyEquity, Trial, Tries, day_marks, decided, try_out
from peaktrade_core.show.wording import beside, figure, many
from peaktrade_core.trading.market import Bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from peaktrade_core.research.trials.crew import Crew
    from peaktrade_core.research.trials.sweep import Prepared, SweepStore, Watch
    from peaktrade_core.trading.decision import Decision

MOST_COST = 64.0  # times the configured costs, beyond which nobody needs to look
_HALVINGS = 12
_UNTOLD = "its days are too few, or do not differ, so that no Sharpe ratio can be told"


def judged(
    ready: Prepared, store: SweepStore, counted: int, crew: Crew, watch: Watch
) -> tuple[Trial | None, list[Check]]:
    """Return the best trial of a sweep and what speaks against it.

    Args:
        ready, store: the sweep, all of whose trials are there.
        counted: how many trials were ever begun on its strategy and market.
        crew: who runs the shuffled markets and the windows; watch: is told how far it is.
    """
    trials, judge = list(store.trials(ready.sweep_id)), ready.sweep.judge
    best = best_of(trials, judge)
    if best is None:
        return None, [_too_little(trials, judge)]
    returns = store.returns(ready.sweep_id, ready.base.start_balance)
    own = day_marks(_run(ready, best.params)).returns(ready.base.start_balance)
    found = [
        enough(best.trades, own, judge),
        deflated(own, max(counted, len(trials)), *chance(trials, returns), judge),
        _overfitted(returns, judge),
        _null(ready, best, crew, watch),
        _walked(ready, crew, watch),
        stands_costs(gains_at(Tries(*ready.over(ready.bars)), decided(ready.base, best.params)), judge.break_even),
        _plateau(ready, trials, best),
        _warm(ready, best),
        left_running(best),
    ]
    return best, found


def _too_little(trials: Sequence[Trial], judge: Judge) -> Check:
    """Say why no trial can be the best: none ran, or how far the nearest is from what is needed."""
    ran = [one for one in trials if not one.error]
    if ran:
        trips, days = many(max(one.trades for one in ran), "round trip"), many(max(one.days for one in ran), "day")
        said = f"no trial has more than {trips} and {days}; at least {judge.least_trades} and {LEAST_DAYS} are needed"
        step = "Try it over more candles or a shorter timeframe; [judge] least_trades asks for fewer round trips."
    else:
        said = f"no trial could run: {trials[0].error}" if trials else "there is no trial"
        step = "Try other values of its parameters."
    return answer("enough", "Is there enough to judge?", False, said, step)


def told(checks: Sequence[Check]) -> str:
    """Return the verdict in a sentence."""
    against = [one.question for one in checks if one.status == FAIL]
    open_ = sum(one.status == UNKNOWN for one in checks)
    rest = f"; {open_} could not be answered" if open_ else ""
    if against:
        return f"{len(against)} of {len(checks)} {'speaks' if len(against) == 1 else 'speak'} against it{rest}"
    return f"Nothing speaks against it{rest}." if checks else "Not judged yet."


def answer(id: str, question: str, ok: bool | None, evidence: str, next_step: str = "") -> Check:
    """Return an answered question; None is one that cannot be answered."""
    status: Status = UNKNOWN if ok is None else PASS if ok else FAIL
    return Check(id=id, question=question, status=status, evidence=evidence, next_step=next_step if ok is False else "")


def _run(ready: Prepared, params: dict[str, Any]) -> BacktestResult:
    return run_backtest(decided(ready.base, params), ready.bars, ready.warmup, ready.cache)


def enough(trades: int, own: NDArray[np.float64], judge: Judge) -> Check:
    """Answer whether the track record is long enough for its Sharpe ratio to be above zero at all."""
    least = selection.least_track_record(own)
    needed = "no number of days is enough" if math.isinf(least) else f"{least:,.0f} days are needed"
    ok = trades >= judge.least_trades and len(own) >= LEAST_DAYS and len(own) >= least  # nan is never enough
    told = _UNTOLD if math.isnan(least) else f"{needed} for a Sharpe ratio above 0 at 95 %"
    said = f"{many(len(own), 'day')} and {many(trades, 'round trip')}; {told}"
    return answer("enough", "Is the track record long enough?", ok, said, "Try it over more candles.")


def chance(trials: Sequence[Trial], returns: NDArray[np.float64]) -> tuple[float, float]:
    """Return how much of a sweep's tries counts as independent [fraction], and the variance of their Sharpe ratios.

    ``returns`` are (days, trials that ran) float64.
    """
    return selection.effective_trials(returns) / max(1, returns.shape[1]), variance_of(trials)


def variance_of(trials: Sequence[Trial]) -> float:
    """Return the variance of the trials' Sharpe ratios; 0 where fewer than two have one."""
    ratios = np.array([trial.sharpe for trial in trials if trial.sharpe is not None])
    return float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0


def deflated(own: NDArray[np.float64], raw: int, share: float, variance: float, judge: Judge) -> Check:
    """Answer whether returns of days are better than the best of so many tries without skill.

    Args:
        own: (days,) float64; raw: tries; share: how much of them counts as independent [fraction].
        variance: of the tries' Sharpe ratios.
    """
    value = selection.deflated_sharpe(own, max(1.0, raw * share), variance)
    strict = selection.deflated_sharpe(own, raw, variance)
    of = f"{raw * share:,.0f} independent of {raw:,} trials ever begun here ({strict:.2f} for all of them)"
    ok = None if math.isnan(value) else value >= judge.deflated_sharpe
    of, least = of if raw > 1 else "the first try here", judge.deflated_sharpe
    said = f"deflated Sharpe ratio {beside(value, least)} for {of}; at least {least:g}" if ok is not None else _UNTOLD
    return answer("deflated", "Is it better than the best of so many tries by chance?", ok, said, "Do not use it.")


def _overfitted(returns: NDArray[np.float64], judge: Judge) -> Check:
    """Answer how often the best of one half of the time is below the median in the other."""
    value = selection.overfitting_probability(returns, judge.blocks)
    question = "Does the best of one half stay good in the other?"
    if math.isnan(value):
        return answer("overfitting", question, None, f"too few days or trials for {judge.blocks} blocks")
    said = f"probability of overfitting {beside(value, judge.overfitting)}; at most {judge.overfitting:g}"
    return answer("overfitting", question, value <= judge.overfitting, said, "Fewer parameters, or more candles.")


def _every(ready: Prepared, bars: Bars, crew: Crew, judge: Judge) -> Iterator[tuple[Trial, DailyEquity]]:
    """Yield every trial of a sweep over other bars; nothing of it is kept."""
    for _, found in ready.plan.explored(crew, ready.over(bars), lambda one: metric(one, judge)):
        yield from found


def _null(ready: Prepared, best: Trial, crew: Crew, watch: Watch) -> Check:
    """Answer how often the whole sweep does as well on markets whose blocks are shuffled."""
    question, null, limit = "Does chance do as well?", ready.sweep.null, ready.sweep.judge.null_p
    own = metric(best, ready.sweep.judge)
    if not null.shuffles or own is None:
        return answer("null", question, None, "no shuffled markets were asked for ([null] shuffles)")
    as_good = 0
    for number in range(null.shuffles):
        bars = shuffled(ready.bars, ready.base.bar_s, null.block_days, null.seed + number)
        values = (metric(trial, ready.sweep.judge) for trial, _ in _every(ready, bars, crew, ready.sweep.judge))
        as_good += max((value for value in values if value is not None), default=-math.inf) >= own
        watch("shuffled markets", number + 1, null.shuffles)
    p = (1 + as_good) / (1 + null.shuffles)
    said = f"{as_good} of {null.shuffles} shuffled markets had a best trial as good: p = {p:.3f}; at most {limit:g}"
    return answer("null", question, p <= limit, said, "Do not use it: the order of the bars makes no difference.")


def shuffled(bars: Bars, bar_s: float, block_days: float, seed: int) -> Bars:
    """Return a market of the same bars in another order: blocks of them, each bar's shape against the close before it kept.

    Times and the warm-up's length stay; trends longer than a block are gone.
    """
    n = len(bars)
    size = max(1, round(block_days * 86_400.0 / bar_s))
    blocks = [np.arange(at, min(at + size, n)) for at in range(0, n, size)]
    order = np.random.default_rng(seed).permutation(len(blocks))
    picked = np.concatenate([blocks[at] for at in order])
    close = bars.ohlcv[:, 3]
    before = np.concatenate([[bars.ohlcv[0, 0]], close[:-1]])
    shape = bars.ohlcv[:, :4] / before[:, None]
    moved = shape[picked]
    level = bars.ohlcv[0, 0] * np.concatenate([[1.0], np.cumprod(moved[:-1, 3])])
    prices = moved * level[:, None]
    prices[:, 1] = np.maximum(
        prices[:, 1], prices[:, [0, 3]].max(axis=1)
    )  # rounding must not put a close above its high
    prices[:, 2] = np.minimum(prices[:, 2], prices[:, [0, 3]].min(axis=1))
    return Bars(bars.ts, np.column_stack([prices, bars.ohlcv[picked, 4]]), "shuffled market")


def windows(ready: Prepared) -> Iterator[tuple[Bars, Bars, int]]:
    """Yield the windows of a walk-forward: the bars to pick in, and those to prove it on, with their warm-up before them."""
    walk, n = ready.sweep.walk_forward, len(ready.bars)
    warmup = ready.warmup
    size = (n - warmup) / (walk.windows * (1.0 - walk.train) + walk.train) if walk.windows else 0.0
    begins = [warmup + round(number * size * (1.0 - walk.train)) for number in range(walk.windows)]
    cuts = [warmup + round(size * (walk.train + number * (1.0 - walk.train))) for number in range(walk.windows + 1)]
    for number, (begin, cut, end) in enumerate(zip(begins, cuts[:-1], cuts[1:], strict=True)):
        if cut - begin > 1 and end - cut > 1:
            yield ready.bars.part(begin - warmup, cut), ready.bars.part(cut - warmup, end), number


def _walked(ready: Prepared, crew: Crew, watch: Watch) -> Check:
    """Answer whether what was best in a window stays so in the bars after it, with a fresh account."""
    least = ready.sweep.judge.efficiency
    inside: list[float] = []
    outside: list[float] = []
    every = list(windows(ready))
    for train, test, number in every:
        every_one = _every(ready, train, crew, Judge(metric="return", least_trades=1))  # a window is too short for more
        tried = ((trial, marks) for trial, marks in every_one if not trial.error and trial.trades)
        ranked = [(_daily(marks, ready), trial) for trial, marks in tried]
        watch("windows", number + 1, len(every))
        if not ranked:
            continue
        value, picked = max(ranked, key=lambda pair: (pair[0], -pair[1].number))
        _, marks = try_out(picked.number, ready.base, picked.params, test, ready.warmup, ready.cache)
        inside.append(value)
        outside.append(_daily(marks, ready))
    return carried_on(inside, outside, least)


def carried_on(inside: Sequence[float], outside: Sequence[float], least: float) -> Check:
    """Answer whether what was picked in windows gained after them, too.

    Args:
        inside, outside: mean daily gain in each window and after it [fraction]; least: ratio of their sums.
    """
    question = "Does what was picked go on working?"
    if not inside:
        return answer("walk_forward", question, None, "no windows were asked for, or none has a trade")
    if sum(inside) <= 0.0:
        return answer("walk_forward", question, False, "not even the best of the windows gained", "Do not use it.")
    efficiency = sum(outside) / sum(inside)
    gained = f"{sum(value > 0.0 for value in outside)} of {len(outside)} windows gained"
    said = f"{gained}; efficiency {beside(efficiency, least)}, at least {least:g}"
    return answer("walk_forward", question, efficiency >= least, said, "It fits the past: do not use it.")


def _daily(marks: DailyEquity, ready: Prepared) -> float:
    """Return the mean return of a day; 0 where there is none."""
    return float(marks.returns(ready.base.start_balance).mean()) if len(marks.day) else 0.0


def gains_at(tries: Tries, decision: Decision) -> Callable[[float], bool]:
    """Return who says whether a decision gains at so many times its costs."""
    signal = tries.signals(decision)

    def gains(times: float) -> bool:
        _, marks = tries.run(costlier(decision, times), signal)
        return len(marks.equity) > 0 and float(marks.equity[-1]) > decision.start_balance

    return gains


def costlier(decision: Decision, times: float) -> Decision:
    """Return a decision at so many times its fee and slippage."""
    own = decision.market
    return decision._replace(market=own._replace(fee_rate=own.fee_rate * times, slippage=own.slippage * times))


def stands_costs(gains: Callable[[float], bool], least: float, *, exact: bool = True) -> Check:
    """Answer at how many times the configured costs nothing is left.

    Args:
        gains: whether it gains at so many times the costs; least: how many times it must stand.
        exact: look for how many times it stands; else only whether it stands the least, which is one run.
    """
    question, step = "Does it stand higher costs?", "Its edge is smaller than its costs may be."
    if not exact:
        ok = gains(least)
        said = f"{'it gains' if ok else 'nothing is left'} at {least:g} times the configured costs"
        return answer("costs", question, ok, said, step)
    times = _largest(gains)
    said = f"nothing is left at {beside(times, least)} times the configured costs; at least {least:g}"
    if times >= MOST_COST:
        said = f"it gains at {MOST_COST:g} times the configured costs"
    return answer("costs", question, times >= least, said, step)


def _largest(holds: Callable[[float], bool]) -> float:
    """Return up to where something holds, by halving; 0 where it does not hold at all."""
    if not holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while holds(high):
        low, high = high, 2.0 * high
        if low >= MOST_COST:
            return MOST_COST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _plateau(ready: Prepared, trials: Sequence[Trial], best: Trial) -> Check:
    """Answer whether the neighbours in the grid do about as well."""
    question, least, judge = "Do its neighbours do as well?", ready.sweep.judge.plateau, ready.sweep.judge
    known, own = axes(ready.sweep), metric(best, ready.sweep.judge)
    if ready.sweep.search.sampler != GRID or own is None:
        return answer("plateau", question, None, "only a grid has neighbours")
    at = {name: values.index(best.params[name]) for name, values in known.items()}
    near = [
        trial for trial in trials
        if trial.number != best.number
        and all(abs(values.index(trial.params[name]) - at[name]) <= 1 for name, values in known.items())
    ]  # fmt: skip
    values = [value for trial in near if not trial.error and (value := metric(trial, judge)) is not None]
    if not values:
        return answer("plateau", question, None, "no neighbour ran with enough round trips")
    middle = float(np.median(values))
    said = f"median of {len(values)} neighbours {figure(middle, 3)} beside {figure(own, 3)}; at least {least:.0%} of it"
    return answer("plateau", question, middle >= least * own and own > 0.0, said, "It is a lone point.")


def _warm(ready: Prepared, best: Trial) -> Check:
    """Answer whether twice the warm-up gives the same signals."""
    question, longer = "Is the warm-up long enough?", 2 * ready.warmup
    if longer >= len(ready.bars):
        return answer("warm_up", question, None, "too few bars for twice the warm-up")
    bars = ready.bars.part(ready.warmup, len(ready.bars))
    later = run_backtest(decided(ready.base, best.params), bars, ready.warmup, ready.cache)
    same = np.array_equal(_run(ready, best.params).signal[ready.warmup :], later.signal)
    said = (
        f"after {ready.warmup} and after {many(longer, 'bar')} the signals are {'the same' if same else 'not the same'}"
    )
    return answer("warm_up", question, same, said, "Raise warmup_candles until they are the same.")


def left_running(one: Trial) -> Check:
    """Answer whether its own limits left a trial running."""
    at = one.halted_at
    said = "its limits never halted it" if at is None else f"halted at {at:%Y-%m-%d %H:%M} UTC"
    return answer("halted", "Did its own limits leave it running?", at is None, said)
