"""Channels: what a notification says on each, and its way there, mostly through Apprise.

A text is made for its receiver: no longer than that takes, with its markup escaped, and without anything in it that would
call people or act on their screen. What a receiver refuses for its text is told again in the plainest words.

Apprise says only whether a delivery worked. Why it did not is read from what it logs: an HTTP status or an SMTP reply
code tells a refusal for good (also 2xx and 3xx: answered, but not taken) from a failure that may pass. Where it says
neither, the failure counts as one that may pass. Addresses hold secrets: nothing of them, and none of Apprise's own
words, ever leaves this module.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from peaktrade_core.alerts.alerts import CRITICAL, WARNING, Notification
from peaktrade_core.alerts.settings import Channel
from peaktrade_core.base.clock import iso, utc
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.log import append_line
from peaktrade_core.base.text import inert
from peaktrade_core.show.terminal import say
from peaktrade_core.show.wording import cut, many

LONGEST_PAUSE_S = 1.0  # between two deliveries of one channel; Apprise would wait up to 5.5 s, an alert may not
USUAL_CHARS = 4000  # a receiver of which Apprise knows no length takes so many
GO_ON = "peaktrade alerts list"
NO_ANSWER = "no answer in time, it may have arrived"
_MAY_PASS = (408, 425, 429)  # HTTP refusals that are about the moment
_OF_THE_TEXT = ("HTTP 2", "HTTP 400", "HTTP 413", "HTTP 414", "HTTP 422", "SMTP 500", "SMTP 552", "SMTP 554")
_HTTP = re.compile(r"error=(\d{3})\b")
_SMTP = re.compile(r"\((\d{3}), b['\"]")
_SIGNS = (  # in what a failed connection says: the reason, and whether the text may have arrived
    ("connect timeout", "no connection in time", False),
    ("timed out", NO_ANSWER, True),
    ("without response", NO_ANSWER, True),
    ("reset by peer", NO_ANSWER, True),
    ("refused", "connection refused", False),
    ("resol", "unknown host", False),
)
_CALLS = re.compile(r"@(?=\w)")  # @everyone, @channel: foreign text calls no one
_DISCORD = re.compile(r"([\\*_~`|\[\]<>#])")  # Discord reads every text as Markdown, which Apprise does not escape
_MAIL = ("mailto", "mailtos")
_VERBATIM = (*_MAIL, "json", "jsons", "xml", "xmls", "form", "forms")


class DeliveryFailedError(EnvironmentFault):
    """A channel did not take a notification.

    Attributes:
        reason: why; permanent: trying again cannot help; unsure: it may have arrived all the same.
        partly: some of the channel's receivers have it: it is tried again in the same words, for the others.
    """

    def __init__(self, reason: str, *, permanent: bool, unsure: bool = False, partly: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.permanent, self.unsure, self.partly = reason, permanent, unsure, partly


class Message(NamedTuple):
    """What is sent: a line, and what follows from it."""

    title: str
    body: str


def forms(note: Notification, page: str) -> Iterator[Message]:
    """Yield the ways to say a notification, the fullest first, the last one short enough for any receiver.

    Args:
        note: its body is one paragraph for each alert, whose first line says what is wrong; page: where one reads on.
    """
    title, body = cut(inert(note.title), 200), inert(note.body)
    paragraphs = body.split("\n\n")
    total = max(len(note.alert_ids), len(paragraphs))
    more = [f"and {total - len(paragraphs)} more: {GO_ON}"] if total > len(paragraphs) else []
    go_on = "read on: " + " or ".join(filter(None, (page, GO_ON)))
    yield Message(title, "\n\n".join([*paragraphs, *more]))
    yield Message(title, "\n".join([*(cut(line, 300) for line in body.splitlines() if line), *more, go_on]))
    heads = [paragraph.partition("\n")[0] for paragraph in paragraphs]
    for width in (200, 80):
        for shown in range(len(heads), 0, -1):
            left = [f"and {total - shown} more"] if total > shown else []
            yield Message(title, "\n".join([*(f"• {cut(head, width)}" for head in heads[:shown]), *left, go_on]))
    yield Message(cut(title, 80), go_on)
    yield plainest(note)


def plainest(note: Notification) -> Message:
    """Return a notification in words that no receiver can misread: nothing in them comes from outside."""
    about, _, _ = note.title.partition(":")
    what = (
        many(len(note.alert_ids), "alert")
        if len(note.alert_ids) > 1
        else "".join(f"alert {one}" for one in note.alert_ids)
    )
    title = cut(re.sub(r"[^A-Za-z0-9 -]+", " ", about).strip() or note.severity.upper(), 80)
    return Message(title, f"{what}: {GO_ON}" if what else GO_ON)


class Sender(Protocol):
    """Delivers to one channel."""

    def send(self, note: Notification, *, plainly: bool = False) -> str:
        """Deliver, or raise DeliveryFailedError.

        Args:
            note: what is told; plainly: in the plainest words, because the receiver fails at the others.

        Returns:
            How it was told where not as usual, else an empty string.
        """


class ConsoleSender:
    """Prints to stderr, so that a command's own output stays whole."""

    def send(self, note: Notification, *, plainly: bool = False) -> str:
        """Print title and text."""
        text = plainest(note) if plainly else next(forms(note, ""))
        try:
            say(f"{utc(note.at)} {text.title}\n  " + text.body.replace("\n", "\n  "), err=True)
        except OSError as error:
            raise DeliveryFailedError(f"the terminal is gone: {error.strerror}", permanent=True) from None
        return ""


class LogSender:
    """Appends one line to a log file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, note: Notification, *, plainly: bool = False) -> str:
        """Append one line."""
        text = plainest(note) if plainly else next(forms(note, ""))
        try:
            append_line(self._path, f"{iso(note.at)} {text.title} | " + " | ".join(text.body.splitlines()))
        except EnvironmentFault as error:
            raise DeliveryFailedError(str(error), permanent=False) from None
        return ""


class AppriseSender:
    """Delivers through one Apprise address, in the words that fit its receiver."""

    def __init__(self, address: str, channel: Channel, page: str) -> None:
        """Understand the address.

        Args:
            address: with its secrets; channel: its other settings; page: where one reads on.

        Raises:
            DeliveryFailedError: Apprise does not.
        """
        import apprise
        from apprise.conversion import convert_between
        from apprise.plugins import base

        self._ear = _ear()
        with self._ear.listening():
            self._plugin: Any = apprise.Apprise.instantiate(address)
        if self._plugin is None:
            raise DeliveryFailedError("Apprise does not understand the channel's address", permanent=True)
        self._plugin.socket_connect_timeout = self._plugin.socket_read_timeout = channel.timeout_s
        self._plugin.request_rate_per_sec = min(self._plugin.request_rate_per_sec, LONGEST_PAUSE_S)
        self._kind = address.partition(":")[0].lower()
        self._format = self._plugin.resolve_format("text")
        self._convert = convert_between
        self._page = page
        longest = int(self._plugin.body_maxlen)
        if longest == apprise.NotifyBase.body_maxlen and self._kind not in _MAIL:
            longest = USUAL_CHARS
        self._longest = channel.max_chars or longest
        self._taken: dict[tuple[str, str], set[Any]] = {}  # which receivers have what is not through yet
        self._tracker = base._delivery_tracker  # where Apprise remembers them while it tries again

    def send(self, note: Notification, *, plainly: bool = False) -> str:
        """Send once; what is refused for its text once more, in the plainest words."""
        try:
            how = self._tell(note, plainly)
        except DeliveryFailedError as failed:
            if failed.permanent:
                self._taken.pop((note.title, note.body), None)
            raise
        del self._taken[note.title, note.body]
        return how

    def _tell(self, note: Notification, plainly: bool) -> str:
        plain = self._worded(plainest(note))
        if plainly:
            self._notify(note, plain)
            return "told in short"
        try:
            self._notify(note, self._fitted(note))
        except DeliveryFailedError as refused:
            if not refused.reason.startswith(_OF_THE_TEXT):
                raise
            self._notify(note, plain)
            return f"told in short, the whole text was refused: {refused.reason}"
        return ""

    def _fitted(self, note: Notification) -> Message:
        """Return the fullest form that the receiver takes, in its own markup."""
        found = self._worded(plainest(note))
        for form in forms(note, self._page):
            found = self._worded(form)
            if self._fits(found):
                break
        return found

    def _worded(self, text: Message) -> Message:
        """Return a text in the receiver's format, with what is markup or a call to people in it made harmless."""
        if self._kind not in _VERBATIM:
            text = Message(*(_CALLS.sub("@\u200b", part) for part in text))
        if self._kind == "discord":
            text = Message(*(_DISCORD.sub(r"\\\1", part) for part in text))
        title = text.title if self._plugin.title_maxlen > 0 else self._convert("text", self._format, text.title)
        return Message(title, self._convert("text", self._format, text.body))

    def _fits(self, text: Message) -> bool:
        """Return whether a text is short enough, measured as it will be sent."""
        title, body = (len(self._plugin.dialect_convert(part, self._format)) for part in text)
        if 0 < self._plugin.title_maxlen < title:
            return False
        return bool(title + body + len("<b></b><br />\r\n") <= self._longest)

    def _notify(self, note: Notification, text: Message) -> None:
        """Hand a text to Apprise; receivers that have the notification already are left out."""
        kind = {CRITICAL: "failure", WARNING: "warning"}.get(note.severity, "info")
        taken = self._taken.setdefault((note.title, note.body), set())
        token = self._tracker.set(taken)
        with self._ear.listening() as said:
            try:
                sent = self._plugin.notify(
                    title=text.title, body=text.body, notify_type=kind, body_format=self._format, body_passthrough=False
                )
            except Exception as error:  # a plugin's bug is one channel's failure
                raise DeliveryFailedError(f"Apprise failed: {type(error).__name__}", permanent=False) from None
            finally:
                self._tracker.reset(token)
        if not sent:
            raise _why("\n".join(said), partly=bool(taken))


class _Ear(logging.Filter):
    """Hears what Apprise logs in the thread that listens, and lets nothing of it through: it holds addresses."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a message for the thread that it comes from, if that listens and it does not repeat what was sent."""
        words = getattr(self._heard, "words", None)
        said = record.getMessage()
        if words is not None and "Payload" not in said and "Response Details" not in said:
            words.append(said)
        return False

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Give the list of what this thread says inside the block."""
        words: list[str] = []
        self._heard.words = words
        try:
            yield words
        finally:
            self._heard.words = None


def _ear() -> _Ear:
    """Return the ear at Apprise's logger, which every message passes before any handler."""
    logger = logging.getLogger("apprise")
    for known in logger.filters:
        if isinstance(known, _Ear):
            return known
    ear = _Ear()
    logger.addFilter(ear)
    logger.setLevel(logging.DEBUG)
    return ear


def _why(words: str, *, partly: bool) -> DeliveryFailedError:
    """Return the failure that Apprise's messages tell of, in words of our own; of several receivers' one that may pass."""
    statuses = [int(status) for status in _HTTP.findall(words)]
    for status in (*(s for s in statuses if _passes(s)), *statuses):
        return DeliveryFailedError(f"HTTP {status}", permanent=not _passes(status), partly=partly)
    if smtp := _SMTP.search(words):
        return DeliveryFailedError(f"SMTP {smtp[1]}", permanent=smtp[1].startswith("5"), partly=partly)
    for sign, reason, unsure in _SIGNS:
        if sign in words:
            return DeliveryFailedError(reason, permanent=False, unsure=unsure, partly=partly)
    return DeliveryFailedError("not delivered, and Apprise does not say why", permanent=False, partly=partly)


def _passes(status: int) -> bool:
    """Return whether an HTTP status is about the moment."""
    return status in _MAY_PASS or status >= 500


def find_address(channel: Channel) -> str:
    """Return a channel's address from the file, the environment or the keyring.

    Raises:
        DeliveryFailedError: there is none; says where it belongs, never what it is.
    """
    if channel.url:
        return channel.url
    if channel.url_env:
        found = os.environ.get(channel.url_env, "").strip()
        where = f"the environment variable {channel.url_env} is not set"
    else:
        from peaktrade_core.venue.credentials import from_keyring

        found = (from_keyring(channel.keyring) or "").strip()
        where = f"the keyring has no {channel.keyring} (`keyring set peaktrade {channel.keyring}`)"
    if not found:
        raise DeliveryFailedError(where, permanent=False)
    return found


def open_channel(channel: Channel, log: Path, page: str = "") -> Sender:
    """Return the sender of a channel.

    Args:
        channel: its settings; log: the file of ``log`` channels; page: where one reads on, named where a text is cut.

    Raises:
        DeliveryFailedError: its address is missing or not understood.
    """
    if channel.kind == "console":
        return ConsoleSender()
    if channel.kind == "log":
        return LogSender(log)
    return AppriseSender(find_address(channel), channel, page)
