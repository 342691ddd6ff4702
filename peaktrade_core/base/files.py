"""Files as wholes: written so that no reader sees half of one; TOML, read."""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from peaktrade_core.base.errors import ConfigError, EnvironmentFault


def write_atomic(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``: temporary file in the same folder, fsync, rename, fsync of the folder.

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
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {path}: {error.strerror or error}; check the permissions and the free space of {path.parent}"
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        ConfigError: it cannot be read or is not TOML; names the file and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits, or in a word why there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
