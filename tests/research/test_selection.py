"""Selection under many tries: against textbook values, planted markets and chance."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from peaktrade_core.research.trials.selection import (
    deflated_sharpe,
    effective_trials,
    expected_best,
    least_track_record,
    overfitting_probability,
    probabilistic_sharpe,
    sharpe,
)


def test_the_example_of_the_paper() -> None:
    """Bailey and López de Prado (2014), section 6: N = 100 trials, V = 1/2, annual, 250 days: the hurdle is 0.1132 a day."""
    assert expected_best(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-4)


def returns_of(mean: float, n: int, seed: int = 7) -> np.ndarray:
    made = np.random.default_rng(seed).normal(0.0, 0.01, n)
    return made - made.mean() + mean


def test_a_sharpe_ratio_of_normal_returns_has_the_textbook_error() -> None:
    returns = returns_of(0.001, 4000)
    ratio = sharpe(returns)
    assert ratio == pytest.approx(returns.mean() / returns.std(ddof=1))
    error = math.sqrt((1 + ratio * ratio / 2) / (len(returns) - 1))
    assert probabilistic_sharpe(returns) == pytest.approx(NormalDist().cdf(ratio / error), abs=2e-3)
    assert probabilistic_sharpe(returns, ratio) == pytest.approx(0.5)


def test_the_least_track_record_is_where_the_probability_reaches_its_confidence() -> None:
    returns = returns_of(0.0005, 2000)
    least = least_track_record(returns)
    scale = math.sqrt((least - 1) / (len(returns) - 1))
    z = NormalDist().inv_cdf(probabilistic_sharpe(returns))
    assert NormalDist().cdf(z * scale) == pytest.approx(0.95)
    assert least_track_record(returns_of(-0.001, 500)) == math.inf


def test_what_is_not_defined_is_nan() -> None:
    flat = np.zeros(50)
    assert all(map(math.isnan, (sharpe(flat), probabilistic_sharpe(flat), least_track_record(flat), sharpe(flat[:1]))))
    assert math.isnan(overfitting_probability(np.zeros((100, 1))))
    assert math.isnan(overfitting_probability(np.zeros((20, 5)), blocks=16))
    assert expected_best(1, 1.0) == expected_best(50, 0.0) == 0.0


def test_more_tries_make_the_same_result_less() -> None:
    returns = returns_of(0.001, 700)
    found = [deflated_sharpe(returns, n, 0.002) for n in (1, 10, 100, 10_000)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.95
    assert found[-1] < 0.5


def test_trials_of_chance_are_overfitted_and_a_planted_edge_is_not() -> None:
    drawn = [np.random.default_rng(seed).normal(0.0, 0.01, (640, 40)) for seed in range(12)]
    assert 0.35 < np.mean([overfitting_probability(one) for one in drawn]) < 0.65
    planted = drawn[0]
    planted[:, 17] += 0.004
    assert overfitting_probability(planted) == 0.0


def test_copies_of_one_trial_count_once_and_strangers_in_full() -> None:
    rng = np.random.default_rng(5)
    one = rng.normal(size=(500, 1))
    assert effective_trials(np.repeat(one, 30, axis=1)) == pytest.approx(1.0)
    assert effective_trials(rng.normal(size=(500, 30))) == pytest.approx(30.0, rel=0.05)
    assert effective_trials(np.zeros((500, 4))) == 0.0


@pytest.mark.parametrize(
    ("seed", "edge", "deflated", "overfitted"),
    [
        (1, 0.0, 0.30658953502025793, (0.4857142857142857, 0.6165501165501166)),
        (2, 0.0008, 0.6330909566696636, (0.45714285714285713, 0.29285159285159285)),
        (3, 0.0015, 0.8839297316457926, (0.12857142857142856, 0.18414918414918416)),
        (4, 0.003, 0.7090408023625354, (0.21428571428571427, 0.15097125097125097)),
    ],
)
def test_another_library_says_the_same(
    seed: int, edge: float, deflated: float, overfitted: tuple[float, float]
) -> None:
    """The figures of ffn 1.4.1: ``calc_deflated_sharpe_ratio(best, ratios, nperiods=1, annualized_trials=False)`` and
    ``calc_prob_backtest_overfitting(trials, blocks)``. It corrects skewness and kurtosis for bias, hence 1e-4."""
    trials = np.random.default_rng(seed).standard_t(5, (640, 40)) * 0.01
    trials[:, 17] += edge
    ratios = np.array([sharpe(one) for one in trials.T])
    ours = deflated_sharpe(trials[:, ratios.argmax()], 40, float(ratios.var(ddof=1)))
    assert ours == pytest.approx(deflated, abs=1e-4)
    assert tuple(overfitting_probability(trials, blocks) for blocks in (8, 16)) == overfitted
