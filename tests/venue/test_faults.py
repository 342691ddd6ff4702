"""From what ccxt raises to our errors: one row for each line of the table, and nothing secret in a message."""

from __future__ import annotations

import base64
import binascii
import re
import socket
from collections.abc import Callable
from urllib.parse import quote

import ccxt
import pytest
import requests

from peaktrade_core.base.errors import (
    ExchangeAPIError,
    ExchangeAuthenticationError,
    ExchangeError,
    ExchangeNetworkError,
    ExchangeOrderError,
    ExchangeRateLimitError,
    ForbiddenRequestError,
    InsufficientFunds,
    OrderOutcomeUnknownError,
)
from peaktrade_core.runs.handbook import error_help
from peaktrade_core.venue.faults import describe, redacted_in, translate


def by_the_wire() -> ccxt.ExchangeError:
    """Return the bare error that ccxt makes of an HTTP library's."""
    error = ccxt.ExchangeError("kraken GET https://api.kraken.com/0/public/OHLC")
    error.__cause__ = requests.TooManyRedirects("Exceeded 30 redirects.")
    return error


TABLE: list[tuple[BaseException, type[ExchangeError]]] = [
    (ccxt.DDoSProtection("kraken EAPI:Rate limit exceeded"), ExchangeRateLimitError),
    (ccxt.RateLimitExceeded("krakenfutures apiLimitExceeded"), ExchangeRateLimitError),
    (ccxt.ExchangeError("kraken EOrder:Rate limit exceeded"), ExchangeRateLimitError),
    (ccxt.AuthenticationError("kraken EAPI:Invalid key"), ExchangeAuthenticationError),
    (ccxt.PermissionDenied("kraken EGeneral:Permission denied"), ExchangeAuthenticationError),
    (ccxt.AccountSuspended("kraken"), ExchangeAuthenticationError),
    (ccxt.InvalidNonce("kraken EAPI:Invalid nonce"), ExchangeAuthenticationError),
    (ccxt.ExchangeError("kraken EAPI:Invalid signature"), ExchangeAuthenticationError),
    (ccxt.ExchangeError("kraken EAPI:Feature disabled"), ExchangeAuthenticationError),
    (binascii.Error("Incorrect padding"), ExchangeAuthenticationError),
    (ccxt.InsufficientFunds("krakenfutures insufficientFunds"), InsufficientFunds),
    (ccxt.ExchangeError("kraken EOrder:Insufficient margin"), InsufficientFunds),
    (ccxt.InvalidOrder("kraken EOrder:Order minimum not met"), ExchangeOrderError),
    (ccxt.OrderNotFound("kraken EOrder:Unknown order"), ExchangeOrderError),
    (ccxt.OperationRejected("kraken"), ExchangeOrderError),
    (ccxt.CancelPending("kraken"), ExchangeOrderError),
    (ccxt.ExchangeError("kraken EOrder:Positions limit exceeded"), ExchangeOrderError),
    (ccxt.OnMaintenance("kraken EService:Market in cancel_only mode"), ExchangeOrderError),
    (ccxt.NetworkError("kraken"), ExchangeNetworkError),
    (ccxt.RequestTimeout("kraken"), ExchangeNetworkError),
    (ccxt.ExchangeNotAvailable("kraken 503"), ExchangeNetworkError),
    (ccxt.OnMaintenance("kraken"), ExchangeNetworkError),
    (ccxt.BadResponse("kraken: an answer without content"), ExchangeNetworkError),
    (ccxt.ExchangeError("kraken EService:Timeout"), ExchangeNetworkError),
    (ccxt.ExchangeError("kraken EService:Deadline elapsed"), ExchangeNetworkError),
    (ccxt.ExchangeError("krakenfutures Server Error"), ExchangeNetworkError),
    (by_the_wire(), ExchangeNetworkError),
    (requests.ConnectionError("refused"), ExchangeNetworkError),
    (TimeoutError("late"), ExchangeNetworkError),
    (ccxt.BadSymbol("kraken does not have market symbol X"), ExchangeAPIError),
    (ccxt.BadRequest("kraken EGeneral:Invalid arguments"), ExchangeAPIError),
    (ccxt.NotSupported("kraken"), ExchangeAPIError),
    (ccxt.ExchangeError("kraken EQuery:Unknown asset pair"), ExchangeAPIError),
    (TypeError("'NoneType' object is not subscriptable"), ExchangeAPIError),
]


@pytest.mark.parametrize(("fault", "kind"), TABLE, ids=lambda value: str(value)[:40])
def test_row(fault: BaseException, kind: type[ExchangeError]) -> None:
    error = translate(fault)
    assert type(error) is kind
    assert error.__cause__ is fault
    assert str(fault) in str(error)


@pytest.mark.parametrize(
    ("kind", "severity", "retryable", "latches", "runbook"),
    [
        (ExchangeNetworkError, "medium", True, False, "7a"),
        (ExchangeRateLimitError, "low", True, False, "7b"),
        (ExchangeAuthenticationError, "high", False, True, "7c"),
        (ExchangeOrderError, "medium", False, False, "7"),
        (InsufficientFunds, "medium", False, False, "7"),
        (ExchangeAPIError, "medium", False, False, "7"),
        (OrderOutcomeUnknownError, "high", False, True, "7a"),
        (ForbiddenRequestError, "high", False, True, "7"),
    ],
)
def test_how_each_class_is_treated(
    kind: type[ExchangeError], severity: str, retryable: bool, latches: bool, runbook: str
) -> None:
    treated = error_help(kind.__name__)
    assert (treated.severity, kind.retryable, kind.latches, treated.chapter) == (severity, retryable, latches, runbook)
    assert kind.exit_code == 8


def test_every_error_of_ccxt_has_a_place() -> None:
    kinds = [kind for kind in vars(ccxt).values() if isinstance(kind, type) and issubclass(kind, ccxt.BaseError)]
    assert len(kinds) > 30
    for kind in kinds:
        retryable = issubclass(kind, ccxt.OperationFailed) and not issubclass(
            kind, (ccxt.InvalidNonce, ccxt.CancelPending)
        )
        assert translate(kind("x")).retryable == retryable, kind


def test_an_error_of_ours_passes_through() -> None:
    ours = ExchangeOrderError("the venue says no")
    assert translate(ours) is ours


@pytest.mark.parametrize(
    "text",
    [
        "POST https://api/0/private/AddOrder nonce=1700000000000&pair=X",
        "headers {'API-Key': 'canary', 'API-Sign': 'canary=='}",
        'body {"apiKey":"canary"}',
        "secret: canary",
        "Authent=canary",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    told = describe(ValueError(text))
    assert "canary" not in told
    assert "1700000000000" not in told
    assert "***" in told


@pytest.mark.parametrize("secret", ["plain-canary", "canary\n", "canäry"])
def test_a_known_secret_is_masked_wherever_it_stands(secret: str) -> None:
    error = translate(
        requests.exceptions.InvalidHeader(f"reserved character(s) in header value: {secret!r}"), (secret,)
    )
    assert "can" not in str(error).replace("character", "")
    assert "***" in str(error)
    assert error.__cause__ is None


KEY = "AbC+dEf/0123456789ghIJklMNopQRstUVwx"
SECRET = base64.b64encode(bytes(range(40, 104))).decode()


@pytest.mark.parametrize("secret", [KEY, SECRET])
@pytest.mark.parametrize(
    "echo",
    [
        lambda s: s,
        lambda s: quote(s, safe=""),
        lambda s: quote(quote(s, safe=""), safe="").lower(),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(f"user:{s}:x".encode()).decode().rstrip("="),
        lambda s: s.encode().hex().upper(),
        lambda s: ":".join(f"{byte:02x}" for byte in s.encode()),
        lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
        lambda s: " ".join(s[n : n + 4] for n in range(0, len(s), 4)),
        lambda s: "\n".join(s[n : n + 3] for n in range(0, len(s), 3)),
        lambda s: s[:10] + " and " + s[10:],
        lambda s: s[3:20],
        lambda s: s.replace("/", "\\/").replace("+", "\\u002b"),
        lambda s: s.upper(),
    ],
)
def test_a_key_that_the_venue_echoes_is_masked_however_it_is_written(secret: str, echo: Callable[[str], str]) -> None:
    told = describe(
        ValueError(f"EAPI:Invalid key '{echo(secret)}' for pair XXBTZEUR, order OABCDE-12345-FGHIJK"), (secret,)
    )
    assert re.fullmatch(r"EAPI:Invalid key '\*\*\*[= ]*' for pair XXBTZEUR, order OABCDE-12345-FGHIJK", told)
    answer = redacted_in({"info": [{"reason": echo(secret)}], "id": "OABCDE-12345-FGHIJK", "amount": 1.5}, (secret,))
    assert answer["info"][0]["reason"].strip("= \n") == "***"
    assert (answer["id"], answer["amount"]) == ("OABCDE-12345-FGHIJK", 1.5)


def test_a_message_is_one_short_line() -> None:
    told = describe(ValueError("<html>\n" + "x" * 5000))
    assert len(told) == 300
    assert "\n" not in told
    assert describe(KeyError()) == "KeyError"


def test_a_refused_connection_says_so() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        client = ccxt.kraken({"timeout": 3000})
        client.urls["api"] = dict.fromkeys(client.urls["api"], f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ccxt.NetworkError) as caught:
            client.fetch_time()
    error = translate(caught.value)
    assert isinstance(error, ExchangeNetworkError)
    assert str(error).endswith("/0/public/Time: Connection refused")


def test_a_name_that_nobody_knows_says_so() -> None:
    fault = ccxt.NetworkError("kraken GET https://api.example/0/public/Time")
    fault.__cause__ = requests.ConnectionError("Max retries exceeded")
    fault.__cause__.__context__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert str(translate(fault)) == "kraken GET https://api.example/0/public/Time: Name or service not known"
