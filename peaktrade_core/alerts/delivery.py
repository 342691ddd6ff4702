"""Delivery: every channel has its own thread and queue, so that one that hangs or is dead holds up nobody but itself.

What failed for the moment is tried again after growing waits until the channel's deadline; what was refused for good
is not. What was sent without an answer may have arrived: it is sent again much later. A disk that is full holds up no
delivery.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.alerts.alerts import (
    CRITICAL,
    DELIVERED,
    FAILED,
    PENDING,
    WARNING,
    Delivery,
    Notification,
    elapsed,
)
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.channels import DeliveryFailedError, Sender, open_channel
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.settings import Channel
from peaktrade_core.base.clock import Clock, utc

DIGEST_FROM = 4  # so many that wait for one channel are sent as one
ROUND = 4  # attempts before another notification of the channel gets its turn
LONGEST_WAIT_S = 60.0  # between two attempts
UNSURE_WAIT_S, LONGEST_UNSURE_S = (
    60.0,
    7200.0,
)  # after a first attempt without an answer; each next one is five times later


class DeliveryResult(NamedTuple):
    """How a notification fared on a channel."""

    notification: int
    channel: str
    outcome: str
    reason: str
    attempts: int


class _Waiting(NamedTuple):
    """A notification that a channel has taken over, and how often it was sent."""

    note: Notification
    attempts: int = 0


class Dispatcher:
    """Delivers what is due, every channel by itself.

    Args (of the constructor):
        channels: by name; opener: makes a channel's sender.
        done: told of each result, from the channel's thread.
        clock: tells when a notification's deadline is over.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        opener: Callable[[Channel], Sender],
        done: Callable[[list[DeliveryResult]], None],
        clock: Clock,
    ) -> None:
        self._workers = {name: _Worker(name, channel, opener, done, clock) for name, channel in channels.items()}
        self._done = done

    def offer(
        self, due: Mapping[tuple[int, str], Notification], sent: Mapping[tuple[int, str], int] | None = None
    ) -> int:
        """Take over what is due and was not taken over before, and return how much; what nobody can deliver has failed.

        Args:
            due: by (number, channel); sent: how often some of it was sent without an answer.
        """
        gone, new = [], 0
        for (seq, name), note in due.items():
            if name in self._workers:
                new += self._workers[name].offer(note, (sent or {}).get((seq, name), 0))
            else:
                gone.append(DeliveryResult(seq, name, FAILED, "the channel is no longer configured", 0))
        if gone:
            self._done(gone)
        return new

    def idle(self) -> bool:
        """Return whether nothing is under way."""
        return not any(worker.busy for worker in self._workers.values())

    def close(self, timeout_s: float = 1.0) -> None:
        """End the threads; what is not delivered stays due. One that hangs in a call is left behind."""
        for worker in self._workers.values():
            worker.stop.set()
        for worker in self._workers.values():
            worker.join(timeout_s)


class _Worker(threading.Thread):
    """The thread of one channel."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        opener: Callable[[Channel], Sender],
        done: Callable[[list[DeliveryResult]], None],
        clock: Clock,
    ) -> None:
        super().__init__(name=f"alerts-{name}", daemon=True)
        self.channel_name, self._channel, self._open, self._done = name, channel, opener, done
        self._clock = clock
        self._sender: Sender | None = None
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._taken_over: set[tuple[int, int]] = set()  # written by who offers
        self._ended = 0  # written by this thread
        self._loose: list[_Waiting] = []
        self._begun: deque[list[_Waiting]] = deque()  # some receivers have them: they stay as they are
        self._turn = False
        self._rounds = 0  # that failed one after another
        self.stop = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return len(self._taken_over) > self._ended

    def offer(self, note: Notification, sent: int) -> bool:
        """Take a notification once, and once more for each time it was ``sent`` without an answer; return whether it is new."""
        if new := (note.seq, sent) not in self._taken_over:
            self._taken_over.add((note.seq, sent))
            self._queue.put(_Waiting(note, sent))
        if not self.is_alive() and not self.stop.is_set():
            self.start()
        return new

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread if it ever began."""
        self._queue.put(None)
        if self.is_alive():
            super().join(timeout)

    def run(self) -> None:
        """Deliver until the end."""
        while not self.stop.is_set():
            self._take()
            if (self._loose or self._begun) and not self.stop.is_set():
                self._deliver(self._next())

    def _take(self) -> None:
        """Take what was offered; wait for it where there is nothing else to do."""
        if not self._loose and not self._begun:
            self._loose += [item for item in (self._queue.get(),) if item]
        while not self._queue.empty():
            self._loose += [item for item in (self._queue.get(),) if item]

    def _next(self) -> list[_Waiting]:
        """Return what is sent next as one: what has begun and the rest by turns, of the rest one, or many together."""
        self._turn = not self._turn
        if self._begun and (self._turn or not self._loose):
            return self._begun.popleft()
        if len(self._loose) >= DIGEST_FROM:
            found, self._loose = self._loose, []
            return found
        return [self._loose.pop(0)]

    def _deliver(self, items: list[_Waiting]) -> None:
        """Try one round; success, refusal and an exceeded deadline are results, anything else waits for its next turn."""
        message = items[0].note if len(items) == 1 else _digest([item.note for item in items])
        left = [self._left(item) for item in items]
        attempts = 0

        def send(*, plainly: bool = False) -> str:
            nonlocal attempts
            attempts += 1
            try:
                if self._sender is None:
                    self._sender = self._open(self._channel)
                return self._sender.send(message, plainly=plainly)
            except DeliveryFailedError:
                raise
            except Exception as error:  # of a keyring or a library; its words may hold an address
                raise DeliveryFailedError(f"it failed: {type(error).__name__}", permanent=False) from None

        try:
            how = self._try(send, max(*left, 0.0))
        except DeliveryFailedError as error:
            tried = [item._replace(attempts=item.attempts + attempts) for item in items]
            if error.permanent:
                self._end(tried, FAILED, error.reason)
                return
            self._rounds += 1
            over = [item for item, seconds in zip(tried, left, strict=True) if seconds <= 0.0]
            self._end(over, FAILED, f"gave up after {self._channel.deadline_s:g} s: {error.reason}")
            again = [item for item in tried if item not in over]
            if error.unsure:
                self._end(again, PENDING, error.reason)
            elif error.partly and again:
                self._begun.append(again)
            else:
                self._loose += again
        else:
            self._rounds = 0
            self._end([item._replace(attempts=item.attempts + attempts) for item in items], DELIVERED, how)

    def _left(self, item: _Waiting) -> float:
        """Return how long a notification is still tried [s]."""
        return (item.note.at + timedelta(seconds=self._channel.deadline_s) - self._clock.now()).total_seconds()

    def _try(self, send: Callable[..., str], left_s: float) -> str:
        """Send, again after growing waits, and return how it was told; raises what the last attempt did.

        A receiver that goes on to answer with an error of its own may do so because of the text: then the last attempt is
        in the plainest words.
        """
        import tenacity as t

        first_wait = min(0.5 * 2.0 ** (ROUND * self._rounds), LONGEST_WAIT_S)
        retrying = t.Retrying(
            stop=t.stop_any(t.stop_after_attempt(ROUND), t.stop_after_delay(left_s), t.stop_when_event_set(self.stop)),
            wait=t.wait_exponential(first_wait, max=LONGEST_WAIT_S) + t.wait_random(0.0, 0.2),
            retry=t.retry_if_exception(
                lambda e: isinstance(e, DeliveryFailedError) and not e.permanent and not e.unsure
            ),
            sleep=t.sleep_using_event(self.stop),
            reraise=True,
        )
        answered = False
        for attempt in retrying:
            with attempt:
                try:
                    return send(plainly=answered and self._rounds > 0 and attempt.retry_state.attempt_number == ROUND)
                except DeliveryFailedError as error:
                    answered = error.reason.startswith("HTTP 5")
                    raise
        raise AssertionError("tenacity raises the last failure")

    def _end(self, items: list[_Waiting], outcome: str, reason: str) -> None:
        """Hand over results."""
        if items:
            self._done([DeliveryResult(i.note.seq, self.channel_name, outcome, reason, i.attempts) for i in items])
            self._ended += len(items)


def _digest(notes: list[Notification]) -> Notification:
    """Return several notifications as one, the newest last: one paragraph for each."""
    worst = max(notes, key=lambda note: (note.severity == CRITICAL, note.severity == WARNING))
    paragraphs = ("\n".join(filter(None, note.body.splitlines())) for note in notes)
    return Notification(
        at=notes[-1].at,
        alert_ids=tuple(dict.fromkeys(alert_id for note in notes for alert_id in note.alert_ids)),
        channels=(),
        severity=worst.severity,
        title=f"{len(notes)} notifications that waited, the worst: {worst.title}",
        body="\n\n".join(f"{utc(note.at)} {note.title}\n{text}" for note, text in zip(notes, paragraphs, strict=True)),
    )


class Deliveries:
    """Hands what is due to the channels, and has it recorded how each delivery went.

    Args (of the constructor):
        engine: whose rules' channels, and whose record of alerts.
        log_file: that of channels of the kind ``log``.
    """

    def __init__(self, engine: AlertEngine, log_file: Path, clock: Clock) -> None:
        """Start no thread yet."""
        self._record, self._clock = engine.record, clock
        settings = engine.settings
        self._dispatcher = Dispatcher(
            settings.channels, lambda channel: open_channel(channel, log_file, settings.page), self._done, clock
        )

    def book(self) -> AlertBook:
        """Return the newest alerts, with what could not be recorded yet."""
        return self._record.book()

    def offer(self) -> int:
        """Hand over what is due and return how much of it is new; what may have arrived waits for its time."""
        book, now = self.book(), self._clock.now()
        due, sent = {}, {}
        for (seq, channel), note in book.due.items():
            times, at = book.unsure.get((seq, channel), (0, now))
            if not times or _again(times, at, now):
                first = self._record.first_number(seq)
                due[first, channel] = msgspec.structs.replace(note, seq=first)
                sent[first, channel] = times
        return self._dispatcher.offer(due, sent)

    def wait(self, seconds: float) -> int:
        """Wait until everything is delivered, no longer than ``seconds``; return what is still due."""
        until = threading.Event()
        for _ in range(max(1, int(seconds / 0.05))):
            if self._dispatcher.idle():
                break
            until.wait(0.05)
        return len(self.book().due)

    def close(self) -> str:
        """End the channels' threads; what is not delivered stays due. Return why something is not recorded, if it is not."""
        self._dispatcher.close()
        return self._record.write(lambda _: []) if self._record.waiting else ""

    def _done(self, results: list[DeliveryResult]) -> None:
        """Have it recorded how deliveries went."""
        now = self._clock.now()
        self._record.write(lambda _: [Delivery(at=now, **result._asdict()) for result in results])


def _again(sent: int, at: datetime, now: datetime) -> bool:
    """Return whether it is time to send again what was sent so often without an answer, the last time at ``at``."""
    return elapsed(at, now) >= min(UNSURE_WAIT_S * 5.0 ** (sent - 1), LONGEST_UNSURE_S)
