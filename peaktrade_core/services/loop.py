"""The loop of one session: bars come in, the decision code decides, and everything is journalled before it is acted on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.adapters.feeds import Item, Notice, Pause
from peaktrade_core.adapters.journal import Journal
from peaktrade_core.adapters.trading_state import GLOBAL, STATES, TradingState, scope_of
from peaktrade_core.domain import events as ev
from peaktrade_core.domain.clock import from_seconds, iso
from peaktrade_core.domain.errors import DataError, PeaktradeError, StrategyError
from peaktrade_core.domain.market import Bar
from peaktrade_core.policy import book as bk
from peaktrade_core.policy import engine
from peaktrade_core.policy.risk import HALTED
from peaktrade_core.policy.telling import Teller
from peaktrade_core.services.plan import Desk, Plan, Progress, Stop

GATE_S = 0.25  # how often the trading state and a stop are looked at [s of wall clock]
LOOK_EVERY = 64  # bars between two looks at the wall clock when running as fast as possible


class Loop:
    """The loop of one session: it owns the account and turns what the decision code says into events."""

    def __init__(
        self,
        plan: Plan,
        desk: Desk,
        run_id: str,
        journal: Journal,
        stop: Stop,
        watch: Callable[[Progress], None],
    ) -> None:
        self.plan, self.desk, self.journal, self.stop, self.watch = plan, desk, journal, stop, watch
        self.run_id = run_id
        self.decision = plan.decision
        self.book = bk.new_book(plan.config.start_balance)
        self.out = engine.new_out()
        self.scopes = (GLOBAL, scope_of(plan.mode, plan.config.strategy_name, plan.config.symbol))
        self.now = from_seconds(0.0)
        self.step = self.before = 0
        self.teller = Teller()
        self._expected = 0.0
        self._aligned = False
        self._last_look = 0.0
        self._gate = TradingState(scope=GLOBAL)
        self._halt_unsaved = False

    def run(self) -> None:
        """Work off the feed: the warm-up, then every bar until it ends, the steps are done or somebody stops it.

        Raises:
            DataError: the feed has fewer bars than the warm-up needs and one more, or one out of order.
            ExchangeError: the venue failed for longer than the feed is patient.
            StrategyError: the strategy raised or returned something that is no number.
        """
        config = self.plan.config
        state = self.decision.new_state()
        history: list[Bar] = []
        warm = False
        for item in self.plan.feed:
            if self.journal.next_seq == 0:
                self.now = from_seconds(item.ts) if isinstance(item, Bar) else self.desk.clock.now()
                self._append(ev.Start, ev.SCHEMA, msgspec.to_builtins(config))
            if type(item) is not Bar:
                if self._between(item):
                    return
                continue
            if not warm:
                warm = self._warm_up(item, history, state)
                if not warm:
                    continue
            if not self.step % LOOK_EVERY and self._look():
                return
            self._bar(item, state)
            self.journal.settle()
            if self.step == config.steps:
                return
        if not warm:
            raise DataError(
                f"the feed has {len(history)} bars, the warm-up needs {config.warmup_candles} and a session at least one "
                "more; use --warmup-candles"
            )

    def _between(self, item: Item) -> bool:
        """Journal a notice or sit a pause out; return whether to stop."""
        if isinstance(item, Notice):
            self._append(ev.Notice, item.code, item.message, item.value)
        elif isinstance(item, Pause):
            self.journal.commit()
            until = time.monotonic() + item.seconds
            while not self._look() and (left := until - time.monotonic()) > 0:
                self.stop.wait(min(left, GATE_S))
        return self.stop.requested

    def halt(self, code: str, reason: str) -> None:
        """Journal that the session halts, and keep its scope halted until a named person resumes it."""
        self._append(ev.Halt, code)
        self._latch(reason)

    def finish(self, status: str, error: str | None) -> None:
        """Journal the end and show the last figures."""
        if error and status == "failed":
            self._append(ev.Failure, error)
        self._append(ev.End, status, error)
        self.journal.commit()
        self._show("ended")

    def _warm_up(self, bar: Bar, history: list[Bar], state: list[float]) -> bool:
        """Show the strategy one more bar of its history; return whether ``bar`` is the first to trade instead."""
        if not self._aligned:
            self._expected = bar.ts
        if len(history) < self.plan.config.warmup_candles:
            self._advance(bar.ts)
            self._signal(bar, state)
            history.append(bar)
            return False
        first, last = (from_seconds(history[0].ts), from_seconds(history[-1].ts)) if history else (None, None)
        self._append(ev.WarmedUp, len(history), first, last)
        self._look(force=True)
        self.journal.commit()
        return True

    def _bar(self, bar: Bar, state: list[float]) -> None:
        """Work off one bar: decide, journal what was decided, then act on it."""
        ts, open_price, high, low, close, volume = bar
        opened = self._advance(ts)
        decision, book = self.decision, self.book
        signal = self._signal(bar, state)
        close_ts = self._expected
        feed = self.plan.feed  # the age of a price is a matter of the venue's clock, not of ours
        age_s = 0.0 if feed.simulated else self.desk.clock.now().timestamp() + feed.skew_s - close_ts
        rows = engine.step(
            book, self.out, decision.market, decision.limits, signal, ts, close_ts, open_price, close, age_s
        )
        journal, before, now = self.journal, self.before, self.now
        wanted = int(book[bk.SIGNAL])
        changed = wanted != before
        if changed:
            journal.append(ev.Signal(journal.next_seq, now, wanted, before))
            self.before = wanted
        generated = filled = rejected = blocked = 0
        reasons: tuple[str, ...] = ()
        if rows:
            generated, filled, rejected, blocked, reasons = self._report(rows)
        journal.append(
            ev.BarDone(
                journal.next_seq,
                now,
                self.step,
                opened,
                open_price,
                high,
                low,
                close,
                volume,
                book[bk.QTY],
                book[bk.CASH],
                book[bk.EQUITY],
                book[bk.REALIZED],
                book[bk.UNREALIZED],
                wanted,
                changed,
                generated,
                filled,
                rejected,
                blocked,
                not reasons,
                reasons,
            )
        )
        self.step += 1

    def _advance(self, ts: float) -> datetime:
        """Move the session's time to the close of the bar that opens at ``ts``, and return its open.

        Bars that should have come in between are journalled as a gap.
        """
        opened = self.now if ts == self._expected and self._aligned else from_seconds(ts)
        if ts != self._expected:
            missing = (ts - self._expected) / self.decision.bar_s
            if missing < 0 or missing != int(missing):
                raise DataError(
                    f"the bar at {iso(opened)} came where {iso(from_seconds(self._expected))} or later was expected"
                )
            last = from_seconds(ts - self.decision.bar_s)
            self._append(ev.Gap, from_seconds(self._expected), last, int(missing))
        self._expected = ts + self.decision.bar_s
        self.now = from_seconds(self._expected)
        self._aligned = True
        return opened

    def _signal(self, bar: Bar, state: list[float]) -> float:
        """Ask the strategy what it wants to hold."""
        try:
            return float(self.decision.strategy.update(self.decision.params, state, *bar[1:]))
        except Exception as fault:  # a strategy is somebody else's code: whatever it raises ends this session only
            raise StrategyError(
                f"strategy {self.decision.strategy.name!r} failed on the bar at {iso(from_seconds(bar.ts))}: "
                f"{type(fault).__name__}: {fault}"
            ) from fault

    def _report(self, rows: int) -> tuple[int, int, int, int, tuple[str, ...]]:
        """Journal what one bar led to, hand its orders to the broker, and return the counts and deny codes."""
        counts = Counter[str]()
        reasons: list[str] = []
        halts: list[str] = []
        placed: list[ev.Order] = []
        for event in self.teller.tell(self.out, rows, self.journal.next_seq, self.now):
            self.journal.append(event)
            if isinstance(event, ev.Fill):
                counts["filled"] += 1
            elif isinstance(event, ev.Order):
                placed.append(event)
                counts["generated"] += 1
            elif isinstance(event, ev.Denial):
                reasons.append(event.code)
                counts["generated"] += event.order_id is None
                counts["blocked"] += 1
            elif isinstance(event, ev.Halt):
                halts.append(f"{event.code} value={event.value:.4g} limit={event.limit:.4g}")
        for reason in halts:
            self._latch(reason)
        if placed and self.plan.broker.asks_venue:
            counts["rejected"] = self._submit(placed)
        return counts["generated"], counts["filled"], counts["rejected"], counts["blocked"], tuple(reasons)

    def _submit(self, placed: list[ev.Order]) -> int:
        """Ask the venue about orders, in their order, and return how many it refused; the rest is then withdrawn.

        Each order is on the disk before it is sent.
        """
        for n, order in enumerate(placed):
            self._append(ev.Submission, order.order_id)
            self.journal.commit()
            answer = self.plan.broker.submit(order)
            self._append(ev.VenueAnswer, order.order_id, answer.accepted, answer.message, answer.raw)
            if not answer.accepted:
                for other in placed[n + 1 :]:
                    self._append(
                        ev.VenueAnswer, other.order_id, False, "not sent: an order before it was refused", None
                    )
                for refused in placed[n:]:
                    self.teller.withdraw(refused)
                    bk.withdraw_order(self.book, refused.purpose == "open")
                self.book[bk.REJECTS] += 1.0
                return len(placed) - n
            self.book[bk.REJECTS] = 0.0
        return 0

    def _append(self, kind: Callable[..., Any], *values: object) -> Any:
        """Journal an event of the present moment and return it."""
        event = kind(self.journal.next_seq, self.now, *values)
        self.journal.append(event)
        return event

    def _latch(self, reason: str) -> None:
        """Write the halt of this session to the disk, where it outlives it."""
        try:
            on_disk = self.desk.states.read(self.scopes[1])
            if STATES.index(on_disk.state) <= HALTED:  # never loosen what a person or an unreadable file forbids
                self._gate = self.desk.states.set(
                    self.scopes[1], "HALTED", by=f"session {self.run_id}", reason=reason, now=self.desk.clock.now()
                )
        except PeaktradeError as fault:
            self._halt_unsaved = True
            self._append(ev.Failure, f"{type(fault).__name__}: {fault}")

    def _look(self, force: bool = False) -> bool:
        """A few times a second: obey the trading state, show the progress; return whether to stop."""
        now = time.monotonic()
        if force or now - self._last_look >= GATE_S:
            self._last_look = now
            self._obey(self.desk.states.worst(*self.scopes))
            self._show("running")
        return self.stop.requested

    def _obey(self, state: TradingState) -> None:
        """Take over the trading state from the disk; a person's resume re-arms the drawdown halt from here."""
        level = float(STATES.index(state.state))
        if (state.state, state.reason) != (self._gate.state, self._gate.reason):
            self._append(
                ev.State, state.state, f"{state.scope} by {state.by}" if state.by else state.scope, state.reason
            )
            if level < STATES.index(self._gate.state):
                self.book[bk.PEAK], self.book[bk.DRAWDOWN], self.book[bk.REJECTS] = self.book[bk.EQUITY], 0.0, 0.0
            self._gate = state
        self.book[bk.STATE] = max(level, HALTED) if self._halt_unsaved else level

    def _show(self, phase: str) -> None:
        """Tell whoever watches how far the session is; one who cannot be told any more is let go."""
        total = self.plan.config.steps or max(0, len(self.plan.feed) - self.plan.config.warmup_candles) or None
        try:
            self.watch(Progress(phase, self.step, total, self.book[bk.EQUITY], self.book[bk.QTY], self.now))
        except OSError:  # the terminal or pipe is gone; the session is not
            self.watch = lambda _: None
