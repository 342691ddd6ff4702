"""The replay feed: candles from a file or folder, checked before the first bar is used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.candles.files.cleaning import read_clean
from peaktrade_core.candles.files.dialect import Dialect
from peaktrade_core.candles.files.reading import FOUND
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.trading.ports import Feed, FeedNotice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 4096  # bars that are handed out from columns at once


class ReplayFeed:
    """Bars of a file, in its order; before the last one a notice, where that may be cut off."""

    name = "replay"
    simulated = True
    skew_s = 0.0

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
        return bars if most is None else Bars(bars.ts[:most], bars.ohlcv[:most], feed.name)
    rows = (item for item in feed if isinstance(item, Bar))
    table: NDArray[np.float64] = np.fromiter(islice(rows, most), dtype=np.dtype((np.float64, len(Bar._fields))))
    return Bars(table[:, 0], table[:, 1:], feed.name)
