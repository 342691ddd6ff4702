"""The loop of one session: bars come in, the decision code decides, and everything is journalled before it is acted on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import DataError, EnvironmentFault
from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.gate import HaltGate
from peaktrade_core.records.journal import Journal
from peaktrade_core.records.kept import UNFINISHED_BAR, WARMUP_KEPT, keep_bars
from peaktrade_core.session.plan import Desk, Outside, Plan, Progress, Stop, odd_of, progress_of
from peaktrade_core.session.sending import submit
from peaktrade_core.show.wording import many
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import fill_price
from peaktrade_core.trading.decision import Teller
from peaktrade_core.trading.limit_use import refusal
from peaktrade_core.trading.margin import Closes
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import FeedNotice, FundingRate, Item, Pause
from peaktrade_core.trading.risk import CONSECUTIVE_REJECTS, DENY_CODES, OK

GATE_S = 0.25  # how often the trading state and a stop are looked at [s of wall clock]
LOOK_EVERY = 8  # bars between two looks at the wall clock when running as fast as possible


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
        pulse: Callable[[Progress], None] = lambda _: None,
        outside: Outside | None = None,
    ) -> None:
        """Describe the loop; ``outside`` stands in for the disk's gate and account where a record is run again."""
        self.plan, self.desk, self.journal, self.stop, self.watch = plan, desk, journal, stop, watch
        self.pulse = pulse
        self.run_id = run_id
        self.decision = plan.decision
        self.book = self.decision.new_book()
        self._closes = Closes() if self.decision.market.leverage else None  # of a perpetual contract
        self.out = engine.new_out()
        self.gate, self.seat = outside or Outside(
            HaltGate(desk.states, plan.scope, run_id, desk.clock),
            Seat(desk.account, run_id, plan.account, plan.config.symbol, plan.decision.limits),
        )
        self._look_s = 0.0 if outside else GATE_S
        self.now = from_seconds(0.0)
        self.step = self.before = self.blocked = 0
        self.price: float | None = None
        self.last_error: str | None = None
        self.refused, self.refusal = False, ""  # whether the venue's refusals halted it; the last of them
        self.teller = Teller()
        self._expected = 0.0
        self._bar_length = timedelta(seconds=plan.decision.bar_s)
        self._aligned = False
        self._next_look = 0.0
        self.unfinished: Bar | None = None  # the bar that is being worked off
        self._history: list[Bar] = []  # the bars of the warm-up
        self._warm = False
        self._account_fault = ""

    def run(self) -> None:
        """Work off the feed: the warm-up, then every bar until it ends, the steps are done or somebody stops it.

        Raises:
            DataError: the feed has fewer bars than the warm-up needs and one more, or one out of order.
            ExchangeError: the venue failed for longer than the feed is patient.
            StrategyError: the strategy raised or returned something that is no number.
        """
        config = self.plan.config
        state = self.decision.new_state()
        live = not self.plan.feed.simulated  # a call of a live feed may have taken long
        for item in self.plan.feed:
            if self.journal.next_seq == 0:
                self.now = from_seconds(item.ts) if isinstance(item, Bar) else self.desk.clock.now()
                self.append(ev.Start, ev.SCHEMA, msgspec.to_builtins(config))
            if type(item) is not Bar:
                if self._between(item):
                    return
                continue
            if not self._warm:
                self._warm = self._warm_up(item, state)
                if not self._warm:
                    continue
            if (live or not self.step % LOOK_EVERY) and self.look(force=live):
                return
            self._bar(item, state)
            self.journal.settle()
            if self.step == config.steps:
                return
        if not self._warm:
            raise DataError(
                f"the feed has {many(len(self._history), 'bar')}, the warm-up needs {config.warmup_candles} "
                "and a session at least one more; use --warmup-candles"
            )

    def _between(self, item: Item) -> bool:
        """Journal a notice or sit a pause out; return whether to stop."""
        if isinstance(item, FeedNotice):
            self.append(ev.Notice, item.code, item.message, item.value)
            self.last_error = f"{item.code}: {item.message}"
        elif isinstance(item, FundingRate):
            if self._warm and self._closes is not None:
                paid = self._closes.book(self.book, item)
                self.append(ev.Funding, from_seconds(item.ts), item.rate, *paid)
        elif isinstance(item, Pause):
            self.journal.commit()
            until = time.monotonic() + item.seconds
            while not self.look() and (left := until - time.monotonic()) > 0:
                self.stop.wait(min(left, GATE_S))
        return self.stop.requested

    def _keep(self) -> str | None:
        """Keep the warm-up of a venue, which nobody could have again, and return its digest; None where it was not kept."""
        wanted = self.plan.feed.name == "exchange" and self._history
        return keep_bars(self.desk.runs(self.run_id).warmup, self._history) if wanted else None

    def keep_unfinished(self) -> None:
        """Journal what came of a venue and is in no event yet: the bar that was being worked off, or the warm-up."""
        if self.unfinished is not None and self.plan.feed.name == "exchange":
            self.append(ev.Notice, UNFINISHED_BAR, msgspec.json.encode(self.unfinished).decode())
        elif not self._warm:
            with suppress(EnvironmentFault):
                if digest := self._keep():
                    self.append(ev.Notice, WARMUP_KEPT, digest)

    def halt(self, code: str, reason: str) -> None:
        """Journal that the session halts, and keep its scope halted until a named person resumes it."""
        self.append(ev.Halt, code)
        self._latch(reason)

    def finish(self, status: str, error: str | None) -> None:
        """Journal the end and show the last figures."""
        self.last_error = error or self.last_error
        if error and status == "failed":
            self.append(ev.Failure, error)
        self.append(ev.End, status, error)
        self.journal.commit()
        self.seat.leave()
        self._show("ended")

    def _warm_up(self, bar: Bar, state: list[float]) -> bool:
        """Show the strategy one more bar of its history; return whether ``bar`` is the first to trade instead."""
        history = self._history
        if not self._aligned:
            self._expected = bar.ts
        if len(history) < self.plan.config.warmup_candles:
            self._advance(bar.ts)
            self.decision.signal(bar, state)
            history.append(bar)
            return False
        first, last = (from_seconds(history[0].ts), from_seconds(history[-1].ts)) if history else (None, None)
        self.unfinished = bar
        self.append(ev.WarmedUp, len(history), first, last, self._keep())
        for code, told in odd_of(self.plan, bar.low):
            self.append(ev.Notice, code, told)
        self.look(force=True)
        self.journal.commit()
        return True

    def _bar(self, bar: Bar, state: list[float]) -> None:
        """Work off one bar: decide, journal what was decided, then act on it."""
        self.unfinished = bar
        ts, open_price, high, low, close, volume = bar
        opened = self._advance(ts)
        decision, book = self.decision, self.book
        signal = decision.signal(bar, state)
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
            generated, filled, rejected, blocked, reasons = self._report(rows, close)
            self.blocked += blocked
        journal.append(ev.BarDone(
            journal.next_seq, now, self.step, opened, open_price, high, low, close, volume,
            book[bk.QTY], book[bk.CASH], book[bk.EQUITY], book[bk.REALIZED], book[bk.UNREALIZED],
            wanted, changed, generated, filled, rejected, blocked, not reasons, reasons,
        ))  # fmt: skip
        self.unfinished = None
        self.price = close
        self.step += 1
        if self._closes is not None:
            self._closes.note(close_ts, book[bk.QTY], close)

    def _advance(self, ts: float) -> datetime:
        """Move the session's time to the close of the bar that opens at ``ts``, and return its open.

        Bars that should have come in between are journalled as a gap.
        """
        if ts == self._expected and self._aligned:  # nearly always; whole seconds add up exactly
            opened = self.now
            self._expected = ts + self.decision.bar_s
            self.now = opened + self._bar_length
            return opened
        opened = from_seconds(ts)
        if ts != self._expected:
            missing = (ts - self._expected) / self.decision.bar_s
            if missing < 0 or missing != int(missing):
                raise DataError(
                    f"the bar at {utc(opened)} came where {utc(from_seconds(self._expected))} or later was expected"
                )
            last = from_seconds(ts - self.decision.bar_s)
            self.append(ev.Gap, from_seconds(self._expected), last, int(missing))
        self._expected = ts + self.decision.bar_s
        self.now = from_seconds(self._expected)
        self._aligned = True
        return opened

    def _report(self, rows: int, close: float) -> tuple[int, int, int, int, tuple[str, ...]]:
        """Journal what one bar led to, hand its orders to the broker, and return the counts and deny codes."""
        counts = Counter[str]()
        reasons: list[str] = []
        halts: list[str] = []
        placed: list[ev.Order] = []
        if self.book[bk.OPENING] != 0.0:  # of this bar: an older one was filled or denied at its open
            rows = self._reserve(rows, close)
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
            elif isinstance(event, ev.Halt):
                halts.append(refusal(event.code, event.value, event.limit, self.plan.config.symbol))
                self.refused = event.code == DENY_CODES[CONSECUTIVE_REJECTS]
        for reason in halts:
            self._latch(reason)
        if placed and self.plan.broker.asks_venue:
            counts["rejected"] = submit(self, placed, reasons)
        return counts["generated"], counts["filled"], counts["rejected"], len(reasons), tuple(reasons)

    def _reserve(self, rows: int, close: float) -> int:
        """Reserve this bar's opening order in the account, or turn it into a denial; return the number of rows."""
        expected = fill_price(self.decision.market, close, self.book[bk.OPENING])
        verdict = self.seat.reserve(self.book, expected)
        if verdict.code == OK:
            return rows
        self._tell_of_account()
        return engine.refuse_opening(self.book, self.out, rows, self.decision.limits, verdict, close)

    def append(self, kind: Callable[..., Any], *values: object) -> Any:
        """Journal an event of the present moment and return it."""
        event = kind(self.journal.next_seq, self.now, *values)
        self.journal.append(event)
        return event

    def _latch(self, reason: str) -> None:
        """Write the halt of this session to the disk, where it outlives it."""
        fault = self.gate.latch(reason)
        if fault is not None:
            self.last_error = f"{type(fault).__name__}: {fault}"
            self.append(ev.Failure, self.last_error)

    def look(self, force: bool = False) -> bool:
        """A few times a second: obey the trading state, tell the account, show the progress; return whether to stop."""
        now = time.monotonic()
        if force or now >= self._next_look:
            self._next_look = now + self._look_s
            state = self.gate.obey(self.book)
            if state is not None:
                source = f"{state.scope} by {state.by}" if state.by else state.scope
                self.append(ev.State, state.state, source, state.reason)
                self.journal.commit()  # a pause may last for hours
            self.seat.publish(self.book, self.price or 0.0)
            self._tell_of_account()
            self._show("running")
        return self.stop.requested

    def _tell_of_account(self) -> None:
        """Journal once that the account cannot be used, and why; until it can no order is opened."""
        if self.seat.fault and self.seat.fault != self._account_fault:
            self.last_error = self.seat.fault
            self.append(ev.Notice, "ACCOUNT", self.seat.fault)
        self._account_fault = self.seat.fault

    def _show(self, phase: str) -> None:
        """Tell whoever watches how far the session is; one who cannot be told any more is let go."""
        progress = self.progress(phase)
        self.pulse(progress)
        try:
            self.watch(progress)
        except OSError:  # the terminal or pipe is gone; the session is not
            self.watch = lambda _: None

    def progress(self, phase: str) -> Progress:
        """Return how far the session is."""
        total = self.plan.config.steps or max(0, len(self.plan.feed) - self.plan.config.warmup_candles) or None
        phase = "warm-up" if phase == "running" and self.price is None else phase
        told = self.step, total, self.now, self.price, self.blocked, self.journal.next_seq, self.last_error
        return progress_of(self.book, phase, *told)._replace(run_id=self.run_id)
