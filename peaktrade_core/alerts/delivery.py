"""Delivery: every channel has its own thread and queue, so that one that hangs or is dead holds up nobody but itself.

What failed for the moment is tried again after growing waits until the channel's deadline; what was refused for good
is not. Each result is made durable; a disk that is full holds up no delivery.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CRITICAL, DELIVERED, FAILED, WARNING, AnyChange, Delivery, Notification
from peaktrade_core.alerts.channels import DeliveryFailedError, Sender, open_channel
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.alerts.settings import Channel
from peaktrade_core.base.clock import Clock, iso
from peaktrade_core.base.errors import EnvironmentFault

DIGEST_FROM = 4  # so many that wait for one channel are sent as one
ROUND = 4  # attempts before a notification goes to the end of its channel's queue
LONGEST_WAIT_S = 60.0  # between two attempts
RECORD_S = 1.0  # between two attempts to write down how deliveries went


class Result(NamedTuple):
    """How a notification fared on a channel."""

    notification: int
    channel: str
    outcome: str
    reason: str
    attempts: int


class _Waiting(NamedTuple):
    note: Notification
    rounds: int = 0


class Dispatcher:
    """Delivers what is due, every channel by itself.

    Args (of the constructor):
        channels: by name; opener: makes a channel's sender.
        done: told of each result, from the channel's thread; it must make it durable.
        clock: tells when a notification's deadline is over.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        opener: Callable[[Channel], Sender],
        done: Callable[[list[Result]], None],
        clock: Clock,
    ) -> None:
        self._workers = {name: _Worker(name, channel, opener, done, clock) for name, channel in channels.items()}
        self._done = done

    def offer(self, due: Mapping[tuple[int, str], Notification]) -> None:
        """Take over what is due and not under way yet; what nobody can deliver has failed.

        Raises:
            EnvironmentFault: a result cannot be written down.
        """
        gone = []
        for (seq, name), note in due.items():
            if name in self._workers:
                self._workers[name].offer(note)
            else:
                gone.append(Result(seq, name, FAILED, "the channel is no longer configured", 0))
        if gone:
            self._done(gone)

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
        done: Callable[[list[Result]], None],
        clock: Clock,
    ) -> None:
        super().__init__(name=f"alerts-{name}", daemon=True)
        self.channel_name, self._channel, self._open, self._done = name, channel, opener, done
        self._clock = clock
        self._sender: Sender | None = None
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._known: set[int] = set()
        self._unrecorded: list[Result] = []
        self.stop = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._known)

    def offer(self, note: Notification) -> None:
        """Take a notification unless it is under way."""
        if note.seq not in self._known:
            self._known.add(note.seq)
            self._queue.put(_Waiting(note))
        if not self.is_alive() and not self.stop.is_set():
            self.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread if it ever began."""
        self._queue.put(None)
        if self.is_alive():
            super().join(timeout)

    def run(self) -> None:
        """Deliver until the end."""
        while not self.stop.is_set():
            waiting = [self._first(), *self._rest()]
            several = [item for item in waiting if item is not None]
            if len(several) >= DIGEST_FROM and not any(item.rounds for item in several[1:]):
                self._deliver(several)
            else:
                for item in several:
                    self._deliver([item])

    def _first(self) -> _Waiting | None:
        """Return the next that waits; until it comes, what is not written down yet is tried again."""
        while True:
            try:
                return self._queue.get(timeout=RECORD_S if self._unrecorded else None)
            except queue.Empty:
                self._record([])

    def _rest(self) -> Iterable[_Waiting | None]:
        """Return what else waits."""
        while not self._queue.empty():
            yield self._queue.get()

    def _deliver(self, items: list[_Waiting]) -> None:
        """Try one round; success, refusal and an exceeded deadline are results, anything else waits for the next."""
        if self.stop.is_set():
            return
        message = items[0].note if len(items) == 1 else _digest([item.note for item in items])
        rounds = max(item.rounds for item in items)
        left = (items[0].note.at + timedelta(seconds=self._channel.deadline_s) - self._clock.now()).total_seconds()
        attempts, reason, outcome = 0, "", ""
        try:
            attempts = self._try(message, rounds, max(left, 0.0))
            outcome = DELIVERED
        except DeliveryFailedError as error:
            attempts, reason = ROUND, error.reason
            if error.permanent:
                outcome = FAILED
            elif left <= 0.0:
                outcome, reason = FAILED, f"gave up after {self._channel.deadline_s:g} s: {reason}"
        if outcome:
            tries = rounds * ROUND + attempts
            self._record([Result(i.note.seq, self.channel_name, outcome, reason, tries) for i in items])
        elif not self.stop.is_set():
            for item in items:
                self._queue.put(item._replace(rounds=item.rounds + 1))

    def _try(self, message: Notification, rounds: int, left_s: float) -> int:
        """Send, again after growing waits, and return the number of attempts; raises what the last one did."""
        import tenacity as t

        first_wait = min(0.5 * 2.0 ** (ROUND * rounds), LONGEST_WAIT_S)
        retrying = t.Retrying(
            stop=t.stop_any(t.stop_after_attempt(ROUND), t.stop_after_delay(left_s), t.stop_when_event_set(self.stop)),
            wait=t.wait_exponential(first_wait, max=LONGEST_WAIT_S) + t.wait_random(0.0, 0.2),
            retry=t.retry_if_exception(lambda e: isinstance(e, DeliveryFailedError) and not e.permanent),
            sleep=t.sleep_using_event(self.stop),
            reraise=True,
        )
        retrying(self._send, message)
        return int(retrying.statistics["attempt_number"])

    def _send(self, message: Notification) -> None:
        if self._sender is None:
            self._sender = self._open(self._channel)
        self._sender.send(message)

    def _record(self, results: list[Result]) -> None:
        """Make results durable; while that fails they are kept, and what else waits is delivered all the same."""
        self._unrecorded += results
        try:
            self._done(self._unrecorded)
        except EnvironmentFault:
            return
        self._known -= {result.notification for result in self._unrecorded}
        self._unrecorded = []


def _digest(notes: list[Notification]) -> Notification:
    """Return several notifications as one, the newest last."""
    worst = max(notes, key=lambda note: (note.severity == CRITICAL, note.severity == WARNING))
    return Notification(
        at=notes[-1].at,
        alert_ids=(),
        channels=(),
        severity=worst.severity,
        title=f"{len(notes)} notifications that waited, the worst: {worst.title}",
        body="\n\n".join(f"{iso(note.at)} {note.title}\n{note.body}" for note in notes),
    )


class Deliveries:
    """Hands what is due to the channels, and writes down in the alert log how each delivery went.

    Args (of the constructor):
        engine: whose rules' channels, whose log, and what it has to tell without the log.
        log_file: that of channels of the kind ``log``.
    """

    def __init__(self, engine: AlertEngine, log_file: Path, clock: Clock) -> None:
        """Start no thread yet."""
        self._engine, self._clock = engine, clock
        self._mine = AlertLog(engine.log.path)  # the channels' threads write through an instance of their own
        self._guard = threading.Lock()
        self._dispatcher = Dispatcher(
            engine.settings.channels, lambda channel: open_channel(channel, log_file), self._done, clock
        )

    def offer(self) -> int:
        """Hand over what is due and return how much that is.

        Raises:
            EnvironmentFault: the alert log cannot be read or written; what needs no log was handed over.
        """
        unwritten = self._engine.take_unwritten()
        self._dispatcher.offer({(note.seq, channel): note for note in unwritten for channel in note.channels})
        due = dict(self._engine.log.refresh().due)
        self._dispatcher.offer(due)
        return len(due) + len(unwritten)

    def wait(self, seconds: float) -> int:
        """Wait until everything is delivered, no longer than ``seconds``; return what is still due."""
        until = threading.Event()
        for _ in range(max(1, int(seconds / 0.05))):
            if self._dispatcher.idle():
                break
            until.wait(0.05)
        return len(self._engine.log.refresh().due)

    def close(self) -> None:
        """End the channels' threads; what is not delivered stays due."""
        self._dispatcher.close()

    def _done(self, results: list[Result]) -> None:
        """Write down how deliveries went; of what stands in no log there is nothing to write."""
        now = self._clock.now()
        changes: list[AnyChange] = [
            Delivery(
                at=now,
                notification=r.notification,
                channel=r.channel,
                outcome=r.outcome,
                reason=r.reason,
                attempts=r.attempts,
            )
            for r in results
            if r.notification >= 0
        ]
        if changes:
            with self._guard:
                self._mine.append(lambda _: changes)
