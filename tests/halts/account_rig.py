"""A process that reserves and gives back as fast as it can, and checks the sum of all shares each time."""

from __future__ import annotations

import sys
from pathlib import Path

from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.shares import AccountFile
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.risk import OK, Limits

LIMITS = Limits(max_total_exposure_notional=1000.0, max_symbol_exposure_notional=1000.0, max_open_positions=5)


def file_of(home: Path) -> AccountFile:
    return AccountFile(home / "account.sqlite", lambda run_id: RunFolder(home / "runs", run_id).alive())


def seat_of(home: Path, run_id: str, symbol: str = "BTC/EUR", limits: Limits = LIMITS) -> Seat:
    return Seat(file_of(home), run_id, "shadow", symbol, limits)


def order(qty: float, position: float = 0.0) -> list[float]:
    """Return a book whose decision code has just left an opening order."""
    book = bk.new_book(10_000.0)
    book[bk.QTY], book[bk.OPENING] = position, qty
    return book


def main(home: Path, run_id: str, rounds: int) -> None:
    """Print ``reserved denied worst``; the worst sum of all shares that was seen right after a reservation."""
    folder = RunFolder(home / "runs", run_id)  # its lock goes with it
    folder.create({})
    seat, reader, worst = seat_of(home, run_id), file_of(home), 0.0
    reserved = denied = 0
    for n in range(rounds):
        qty = 1.0 + (n * 37 + len(run_id)) % 400
        if seat.reserve(order(qty), 1.0).code == OK:
            reserved += 1
            worst = max(worst, sum(share.exposure for share in reader.shares()))
        else:
            denied += 1
        if n % 3:
            seat.publish(order(0.0), 1.0)
    print(reserved, denied, worst, flush=True)
    if sys.argv[4:] == ["hold"]:
        seat.publish(order(0.0), 1.0)
        assert seat.reserve(order(900.0), 1.0).code == OK, seat.fault
        print("holding", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
