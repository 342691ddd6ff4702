"""A recorded or synthetic market at the pace of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import Feed, Item, Pause


class PacedFeed:
    """The bars of another feed, each no earlier than it is due; the warm-up comes at once."""

    def __init__(self, feed: Feed, pace: float, warmup: int) -> None:
        """Pace ``feed`` from its ``warmup``-th bar on at ``pace`` market seconds per second of the wall clock."""
        self._feed, self._pace, self._warmup = feed, pace, warmup
        self.name, self.data_sha256 = feed.name, feed.data_sha256
        self.simulated, self.skew_s = feed.simulated, feed.skew_s

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[Item]:
        seen = 0
        started = first_ts = 0.0
        for item in self._feed:
            if isinstance(item, Bar):
                seen += 1
                if seen == self._warmup + 1:
                    started, first_ts = time.monotonic(), item.ts
                if seen > self._warmup + 1:  # the first is due at once
                    yield Pause(max(0.0, started + (item.ts - first_ts) / self._pace - time.monotonic()))
            yield item
