"""How Bybit says no: a code and a text in an answer of HTTP 200, also for what Kraken has words for.

Source: Bybit V5 API documentation (error codes).
"""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.testing.wire import Reply, json_reply

API = "/v5/"
# what each refusal of Kraken's words is here: HTTP status, code, text
REFUSALS = {
    "EAPI:Invalid key": (200, 10003, "API key is invalid."),
    "EAPI:Invalid signature": (200, 10004, "Error sign, please check your signature generation algorithm."),
    "EAPI:Invalid nonce": (200, 10002, "The request time exceeds the time window range."),
    "EGeneral:Permission denied": (200, 10005, "Permission denied, please check your API key permissions."),
    "EOrder:Insufficient funds": (200, 170131, "Insufficient balance."),
    "EOrder:Unknown order": (200, 110001, "order not exists or too late to cancel"),
    "EOrder:Order minimum not met": (200, 170136, "Order quantity exceeded lower limit."),
    "EQuery:Unknown asset pair": (200, 10001, "Not supported symbols"),
    "EAPI:Rate limit exceeded": (200, 10006, "Too many visits. Exceeded the API Rate Limit."),
    "EOrder:Rate limit exceeded": (200, 10006, "Too many visits. Exceeded the API Rate Limit."),
    "EGeneral:Temporary lockout": (403, 10018, "Exceeded the IP Rate Limit."),
    "EService:Unavailable": (200, 10016, "Server error."),
    "EService:Busy": (200, 10016, "System busy, please try again later."),
    "EService:Timeout": (200, 10000, "Server Timeout"),
    "EService:Market in cancel_only mode": (200, 170139, "Operation failed, the market is closed."),
    "EGeneral:Invalid arguments": (200, 10001, "Request parameter error."),
    # of perpetuals, in the words of the venue's futures account
    "insufficientAvailableFunds": (200, 110007, "Available balance is insufficient"),
    "wouldNotReducePosition": (200, 110017, "Reduce-only rule not satisfied"),
    "postWouldExecute": (200, 170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    "leverageNotModified": (200, 110043, "Set leverage has not been modified."),
    "iocWouldNotExecute": (200, 110028, "The order was not executed."),
}


class BybitRefusalError(PeaktradeError):
    """The venue says no, in Bybit's words."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = json_reply(answer({}, 0, code, text), status)


def answer(result: Any, now: float, code: int = 0, text: str = "OK") -> dict[str, Any]:
    """Return an answer as Bybit wraps it; ``now`` is the venue's time [s since epoch]."""
    return {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": int(now * 1000)}


def refused(text: str) -> BybitRefusalError:
    """Return the refusal to which one in Kraken's words corresponds."""
    return BybitRefusalError(*REFUSALS.get(text, (200, 10016, "Server error.")))


def refusal_of(text: str) -> Reply:
    """Return the answer to which a refusal in Kraken's words corresponds."""
    return refused(text).reply


def speaks(path: str) -> bool:
    """Return whether a path is one of Bybit's."""
    return path.startswith(API)
