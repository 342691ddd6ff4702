"""The trading state on disk: who halted what, when and why. It survives restarts and fails closed.

There is one file for each scope: ``global`` for everything, and one for each combination of mode, strategy and symbol,
which a session halts when it must. The worst of both counts. A file that cannot be read counts as halted.

The global scope is the kill switch. Its file must agree with its audit, and it is loosened by two people only
(:mod:`peaktrade_core.halts.kill_switch`). Each change of the two is one decision under one lock. An engagement that
cannot have the lock does without it, and wins all the same: a release looks again before and after it writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import EPOCH, as_utc, iso
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.halts.audit import ENGAGE, LOOK_S, RELEASE, KillSwitchAudit
from peaktrade_core.workspace.workspace import Workspace

GLOBAL = "global"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
STATES = ("ACTIVE", "REDUCING", "HALTED", "NO_ORDERS")
_ENGAGE_S = 2.0  # engaging waits no longer for the lock
_PROGRAM = "peaktrade"


class TradingState(msgspec.Struct, frozen=True, kw_only=True):
    """What may be traded in a scope.

    Attributes:
        state: ``ACTIVE``, ``REDUCING`` (only reducing orders), ``HALTED`` (the same, latched) or ``NO_ORDERS``.
        by: the person or session that set it; reason: why; since: when.
        audit: digest of the audit's line behind it, for the kill switch.
    """

    scope: str
    state: str = "ACTIVE"
    by: str = ""
    reason: str = ""
    since: datetime | None = None
    audit: str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state {self.state!r} must be one of {', '.join(STATES)}")

    @property
    def doubted(self) -> bool:
        """Whether no one set it: it is closed because its files are damaged or do not agree."""
        return self.by == _PROGRAM and self.since is None and self.state == "NO_ORDERS"


def scope_of(mode: str, strategy: str, symbol: str) -> str:
    """Return the scope that a session halts: its mode, strategy and symbol, as a file name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{mode}.{strategy}.{symbol}")


class TradingStates:
    """The states in a folder.

    Args (of the constructor):
        folder: ``reports/live/trading_state``.
        log: the log of operations; one line a change, never rewritten.

    Attributes:
        audit: the kill switch's, beside the folder.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self.audit = KillSwitchAudit(folder.parent / "kill_switch.jsonl")

    @classmethod
    def of(cls, workspace: Workspace) -> TradingStates:
        """Return the trading states of a workspace, opened once."""
        folder = workspace.reports / "live" / "trading_state"
        return workspace.once(cls, lambda: cls(folder, workspace.operations_log))

    def read(self, scope: str) -> TradingState:
        """Return the state of a scope: ACTIVE when nothing was ever said, NO_ORDERS when its file cannot be read."""
        if scope != GLOBAL:
            return self.said(scope)
        found = self._confirmed(self.said(scope))
        if not found.doubted:
            return found
        with self.audit.deciding(LOOK_S):  # perhaps a change came between looking at the one file and at the other
            return self._confirmed(self.said(scope))

    def said(self, scope: str) -> TradingState:
        """Return what the file of a scope says, for the global one without asking its audit."""
        path = self._path(scope)
        try:
            return msgspec.json.decode(path.read_bytes(), type=TradingState)
        except FileNotFoundError:
            return TradingState(scope=scope)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _closed(scope, f"cannot read {path.name}: {error}")

    def _confirmed(self, said: TradingState) -> TradingState:
        """Return what the global file says if the audit agrees or is milder, else that nothing passes."""
        try:
            decisive = self.audit.decisive()
        except (ArtefactError, EnvironmentFault) as error:
            return said if said.state == "NO_ORDERS" else _closed(said.scope, f"the audit cannot be trusted: {error}")
        if said.state != "ACTIVE":
            if decisive is not None and STATES.index(decisive.state) > STATES.index(said.state):
                return _closed(said.scope, f"the audit says {decisive.state}, the file {said.state}")
            return said
        if decisive is None and said.since is None:
            return said
        if decisive is None or decisive.kind != RELEASE or decisive.digest != said.audit:
            return _closed(said.scope, "no halt in its file, but no release in the audit stands behind that either")
        return said

    def worst(self, *scopes: str) -> TradingState:
        """Return the strictest of the states of several scopes; of equal ones the newest."""
        return max(map(self.read, scopes), key=lambda s: (STATES.index(s.state), as_utc(s.since or EPOCH)))

    def everything(self) -> list[TradingState]:
        """Return the state of each scope that has a file, and the global one."""
        found = {path.stem for path in self._folder.glob("*.json") if _SCOPE.fullmatch(path.stem)} | {GLOBAL}
        return [self.read(scope) for scope in sorted(found)]

    def stopped(self) -> list[TradingState]:
        """Return every scope that is not ACTIVE, the newest first."""
        found = [state for state in self.everything() if state.state != "ACTIVE"]
        return sorted(found, key=lambda state: as_utc(state.since or EPOCH), reverse=True)

    def set(self, scope: str, state: str, *, by: str, reason: str, now: datetime) -> TradingState:
        """Change a state, durably, and note it in the audit log; for the global scope this engages the kill switch.

        What holds globally and is stricter stays as strict.

        Raises:
            ConfigError: no name or no reason was given, the state does not exist, or it would loosen the kill switch.
            EnvironmentFault: the file cannot be written.
        """
        if not by.strip() or not reason.strip():
            raise ConfigError("changing the trading state needs a name (--by) and a reason (--reason)")
        if state not in STATES:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES)}")
        after = TradingState(scope=scope, state=state, by=by.strip(), reason=reason.strip(), since=now)
        if scope == GLOBAL:
            return self._engage(after, now)
        return self._write(self.read(scope), after)

    def _engage(self, wanted: TradingState, now: datetime) -> TradingState:
        """Write an engagement to file and audit; every step is tried, whatever becomes of the others."""
        if wanted.state == "ACTIVE":
            raise ConfigError(
                "the global scope is the kill switch, which two people release: each of them calls "
                "`peaktrade killswitch release --by NAME --reason TEXT`"
            )
        with self.audit.deciding(_ENGAGE_S) as alone:
            before = self._confirmed(self.said(GLOBAL))
            after = msgspec.structs.replace(wanted, state=max(wanted.state, before.state, key=STATES.index))
            said = {"by": after.by, "reason": after.reason, "state": after.state}
            steps: list[Callable[[], object]] = [
                lambda: self._write(before, after),
                lambda: self.audit.append_anyway(ENGAGE, now, **said),
            ]
            if not alone:  # a release that wrote meanwhile does not count since the line above; its file goes as well
                steps.append(lambda: self._put(after))
            faults = []
            for step in steps:
                try:
                    step()
                except (ArtefactError, EnvironmentFault) as error:
                    faults.append(str(error))
        if faults:
            raise EnvironmentFault("; ".join(dict.fromkeys(faults)))
        return after

    def release(
        self, *, by: str, reason: str, now: datetime, checks: dict[str, str], over: TradingState, after: str
    ) -> bool:
        """Loosen the kill switch and return whether it is loose; False: it was engaged meanwhile, without the lock.

        For :mod:`peaktrade_core.halts.kill_switch`, which has checked that it may be, and holds the lock.

        Args:
            by: the two people; checks: the health check, id to status.
            over: what the file said when that was checked; after: digest of the audit's last line then.

        Raises:
            ArtefactError: the audit is broken.
            EnvironmentFault: the file, the audit or the log cannot be written.
        """
        before = self.read(GLOBAL)
        digest = self.audit.append(RELEASE, now, after=after, by=by, reason=reason, state="ACTIVE", checks=checks)
        if not digest:
            return False
        released = TradingState(scope=GLOBAL, state="ACTIVE", by=by, reason=reason, since=now, audit=digest)
        append_line(self._log, _change(before, released))
        if self.said(GLOBAL) != over:
            return False
        self._put(released)
        last = self.audit.decisive()
        if last is not None and last.digest == digest:
            return True
        engaged = over
        if last is not None:
            engaged = TradingState(scope=GLOBAL, state=last.state, by=last.by, reason=last.reason, since=last.at)
        self._write(self.read(GLOBAL), engaged)
        return False

    def note(self, text: str, now: datetime) -> None:
        """Add a line to the log of operations.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        append_line(self._log, f"{iso(now)} {text}")

    def _write(self, before: TradingState, after: TradingState) -> TradingState:
        """Write a state and its line in the log."""
        line = _change(before, after)
        loosens = STATES.index(after.state) < STATES.index(before.state)
        if loosens:  # nothing is let loose that cannot be audited; a halt holds even then
            append_line(self._log, line)
        self._put(after)
        if not loosens:
            append_line(self._log, line)
        return after

    def _put(self, state: TradingState) -> None:
        """Write the file of a scope."""
        write_atomic(self._path(state.scope), msgspec.json.encode(state) + b"\n")

    def _path(self, scope: str) -> Path:
        """Return the file of a scope.

        Raises:
            ConfigError: the scope could escape the folder.
        """
        if not _SCOPE.fullmatch(scope):
            raise ConfigError(f"{scope!r} is no scope; `peaktrade risk status` lists them")
        return self._folder / f"{scope}.json"


def _change(before: TradingState, after: TradingState) -> str:
    """Return the line of the log about a change."""
    at = iso(after.since or EPOCH)
    return f"{at} trading-state {after.scope} {before.state} -> {after.state} by {after.by}: {after.reason}"


def _closed(scope: str, why: str) -> TradingState:
    """Return the state of a scope that nobody can be sure of."""
    return TradingState(scope=scope, state="NO_ORDERS", by=_PROGRAM, reason=f"{why}; failing closed")
