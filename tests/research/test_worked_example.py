"""docs/research_example.md says what the commands say over the candles that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loops import session

from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.trials.spec import Null, WalkForward, read_sweep
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.trial import decided
from peaktrade_core.trading.tally import figures
from peaktrade_core.workspace.workspace import Workspace

TEXT = (Path(__file__).parents[2] / "docs" / "research_example.md").read_text()
FILE = "kraken_BTC-EUR_1d_20180727-20200714"


@pytest.fixture
def sweep(home: Path, candles: Callable[[str], Path]) -> Path:
    (toml,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    path = home / "config" / "sweeps" / "days.toml"
    path.parent.mkdir(parents=True)
    path.write_text(toml.replace(f"{FILE}.parquet", str(candles(FILE))))
    return path


def test_the_worked_example_is_what_the_commands_say(
    home: Path, sweep: Path, candles: Callable[[str], Path], peaktrade: Callable[..., Any]
) -> None:
    plan = json.loads(peaktrade("sweep", "run", sweep, "--dry-run", "--json").stdout)
    assert f"{plan['trials']} trials over {plan['bars']} bars ({plan['held']} are held back)" in TEXT
    ran = peaktrade("sweep", "run", sweep, "--json")
    assert ran.code == 1, ran.stderr
    record = json.loads(ran.stdout)
    told = re.findall(r"^\| (pass|fail) \| (.*) \| (.*) \|$", TEXT, re.MULTILINE)
    assert told == [(one["status"], one["question"], one["evidence"]) for one in record["verdict"]]
    best = record["figures"]
    said = f"`{' '.join(f'{name}={value}' for name, value in best['params'].items())}`, a daily Sharpe ratio of"
    assert f"{said} {best['sharpe']:.3f} ({best['sharpe'] * 365**0.5:.1f} a year)" in TEXT
    assert f"{100 * best['total_return']:+.2f} % in {best['days']} days" in TEXT
    options = ("--candles", candles(FILE), "--symbol", "BTC/EUR", "--timeframe", "1d", "--warmup-candles", "60")
    tried = peaktrade("backtest", *options, "-p", "fast=18", "-p", "slow=20").stdout
    assert "64 tries of ma_crossover on this market so far" in tried
    opened = peaktrade("holdout", "open", f"{record['sweep_id']}#{best['number']}", "--by", "Ada", "--reason", "look")
    assert (opened.code, "+1.09 %" in opened.stdout) == (0, True)


@pytest.mark.parametrize("file", [FILE, "kraken_ETH-CAD_1h_20200614-20200714", "coinbase_BTC-EUR_1m_20180404-20180406"])
def test_every_trial_over_real_candles_is_its_backtest_and_its_session(
    workspace: Workspace, candles: Callable[[str], Path], sweep: Path, tmp_path: Path, cache: Path, file: str
) -> None:
    asked = msgspec.structs.replace(
        read_sweep(sweep),
        candles=str(candles(file)),
        timeframe=file.split("_")[2],
        parameters={"fast": [3, 9, 21], "slow": [20, 40]},
        walk_forward=WalkForward(windows=0),
        null=Null(shuffles=0),
    )
    ready = prepare(workspace, asked)
    trials = list(SweepStore(workspace).trials(run_sweep(workspace, ready, threads=2).sweep_id))
    assert [bool(one.error) for one in trials] == [False, False, False, False, True, False]
    for one in trials:
        if one.error:
            continue
        decision = decided(ready.base, one.params)
        result = run_backtest(decision, ready.bars, ready.warmup, cache)
        record, _ = session(tmp_path / str(one.number), decision, ready.bars, ready.warmup)
        for told in (figures(result.metrics), record.metrics):
            assert (one.equity, one.fills, one.trades, one.max_drawdown, one.denied) == (
                told["equity_end"], told["num_orders"], told["num_trades"], told["max_drawdown"], told["deny_codes"],
            )  # fmt: skip
        assert one.trades > 0
        assert record.decision_id == one.decision_id
