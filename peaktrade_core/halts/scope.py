"""Scopes, and what may be traded in them: pure values. A scope is everything, or one mode, strategy and symbol."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError

ENGAGE, REQUEST, REFUSAL, RELEASE = "engage", "request", "refusal", "release"  # what is done with the kill switch
HALT, RESUME = "halt", "resume"  # and with one scope
STATES = ("ACTIVE", "REDUCING", "HALTED", "NO_ORDERS")
_ODD = re.compile(r"[^A-Za-z0-9.]+")
_WHOLE = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+){2,}")
_LONGEST = 120
_UNKNOWN = "unknown"  # a record that does not say its strategy or symbol


class Scope(msgspec.Struct, frozen=True):
    """What a trading state is about; made by :meth:`of` and :meth:`parse`, and by nothing else.

    Attributes:
        text: ``global``, or mode, strategy and symbol as ``shadow.ma-crossover.BTC-EUR``: its one spelling.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, mode: str, strategy: str, symbol: str) -> Scope:
        """Return the scope that a session halts: its mode, strategy and symbol."""
        return cls(_spelled(".".join(part or _UNKNOWN for part in (mode, strategy, symbol))))

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Return the scope that a text means, however it is spelled: with the names or as a file name.

        Raises:
            ConfigError: it is neither ``global`` nor a mode, a strategy and a symbol.
        """
        found = _spelled(text.strip())
        if found.lower() == GLOBAL.text:
            return GLOBAL
        if not _WHOLE.fullmatch(found) or len(found) > _LONGEST:
            raise ConfigError(
                f"{text!r} is not a scope; `peaktrade risk status` lists them. "
                "Write `global`, or MODE.STRATEGY.SYMBOL as in shadow.ma_crossover.BTC/EUR"
            )
        return cls(found)


GLOBAL = Scope("global")


def find_scope(
    text: str, modes: Sequence[str], strategies: Sequence[str], symbols: Sequence[str], others: Sequence[str]
) -> Scope:
    """Return the known scope that a person means, upper and lower case aside.

    Args:
        text: as typed; modes, strategies, symbols: any combination of them is known.
        others: scopes that are known besides, as those that were halted before.

    Raises:
        ConfigError: it is not a scope; UnknownNameError: it is not a known one; lists those.
    """
    scope = Scope.parse(text)
    wanted = scope.text.lower()
    pairs = [(mode, name) for mode in modes for name in strategies]
    known = [GLOBAL, *map(Scope, others), *(Scope.of(*pair, symbol) for pair in pairs for symbol in symbols)]
    found = next((one for one in known if one.text.lower() == wanted), None)
    if found is not None:
        return found
    mode, _, rest = wanted.partition(".")
    if mode not in modes:
        raise UnknownNameError("mode of the scope", mode, modes)
    spelled = {_spelled(name).lower(): name for name in strategies}
    fitting = [name for name in spelled if rest.startswith(f"{name}.")]
    if not fitting:
        raise UnknownNameError("strategy of the scope", rest.rpartition(".")[0], strategies, "peaktrade strategies")
    symbol = rest.removeprefix(f"{max(fitting, key=len)}.").upper()
    raise UnknownNameError("symbol of the scope", symbol, symbols, "peaktrade risk status")


class TradingState(msgspec.Struct, frozen=True, kw_only=True):
    """What may be traded in a scope.

    Attributes:
        scope: its text; state: ``ACTIVE``, ``REDUCING`` (only reducing orders), ``HALTED`` (the same, latched) or
            ``NO_ORDERS``.
        by: the person or session that set it; reason: why; since: when.
        audit: hash of the line of the log behind it, empty where there is none.
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

    def __str__(self) -> str:
        return f"{self.scope} {self.state} by {self.by}: {self.reason}"

    @property
    def told(self) -> str:
        """It in words: what may be traded, by whose word and why."""
        return f"trading state {self.state} ({self.scope} by {self.by or 'nobody'}: {self.reason or 'no reason'})"

    @property
    def everywhere(self) -> bool:
        """Whether it is about everything, as the kill switch is."""
        return self.scope == GLOBAL.text

    def binds(self, scope: Scope) -> bool:
        """Whether a session of that scope obeys it: it is about everything, or about just that."""
        return self.everywhere or self.scope == scope.text

    @property
    def level(self) -> int:
        """How strict it is: 0 for ``ACTIVE``, 3 for ``NO_ORDERS``."""
        return STATES.index(self.state)


def _spelled(text: str) -> str:
    """Return the one spelling of a scope."""
    return _ODD.sub("-", text)
