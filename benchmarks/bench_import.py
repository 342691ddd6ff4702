"""A year of minutes read as `data import` reads it, beside `pandas.read_csv`; each in a process of its own, with its memory."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import synthetic_bars

from peaktrade_core.testing.exports import EXPORTS

SOURCES = ("Kraken archive", "CryptoDataDownload", "TradingView", "Excel German", "Binance zip")
READERS = {
    "ours": (
        "from pathlib import Path\nfrom peaktrade_core.candles.imports import read_import\n"
        "from peaktrade_core.candles.files.dialect import Dialect\n",
        "found = len(read_import(Path(name), None, None, Dialect(**told), now=4e9)[0])",
    ),
    "pandas": ("import pandas\n", "found = len(pandas.read_csv(name, **how))"),
}
HOW = {
    "Kraken archive": {"header": None},
    "CryptoDataDownload": {"skiprows": 1, "parse_dates": ["date"]},
    "TradingView": {"parse_dates": ["time"]},
    "Excel German": {
        "sep": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "parse_dates": ["Datum"], "dayfirst": True
    },
    "Binance zip": {"header": None},
}  # fmt: skip


def measured(
    reader: str, name: str, told: dict[str, str], how: dict[str, object], runs: int
) -> tuple[float, float, int]:
    """Return the shortest CPU time [s], the peak of memory [MB] and the rows found, of a new process."""
    imports, act = READERS[reader]
    script = (
        f"import json, re, sys, time\n{imports}name, told, how, runs = json.loads(sys.argv[1])\nbest = 1e9\n"
        f"for _ in range(runs):\n    begin = time.process_time()\n    {act}\n    best = min(best, time.process_time() - begin)\n"
        "print(json.dumps([best, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024, found]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([name, told, how, runs])], capture_output=True, text=True, check=True
    )
    seconds, memory, rows = json.loads(done.stdout)
    return seconds, memory, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=525_600)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    bars = synthetic_bars(42, given.bars)
    rows = [bars[row] for row in range(len(bars))]
    heads = ("ours [s]", "pandas [s]", "ratio", "ours [MB]", "pandas [MB]", "file [MB]")
    print(f"{'source':20}", *(f"{head:>12}" for head in heads))
    with tempfile.TemporaryDirectory() as folder:
        for source in SOURCES:
            export = EXPORTS[source](rows)
            path = Path(folder) / export.name
            path.write_bytes(export.data)
            told = dict(zip((flag[2:] for flag in export.flags[::2]), export.flags[1::2], strict=True))
            ours, our_memory, found = measured("ours", str(path), told, {}, given.runs)
            theirs, their_memory, _ = measured("pandas", str(path), {}, HOW[source], given.runs)
            if found != given.bars:
                raise SystemExit(f"{source}: {found} bars were read of {given.bars}")
            figures = (ours, theirs, theirs / ours, our_memory, their_memory, len(export.data) / 1e6)
            print(f"{source:20}", *(f"{figure:12.2f}" for figure in figures))


if __name__ == "__main__":
    main()
