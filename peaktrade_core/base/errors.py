"""Every error peaktrade raises, in one tree. A business outcome (an order denied, a check failed) is a value, no error.

::

    PeaktradeError
    ├── ConfigError               a setting, parameter or option is wrong
    │   ├── UnknownNameError      a strategy, symbol, runbook ... that does not exist
    │   └── TierNotAllowedError   a strategy that has not come through research, where only core and aux may run
    ├── DataError                 candles that cannot be true, or cannot be read
    ├── ArtefactError             a record, journal or report that cannot be read or written
    ├── ApprovalError             somebody may not approve this, or it was refused, has expired, was used
    │   └── WaitsForApproval      somebody must still sign
    ├── SessionNotFoundError      no record with that id
    ├── LiveModeNotAllowedError   somebody asked for live trading
    ├── StrategyError             a strategy raised or returned something that is no signal
    ├── NotebookError             a notebook could not be executed, or a cell failed
    │   └── StepOpenError         a runbook's earlier question has no answer yet
    ├── EnvironmentFault          a tool, port or directory that the machine does not provide
    │   └── AccountUnavailable    the account that sessions share cannot be read, written or locked
    └── ExchangeError             the venue or the way to it
        ├── ExchangeNetworkError          no answer, or the venue is down
        │   └── OrderOutcomeUnknownError  an order was sent; nobody knows whether it arrived: the session halts
        ├── ExchangeRateLimitError        we ask too often
        ├── ExchangeAuthenticationError   the venue refuses our key: the session halts at once
        ├── ExchangeOrderError            the venue refuses an order
        │   └── InsufficientFunds         not enough balance for it
        ├── ExchangeAPIError              an unknown symbol, a wrong request, an answer that makes no sense
        └── ForbiddenRequestError         a request to another host, or a real order: not sent, the session halts

Each carries the exit code that the command line ends with. Messages say what was wrong, where, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "nothing",
    "object": "a table", "array": "a list", "datetime": "a time",
}  # fmt: skip


LATEST = "latest"  # stands for the newest where an id is asked for


class PeaktradeError(Exception):
    """Base of all errors that peaktrade raises on purpose."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows in the place of a traceback: the sentence, which says what to do."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(PeaktradeError, ValueError):
    """A setting, parameter or option is missing, of the wrong type or out of range."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A name that does not exist; lists those that do, or where the newest is asked for and there is none, says that.

    Args (of the constructor):
        hint: the command that lists them; begin: the one that makes the first.
    """

    def __init__(self, kind: str, name: str, known: Sequence[str], hint: str = "", begin: str = "") -> None:
        told = [f"unknown {kind} {name!r}", f"known: {', '.join(known)}" if known else "known: none"]
        told += [f"`{hint}` lists them"] if hint else []
        if name == LATEST and not known:
            told = [f"there is no {kind} yet: `{begin}`" if begin else f"there is no {kind} yet"]
        super().__init__("; ".join(told))
        self.kind, self.name, self.known = kind, name, tuple(known)


class TierNotAllowedError(ConfigError):
    """A strategy of tier ``r_and_d`` or ``legacy`` where only ``core`` and ``aux`` may run."""

    def __init__(self, strategy: str, tier: str) -> None:
        super().__init__(
            f"strategy {strategy!r} is {tier}: it may be researched (backtest, sweep), drilled and rehearsed "
            f"(`peaktrade session run --rehearsal`), and nothing of it counts; sessions, fleet, portfolios and forward "
            f"signals take core and aux. `peaktrade strategies promote {strategy} --to aux` says what is missing"
        )


class DataError(PeaktradeError):
    """Candles that cannot be true, or a file of candles that cannot be read."""

    exit_code = 3


class ArtefactError(PeaktradeError):
    """A record, journal or report that cannot be read or written."""

    exit_code = 4


class ApprovalError(PeaktradeError):
    """Somebody may not approve this, or the request for it was refused, has expired, or was used."""

    exit_code = 9


class WaitsForApproval(ApprovalError):
    """Nothing was done yet: somebody must still sign.

    Attributes:
        request: the id of the request that waits.
    """

    def __init__(self, told: str, request: str) -> None:
        super().__init__(told)
        self.request = request


class SessionNotFoundError(PeaktradeError):
    """No record has that session id."""

    exit_code = 4


class LiveModeNotAllowedError(PeaktradeError):
    """Somebody asked for live trading, which peaktrade never does."""

    exit_code = 5

    def __init__(self) -> None:
        super().__init__(
            "live mode is locked by design: peaktrade trades in shadow and testnet mode only and has no code that "
            "could send an order to a production venue; use --mode shadow or --mode testnet"
        )


class StrategyError(PeaktradeError):
    """A strategy raised, or returned something that is no signal."""


class NotebookError(PeaktradeError):
    """A notebook could not be executed, or one of its cells failed."""

    exit_code = 6


class StepOpenError(NotebookError):
    """A runbook cannot go on: a question before this step has no answer yet."""


class EnvironmentFault(PeaktradeError):
    """The machine does not provide what is needed: a tool, a port, a writable directory, disk space."""

    exit_code = 7


class AccountUnavailable(EnvironmentFault):
    """The account that sessions share cannot be read, written or locked: no order may be opened."""


class ExchangeError(PeaktradeError):
    """The venue, or the way to it.

    Attributes:
        retryable: whether asking again later can help.
        latches: whether the session's scope stays halted until a named person resumes it.
    """

    exit_code = 8
    retryable = False
    latches = False


class ExchangeNetworkError(ExchangeError):
    """No answer in time, a broken connection, or the venue is down."""

    retryable = True


class OrderOutcomeUnknownError(ExchangeNetworkError):
    """An order was sent and nobody can say whether the venue took it."""

    retryable = False
    latches = True


class ExchangeRateLimitError(ExchangeError):
    """The venue says that we ask too often."""

    retryable = True


class ExchangeAuthenticationError(ExchangeError):
    """The venue refuses our key, signature or nonce."""

    latches = True


class ExchangeOrderError(ExchangeError):
    """The venue refuses an order."""


class InsufficientFunds(ExchangeOrderError):
    """The balance does not cover the order."""


class ExchangeAPIError(ExchangeError):
    """An unknown symbol, a wrong request, or an answer that makes no sense."""


class ForbiddenRequestError(ExchangeError):
    """A request to a host that it may not go to, or an order that would have been a real one; it was not sent."""

    latches = True


def machine_fault(error: OSError | MemoryError) -> EnvironmentFault:
    """Return what the operating system refused as a sentence: what, of which file, and what to look at."""
    if isinstance(error, MemoryError):
        return EnvironmentFault("the machine has not enough memory for this; end something else, or ask for less")
    named = [_shortened(str(name)) for name in (error.filename, error.filename2) if name is not None]
    what = f"{' → '.join(named)}: {error.strerror or error}" if named else str(error.strerror or error)
    return EnvironmentFault(f"{what}; check the name, the permissions and the free space")


def _shortened(name: str) -> str:
    """Return a path that is not longer than a sentence bears."""
    return name if len(name) <= 120 else f"{name[:60]}…{name[-40:]}"


def why(error: BaseException) -> str:
    """Return in a few words of ours why a file or a document could not be read, whichever library says it.

    ``Expected `str`, got `int` - at `$.state` `` is ``state must be a text, not a whole number``.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, RecursionError):
        return "lists or tables lie too deep in each other"
    if isinstance(error, UnicodeDecodeError):
        return f"byte 0x{error.object[error.start]:02x} is not UTF-8"
    said, _, place = str(error).partition(" - at `")
    if found := re.fullmatch(r"Expected `([^`]+)`(.*?)(?:, got `([^`]+)`)?", said):
        said = f"must be {_kinds(found[1])}{found[2]}" + (f", not {_kinds(found[3])}" if found[3] else "")
    elif found := re.fullmatch(r"Object missing required field `(.+)`", said):
        said = f"has no {found[1]}"
    elif found := re.fullmatch(r"Object contains unknown field `(.+)`", said):
        said = f"has {found[1]}, which is not known"
    elif said.startswith("Invalid RFC3339"):
        said = "must be a time"
    elif said == "Input data was truncated":
        said = "it ends in the middle"
    return " ".join(filter(None, (place.strip("$.`"), said)))


def _kinds(names: str) -> str:
    """Return the names of types as a person says them."""
    return " or ".join(_WORDS.get(name, name) for name in names.split(" | "))
