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


def run_vectorbt(frame: pd.DataFrame, warmup: int, runs: int, fee: float) -> dict[str, Any]:
    import vectorbt as vbt

    def once(bars: pd.DataFrame) -> Any:
        long = vbt.MA.run(bars.Close, FAST).ma.to_numpy() > vbt.MA.run(bars.Close, SLOW).ma.to_numpy()
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
    run = {"vectorbt": run_vectorbt, "backtesting": run_backtesting}[name]
    print(json.dumps(run(frame, int(settings["warmup"]), int(settings["runs"]), settings["fee"])))


if __name__ == "__main__":
    main()
