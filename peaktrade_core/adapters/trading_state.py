"""The trading state on disk: who halted what, when and why. It survives restarts and fails closed.

There is one file for each scope: ``global`` for everything, and one for each combination of mode, strategy and symbol,
which a session halts when it must. The worst of both counts. A file that cannot be read counts as halted.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.adapters.files import append_line, write_atomic
from peaktrade_core.domain.clock import iso
from peaktrade_core.domain.errors import ConfigError

GLOBAL = "global"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
STATES = ("ACTIVE", "REDUCING", "HALTED", "NO_ORDERS")


class TradingState(msgspec.Struct, frozen=True, kw_only=True):
    """What may be traded in a scope.

    Attributes:
        state: ``ACTIVE``, ``REDUCING`` (only reducing orders), ``HALTED`` (the same, latched) or ``NO_ORDERS``.
        by: the person or session that set it; reason: why; since: when.
    """

    scope: str
    state: str = "ACTIVE"
    by: str = ""
    reason: str = ""
    since: datetime | None = None

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
        log: the audit log; one line a change, never rewritten.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log

    def read(self, scope: str) -> TradingState:
        """Return the state of a scope: ACTIVE when nothing was ever said, NO_ORDERS when its file cannot be read."""
        path = self._path(scope)
        try:
            return msgspec.json.decode(path.read_bytes(), type=TradingState)
        except FileNotFoundError:
            return TradingState(scope=scope)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return TradingState(
                scope=scope,
                state="NO_ORDERS",
                by="peaktrade",
                reason=f"cannot read {path.name}: {error}; failing closed",
            )

    def worst(self, *scopes: str) -> TradingState:
        """Return the strictest of the states of several scopes."""
        return max((self.read(scope) for scope in scopes), key=lambda s: STATES.index(s.state))

    def everything(self) -> list[TradingState]:
        """Return the state of each scope that has a file, and the global one."""
        found = {path.stem for path in self._folder.glob("*.json") if _SCOPE.fullmatch(path.stem)} | {GLOBAL}
        return [self.read(scope) for scope in sorted(found)]

    def set(self, scope: str, state: str, *, by: str, reason: str, now: datetime) -> TradingState:
        """Change a state, durably, and note it in the audit log.

        Raises:
            ConfigError: no name or no reason was given, or the state does not exist.
            EnvironmentFault: the file cannot be written.
        """
        if not by.strip() or not reason.strip():
            raise ConfigError("changing the trading state needs a name (--by) and a reason (--reason)")
        if state not in STATES:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES)}")
        before = self.read(scope)
        after = TradingState(scope=scope, state=state, by=by.strip(), reason=reason.strip(), since=now)
        line = f"{iso(now)} trading-state {scope} {before.state} -> {state} by {after.by}: {after.reason}"
        loosens = STATES.index(state) < STATES.index(before.state)
        if loosens:  # nothing is let loose that cannot be audited; a halt holds even then
            append_line(self._log, line)
        write_atomic(self._path(scope), msgspec.json.encode(after) + b"\n")
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
