"""What is read from elsewhere: fills, sorted into one part a market and strategy, each checked before anything is kept.

A fill is what happened. Signals, risk decisions and what was denied there are not in such files, and are not made up.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from peaktrade_core.base.clock import EPOCH, as_utc
from peaktrade_core.base.errors import DataError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.base.text import one_line
from peaktrade_core.trading.market import LARGEST_PRICE, LEAST

MOST_BYTES = 1 << 30
NOISE = 1e-9  # of a position that is only the rounding of what was bought and sold [fraction]
ROW = "row-"  # how the id of an order begins where the table has none
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_SYMBOL = re.compile(r"[A-Za-z0-9.]+/[A-Za-z0-9.]+(:[A-Za-z0-9.]+)?")


class ForeignFill(NamedTuple):
    """One execution elsewhere.

    Attributes:
        at: aware UTC; qty: signed [base units]; price: [quote ccy]; fee: never negative [quote ccy].
        asked: the price that the order asked for, None where nobody knows [quote ccy].
        asked_at: when it was placed, None likewise.
        where: in the file, for messages: ``row 3``, ``order 12 of trade 5``.
    """

    at: datetime
    qty: float
    price: float
    fee: float
    order_id: str
    asked: float | None
    asked_at: datetime | None
    where: str


class ImportedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes one session: the fills of one strategy on one market, oldest first.

    Attributes:
        venue: where it ran, in words; short: whether it may have been short.
        told_pnl: what the other program says that the closed trades brought, net of fees [quote ccy], None where it does not.
        notes: what was found, and what is not known, in sentences.
    """

    symbol: str
    strategy: str
    timeframe: str
    venue: str
    short: bool
    fills: tuple[ForeignFill, ...]
    told_pnl: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def held(self) -> float:
        """What is still held after the last fill, signed; what is only rounding is nothing [base units]."""
        return held_after(self.fills)


class Elsewhere(NamedTuple):
    """A file of fills: what kind, its name, the SHA-256 of its bytes, and its parts by market and strategy."""

    kind: str
    name: str
    sha256: str
    parts: list[ImportedPart]


def read_source(path: Path) -> tuple[bytes, str]:
    """Return what a file holds, and its SHA-256.

    Raises:
        DataError: it is not there, no plain file, empty, too large, or cannot be read.
    """
    try:
        data = read_plain(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder; give the file in it") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {why(error)}") from None
    if not data:
        raise DataError(f"{path}: is empty")
    return data, hashlib.sha256(data).hexdigest()


def held_after(fills: Iterable[ForeignFill]) -> float:
    """Return the position after fills, 0 where only rounding is left [base units]."""
    held = traded = 0.0
    for fill in fills:
        held, traded = held + fill.qty, max(traded, abs(held), abs(held + fill.qty))
    return 0.0 if abs(held) <= NOISE * traded else held


def figure(value: object, name: str, where: str, *, zero: bool = False) -> float:
    """Return a positive number (or 0 where that may be).

    Raises:
        DataError: it is none; says which and where.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            value = one_line(text)[:40]
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number < 0.0 or (number == 0.0 and not zero):
        raise DataError(f"{where}: {name} = {value!r} must be a {'' if zero else 'positive '}number")
    if number and not LEAST <= number <= LARGEST_PRICE:
        raise DataError(f"{where}: {name} = {number:g} must lie between {LEAST:g} and {LARGEST_PRICE:g}")
    return number


def moment(value: object, name: str, where: str) -> datetime:
    """Return a time: ISO 8601 (without a zone it is UTC), or seconds or milliseconds since 1970.

    Raises:
        DataError: it is none.
    """
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
            seconds = float(text)
            found = EPOCH + timedelta(seconds=seconds / 1e3 if seconds >= 1e11 else seconds)
        else:
            found = as_utc(datetime.fromisoformat(text))
        if not EPOCH <= found < _LATEST:
            raise ValueError(found)
        return found
    except (ValueError, OverflowError):
        shown = one_line(text)[:40]
        raise DataError(
            f"{where}: {name} = {shown!r} is not a time since 1970; write 2026-01-05T08:00:00+00:00, or seconds since 1970"
        ) from None


def market(text: object, where: str) -> str:
    """Return a symbol as it is written here.

    Raises:
        DataError: it names no base and quote.
    """
    symbol = str(text or "").strip()
    if not _SYMBOL.fullmatch(symbol):
        shown = one_line(symbol)[:40]
        raise DataError(f"{where}: the market {shown!r} must be written BASE/QUOTE, for example BTC/USDT")
    return symbol


def in_order(fills: Sequence[ForeignFill]) -> tuple[tuple[ForeignFill, ...], tuple[str, ...]]:
    """Return fills by time, those of one moment as they stand, and a note where they stood otherwise."""
    late = sum(b.at < a.at for a, b in pairwise(fills))
    note = (f"{late:,} rows stood before rows of an earlier time; the fills were sorted.",) if late else ()
    return tuple(sorted(fills, key=lambda fill: fill.at)), note


def refuse_short(symbol: str, fills: Iterable[ForeignFill]) -> None:
    """Refuse fills that sell more than was bought before.

    Raises:
        DataError: says at which of them.
    """
    held = most = 0.0
    for fill in fills:
        held += fill.qty
        most = max(most, held)
        if held < -NOISE * most:
            raise DataError(
                f"{fill.where}: sells {-fill.qty:g} of {symbol} where {held - fill.qty:g} was held. The file begins after "
                "the position was opened, fills are missing, or it was a short position: then say --short"
            )


def chosen(parts: Iterable[ImportedPart], symbols: Sequence[str], path: Path) -> list[ImportedPart]:
    """Return the parts of some markets, all where none is named.

    Raises:
        DataError: a market that is named is not in the file, or nothing is in it at all.
    """
    found = list(parts)
    there = sorted({part.symbol for part in found})
    for symbol in symbols:
        if symbol not in there:
            raise DataError(f"{path}: holds no fills of {symbol}, but of {', '.join(there[:12]) or 'nothing'}")
    if not found:
        raise DataError(f"{path}: holds no fill, so there is nothing to import")
    return [part for part in found if not symbols or part.symbol in symbols]
