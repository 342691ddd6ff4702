"""Files as wholes: written so that no reader sees half of one, read, listed; TOML; answers kept while a file stays."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import datetime
from errno import EFBIG, EINVAL, EISDIR
from io import FileIO
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why

LARGEST = 64 << 20  # bytes of a file that is read as a whole
SETTLED_NS = 50_000_000  # a folder that changed just now may change again within the clock's grain [ns]
DEPTH = 3  # folders below folders that are looked into

Answer = TypeVar("Answer")
MOST_OF_A_NAME = 1000  # files that differ by a number only


def write_new(folder: Path, stem: str, files: Mapping[str, bytes]) -> list[Path]:
    """Write files of one name under a stem that is not taken yet, ``stem``, ``stem_2`` ..., and return their paths.

    Nothing is ever replaced, also when two processes write at the same moment.

    Args:
        folder: where; it is made if it is missing.
        stem: the name without its suffix.
        files: what to write, by suffix (``md``, ``html``).

    Raises:
        EnvironmentFault: the folder cannot be written or the disk is full; nothing is left of it.
    """
    for number in range(1, MOST_OF_A_NAME):
        name = stem if number == 1 else f"{stem}_{number}"
        paths = [folder / f"{name}.{suffix}" for suffix in files]
        claimed: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in paths:
                path.touch(exist_ok=False)
                claimed.append(path)
            for path, data in zip(paths, files.values(), strict=True):
                write_atomic(path, data)
        except BaseException as error:
            for path in claimed:
                path.unlink(missing_ok=True)
            if isinstance(error, FileExistsError) and folder.is_dir():
                continue
            if isinstance(error, OSError):
                raise EnvironmentFault(f"cannot write to {folder}: {why(error)}") from error
            raise
        return paths
    raise EnvironmentFault(f"{folder} holds a thousand files named {stem}; move them away")


def write_atomic(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Replace ``path`` by ``data``: temporary file in the same folder, fsync, rename, fsync of the folder.

    Who may read it stays as it was: a file that its owner closed is not opened to others.

    Args:
        like: a file whose permissions it takes, in the place of its own.

    Raises:
        EnvironmentFault: the folder cannot be written or the disk is full; the old file is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, _mode(like or path))
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error


def write_plain(path: Path, data: bytes) -> None:
    """Write a file that nobody reads before it is whole, without waiting for the disk.

    Raises:
        EnvironmentFault: it cannot be written, or the disk is full.
    """
    try:
        path.write_bytes(data)
    except OSError as error:  # of a full disk it does not name the file
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot write {path}: {why(error)}; check the permissions and the free space of {path.parent}"
    )


def _mode(path: Path) -> int:
    """Return the permissions of a file; of one that is not there, what everybody may read."""
    try:
        return S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o644


def open_plain(path: str | Path) -> FileIO:
    """Open a plain file for reading, without a buffer; a pipe or a device in its place is not waited for.

    Raises:
        OSError: as ``open`` does, and where it is not a plain file.
    """
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(fd).st_mode
    if S_ISREG(mode):
        return FileIO(fd)
    os.close(fd)
    if S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    raise OSError(EINVAL, "it is not a plain file", str(path))


def read_plain(path: Path, most: int = LARGEST) -> bytes:
    """Return what a plain file holds, read as a whole.

    Raises:
        OSError: as :func:`open_plain`, and where it is larger than ``most`` bytes.
    """
    with open_plain(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise OSError(EFBIG, f"it is too large: {size:,} bytes, at most {most:,}", str(path))
        return file.readall() or b""


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        ConfigError: it cannot be read or is not TOML; names the file and the line.
    """
    try:
        data = read_plain(path)
        return tomllib.loads(data.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {why(error)}") from None
    except UnicodeDecodeError as error:
        line, utf_16 = data[: error.start].count(b"\n") + 1, data[:2] in (b"\xff\xfe", b"\xfe\xff")
        written = "as UTF-16" if utf_16 else f"with byte 0x{data[error.start]:02x}, perhaps as Latin-1"
        raise ConfigError(
            f"{path}, line {line}: the file is not UTF-8 but written {written}; save it as UTF-8"
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: lists or tables lie too deep in each other; write it flat") from None
    except ValueError as error:  # TOMLDecodeError, and numbers of more digits than Python reads
        raise ConfigError(f"{path}: {error}") from None


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable, where the platform can."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders; the rename is then as durable as the platform makes it
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def as_json(value: object) -> bytes:
    """Return a value as the JSON file that people and programs read: indented, a line's end behind it; NaN becomes null."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def below(home: Path, path: Path) -> str:
    """Return a path as seen from a folder, the name alone of a file that does not lie in it."""
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name


def short_digest(data: bytes) -> str:
    """Return the first digits of the SHA-256 of something that is known again by it: ``sha256 0123456789ab``."""
    return f"sha256 {hashlib.sha256(data).hexdigest()[:12]}"


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits, or in a word why there is none."""
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"


def found_in(folder: Path, form: str) -> list[Path]:
    """Return what fits a form in a folder (``EV-*.json``) by name; nothing where there is no folder.

    Raises:
        EnvironmentFault: the folder is there and cannot be listed: that is not the same as empty.
    """
    try:
        with os.scandir(folder):
            return sorted(folder.glob(form))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise EnvironmentFault(f"cannot read {folder}: {why(error)}; check its permissions") from None


class File(NamedTuple):
    """A file and when it last changed, UTC."""

    path: Path
    changed_at: datetime


class Folders:
    """Listings of folders, each good until the folder's own time changes; files are replaced by renaming."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[int, list[File], list[Path]]] = {}

    def files(self, folder: Path, depth: int = DEPTH) -> Iterator[File]:
        """Yield the files in a folder and below; hidden, temporary and vanished ones are left out.

        Raises:
            OSError: the folder is there but cannot be listed.
        """
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        kept = self._kept.get(folder)
        if kept is None or kept[0] != changed:
            kept = (changed, *_listed(folder))
            if time.time_ns() - changed > SETTLED_NS:
                self._kept[folder] = kept
        yield from kept[1]
        if depth:
            for inner in kept[2]:
                yield from self.files(inner, depth - 1)


class Names:
    """The names of what is in a folder, listed anew only when the folder changed.

    Args (of the constructor):
        folder: may be missing, which is an empty one.
        wanted: which of its entries count.
    """

    def __init__(self, folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> None:
        self._folder, self._wanted = folder, wanted
        self._kept = (-1, frozenset[str]())  # when the folder changed [ns since epoch], and its names then

    def __call__(self) -> frozenset[str]:
        """Return them, none where there is no folder.

        Raises:
            EnvironmentFault: it is there and cannot be listed.
        """
        try:
            changed = self._folder.stat().st_mtime_ns
            if changed != self._kept[0]:
                with os.scandir(self._folder) as items:
                    found = frozenset(item.name for item in items if self._wanted(item))
                settled = time.time_ns() - changed > SETTLED_NS
                self._kept = (changed if settled else -1, found)
            return self._kept[1]
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self._folder}: {why(error)}; check its permissions") from None


def _listed(folder: Path) -> tuple[list[File], list[Path]]:
    """Return the plain files and the folders in a folder."""
    files, folders = [], []
    with os.scandir(folder) as items:
        for item in items:
            if item.name.startswith(".") or item.name.endswith((".tmp", ".lock")):
                continue
            try:
                if item.is_dir(follow_symlinks=False):
                    folders.append(folder / item.name)
                elif item.is_file():
                    files.append(File(folder / item.name, from_seconds(item.stat().st_mtime)))
            except (OSError, OverflowError):
                continue
    return files, folders


class FileCache(Generic[Answer]):
    """The newest answers; several threads may ask.

    Args (of the constructor):
        most: how many are kept.
    """

    def __init__(self, most: int = 32) -> None:
        self._kept: OrderedDict[Hashable, tuple[tuple[int, int, int], Answer]] = OrderedDict()
        self._most, self._lock = most, Lock()

    def get(self, path: Path, question: Hashable, answer: Callable[[], Answer]) -> Answer:
        """Return the answer to a question about a file, asked anew only when the file has changed.

        Raises:
            OSError: the file is not there; and what ``answer`` raises.
        """
        stat = path.stat()
        state, key = (stat.st_ino, stat.st_mtime_ns, stat.st_size), (path, question)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept[0] != state:
            kept = (state, answer())
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept[1]


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with a file (time of change in ns, bytes, inode), None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
