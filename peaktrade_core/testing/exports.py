"""Candles as exchanges, charts and spreadsheets write them: the same bars in every form that ``data import`` has to read.

Each export is told by its maker's own documents and files. Tests, the fuzz run and the docs use them.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.trading.market import Bar

if TYPE_CHECKING:
    import pyarrow as pa


class Export(NamedTuple):
    """A file as a source writes it.

    Attributes:
        name: of the file; data: its bytes; flags: what a person has to tell of it, as ``data import`` takes it.
    """

    name: str
    data: bytes
    flags: tuple[str, ...] = ()


def _lines(rows: Sequence[Sequence[object]], sign: str = ",", header: str = "") -> bytes:
    """Return rows as delimited text."""
    lines = [sign.join(map(str, row)) for row in rows]
    return ("\n".join([*([header] if header else []), *lines]) + "\n").encode()


def _utc(bar: Bar, form: str) -> str:
    return f"{from_seconds(bar.ts):{form}}"


def _local(bar: Bar, zone: str) -> datetime:
    return from_seconds(bar.ts).astimezone(ZoneInfo(zone))


def _comma(value: float) -> str:
    """Return a number as a German spreadsheet shows it: 19.650,02."""
    whole, _, digits = repr(value).partition(".")
    return f"{int(whole):,}".replace(",", ".") + f",{digits}"


def _step_ms(bars: Sequence[Bar]) -> int:
    return int((bars[1].ts - bars[0].ts) * 1000)


def binance_klines(bars: Sequence[Bar], unit: int = 1000) -> bytes:
    """Return Binance's archive of klines: no header, twelve columns; ``unit`` 10⁶ as from 2025 on."""
    last = (_step_ms(bars) * unit // 1000) - 1
    rows = [
        [int(b.ts * unit), b.open, b.high, b.low, b.close, b.volume, int(b.ts * unit) + last, b.volume * (b.low + b.high) / 2,
         7, b.volume / 2, b.volume * b.close / 2, 0]
        for b in bars
    ]  # fmt: skip
    return _lines(rows)


def _zipped(name: str, data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return sink.getvalue()


def _binance_zip(bars: Sequence[Bar]) -> Export:
    return Export("BTCUSDT-1m.zip", _zipped("BTCUSDT-1m.csv", binance_klines(bars)))


def _binance_us(bars: Sequence[Bar]) -> Export:
    return Export("BTCUSDT-1m-2025.csv", binance_klines(bars, 1_000_000))


def _kraken(bars: Sequence[Bar]) -> Export:
    return Export("XBTEUR_1.csv", _lines([[int(b.ts), *b[1:], 17] for b in bars]))


def _kraken_vwap(bars: Sequence[Bar]) -> Export:
    return Export("ohlc.csv", _lines([[int(b.ts), *b[1:5], (b.low + b.high) / 2, b.volume, 17] for b in bars]))


def _cryptodatadownload(bars: Sequence[Bar]) -> Export:
    rows = [[int(b.ts), _utc(b, "%Y-%m-%d %H:%M:%S"), "BTC/USD", *b[1:], b.volume * b.close] for b in reversed(bars)]
    body = _lines(rows, header="unix,date,symbol,open,high,low,close,Volume BTC,Volume USD")
    return Export("Binance_BTCUSD_minute.csv", b"https://www.example.org/data\n" + body)


def _tradingview(bars: Sequence[Bar]) -> Export:
    rows = [[_local(b, "Europe/Berlin").isoformat(), *b[1:], "NaN"] for b in bars]
    return Export("BTCUSD, 1.csv", _lines(rows, header="time,open,high,low,close,Volume,MA"))


def _tradingview_s(bars: Sequence[Bar]) -> Export:
    return Export("chart.csv", _lines([[int(b.ts), *b[1:]] for b in bars], header="time,open,high,low,close,Volume"))


def _yahoo(bars: Sequence[Bar]) -> Export:
    rows = [[_utc(b, "%Y-%m-%d %H:%M:%S"), *b[1:5], b.close, b.volume] for b in bars]
    return Export("BTC-USD.csv", _lines(rows, header="Date,Open,High,Low,Close,Adj Close,Volume"), ("--zone", "UTC"))


def _yfinance(bars: Sequence[Bar]) -> Export:
    head = "Price,Close,High,Low,Open,Volume\nTicker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD\nDatetime,,,,,"
    rows = [[_utc(b, "%Y-%m-%d %H:%M:%S+00:00"), b.close, b.high, b.low, b.open, b.volume] for b in bars]
    return Export("btc.csv", _lines(rows, header=head))


def _metatrader5(bars: Sequence[Bar]) -> Export:
    rows = [[_local(b, "Europe/Athens").strftime("%Y.%m.%d\t%H:%M:%S"), *b[1:5], 11, b.volume, 1] for b in bars]
    head = "\t".join(
        f"<{name}>" for name in ["DATE", "TIME", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD"]
    )
    return Export("BTCUSD_M1.csv", _lines(rows, "\t", head), ("--zone", "Europe/Athens"))


def _metatrader4(bars: Sequence[Bar]) -> Export:
    rows = [[_utc(b, "%Y.%m.%d,%H:%M"), *b[1:]] for b in bars]
    return Export("BTCUSD1.csv", _lines(rows), ("--zone", "UTC"))


def _freqtrade_json(bars: Sequence[Bar]) -> Export:
    return Export("BTC_USDT-1m.json", json.dumps([[int(b.ts * 1000), *b[1:]] for b in bars]).encode())


def _columns(bars: Sequence[Bar], time: str, unit: str = "ms") -> pa.Table:
    """Return bars as a table of Arrow."""
    import numpy as np
    import pyarrow as pa

    values = np.array(bars, dtype=np.float64)
    factor = {"ms": 1000, "ns": 1_000_000_000}[unit]
    opens = pa.array((values[:, 0].astype(np.int64) * factor), pa.timestamp(unit, tz="UTC"))
    names = [time, "open", "high", "low", "close", "volume"]
    return pa.table([opens, *(pa.array(np.ascontiguousarray(column)) for column in values[:, 1:].T)], names=names)


def _freqtrade_feather(bars: Sequence[Bar]) -> Export:
    import pyarrow.feather

    sink = io.BytesIO()
    pyarrow.feather.write_feather(_columns(bars, "date"), sink)
    return Export("BTC_USDT-1m.feather", sink.getvalue())


def _parquet_index(bars: Sequence[Bar]) -> Export:
    import pyarrow.parquet

    table = _columns(bars, "date", "ns")
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table.select(["open", "high", "low", "close", "volume", "date"]), sink)
    return Export("frame.parquet", sink.getvalue())


def _excel_german(bars: Sequence[Bar]) -> Export:
    rows = [
        [_local(b, "Europe/Berlin").strftime("%d.%m.%Y %H:%M:%S"), *(_comma(value) for value in b[1:])] for b in bars
    ]
    text = _lines(rows, ";", "Datum;Eröffnung;Hoch;Tief;Schluss;Stück").decode().replace("\n", "\r\n")
    return Export("Kurse.CSV", text.encode("cp1252"), ("--zone", "Europe/Berlin", "--dates", "dmy"))


def _excel_american(bars: Sequence[Bar]) -> Export:
    rows = [[_utc(b, "%m/%d/%Y %I:%M:%S %p"), *(f'"{value:,}"' for value in b[1:5]), b.volume] for b in bars]
    return Export(
        "prices.csv", _lines(rows, header="Date,Open,High,Low,Close,Volume"), ("--zone", "UTC", "--dates", "mdy")
    )


def _powershell(bars: Sequence[Bar]) -> Export:
    body = _lines([[_utc(b, "%Y-%m-%dT%H:%M:%SZ"), *b[1:]] for b in bars], header="ts,open,high,low,close,volume")
    return Export("out.csv", body.decode().encode("utf-16"))


def _dukascopy(bars: Sequence[Bar]) -> Export:
    rows = [[_utc(b, "%d.%m.%Y %H:%M:%S.000"), *b[1:]] for b in bars]
    return Export(
        "BTCUSD_Candlestick_1_M_BID.csv", _lines(rows, header="Gmt time,Open,High,Low,Close,Volume"), ("--dates", "dmy")
    )


def _histdata(bars: Sequence[Bar]) -> Export:
    rows = [[_utc(b, "%Y%m%d %H%M%S"), *b[1:]] for b in bars]
    return Export("DAT_ASCII_BTCUSD_M1.csv", _lines(rows, ";"), ("--zone", "UTC"))


def _coinbase(bars: Sequence[Bar]) -> Export:
    rows = [[int(b.ts), b.low, b.high, b.open, b.close, b.volume] for b in reversed(bars)]
    return Export("candles.json", json.dumps(rows).encode())


def _bitfinex(bars: Sequence[Bar]) -> Export:
    rows = [[int(b.ts * 1000), b.open, b.close, b.high, b.low, b.volume] for b in reversed(bars)]
    return Export("hist.json", json.dumps(rows).encode())


def _gzip(bars: Sequence[Bar]) -> Export:
    head = "open_time,open,high,low,close,volume,quote_volume"
    rows = [[int(b.ts * 1_000_000_000), *b[1:], b.volume * b.close] for b in bars]
    return Export("bars.csv.gz", gzip.compress(_lines(rows, header=head), mtime=0))


EXPORTS: dict[str, Callable[[Sequence[Bar]], Export]] = {
    "Binance zip": _binance_zip,
    "Binance since 2025": _binance_us,
    "Kraken archive": _kraken,
    "Kraken with average price": _kraken_vwap,
    "CryptoDataDownload": _cryptodatadownload,
    "TradingView": _tradingview,
    "TradingView seconds": _tradingview_s,
    "Yahoo": _yahoo,
    "yfinance": _yfinance,
    "MetaTrader 5": _metatrader5,
    "MetaTrader 4": _metatrader4,
    "freqtrade JSON": _freqtrade_json,
    "freqtrade feather": _freqtrade_feather,
    "pandas parquet": _parquet_index,
    "Excel German": _excel_german,
    "Excel American": _excel_american,
    "PowerShell": _powershell,
    "Dukascopy": _dukascopy,
    "HistData": _histdata,
    "Coinbase JSON": _coinbase,
    "Bitfinex JSON": _bitfinex,
    "nanoseconds gzip": _gzip,
}
