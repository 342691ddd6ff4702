"""Candles that cannot be true or cannot be read: a stable exit code and a message that says where and what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

ROWS = 300
Columns = dict[str, Any]


def good() -> Columns:
    """Return sound columns of one-minute candles."""
    start = datetime(2024, 3, 1, tzinfo=UTC)
    close = 100.0 + np.sin(np.arange(ROWS) / 9.0)
    opened = np.concatenate(([100.0], close[:-1]))
    return {
        "ts": [start + timedelta(minutes=i) for i in range(ROWS)],
        "open": opened.tolist(),
        "high": (np.maximum(opened, close) + 0.1).tolist(),
        "low": (np.minimum(opened, close) - 0.1).tolist(),
        "close": close.tolist(),
        "volume": [1.0] * ROWS,
    }


def changed(column: str, row: int, value: object) -> Columns:
    """Return the candles with one value replaced."""
    columns = good()
    columns[column][row] = value
    return columns


def without(column: str) -> Columns:
    """Return the candles without a column."""
    return {name: values for name, values in good().items() if name != column}


def with_times(times: Callable[[list[datetime]], list[Any]]) -> Columns:
    """Return the candles with other times."""
    columns = good()
    return {**columns, "ts": times(columns["ts"])}


def swapped(times: list[datetime]) -> list[datetime]:
    return [*times[:9], times[10], times[9], *times[11:]]


IMPOSSIBLE = {
    "high below low": (
        changed("high", 4, 1.0),
        "row 5: impossible bar at 2024-03-01 00:04:00 UTC: high = 1.0 is below low",
    ),
    "open outside": (changed("open", 4, 500.0), "open = 500.0 or close = 100"),
    "negative price": (
        changed("low", 6, -1.0),
        "row 7: impossible bar at 2024-03-01 00:06:00 UTC: low = -1.0 is not positive",
    ),
    "zero price": (changed("low", 6, 0.0), "low = 0.0 is not positive"),
    "NaN": (
        changed("close", 8, float("nan")),
        "row 9: impossible bar at 2024-03-01 00:08:00 UTC: a value is missing",
    ),
    "infinite": (changed("high", 8, float("inf")), "a value is missing or not finite"),
    "null": (changed("close", 8, None), "row 9: impossible bar at 2024-03-01 00:08:00 UTC: a value is missing"),
    "negative volume": (
        changed("volume", 3, -2.0),
        "row 4: impossible bar at 2024-03-01 00:03:00 UTC: volume = -2.0",
    ),
    "no time": (changed("ts", 3, None), "1 rows have no time"),
    "duplicate": (with_times(lambda t: [*t[:10], t[9], *t[11:]]), "row 11: 2024-03-01 00:09:00 UTC repeats the time"),
    "unsorted": (
        with_times(swapped),
        "row 11: 2024-03-01 00:09:00 UTC is earlier than the row before",
    ),
    "off the grid": (
        with_times(lambda t: [moment + timedelta(seconds=7) for moment in t]),
        "row 1: 2024-03-01 00:00:07 UTC is not the open of a 1m bar; is --timeframe right?",
    ),
    "other timeframe": (
        with_times(lambda t: [t[0] + 5 * (moment - t[0]) for moment in t]),
        "its bars are 300 s apart, those asked for are 1m; is --timeframe right?",
    ),
    "counted since another time": (
        with_times(lambda t: [60 * n for n in range(len(t))]),
        "is not a time since the epoch",
    ),
    "no such time": (with_times(lambda t: ["yesterday" for _ in t]), "'yesterday' in column ts is not a time"),
    "year 20000": (
        with_times(
            lambda t: pa.array([570_000_000_000_000_000 + 60_000_000 * i for i in range(ROWS)], pa.timestamp("us"))
        ),
        "row 1: its time lies outside the years 1970 to 9999",
    ),
    "text for a price": ({**good(), "close": ["dear"] * ROWS}, "row 1: 'dear' in column close is not a number"),
    "lists for prices": ({**good(), "close": [[1.0]] * ROWS}, "column close has the wrong type: it holds list"),
    "no close": (without("close"), "column close is missing; it has: ts, open, high, low, volume. Needed: ts, open"),
    "no ts": (without("ts"), "column ts is missing"),
    "two closes": ({**good(), "Close": good()["close"]}, "two columns have the same name"),
    "no rows": ({name: [] for name in good()}, "holds no candles"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_candles_are_refused(peaktrade: Callable[..., Any], home: Path, case: str) -> None:
    columns, says = IMPOSSIBLE[case]
    path = home / "candles.parquet"
    pa.parquet.write_table(pa.table(columns), path)
    ended = peaktrade("session", "run", "--candles", path)
    undecided = case == "unsorted"  # sorting may be right: --dialect order=sort
    assert ended.code == (2 if undecided else 3), ended.stderr
    assert ended.stderr.startswith(f"error: {'UndecidedError' if undecided else 'DataError'}: {path}")
    assert says in ended.stderr
    assert not (home / "live_runs").exists()


def test_the_same_candles_unchanged_are_accepted(peaktrade: Callable[..., Any], home: Path) -> None:
    pa.parquet.write_table(pa.table(good()), home / "candles.parquet")
    assert peaktrade("session", "run", "--candles", "candles.parquet", "--warmup-candles", 100).code == 0


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.parquet", b"ts,open,high,low,close,volume\n", "cannot be read as parquet"),
        ("empty.parquet", b"", "cannot be read as parquet"),
        ("half.parquet", b"PAR1" + b"\0" * 50, "cannot be read as parquet"),
        ("empty.csv", b"", "cannot be read as candles: it is empty"),
        ("binary.csv", b"\x00\xff\xfe" * 50, "holds bytes that no text has"),
        ("ragged.csv", b"ts,open,high,low,close,volume\n2024-03-01T00:00:00Z,1,2\n", "cannot be read as csv"),
        ("header.csv", b"ts,open,high,low,close,volume\n", "holds no candles"),
        ("candles.xlsx", b"x", "unknown kind of file '.xlsx'; save its sheet as CSV"),
    ],
)
def test_files_that_are_no_candles_are_refused(
    peaktrade: Callable[..., Any], home: Path, name: str, content: bytes, says: str
) -> None:
    (home / name).write_bytes(content)
    ended = peaktrade("session", "run", "--candles", name)
    assert ended.code == 3, ended.stderr
    assert ended.stderr.startswith(f"error: DataError: {name}: ")
    assert says in ended.stderr


def test_a_file_that_is_not_there_is_named(peaktrade: Callable[..., Any]) -> None:
    ended = peaktrade("session", "run", "--candles", "gone.parquet")
    assert (ended.code, ended.stderr) == (3, "error: DataError: gone.parquet: no such file; give a file of candles\n")


@pytest.mark.parametrize("options", [("--warmup-candles", 300), ("--steps", 200), ("--warmup-candles", 301)])
def test_too_few_candles_are_said_with_the_figures(
    peaktrade: Callable[..., Any], home: Path, options: tuple[Any]
) -> None:
    pa.parquet.write_table(pa.table(good()), home / "candles.parquet")
    ended = peaktrade("session", "run", "--candles", "candles.parquet", *options)
    assert ended.code == 2
    assert "the candles hold 300 bars" in ended.stderr
    assert "lower --warmup-candles or --steps" in ended.stderr
