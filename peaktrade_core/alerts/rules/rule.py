"""What all alert rules share: their settings, which runs they concern, what they stop, and exact comparisons.

Thresholds are exact: a loss or drawdown that has reached its limit is a breach, a count or a time may be as large as its
limit ("at most 5" fires at 6), and 5 % is the 5 % that a person typed, whatever floats make of it. Percent and seconds are
as typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from peaktrade_core.alerts.alerts import CRITICAL, INFO, WARNING, Severity, elapsed
from peaktrade_core.alerts.rules.facts import UNKNOWN, DeskFacts, RuleFinding, RunFacts
from peaktrade_core.runs.handbook import error_help, handbook
from peaktrade_core.trading.risk import above

Group = Literal["run", "scope", "strategy", "symbol", "mode", "rule"]
GROUPS: dict[Group, Callable[[RunFacts], str]] = {
    "run": lambda run: run.run_id,
    "scope": lambda run: run.scope,
    "strategy": lambda run: run.strategy,
    "symbol": lambda run: run.symbol,
    "mode": lambda run: run.mode,
    "rule": lambda _: "",
}
Action = Literal["none", "reduce", "halt", "kill_switch"]
NONE: Final = "none"
REDUCE: Final = "reduce"
HALT: Final = "halt"
KILL_SWITCH: Final = "kill_switch"
ACTIONS: dict[Action, str] = {NONE: "", REDUCE: "REDUCING", HALT: "HALTED", KILL_SWITCH: "NO_ORDERS"}
"""What a rule may do, and the trading state that it then sets."""
SESSION: Final = "session"
EVERYTHING: Final = "global"
_LONGEST = 400 * 86_400
Wait = Annotated[float, Meta(ge=0.0, le=_LONGEST)]  # [s], 0 for none or never
Window = Annotated[float, Meta(gt=0.0, le=_LONGEST)]  # [s], or bars
Percent = Annotated[float, Meta(gt=0.0, le=100.0)]
Money = Annotated[float, Meta(gt=0.0, le=1e15)]  # [quote ccy]
AtMost = Annotated[int, Meta(ge=0, le=_LONGEST)]  # so many are no finding yet
AtLeast = Annotated[int, Meta(ge=1, le=_LONGEST)]  # so many are one


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every rule has.

    Attributes:
        id: its name; severity: of what it finds, where the kind does not grade by itself.
        for_s: a finding must hold this long before it is an alert [s]; clear_for_s: and be gone this long to clear it.
        quiet_s: for this long after somebody was told, only worse news is told at once [s].
        repeat_s: tell again this often while nobody acknowledges a critical alert [s], 0 for never.
        escalate_after_s: tell ``escalate_to`` when nobody acknowledged a critical alert for so long [s], 0 for never.
        group_by: ``run``, ``scope`` (mode, strategy and symbol), ``strategy``, ``symbol``, ``mode`` or ``rule``.
        channels: where it is told; escalate_to: where it escalates to.
        owner: who treats it; runbook: by which chapter of the handbook, empty for the one that treats the kind.
        action: taken once for each cause when what is found is critical: ``none``, ``reduce`` (only reducing orders),
            ``halt`` (the same, latched) or ``kill_switch`` (no orders at all, always global).
        scope: whom the action stops: ``session`` (the mode, strategy and symbol that it is about) or ``global``.
        modes, strategies, symbols: only runs with one of these; empty for all.
    """

    id: str
    enabled: bool = True
    severity: Severity = WARNING
    for_s: Wait = 0.0
    clear_for_s: Wait = 30.0
    quiet_s: Annotated[float, Meta(ge=1.0, le=_LONGEST)] = 60.0
    repeat_s: Wait = 0.0
    escalate_after_s: Wait = 0.0
    group_by: Group = "run"
    channels: tuple[str, ...] = ("log",)
    escalate_to: tuple[str, ...] = ()
    owner: str = "operator"
    runbook: str = ""
    action: Action = NONE
    scope: Literal["session", "global"] = SESSION
    modes: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    stops_sessions: ClassVar[bool] = True  # whether its findings name sessions that an action can stop

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Yield what the rule finds, one finding for each run or thing."""
        for run in facts.runs:
            if self.concerns(run):
                yield from self.look(run)

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Yield what the rule finds about one run."""
        raise NotImplementedError

    def concerns(self, run: RunFacts) -> bool:
        """Return whether the rule's filters let a run pass; a run that nobody knows always does."""
        if run.state == UNKNOWN:
            return True
        pairs = ((self.modes, run.mode), (self.strategies, run.strategy), (self.symbols, run.symbol))
        return all(not wanted or value in wanted for wanted, value in pairs)

    def finding(self, run: RunFacts, severity: str, message: str, runbook: str = "") -> RuleFinding:
        """Return a finding about a run under the rule's grouping."""
        key = GROUPS[self.group_by](run)
        scopes = (run.scope,) if run.scope else ()
        return RuleFinding(key, severity, message, run.run_id, run.symbol or None, scopes, run.run_id, runbook)

    def too_many(self, run: RunFacts, count: int, limit: int, what: str) -> Iterator[RuleFinding]:
        """Yield the finding that a run had more of something within the rule's window than allowed."""
        if severity := graded(count, limit):
            yield self.finding(run, severity, f"{count} {what} within {span(self.window)} (limit {limit})")

    @property
    def wide(self) -> bool:
        """Whether its action stops everything."""
        return self.action == KILL_SWITCH or (self.action != NONE and self.scope == EVERYTHING)

    @property
    def stops(self) -> str:
        """What it does, and to whom if not to the session alone: ``halt``, ``kill_switch (global)``; empty for nothing."""
        return "" if self.action == NONE else self.action + (f" ({EVERYTHING})" if self.wide else "")

    @property
    def chapter(self) -> str:
        """The chapter of the handbook that treats it."""
        return self.runbook or handbook().alert[str(self.__struct_config__.tag)].chapter

    @property
    def about_runs(self) -> bool:
        """Whether the rule looks at one run at a time, so that a single run can be checked with it."""
        return type(self).find is Rule.find

    @property
    def window(self) -> float:
        """How far back the rule looks into a run [s of session time]."""
        return float(getattr(self, "window_s", 0.0))


def graded(value: float, limit: float) -> str:
    """Return ``warning`` above ``limit``, ``critical`` above twice of it, else an empty string."""
    return CRITICAL if above(value, 2.0 * limit) else WARNING if above(value, limit) else ""


_GRADES = {"low": INFO, "medium": WARNING, "high": CRITICAL}


def of_error(error: str) -> tuple[str, str]:
    """Return severity and chapter of the handbook for an error ``Type: message``."""
    help_ = error_help(error)
    return _GRADES[help_.severity], help_.chapter


def recent(run: RunFacts, recent_s: float) -> bool:
    """Return whether a run ended within the last ``recent_s`` [s]; an end that lies ahead is none that can be dated."""
    return run.ended_at is not None and elapsed(run.ended_at, run.now) <= recent_s


def before(moment: datetime | None, other: datetime | None) -> bool:
    """Return whether one time is known to lie before the other."""
    return moment is not None and other is not None and moment <= other


def span(seconds: float) -> str:
    """Return a time span in words: ``45 s``, ``10 min``, ``1.5 h``, ``3 d``."""
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= (2.0 if unit == "d" else 1.0) * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
