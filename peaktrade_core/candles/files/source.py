"""From a file to text: only regular files, of a size that fits, unpacked, decoded, without comment lines.

Nothing is said yet about what the text means.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from errno import EFBIG
from pathlib import Path
from typing import IO, Any, NamedTuple

from peaktrade_core.base.errors import DataError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.candles.files.dialect import Understood, shown
from peaktrade_core.show.wording import many

MOST_BYTES = 1 << 30  # of a file, and of what is packed in it: about ten years of minutes, two months of seconds
COMMENTS = (b"#", b"//", b"%")
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd", b"PK": "zip"}
FOREIGN = {
    b"\x89HDF": "an HDF5 file",
    b"\x80\x04": "a pickle, which could run code",
    b"\x80\x05": "a pickle, which could run code",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite": "a database",
    b"%PDF": "a PDF",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class SourceText(NamedTuple):
    """The text of a file as UTF-8.

    Attributes:
        data: all of it, with line feeds only; ended: whether its last line has an end.
    """

    data: bytes
    ended: bool


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        DataError: it is not there, not a plain file, too large, or cannot be read.
    """
    try:
        return read_plain(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: no such file; give a file of candles") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder without parquet files; give a file of candles") from None
    except (OSError, ValueError) as error:
        more = "; split it by year" if isinstance(error, OSError) and error.errno == EFBIG else ""
        raise DataError(f"{shown(path)}: cannot be read: {why(error)}{more}") from None


def unpacked(path: Path, data: bytes, understood: Understood) -> bytes:
    """Return what is packed in a file, or the file as it is.

    Raises:
        DataError: it is damaged, holds several files or is no text.
    """
    for _ in range(3):  # a gzip in a zip
        kind = next((name for magic, name in PACKED.items() if data.startswith(magic)), None)
        if kind is None:
            break
        data, name = _unpacked(path, data, kind)
        understood.says["packed"] = f"{kind}{f', {shown(name)} in it' if name else ''}"
    foreign = next((name for magic, name in FOREIGN.items() if data.startswith(magic)), None)
    if foreign:
        raise DataError(f"{path}: is {foreign}; save the candles as CSV or parquet")
    return data


def _unpacked(path: Path, data: bytes, kind: str) -> tuple[bytes, str]:
    """Return what is packed in ``data`` and its name, where it has one."""
    try:
        if kind == "zip":
            return _member(path, data)
        source: Any
        if kind == "gzip":
            source = gzip.GzipFile(fileobj=io.BytesIO(data))
        elif kind == "bzip2":
            source = bz2.BZ2File(io.BytesIO(data))
        elif kind == "xz":
            source = lzma.LZMAFile(io.BytesIO(data))  # noqa: SIM115 - closed below
        else:
            import pyarrow as pa

            source = pa.CompressedInputStream(pa.BufferReader(data), "zstd")
        with source:
            return _limited(path, source), ""
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{path}: the {kind} archive is damaged: {why(error)}; get the file again") from None


def _member(path: Path, data: bytes) -> tuple[bytes, str]:
    """Return the one file in a zip archive and its name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [one for one in archive.infolist() if not one.is_dir() and not _beside(one.filename)]
        if any(one.filename.startswith(("xl/", "content.xml")) for one in members):
            raise DataError(f"{path}: is a workbook; save its sheet as CSV")
        if len(members) != 1:
            names = ", ".join(shown(one.filename) for one in members[:5]) or "none"
            raise DataError(f"{path}: holds {many(len(members), 'file')} ({names}); unpack it and give one of them")
        if members[0].flag_bits & 1:
            raise DataError(f"{path}: is locked with a password; unpack it first")
        with archive.open(members[0]) as source:
            return _limited(path, source), members[0].filename


def _beside(name: str) -> bool:
    """Return whether a member of an archive is not what it was packed for."""
    last = name.rpartition("/")[2].lower()
    return (
        name.startswith("__MACOSX/")
        or last.startswith((".", "readme", "license"))
        or last.endswith((".checksum", ".md5"))
    )


def _limited(path: Path, source: IO[bytes]) -> bytes:
    """Read all, but no more than a file may have."""
    data = source.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DataError(f"{path}: unpacks to more than {MOST_BYTES / 1e9:,.1f} GB; split it by year")
    return data


def text_of(path: Path, data: bytes, encoding: str | None, understood: Understood) -> SourceText:
    """Return the text as UTF-8, its lines ended by line feeds, comment lines and blank lines at its end taken out.

    Raises:
        DataError: it is no text, or not of the encoding that was told.
    """
    known = next(((bom, name) for bom, name in _BOMS if data.startswith(bom)), None)
    name = encoding or (known[1] if known else _without_mark(data))
    try:
        if name == "utf-8" and data.isascii():
            said = "utf-8"
        else:
            data, said = data.decode(name).removeprefix("\ufeff").encode(), name.removesuffix("-sig")
    except UnicodeError:
        if encoding or known:
            raise DataError(f"{path}: is not {name} throughout; get the file again or tell another encoding") from None
        data, said = data.decode("cp1252", errors="replace").encode(), "cp1252"
    if b"\0" in data:
        raise DataError(f"{path}: holds bytes that no text has (NUL); is it a file of candles?")
    understood.says["encoding"] = said + (" with byte order mark" if known else "")
    understood.dialect["encoding"] = said
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    ended = data.endswith(b"\n")
    return SourceText(_without_comments(data, understood), ended)


def _without_mark(data: bytes) -> str:
    """Return the encoding of text without a byte order mark, as far as zero bytes show it."""
    start = data[:2000]
    if start.count(0) * 3 > len(start):
        return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    return "utf-8"


def _without_comments(data: bytes, understood: Understood) -> bytes:
    """Take comment lines out and say how many they were."""
    if not any(data.startswith(mark) or b"\n" + mark in data for mark in COMMENTS):
        return data
    lines = data.split(b"\n")
    kept = [line for line in lines if not line.startswith(COMMENTS)]
    first = next(number for number, line in enumerate(lines, 1) if line.startswith(COMMENTS))
    understood.leave_out(len(lines) - len(kept), "comment lines", f"line {first}")
    return b"\n".join(kept)
