"""A freqtrade database as its public schema describes it, made by our own code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

TRADES = {
    "id": "INTEGER PRIMARY KEY", "exchange": "VARCHAR(25)", "pair": "VARCHAR(25)", "base_currency": "VARCHAR(25)",
    "stake_currency": "VARCHAR(25)", "is_open": "BOOLEAN", "fee_open": "FLOAT", "fee_close": "FLOAT", "open_rate": "FLOAT",
    "close_rate": "FLOAT", "close_profit_abs": "FLOAT", "amount": "FLOAT", "open_date": "DATETIME", "close_date": "DATETIME",
    "strategy": "VARCHAR(100)", "timeframe": "INTEGER", "trading_mode": "VARCHAR(7)", "leverage": "FLOAT",
    "is_short": "BOOLEAN", "funding_fees": "FLOAT", "contract_size": "FLOAT",
}  # fmt: skip
ORDERS = {
    "id": "INTEGER PRIMARY KEY", "ft_trade_id": "INTEGER", "ft_order_side": "VARCHAR(25)", "order_id": "VARCHAR(255)",
    "status": "VARCHAR(255)", "price": "FLOAT", "average": "FLOAT", "amount": "FLOAT", "filled": "FLOAT",
    "order_date": "DATETIME", "order_filled_date": "DATETIME", "ft_fee_base": "FLOAT",
}  # fmt: skip
BEGAN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
FEE = 0.001


def trade(
    number: int = 1, pair: str = "BTC/USDT", *, after: int = 0, held: int | None = 30, **over: Any
) -> dict[str, Any]:
    """Return a trade of 0.002 that was bought at 50,000 and, unless ``held`` [minutes] is None, sold at 50,500."""
    opened = BEGAN + timedelta(minutes=after)
    closed = None if held is None else opened + timedelta(minutes=held)
    profit = None if closed is None else 0.002 * (50_500 * (1 - FEE) - 50_000 * (1 + FEE))
    base, quote = pair.split("/") if "/" in pair else (pair, "")
    row = dict(  # noqa: C408 - names of columns
        id=number, exchange="binance", pair=pair, base_currency=base, stake_currency=quote, is_open=closed is None,
        fee_open=FEE, fee_close=FEE, open_rate=50_000.0, close_rate=None if closed is None else 50_500.0,
        close_profit_abs=profit, amount=0.002, open_date=_text(opened), close_date=_text(closed), strategy="SampleStrategy",
        timeframe=5, trading_mode="SPOT", leverage=1.0, is_short=0, funding_fees=0.0, contract_size=1.0,
    )  # fmt: skip
    return {**row, **over}


def orders_of(row: dict[str, Any], **over: Any) -> list[dict[str, Any]]:
    """Return the orders of a trade: a minute after it was asked for a little less, each filled."""
    sides = [("buy", row["open_rate"], row["open_date"])]
    sides += [("sell", row["close_rate"], row["close_date"])] if row["close_date"] else []
    found = []
    for n, (side, price, at) in enumerate(sides):
        placed = datetime.fromisoformat(at) - timedelta(seconds=20)
        found.append(dict(  # noqa: C408
            id=10 * row["id"] + n, ft_trade_id=row["id"], ft_order_side=side, order_id=f"dry_run_{side}_{row['pair']}_{n}",
            status="closed", price=price * (0.9999 if side == "buy" else 1.0001), average=price, amount=row["amount"],
            filled=row["amount"], order_date=placed.isoformat(" "), order_filled_date=at, ft_fee_base=None,
        ) | over)  # fmt: skip
    return found


def database(
    path: Path, trades: list[dict[str, Any]], orders: list[dict[str, Any]] | None = None, without: tuple[str, ...] = ()
) -> Path:
    """Write a database and return its path; ``without``: columns that it lacks."""
    listed = [one for row in trades for one in orders_of(row)] if orders is None else orders
    with closing(sqlite3.connect(path)) as db, db:
        for table, columns, rows in (("trades", TRADES, trades), ("orders", ORDERS, listed)):
            kept = {name: kind for name, kind in columns.items() if name not in without}
            db.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in kept.items())})")
            for row in rows:
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(kept))})", [row[name] for name in kept])
    return path


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.replace(tzinfo=None).isoformat(" ")
