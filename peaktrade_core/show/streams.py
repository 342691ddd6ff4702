"""Standard output and error: there whatever the caller closed, in the characters they have, for results or for words.

What is said on standard error never fails: there is nowhere left to tell it.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO

import click

from peaktrade_core.base.errors import EnvironmentFault, why

_PLAIN = {
    "✓": "v", "✕": "x", "▲": "!", "●": "*", "⊘": "/", "✅": "v", "→": "->", "…": "...", "–": "-", "—": "-", "−": "-",
    "·": "|", "×": "x", "≥": ">=", "≤": "<=", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "€": "EUR", "Σ": "sum",
    "°": "deg", "▼": "v", "▽": "v", "\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "│": "|", "─": "-",
    "■": "#", "◔": "o", "⚠": "!", "░": ".", **dict(zip("▁▂▃▄▅▆▇█", "__--==##", strict=True)),
}  # fmt: skip


class ReaderGone(Exception):
    """Who read standard output has seen enough, as ``head`` does; what was done stays done."""


def speak_plainly() -> None:
    """Let standard output and error be there and replace the signs that they cannot encode, whoever writes there.

    Where the caller closed one of them, what is written there goes nowhere; a file that is opened later must not get its
    number.
    """
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w" if fd else "r", closefd=False, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and not is_unicode(stream.encoding or "ascii"):
            stream.reconfigure(errors="peaktrade")


def put(text: str, *, err: bool = False) -> None:
    """Write text and what ends its line. An error of standard error is passed over: there is nowhere left to tell it.

    Raises:
        ReaderGone: of standard output; EnvironmentFault: it cannot be written, as on a full disk.
    """
    try:
        click.echo(text, err=err, nl=not text.endswith("\n"))
    except OSError as error:
        _to_nowhere(sys.stderr if err else sys.stdout)
        if err:
            return
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from None
        raise EnvironmentFault(
            f"cannot write to standard output: {why(error)}; what the command did before is done. "
            "Free space or write elsewhere, then look at it again"
        ) from None


def _to_nowhere(stream: TextIO) -> None:
    """Let what is still buffered, and what comes, vanish: the interpreter writes it out when it ends, and fails of it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def flush_streams(*, gone: bool = False, last: bool = False) -> None:
    """Write out what is buffered before the interpreter does, which would end with a code of its own where that fails.

    Args:
        gone: the reader is; nothing more is written. last: the process ends; what a strategy module still prints then is
            no result.
    """
    for stream in (sys.stdout, sys.stderr):
        if gone:
            _to_nowhere(stream)
        try:
            stream.flush()
        except (OSError, ValueError):
            _to_nowhere(stream)
    if last:
        with suppress(OSError, ValueError):
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


@contextmanager
def results_only() -> Iterator[None]:
    """Keep standard output for results: what others print inside the block, in this process or below, goes to stderr.

    A strategy module, a library or a program that it starts may print; JSON must stay JSON.
    """
    out, err = sys.stdout, sys.stderr
    with suppress(OSError, ValueError):
        out.flush()
    try:
        fds = (out.fileno(), err.fileno())
        kept = os.dup(fds[0])
    except (OSError, ValueError):  # streams of a test or a notebook, which are no files
        with redirect_stdout(err):
            yield
        return
    os.dup2(fds[1], fds[0])
    try:
        with redirect_stdout(err):
            yield
    finally:
        with suppress(OSError, ValueError):
            out.flush()
        os.dup2(kept, fds[0])
        os.close(kept)


def plain(text: str, encoding: str) -> str:
    """Return text in the characters of an encoding: known signs by others that say the same, the rest without accents."""
    if text.isascii() or is_unicode(encoding):
        return text
    return "".join(_nearest(c, encoding) for c in text)


def _nearest(sign: str, encoding: str) -> str:
    """Return a sign, or what comes nearest to it in an encoding."""
    for candidate in (sign, _PLAIN.get(sign), *_without_accents(sign)):
        try:
            if candidate:
                candidate.encode(encoding)
                return candidate
        except (UnicodeEncodeError, LookupError):
            continue
    return "?"


def _without_accents(sign: str) -> Iterable[str]:
    yield "".join(c for c in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(c))


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Answer the codec that met signs which it cannot encode."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_nearest(c, error.encoding) for c in error.object[error.start : error.end]), error.end


def is_unicode(encoding: str) -> bool:
    """Return whether an encoding has every sign."""
    return encoding.lower().replace("-", "").replace("_", "").startswith("utf")


codecs.register_error("peaktrade", _replaced)
