"""What the tests of the alerts share: rules as text, receivers on this machine, and runs that are written by hand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.trading.events import AnyEvent, BarDone

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def bar(seq: int, seconds: float, equity: float, step: int = 0) -> BarDone:
    values: dict[str, Any] = dict.fromkeys(BarDone.__struct_fields__, 0)
    values |= {"seq": seq, "ts": at(seconds), "ts_bar": at(seconds - 60), "step": step, "equity": equity}
    values |= {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "signal_changed": False, "risk_allowed": True}
    return BarDone(**(values | {"risk_reasons": ()}))


def write_rules(home: Path, text: str) -> None:
    (home / "config" / "alerts.toml").write_text(text)


def write_journal(folder: Path, events: list[AnyEvent]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(events))


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Receiver:
    """A webhook on this machine; ``answers`` are its next status codes, then 200."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.delay_s = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(outer.delay_s)
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 200:
                    outer.received.append({**body, "path": self.path, "at": time.monotonic()})
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"json://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def mailbox() -> Iterator[Any]:
    """A mail server on this machine: ``.port``, ``.mails``, and ``.refuse`` with which it answers a recipient."""
    from aiosmtpd.controller import Controller

    class Box:
        def __init__(self) -> None:
            self.mails: list[str] = []
            self.refuse = ""
            self.port = 0

        async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
            if self.refuse:
                return self.refuse
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            self.mails.append(envelope.content.decode())
            return "250 OK"

    box = Box()
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()
