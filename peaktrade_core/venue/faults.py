"""From ccxt's errors, and what hides behind them, to ours. The first match wins; a venue's text counts before the class."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from typing import Any

from peaktrade_core.base.errors import (
    ExchangeAPIError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    InsufficientFunds,
)
from peaktrade_core.base.text import redacted
from peaktrade_core.venue.dialects import dialect_of

_SECRET = re.compile(r"(?i)(api-?key|api-?sign|authent|nonce|secret)(['\"]?\s*[:=]\s*['\"]?)[^\s,&'\"}]+")


def translate(fault: BaseException, hidden: Sequence[str] = (), venue: str = "kraken") -> ExchangeError:
    """Return our error for whatever a call to a venue through ccxt raised.

    An error of ours passes through. The original is kept as the cause, unless it shows one of the ``hidden`` texts:
    HTTP libraries quote a header that they cannot send.

    Source: ccxt's exception tree (ccxt.base.errors) and the venues' error texts (:mod:`.dialects`).
    """
    if isinstance(fault, ExchangeError):
        return fault
    error = _kind(fault, venue)(describe(fault, hidden))
    shown = f"{fault} {fault.__cause__} {fault.__context__}"
    if redacted(shown, hidden) == shown:
        error.__cause__ = fault
    return error


def describe(fault: BaseException, hidden: Sequence[str] = ()) -> str:
    """Return an error's message on one line, at most 300 characters, without a secret or what looks like one.

    With the operating system's reason at its end, if one is behind it: ccxt says the same of a connection that was
    refused and of a name that nobody knows.
    """
    text = redacted(str(fault), hidden)
    text = " ".join(text.split()) or type(fault).__name__
    if reason := _of_the_system(fault):
        text = text if reason in text else f"{text[:200]}: {reason}"
    text = _SECRET.sub(r"\1\2***", text)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _of_the_system(fault: BaseException | None) -> str:
    """Return why the operating system could not do it ("Connection refused"), empty when it had no part in it."""
    for _ in range(10):
        if fault is None:
            break
        if isinstance(fault, OSError) and fault.errno is not None:
            return str(fault.strerror or "")
        fault = fault.__cause__ or fault.__context__
    return ""


def redacted_in(answer: Any, hidden: Sequence[str]) -> Any:
    """Return an answer of the venue, texts in lists and tables included, with nothing in it that is hidden."""
    if isinstance(answer, str):
        return redacted(answer, hidden)
    if isinstance(answer, dict):
        return {redacted_in(name, hidden): redacted_in(value, hidden) for name, value in answer.items()}
    return [redacted_in(one, hidden) for one in answer] if isinstance(answer, list) else answer


def _kind(fault: BaseException, venue: str) -> type[ExchangeError]:
    """Return the class of ours."""
    import ccxt
    import requests

    text = str(fault)
    if isinstance(fault, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return ExchangeRateLimitError
    for pattern, kind in dialect_of(venue).texts:
        if re.search(pattern, text):
            return kind
    if isinstance(fault, (ccxt.AuthenticationError, ccxt.InvalidNonce, binascii.Error)):
        return ExchangeAuthenticationError
    if isinstance(fault, ccxt.InsufficientFunds):
        return InsufficientFunds
    if isinstance(fault, (ccxt.InvalidOrder, ccxt.OperationRejected, ccxt.CancelPending)):
        return ExchangeOrderError
    if isinstance(fault, (ccxt.BadSymbol, ccxt.BadRequest, ccxt.NotSupported)):
        return ExchangeAPIError
    by_the_wire = isinstance(fault.__cause__, requests.RequestException) and isinstance(fault, ccxt.ExchangeError)
    if isinstance(fault, (ccxt.OperationFailed, requests.RequestException, TimeoutError, OSError)) or by_the_wire:
        return ExchangeNetworkError
    return ExchangeAPIError
