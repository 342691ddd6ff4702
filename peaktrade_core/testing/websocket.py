"""The server's half of a websocket: the handshake and frames of text, as bytes. Knows no venue.

Source: RFC 6455.
"""

from __future__ import annotations

import base64
import hashlib
import struct

from peaktrade_core.testing.wire import VenueRequest

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def wants_websocket(request: VenueRequest) -> bool:
    """Return whether a request opens a websocket."""
    return request.headers.get("upgrade", "").lower() == "websocket" and "sec-websocket-key" in request.headers


def handshake(request: VenueRequest) -> bytes:
    """Return the answer that opens it."""
    key = request.headers["sec-websocket-key"] + _GUID
    accepted = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - the protocol's own
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accepted}", "", ""]).encode()


def frame(data: bytes, kind: int = TEXT) -> bytes:
    """Return one whole frame of the server's."""
    head = bytes([0x80 | kind])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    size = struct.pack("!BH", 126, len(data)) if len(data) < 65_536 else struct.pack("!BQ", 127, len(data))
    return head + size + data


def take_frame(buffer: bytearray) -> tuple[int, bytes] | None:
    """Take one frame of the client's, its kind and data, from the front of what came in; None as long as it is not whole."""
    if len(buffer) < 2:
        return None
    kind, size, at = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
    if size in (126, 127):
        width = 2 if size == 126 else 8
        if len(buffer) < at + width:
            return None
        size, at = int.from_bytes(buffer[at : at + width], "big"), at + width
    if len(buffer) < at + 4 + size:
        return None
    mask, data = buffer[at : at + 4], buffer[at + 4 : at + 4 + size]
    del buffer[: at + 4 + size]
    return kind, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
