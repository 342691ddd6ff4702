"""One bar of a journal with the events that led to it: what the strategy said, the venue, the account, the states."""

from __future__ import annotations

from copy import copy

from msgspec import structs

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import IMPORTED, SessionConfig
from peaktrade_core.trading.risk import DENY_CODES, OK, STALE_PRICE, Limits, RiskVerdict

_ACCOUNT_LIMITS = {
    "MAX_TOTAL_EXPOSURE": "max_total_exposure_notional",
    "MAX_SYMBOL_EXPOSURE": "max_symbol_exposure_notional",
    "MAX_OPEN_POSITIONS": "max_open_positions",
    "MAX_DAILY_LOSS_ABS": "max_daily_loss_abs",
    "MAX_DAILY_LOSS_PCT": "max_daily_loss_pct",
}
_DECIDED = (ev.Fill, ev.Order, ev.Denial, ev.Halt, ev.Severity)
DECIDED = (ev.Funding, *_DECIDED)


class RecordedBar:
    """One bar of the journal with the events that led to it."""

    def __init__(self, done: ev.BarDone, events: list[ev.AnyEvent]) -> None:
        self.done = done
        self._signal: float | None = None
        self.decided = [event for event in events if isinstance(event, DECIDED)]
        first = next((at for at, event in enumerate(events) if isinstance(event, _DECIDED)), len(events))
        self.states_before = [event for event in events[:first] if isinstance(event, ev.State)]
        self.states_after = [event for event in events[first:] if isinstance(event, ev.State)]
        self.funding = [event for event in events if isinstance(event, ev.Funding)]
        self.orders = {event.order_id: event for event in self.decided if isinstance(event, ev.Order)}
        self.denials = [event for event in self.decided if isinstance(event, ev.Denial)]
        self.answers = {
            self.orders[event.order_id].purpose: event.accepted
            for event in events
            if isinstance(event, ev.VenueAnswer) and event.order_id in self.orders
        }

    def instead(self, done: ev.BarDone, signal: float) -> RecordedBar:
        """Return it with other prices and another signal; what the world outside did stays."""
        other = copy(self)
        other.done, other._signal = done, signal
        return other

    def as_if(self, signal: float) -> RecordedBar:
        """Return it as if that signal had been given, and its fills had come at its end."""
        other = self.instead(self.done, signal)
        other.decided = [
            structs.replace(event, ts=self.done.ts) if isinstance(event, ev.Fill) else event for event in self.decided
        ]
        return other

    @property
    def signal(self) -> float:
        """What the strategy said, also where that was no signal."""
        if self._signal is not None:
            return self._signal
        bad = next((denial for denial in self.denials if denial.code == "BAD_SIGNAL"), None)
        if bad is None:
            return float(self.done.signal)
        return float("nan") if bad.value is None else bad.value

    @property
    def age_s(self) -> float:
        """How old the price was, as far as the journal tells [s]."""
        stale = (d.value for d in self.denials if d.code == DENY_CODES[STALE_PRICE] and d.order_id is None)
        return next((value for value in stale if value is not None), 0.0)

    @property
    def withheld(self) -> dict[str, ev.Denial]:
        """Orders of this bar that were not sent any more, by purpose."""
        return {self.orders[d.order_id].purpose: d for d in self.denials if d.order_id in self.orders}

    def account_verdict(self, limits: Limits) -> RiskVerdict:
        """Return what the shared account would say under ``limits`` to an order of this bar."""
        for denial in self.denials:
            if denial.order_id is not None or denial.code not in (*_ACCOUNT_LIMITS, "ACCOUNT_UNAVAILABLE"):
                continue
            code, value = DENY_CODES.index(denial.code), denial.value or 0.0
            if denial.code not in _ACCOUNT_LIMITS:
                return RiskVerdict(code, value, denial.limit or 0.0)
            limit = float(getattr(limits, _ACCOUNT_LIMITS[denial.code]))
            if value > limit or ("LOSS" in denial.code and value >= limit):
                return RiskVerdict(code, value, limit)
        return RiskVerdict(OK, 0.0, 0.0)


def refuse_imported(session_id: str, config: SessionConfig) -> None:
    """Refuse to run a session again that ran elsewhere.

    Raises:
        ArtefactError: it did.
    """
    if config.feed == IMPORTED:
        raise ArtefactError(
            f"{session_id} was imported: its signals and limits are not known, so that it cannot be run again. "
            f"`peaktrade session diff {session_id}` holds its fills against the decision code"
        )


def describe(event: ev.AnyEvent | None) -> str:
    """Return an event on one line, for people."""
    if event is None:
        return "nothing"
    fields = {n: getattr(event, n) for n in event.__struct_fields__ if n not in ("seq", "ts")}
    return f"{type(event).__name__} {iso(event.ts)} " + " ".join(f"{name}={value}" for name, value in fields.items())
