"""Ids by content: the same question asked twice has the same id, on every machine."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from peaktrade_core.changes.code import code_digest
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars

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
