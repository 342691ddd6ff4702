"""How a session is run once more: the command line of its record, without what only its own start could use."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from peaktrade_core.base.text import decoded
from peaktrade_core.trading.records import SessionRecord

ONCE = "--session-id"  # the fleet's, for the one run that it starts: an id cannot be had twice
_FLAGS = ("symbol", "timeframe", "feed", "seed", "candles", "steps", "warmup_candles", "position_fraction",
          "start_balance")  # fmt: skip


def repeat_command(record: SessionRecord) -> str:
    """Return the command line of a session: the recorded one, else one from its configuration."""
    if record.cli_args:
        return shlex.join(repeatable(map(str, record.cli_args)))
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


def command_line() -> tuple[str, ...]:
    """Return how this process was called, to be found again in a record."""
    return ("peaktrade", *repeatable(map(decoded, sys.argv[1:])))


def repeatable(words: Iterable[str]) -> Iterator[str]:
    """Yield the words of a command line that can be given again."""
    left = iter(words)
    for word in left:
        if word == ONCE:
            next(left, None)
        elif not word.startswith(f"{ONCE}="):
            yield word
