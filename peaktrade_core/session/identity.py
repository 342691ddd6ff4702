"""Ids by content: the same question asked twice has the same id, on every machine."""

from __future__ import annotations

import hashlib
import inspect
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec

from peaktrade_core import trading
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.strategies import Strategy, Update

LENGTH = 12  # hexadecimal digits


def content_id(prefix: str, *parts: object) -> str:
    """Return ``prefix_`` and a digest of values in canonical JSON: keys sorted, the shortest digits of a number."""
    text = msgspec.json.encode(parts, order="deterministic")
    return f"{prefix}_{hashlib.sha256(text).hexdigest()[:LENGTH]}"


def decision_id(decision: Decision) -> str:
    """Return the id of a decision: strategy, parameters, market, limits, bar, balance, and the code of all that."""
    return content_id("dc", described(decision), code_digest(decision.strategy))


def described(decision: Decision) -> dict[str, Any]:
    """Return a decision as plain values."""
    return {
        "strategy": decision.strategy.name,
        "params": decision.params._asdict(),
        "market": decision.market._asdict(),
        "limits": decision.limits._asdict(),
        "bar_s": decision.bar_s,
        "start_balance": decision.start_balance,
    }


def bars_digest(bars: Bars) -> str:
    """Return the SHA-256 of columns of bars."""
    digest = hashlib.sha256(bars.ts.data)
    digest.update(bars.ohlcv.data)
    return digest.hexdigest()


def code_digest(strategy: Strategy) -> str:
    """Return the SHA-256 of the decision code's sources and of the strategy's own."""
    return hashlib.sha256(f"{_trading_digest()} {text_of(strategy.update)}".encode()).hexdigest()


@lru_cache(maxsize=1)
def _trading_digest() -> str:
    """Return the digest of the room that says DECISION CODE."""
    digest = hashlib.sha256()
    for path in sorted(Path(str(trading.__file__)).parent.rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def text_of(update: Update) -> str:
    """Return the source of a strategy; where it has none, as one typed into a prompt, its bytecode."""
    plain = inspect.unwrap(getattr(update, "py_func", update))
    return _source(plain, plain.__code__)


@lru_cache(maxsize=256)
def _source(plain: Update, code: CodeType) -> str:
    """Return the source of a function, looked up once while its code is the same."""
    try:
        return inspect.getsource(plain)
    except (OSError, TypeError):
        return f"{code.co_code.hex()} {code.co_consts!r} {code.co_names!r}"
