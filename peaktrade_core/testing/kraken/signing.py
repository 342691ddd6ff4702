"""Who may use the venue: Kraken's signatures of requests, checked as Kraken checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import unquote

from peaktrade_core.testing.wire import VenueRequest


class LoopbackKey(NamedTuple):
    """An API key and its secret (base64). They open nothing but a loopback venue."""

    key: str
    secret: str


LOOPBACK = LoopbackKey("loopback-key", base64.b64encode(b"a secret that opens nothing but a loopback venue").decode())


class Doorkeeper:
    """Knows the keys and the last nonce of each."""

    def __init__(self, credentials: LoopbackKey) -> None:
        self._secrets = {credentials.key: base64.b64decode(credentials.secret)}
        self._nonces: dict[str, int] = {}

    def spot(self, request: VenueRequest) -> str:
        """Return what is wrong with a signed spot request as Kraken says it, an empty string if nothing is.

        Source: API-Sign = HMAC-SHA512(secret, path + SHA256(nonce + body)), base64.
        """
        key = request.headers.get("api-key", "")
        if key not in self._secrets:
            return "EAPI:Invalid key"
        inner = hashlib.sha256((request.nonce + request.body).encode()).digest()
        if not self._signed(key, request.path.encode() + inner, request.headers.get("api-sign", "")):
            return "EAPI:Invalid signature"
        return "" if self._rises(f"spot {key}", request.nonce) else "EAPI:Invalid nonce"

    def futures(self, request: VenueRequest) -> str:
        """Return what is wrong with a signed futures request, an empty string if nothing is; a nonce is optional.

        Source: Authent = HMAC-SHA512(secret, SHA256(data + nonce + path)), base64; path without ``/derivatives``, data
        as sent or decoded.
        """
        key = request.headers.get("apikey", "")
        if key not in self._secrets:
            return "authenticationError"
        nonce, path = request.headers.get("nonce", ""), request.path.removeprefix("/derivatives")
        sent = request.query + request.body
        texts = [(data + nonce + path).encode() for data in (sent, unquote(sent))]
        given = request.headers.get("authent", "")
        if not any(self._signed(key, hashlib.sha256(text).digest(), given) for text in texts):
            return "authenticationError"
        return "" if not nonce or self._rises(f"futures {key}", nonce) else "nonceBelowThreshold"

    def _signed(self, key: str, message: bytes, given: str) -> bool:
        expected = base64.b64encode(hmac.new(self._secrets[key], message, hashlib.sha512).digest()).decode()
        return hmac.compare_digest(expected.encode(), given.encode())

    def _rises(self, key: str, text: str) -> bool:
        if not text.isdigit() or int(text) <= self._nonces.get(key, -1):
            return False
        self._nonces[key] = int(text)
        return True
