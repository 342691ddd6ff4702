"""What research says of a file of candles, beside what other programs say of it; ends with 1 where anything differs.

In a workspace of its own: a sweep; `peaktrade backtest` and `peaktrade session run` of each of its trials, to the last bit;
orders and money of two strategies beside vectorbt; deflated Sharpe ratio and probability of overfitting of the sweep's trials
beside ffn; weights of its trials beside skfolio. `--baseline-python` names an interpreter that has vectorbt, ffn and skfolio.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bench_backtest import WIDE
from common import elsewhere

from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.research.backtest import BacktestResult, run_backtest
from peaktrade_core.research.portfolio.weights import weigh
from peaktrade_core.research.trials.selection import deflated_sharpe, expected_best, overfitting_probability, sharpe
from peaktrade_core.research.trials.sweep import SweepStore
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars, timeframe_seconds
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace

WARMUP, BALANCE, FRACTION = 60, 10_000.0, 0.05
MARKET = Market(1.0, 1e10, 1.0, 1e12, 0.0, 0.0, 0.0, 0.0026, 0.0005, FRACTION)  # steps so fine that nothing is rounded
GRID = "fast=3:21:6 slow=20:60:10"
METHODS = ("equal", "inverse_volatility", "risk_parity")
TOLD = (
    "equity_end",
    "fees",
    "max_drawdown",
    "num_orders",
    "num_trades",
    "deny_codes",
    "realized_pnl",
    "unrealized_pnl",
)


class Answers:
    """What was compared, a line each."""

    def __init__(self) -> None:
        self.differ = 0

    def say(self, what: str, ours: str, theirs: str, same: bool) -> None:
        """Print one comparison."""
        self.differ += not same
        print(f"{'same  ' if same else 'DIFFER'}  {what:<46}  {ours:>22}  {theirs:>22}", flush=True)


def peaktrade(home: Path, *words: object) -> Any:
    """Return what a command prints as JSON."""
    command = [sys.executable, "-m", "peaktrade_core", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PEAKTRADE_HOME": str(home)})
    if not done.stdout:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr}")
    return json.loads(done.stdout)


def other(python: str, question: str, data: np.ndarray, **settings: Any) -> Any:
    """Return what another engine says of an array."""
    return elsewhere(python, "other_engines.py", question, {"data": data}, **settings)


def commands(answers: Answers, home: Path, market: list[str]) -> str:
    """Compare each trial of a sweep with the backtest and the session of its parameters; return the sweep's id."""
    asked = ["--strategy", "ma_crossover", "--grid", GRID, "--question", "Is each trial its backtest and its session?"]
    record = peaktrade(home, "sweep", "run", *market, *asked, "--windows", 0, "--shuffles", 0)
    for trial in SweepStore(Workspace(home)).trials(record["sweep_id"]):
        if trial.error:
            continue
        own = [
            *market,
            "--warmup-candles",
            200,
            *(word for k, v in trial.params.items() for word in ("-p", f"{k}={v}")),
        ]
        backtest = peaktrade(home, "backtest", *own)["metrics"]
        ran = peaktrade(home, "session", "run", *own, "--steps", backtest["steps"])
        session = ran["metrics"]
        ours = (trial.decision_id, trial.equity, trial.fills, trial.trades, trial.max_drawdown, trial.denied)
        theirs = (ran["decision_id"], *(session[n] for n in ("equity_end", "num_orders", "num_trades", "max_drawdown")))
        same = ours == (*theirs, session["deny_codes"]) and all(backtest[name] == session[name] for name in TOLD)
        name = " ".join(f"{k}={v}" for k, v in trial.params.items())
        answers.say(f"trial, session: {name}", repr(trial.equity), repr(session["equity_end"]), same)
    return str(record["sweep_id"])


def orders(answers: Answers, python: str, bars: Bars, bar_s: float, cache: Path) -> None:
    """Compare orders and the account of each bar with vectorbt's."""
    rules = [("ma_crossover", f, s) for f in (3, 9, 20) for s in (21, 50)]
    rules += [("donchian_breakout", window) for window in (5, 20, 48)]
    costs = {"fee": MARKET.fee_rate, "slippage": MARKET.slippage, "fraction": FRACTION, "balance": BALANCE}
    found = other(python, "vectorbt", bars.ohlcv[:, :4], rules=rules, warmup=WARMUP, **costs)
    for (name, *numbers), theirs in zip(rules, found, strict=True):
        strategy = get_strategy(name)
        params = strategy.parameters(dict(zip(strategy.params._fields, numbers, strict=False)))
        result = run_backtest(Decision(strategy, params, MARKET, WIDE, bar_s, BALANCE), bars, WARMUP, cache)
        made, equity = filled(result, bars), np.array(theirs["equity"])[WARMUP:]
        listed = np.array(theirs["orders"]).reshape(-1, 4)
        same = made.shape == listed.shape and np.allclose(made, listed, rtol=1e-9, atol=1e-9)
        same = same and np.allclose(result.equity, equity, rtol=1e-11)
        what = f"vectorbt: {name} {' '.join(map(str, numbers))}"
        answers.say(
            what, f"{len(made)}: {result.equity[-1]:.9f}", f"{len(listed)}: {equity[-1]:.9f}", same and len(made) > 0
        )


def filled(result: BacktestResult, bars: Bars) -> np.ndarray:
    """Return executions as vectorbt lists them: row of the bar, signed quantity, price, fee."""
    made = [one for one in result.events if isinstance(one, ev.Fill)]
    at = np.searchsorted(
        bars.ts + result.decision.bar_s, [one.ts.timestamp() for one in made]
    )  # told at its bar's close
    return np.column_stack([at, *([getattr(one, name) for one in made] for name in ("qty", "price", "fee"))])


def selection(answers: Answers, python: str, returns: np.ndarray) -> None:
    """Compare how the best of the trials is judged with ffn, and how an account is divided among them with skfolio."""
    if len(returns) < 60:
        print(f"        ffn, skfolio: {len(returns)} UTC days, at least 60 are needed")
        return
    ratios = np.array([sharpe(one) for one in returns.T])
    spread = float(ratios.var(ddof=1))
    ours = {
        "hurdle": expected_best(len(ratios), spread),
        "deflated": deflated_sharpe(returns[:, int(ratios.argmax())], len(ratios), spread),
        "overfitting": overfitting_probability(returns, 8),
    }
    theirs = other(python, "ffn", returns, blocks=8)
    # ffn corrects skewness and kurtosis for bias, we take the paper's: a difference of about 1 / days
    apart = {"hurdle": 1e-12, "deflated": 2.0 / len(returns), "overfitting": 0.0}
    for name, least in apart.items():
        same = abs(ours[name] - theirs[name]) <= least
        answers.say(f"ffn: {name}", f"{ours[name]:.12f}", f"{theirs[name]:.12f}", same)
    some = returns[:, :: max(1, returns.shape[1] // 5)]
    for method, weights in other(python, "skfolio", some, methods=METHODS).items():
        own = weigh(method, some)
        told = [" ".join(f"{one:.4f}" for one in given[:3]) for given in (own, weights)]
        # its solver stops where shares of risk are 5e-5 apart, ours at 1e-13
        answers.say(f"skfolio: {method} of {some.shape[1]}", *told, bool(np.allclose(own, weights, atol=2e-4)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("candles", type=Path)
    parser.add_argument("--symbol", default="BTC/EUR")
    parser.add_argument("--timeframe", required=True)
    parser.add_argument("--baseline-python", default=sys.executable, help="interpreter with vectorbt, ffn and skfolio")
    given = parser.parse_args()
    bar_s, answers = float(timeframe_seconds(given.timeframe)), Answers()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "workspace"
        subprocess.run(
            [sys.executable, "-m", "peaktrade_core", "init", str(home)], check=True, stdout=subprocess.DEVNULL
        )
        market = ["--candles", str(given.candles.resolve()), "--symbol", given.symbol, "--timeframe", given.timeframe]
        print(f"{'':54}  {'ours':>22}  {'theirs':>22}")
        sweep_id = commands(answers, home, market)
        orders(answers, given.baseline_python, read_candles(given.candles, bar_s=bar_s), bar_s, home)
        selection(answers, given.baseline_python, SweepStore(Workspace(home)).returns(sweep_id, BALANCE))
    if answers.differ:
        raise SystemExit(f"{answers.differ} differ")
    print("Nothing differs.")


if __name__ == "__main__":
    main()
