"""The database of a freqtrade dry run (SQLite): its filled orders, and its own word on what each trade brought.

Read alone is the public schema of the tables ``trades`` and ``orders``; nothing of freqtrade runs. The database is opened
for reading, so that a bot may go on with it.

Source: https://www.freqtrade.io/en/stable/sql_cheatsheet/ (tables, fee of a fill = amount x price x rate of its side).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from peaktrade_core.base.errors import DataError, why
from peaktrade_core.session.imported.fills import (
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
from peaktrade_core.trading.market import DAY_S, TIMEFRAMES, timeframe_months, timeframe_seconds

KIND = "freqtrade"
DRY = "dry_run_"  # how the id of an order begins that freqtrade did not send
_TRADES = ("id", "exchange", "pair", "fee_open", "fee_close", "open_date", "is_open", "strategy", "timeframe")
_ORDERS = ("id", "ft_trade_id", "ft_order_side", "order_id", "average", "price", "filled", "order_date")
_MORE = ("leverage", "trading_mode", "is_short", "funding_fees", "close_profit_abs", "contract_size")
_MORE_OF_ORDERS = ("order_filled_date", "order_update_date", "ft_fee_base")
NOT_KNOWN = (
    "Imported from a freqtrade dry run: its signals, its risk decisions and what it denied are not in that database."
)


def read_freqtrade(path: Path, symbols: Sequence[str] = ()) -> Elsewhere:
    """Return the fills of a dry run, a part for each pair, strategy and timeframe.

    Raises:
        DataError: no database of a dry run; says which column, trade or order is wrong.
    """
    data, digest = read_source(path)
    if not data.startswith(b"SQLite format 3\0"):
        raise DataError(f"{path}: is no SQLite database; freqtrade's is named tradesv3.dryrun.sqlite by default")
    try:
        with closing(_opened(path)) as db:
            trades, orders = (
                _rows(db, path, "trades", _TRADES, _MORE),
                _rows(db, path, "orders", _ORDERS, _MORE_OF_ORDERS),
            )
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read as a database: {why(error)}; copy it again while the bot rests"
        ) from None
    if read_source(path)[1] != digest:
        raise DataError(f"{path}: the bot wrote to it meanwhile; import a copy of it, or stop the bot")
    return Elsewhere(KIND, path.name, digest, chosen(_parts(trades, orders, symbols), symbols, path))


def _opened(path: Path) -> sqlite3.Connection:
    """Open a database for reading alone; one whose folder cannot be written as it is on the disk.

    Raises:
        DataError: trades wait in the file beside it, which cannot be read without writing.
    """
    name = f"file:{quote(str(path.resolve()))}?mode=ro"
    db = sqlite3.connect(name, uri=True)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        db.close()
        waiting = path.with_name(f"{path.name}-wal")
        if waiting.exists() and waiting.stat().st_size:
            raise DataError(
                f"{path}: its newest trades are in {waiting.name}, which cannot be read here; copy both to a folder of yours"
            ) from None
        db = sqlite3.connect(f"{name}&immutable=1", uri=True)
    db.row_factory = sqlite3.Row
    return db


def _rows(
    db: sqlite3.Connection, path: Path, table: str, needed: Sequence[str], more: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a table's rows by their id with the columns that are needed, and others that newer versions have.

    Raises:
        DataError: the table or columns of it are missing.
    """
    there = [row["name"] for row in db.execute(f"PRAGMA table_info({table})")]
    if not there:
        raise DataError(f"{path}: has no table {table!r}; is it the database of a freqtrade bot?")
    if lacking := [name for name in needed if name not in there]:
        raise DataError(
            f"{path}: the table {table!r} lacks {', '.join(lacking)}; a freqtrade before 2022 or another program wrote it"
        )
    shown = ", ".join([*needed, *(name for name in more if name in there)])
    return [dict(row) for row in db.execute(f"SELECT {shown} FROM {table} ORDER BY id")]


def _parts(
    trades: Sequence[dict[str, Any]], orders: Sequence[dict[str, Any]], symbols: Sequence[str]
) -> Iterator[ImportedPart]:
    """Yield what becomes one session each, by market, strategy and timeframe."""
    of_trade: dict[object, list[dict[str, Any]]] = {}
    for order in orders:
        of_trade.setdefault(order["ft_trade_id"], []).append(order)
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for trade in trades:
        where = f"trade {trade['id']}"
        pair = market(trade["pair"], where)
        if not symbols or pair in symbols:
            key = pair, str(trade["strategy"] or "unknown"), _timeframe(trade["timeframe"], where)
            groups.setdefault(key, []).append(trade)
    for (pair, strategy, timeframe), some in sorted(groups.items()):
        unordered = [fill for trade in some for fill in _fills(trade, of_trade.get(trade["id"], []))]
        if not unordered:
            continue
        fills, notes = in_order(unordered)
        short = any(trade.get("is_short") for trade in some)
        if not short:
            refuse_short(pair, fills)
        told = [trade.get("close_profit_abs") for trade in some if not trade["is_open"]]
        known = all(isinstance(one, (int, float)) for one in told)
        unfilled = sum(not any(_filled(order) for order in of_trade.get(trade["id"], [])) for trade in some)
        notes += (f"{unfilled} trades without a filled order were left out.",) if unfilled else ()
        yield ImportedPart(
            symbol=pair,
            strategy=strategy,
            timeframe=timeframe,
            venue=f"freqtrade dry run on {some[0]['exchange']}",
            short=short,
            fills=fills,
            told_pnl=sum(map(float, told)) if known else None,  # type: ignore[arg-type]
            notes=(NOT_KNOWN, *notes),
        )


def _filled(order: dict[str, Any]) -> bool:
    return isinstance(order["filled"], (int, float)) and order["filled"] > 0


def _fills(trade: dict[str, Any], orders: Sequence[dict[str, Any]]) -> Iterator[ForeignFill]:
    """Yield the fills of a trade.

    Raises:
        DataError: it was no spot trade of a dry run, or a figure of it makes no sense.
    """
    name = f"trade {trade['id']} ({trade['pair']})"
    leverage = figure(trade.get("leverage") or 1.0, "leverage", name)
    if leverage != 1.0:
        raise DataError(
            f"{name}: has a leverage of {leverage:g}. Its margin and funding are not in its fills, so that no figure of it "
            "could be right: choose the other markets with --symbol"
        )
    funding = trade.get("funding_fees") or 0.0
    if funding:
        raise DataError(
            f"{name}: paid or got {funding:g} of funding, which belongs to no fill: choose the other markets with --symbol"
        )
    size = figure(trade.get("contract_size") or 1.0, "contract_size", name)
    if size != 1.0:
        raise DataError(f"{name}: is of contracts of {size:g}; only spot and contracts of 1 can be imported")
    for order in filter(_filled, orders):
        where = f"order {order['id']} of {name}"
        if not str(order["order_id"] or "").startswith(DRY):
            raise DataError(
                f"{where}: its id {str(order['order_id'])[:40]!r} is a venue's: this was no dry run, and only those are imported"
            )
        side = str(order["ft_order_side"])
        buys = side == "buy" or (
            side not in ("buy", "sell") and bool(trade.get("is_short"))
        )  # a stop leaves the position
        entry = buys != bool(trade.get("is_short"))
        qty = figure(order["filled"], "filled", where)
        price = figure(order["average"] or order["price"], "average", where)
        rate = figure(trade["fee_open" if entry else "fee_close"] or 0.0, "the fee's rate", where, zero=True)
        at = order.get("order_filled_date") or order.get("order_update_date") or order["order_date"]
        yield ForeignFill(
            at=moment(at, "the time it filled", where),
            qty=qty if buys else -qty,
            price=price,
            fee=qty * price * rate,
            order_id=f"{order['ft_trade_id']}-{order['id']}",
            asked=figure(order["price"], "price", where) if order["price"] else None,
            asked_at=moment(order["order_date"], "order_date", where) if order["order_date"] else None,
            where=where,
        )


def _timeframe(minutes: object, where: str) -> str:
    """Return the timeframe that freqtrade keeps in minutes.

    Raises:
        DataError: no timeframe is so long.
    """
    wanted = figure(minutes or 1, "timeframe", where) * 60
    for name in TIMEFRAMES:
        if not timeframe_months(name) and timeframe_seconds(name) == wanted and wanted <= 28 * DAY_S:
            return name
    raise DataError(f"{where}: no bars of {minutes} minutes are known here")
