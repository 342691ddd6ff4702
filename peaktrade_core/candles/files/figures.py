"""Columns of text as numbers: which sign is the decimal one, which groups thousands, and what is no number.

One style holds for all prices and volumes of a file. It is proved by a value that cannot be written so in another style:
``1.234,5``, ``0,5``, ``19650,02`` or ``1,234,567``. Where no value proves it, it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.base.arrays import array_of
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Understood, shown

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

NOTHING = ("", "nan", "null", "none", "na", "n/a", "-", "--", "#n/a", "nat")  # cells without a value
SIGNS = {".": "point", ",": "comma"}
_SPACES = r"(\d)[ '\x{2019}\x{00a0}\x{202f}\x{2009}](\d{3})"
HEAD = 1000  # rows that are looked at before the others
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9}


class Style(NamedTuple):
    """How numbers are written: the decimal sign, the sign between thousands or nothing, both as one character."""

    decimal: str = "."
    thousands: str = ""


class _Proof(NamedTuple):
    """What the values prove of a sign, each with an example or nothing."""

    seen: str
    decimal: str
    thousands: str


def style_of(columns: list[pa.ChunkedArray], told: str | None, fields: str | None, understood: Understood) -> Style:
    """Return how the numbers in columns of text are written.

    Args:
        columns: of text; told: ``point`` or ``comma``, None where the values are to say it.
        fields: what separates fields, None where nothing does.
        understood: takes what proved it, or the question.
    """
    if not told and _is_plain(columns, fields):
        return Style()
    proofs = {sign: _proof(columns, sign) for sign in SIGNS}
    point, comma = proofs["."], proofs[","]
    if told:
        style = Style(".", "," if comma.seen else "") if told == "point" else Style(",", "." if point.seen else "")
        return _say(style, "as told", understood)
    for sign, other in ((".", ","), (",", ".")):
        mine, its = proofs[sign], proofs[other]
        if mine.decimal and not mine.thousands and not its.decimal:
            grouped = other if its.seen else ""
            return _say(Style(sign, grouped), f"{shown(mine.decimal)} cannot be read otherwise", understood)
        if its.thousands and not its.decimal and not mine.thousands:
            return _say(Style(sign, other), f"{shown(its.thousands)} cannot be read otherwise", understood)
    if not point.seen and not comma.seen:
        return Style()
    if any(proof.decimal and proof.thousands for proof in proofs.values()) or (point.decimal and comma.decimal):
        raise DataError(
            f"{understood.source}: numbers are written in several ways: {shown(point.decimal or point.thousands)} and "
            f"{shown(comma.decimal or comma.thousands)}; get the file in one style"
        )
    if not comma.seen and fields not in (";", "\t"):
        return _say(Style(), "a file with other signs between its fields", understood)
    example = comma.seen or point.seen
    understood.ask(
        "decimal",
        f"{shown(example)} is {_as(example, decimal=True)} or {_as(example, decimal=False)}: no number proves the decimal sign",
        "point",
        "comma",
    )
    return Style()


def _is_plain(columns: list[pa.ChunkedArray], fields: str | None) -> bool:
    """Return whether every cell is a number with a decimal point, without looking further; the usual case."""
    import pyarrow as pa

    try:
        for column in columns:
            array_of(column)
    except pa.ArrowException:
        return False
    return fields not in (";", "\t") or bool(_proof([column[:HEAD] for column in columns], ".").decimal)


def _say(style: Style, why: str, understood: Understood) -> Style:
    grouped = f", {SIGNS[style.thousands]} between thousands" if style.thousands else ""
    if style != Style() or why == "as told":
        understood.says["numbers"] = f"decimal {SIGNS[style.decimal]}{grouped} ({why})"
    understood.dialect["decimal"] = SIGNS[style.decimal]
    return style


def _as(text: str, *, decimal: bool) -> str:
    """Return a number with one sign as it reads with that sign as the decimal one, or between thousands."""
    return text.replace(",", ".") if decimal else text.replace(",", "").replace(".", "")


def _proof(columns: list[pa.ChunkedArray], sign: str) -> _Proof:
    """Return what the values prove of a sign."""
    s, o = rf"\{sign}", rf"\{'.' if sign == ',' else ','}"
    seen = _example(columns, rf"\d{s}\d", sign)
    if not seen:
        return _Proof("", "", "")
    power = r"(?:[eE][+-]?\d+)?$"
    decimal = rf"^[+-]?(?:0|\d{{4,}}|\d{{1,3}}(?:{o}\d{{3}})+)?{s}\d+{power}|{s}(?:\d{{1,2}}|\d{{4,}}){power}"
    thousands = rf"\d{s}\d{{3}}{s}\d{{3}}|\d{s}\d{{3}}{o}\d"
    return _Proof(seen, _example(columns, decimal, sign), _example(columns, thousands, sign))


def _example(columns: list[pa.ChunkedArray], pattern: str, sign: str) -> str:
    """Return the first value that a pattern is found in, or an empty string."""
    import pyarrow.compute as pc

    for column in columns:
        if not pc.any(pc.match_substring(column, sign)).as_py():
            continue
        for part in (column[:HEAD], column):
            row = pc.index(pc.match_substring_regex(part, pattern), True).as_py()
            if row >= 0:
                return str(part[row].as_py())
    return ""


def numbers_of(
    column: pa.ChunkedArray, style: Style, name: str, source: str, *, units: bool = False
) -> NDArray[np.float64]:
    """Return a column as float64; a cell without a value is NaN.

    Args:
        column: numbers, or text in ``style``; name: of the column; source: of the file.
        units: whether K, M and B may follow a number, as in volumes.

    Raises:
        DataError: a cell holds something else; says which.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_text(column.type):
        try:
            return array_of(column)
        except pa.ArrowException:
            raise DataError(
                f"{source}: column {shown(name)} has the wrong type: it holds {column.type}, not numbers"
            ) from None
    try:
        if style == Style():
            return array_of(column)
    except pa.ArrowException:
        pass
    texts = pc.utf8_trim_whitespace(column)
    empty = pc.or_kleene(pc.is_null(texts), pc.is_in(pc.utf8_lower(texts), pa.array(NOTHING)))
    bare = texts
    if pc.any(pc.match_substring_regex(texts, r"[^0-9.,+\-]")).as_py():
        bare = pc.replace_substring_regex(texts, r"^([+-]?)[$€£¥₿]\s*", r"\1")
        bare = pc.replace_substring_regex(pc.replace_substring_regex(bare, _SPACES, r"\1\2"), _SPACES, r"\1\2")
    factor = _factor(bare) if units else None
    if factor is not None:
        bare = pc.replace_substring_regex(bare, r"\s*[kKmMbB]$", "")
    _require_form(bare, empty, style, name, source)
    if style.thousands:
        bare = pc.replace_substring(bare, style.thousands, "")
    if style.decimal == ",":
        bare = pc.replace_substring(bare, ",", ".")
    numbers = array_of(pc.if_else(empty, pa.scalar(None, pa.string()), bare))
    return numbers if factor is None else numbers * factor


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _factor(texts: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """Return what K, M and B behind numbers multiply by, None where there are none."""
    import numpy as np
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring_regex(texts, r"\d\s*[kKmMbB]$")).as_py():
        return None
    last = pc.utf8_lower(pc.utf8_slice_codeunits(texts, -1)).to_pylist()
    return np.array([_UNITS.get(sign or "", 1.0) for sign in last])


def _require_form(texts: pa.ChunkedArray, empty: pa.ChunkedArray, style: Style, name: str, source: str) -> None:
    """Refuse cells that are no number in the file's style."""
    import pyarrow.compute as pc

    d, t = rf"\{style.decimal}", rf"\{style.thousands}" if style.thousands else ""
    whole = rf"(?:\d+|\d{{1,3}}(?:{t}\d{{3}})+)" if t else r"\d+"
    form = rf"^[+-]?(?:{whole}(?:{d}\d*)?|{d}\d+)(?:[eE][+-]?\d+)?$"
    wrong = pc.invert(pc.or_kleene(pc.match_substring_regex(texts, form), empty))
    row = pc.index(wrong, True).as_py()
    if row >= 0:
        also = " in the style of the others" if style != Style() else ""
        raise DataError(
            f"{source}, row {row + 1}: {shown(texts[row].as_py())!r} in column {shown(name)} is not a number{also}"
        )
