"""docs/research_example.md says what the commands say over the candles that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
