"""The baselines, run by the other scripts in an interpreter of their own: vectorbt and backtesting.py.

Both follow the rules of ``ma_crossover`` 20/50: long while the fast average of closes is above the slow one, decided at
a close, filled at the next open, 5 % of equity, fee on notional. Knows nothing of peaktrade. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd

FAST, SLOW, FRACTION = 20, 50, 0.05
# vectorbt's averages carry the rounding of all bars before: of 11 exact ties in 2,000,000 bars it calls 3 a crossing. Prices are
# whole cents, so that averages which do differ, differ by 1e-4 at least: half of that is none.
TIE = 5e-5


def run_vectorbt(frame: pd.DataFrame, warmup: int, runs: int, fee: float) -> dict[str, Any]:
    import vectorbt as vbt

    def once(bars: pd.DataFrame) -> Any:
        long = vbt.MA.run(bars.Close, FAST).ma.to_numpy() - vbt.MA.run(bars.Close, SLOW).ma.to_numpy() > TIE
        long[:warmup] = False
        turns = np.diff(long.astype(np.int8), prepend=0)
        size = np.full(len(bars), np.nan)
        size[1:] = np.where(turns == 1, FRACTION, np.where(turns == -1, 0.0, np.nan))[:-1]
        portfolio = vbt.Portfolio.from_orders(
            bars.Close,
            size,
            size_type="targetpercent",
            price=bars.Open,
            val_price=bars.Open,
            fees=fee,
            init_cash=10_000.0,
        )
        return portfolio, portfolio.value()

    once(frame[: warmup + 500])  # compiles
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        portfolio, value = once(frame)
        times.append(time.perf_counter() - begin)
    held = portfolio.assets().to_numpy()
    return {
        "seconds": min(times),
        "final": float(value.iloc[-1]),
        "orders": int(portfolio.orders.count()),
        "held": held[:: max(1, len(held) // 1000)].tolist(),
    }


def run_vectorbt_sweep(
    frame: pd.DataFrame, warmup: int, runs: int, fee: float, fasts: int, slows: int
) -> dict[str, Any]:
    """Run fast 5, 10 ... by slow 60, 80 ... as one portfolio of many columns, with the figures that people look at."""
    import resource

    import vectorbt as vbt

    pairs = [(5 + 5 * i, 60 + 20 * j) for i in range(fasts) for j in range(slows)]

    def once(bars: pd.DataFrame) -> Any:
        fast = vbt.MA.run(bars.Close, [pair[0] for pair in pairs], per_column=False).ma.to_numpy()
        slow = vbt.MA.run(bars.Close, [pair[1] for pair in pairs], per_column=False).ma.to_numpy()
        long = fast - slow > TIE
        long[:warmup] = False
        turns = np.diff(long.astype(np.int8), axis=0, prepend=0)
        size = np.full(long.shape, np.nan)
        size[1:] = np.where(turns == 1, FRACTION, np.where(turns == -1, 0.0, np.nan))[:-1]
        portfolio = vbt.Portfolio.from_orders(
            bars.Close,
            size,
            size_type="targetpercent",
            price=bars.Open,
            val_price=bars.Open,
            fees=fee,
            init_cash=10_000.0,
        )
        return (
            portfolio.final_value(),
            portfolio.max_drawdown(),
            portfolio.sharpe_ratio(freq="1min"),
            portfolio.orders.count(),
        )

    once(frame[: warmup + 500])  # compiles
    times = []
    for _ in range(runs):
        begin, used = time.perf_counter(), time.process_time()
        finals, *_ = once(frame)
        times.append((time.perf_counter() - begin, time.process_time() - used))
    return {
        "seconds": min(one for one, _ in times),
        "cpu": min(one for _, one in times),
        "finals": finals.tolist(),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def run_backtesting(frame: pd.DataFrame, warmup: int, runs: int, fee: float) -> dict[str, Any]:
    from backtesting import Backtest, Strategy

    def mean(values: Any, window: int) -> Any:
        return pd.Series(values).rolling(window).mean()

    class Crossover(Strategy):
        def init(self) -> None:
            self.fast, self.slow = self.I(mean, self.data.Close, FAST), self.I(mean, self.data.Close, SLOW)

        def next(self) -> None:
            if len(self.data) > warmup:
                if self.fast[-1] > self.slow[-1]:
                    if not self.position:
                        self.buy(size=FRACTION)
                elif self.position:
                    self.position.close()

    times = []
    for _ in range(runs):
        test = Backtest(frame, Crossover, cash=1e8, commission=fee)  # whole units only: plenty of cash
        begin = time.perf_counter()
        stats = test.run()
        times.append(time.perf_counter() - begin)
    return {"seconds": min(times), "trades": int(stats["# Trades"])}


def main() -> None:
    name, path, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    data = np.load(path)
    columns = ["Open", "High", "Low", "Close", "Volume"]
    frame = pd.DataFrame(data["ohlcv"], columns=columns, index=pd.to_datetime(data["ts"], unit="s"))
    run = {"vectorbt": run_vectorbt, "vectorbt_sweep": run_vectorbt_sweep, "backtesting": run_backtesting}[name]
    whole = {key: int(value) for key, value in settings.items() if key != "fee"}
    print(json.dumps(run(frame, fee=settings["fee"], **whole)))


if __name__ == "__main__":
    main()
