"""From ccxt's errors, and what hides behind them, to ours. The first match wins; a venue's text counts before the class."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import quote

from peaktrade_core.base.errors import (
    ExchangeAPIError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    InsufficientFunds,
)
from peaktrade_core.venue.dialects import dialect_of

_HEAD, _TAIL = re.compile(r"[\w%+/\\-]+\Z"), re.compile(r"\A[\w%+/\\=-]+")  # the rest of a word
_PART = 8  # letters and digits in a row that give a secret away
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


def redacted(text: str, hidden: Sequence[str]) -> str:
    """Return text with ``***`` in the place of each hidden text, whole or in part, and however it is written.

    What counts are letters and digits: eight of them in a row that also stand in a row in a form of a hidden text (as it
    is, quoted for an address, in base64, as hexadecimal digits) are a part of it, with blanks, signs or line breaks
    between them or without. Neither what stands between two such parts is left, nor the rest of their word.
    """
    at = [n for n, sign in enumerate(text) if sign.isalnum()]
    plain = "".join(text[n].lower()[0] for n in at)
    marked: list[list[int]] = []
    for form in {form for secret in hidden for form in _forms(secret)}:
        size = min(_PART, len(form))
        parts = {form[n : n + size] for n in range(len(form) - size + 1)}
        marked += [[n, n + size] for n in range(len(plain) - size + 1) if plain[n : n + size] in parts]
    joined: list[list[int]] = []
    for begin, end in sorted(marked):
        if joined and begin <= joined[-1][1] + _PART:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    for begin, end in reversed(joined):
        before = _HEAD.sub("", text[: at[begin]])
        text = f"{before}***{_TAIL.sub('', text[at[end - 1] + 1 :])}"
    return text


def redacted_in(answer: Any, hidden: Sequence[str]) -> Any:
    """Return an answer of the venue, texts in lists and tables included, with nothing in it that is hidden."""
    if isinstance(answer, str):
        return redacted(answer, hidden)
    if isinstance(answer, dict):
        return {redacted_in(name, hidden): redacted_in(value, hidden) for name, value in answer.items()}
    return [redacted_in(one, hidden) for one in answer] if isinstance(answer, list) else answer


@cache
def _forms(secret: str) -> frozenset[str]:
    """Return how a secret can be written, each as its letters and digits in lower case."""
    raw = [secret.encode("utf-8", "surrogatepass")]
    with suppress(ValueError):  # Kraken's secrets are base64 themselves
        raw.append(base64.b64decode(secret, validate=True))
    coded = [
        base64.b64encode(b"x" * shift + data)[2 * bool(shift) + (shift > 1) : -4] for data in raw for shift in range(3)
    ]
    written = [secret, repr(secret)[1:-1], repr(raw[0])[2:-1], quote(secret, safe="")]
    written += [*(data.hex() for data in raw), *map(bytes.decode, coded)]
    plain = {"".join(sign.lower()[0] for sign in form if sign.isalnum()) for form in written}
    return frozenset(form for form in plain if len(form) >= min(_PART, 4))


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
