"""From a session's record to the command that runs the same again: what a re-run or a bug report begins with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from peaktrade_core.trading.records import SessionRecord

NEEDED = ("strategy_name", "params", "symbol", "timeframe", "feed", "warmup_candles", "position_fraction",
          "start_balance", "fee_bps", "slippage_bps", "risk_limits")  # fmt: skip
_FLAGS = ("symbol", "timeframe", "feed", "seed", "candles", "steps", "warmup_candles", "position_fraction",
          "start_balance")  # fmt: skip


def missing_settings(record: SessionRecord) -> list[str]:
    """Return what a record lacks for its session to be repeated; empty when it can be."""
    lacking = [name for name in NEEDED if record.setting(name) is None]
    if record.setting("seed") is None and not record.setting("data_sha256"):
        lacking.append("seed or data_sha256")
    return lacking


def repeat_command(record: SessionRecord) -> str:
    """Return the command line of a session: the recorded one, else one from its configuration."""
    if record.cli_args:
        return shlex.join(map(str, record.cli_args))
    given: list[str] = ["peaktrade", "session", "run"]
    if record.mode == "testnet":
        given += ["--mode", "testnet"]
    if record.setting("strategy_name"):
        given += ["--strategy", str(record.setting("strategy_name"))]
    for name in _FLAGS:
        value: Any = record.setting(name)
        if value not in (None, ""):
            given += [f"--{name.replace('_', '-')}", str(value)]
    params = record.setting("params")
    for key, value in params.items() if isinstance(params, Mapping) else ():
        given += ["--param", f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"]
    return shlex.join(given)
