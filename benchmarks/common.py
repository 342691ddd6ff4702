"""What the benchmarks share: the bars, the best of several runs, baselines in another interpreter, the table."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from peaktrade_core.candles.replay import bars_of
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.market import Bars

REPOSITORY = Path(__file__).resolve().parent.parent


@contextmanager
def scratch(*more: str) -> Iterator[Path]:
    """Make a workspace with the shipped ``config.toml``, and with ``more`` files of that folder; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "config").mkdir()
        for name in ("config.toml", *more):
            shutil.copy(REPOSITORY / "config" / name, home / "config")
        yield home


def options(text: str, bars: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--bars", type=int, default=bars)
    parser.add_argument("--runs", type=int, default=5, help="the best of so many counts")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument(
        "--baseline-python",
        default=sys.executable,
        help="interpreter that has backtesting.py and vectorbt; default: this one",
    )
    return parser.parse_args()


def synthetic_bars(seed: int, count: int) -> Bars:
    """Return bars of the embedded market; each opens where the one before closed."""
    return bars_of(SyntheticFeed(seed, 60, bars=count))


def best(runs: int, run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest time [s] and the last result."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - begin)
    return min(times), result


def baseline(python: str, name: str, bars: Bars, **settings: float) -> dict[str, Any]:
    """Run a baseline of ``baselines.py`` over the same bars and return what it measured."""
    found: dict[str, Any] = elsewhere(python, "baselines.py", name, {"ts": bars.ts, "ohlcv": bars.ohlcv}, **settings)
    return found


def elsewhere(python: str, script: str, question: str, arrays: dict[str, Any], **settings: Any) -> Any:
    """Return what a script beside this one answers about arrays, run by another interpreter: its last line, JSON.

    Raises:
        SystemExit: it failed, as where that interpreter lacks a library; says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, **arrays)
        command = [python, str(Path(__file__).with_name(script)), question, str(data), json.dumps(settings)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        raise SystemExit(f"{question}: {why}; name an interpreter that has it with --baseline-python")
    return json.loads(done.stdout.splitlines()[-1])


def row(figure: str, bars: int, ours: float, theirs: float) -> tuple[str, str, str, str]:
    """Return a line of the table from two times for the same bars [s]."""
    return figure, rate(bars, ours), rate(bars, theirs), f"{theirs / ours:.2f}"


def rate(bars: int, seconds: float) -> str:
    return f"{bars / seconds / 1e6:.2f} M bars/s" if bars / seconds >= 1e6 else f"{bars / seconds / 1e3:.0f} k bars/s"


def table(rows: list[tuple[str, str, str, str]]) -> None:
    """Print figure, ours, baseline, ratio."""
    rows = [("figure", "ours", "baseline", "ratio"), *rows]
    widths = [max(len(line[i]) for line in rows) for i in range(4)]
    for figure, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print(figure.ljust(widths[0]), *padded, sep="  ")
