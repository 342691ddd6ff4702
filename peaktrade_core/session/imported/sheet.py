"""A table of fills as text: one row a fill, its columns told by their names."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from peaktrade_core.base.errors import DataError, why
from peaktrade_core.base.text import one_line
from peaktrade_core.session.imported.fills import (
    ROW,
    Elsewhere,
    ForeignFill,
    ImportedPart,
    chosen,
    figure,
    in_order,
    market,
    moment,
    read_source,
    refuse_short,
)

KIND = "csv"
NAMES = {  # of each column, in small letters without blanks and underscores; the first is how we name it
    "time": ("time", "timestamp", "datetime", "date", "filledat", "executedat", "tradetime"),
    "symbol": ("symbol", "pair", "market", "instrument"),
    "side": ("side", "direction", "buysell"),
    "qty": ("qty", "quantity", "amount", "size", "filled", "volume"),
    "price": ("price", "fillprice", "averageprice", "avgprice", "rate"),
    "fee": ("fee", "fees", "commission"),
    "fee_currency": ("feecurrency", "feeasset", "commissionasset", "feecoin"),
    "fill_id": ("fillid", "tradeid", "id", "execid"),
    "order_id": ("orderid", "order", "ordertxid"),
    "asked": ("asked", "requested", "requestedprice", "decisionprice", "reference", "arrivalprice"),
    "strategy": ("strategy", "strategyname", "bot"),
}
NEEDED = ("time", "side", "qty", "price")
SIDES = {"buy": 1, "b": 1, "bid": 1, "long": 1, "sell": -1, "s": -1, "ask": -1, "short": -1}
NOT_KNOWN = "Imported from a table of fills: its signals, its risk decisions and what was denied are not in it."
NOT_ASKED = "The table names no asked price: what slippage cost is not known, and counts as none."


def read_sheet(
    path: Path,
    symbols: Sequence[str] = (),
    *,
    symbol: str = "",
    strategy: str = "",
    timeframe: str = "1m",
    short: bool = False,
) -> Elsewhere:
    """Return the fills of a table, a part for each market and strategy.

    Args:
        path: the file; symbols: only these markets.
        symbol, strategy: of a table without such a column; timeframe: of the bars that they are laid into.
        short: positions below zero are meant.

    Raises:
        DataError: it is no such table; says which column or row is wrong, and how.
    """
    data, digest = read_source(path)
    rows = _table(path, data)
    columns = _columns(path, rows[0], symbol)
    groups: dict[tuple[str, str], list[ForeignFill]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path.name}, row {number}"
        if len(row) > len(rows[0]):
            raise DataError(
                f"{where}: has {len(row)} cells where the heading has {len(rows[0])}; is a text with commas in quotes?"
            )
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
        key = cells.get("fill_id", "")
        if key and key in seen:
            raise DataError(
                f"{where}: the id {one_line(key)[:40]!r} is that of row {seen[key]}, too; a fill can only happen once"
            )
        seen.setdefault(key, number)
        of = market(cells.get("symbol") or symbol, where), one_line(cells.get("strategy") or strategy or "unknown")
        groups.setdefault(of, []).append(_fill(cells, of[0], where, number))
    parts = [_part(*of, timeframe, fills, short=short) for of, fills in sorted(groups.items())]
    return Elsewhere(KIND, path.name, digest, chosen(parts, symbols, path))


def _part(symbol: str, strategy: str, timeframe: str, rows: Sequence[ForeignFill], *, short: bool) -> ImportedPart:
    """Return the fills of one market and strategy as what becomes a session."""
    fills, notes = in_order(rows)
    if not short:
        refuse_short(symbol, fills)
    blind = (NOT_ASKED,) if any(fill.asked is None for fill in fills) else ()
    return ImportedPart(
        symbol=symbol,
        strategy=strategy,
        timeframe=timeframe,
        venue="a table of fills",
        short=short,
        fills=fills,
        notes=(NOT_KNOWN, *blind, *notes),
    )


def _table(path: Path, data: bytes) -> list[list[str]]:
    """Return the rows of a text that is UTF-8 and divided by commas, semicolons or tabs.

    Raises:
        DataError: it is none.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: holds bytes that are no UTF-8; save it as CSV in UTF-8") from None
    if "\0" in text:
        raise DataError(f"{path}: holds bytes that no text has (NUL); save it as CSV in UTF-8")
    head = text.partition("\n")[0]
    divider = max(",;\t", key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=divider))
    except csv.Error as error:
        raise DataError(f"{path}: is no table: {why(error)}") from None
    while rows and not any(cell.strip() for cell in rows[0]):
        rows.pop(0)
    if len(rows) < 2:
        raise DataError(f"{path}: holds no fill; the first row names the columns, each other is a fill")
    return rows


def _columns(path: Path, head: Sequence[str], symbol: str) -> dict[str, int]:
    """Return which column is what.

    Raises:
        DataError: one that is needed is missing, or two could be the same.
    """
    found: dict[str, int] = {}
    for at, cell in enumerate(head):
        plain = "".join(c for c in cell.casefold() if c.isalnum())
        name = next((name for name, known in NAMES.items() if plain in known), None)
        if name in found:
            raise DataError(
                f"{path}: the columns {head[found[name]]!r} and {cell!r} could both be the {name}; rename one"
            )
        if name is not None:
            found[name] = at
    needed = NEEDED if symbol else (*NEEDED, "symbol")
    if lacking := [name for name in needed if name not in found]:
        has = ", ".join(one_line(cell)[:20] for cell in head[:12])
        raise DataError(f"{path}: no column is named {', '.join(lacking)}; it has {has}")
    return found


def _fill(cells: dict[str, str], symbol: str, where: str, number: int) -> ForeignFill:
    """Return the fill in a row.

    Raises:
        DataError: a cell of it makes no sense.
    """
    side = SIDES.get(cells["side"].casefold())
    if side is None:
        raise DataError(f"{where}: side = {one_line(cells['side'])[:40]!r} must be buy or sell")
    base, _, rest = symbol.partition("/")
    paid_in, quote = cells.get("fee_currency", "").upper(), rest.partition(":")[0].upper()
    qty, price = figure(cells["qty"], "qty", where), figure(cells["price"], "price", where)
    fee = figure(cells.get("fee") or 0.0, "fee", where, zero=True)
    if paid_in and fee and paid_in not in (quote, base.upper()):
        raise DataError(
            f"{where}: the fee is in {one_line(paid_in)[:12]}, whose price in {quote} is not in the table; write it in {quote}"
        )
    return ForeignFill(
        at=moment(cells["time"], "time", where),
        qty=side * qty,
        price=price,
        fee=fee * price if paid_in and paid_in == base.upper() != quote else fee,
        order_id=one_line(cells.get("order_id") or cells.get("fill_id") or f"{ROW}{number}")[:80],
        asked=figure(cells["asked"], "asked", where) if cells.get("asked") else None,
        asked_at=None,
        where=where,
    )
