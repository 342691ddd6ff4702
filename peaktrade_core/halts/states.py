"""What may be traded: the trading state of each scope, read from the log of halts and changed in it.

The scope ``global`` is everything. To restrict it is to engage the kill switch, which two people release
(:mod:`peaktrade_core.halts.kill_switch`). A session obeys the stricter of its own scope and the global one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import Entry
from peaktrade_core.base.clock import EPOCH, as_utc, iso
from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.base.log import append_line
from peaktrade_core.base.resources import named
from peaktrade_core.base.text import said
from peaktrade_core.halts.entries import Known
from peaktrade_core.halts.log import HaltLog
from peaktrade_core.halts.scope import GLOBAL, HALT, RESUME, STATES, Scope, TradingState
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.memory import outside_of
from peaktrade_core.workspace.workspace import Workspace

DRAWDOWN = "drawdown"  # in the reason of what sessions and alert rules halted for one
OUTCRY = "desk.outcry:outcry"  # who is told when a stop cannot be written; that room is built on this one


class TradingStates:
    """The trading states of a workspace.

    Args (of the constructor):
        folder: ``reports/live``; operations: the log of operations, one line a change.
        outside: the file outside the workspace that remembers the log, None for none.
        outcry: what tells processes and people of a stop that cannot be written, and returns whom it told.
        distrust: returns why the ledger of the workspace cannot be trusted, empty when it can.
        approvals: what two people signed; None where nobody has a key.

    Attributes:
        log: the log of halts, of which the states are the fold.
    """

    def __init__(
        self,
        folder: Path,
        operations: Path,
        outside: Path | None = None,
        outcry: Callable[[TradingState, str], str] | None = None,
        distrust: Callable[[], str] = lambda: "",
        approvals: Approvals | None = None,
    ) -> None:
        self.log, self._approvals = HaltLog(folder, outside), approvals
        self._operations, self._outcry, self._distrust = operations, outcry, distrust
        self._told = set[tuple[str, str]]()

    @classmethod
    def of(cls, workspace: Workspace) -> TradingStates:
        """Return the trading states of a workspace, opened once."""
        live, log, outside = workspace.reports / "live", workspace.operations_log, outside_of(workspace.home)
        distrust = Ledger.of(workspace).fault
        outcry, approvals = partial(_outcry, workspace), Approvals.of(workspace)
        return workspace.once(cls, lambda: cls(live, log, outside, outcry, distrust, approvals))

    def look(self) -> Known:
        """Return what the log says, and whether the ledger can be trusted. It never raises."""
        return self.log.look()._replace(ledger=self._distrust())

    def read(self, scope: Scope | str) -> TradingState:
        """Return the state of a scope: ACTIVE when nothing was ever said, NO_ORDERS when the log cannot be trusted.

        Raises:
            ConfigError: the text is not a scope.
        """
        return self.look().state(_scope(scope).text)

    def in_force(self, scope: Scope | str) -> TradingState:
        """Return what a session of this scope obeys: the stricter of its own state and the global one; else the newer.

        Raises:
            ConfigError: the text is not a scope.
        """
        known = self.look()
        return max(known.state(GLOBAL.text), known.state(_scope(scope).text), key=_strictness)

    def everything(self) -> list[TradingState]:
        """Return the state of each scope that the log names, and the global one; only that where nothing can be trusted."""
        known = self.look()
        named = set() if known.doubt else set(known.states)
        return [known.state(scope) for scope in sorted({*named, GLOBAL.text})]

    def stopped(self) -> list[TradingState]:
        """Return every state that is not ACTIVE, the newest first: all halts, everywhere."""
        found = [state for state in self.everything() if state.state != "ACTIVE"]
        return sorted(found, key=lambda state: as_utc(state.since or EPOCH), reverse=True)

    def worst(self) -> TradingState:
        """Return the strictest state of all scopes, of equal ones the newest."""
        return max(self.everything(), key=_strictness)

    def set(self, scope: Scope | str, state: str, *, by: str, reason: str, now: datetime) -> TradingState:
        """Change the state of a scope and return what is in force there; what is stricter already is let go by ACTIVE alone.

        For the global scope this engages the kill switch. What a drawdown halted is let go by two people: where they have
        keys, both sign it before.

        Raises:
            ConfigError: no name or no reason was given, there is no such state or scope, or it would release the kill switch.
            WaitsForApproval: two people must sign it; it was asked for.
            ArtefactError: the log cannot be trusted; everything is stopped then.
            EnvironmentFault: the log cannot be written.
        """
        by, reason = said(by), said(reason)
        if not by or not reason:
            raise ConfigError("changing the trading state needs a name (--by) and a reason (--reason)")
        if state not in STATES:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES)}")
        wanted = TradingState(scope=_scope(scope).text, state=state, by=by, reason=reason, since=now)
        return self._engage(wanted, now) if wanted.everywhere else self._change(wanted, now)

    def stop(self, scope: Scope | str, state: str, *, by: str, reason: str, now: datetime) -> TradingState:
        """Restrict a scope as :meth:`set` does; where that cannot be written, tell the processes and people another way.

        A session's own halt holds in the session anyway; everybody else who stops trading calls this.

        Raises:
            ConfigError, ArtefactError: as :meth:`set`.
            EnvironmentFault: something cannot be written. It says whether trading is stopped all the same and, where it is
                not, who was told.
        """
        try:
            return self.set(scope, state, by=by, reason=reason, now=now)
        except EnvironmentFault as error:
            where = _scope(scope)
            known = self.log.look()
            found = known.state(where.text)
            if not known.fault and found.level >= STATES.index(state):
                what = "the kill switch is" if where == GLOBAL else f"{where} is"
                everywhere = " for every session" if where == GLOBAL else ""
                raise EnvironmentFault(f"{what} {found.state}{everywhere}, but {error}") from error
            wanted = TradingState(scope=where.text, state=state, by=said(by), reason=said(reason), since=now)
            not_done = "NOT ENGAGED, trading goes on" if where == GLOBAL else f"NOT HALTED, trading goes on in {where}"
            told = self._tell_another_way(wanted, str(error))
            again = "Mend that and halt again: a session that starts before then trades"
            raise EnvironmentFault(". ".join(filter(None, (f"{not_done}: {error}", told, again)))) from error

    def _tell_another_way(self, wanted: TradingState, why: str) -> str:
        """Tell of a stop that cannot be written, once for each; return who was told."""
        if self._outcry is None or (wanted.scope, wanted.state) in self._told:
            return ""
        self._told.add((wanted.scope, wanted.state))
        return self._outcry(wanted, why)

    def note(self, text: str, now: datetime) -> None:
        """Add a line to the log of operations.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        append_line(self._operations, f"{iso(now)} {text}")

    def note_change(self, before: TradingState, after: TradingState, now: datetime) -> None:
        """Add a line about a change to the log of operations; raises as :meth:`note`."""
        self.note(f"trading-state {after.scope} {before.state} -> {after.state} by {after.by}: {after.reason}", now)

    def _engage(self, wanted: TradingState, now: datetime) -> TradingState:
        """Engage the kill switch; every step is tried, whatever becomes of the others."""
        if wanted.state == "ACTIVE":
            raise ConfigError(
                "the global scope is the kill switch, which two people release: each of them calls "
                "`peaktrade killswitch release --by NAME --reason TEXT`"
            )
        before, faults = self.read(GLOBAL), list[str]()
        after = msgspec.structs.replace(wanted, state=max(wanted.state, before.state, key=STATES.index))
        steps: list[Callable[[], object]] = [
            lambda: self.log.engage(wanted.by, wanted.reason, wanted.state, now),
            lambda: self.note_change(before, after, now),
        ]
        for step in steps:
            try:
                step()
            except EnvironmentFault as error:
                faults.append(str(error))
        if faults:
            raise EnvironmentFault("; ".join(dict.fromkeys(faults)))
        return self.read(GLOBAL)

    def _change(self, wanted: TradingState, now: datetime) -> TradingState:
        """Change the state of one scope; nothing is let go that the log of operations cannot hold."""
        noted, signed = list[TradingState](), self._signed(wanted)
        if signed:
            wanted = msgspec.structs.replace(wanted, by=signed.told)

        def think(known: Known) -> Sequence[Entry]:
            before = known.state(wanted.scope)
            if 0 < wanted.level < before.level:
                return []
            noted.append(before)
            if wanted.level < before.level:
                self.note_change(before, wanted, now)
            data = {"scope": wanted.scope, "state": wanted.state, "by": wanted.by, "reason": wanted.reason}
            data |= {"request": signed.request} if signed and signed.request else {}
            return [(HALT if wanted.level else RESUME, data)]

        after = self.log.decide(think, now).state(wanted.scope)
        if noted and wanted.level >= noted[0].level:
            self.note_change(noted[0], wanted, now)
        return after

    def _signed(self, wanted: TradingState) -> Approval | None:
        """Return who agreed that a scope goes on that a drawdown halted; None where it takes one person."""
        known = self.log.look()
        if wanted.level or self._approvals is None or not after_drawdown(known, wanted.scope):
            return None
        before = known.state(wanted.scope)
        about = f"{before.scope}, {before.state} by {before.by}: {before.reason}"
        return self._approvals.require("drawdown", about, bound(before), by=wanted.by, reason=wanted.reason)


def after_drawdown(known: Known, scope: str) -> bool:
    """Return whether a drawdown is among the reasons for which a scope was halted since it was let go last."""
    for entry in reversed((*known.entries, *known.waiting)):
        if entry.scope == scope and entry.state == "ACTIVE":
            return False
        if entry.scope == scope and DRAWDOWN in entry.reason.lower():
            return True
    return False


def bound(state: TradingState) -> str:
    """Return the SHA-256 of a trading state: what two people sign when they let exactly this go."""
    told = (state.scope, state.state, state.by, state.reason, iso(state.since) if state.since else "")
    return hashlib.sha256("\0".join(told).encode()).hexdigest()


def _outcry(workspace: Workspace, wanted: TradingState, why: str) -> str:
    """Tell of a stop that cannot be written, in the room that knows processes and channels."""
    return str(named(OUTCRY)(workspace, wanted, why))


def _scope(scope: Scope | str) -> Scope:
    """Return a scope that may have been given as its text."""
    return scope if isinstance(scope, Scope) else Scope.parse(scope)


def _strictness(state: TradingState) -> tuple[int, datetime]:
    """Return what orders states: how strict, then how new."""
    return state.level, as_utc(state.since or EPOCH)
