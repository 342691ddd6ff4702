"""How Binance says no: HTTP status, code and text, also for what Kraken has words for.

Source: Binance Spot API documentation (error codes).
"""

from __future__ import annotations

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.testing.wire import Reply, json_reply

API = "/api/v3/"
FUTURES, COIN = "/fapi/", "/dapi/"  # perpetuals in USD-M; in COIN-M, of which this venue has none
# what each refusal of Kraken's words is here: HTTP status, code, text
REFUSALS = {
    "EAPI:Invalid key": (401, -2015, "Invalid API-key, IP, or permissions for action."),
    "EAPI:Invalid signature": (400, -1022, "Signature for this request is not valid."),
    "EAPI:Invalid nonce": (400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "EGeneral:Permission denied": (401, -2015, "Invalid API-key, IP, or permissions for action."),
    "EOrder:Insufficient funds": (400, -2010, "Account has insufficient balance for requested action."),
    "EOrder:Order minimum not met": (400, -1013, "Filter failure: LOT_SIZE"),
    "EQuery:Unknown asset pair": (400, -1121, "Invalid symbol."),
    "EAPI:Rate limit exceeded": (429, -1003, "Too many requests; current limit is 6000 request weight per 1 MINUTE."),
    "EOrder:Rate limit exceeded": (429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND."),
    "EGeneral:Temporary lockout": (418, -1003, "Way too many requests; IP banned."),
    "EService:Unavailable": (503, -1016, "This service is no longer available."),
    "EService:Busy": (503, -1008, "Server is currently overloaded with other requests."),
    "EService:Timeout": (400, -1007, "Timeout waiting for response from backend server."),
    "EService:Market in cancel_only mode": (400, -1013, "Market is closed."),
    "EGeneral:Invalid arguments": (400, -1102, "A mandatory parameter was not sent, was empty/null, or malformed."),
}


class BinanceRefusalError(PeaktradeError):
    """The venue says no, in Binance's words."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = json_reply({"code": code, "msg": text}, status)


def refusal_of(text: str) -> Reply:
    """Return the answer to which a refusal in Kraken's words corresponds."""
    return BinanceRefusalError(*REFUSALS.get(text, (400, -1000, "An unknown error occurred."))).reply


def speaks(path: str) -> bool:
    """Return whether a path is one of Binance's."""
    return path.startswith((API, FUTURES, COIN))
