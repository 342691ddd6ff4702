"""Mutated files of candles, seeded: none may be called a bug of ours, hang, or be read as other values without a word.

Bars that are known are written as a source writes them (`testing/exports.py`), then changed: lines cut, doubled, moved or
dropped, other signs, encodings, zones, comments, broken bytes. What is accepted is compared with the known bars: each one
must be there as it was, or be named as left out. ``--start`` repeats one file.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.text import inert
from peaktrade_core.candles.files.dialect import Dialect, UndecidedError
from peaktrade_core.candles.imports import read_import
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.testing.exports import EXPORTS, Export
from peaktrade_core.trading.market import Bar

LONGEST_S = 20.0  # for one small file on a machine with other work
Mutation = Callable[[random.Random, bytes], bytes]


def _lines(change: Callable[[random.Random, list[bytes]], list[bytes]]) -> Mutation:
    return lambda rng, data: b"\n".join(change(rng, data.split(b"\n")))


def _moved(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    a, b = (rng.randrange(len(lines)) for _ in range(2))
    lines[a], lines[b] = lines[b], lines[a]
    return lines


def _dropped(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    at = rng.randrange(len(lines))
    return lines[:at] + lines[at + rng.randrange(1, 4) :]


def _doubled(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    at = rng.randrange(len(lines))
    return lines[: at + 1] + lines[at:]


def _field(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    at = rng.randrange(len(lines))
    sign = next((sign for sign in (b";", b"\t", b",") if lines[at].count(sign) > 3), None)
    if sign is not None:
        parts = lines[at].split(sign)
        where = rng.randrange(len(parts))
        lines[at] = sign.join(parts[:where] + ([b""] if rng.random() < 0.5 else []) + parts[where + 1 :])
    return lines


def _inserted(text: bytes) -> Mutation:
    def insert(rng: random.Random, lines: list[bytes]) -> list[bytes]:
        lines.insert(rng.randrange(len(lines) + 1), text)
        return lines

    return _lines(insert)


def _quoted(rng: random.Random, data: bytes) -> bytes:
    sign = b";" if b";" in data else b"\t" if b"\t" in data else b","
    return b"\n".join(
        sign.join(b'"' + cell + b'"' for cell in line.split(sign)) if line and b'"' not in line else line
        for line in data.split(b"\n")
    )


def _encoded(name: str) -> Mutation:
    return lambda rng, data: data.decode("latin-1").encode(name, errors="ignore")


def _broken(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + bytes(rng.randrange(128, 256) for _ in range(rng.randrange(1, 4))) + data[at + 1 :]


MUTATIONS: dict[str, Mutation] = {
    "none": lambda rng, data: data,
    "cut": lambda rng, data: data[: rng.randrange(1, len(data))],
    "cut near the end": lambda rng, data: data[: -rng.randrange(1, 40)],
    "lines moved": _lines(_moved),
    "lines dropped": _lines(_dropped),
    "line doubled": _lines(_doubled),
    "field lost or added": _lines(_field),
    "reversed": _lines(lambda rng, lines: lines[:1] + lines[1:][::-1]),
    "shuffled": _lines(lambda rng, lines: lines[:1] + rng.sample(lines[1:], len(lines) - 1)),
    "blank commas": _inserted(b",,,,,"),
    "blank lines": _inserted(b"\n\n"),
    "comment": _inserted(b"# exported by hand"),
    "text between": _inserted(b"Total;;;"),
    "escape": _inserted(b"\x1b[2J\x07"),
    "quoted": _quoted,
    "windows": lambda rng, data: data.replace(b"\n", b"\r\n"),
    "old mac": lambda rng, data: data.replace(b"\n", b"\r"),
    "utf-16": _encoded("utf-16"),
    "utf-16 without mark": _encoded("utf-16-le"),
    "utf-8 with mark": _encoded("utf-8-sig"),
    "broken bytes": _broken,
    "commas to semicolons": lambda rng, data: data.replace(b",", b";"),
    "commas to tabs": lambda rng, data: data.replace(b",", b"\t"),
    "points to commas": lambda rng, data: data.replace(b".", b","),
    "headless": _lines(lambda rng, lines: lines[1:]),
    "names in capitals": _lines(lambda rng, lines: [lines[0].upper(), *lines[1:]]),
    "twice": lambda rng, data: data + data,
    "ends with zero bytes": lambda rng, data: data + b"\0" * 100,
    "zones gone": lambda rng, data: data.replace(b"+01:00", b"").replace(b"+00:00", b""),
    "without line end": lambda rng, data: data.rstrip(b"\n"),
}

CUTS = ["none", "cut", "cut near the end", "ends with zero bytes"]


def mutated(seed: int, bars: list[Bar]) -> tuple[Export, list[str], list[Bar]]:
    """Return a file, what was done to it, and the bars that it was written from."""
    rng = random.Random(seed)
    begin = rng.randrange(len(bars) - 200)
    known = bars[begin : begin + rng.randrange(3, 200)]
    known = [bar._replace(ts=known[0].ts + 60.0 * n) for n, bar in enumerate(known)]
    source = rng.choice(list(EXPORTS))
    export = EXPORTS[source](known)
    binary = export.name.endswith((".parquet", ".feather"))  # a changed digit in them cannot be seen: only cut them
    names = [rng.choice(CUTS if binary else list(MUTATIONS)) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    data = export.data
    for name in names:
        data = MUTATIONS[name](rng, data) if data else data
    flags = export.flags if rng.random() < 0.9 else ()
    return export._replace(data=data, flags=flags), [source, *names], known


def judged(export: Export, known: list[Bar], folder: Path) -> tuple[str, str]:
    """Read a file and say how it ended: accepted, asked, refused, or one of the faults."""
    path = folder / export.name
    path.write_bytes(export.data)
    told = dict(zip((flag[2:] for flag in export.flags[::2]), export.flags[1::2], strict=True))
    try:
        bars, understood = read_import(path, None, None, Dialect(**told), now=4e9)
    except UndecidedError as error:
        return "asked", str(error)
    except PeaktradeError as error:
        return "refused" if inert(str(error)) == str(error) else "RAW", str(error)
    except Exception:
        return "BUG", traceback.format_exc()
    truth = {bar.ts: bar for bar in known}
    got = [bars[row] for row in range(len(bars))]
    wrong = [bar for bar in got if truth.get(bar.ts) != bar]
    unsure = any("no line end" in note for note in understood.notes)  # its last value may be cut: that was said
    if unsure and len(wrong) == 1 and wrong[0].ts in (got[0].ts, got[-1].ts):
        return "accepted, last line doubted", ""
    if wrong:
        return "MISREAD", f"{len(wrong)} of {len(got)}, first {wrong[0]}, known {truth.get(wrong[0].ts)}; {understood}"
    return "accepted", ""


def main() -> int:
    """Run so many files and return 1 when one of them is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0, help="seed of the first file")
    given = parser.parse_args()
    bars = list(islice(SyntheticFeed(11, 60), 2000))
    ends: Counter[str] = Counter()
    faults, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.start, given.start + given.files):
            export, done, known = mutated(seed, bars)
            begin = time.perf_counter()
            end, why = judged(export, known, Path(folder))
            took = time.perf_counter() - begin
            slowest = max(slowest, took)
            end = "HANGS" if took > LONGEST_S else end
            ends[end] += 1
            if end.isupper():
                faults += 1
                print(f"seed {seed} ({', '.join(done)}): {end}: {why}", file=sys.stderr)
    print(f"{given.files} files: " + ", ".join(f"{count} {end}" for end, count in ends.most_common()))
    print(f"slowest {slowest:.2f} s, faults {faults}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
