"""Senders: one for each kind of channel, most of them through Apprise, and what a failed delivery means.

Apprise says only whether a delivery worked. Why it did not is read from what it logs: an HTTP status or an SMTP reply
code tells a refusal for good (4xx but 408, 425 and 429; 5xx of SMTP) from a failure that may pass. Where it says
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
from typing import Any, Protocol

from peaktrade_core.alerts.alerts import CRITICAL, WARNING, Notification
from peaktrade_core.alerts.settings import Channel
from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.log import append_line
from peaktrade_core.show.terminal import say

LONGEST_PAUSE_S = 1.0  # between two deliveries of one channel; Apprise would wait up to 5.5 s, an alert may not
_MAY_PASS = (408, 425, 429)  # HTTP refusals that are about the moment
_HTTP = re.compile(r"error=(\d{3})\b")
_SMTP = re.compile(r"\((\d{3}), b['\"]")


class DeliveryFailedError(EnvironmentFault):
    """A channel did not take a notification; ``permanent`` when trying again cannot help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.reason, self.permanent = reason, permanent


class Sender(Protocol):
    """Delivers to one channel."""

    def send(self, note: Notification) -> None:
        """Deliver, or raise DeliveryFailedError."""


class ConsoleSender:
    """Prints to stderr, so that a command's own output stays whole."""

    def send(self, note: Notification) -> None:
        """Print title and text."""
        try:
            say(f"{iso(note.at)} {note.title}\n  " + note.body.replace("\n", "\n  "), err=True)
        except OSError as error:
            raise DeliveryFailedError(f"the terminal is gone: {error.strerror}", permanent=True) from None


class LogSender:
    """Appends one line to a log file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, note: Notification) -> None:
        """Append one line."""
        try:
            append_line(self._path, f"{iso(note.at)} {note.title} | " + " | ".join(note.body.splitlines()))
        except EnvironmentFault as error:
            raise DeliveryFailedError(str(error), permanent=False) from None


class AppriseSender:
    """Delivers through one Apprise address."""

    def __init__(self, address: str, timeout_s: float) -> None:
        """Understand the address.

        Raises:
            DeliveryFailedError: Apprise does not.
        """
        import apprise

        self._ear = _ear()
        with self._ear.listening():
            self._plugin: Any = apprise.Apprise.instantiate(address)
        if self._plugin is None:
            raise DeliveryFailedError("Apprise does not understand the channel's address", permanent=True)
        self._plugin.socket_connect_timeout = self._plugin.socket_read_timeout = timeout_s
        self._plugin.request_rate_per_sec = min(self._plugin.request_rate_per_sec, LONGEST_PAUSE_S)

    def send(self, note: Notification) -> None:
        """Send once."""
        kind = {CRITICAL: "failure", WARNING: "warning"}.get(note.severity, "info")
        with self._ear.listening() as said:
            try:
                sent = self._plugin.notify(title=note.title, body=note.body, notify_type=kind)
            except Exception as error:  # a plugin's bug is one channel's failure
                raise DeliveryFailedError(f"Apprise failed: {type(error).__name__}", permanent=False) from None
            words = "\n".join(said)
        if not sent:
            raise _why(words)


class _Ear(logging.Filter):
    """Hears what Apprise logs in the thread that listens, and lets nothing of it through: it holds addresses."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a message for the thread that it comes from, if that listens."""
        words = getattr(self._heard, "words", None)
        if words is not None:
            words.append(record.getMessage())
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


def _why(words: str) -> DeliveryFailedError:
    """Return the failure that Apprise's messages tell of, in words of our own."""
    if http := _HTTP.search(words):
        status = int(http[1])
        return DeliveryFailedError(f"HTTP {status}", permanent=400 <= status < 500 and status not in _MAY_PASS)
    if smtp := _SMTP.search(words):
        return DeliveryFailedError(f"SMTP {smtp[1]}", permanent=smtp[1].startswith("5"))
    for sign, reason in (("timed out", "timed out"), ("refused", "connection refused"), ("resol", "unknown host")):
        if sign in words:
            return DeliveryFailedError(reason, permanent=False)
    return DeliveryFailedError("not delivered, and Apprise does not say why", permanent=False)


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


def open_channel(channel: Channel, log: Path) -> Sender:
    """Return the sender of a channel.

    Args:
        channel: its settings; log: the file of ``log`` channels.

    Raises:
        DeliveryFailedError: its address is missing or not understood.
    """
    if channel.kind == "console":
        return ConsoleSender()
    if channel.kind == "log":
        return LogSender(log)
    return AppriseSender(find_address(channel), channel.timeout_s)
