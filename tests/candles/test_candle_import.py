"""Files of candles as people have them: each source reads to the same bars, and nothing is guessed between two readings."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.candles.files.dialect import PARTS, Dialect, UndecidedError, Understood
from peaktrade_core.candles.files.source import MOST_BYTES
from peaktrade_core.candles.imports import read_import
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.testing.exports import EXPORTS
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.workspace.workspace import Workspace

NOW = 1_800_000_000.0
HEAD = "ts,open,high,low,close,volume\n"
CASES = [
    "blank_commas_last",
    "cdd",
    "comment_lines",
    "dmy",
    "epoch_ms",
    "epoch_s",
    "kraken_archive",
    "semicolon",
    "tradingview",
    "two_times",
    "upper_ext",
    "utf16",
]


@pytest.fixture
def bars(minutes: list[Bar]) -> list[Bar]:
    """Return five hours and one bar of minutes."""
    return minutes[:301]


def read(path: Path, symbol: str | None = None, timeframe: str | None = None, **told: str) -> tuple[Bars, Understood]:
    return read_import(path, symbol, timeframe, Dialect(**told), now=NOW)


def written(folder: Path, text: str | bytes, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(bars: list[Bar], times: Callable[[Bar], object] = lambda b: int(b.ts), sign: str = ",") -> str:
    return "".join(sign.join(map(str, (times(b), *b[1:]))) + "\n" for b in bars)


def clock(bar: Bar) -> str:
    """Return the time of day without a zone."""
    return f"{from_seconds(bar.ts):%H:%M}"


def as_bars(found: Bars) -> list[Bar]:
    return [found[row] for row in range(len(found))]


def told_of(flags: tuple[str, ...]) -> dict[str, str]:
    return dict(zip((flag[2:] for flag in flags[::2]), flags[1::2], strict=True))


@pytest.mark.parametrize("source", EXPORTS)
def test_every_source_reads_to_the_same_bars(tmp_path: Path, bars: list[Bar], source: str) -> None:
    export = EXPORTS[source](bars)
    found, understood = read(written(tmp_path, export.data, export.name), **told_of(export.flags))
    assert as_bars(found) == bars
    assert (understood.timeframe, understood.bars, understood.missing) == ("1m", len(bars), 0)
    assert sum(one.count for one in understood.left_out if "row" in one.what) == 0


@pytest.mark.parametrize("source", ["Yahoo", "MetaTrader 5", "Excel German"])
def test_a_session_reads_the_same_by_the_same_dialect(tmp_path: Path, bars: list[Bar], source: str) -> None:
    export = EXPORTS[source](bars)
    path = written(tmp_path, export.data, export.name)
    with pytest.raises(UndecidedError, match="--dialect zone=UTC"):
        read_candles(path)
    dialect = Dialect.of(f"{name}={value}" for name, value in told_of(export.flags).items())
    assert as_bars(read_candles(path, bar_s=60, dialect=dialect)) == bars
    assert Dialect.of(dialect.told()) == dialect


@pytest.mark.parametrize("case", CASES)
def test_inputs_that_failed_read_as_the_control_does(candles: Callable[[str], Path], case: str) -> None:
    folder = candles("coinbase_BTC-USD_1m_20171217-20171217").parents[1] / "cases"
    control, _ = read(folder / "csv_reference" / "candles.csv")
    (path,) = (file for file in (folder / f"csv_{case}").iterdir() if file.suffix.lower() == ".csv")
    found, _ = read(path, **({"zone": "UTC"} if case == "dmy" else {}))
    assert np.array_equal(found.ts, control.ts)
    assert np.array_equal(found.ohlcv, control.ohlcv)


OPEN: dict[str, tuple[Callable[[list[Bar]], str], str, dict[str, str]]] = {
    "time without zone": (
        lambda b: HEAD + rows_of(b, lambda x: f"2024-01-05 {clock(x)}"),
        "zone",
        {"zone": "UTC"},
    ),
    "day or month first": (
        lambda b: HEAD.replace("ts", "Time (UTC)") + rows_of(b, lambda x: f"03/04/2024 {clock(x)}"),
        "dates",
        {"dates": "dmy"},
    ),
    "decimal or thousands": (
        lambda b: HEAD.replace(",", ";") + "".join(f"{int(x.ts)};19,650;19,700;19,600;19,650;61\n" for x in b),
        "decimal",
        {"decimal": "comma"},
    ),
    "thousands points": (
        lambda b: HEAD.replace(",", ";") + "".join(f"{int(x.ts)};19.650;19.700;19.600;19.650;61\n" for x in b),
        "decimal",
        {"decimal": "comma"},
    ),
    "open or close": (
        lambda b: "".join(f"{int(x.ts)},100,103,99,{101 + n % 2},5\n" for n, x in enumerate(b[:2])),
        "columns",
        {"columns": "open=2,close=5,high=3,low=4", "timeframe": "1m"},
    ),
    "no volume": (
        lambda b: "ts,open,high,low,close\n" + "".join(f"{int(x.ts)},100,103,99,101\n" for x in b),
        "columns",
        {"columns": "volume=none"},
    ),
    "two volumes": (
        lambda b: "time,open,high,low,close,vol,volume\n" + "".join(f"{int(x.ts)},9,9,9,9,{x.ts % 7},3\n" for x in b),
        "columns",
        {"columns": "volume=vol"},
    ),
    "no order": (lambda b: HEAD + rows_of([*b[:5], b[9], *b[5:9]]), "order", {"order": "sort"}),
    "one row": (lambda b: HEAD + rows_of(b[:1]), "timeframe", {"timeframe": "1m"}),
    "two different times": (
        lambda b: "timestamp,date,open,high,low,close,volume\n"
        + "".join(f"{int(x.ts)},{2000 + n}-01-01,100,103,99,101,3\n" for n, x in enumerate(b[:20])),
        "columns",
        {"columns": "time=timestamp"},
    ),
    "a short name of a zone": (
        lambda b: HEAD + rows_of(b, lambda x: f"2024-01-05 {clock(x)} EST"),
        "zone",
        {"zone": "America/New_York"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPEN)
def test_what_can_be_read_in_two_ways_is_asked_for_and_the_flag_decides(
    tmp_path: Path, bars: list[Bar], case: str
) -> None:
    write, part, told = OPEN[case]
    path = written(tmp_path, write(bars))
    with pytest.raises(UndecidedError) as undecided:
        read(path)
    questions = undecided.value.understood.questions
    assert [one.part for one in questions] == [part]
    assert questions[0].ways
    assert len(read(path, **told)[0]) > 0


def test_two_readings_of_one_number_differ_as_they_were_told(tmp_path: Path, bars: list[Bar]) -> None:
    path = written(tmp_path, OPEN["thousands points"][0](bars))
    assert read(path, decimal="comma")[0].ohlcv[0].tolist() == [19650.0, 19700.0, 19600.0, 19650.0, 61.0]
    assert read(path, decimal="point")[0].ohlcv[0].tolist() == [19.65, 19.7, 19.6, 19.65, 61.0]


def berlin(bars: list[Bar], start: float) -> str:
    """Return bars on a Berlin clock without offsets, from ``start`` on."""
    from peaktrade_core.testing.exports import _local

    moved = [bar._replace(ts=start + 60.0 * n) for n, bar in enumerate(bars)]
    return HEAD + rows_of(moved, lambda b: f"{_local(b, 'Europe/Berlin'):%Y-%m-%d %H:%M:%S}")


AUTUMN = 1698534000.0  # 2023-10-29 01:00 in Berlin


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_doubled_hour_of_autumn_is_two_real_hours(tmp_path: Path, bars: list[Bar], newest_first: bool) -> None:
    head, *lines = berlin(bars, AUTUMN).splitlines()
    path = written(tmp_path, "\n".join([head, *(lines[::-1] if newest_first else lines)]) + "\n")
    with pytest.raises(
        UndecidedError, match=r"an hour is there twice near 2023-10-29 02:.*--dialect zone=Europe/Berlin"
    ):
        read(path)
    found, understood = read(path, zone="Europe/Berlin")
    assert found.ts.tolist() == [AUTUMN + 60.0 * n for n in range(len(bars))]
    assert found.ohlcv[:, 3].tolist() == [bar.close for bar in bars]
    assert "both were taken" in understood.notes[0]
    with pytest.raises(UndecidedError, match="a local clock that was put back"):
        read(path, zone="UTC")


def test_one_of_the_doubled_hours_is_asked_for_and_a_skipped_hour_refused(tmp_path: Path, bars: list[Bar]) -> None:
    lines = berlin(bars, AUTUMN).splitlines()
    once = written(tmp_path, "\n".join(lines[:121] + lines[181:]) + "\n")
    with pytest.raises(UndecidedError, match="the clock shows the hour from 2023-10-29 02:00 twice, the file once"):
        read(once, zone="Europe/Berlin")
    assert read(once, zone="Europe/Berlin", doubled="first")[0].ts[60] == AUTUMN + 3600
    assert read(once, zone="Europe/Berlin", doubled="second")[0].ts[60] == AUTUMN + 7200
    spring = HEAD + rows_of(bars, lambda b: f"2023-03-26 {clock(b)}")
    with pytest.raises(DataError, match="times that the clock of Europe/Berlin never shows"):
        read(written(tmp_path, spring), zone="Europe/Berlin")


def two_markets(bars: list[Bar]) -> str:
    half = len(bars) // 2
    rows = [f"BTC/USD,{int(b.ts)},100,103,99,101,5" for b in bars[:half]]
    return (
        "\n".join(["symbol," + HEAD.strip(), *rows, *(f"ETH-USD,{int(b.ts)},10,11,9,10,5" for b in bars[half:])]) + "\n"
    )


def test_two_markets_in_a_file_are_never_one(peaktrade: Callable[..., Any], home: Path, bars: list[Bar]) -> None:
    path = written(home, two_markets(bars))
    with pytest.raises(UndecidedError, match=r"2 markets: BTC/USD, ETH-USD: --symbol BTC/USD or --symbol ETH-USD"):
        read(path)
    found, understood = read(path, "ETHUSD")
    assert len(found) == 151
    assert found.ohlcv[0, 0] == 10.0
    assert understood.left_out[0].what == "rows of other markets than ETHUSD"
    for command in (("session", "run"), ("backtest",)):
        ended = peaktrade(*command, "--candles", path)
        assert (ended.code, "of BTC/USD, ETH-USD, not of BTC/EUR" in ended.stderr) == (3, True)
        assert not (home / "live_runs").exists()


def test_a_session_says_what_decides_and_records_it(peaktrade: Callable[..., Any], home: Path, bars: list[Bar]) -> None:
    path = written(home, HEAD + rows_of(bars, lambda b: f"{np.datetime64(int(b.ts), 's')}".replace("T", " ")))
    asked = peaktrade("session", "run", "--candles", path)
    assert asked.code == 2
    assert "times in column ts do not say their zone: --dialect zone=UTC" in asked.stderr
    done = peaktrade("session", "run", "--candles", path, "--dialect", "zone=UTC", "--warmup-candles", 100, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["config"]["dialect"] == ["zone=UTC"]
    wrong = peaktrade("session", "run", "--candles", path, "--dialect", "zone")
    assert (wrong.code, "must be written PART=VALUE" in wrong.stderr) == (2, True)
    assert peaktrade("session", "run", "--dialect", "zone=UTC").code == 2


def test_the_command_shows_asks_and_writes(
    peaktrade: Callable[..., Any], home: Path, bars: list[Bar], store: CandleStore
) -> None:
    export = EXPORTS["CryptoDataDownload"](bars)
    path = written(home, export.data, export.name)
    looked = peaktrade("data", "import", path, env={"COLUMNS": "80"})
    assert looked.code == 2
    assert "Nothing was written; --yes writes it." in looked.stderr
    assert "Volume     Volume BTC (the other volume is it times the price)" in looked.stdout
    assert max(map(len, looked.stdout.replace(str(path), "").splitlines())) <= 80
    assert store.series() == []
    done = peaktrade("data", "import", path, "--yes", "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["bars"] == len(bars)
    assert as_bars(store.read(Series("file", "BTC/USD", "1m"))) == bars
    again = peaktrade("data", "import", path, "--yes")
    assert "0 new candles stored" in again.stdout
    assert peaktrade("data", "check", "BTC/USD").code == 0


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_what_was_written_is_read_without_a_word_and_never_replaced_unasked(
    peaktrade: Callable[..., Any], home: Path, bars: list[Bar], suffix: str
) -> None:
    export = EXPORTS["Excel German"](bars)
    path, out = written(home, export.data, export.name), home / f"clean.{suffix}"
    assert peaktrade("data", "import", path, "--out", out, "--yes").code == 2
    assert not out.exists()
    command = ("data", "import", path, "--out", out, "--yes", *export.flags)
    assert peaktrade(*command).code == 0
    assert as_bars(read_candles(out)) == bars
    before = out.read_bytes()
    assert (peaktrade(*command).code, out.read_bytes()) == (2, before)
    assert peaktrade(*command, "--replace").code == 0
    assert peaktrade("data", "import", out, "--out", out, "--yes", "--replace").code == 2


def test_every_part_of_the_dialect_is_a_flag_and_a_wrong_value_is_refused(
    peaktrade: Callable[..., Any], home: Path
) -> None:
    written(home, HEAD)
    for name in PARTS:
        ended = peaktrade("data", "import", "candles.csv", f"--{name}", "nonsense,")
        assert ended.code == 2, name
        assert "bug" not in ended.stderr
    with pytest.raises(ConfigError, match="unknown part of a dialect 'colour'"):
        Dialect.of(["colour=red"])


def days(bars: list[Bar], step: Callable[[int], str]) -> str:
    return HEAD + "".join(f"{step(n)},{b.open},{b.high},{b.low},{b.close},{b.volume}\n" for n, b in enumerate(bars))


STEPS = {
    "3m": lambda n: int(1704067200 + 180 * n),
    "2h": lambda n: int(1704067200 + 7200 * n),
    "6h": lambda n: int(1704067200 + 21600 * n),
    "1d": lambda n: f"{np.datetime64('2019-01-01T16:00') + np.timedelta64(n, 'D')}:00Z",
    "3d": lambda n: f"{np.datetime64('2019-01-01') + np.timedelta64(3 * n, 'D')}T00:00:00Z",
    "1w": lambda n: f"{np.datetime64('2019-01-07') + np.timedelta64(7 * n, 'D')}T00:00:00Z",
    "1M": lambda n: f"{np.datetime64('2001-02') + n}-01T00:00:00Z",
    "3M": lambda n: f"{np.datetime64('1980-01') + 3 * n}-01T00:00:00Z",
    "1y": lambda n: f"{1971 + n}-01-01T00:00:00Z",
}


@pytest.mark.parametrize("timeframe", STEPS)
def test_all_timeframes_are_found_stored_and_checked(
    peaktrade: Callable[..., Any], home: Path, bars: list[Bar], store: CandleStore, timeframe: str
) -> None:
    few = bars[:50]
    path = written(home, days(few, STEPS[timeframe]))
    found, understood = read(path)
    assert (understood.timeframe, understood.missing, len(found)) == (timeframe, 0, 50)
    gap = written(
        home, days(few, STEPS[timeframe]).replace(days(few, STEPS[timeframe]).splitlines()[9] + "\n", ""), "gap.csv"
    )
    done = peaktrade("data", "import", gap, "--symbol", "BTC/EUR", "--yes")
    assert done.code == 0, done.stderr
    series = Series("file", "BTC/EUR", timeframe)
    assert store.series() == [series]
    (verdict,) = json.loads(peaktrade("data", "check", "--json").stdout)
    (hole,) = verdict["findings"]["gaps"]
    assert (hole["bars"], hole["first"], hole["first"]) == (
        1,
        hole["last"],
        np.datetime64(int(found.ts[8]), "s").item().isoformat() + "+00:00",
    )
    with pytest.raises(DataError, match="is --timeframe right"):
        read(path, timeframe="15m" if timeframe != "15m" else "1h")
    if timeframe[-1] in "My":
        refused = peaktrade("session", "run", "--candles", path, "--timeframe", timeframe)
        assert (refused.code, "months are not of one length" in refused.stderr) == (2, True)
    else:
        ran = peaktrade("session", "run", "--candles", gap, "--timeframe", timeframe, "--warmup-candles", 5, "--json")
        assert ran.code == 0, ran.stderr
        assert json.loads(ran.stdout)["metrics"]["bars_missing"] <= 1


LEFT_OUT = {
    "repeated rows": (lambda b: HEAD + rows_of([*b[:9], b[8], *b[9:]]), "rows that repeat the one before", 0),
    "rows without prices": (
        lambda b: HEAD + rows_of(b).replace(rows_of(b[5:6]), f"{int(b[5].ts)},,,,,\n"),
        "rows without prices",
        1,
    ),
    "lines of names within": (lambda b: HEAD + rows_of(b[:9]) + HEAD + rows_of(b[9:]), "repeated lines of names", 0),
    "a cut last line": (lambda b: (HEAD + rows_of(b))[:-9], "last line, cut off", 1),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_said_and_refused_where_nobody_sees_it(tmp_path: Path, bars: list[Bar], case: str) -> None:
    write, what, lost = LEFT_OUT[case]
    found, understood = read(written(tmp_path, write(bars)))
    assert any(one.what.startswith(what) for one in understood.left_out), understood.left_out
    assert set(as_bars(found)) <= set(bars)
    assert len(found) == len(bars) - lost


CUT = {"within a figure": (-9, 3, "last line, cut off after"), "before the line end": (-1, 0, "LAST_BAR_UNSURE")}


@pytest.mark.parametrize("case", CUT)
def test_a_session_does_not_take_a_cut_last_line_for_a_whole_one(
    tmp_path: Path, bars: list[Bar], peaktrade: Callable[..., Any], home: Path, case: str
) -> None:
    end, code, says = CUT[case]
    path = written(tmp_path, (HEAD + rows_of(bars))[:end])
    options = ("--candles", path, "--warmup-candles", 5, "-p", "fast=2", "-p", "slow=3", "--steps")
    ended = peaktrade("session", "run", *options, len(bars) - 5)
    assert ended.code == code, ended.stderr
    journals = "".join(file.read_text() for file in home.glob("live_runs/*/events.jsonl"))
    assert says in ended.stderr + journals
    if code == 0:
        assert peaktrade("session", "run", *options, len(bars) - 6).code == 0
        journals = "".join(file.read_text() for file in home.glob("live_runs/*/events.jsonl"))
        assert journals.count(says) == 1, "a session that ends before it has no need to doubt it"


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "year 1": (HEAD + "0001-01-01T00:00:00Z,1,2,0.5,1,3\n" * 3, "outside the years 1970 to 9999"),
    "nan": (HEAD + "1704067200,nan,2,1,1.5,3\n1704067260,1,2,1,1.5,3\n", "a value is missing or not finite"),
    "1e308": (HEAD + "1704067200,1,1e308,1,1.5,3\n1704067260,1,2,1,1.5,3\n", "is no price"),
    "1e400": (HEAD + "1704067200,1,1e400,1,1.5,3\n1704067260,1,2,1,1.5,3\n", "not finite"),
    "Excel's digits": (
        HEAD + "1.70407E+12,1,2,1,1.5,3\n1.70407E+12,1,2,1,1.5,3\n",
        "a spreadsheet cut their digits off",
    ),
    "ragged": (HEAD + "1704067200,1,2,1,1.5,3\n1704067260,1,2\n", "row 2 has 3 fields where the others have 6"),
    "decimal comma between commas": (
        HEAD + "1704067200,1,5,2,5,1,5,1,5,3,5\n" * 3,
        "names 6 columns, but its rows have 11 fields",
    ),
    "two with different values": (
        HEAD + "1704067200,1,2,1,1.5,3\n1704067200,1,2,1,1.6,3\n1704067260,1,2,1,1,3\n",
        "repeats the time",
    ),
    "high below low": (
        HEAD + "1704067200,1,2,1,1.5,3\n1704067260,3,2,4,3,3\n",
        "row 2: impossible bar at 2024-01-01 00:01:00 UTC",
    ),
    "words": (HEAD + "1704067200,dear,2,1,1.5,3\n1704067260,1,2,1,1.5,3\n", "'dear' in column open is not a number"),
    "both day orders": (HEAD + "13/01/2024,1,2,1,1.5,3\n01/13/2024,1,2,1,1.5,3\n", "day first and month first"),
    "escapes in names": (
        HEAD.replace("open", "\x1b[31mopn\x07\u202e") + "1704067200,1,2,1,1.5,3\n" * 2,
        "column open is missing",
    ),
    "zero bytes": (b"ts,open\0,high,low,close,volume\n" * 50, "NUL"),
    "deep JSON": ("[" * 100_000, "cannot be read as JSON"),
    "JSON of something else": ('{"a": 1}', "no list of rows"),
    "a pickle": (b"\x80\x04\x95" + b"x" * 50, "a pickle, which could run code"),
    "half a gzip": (b"\x1f\x8b\x08\0\0\0\0\0" + b"x" * 50, "the gzip archive is damaged"),
    "small counts": (HEAD + "60,1,2,1,1.5,3\n120,1,2,1,1.5,3\n", "is not a time since the epoch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_candles_is_refused_in_words(tmp_path: Path, case: str) -> None:
    text, says = REFUSED[case]
    with pytest.raises(DataError) as refused:
        read(written(tmp_path, text))
    assert says in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("command", [("data", "import"), ("data", "check", "--file"), ("session", "run", "--candles")])
def test_pipes_devices_and_giants_end_at_once(
    peaktrade: Callable[..., Any], home: Path, command: tuple[str, ...]
) -> None:
    os.mkfifo(home / "pipe.csv")
    with (home / "giant.csv").open("wb") as file:
        file.truncate(2 * MOST_BYTES)
    (home / "loop.csv").symlink_to("loop.csv")
    for name, says in {
        "pipe.csv": "not a plain file",
        "/dev/zero": "not a plain file",
        "giant.csv": "split it by year",
        "loop.csv": "cannot be read",
        "config": "a folder without parquet files",
        "n" * 300: "cannot be read",
        "gone.csv": "no such file",
    }.items():
        ended = peaktrade(*command, name, timeout=20.0)
        assert (ended.code, says in ended.stderr) == (3, True), (name, ended.stderr)


def test_archives_of_several_files_workbooks_and_bombs_are_refused(tmp_path: Path, bars: list[Bar]) -> None:
    for members, says in (
        ({"a.csv": b"1", "b.csv": b"2"}, "holds 2 files (a.csv, b.csv)"),
        ({"xl/workbook.xml": b"1"}, "is a workbook"),
        ({"zeros.csv": bytes(MOST_BYTES + 1)}, "unpacks to more than"),
    ):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        with pytest.raises(DataError) as refused:
            read(path)
        assert says in str(refused.value)


def test_a_candle_that_is_not_closed_yet_is_left_out(tmp_path: Path, bars: list[Bar]) -> None:
    path = written(tmp_path, HEAD + rows_of(bars))
    found, understood = read_import(path, None, None, Dialect(), now=bars[-1].ts + 30)
    assert as_bars(found) == bars[:-1]
    assert understood.left_out[-1].what.startswith("candle that closes only at")
    assert len(read_import(path, None, None, Dialect(), now=bars[-1].ts + 60)[0]) == len(bars)


def test_rows_that_cannot_be_true_can_be_left_out(candles: Callable[[str], Path]) -> None:
    path = candles("kraken_XTZ-BTC_1d_20180928-20200714")
    with pytest.raises(DataError, match=r"14 such rows.*impossible=leave-out"):
        read(path)
    found, understood = read(path, impossible="leave-out")
    assert [one.count for one in understood.left_out] == [14]
    assert len(found) > 600


def test_naive_timestamps_of_parquet_are_asked_for_too(tmp_path: Path, bars: list[Bar]) -> None:
    columns = np.array(bars)
    naive = pa.array(columns[:, 0].astype("datetime64[s]"))
    table = pa.table([naive, *(pa.array(column) for column in columns[:, 1:].T)], names=["Date", *Bar._fields[1:]])
    pa.parquet.write_table(table, tmp_path / "naive.parquet")
    with pytest.raises(UndecidedError, match="column Date do not say their zone"):
        read(tmp_path / "naive.parquet")
    assert as_bars(read(tmp_path / "naive.parquet", zone="UTC")[0]) == bars


def test_the_fleet_passes_the_dialect_on(workspace: Workspace, home: Path, bars: list[Bar]) -> None:
    path = written(home, HEAD + rows_of(bars, lambda b: f"2024-01-05 {clock(b)}"))
    order = order_of(workspace, {"candles": str(path), "dialect": ("zone=UTC",)})
    assert "--dialect=zone=UTC" in order.arguments
    assert not any("dialect" in one for one in order_of(workspace, {"dialect": ()}).arguments)
