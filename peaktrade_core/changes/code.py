"""The code that decides, by its hash: the room of the decision code, and each strategy's own source."""

from __future__ import annotations

import hashlib
import inspect
from functools import lru_cache
from pathlib import Path
from types import CodeType

from peaktrade_core import trading
from peaktrade_core.trading.strategies import Strategy, Update


def code_digest(strategy: Strategy) -> str:
    """Return the SHA-256 of the decision code's sources and of the strategy's own."""
    return hashlib.sha256(f"{trading_digest()} {text_of(strategy.update)}".encode()).hexdigest()


@lru_cache(maxsize=1)
def trading_digest() -> str:
    """Return the SHA-256 of the room that says DECISION CODE."""
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
