"""From ccxt's errors, and what hides behind them, to ours. The first match wins; Kraken's text counts before the class."""

from __future__ import annotations

import binascii
import re

from peaktrade_core.domain.errors import (
    ExchangeAPIError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    InsufficientFunds,
)

# Kraken's own words, before the class that ccxt chose for them.
_TEXTS: tuple[tuple[str, type[ExchangeError]], ...] = (
    (r"Rate limit exceeded|apiLimitExceeded|Temporary lockout", ExchangeRateLimitError),
    (
        r"Invalid (key|signature|nonce)|Feature disabled|Permission denied|authenticationError",
        ExchangeAuthenticationError,
    ),
    (r"EOrder:Insufficient|insufficientAvailableFunds|insufficientFunds", InsufficientFunds),
    (r"EOrder:|EService:Market in", ExchangeOrderError),
    (r"EService:(Timeout|Unavailable|Busy)|Deadline elapsed", ExchangeNetworkError),
)
_SECRET = re.compile(r"(?i)(api-?key|api-?sign|authent|nonce|secret)(['\"]?\s*[:=]\s*)[^\s,&'\"}]+")


def translate(fault: BaseException) -> ExchangeError:
    """Return our error for whatever a call into ccxt raised.

    An error of ours passes through. The original is kept as the cause.

    Source: ccxt's exception tree (ccxt.base.errors) and Kraken's error texts.
    """
    if isinstance(fault, ExchangeError):
        return fault
    error = _kind(fault)(describe(fault))
    error.__cause__ = fault
    return error


def describe(fault: BaseException) -> str:
    """Return an error's message on one line, at most 300 characters, without anything that looks like a secret."""
    text = " ".join(str(fault).split()) or type(fault).__name__
    text = _SECRET.sub(r"\1\2***", text)
    return text if len(text) <= 300 else f"{text[:299]}…"


def _kind(fault: BaseException) -> type[ExchangeError]:
    """Return the class of ours."""
    import ccxt
    import requests

    text = str(fault)
    if isinstance(fault, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return ExchangeRateLimitError
    for pattern, kind in _TEXTS:
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
