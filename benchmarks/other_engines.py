"""What other engines say of given arrays: vectorbt (orders and money), ffn (selection), skfolio (weights).

Run by ``compare_engines.py`` in an interpreter of their own. Knows nothing of peaktrade: ``other_engines.py QUESTION FILE.npz
SETTINGS`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pandas as pd


def vectorbt(ohlc: Any, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Trade each rule by itself: decided at a close, filled at the next open, sized by the close, a share of equity."""
    import vectorbt as vbt

    frame = pd.DataFrame(ohlc, columns=["open", "high", "low", "close"])
    return [_traded(vbt, frame, _long(vbt, frame, rule), settings) for rule in settings["rules"]]


def _long(vbt: Any, frame: pd.DataFrame, rule: list[Any]) -> Any:
    """Return where a rule is long: a crossover of averages, or a channel that is held until its other side."""
    name, *numbers = rule
    if (
        name == "ma_crossover"
    ):  # its moving sums carry the rounding of all bars before: half of the least true difference is none
        fast, slow = (vbt.MA.run(frame["close"], window).ma.to_numpy() for window in numbers)
        return fast - slow > 1e-9 * frame["close"].to_numpy()
    close, window = frame["close"], int(numbers[0])
    above = close > frame["high"].rolling(window).max().shift(1)
    below = close < frame["low"].rolling(window).min().shift(1)
    sides = pd.Series(np.where(above, 1.0, np.where(below, 0.0, np.nan)), index=frame.index)
    return sides.ffill().fillna(0.0).to_numpy() > 0.0


def _traded(vbt: Any, frame: pd.DataFrame, long: Any, settings: dict[str, Any]) -> dict[str, Any]:
    long[: settings["warmup"]] = False
    turns = np.diff(long.astype(np.int8), prepend=0)
    size = np.full(len(frame), np.nan)
    size[1:] = np.where(turns == 1, settings["fraction"], np.where(turns == -1, 0.0, np.nan))[:-1]
    made = vbt.Portfolio.from_orders(
        frame["close"],
        size,
        size_type="targetpercent",
        price=frame["open"],
        val_price=frame["close"].shift(1).fillna(frame["open"]),
        fees=settings["fee"],
        slippage=settings["slippage"],
        init_cash=settings["balance"],
    )
    orders = made.orders.records
    signed = np.where(orders["side"] == 0, 1.0, -1.0) * orders["size"]
    rows = np.column_stack([orders["idx"], signed, orders["price"], orders["fees"]])
    return {"orders": rows.tolist(), "equity": made.value().tolist()}


def ffn(returns: Any, settings: dict[str, Any]) -> dict[str, float]:
    """Judge the best of many trials: hurdle and deflated Sharpe ratio, probability of overfitting."""
    import ffn as library

    ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = pd.Series(returns[:, int(ratios.argmax())])
    return {
        "hurdle": library.calc_expected_max_sharpe(len(ratios), float(ratios.std(ddof=1))),
        "deflated": library.calc_deflated_sharpe_ratio(best, pd.Series(ratios), nperiods=1, annualized_trials=False),
        "overfitting": library.calc_prob_backtest_overfitting(pd.DataFrame(returns), settings["blocks"]),
    }


def skfolio(returns: Any, settings: dict[str, Any]) -> dict[str, list[float]]:
    """Divide an account among the columns."""
    from skfolio import optimization

    made = {
        "equal": optimization.EqualWeighted(),
        "inverse_volatility": optimization.InverseVolatility(),
        "risk_parity": optimization.RiskBudgeting(),
    }
    return {name: made[name].fit(returns).weights_.tolist() for name in settings["methods"]}


def main() -> None:
    question, path, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    asked = {"vectorbt": vectorbt, "ffn": ffn, "skfolio": skfolio}[question]
    print(json.dumps(asked(np.load(path)["data"], settings)))


if __name__ == "__main__":
    main()
