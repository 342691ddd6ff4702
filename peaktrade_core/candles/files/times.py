"""A column of times as microseconds since the epoch, UTC: numbers of any unit, dates and times of day in many forms.

What proves the unit, the order of day and month and the zone is said; what nothing proves is asked for. A clock that is
put back shows an hour twice: both are real.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Dialect, Understood, offset_s, shown
from peaktrade_core.candles.files.names import MONTHS, plain

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

YEAR_9999_S = 253_402_300_799.0  # the last second that a time can have [s since epoch]
US = 1_000_000
UNITS = {"s": (1e8, 1e10, US), "ms": (1e11, 1e13, 1000), "µs": (1e14, 1e16, 1), "ns": (1e17, 9.3e18, 0.001)}
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "µs": "microseconds", "ns": "nanoseconds"}
HEAD = 1000  # rows by which the kind of a column is told
EXCEL_DAYS = (25_569.0, 73_050.0)  # 1970 to 2100, counted from 1899-12-30
_DATE = (
    r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ](?:\d{4}|\d{2})|\d{8}|\d{4}年\d{1,2}月\d{1,2}日?"
    r"|\d{1,2}\.?[- ]?\p{L}{3,}\.?[-, ]+(?:\d{4}|\d{2})|\p{L}{3,}\.?[- ]+\d{1,2}(?:st|nd|rd|th)?,?[- ]+\d{4}"
)
_TIME = r"\d{1,2}[:h]\d{2}(?:[:]\d{2}(?:[.,]\d{1,9})?)?|\d{2}\.\d{2}\.\d{2}|\d{6}|\d{4}|\d{1,2}"
_ZONE = r"Z|(?:UTC|GMT)? ?[+-]\d{2}:?\d{2}|(?:UTC|GMT)[+-]\d{1,2}|[+-]\d{2}|UTC|GMT|[A-Za-z]{2,5}"
_WHOLE = (
    rf"^(?:\p{{L}}{{2,9}}\.?,? +)??(?P<d>{_DATE})"
    rf"(?:(?:T|, ?| +|_|-)(?P<t>{_TIME})(?:[ -]?(?P<p>[AaPp]\.?[Mm]\.?))?)?(?: ?(?P<z>{_ZONE}))?$"
)
_CLOCK_ONLY = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_CLOCK = re.compile(r"(\d{1,2})(?:[:h.]?(\d{2}))?(?:[:.]?(\d{2}))?(?:[.,](\d{1,9}))?")


class Moments(NamedTuple):
    """Times of a column.

    Attributes:
        us: microseconds since the epoch, of the local clock where ``naive``.
        naive: whether nothing in the column says which zone.
        how: what they are, in words.
    """

    us: NDArray[np.int64]
    naive: bool
    how: str


def is_number(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds numbers, as such or as text, by its first rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return True
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    return bool(len(column)) and bool(
        pc.all(pc.match_substring_regex(column[:HEAD], r"^\s*\d+(?:[.,]\d*)?(?:[eE][+]?\d+)?\s*$")).as_py()
    )


def is_moment(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds times as such or written out, dates or times of day."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not pa.types.is_string(column.type) or not len(column):
        return False
    texts = pc.utf8_trim_whitespace(column)
    digits = pc.all(pc.match_substring_regex(texts, r"^(?:19|20)\d{6}(?:\d{4}|\d{6})?$")).as_py()
    written = rf"(?:{_WHOLE[1:-1].replace('(?P<', '(?P<x')})|{_CLOCK_ONLY}"
    return bool(digits) or (
        not pc.all(pc.match_substring_regex(texts, r"^[-+]?\d*[.,]?\d*(?:[eE][+-]?\d+)?$")).as_py()
        and bool(pc.all(pc.match_substring_regex(texts, rf"^(?:{written})$")).as_py())
    )


def is_clock(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds times of day without a date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.types.is_string(column.type) and bool(
        pc.all(pc.match_substring_regex(column[:HEAD], rf"^\s*(?:{_CLOCK_ONLY})\s*$")).as_py()
    )


def is_rising(column: pa.ChunkedArray, dialect: Dialect) -> bool:
    """Return whether the last time of a column is not before its first; true where that cannot be told."""
    ends = column.take([0, len(column) - 1]) if len(column) else column
    try:
        us = moments_of(ends, "", dialect, Understood("")).us
    except DataError:
        return True
    return not len(us) or bool(us[-1] >= us[0])


def moments_of(column: pa.ChunkedArray, name: str, dialect: Dialect, understood: Understood) -> Moments:
    """Return the times of a column, whatever form they have.

    Args:
        column: no cell of it is null; name: its own; dialect: what was told; understood: takes questions and proofs.

    Raises:
        DataError: a cell is not a time, or one outside the years 1970 to 9999.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        tz = getattr(kind, "tz", None)
        micros = pc.cast(pc.cast(column, pa.timestamp("us", tz=tz), safe=False), pa.int64())
        us = np.asarray(np.from_dlpack(micros.combine_chunks()), dtype=np.int64)
        found = Moments(us, tz is None, f"{kind}")
    elif is_number(column):
        found = _of_numbers(column, name, dialect, understood)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = _of_text(pc.utf8_trim_whitespace(column), name, dialect, understood)
    else:
        raise DataError(f"{understood.source}: column {shown(name)} has the wrong type: it holds {kind}, not times")
    outside = np.flatnonzero((found.us < 0) | (found.us > YEAR_9999_S * US))
    if len(outside):
        raise DataError(f"{understood.source}, row {outside[0] + 1}: its time lies outside the years 1970 to 9999")
    return found


def _of_numbers(column: pa.ChunkedArray, name: str, dialect: Dialect, understood: Understood) -> Moments:
    """Return times that are counted: since the epoch in some unit, in days as Excel does, or dates of eight digits."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    where = f"{understood.source}: column {shown(name)}"
    try:
        kind = pa.float64() if pa.types.is_floating(column.type) else pa.int64()
        values = np.asarray(pc.cast(column, kind).to_numpy())
    except pa.ArrowException:
        values = _of_decimals(column, where)
    if _is_dates(values):
        digits = pa.chunked_array([pa.array(values.astype(np.int64)).cast(pa.string())])
        return _of_text(digits, name, dialect, understood)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if EXCEL_DAYS[0] <= low <= high < EXCEL_DAYS[1]:
        seconds = np.round((values - EXCEL_DAYS[0]) * 86_400)
        return Moments(seconds.astype(np.int64) * US, True, "days as Excel counts them")
    us, units = np.zeros(len(values), dtype=np.int64), []
    for unit, (least, most, factor) in UNITS.items():
        rows = (values >= least) & (values < most)
        if rows.any():
            units.append(unit)
            us[rows] = _micros(values[rows], factor)
    if not us.all():
        row = int(np.flatnonzero(us == 0)[0])
        raise DataError(
            f"{where}, row {row + 1}: {shown(column[row].as_py())} is not a time since the epoch in seconds, milli-, micro- or "
            "nanoseconds after 1973"
        )
    words = " and ".join(UNIT_WORDS[unit] for unit in units)
    if len(units) > 1:
        understood.notes.append(f"times are counted in {words}: each value fits one of them only")
    return Moments(us, False, f"{words} since the epoch")


def _of_decimals(column: pa.ChunkedArray, where: str) -> NDArray[Any]:
    """Return text that is no whole numbers as numbers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(pc.replace_substring(column.cast(pa.string()), ",", "."))
    if pc.any(pc.match_substring_regex(texts, "[eE]")).as_py():
        first = shown(texts[0].as_py())
        raise DataError(f"{where} holds rounded times ({first}): a spreadsheet cut their digits off; export again")
    try:
        return np.asarray(pc.cast(texts, pa.float64()).to_numpy())
    except pa.ArrowException:
        raise DataError(f"{where} holds numbers and other things; times are one or the other") from None


def _micros(values: NDArray[Any], factor: float) -> NDArray[np.int64]:
    """Return counts as microseconds, whole numbers exactly."""
    import numpy as np

    if values.dtype.kind in "iu":
        return np.asarray(values * int(factor) if factor >= 1 else values // round(1 / factor), dtype=np.int64)
    return np.asarray(np.round(values * factor), dtype=np.int64)


def _is_dates(values: NDArray[Any]) -> bool:
    """Return whether numbers are dates (20171217) or moments (20171217093000) of digits."""
    import numpy as np

    if not len(values) or not np.isfinite(values).all() or (values != np.floor(values)).any():
        return False
    low, high = float(values.min()), float(values.max())
    for digits in (8, 12, 14):
        scale = 10.0 ** (digits - 8)
        if 19700101 * scale <= low <= high <= 21001231.999999 * scale:
            month, day = values // scale // 100 % 100, values // scale % 100
            return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())
    return False


def _of_text(texts: pa.ChunkedArray, name: str, dialect: Dialect, understood: Understood) -> Moments:
    """Return times that are written out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for tz in ("UTC", None):
        try:
            if dialect.dates not in (None, "ymd"):
                break
            micros = pc.cast(pc.cast(texts, pa.timestamp("us", tz=tz)), pa.int64())
        except pa.ArrowException:
            continue
        us = np.asarray(np.from_dlpack(micros.combine_chunks()), dtype=np.int64)
        return Moments(us, tz is None, "dates and times with their zone" if tz else "dates and times")
    digits = pc.match_substring_regex(texts, r"^(?:\d{12}|\d{14})$")
    if pc.any(digits).as_py():
        texts = pc.replace_substring_regex(texts, r"^(\d{8})(\d{4}|\d{6})$", r"\1 \2")
    parts = pc.extract_regex(texts, _WHOLE)
    row = pc.index(pc.is_null(parts), True).as_py()
    if row >= 0:
        raise DataError(
            f"{understood.source}, row {row + 1}: {shown(texts[row].as_py())!r} in column {shown(name)} is not a time"
        )
    days = _spread(pc.struct_field(parts, "d"), lambda words: _days(words, name, dialect, understood))
    clock = pc.binary_join_element_wise(pc.struct_field(parts, "t"), pc.struct_field(parts, "p"), "")
    clocks = _spread(clock, lambda words: [_clock_us(word, understood) for word in words])
    zone = pc.struct_field(parts, "z")
    offsets = _spread(zone, lambda words: [_offset(word, understood, dialect) for word in words])
    known = np.isfinite(offsets)
    if known.any() and not known.all():
        raise DataError(f"{understood.source}: some times say their zone and others do not; get the file in one form")
    us = (days * 86_400 * US + clocks - np.nan_to_num(offsets) * US).astype(np.int64)
    return Moments(us, not known.any(), "dates and times" + (" with their zone" if known.all() else ""))


def _spread(column: pa.ChunkedArray, convert: Any) -> NDArray[np.float64]:
    """Return what a function makes of the different texts of a column, for each row."""
    import numpy as np
    import pyarrow.compute as pc

    coded = pc.dictionary_encode(column.combine_chunks())
    values = np.array(convert(coded.dictionary.to_pylist()), dtype=np.float64)
    return np.asarray(values[coded.indices.to_numpy(zero_copy_only=False)], dtype=np.float64)


def _clock_us(text: str, understood: Understood) -> float:
    """Return a time of day in microseconds; without one it is midnight."""
    if not text:
        return 0.0
    bare = re.sub(r"[ .-]*([AaPp])\.?[Mm]\.?$", "", text)
    half = text[len(bare) :].strip(" .-").lower()[:1]
    found = _CLOCK.fullmatch(bare)
    hour, minute, second = (int(found[n] or 0) for n in (1, 2, 3)) if found else (99, 0, 0)
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59 or second > 59 or not found:
        raise DataError(f"{understood.source}: {shown(text)!r} is not a time of day")
    fraction = int((found[4] or "0").ljust(6, "0")[:6])
    return float(((hour * 60 + minute) * 60 + second) * US + fraction)


def _offset(text: str, understood: Understood, dialect: Dialect) -> float:
    """Return the offset that a time says [s], NaN where it says none."""
    if not text:
        return float("nan")
    word = text.replace(" ", "")
    if word.upper() in ("Z", "UTC", "GMT") or re.search(r"\d", word):
        return float(offset_s(word) or 0)
    if dialect.zone is None:
        understood.ask("zone", f"{shown(text)} is the short name of several zones", "UTC", "America/New_York")
    return float("nan")


def _days(words: list[str], name: str, dialect: Dialect, understood: Understood) -> list[float]:
    """Return dates as days since the epoch, all in one order of year, month and day."""
    forms = [_date_parts(word) for word in words]
    last = [parts for parts, year_first in forms if not year_first and parts[0] <= 99 and parts[1] <= 99]
    order = dialect.dates
    if any(year_first for _, year_first in forms):
        order = order or "ymd"
    elif order is None and last:
        day_first, month_first = any(a > 12 for a, _, _ in last), any(b > 12 for _, b, _ in last)
        short = all(c < 100 for _, _, c in last)
        example = shown(words[0])
        if day_first and month_first and not short:
            raise DataError(
                f"{understood.source}: dates are day first and month first in one column; get the file again"
            )
        if day_first != month_first and not short:
            order = "dmy" if day_first else "mdy"
            proof = next(w for w, ((a, b, _), _) in zip(words, forms, strict=True) if max(a, b) > 12)
            said = f"{'day' if day_first else 'month'} first ({shown(proof)} cannot be read otherwise)"
            understood.says["dates"] = said
        else:
            ways = ("dmy", "mdy", "ymd") if short else ("dmy", "mdy")
            understood.ask("dates", f"{example} in column {shown(name)} can be day first or month first", *ways)
            order = "dmy"
    if order and last:
        understood.dialect["dates"] = order
    return [
        _day(word, parts, order or "dmy", year_first, understood)
        for word, (parts, year_first) in zip(words, forms, strict=True)
    ]


def _date_parts(word: str) -> tuple[tuple[int, int, int], bool]:
    """Return the three figures of a date as they stand, and whether the year is first by its digits or a named month."""
    if re.fullmatch(r"\d{8}", word):
        return (int(word[:4]), int(word[4:6]), int(word[6:])), True
    named = re.search(r"[^\W\d_]{3,}", word)
    figures = [int(figure) for figure in re.findall(r"\d+", word)]
    if named and not word[0:4].isdigit():
        month = MONTHS.get(plain(named[0]), 0)
        year = figures[1] + (2000 if figures[1] < 100 else 0)
        return (year, month, figures[0]), True
    a, b, c = figures
    return (a, b, c), len(re.split(r"\D", word)[0]) == 4


def _day(word: str, parts: tuple[int, int, int], order: str, year_first: bool, understood: Understood) -> float:
    """Return a date as days since the epoch."""
    a, b, c = parts
    year, month, day = (a, b, c) if year_first or order == "ymd" else (c, b, a) if order == "dmy" else (c, a, b)
    try:
        return float(date(year + (2000 if year < 100 and not year_first else 0), month, day).toordinal() - 719_163)
    except ValueError:
        raise DataError(f"{understood.source}: {shown(word)!r} is not a date") from None
