"""What the tests of stored candles share."""

from __future__ import annotations

from peaktrade_core.candles.store import CandleStore, Series

SERIES = Series("kraken", "BTC/EUR", "1m")


def files(store: CandleStore) -> dict[str, bytes]:
    """Return every candle file of a store with its bytes."""
    return {str(path.relative_to(store.root)): path.read_bytes() for path in sorted(store.root.rglob("*.parquet"))}
