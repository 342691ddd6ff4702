"""Weights: those of ours are skfolio's to four digits; caps, rests of cents and moves of cash are exact."""

from __future__ import annotations

import builtins
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.research.portfolio.account import midnights, moves, split
from peaktrade_core.research.portfolio.weights import Method, capped, weigh

METHODS = [one for one in get_args(Method) if one != "given"]


def returns(n: int = 4, days: int = 250, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0005, 0.02, (days, n)) * np.linspace(0.5, 2.0, n) + rng.normal(0.0, 0.01, (days, 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [2, 4, 9])
def test_ours_are_those_of_skfolio_to_four_digits(n: int, seed: int) -> None:
    optimization = pytest.importorskip("skfolio.optimization")
    seen = returns(n, seed=seed)
    oracles = {
        "equal": optimization.EqualWeighted(),
        "inverse_volatility": optimization.InverseVolatility(),
        "risk_parity": optimization.RiskBudgeting(),
    }
    for method, oracle in oracles.items():
        ours = weigh(method, seen)  # type: ignore[arg-type]
        assert ours == pytest.approx(oracle.fit(seen).weights_, abs=5e-5), method


def test_each_component_adds_the_same_risk() -> None:
    seen = returns(6)
    weights = weigh("risk_parity", seen)
    covariance = np.cov(seen, rowvar=False)
    shares = weights * (covariance @ weights) / (weights @ covariance @ weights)
    assert shares == pytest.approx(np.full(6, 1 / 6), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_a_whole_and_none_is_too_large(method: Method) -> None:
    if method in ("hrp", "cvar", "minimum_variance"):
        pytest.importorskip("skfolio")
    still = returns(5)
    still[:, 2] = 0.0
    for seen in (returns(5), still, np.zeros((60, 5)), returns(5, days=2)):
        weights = weigh(method, seen, 0.3)
        assert weights.sum() == pytest.approx(1.0, abs=1e-9)
        assert (weights >= 0.0).all()
        assert weights.max() <= 0.3 + 1e-9
    assert weigh(method, returns(1)) == pytest.approx([1.0])
    with pytest.raises(ConfigError, match=r"largest = 0\.1: 5 components"):
        weigh(method, returns(5), 0.1)


def test_what_did_not_move_gets_no_more_than_the_calmest() -> None:
    seen = returns(3)
    seen[:, 1] = 0.0
    weights = weigh("inverse_volatility", seen)
    assert weights[1] == pytest.approx(weights[0])
    assert weights[0] > weights[2]


def test_without_skfolio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name.startswith("skfolio"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(EnvironmentFault, match=r"weights by hrp need skfolio: pip install 'peaktrade\[portfolio\]'"):
        weigh("hrp", returns())


def test_capped_gives_what_is_cut_to_the_others_in_proportion() -> None:
    assert capped(np.array([0.7, 0.2, 0.1]), 0.5) == pytest.approx([0.5, 1 / 3, 1 / 6])
    assert capped(np.array([0.8, 0.19, 0.01]), 0.4) == pytest.approx([0.4, 0.4, 0.2])
    assert capped(np.array([1.0, 0.0, 0.0]), 0.5) == pytest.approx([0.5, 0.25, 0.25])


shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8)


@given(st.integers(0, 10**12), shares)
def test_cents_are_split_without_a_rest(whole: int, weights: list[float]) -> None:
    found = split(whole, weights)
    total = sum(weights)
    assert sum(found) == (whole if total > 0.0 else 0)
    if total > 0.0:
        assert all(abs(one - whole * w / total) <= 1.0 + 1e-3 for one, w in zip(found, weights, strict=True))


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0.0, 1.0), st.floats(0.01, 1.0)), min_size=2, max_size=8))
def test_moves_sum_to_zero_give_no_more_than_is_free_and_twice_is_once(sleeves: list[tuple[int, float, float]]) -> None:
    cents = [have for have, _, _ in sleeves]
    free = [int(have * part) for have, part, _ in sleeves]
    weights = [weight for _, _, weight in sleeves]
    moved = moves(cents, free, weights, 0.02)
    assert sum(moved) == 0
    assert all(-one <= can for one, can in zip(moved, free, strict=True))
    left = [can + min(one, 0) for can, one in zip(free, moved, strict=True)]
    again = moves([have + one for have, one in zip(cents, moved, strict=True)], left, weights, 0.02)
    assert again == [0] * len(sleeves)


def test_a_small_difference_is_left_alone() -> None:
    assert moves([10_050, 9_950], [10_050, 9_950], [0.5, 0.5], 1.0) == [0, 0]
    assert moves([10_100, 9_900], [10_100, 9_900], [0.5, 0.5], 1.0) == [-100, 100]
    assert moves([10_100, 9_900], [30, 9_900], [0.5, 0.5], 0.1) == [-30, 30]


def test_when_a_rebalance_is_due() -> None:
    day, monday = 86_400.0, 4 * 86_400.0  # 1970-01-05
    assert list(midnights("never", 0.0, 9e9)) == []
    assert list(midnights("daily", 0.0, 3 * day)) == [day, 2 * day]  # not at the beginning, not at the end
    assert list(midnights("daily", 1.0, 2 * day + 1)) == [day, 2 * day]
    assert list(midnights("weekly", 0.0, monday + 7 * day + 1)) == [monday, monday + 7 * day]
    assert list(midnights("monthly", 0.0, 60 * day)) == [31 * day, 59 * day]
