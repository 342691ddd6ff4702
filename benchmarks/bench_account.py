"""Reservations in the account that sessions share, one session alone and several processes at once, beside a bare
sqlite transaction that does nothing else."""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from pathlib import Path

from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.shares import AccountFile
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.risk import OK, Limits

LIMITS = Limits(max_total_exposure_notional=1e9, max_symbol_exposure_notional=1e9, max_open_positions=1000)


def reserve(home: Path, name: str, rounds: int, fresh: bool) -> float:
    """Return the mean time of a reservation [s]; ``fresh`` ones need more than the one before and ask the file."""
    seat = Seat(AccountFile(home / "account.sqlite", lambda _: True), name, "shadow", "BTC/EUR", LIMITS)
    book = bk.new_book(10_000.0)
    book[bk.OPENING] = 1.0
    begin = time.perf_counter()
    for n in range(rounds):
        book[bk.OPENING] = 1.0 + n * fresh
        if seat.reserve(book, 1.0).code != OK:
            raise SystemExit(f"a reservation failed, so the times do not count: {seat.fault}")
    return (time.perf_counter() - begin) / rounds


def bare(home: Path, rounds: int) -> float:
    """Return the mean time of a transaction that replaces one row [s]."""
    db = sqlite3.connect(home / "bare.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE t (k TEXT PRIMARY KEY, v REAL)")
    begin = time.perf_counter()
    for n in range(rounds):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT OR REPLACE INTO t VALUES ('k', ?)", (float(n),))
        db.execute("COMMIT")
    return (time.perf_counter() - begin) / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        base = bare(home, given.rounds)
        figures = [
            ("from what is reserved already", reserve(home, "held", given.rounds, fresh=False)),
            ("through the file, alone", reserve(home, "alone", given.rounds, fresh=True)),
        ]
        with multiprocessing.Pool(given.processes) as pool:
            jobs = [(home, f"p{n}", given.rounds, True) for n in range(given.processes)]
            times = pool.starmap(reserve, jobs)
        figures.append((f"through the file, {given.processes} processes at once", max(times)))
    print(f"{'figure':40}{'ours':>12}{'bare sqlite':>14}{'ratio':>8}")
    for name, ours in figures:
        print(f"{name:40}{ours * 1e6:>9.1f} us{base * 1e6:>11.1f} us{ours / base:>8.2f}")


if __name__ == "__main__":
    main()
