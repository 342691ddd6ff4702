"""Requests and replies as bytes: what came in, what goes out, and the connection with all that can go wrong on it.

Knows HTTP and sockets, no venue.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
LOOK_S = 0.02  # how often a silent connection is checked for a client that has left [s]


class VenueRequest(NamedTuple):
    """One request, as it came in, and which fault it met.

    Attributes:
        ts: venue time of its arrival [s since epoch].
        path: without the query.
        headers: by lower-case name.
        fault: name of the fault that was applied, empty for none.
    """

    ts: float
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str
    fault: str = ""

    @property
    def endpoint(self) -> str:
        """Return the last part of the path: ``AddOrder``."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters of query and body, the last value of each name, without the nonce."""
        pairs = dict(parse_qsl(self.query, keep_blank_values=True))
        if "json" in self.headers.get("content-type", ""):
            pairs |= {name: str(value) for name, value in _json_object(self.body).items()}
        else:
            pairs |= dict(parse_qsl(self.body, keep_blank_values=True))
        pairs.pop("nonce", None)
        return pairs

    @property
    def nonce(self) -> str:
        """Return the nonce of the body, empty without one."""
        if "json" in self.headers.get("content-type", ""):
            return str(_json_object(self.body).get("nonce", ""))
        return parse_qs(self.body).get("nonce", [""])[-1]

    def values(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        return parse_qs(self.query).get(name, []) + parse_qs(self.body).get(name, [])


class Reply(NamedTuple):
    """An answer before it is put on the wire."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, length: int | None = None) -> bytes:
        """Return status line and headers; ``length`` is what Content-Length claims, None for the truth."""
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {reason}", f"Content-Type: {self.content_type}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body) if length is None else length}", "", ""]
        return "\r\n".join(lines).encode()


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return ``value`` as a JSON answer, written as tightly as Kraken does."""
    return Reply(status, json.dumps(value, separators=(",", ":")).encode())


def html_reply(status: int, title: str) -> Reply:
    """Return a page such as a proxy in front of a venue makes."""
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, page.encode(), HTML_TYPE)


class Wire:
    """One connection, for as long as one answer takes.

    Attributes:
        keep_alive: whether the connection may be used again afterwards.
    """

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self._connection, self._stopping = connection, stopping
        self.keep_alive = True

    def send(self, data: bytes) -> None:
        """Put bytes on the wire.

        Raises:
            OSError: the client has left, or the venue stops.
        """
        self._connection.sendall(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Send nothing for ``seconds`` (None: for ever); False as soon as the client leaves or the venue stops."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            step = LOOK_S if until is None else max(0.0, min(LOOK_S, until - time.monotonic()))
            if self._stopping.wait(step) or self._client_left():
                self.keep_alive = False
                return False
        return True

    def receive(self, seconds: float) -> bytes | None:
        """Return what comes within ``seconds``, nothing if nothing does; None once the client left or the venue stops."""
        if self._stopping.is_set():
            self.keep_alive = False
            return None
        try:
            readable, _, _ = select.select([self._connection], [], [], seconds)
            data = self._connection.recv(65_536) if readable else b""
        except (OSError, ValueError):
            data, readable = b"", [self._connection]
        if readable and not data:
            self.keep_alive = False
            return None
        return data

    def close(self) -> None:
        """End the connection after what was sent."""
        self.keep_alive = False

    def reset(self) -> None:
        """Break the connection: the client sees "connection reset by peer"."""
        self.keep_alive = False
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()  # with the handler's file objects gone, the kernel sends RST instead of FIN

    def _client_left(self) -> bool:
        try:
            readable, _, _ = select.select([self._connection], [], [], 0.0)
            return bool(readable) and self._connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True


def _json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``, an empty one if there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
