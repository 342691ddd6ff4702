"""``data check`` finds what was planted, nothing in clean data, and in real files what their archive says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from candle_files import SERIES

from peaktrade_core.candles.checks import check_file, check_store
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.trading.market import Bar

HOUR = Series("kraken", "BTC/EUR", "1h")
Columns = dict[str, list[Any]]


def write(path: Path, bars: list[Bar]) -> Path:
    """Write bars as they are, in their order, whatever is wrong with them."""
    table = np.array(bars, dtype=np.float64)
    times = pa.array((table[:, 0] * 1000).astype(np.int64), pa.timestamp("ms", tz="UTC"))
    columns = [times, *(pa.array(column) for column in table[:, 1:].T)]
    pa.parquet.write_table(pa.table(columns, names=["ts", *Bar._fields[1:]]), path)
    return path


def hours(bars: list[Bar]) -> list[Bar]:
    """Return the hours that whole hours of minutes make."""
    return [
        Bar(
            part[0].ts,
            part[0].open,
            max(bar.high for bar in part),
            min(bar.low for bar in part),
            part[-1].close,
            round(sum(bar.volume for bar in part), 8),
        )
        for begin in range(0, len(bars), 60)
        for part in [bars[begin : begin + 60]]
    ]


def answers(verdict: Any) -> dict[str, str]:
    """Return what did not pass."""
    return {check.id: check.status for check in verdict.checks if check.status != "pass"}


def evidence(verdict: Any, id: str) -> str:
    return next(check.evidence for check in verdict.checks if check.id == id)


def test_nothing_is_found_in_clean_data(tmp_path: Path, store: CandleStore, minutes: list[Bar]) -> None:
    store.put(SERIES, minutes)
    store.put(HOUR, hours(minutes))
    verdicts = check_store(store, store.series(), minutes[-1].ts + 60)
    assert [answers(verdict) for verdict in verdicts] == [{}, {}]
    assert "the bars of 1m add up" in evidence(verdicts[1], "contradictions")
    assert "30 median absolute deviations = " in evidence(verdicts[0], "outliers")
    assert answers(check_file(write(tmp_path / "clean.parquet", minutes))) == {}


PLANTED: dict[str, tuple[Callable[[list[Bar]], list[Bar]], dict[str, str], str]] = {
    "gap": (lambda b: b[:100] + b[137:], {"gaps": "fail"}, "37 bars missing in 1 gap"),
    "duplicate": (lambda b: b[:51] + b[50:], {"duplicates": "fail"}, "1 row too many, with the same values"),
    "two values": (
        lambda b: [*b[:51], b[50]._replace(volume=7.0), *b[51:]],
        {"duplicates": "fail"},
        "1 row too many, 1 with different values, the first at 2026-01-01 00:50",
    ),
    "unsorted": (lambda b: [*b[:9], b[10], b[9], *b[11:]], {"order": "fail"}, "1 row earlier than the row above"),
    "high below low": (
        lambda b: [*b[:4], b[4]._replace(high=1.0), *b[5:]],
        {"impossible": "fail"},
        "1 row cannot be true, the first in row 5 (2026-01-01 00:04): high = 1.0 is below low",
    ),
    "NaN": (lambda b: [*b[:4], b[4]._replace(close=float("nan")), *b[5:]], {"impossible": "fail"}, "not finite"),
    "off the grid": (
        lambda b: [*b[:4], b[4]._replace(ts=b[4].ts + 7), *b[5:]],
        {"impossible": "fail", "gaps": "fail"},
        "off the timeframe's grid",
    ),
    "no volume": (
        lambda b: [bar._replace(volume=0.0) if 20 <= n < 32 or n == 90 else bar for n, bar in enumerate(b)],
        {"zero_volume": "warn"},
        "13 bars without volume in 2 runs (0.30 %), longest 12 from 2026-01-01 00:20",
    ),
    "bad print": (
        lambda b: [*b[:500], b[500]._replace(low=b[500].low * 0.9), *b[501:]],
        {"outliers": "warn"},
        "1 bar beyond 30 median absolute deviations",
    ),
}


@pytest.mark.parametrize(("plant", "found", "says"), PLANTED.values(), ids=PLANTED)
def test_what_was_planted_is_found_and_nothing_else(
    tmp_path: Path, minutes: list[Bar], plant: Callable[[list[Bar]], list[Bar]], found: dict[str, str], says: str
) -> None:
    verdict = check_file(write(tmp_path / "planted.parquet", plant(minutes)))
    assert answers(verdict) == found
    assert any(says in check.evidence for check in verdict.checks), [check.evidence for check in verdict.checks]
    assert set(verdict.findings) == set(found)


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
def test_an_hour_that_its_minutes_do_not_add_up_to_is_found(store: CandleStore, minutes: list[Bar], field: str) -> None:
    changed = hours(minutes)
    step = {"open": 0.01, "high": 0.01, "low": -0.01, "close": 0.01, "volume": 0.5}[field]
    changed[5] = changed[5]._replace(**{field: getattr(changed[5], field) + step})
    store.put(SERIES, minutes)
    store.put(HOUR, changed)
    (verdict,) = check_store(store, [HOUR], minutes[-1].ts + 60)
    assert answers(verdict) == {"contradictions": "fail"}
    assert verdict.findings == {
        "contradictions": [{"ts": "2026-01-01T05:00:00+00:00", "finer": "1m", "fields": (field,)}]
    }


def test_an_hour_whose_minutes_are_not_all_there_is_only_held_to_what_they_show(
    store: CandleStore, minutes: list[Bar]
) -> None:
    whole = hours(minutes)
    lowered = whole[1]._replace(high=whole[1].high - 0.01)
    top = max(range(60, 120), key=lambda n: minutes[n].high)
    store.put(SERIES, [bar for n, bar in enumerate(minutes) if n not in (10, 60 if top != 60 else 61)])
    store.put(HOUR, [whole[0], lowered, *whole[2:]])
    (verdict,) = check_store(store, [HOUR], minutes[-1].ts + 60)
    assert verdict.findings["contradictions"] == [
        {"ts": "2026-01-01T01:00:00+00:00", "finer": "1m", "fields": ("high",)}
    ]


def test_flat_minutes_without_trades_do_not_contradict_their_hour(store: CandleStore, minutes: list[Bar]) -> None:
    bars = [*minutes[60:120]]
    far = bars[0].low * 0.99
    traded = hours([bar._replace(ts=bar.ts) for bar in bars[1:]])[0]._replace(ts=bars[0].ts)
    store.put(SERIES, [Bar(bars[0].ts, far, far, far, far, 0.0), *bars[1:]])
    store.put(HOUR, [traded])
    (verdict,) = check_store(store, [HOUR], minutes[119].ts + 60)
    assert "contradictions" not in answers(verdict)


def test_an_old_end_is_a_warning(store: CandleStore, minutes: list[Bar]) -> None:
    store.put(SERIES, minutes)
    assert answers(check_store(store, [SERIES], minutes[-1].ts + 3600)[0]) == {}
    verdict = check_store(store, [SERIES], minutes[-1].ts + 60 + 7200)[0]
    assert answers(verdict) == {"age": "warn"}
    assert evidence(verdict, "age") == "the last bar opens at 2026-01-03 23:59, it closed 2 h 0 m ago"


# missing, gaps, longest gap, bars without volume: what candles/SOURCES.md says
ARCHIVE = {
    "coinbase_BTC-EUR_1m_20180404-20180406": (657, 156, 431, 0),
    "coinbase_BTC-USD_1m_20180404-20180406": (433, 2, 432, 0),
    "coinbase_BTC-USD_1m_20161007-20161009": (104, 94, 3, 0),
    "coinbase_BTC-USD_1m_20171217-20171217": (0, 0, 0, 0),
    "coinbase_ETH-USD_1m_20180404-20180405": (431, 2, 427, 0),
    "coinbase_LTC-USD_1m_20180404-20180406": (433, 4, 429, 0),
    "binancefut_BTCUSD-PERP_1m_20221213-20221213": (1, 1, 1, 0),
    "bitfinex_BTC-USD_1h_20131001-20131031": (9, 7, 2, 0),
    "kraken_BTC-EUR_1h_20200614-20200714": (0, 0, 0, 52),
    "kraken_BTC-EUR_1m_20200127-20200127": (0, 0, 0, 1),
    "kraken_BTC-EUR_1m_20200206-20200207": (0, 0, 0, 11),
    "kraken_ETH-CAD_1h_20200614-20200714": (0, 0, 0, 52),
    "kraken_XTZ-BTC_1d_20180928-20200714": (5, 5, 1, 13),
    "kraken_XTZ-BTC_1h_20200614-20200714": (0, 0, 0, 6),
}


@pytest.mark.parametrize(("name", "said"), ARCHIVE.items(), ids=ARCHIVE)
def test_real_files_have_the_gaps_that_their_archive_names(
    candles: Callable[[str], Path], name: str, said: tuple[int, int, int, int]
) -> None:
    verdict = check_file(candles(name))
    gaps, still = verdict.findings.get("gaps", []), verdict.findings.get("zero_volume", [])
    longest = max((gap["bars"] for gap in gaps), default=0)
    assert (verdict.missing, len(gaps), longest, sum(run["bars"] for run in still)) == said
    assert verdict.timeframe == name.split("_")[2]


def test_krakens_days_before_the_listing_cannot_be_true(candles: Callable[[str], Path]) -> None:
    """The feed refuses that file at its first row; the check counts all fourteen."""
    verdict = check_file(candles("kraken_XTZ-BTC_1d_20180928-20200714"))
    assert len(verdict.findings["impossible"]) == 14
    assert verdict.findings["impossible"][0]["why"] == "low = 0.0 is not positive"


def test_the_command_says_it_and_ends_with_one(
    peaktrade: Callable[..., Any], store: CandleStore, minutes: list[Bar]
) -> None:
    store.put(SERIES, minutes)
    clock = {"PEAKTRADE_FIXED_CLOCK": "2026-01-04T00:00:30+00:00"}
    assert peaktrade("data", "check", env=clock).code == 0
    assert "warn" in peaktrade("data", "check").stdout
    assert peaktrade("data", "check").code == 0, "an old end is no error"
    store.put(Series("kraken", "ETH/EUR", "1m"), minutes[:10] + minutes[12:])
    ended = peaktrade("data", "check", env=clock)
    assert ended.code == 1
    assert "2 bars missing in 1 gap (0.05 %), longest 2 from 2026-01-01 00:10" in ended.stdout
    assert peaktrade("data", "check", "BTC/EUR", env=clock).code == 0
    (verdict,) = json.loads(peaktrade("data", "check", "ETH/EUR", "--json").stdout)
    assert (verdict["status"], verdict["missing"]) == ("fail", 2)
    unknown = peaktrade("data", "check", "LTC/EUR")
    assert unknown.code == 2
    assert "unknown candles 'LTC/EUR'; known: kraken BTC/EUR 1m, kraken ETH/EUR 1m" in unknown.stderr


def test_the_command_checks_a_file(peaktrade: Callable[..., Any], home: Path, minutes: list[Bar]) -> None:
    bad = write(home / "bad.parquet", [minutes[1], minutes[0], *minutes[:40]])
    ended = peaktrade("data", "check", "--file", bad)
    assert ended.code == 1
    assert "bad.parquet 1m: 42 bars" in ended.stdout
    assert peaktrade("data", "check", "--file", write(home / "good.parquet", minutes)).code == 0
    (home / "text.parquet").write_text("no candles")
    broken = peaktrade("data", "check", "--file", "text.parquet")
    assert (broken.code, broken.stdout) == (3, "")
    assert "text.parquet: cannot be read as parquet" in broken.stderr


def test_the_list_says_what_is_stored(peaktrade: Callable[..., Any], store: CandleStore, minutes: list[Bar]) -> None:
    assert "No candles are stored. `peaktrade exchange fetch SYMBOL` downloads some" in peaktrade("data", "list").stdout
    assert "No candles are stored" in peaktrade("data", "check").stdout
    store.put(SERIES, minutes[:10] + minutes[12:])
    (row,) = json.loads(peaktrade("data", "list", "--json").stdout)
    assert (row["venue"], row["symbol"], row["timeframe"], row["bars"], row["missing"]) == (*SERIES, 4318, 2)
    assert "2026-01-01 00:00  2026-01-03 23:59  4,318        2" in peaktrade("data", "list").stdout


def test_a_damaged_file_of_the_store_is_named(
    peaktrade: Callable[..., Any], store: CandleStore, minutes: list[Bar]
) -> None:
    store.put(SERIES, minutes)
    path = store.files(SERIES)[1]
    path.write_bytes(path.read_bytes()[:-40])
    for command in (("data", "list"), ("data", "check")):
        ended = peaktrade(*command)
        assert ended.code == 3, ended.stderr
        assert "2026-01-02.parquet" in ended.stderr
        assert "move it away and fetch its bars again" in ended.stderr


def test_a_workspace_may_be_called_anything(tmp_path: Path, minutes: list[Bar]) -> None:
    store = CandleStore(tmp_path / "[a] *?'x=1'" / "symbol=ETH-EUR")
    store.put(SERIES, minutes[:10])
    assert check_store(store, [SERIES], minutes[9].ts)[0].rows == 10
