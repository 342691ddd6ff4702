"""A port on loopback that can be refused and reopened, with one thread a connection, all of which end with it.

Built on the standard library's threading HTTP server: a hanging answer is then a thread that waits, a broken one a
socket that is closed, and no event loop has to be shared with whoever is tested.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.testing.wire import VenueRequest, Wire

HOST = "127.0.0.1"
POLL_S = 0.02  # how soon the listening thread notices that it shall stop [s]
JOIN_S = 5.0  # how long a connection's thread may take to end [s]

Respond = Callable[[VenueRequest, Wire], None]


class Port:
    """A loopback address that accepts connections, refuses them, or is closed."""

    def __init__(self, respond: Respond, failed: Callable[[Exception], None], number: int = 0) -> None:
        """Reserve the port; it refuses connections until :meth:`accept`.

        Args:
            respond: puts the answer to a request on its wire.
            failed: told of an exception in ``respond`` that is not the connection's.
            number: 0 for any free one.

        Raises:
            EnvironmentFault: the port is taken or may not be used.
        """
        self._respond, self._failed = respond, failed
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._reserved: socket.socket | None = _bound(number)
        self.number: int = self._reserved.getsockname()[1]

    def accept(self) -> None:
        """Take connections; nothing happens if it does already.

        Raises:
            EnvironmentFault: another program has taken the port meanwhile.
        """
        with self._lock:
            if self._server is None:
                bound, self._reserved = self._reserved or _bound(self.number), None
                try:
                    self._server = _Server(bound, self._respond, self._failed)
                except OSError as error:
                    bound.close()
                    raise _unusable(self.number, error) from error

    def refuse(self) -> None:
        """End all connections and refuse new ones; the number stays reserved."""
        with self._lock:
            if self._server is not None:
                self._server.end()
                self._server = None
                self._reserved = _bound(self.number)

    def close(self) -> None:
        """End all connections and give the port back."""
        with self._lock:
            if self._server is not None:
                self._server.end()
            if self._reserved is not None:
                self._reserved.close()
            self._server = self._reserved = None


class _Server(ThreadingHTTPServer):
    """The listening thread and the connections' threads of an accepting port."""

    def __init__(self, bound: socket.socket, respond: Respond, failed: Callable[[Exception], None]) -> None:
        super().__init__(bound.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.respond, self.failed = respond, failed
        self.stopping = threading.Event()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._open_lock = threading.Lock()
        self.server_activate()
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_S,), name="venue-port", daemon=True)
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        target = self.process_request_thread
        thread = threading.Thread(target=target, args=(request, client_address), name="venue-connection", daemon=True)
        with self._open_lock:
            self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                self._open.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves is what this server is for, and other errors are handed on before."""

    def end(self) -> None:
        """Stop listening, break all connections and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        self._thread.join(JOIN_S)
        self.server_close()
        with self._open_lock:
            still = dict(self._open)
        for connection in still.values():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # already broken
                continue
        for thread in still:
            thread.join(JOIN_S)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests off a connection and hands them to the venue."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the venue keeps its own log of requests."""

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        wire = Wire(self.connection, self.server.stopping)
        try:
            self.server.respond(VenueRequest(0.0, self.command, url.path, url.query, headers, body), wire)
        except OSError:
            wire.close()
        except Exception as error:
            wire.close()
            self.server.failed(error)
        self.close_connection = self.close_connection or not wire.keep_alive

    do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - the names that http.server looks for


def _bound(number: int) -> socket.socket:
    """Return a socket that holds a loopback port without listening, so that connections are refused.

    Raises:
        EnvironmentFault: the port is taken or may not be used.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, number))
    except OSError as error:
        bound.close()
        raise _unusable(number, error) from error
    return bound


def _unusable(number: int, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"port {number} on {HOST} cannot be used: {error.strerror}; choose another, or 0 for any free one"
    )
