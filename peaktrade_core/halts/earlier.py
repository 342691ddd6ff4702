"""What an earlier version left: a file for each halted scope and an audit of the kill switch, read once into the log.

The two had to agree: the switch was released only where the audit's last deciding line was a release that the file named.
The audit is then moved aside. The files of the scopes stay, for sessions of that version that still run; no one else
reads them.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.chain import HEALED, Chain
from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import read_plain, sha256_of, write_atomic
from peaktrade_core.halts.scope import (
    ENGAGE,
    GLOBAL,
    HALT,
    REFUSAL,
    RELEASE,
    REQUEST,
    RESUME,
    STATES,
    TradingState,
)

Line = tuple[datetime, str, dict[str, Any]]  # when, kind and data
_BY = "peaktrade"
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_NOTE = b"These states were carried into ../halts.jsonl, which alone counts now. Nothing reads them any more.\n"


class Earlier:
    """The files of an earlier version.

    Args (of the constructor):
        folder: ``reports/live``.
    """

    def __init__(self, folder: Path) -> None:
        self._states, self._audit = folder / "trading_state", folder / "kill_switch.jsonl"
        self.files = (self._states, self._audit)

    def pending(self, *since: Path) -> bool:
        """Return whether there is something to carry over: there are such files, and none of those that came since."""
        return any(map(os.path.lexists, self.files)) and not any(map(os.path.lexists, since))

    def entries(self) -> list[Line]:
        """Return the lines that a new log begins with: the audit, then every state that it does not tell."""
        said = self._said(GLOBAL.text)
        try:
            found, last = self._audited()
        except (ArtefactError, EnvironmentFault) as error:
            found, last = [_closing(f"the audit cannot be trusted: {error} (sha256={sha256_of(self._audit)})")], None
        else:
            if said.state == "ACTIVE":
                agree = last is not None and last.kind == RELEASE and last.digest == said.audit
                if not agree and (last, said.since) != (None, None):
                    found.append(_closing("no halt in its file, but no release in the audit stood behind that either"))
            elif last is None or last.state != said.state:
                stricter = last is not None and STATES.index(last.state) > said.level
                found.append(_line(said, ENGAGE, "NO_ORDERS" if stricter else said.state))
        return [*found, *self._scopes()]

    def set_aside(self) -> None:
        """Move the audit aside and note beside the states that they were carried over."""
        with suppress(OSError):
            os.rename(self._audit, self._audit.with_suffix(".carried.jsonl"))
        with suppress(EnvironmentFault):
            if self._states.is_dir():
                write_atomic(self._states / "READ_ME.txt", _NOTE)

    def _audited(self) -> tuple[list[Line], _Last | None]:
        """Return the lines of the audit, and the last of them that changed the state.

        Raises:
            ArtefactError: it is broken; EnvironmentFault: it cannot be read.
        """
        found, last = list[Line](), None
        chain = Chain(self._audit)
        for link, digest in chain.links():
            told = {name: link.data.get(name) for name in ("by", "reason", "state")}
            line = (as_utc(link.at), link.kind, {**told, "checks": link.data.get("checks", {}), "carried": digest})
            if link.kind == HEALED:
                line = _closing("a line of the audit was unfinished; it may have been an engagement", link.at)
            elif (
                link.kind not in (ENGAGE, REQUEST, REFUSAL, RELEASE)
                or told["state"] not in STATES
                or not (told["by"] and told["reason"])
            ):
                raise ArtefactError(f"{self._audit}, line {link.seq + 1}: makes no sense")
            found.append(line)
            if line[1] in (ENGAGE, RELEASE):
                last = _Last(line[1], line[2]["state"], digest)
        if chain.torn():
            found.append(_closing("the last line of the audit was unfinished; it may have been an engagement"))
            last = _Last(ENGAGE, "NO_ORDERS", "")
        return found, last

    def _said(self, scope: str) -> TradingState:
        """Return what the file of a scope says; that nothing passes where it cannot be read."""
        path = self._states / f"{scope}.json"
        try:
            return msgspec.json.decode(read_plain(path), type=TradingState)
        except FileNotFoundError:
            return TradingState(scope=scope)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return TradingState(scope=scope, state="NO_ORDERS", by=_BY, reason=f"cannot read {path.name}: {why(error)}")

    def _scopes(self) -> list[Line]:
        """Return a line for each scope that has a file but the global one, in the order in which they were set."""
        try:
            names = sorted(path.stem for path in self._states.iterdir() if _SCOPE.fullmatch(path.stem))
        except FileNotFoundError:
            return []
        except OSError as error:
            return [_closing(f"cannot read {self._states}: {why(error)}")]
        states = [msgspec.structs.replace(self._said(name), scope=name) for name in names if name != GLOBAL.text]
        lines = [_line(one, RESUME if one.state == "ACTIVE" else HALT, one.state) for one in states]
        return sorted(lines, key=lambda line: line[0])


class _Last(NamedTuple):
    """The last line of the audit that changed the state."""

    kind: str
    state: str
    digest: str


def _line(said: TradingState, kind: str, state: str) -> Line:
    """Return the line that says what a file said."""
    data = {"scope": said.scope, "state": state, "by": said.by or _BY, "reason": said.reason or "not said"}
    return (as_utc(said.since or datetime.now(UTC)), kind, data)


def _closing(why: str, at: datetime | None = None) -> Line:
    """Return an engagement in the name of the program."""
    return (as_utc(at or datetime.now(UTC)), ENGAGE, {"by": _BY, "reason": why, "state": "NO_ORDERS"})
