"""Indicators against pandas, over ordinary and extreme series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.trading.indicators import extreme_slots, mean_slots, rolling_max, rolling_mean, wilder


def walk(seed: int, n: int, scale: float) -> pd.Series:
    return pd.Series(scale * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, n))))


SERIES = {
    "ordinary": walk(1, 1500, 100.0),
    "tiny": walk(2, 700, 1e-9),
    "huge": walk(3, 700, 1e12),
    "flat": pd.Series([7.25] * 300),
    "falls a millionfold": pd.concat([walk(4, 300, 1e9), walk(5, 300, 1e3)], ignore_index=True),
    "steps": pd.Series(np.random.default_rng(6).integers(1, 4, 500).astype(float)),
}
WINDOWS = (1, 2, 14, 50)


def pushed(function, slots: int, window: int, series: pd.Series) -> np.ndarray:
    state = [0.0] * (slots + 1)  # one slot before, so that an offset is exercised
    return np.array([function(state, 1, window, x) for x in series.tolist()])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", SERIES)
def test_the_rolling_mean_is_that_of_pandas(name, window):
    series = SERIES[name]
    ours = pushed(rolling_mean, mean_slots(window), window, series)
    np.testing.assert_allclose(ours, series.rolling(window).mean(), rtol=1e-9, atol=1e-15 * series.max())


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", SERIES)
def test_the_rolling_maximum_and_minimum_are_those_of_pandas(name, window):
    series = SERIES[name]
    np.testing.assert_array_equal(
        pushed(rolling_max, extreme_slots(window), window, series), series.rolling(window).max()
    )
    np.testing.assert_array_equal(
        -pushed(rolling_max, extreme_slots(window), window, -series), series.rolling(window).min()
    )


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", SERIES)
def test_wilders_average_is_an_exponential_one_seeded_with_a_simple_one(name, window):
    series = SERIES[name]
    seeded = pd.concat([pd.Series([series[:window].mean()]), series[window:]])
    expected = [np.nan] * (window - 1) + seeded.ewm(alpha=1 / window, adjust=False).mean().tolist()
    np.testing.assert_allclose(pushed(wilder, 2, window, series), expected, rtol=1e-11)


@given(st.integers(1, 12), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_any_series_gives_the_plain_definition(window, values):
    series = pd.Series(values)
    largest = [max(values[i + 1 - window : i + 1]) if i + 1 >= window else np.nan for i in range(len(values))]
    np.testing.assert_array_equal(pushed(rolling_max, extreme_slots(window), window, series), largest)
    mean = [np.mean(values[i + 1 - window : i + 1]) if i + 1 >= window else np.nan for i in range(len(values))]
    np.testing.assert_allclose(pushed(rolling_mean, mean_slots(window), window, series), mean, rtol=1e-9, atol=1e-8)


def test_the_mean_of_a_long_session_does_not_drift():
    rng = np.random.default_rng(7)
    values = rng.choice([1e-6, 1.0, 1e6], 200_000) * rng.random(200_000)
    ours = pushed(rolling_mean, mean_slots(20), 20, pd.Series(values))
    assert ours[-1] == pytest.approx(values[-20:].mean(), rel=1e-9)
