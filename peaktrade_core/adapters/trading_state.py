"""The trading state on disk: who halted what, when and why. It survives restarts and fails closed.

There is one file for each scope: ``global`` for everything, and one for each combination of mode, strategy and symbol,
which a session halts when it must. The worst of both counts. A file that cannot be read counts as halted.

The global scope is the kill switch. Its file must agree with its audit, and it is loosened by two people only
(:mod:`peaktrade_core.services.kill_switch`).
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.adapters.files import write_atomic
from peaktrade_core.adapters.kill_switch_audit import RELEASE, KillSwitchAudit
from peaktrade_core.adapters.log import append_line
from peaktrade_core.domain.clock import EPOCH, as_utc, iso
from peaktrade_core.domain.errors import ArtefactError, ConfigError, EnvironmentFault

GLOBAL = "global"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
STATES = ("ACTIVE", "REDUCING", "HALTED", "NO_ORDERS")


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

    def read(self, scope: str) -> TradingState:
        """Return the state of a scope: ACTIVE when nothing was ever said, NO_ORDERS when its file cannot be read."""
        said = self._said(scope)
        return said if scope != GLOBAL else self._confirmed(said)

    def _said(self, scope: str) -> TradingState:
        """Return what the file of a scope says."""
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

    def set(self, scope: str, state: str, *, by: str, reason: str, now: datetime) -> TradingState:
        """Change a state, durably, and note it in the audit log.

        Raises:
            ConfigError: no name or no reason was given, the state does not exist, or it would loosen the kill switch.
            EnvironmentFault: the file cannot be written.
        """
        if not by.strip() or not reason.strip():
            raise ConfigError("changing the trading state needs a name (--by) and a reason (--reason)")
        if state not in STATES:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES)}")
        before = self.read(scope)
        after = TradingState(scope=scope, state=state, by=by.strip(), reason=reason.strip(), since=now)
        loosens = STATES.index(state) < STATES.index(before.state)
        if loosens and scope == GLOBAL:
            raise ConfigError(
                "the global scope is the kill switch, which two people release: each of them calls "
                "`peaktrade killswitch release --by NAME --reason TEXT`"
            )
        return self._write(before, after)

    def release(self, *, by: str, reason: str, now: datetime, audit: str) -> TradingState:
        """Loosen the kill switch; for :mod:`peaktrade_core.services.kill_switch`, which has checked that it may be.

        Args:
            by: the two people; audit: digest of the release's line, without which the state does not count.

        Raises:
            EnvironmentFault: the file or the log cannot be written.
        """
        return self._write(
            self.read(GLOBAL), TradingState(scope=GLOBAL, state="ACTIVE", by=by, reason=reason, since=now, audit=audit)
        )

    def note(self, text: str, now: datetime) -> None:
        """Add a line to the log of operations.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        append_line(self._log, f"{iso(now)} {text}")

    def _write(self, before: TradingState, after: TradingState) -> TradingState:
        """Write a state and its line in the log."""
        assert after.since is not None
        line = (
            f"{iso(after.since)} trading-state {after.scope} {before.state} -> {after.state} by {after.by}: "
            f"{after.reason}"
        )
        loosens = STATES.index(after.state) < STATES.index(before.state)
        if loosens:  # nothing is let loose that cannot be audited; a halt holds even then
            append_line(self._log, line)
        write_atomic(self._path(after.scope), msgspec.json.encode(after) + b"\n")
        if not loosens:
            append_line(self._log, line)
        return after

    def _path(self, scope: str) -> Path:
        """Return the file of a scope.

        Raises:
            ConfigError: the scope could escape the folder.
        """
        if not _SCOPE.fullmatch(scope):
            raise ConfigError(f"{scope!r} is no scope; `peaktrade risk status` lists them")
        return self._folder / f"{scope}.json"


def _closed(scope: str, why: str) -> TradingState:
    """Return the state of a scope that nobody can be sure of."""
    return TradingState(scope=scope, state="NO_ORDERS", by="peaktrade", reason=f"{why}; failing closed")
