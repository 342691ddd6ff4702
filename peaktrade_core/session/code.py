"""The code that a session runs, function by function, so that a later one can say which of them are others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

import peaktrade_core
from peaktrade_core.changes.code import text_of
from peaktrade_core.session.identity import LENGTH
from peaktrade_core.trading.strategies import Strategy

ALSO = ("session/loop.py", "session/session.py", "halts/gate.py")  # beside the room of the decision code
_BLOCK = re.compile(r"(?:async )?(?:def|class) (\w+)|    (?:async )?def (\w+)|(\S)")


def code_text(strategy: Strategy) -> bytes:
    """Return the digests of all functions that decide, by name, as the JSON that a run keeps."""
    return msgspec.json.format(msgspec.json.encode(code_of(strategy)), indent=0) + b"\n"


def code_of(strategy: Strategy) -> dict[str, str]:
    """Return a digest of each function and class of the code that decides: ``room/module.py name`` and the strategy's."""
    return {**_package(), f"strategy {strategy.name}": _short(text_of(strategy.update))}


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the functions that are others, new or gone, in words."""
    found = [f"{name} (gone)" for name in before if name not in now]
    found += [f"{name} (new)" for name in now if name not in before]
    return sorted(found + [name for name in before if name in now and before[name] != now[name]])


@lru_cache(maxsize=1)
def _package() -> dict[str, str]:
    root = Path(str(peaktrade_core.__file__)).parent
    files = [*sorted((root / "trading").rglob("*.py")), *(root / name for name in ALSO)]
    return {
        f"{path.relative_to(root).as_posix()} {name}".rstrip(): _short(text)
        for path in files
        for name, text in _blocks(path.read_text(encoding="utf-8"))
    }


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the functions, methods and classes of a module with their text; what lies outside has no name."""
    parts: dict[str, list[str]] = {}
    outer = name = ""
    for line in text.splitlines():
        if found := _BLOCK.match(line):
            if found[1]:
                outer = name = found[1]
            elif found[2]:
                name = f"{outer}.{found[2]}" if outer else found[2]
            elif line[0] not in ")]}":  # the end of a signature over several lines belongs to it
                outer = name = ""
        parts.setdefault(name, []).append(line)
    return ((name, "\n".join(lines)) for name, lines in parts.items())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
