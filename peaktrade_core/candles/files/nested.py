"""Candles in JSON: lists of lists (freqtrade, ccxt, Binance), a list of objects, an object of lists, one object a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Understood, shown
from peaktrade_core.candles.files.names import is_header
from peaktrade_core.candles.files.sheet import FEWEST, MOST_COLUMNS, Sheet

if TYPE_CHECKING:
    import pyarrow as pa

DEEPEST = 4  # how far below the top the rows may stand: {"result": {"XXBTZEUR": [[...]]}}
_SHORT = {"t": "time", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}


def sheet_of_json(path: Path, data: bytes, understood: Understood) -> Sheet:
    """Return the cells of a JSON document as text.

    Raises:
        DataError: it is not JSON, or no table of candles is in it.
    """
    lines = data.strip().split(b"\n")
    found: Any = None
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        try:
            found = [msgspec.json.decode(line) for line in lines if line.strip()] if len(lines) > 1 else None
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            found = None
        if found is None:
            raise DataError(
                f"{path}: cannot be read as JSON: it is damaged or not complete; get the file again"
            ) from None
    tables = list(_tables(found, "", 0))
    if len(tables) != 1:
        names = ", ".join(shown(name) for name, _ in tables[:5])
        what = f"holds several tables ({names}); give one of them" if tables else "holds no candles: no list of rows"
        raise DataError(f"{path}: {what}")
    where, table = tables[0]
    understood.says["form"] = "JSON" + (f", {shown(where)}" if where else "")
    if isinstance(table, dict):
        columns = {_SHORT.get(key, str(key)): values for key, values in table.items() if isinstance(values, list)}
        if len({len(values) for values in columns.values()}) != 1:
            raise DataError(f"{path}: its lists are not of one length")
        return Sheet([_texts(path, values) for values in columns.values()], list(columns), named=True)
    if isinstance(table[0], dict):
        keys = list(table[0])
        rows = [[row.get(key) for key in keys] if isinstance(row, dict) else [] for row in table]
        return _rows(path, [_SHORT.get(key, key) for key in keys], rows, named=True)
    if is_header([str(cell) for cell in table[0]]):
        return _rows(path, [str(cell) for cell in table[0]], table[1:], named=True)
    return _rows(path, [str(number) for number in range(1, len(table[0]) + 1)], table, named=False)


def _rows(path: Path, names: list[str], rows: list[Any], *, named: bool) -> Sheet:
    """Return rows as columns."""
    wrong = next((n for n, row in enumerate(rows, 1) if not isinstance(row, list) or len(row) != len(names)), None)
    if wrong is not None:
        raise DataError(f"{path}, row {wrong}: has not as many values as the first row ({len(names)})")
    if not rows:
        raise DataError(f"{path}: holds no candles")
    return Sheet([_texts(path, list(column)) for column in zip(*rows, strict=True)], names, named)


def _texts(path: Path, values: list[Any]) -> pa.ChunkedArray:
    """Return values as text, numbers exactly as Python writes them."""
    import pyarrow as pa

    if any(isinstance(value, dict | list) for value in values):
        raise DataError(f"{path}: a value of a row is itself a list")
    return pa.chunked_array([pa.array(["" if value is None else str(value) for value in values], pa.string())])


def _tables(found: Any, name: str, depth: int) -> Any:
    """Yield everything in a document that has the shape of candles, with its place."""
    if isinstance(found, list) and found and isinstance(found[0], list | dict):
        width = len(found[0])
        if FEWEST <= width <= MOST_COLUMNS and not any(isinstance(x, list | dict) for x in _values(found[0])):
            yield name, found
            return
    if isinstance(found, dict) and depth < DEEPEST:
        lists = [
            key
            for key, value in found.items()
            if isinstance(value, list) and value and not isinstance(value[0], list | dict)
        ]
        if len(lists) >= FEWEST and is_header([_SHORT.get(key, key) for key in lists]):
            yield name, {key: found[key] for key in lists}
            return
        for key, value in found.items():
            yield from _tables(value, f"{name}.{key}" if name else key, depth + 1)
    elif isinstance(found, list) and depth < DEEPEST and len(found) <= 5:
        for number, value in enumerate(found):
            yield from _tables(value, f"{name}[{number}]", depth + 1)


def _values(row: Any) -> list[Any]:
    return list(row.values()) if isinstance(row, dict) else list(row)
