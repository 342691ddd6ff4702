"""Writing TOML, which the standard library only reads: tables, lists of tables and plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(document: Mapping[str, Any]) -> str:
    """Return a document as TOML text; what ``tomllib`` read comes back as it was, without its comments.

    Raises:
        TypeError: a value that TOML cannot hold, such as None.
    """
    return "\n".join(_table(document, ())) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a table: plain values first, then the tables below it."""
    later = []
    for name, value in table.items():
        if isinstance(value, dict) or _is_tables(value):
            later.append((name, value))
        else:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in later:
        below = (*path, name)
        where = ".".join(map(_key, below))
        for one in [value] if isinstance(value, dict) else value:
            yield f"[{where}]" if isinstance(value, dict) else f"[[{where}]]"
            yield from _table(one, below)


def _is_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, dict) for one in value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: object) -> str:
    """Return a plain value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + "}"
    raise TypeError(f"TOML holds no {type(value).__name__}")


def _text(text: str) -> str:
    """Return a text in quotes: TOML's are JSON's, but for one control character that must be escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
