"""Receivers on this machine that hold to what Telegram, Discord and Slack accept, reached through Apprise itself."""

from __future__ import annotations

import json
import re
import threading
import time
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TELEGRAM = "tgram://123456789:ABCdefGHIjklMNOpqrSTUvwxYZ012345678/{chats}"
DISCORD = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#desk"
_TELEGRAM_TAGS = ("b", "i", "u", "s", "a", "code", "pre", "blockquote")


class _Markup(HTMLParser):
    """Reads a text as Telegram does: what is shown, and the tags that it refuses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown, self.refused = (
            "",
            [tag for tag in re.findall(r"</?([a-z][\w-]*)", text) if tag not in _TELEGRAM_TAGS],
        )
        self.feed(text)

    def handle_data(self, data: str) -> None:
        self.shown += data


class Chat:
    """A chat service; what it took is in ``texts``, as its readers see it, and in ``raw``.

    Attributes:
        limit: longest text [characters]; broken: chats that it refuses; answers: its next status codes.
        delay_s: before each answer [s].
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.broken, self.answers, self.delay_s = limit, set[str](), list[int](), 0.0
        self.texts: list[str] = []
        self.raw: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = outer.answers.pop(0) if outer.answers else outer.take(self.path, body)
                if status != 200:
                    outer.refused.append(body)
                time.sleep(outer.delay_s)
                said = b'{"ok": true, "result": {}}' if self.path.startswith("/bot") else b"ok"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.hook = f"json://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path: str, body: dict[str, Any]) -> int:
        """Return the status that the service would answer with."""
        if path.startswith("/bot"):
            markup = _Markup(body["text"])
            html = body["parse_mode"] == "HTML"
            text = markup.shown if html else body["text"]
            wrong = (html and bool(markup.refused)) or str(body["chat_id"]) in self.broken
        elif path.startswith("/services"):
            text = "\r\n".join((body["attachments"][0].get("title") or "", body["attachments"][0]["text"]))
            wrong = bool(re.search(r"<|>|&(?!amp;|lt;|gt;)", text))
        elif path.startswith("/hook"):
            text, wrong = f"{body['title']}\r\n{body['message']}", False
        else:
            text, wrong = body["content"], False
        if wrong or len(text) > self.limit:
            return 400
        self.texts.append(text)
        self.raw.append(body)
        return 200

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def point_to(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Apprise find the services at a chat on this machine."""
    from apprise.plugins.discord import NotifyDiscord
    from apprise.plugins.slack import NotifySlack
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{chat.base}/bot")
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{chat.base}/discord")
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{chat.base}/services")
