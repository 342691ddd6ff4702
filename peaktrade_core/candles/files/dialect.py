"""How a file of candles writes things: the parts that can be told by hand, and what was understood of a file.

Each part is found in the file or told. Where a file can be read in two ways nothing is chosen: the part becomes an open
question that names what decides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.text import inert

ROLES = ("time", "open", "high", "low", "close", "volume")
MOST_SHOWN = 40  # characters of foreign text in a sentence
NONE = "none"
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.I)


class DialectPart(NamedTuple):
    """A part of a dialect.

    Attributes:
        shape: how its value is written; help: what it is; choices: the values it may have, none where others are checked.
    """

    shape: str
    help: str
    choices: tuple[str, ...] = ()


PARTS = {
    "encoding": DialectPart("NAME", "Of the text: utf-8, utf-16, cp1252 ..."),
    "delimiter": DialectPart("CHAR", "Between fields: , ; | tab or space.", (",", ";", "|", "tab", "space")),
    "header": DialectPart("yes|no", "Whether the first row names the columns.", ("yes", "no")),
    "columns": DialectPart(
        "ROLE=COLUMN,...", "Which column is time, open, high, low, close, volume: name or number from 1."
    ),
    "dates": DialectPart("ymd|dmy|mdy", "Order of year, month and day.", ("ymd", "dmy", "mdy")),
    "zone": DialectPart("ZONE", "Of times without one: UTC, +02:00, Europe/Berlin ..."),
    "doubled": DialectPart("first|second", "An hour that a clock shows twice but the file once.", ("first", "second")),
    "decimal": DialectPart("point|comma", "The decimal sign; the other one then groups thousands.", ("point", "comma")),
    "order": DialectPart("sort", "Sort rows that are not in the order of time.", ("sort",)),
    "impossible": DialectPart("leave-out", "Leave out rows that cannot be true; they become gaps.", ("leave-out",)),
}


class Dialect(msgspec.Struct, frozen=True):
    """The parts that were told, by name as in :data:`PARTS`; None where the file is to say it."""

    encoding: str | None = None
    delimiter: str | None = None
    header: str | None = None
    columns: str | None = None
    dates: str | None = None
    zone: str | None = None
    doubled: str | None = None
    decimal: str | None = None
    order: str | None = None
    impossible: str | None = None

    def __post_init__(self) -> None:
        for name, part in PARTS.items():
            value = getattr(self, name)
            if value is not None and part.choices and value not in part.choices:
                raise ConfigError(f"{name} = {value!r} is not known; known: {', '.join(part.choices)}")
        if self.encoding is not None:
            _require_encoding(self.encoding)
        if self.zone is not None:
            offset_s(self.zone)
        self.picked()

    @classmethod
    def of(cls, given: Iterable[str]) -> Dialect:
        """Return the dialect that ``PART=VALUE`` texts tell.

        Raises:
            ConfigError: a text has another form, or a part or value that is not known.
        """
        parts: dict[str, str] = {}
        for text in given:
            name, sign, value = text.partition("=")
            if not sign:
                raise ConfigError(f"dialect {text!r} must be written PART=VALUE, for example zone=Europe/Berlin")
            if name.strip() not in PARTS:
                raise UnknownNameError("part of a dialect", name.strip(), tuple(PARTS))
            parts[name.strip()] = value.strip() or value
        return cls(**parts)

    def told(self) -> tuple[str, ...]:
        """Return the parts that were told as ``PART=VALUE``, which :meth:`of` takes."""
        return tuple(f"{name}={getattr(self, name)}" for name in PARTS if getattr(self, name) is not None)

    def picked(self) -> dict[str, str]:
        """Return the columns that were told, by role.

        Raises:
            ConfigError: of another form, or an unknown role.
        """
        found: dict[str, str] = {}
        for text in (self.columns or "").split(","):
            role, sign, column = (piece.strip() for piece in text.partition("="))
            if not text.strip():
                continue
            if not sign or not column or role not in ROLES:
                raise ConfigError(
                    f"columns = {text.strip()!r} must be written ROLE=COLUMN; roles: {', '.join(ROLES)}; for example "
                    "time=Date,close=5"
                )
            found[role] = column
        return found


def _require_encoding(name: str) -> None:
    """Refuse an encoding that Python does not know or that is none of text."""
    try:
        "a".encode(name).decode(name)
    except (LookupError, UnicodeError, AttributeError, ValueError, TypeError):
        raise ConfigError(f"encoding {name!r} is not known; write utf-8, utf-16, cp1252 or latin-1") from None


def offset_s(zone: str) -> int | None:
    """Return the offset of a zone that has one [s], None for one whose clock is put forward and back.

    Raises:
        ConfigError: there is no such zone.
    """
    if zone.upper() in ("UTC", "GMT", "Z", "ETC/UTC"):
        return 0
    found = _OFFSET.fullmatch(zone)
    if found:
        seconds = int(found[2]) * 3600 + int(found[3] or 0) * 60
        if seconds <= 15 * 3600:
            return -seconds if found[1] == "-" else seconds
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, LookupError):  # unknown; a path; not a file of zones
        raise ConfigError(
            f"zone {zone!r} is not known; write UTC, +02:00 or a place, for example Europe/Berlin"
        ) from None
    return None


class OpenQuestion(msgspec.Struct, frozen=True):
    """What a file leaves open.

    Attributes:
        part: of the dialect, or ``symbol`` or ``timeframe``; why: what can be read in two ways; ways: values that decide.
    """

    part: str
    why: str
    ways: tuple[str, ...]


class LeftOut(msgspec.Struct, frozen=True):
    """Rows or lines that are no candles: how many, what they are, and where the first is."""

    count: int
    what: str
    first: str


class Understood(msgspec.Struct):
    """What was understood of a file, gathered while it is read.

    Attributes:
        source: its name; symbol: the market it says it is of, or that was asked for; timeframe: of its bars.
        columns: name of the column of each role; ignored: the other columns.
        says: each thing that was found and what proves it; dialect: the parts that tell the same by hand.
        rows: rows of data in the file; bars: candles taken; missing: bars that are not there between the first and the last.
        first, last: these two, the open as ISO 8601, then prices and volume.
        written: where the candles were written, null where they were not.
        left_out: what is not taken, with the reason; notes: what to look at; questions: what is open.
    """

    source: str
    symbol: str | None = None
    timeframe: str | None = None
    columns: dict[str, str] = {}
    ignored: list[str] = []
    says: dict[str, str] = {}
    dialect: dict[str, str] = {}
    rows: int = 0
    bars: int = 0
    missing: int = 0
    first: list[str | float] = []
    last: list[str | float] = []
    written: str | None = None
    left_out: list[LeftOut] = []
    notes: list[str] = []
    questions: list[OpenQuestion] = []

    def ask(self, part: str, why: str, *ways: str) -> None:
        """Add an open question, once for each part but the columns."""
        if part != "columns" and any(one.part == part for one in self.questions):
            return
        self.questions.append(OpenQuestion(part, why, ways))

    def leave_out(self, count: int, what: str, first: str = "") -> None:
        """Add what is not taken, if it is anything."""
        if count:
            self.left_out.append(LeftOut(count, what, first))

    def require_answers(self) -> None:
        """End here where something is open.

        Raises:
            UndecidedError: it is; carries what was understood so far.
        """
        if self.questions:
            raise UndecidedError(self)


class UndecidedError(ConfigError):
    """A file of candles can be read in two ways; ``understood`` holds the questions."""

    def __init__(self, understood: Understood) -> None:
        said = "; ".join(
            f"{one.why}: {' or '.join(flag(one.part, way) for way in one.ways)}" for one in understood.questions
        )
        super().__init__(
            f"{understood.source} can be read in more than one way. {said}. `peaktrade data import` shows how it is read"
        )
        self.understood = understood


def flag(part: str, value: str) -> str:
    """Return how a part is told to a session: ``--dialect zone=UTC``."""
    return f"--{part} {value}" if part in ("symbol", "timeframe") else f"--dialect {part}={value}"


def shown(text: Any) -> str:
    """Return foreign text as a sentence may quote it: inert and short."""
    written = inert(str(text)).replace("\n", " ").replace("\t", " ")
    return written if len(written) <= MOST_SHOWN else f"{written[: MOST_SHOWN - 1]}…"
