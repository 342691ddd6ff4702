"""The archive of a workspace: a tar with gzip that is written in one go, and a manifest at its end.

A file that changed while it was written stands in it twice; the last one counts, as tar has it. The manifest names each
file with its size and SHA-256, so that nothing is taken from an archive that is not as it was made.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import open_plain, sync_folder

MANIFEST = "MANIFEST.json"
SCHEMA = 1
_CHUNK = 1 << 20
_GROWS = (".jsonl", ".log")  # of these whole lines are taken


class ArchivedFile(msgspec.Struct, frozen=True):
    """One file: its size [bytes] and its SHA-256."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself.

    Attributes:
        home: the workspace; made_at: aware UTC; by: who made it.
        entries, head: of the ledger in it, how many and the hash of the last; an empty head where there was none.
        files: by name below the workspace.
    """

    schema: int
    home: str
    made_at: datetime
    by: str
    entries: int
    head: str
    files: dict[str, ArchivedFile]

    @property
    def size(self) -> int:
        """All files together [bytes]."""
        return sum(one.size for one in self.files.values())


class Writer:
    """Writes an archive under a hidden name, which it takes off at the end.

    Args (of the constructor):
        path: the archive; nothing may be there.

    Attributes:
        files: what is in it so far, by name.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._staged = path, path.with_name(f".{path.name}.tmp")
        self.files: dict[str, ArchivedFile] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(self._staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._packed = gzip.GzipFile(path.name, "wb", 1, self._file, 0)
        self._tar = tarfile.open(fileobj=self._packed, mode="w")  # noqa: SIM115 - closed in finish

    def add(self, name: str, path: Path, *, whole: bool = False) -> None:
        """Add a file as it is now; one that vanished is left out, of a log only whole lines are taken.

        Args:
            name: below the workspace; path: where it is; whole: take an unfinished last line of a log, too.

        Raises:
            EnvironmentFault: it cannot be read; OSError: the archive cannot be written.
        """
        try:
            with _opened(path) as file:
                cut = path.suffix in _GROWS and not whole
                size = _whole(file) if cut else os.fstat(file.fileno()).st_size
                self._put(name, file, size)
        except FileNotFoundError:
            self.files.pop(_key(name), None)
        except _Unreadable as error:
            raise EnvironmentFault(f"cannot read {path}: {error}; a backup without it would be none") from None

    def put(self, name: str, data: bytes) -> None:
        """Add a file with what is given."""
        self._put(name, io.BytesIO(data), len(data))

    def _put(self, name: str, source: Any, size: int) -> None:
        self.files[_key(name)] = self._packs(name, source, size)

    def _packs(self, name: str, source: Any, size: int) -> ArchivedFile:
        about = tarfile.TarInfo(name)
        about.size, about.mode = size, 0o600
        reading = _Reading(source, size)
        self._tar.addfile(about, reading)
        return ArchivedFile(size, reading.digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, force all of it to the disk and give the archive its name."""
        data = msgspec.json.encode(manifest)
        self._packs(MANIFEST, io.BytesIO(data), len(data))
        self._tar.close()
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._staged, self.path)
        sync_folder(self.path.parent)

    def drop(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError, ValueError):
            self._packed.close()
        with suppress(OSError):
            self._file.close()
        self._staged.unlink(missing_ok=True)


class _Unreadable(Exception):
    """That a file cannot be read."""


def _opened(path: Path) -> IO[bytes]:
    """Open a file that is to be copied.

    Raises:
        FileNotFoundError: it vanished; _Unreadable: it cannot be opened.
    """
    try:
        return open_plain(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _Unreadable(why(error)) from None


def _key(name: str) -> str:
    """Return a name as the manifest has it: bytes of it that are not UTF-8 are written out."""
    return os.fsencode(name).decode(errors="backslashreplace")


class _Reading:
    """A file of which so many bytes are read, and their hash; what a file that shrank lacks is an error."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source, self._left = source, size
        self.digest = hashlib.sha256()

    def read(self, most: int = -1) -> bytes:
        try:
            data = self._source.read(min(most if most >= 0 else self._left, self._left)) or b""
        except OSError as error:
            raise _Unreadable(why(error)) from None
        if not data and self._left:
            raise _Unreadable(f"it became shorter while it was read, by {self._left:,} bytes")
        self._left -= len(data)
        self.digest.update(data)
        return data


def _whole(file: Any) -> int:
    """Return how many bytes of an open log are whole lines; it is set back to its beginning."""
    size = end = os.fstat(file.fileno()).st_size
    while end > 0:
        begin = max(0, end - _CHUNK)
        file.seek(begin)
        at = (file.read(end - begin) or b"").rfind(b"\n")
        if at >= 0:
            size = begin + at + 1
            break
        size = end = begin
    file.seek(0)
    return int(size)


def read_archive(path: Path, into: Path | None = None) -> Manifest:
    """Return the manifest of an archive after each file was compared with it, written below ``into`` where that is given.

    Raises:
        ArtefactError: it is no such archive, damaged, or not as its manifest says.
        EnvironmentFault: it cannot be read, or the files cannot be written.
    """
    found, names = dict[str, ArchivedFile](), dict[str, str]()
    last: bytes | None = (
        None  # called MANIFEST: the manifest is the last of that name, one before it is a file of theirs
    )
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|gz") as tar:
            for member, source in _members(path, tar):
                taken, size = source, member.size
                if member.name == MANIFEST:
                    before, last = last, source.read()
                    if before is None:
                        continue
                    taken, size = io.BytesIO(before), len(before)
                names[_key(member.name)] = member.name
                found[_key(member.name)] = _taken(taken, size, into / member.name if into else None)
            manifest = None if last is None else msgspec.json.decode(last, type=Manifest)
    except FileNotFoundError:
        raise EnvironmentFault(f"{path}: no such file") from None
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path} is damaged, or no backup: {why(error)}; take another one") from None
    except OSError as error:
        raise EnvironmentFault(f"cannot restore {path}: {why(error)}") from error
    if manifest is None:
        raise ArtefactError(f"{path} has no manifest: it was cut off, or is no backup; take another one")
    if manifest.schema > SCHEMA:
        raise ArtefactError(f"{path} was made by a newer peaktrade; upgrade this one")
    wrong = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
    for name in [name for name in wrong if name not in manifest.files and into is not None]:
        (into / names[name]).unlink(missing_ok=True)  # type: ignore[operator] # it vanished while the archive was made
    if lost := [name for name in wrong if name in manifest.files]:
        raise ArtefactError(f"{path}: {lost[0]} is not as it was when the backup was made ({len(lost)} such files)")
    return manifest


def _members(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Yield the files in an archive.

    Raises:
        ArtefactError: a name leads out of it, or something is no file.
    """
    for member in tar:
        parts = PurePosixPath(member.name).parts
        if not member.isreg() or member.name.startswith("/") or ".." in parts or not parts:
            raise ArtefactError(f"{path}: {member.name!r} is no file of a workspace; this is no backup that we made")
        source = tar.extractfile(member)
        assert source is not None
        yield member, source


def _taken(source: IO[bytes], size: int, to: Path | None) -> ArchivedFile:
    """Read a file, write it where that is asked for, and return what it is."""
    digest, left = hashlib.sha256(), size
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") if to else open(os.devnull, "wb") as file:
        while left > 0 and (data := source.read(min(_CHUNK, left))):
            digest.update(data)
            file.write(data)
            left -= len(data)
        if to is not None:
            file.flush()
            os.fsync(file.fileno())
    return ArchivedFile(size - left, digest.hexdigest())
