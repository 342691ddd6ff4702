"""A file of candles as columns with or without names: delimited text, JSON, parquet or feather.

Which column is what is said by :mod:`peaktrade_core.candles.files.roles`; here only cells and their names are found.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.base.errors import DataError, why
from peaktrade_core.candles.files import source
from peaktrade_core.candles.files.dialect import Dialect, Understood, shown
from peaktrade_core.candles.files.names import is_header, role_of

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "|": "|", "space": " "}
SPOKEN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
WORDS = {sign: word for word, sign in DELIMITERS.items()}
SAMPLE = 1 << 16  # bytes in which the form of delimited text is looked for
LARGE = (
    1 << 20
)  # a file from which on more than one thread reads it [bytes]; a smaller one is read before it has started
FEWEST = 5  # columns: a time and four prices
MOST_COLUMNS = 500
_VALUE = re.compile(
    r"^\s*[-+$€£]?[\d.,:/\-T '+Z\u00a0]*\d[\d.,:/\-T '+Z\u00a0]*(?:[eE][+-]?\d+|[kKmMbB%])?\s*$|^\s*(?:nan|null)?\s*$",
    re.I,
)


class Sheet(NamedTuple):
    """The cells of a file.

    Attributes:
        columns: text, or typed as the file has them; names: of the columns, ``1``, ``2`` ... where none stand there.
        named: whether names stand there; fields: what separates fields, None where nothing does.
        cut: whether the last line has no end, so that its last field may be cut off.
        market: the market that stands above the data, empty where none does.
    """

    columns: list[pa.ChunkedArray]
    names: list[str]
    named: bool
    fields: str | None = None
    cut: bool = False
    market: str = ""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.columns[0]) if self.columns else 0

    def where(self, keep: pa.ChunkedArray) -> Sheet:
        """Return only the rows that ``keep`` names."""
        return self._replace(columns=[column.filter(keep) for column in self.columns])


def read_sheet(path: Path, dialect: Dialect, understood: Understood) -> Sheet:
    """Return the cells of a file.

    Raises:
        DataError: it cannot be read, or is no table.
    """
    data = source.read_bytes(path)
    named_so = path.suffix.lower() in (".parquet", ".pq", ".feather", ".arrow", ".ipc")
    if not named_so:
        data = source.unpacked(path, data, understood)
    if named_so or data[:4] in (b"PAR1", b"ARRO", b"FEA1"):
        return _typed(path, data, understood)
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise DataError(f"{path}: unknown kind of file {path.suffix!r}; save its sheet as CSV")
    text = source.text_of(path, data, dialect.encoding, understood)
    start = text.data[:100].lstrip()
    if not start:
        raise DataError(f"{path}: cannot be read as candles: it is empty")
    if start[:1] in (b"[", b"{"):
        from peaktrade_core.candles.files.nested import sheet_of_json

        return sheet_of_json(path, text.data, understood)
    return _delimited(path, text, dialect, understood)


def _typed(path: Path, data: bytes, understood: Understood) -> Sheet:
    """Return the columns of a parquet or feather file."""
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    parquet = path.suffix.lower() in (".parquet", ".pq") or data[:4] == b"PAR1"
    kind = "parquet" if parquet else "feather"
    try:
        given = pa.BufferReader(data)
        large = len(data) > LARGE
        if parquet:
            table = pa.parquet.ParquetFile(given, pre_buffer=large).read(use_threads=large)
        else:
            table = pa.feather.read_table(given, use_threads=large)
        columns = [_plain(column) for column in table.columns]
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise DataError(f"{path}: cannot be read as {kind}: {shown(why(error).splitlines()[0])}") from None
    understood.says["form"] = kind
    return Sheet(columns, list(table.column_names), named=True)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of categories as what they stand for, and text as one type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
    if pa.types.is_large_string(column.type) or "string_view" in str(column.type):
        column = pc.cast(column, pa.string())
    return column


class _Form(NamedTuple):
    """The form of delimited text: what separates fields, how many, their names, where the data begins [bytes]."""

    delimiter: str
    width: int
    names: list[str] | None
    begin: int
    before: list[str]
    market: str


def _delimited(path: Path, text: source.SourceText, dialect: Dialect, understood: Understood) -> Sheet:
    """Return the fields of delimited text, all as text."""
    lines = text.data[:SAMPLE].split(b"\n")
    if len(text.data) > SAMPLE and len(lines) > 1:
        lines.pop()
    decoded = [line.decode(errors="replace") for line in lines]
    form = _form(path, decoded, [len(line) + 1 for line in lines], dialect)
    understood.says["form"] = f"text, fields separated by {SPOKEN[form.delimiter]}"
    understood.dialect["delimiter"] = WORDS[form.delimiter]
    understood.dialect["header"] = "yes" if form.names else "no"
    understood.leave_out(len(form.before), "lines before the data", shown(form.before[0]) if form.before else "")
    columns = _parsed(path, text.data[form.begin :], form)
    names = form.names or [str(number) for number in range(1, form.width + 1)]
    return Sheet(columns, names, form.names is not None, form.delimiter, not text.ended, form.market)


def _form(path: Path, lines: list[str], lengths: list[int], dialect: Dialect) -> _Form:
    """Find what separates the fields and where names and data begin."""
    if lines and re.fullmatch(r"\s*\"?sep=.\"?\s*", lines[0], re.I):
        told = lines[0].strip().strip('"')[4:]
        if told in WORDS and dialect.delimiter is None:
            dialect = Dialect(delimiter=WORDS[told], header=dialect.header)
    signs = [DELIMITERS[dialect.delimiter]] if dialect.delimiter else list(DELIMITERS.values())
    best, found = 0.0, None
    for sign in signs:
        rows = [_split(line, sign) for line in lines]
        filled = [row for row in rows if len(row) > 1 or (row and row[0].strip())]
        counts = Counter(len(row) for row in filled if any(map(str.strip, row)))
        wide = {count: often for count, often in counts.items() if FEWEST <= count <= MOST_COLUMNS}
        if not wide or (sign == " " and found):
            continue
        count = max(wide, key=lambda n: (wide[n], n))
        data = [row for row in filled if len(row) == count and _is_data(row)]
        share = sum(bool(_VALUE.match(cell)) for row in data for cell in row) / max(1, len(filled) * count)
        if data and share > best:
            best, found = share, (sign, count, rows)
    if found is None:
        raise DataError(
            f"{path}: cannot be read as csv: no rows with a time and four prices, separated by comma, semicolon, tab or |"
            if any(line.strip() for line in lines[1:])
            else f"{path}: holds no candles"
        )
    sign, count, rows = found
    first = next(n for n, row in enumerate(rows) if len(row) == count and _is_data(row))
    above = [(n, rows[n]) for n in range(first) if any(map(str.strip, rows[n]))]
    names, taken = (None, -1) if dialect.header == "no" else _names(above, count)
    if dialect.header == "yes" and names is None:
        names, first = rows[first], first + 1
    strange = next((row for _, row in above if names is None and is_header(row)), None)
    if strange and dialect.header != "no":
        raise DataError(
            f"{path}: names {len(strange)} columns, but its rows have {count} fields; decimal commas between commas, perhaps: "
            "get the file with semicolons, or decimal points"
        )
    before = [lines[n] for n, _ in above if n != taken]
    tickers = next((row[1:] for _, row in above if row[0].strip().lower() == "ticker"), [])
    market = tickers[0].strip() if len({cell for cell in tickers if cell.strip()}) == 1 else ""
    return _Form(sign, count, names, sum(lengths[:first]), before, market)


def _names(above: list[tuple[int, list[str]]], count: int) -> tuple[list[str] | None, int]:
    """Return the row that names the columns and its line, of the rows above the data."""
    fitting = [
        (n, row) for n, row in above if abs(len(row) - count) <= 1 and sum(bool(cell.strip()) for cell in row) > 1
    ]
    if not fitting:
        return None, -1
    known = [(n, row) for n, row in fitting if is_header(row)]
    number, row = (known or fitting)[-1] if not known else known[0]
    names = [*(cell.strip() for cell in row), *[""] * count][:count]
    tickers = [row for _, row in fitting if row[0].strip().lower() == "ticker"]
    if tickers and role_of(names[0]) != "time":  # three lines of names: Price,Close,.. / Ticker,BTC-USD,.. / Date,,..
        names[0] = "Date"
        if len({cell for cell in tickers[0][1:] if cell.strip()}) > 1:
            names = [
                f"{name} {ticker}" if ticker.strip() else name for name, ticker in zip(names, tickers[0], strict=False)
            ]
    return names, number


def _split(line: str, sign: str) -> list[str]:
    """Return the fields of a line."""
    if sign == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=sign), [])
    except csv.Error:
        return []


def _is_data(row: list[str]) -> bool:
    """Return whether a row holds values: at least four fields with digits that are no words, or nothing but blanks."""
    return sum(bool(cell.strip()) and bool(_VALUE.match(cell)) and any(map(str.isdigit, cell)) for cell in row) >= 4


def _parsed(path: Path, body: bytes, form: _Form) -> list[pa.ChunkedArray]:
    """Return the fields of the rows as columns of text; lines with nothing but blanks are passed over."""
    import pyarrow as pa
    import pyarrow.csv

    if form.delimiter == " ":
        body = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", body))
    names = [str(number) for number in range(form.width)]
    blank = form.delimiter + ' "\t'

    def handle(row: pa.csv.InvalidRow) -> str:
        return "error" if row.text.strip(blank) else "skip"

    try:
        table = pa.csv.read_csv(
            io.BytesIO(body),
            pa.csv.ReadOptions(column_names=names, block_size=1 << 22),
            pa.csv.ParseOptions(delimiter=form.delimiter, invalid_row_handler=handle),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as csv: {_fault(body, form) or shown(error)}") from None
    return list(table.columns)


def _fault(body: bytes, form: _Form) -> str:
    """Return in words which row has more or fewer fields than the others."""
    number = 0
    for line in body.decode(errors="replace").split("\n"):
        row = _split(line, form.delimiter)
        number += bool(row)
        if row and len(row) != form.width and line.strip(form.delimiter + ' "\t'):
            return f"row {number} has {len(row)} fields where the others have {form.width}: {shown(line)}"
    return ""
