"""The replay feed: candles from a file or folder, checked before the first bar is used."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import as_utc, from_seconds
from peaktrade_core.base.errors import ConfigError, DataError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.candles.files.cleaning import read_clean
from peaktrade_core.candles.files.dialect import Dialect
from peaktrade_core.candles.files.reading import FOUND
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.trading.ports import Feed, FeedNotice, FundingRate, Item
from peaktrade_core.trading.tally import UNKNOWN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 4096  # bars that are handed out from columns at once


class ReplayFeed:
    """Bars of a file, in its order; before the last one a notice, where that may be cut off."""

    name = "replay"
    simulated = True
    skew_s = 0.0
    funding = UNKNOWN

    def __init__(self, path: Path, bar_s: int, symbol: str | None = None, dialect: Dialect = FOUND) -> None:
        """Read and check the whole file.

        Args:
            path: a file or folder of candles, see :func:`peaktrade_core.candles.files.reading.read_rows`.
            bar_s: length of a bar [s].
            symbol: the market that is asked for; None where the file is not asked for one.
            dialect: what is told of the file.

        Raises:
            DataError: the file is missing or unreadable, lacks a column, is of another market, or its bars are impossible,
                duplicated or not on the timeframe's grid.
            UndecidedError: it can be read in two ways.
        """
        rows = read_clean(path, symbol=symbol, dialect=dialect, bar_s=bar_s)
        self.bars = Bars(rows.ts, rows.ohlcv, str(path))
        self._doubt = rows.doubt
        digest = hashlib.sha256(self.bars.ts.data)
        digest.update(self.bars.ohlcv.data)
        self.data_sha256: str | None = digest.hexdigest()

    def __iter__(self) -> Iterator[Bar | FeedNotice]:
        sure = len(self.bars) - bool(self._doubt)
        for at in range(0, sure, CHUNK):
            yield from self._from(at, min(at + CHUNK, sure))
        if self._doubt:
            yield FeedNotice("LAST_BAR_UNSURE", self._doubt)
        yield from self._from(sure, len(self.bars))

    def _from(self, begin: int, end: int) -> Iterator[Bar]:
        columns = (self.bars.ts, *self.bars.ohlcv.T)
        return map(Bar._make, zip(*(column[begin:end].tolist() for column in columns), strict=True))

    def __len__(self) -> int:
        return len(self.bars)


class FundedFeed:
    """The bars of another feed with recorded rates of funding between them, each after the bar in which it fell due."""

    def __init__(self, feed: Feed, path: Path, bar_s: int) -> None:
        """Read the rates; ``bar_s``: length of a bar [s].

        Raises:
            DataError: the file cannot be used; says which line.
        """
        self._feed, self._rates, self._bar_s, self.funding = feed, read_rates(path), bar_s, str(path)
        self.name, self.data_sha256 = feed.name, feed.data_sha256
        self.simulated, self.skew_s = feed.simulated, feed.skew_s

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[Item]:
        rates, first = iter(self._rates), math.inf
        due = next(rates, None)
        for item in self._feed:
            yield item
            if isinstance(item, Bar):
                first = min(first, item.ts)
                while due and due.ts <= item.ts + self._bar_s:
                    if due.ts > first:
                        yield due
                    due = next(rates, None)


def read_rates(path: Path) -> list[FundingRate]:
    """Return the rates of funding of a CSV file, with the columns ``time`` (ISO 8601, or ms since epoch) and ``rate``.

    Raises:
        DataError: it is missing, not text, lacks a column, or a line is not a time and a rate, or not later than the one before.
    """
    try:
        rows = list(csv.DictReader(read_plain(path).decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the rates of funding in {path} cannot be read: {why(error)}") from None
    rates: list[FundingRate] = []
    for line, row in enumerate(rows, 2):
        try:
            text = row["time"].strip()
            ts = int(text) / 1000.0 if text.isdigit() else as_utc(datetime.fromisoformat(text)).timestamp()
            from_seconds(ts)  # which it has to be, to be told of
            rate = float(row["rate"])
        except (KeyError, ValueError, AttributeError, TypeError, OverflowError):
            raise DataError(
                f"{path}, line {line}: it has to be a time and a rate, under the header time,rate"
            ) from None
        if not abs(rate) < 1.0:
            raise DataError(
                f"{path}, line {line}: a rate of {rate:g} is none; it is a fraction of the notional, as 0.0001"
            )
        if rates and ts <= rates[-1].ts:
            raise DataError(f"{path}, line {line}: it is not later than the line before")
        rates.append(FundingRate(ts, rate))
    return rates


def bars_of(feed: Feed, most: int | None = None) -> Bars:
    """Return the first ``most`` bars of a feed as columns, None for all of them.

    Raises:
        ConfigError: the feed is a live one, whose bars are not there yet.
    """
    import numpy as np

    if not feed.simulated:
        raise ConfigError(
            f"the bars of the {feed.name} feed are not there yet; use --feed synthetic, or store candles with "
            "`peaktrade exchange fetch` and give them as --candles"
        )
    if isinstance(feed, ReplayFeed):
        bars = feed.bars
        return bars if most is None else bars.part(0, most)
    rows = (item for item in feed if isinstance(item, Bar))
    table: NDArray[np.float64] = np.fromiter(islice(rows, most), dtype=np.dtype((np.float64, len(Bar._fields))))
    return Bars(table[:, 0], table[:, 1:], feed.name)
