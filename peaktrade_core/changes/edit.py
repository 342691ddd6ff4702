"""Setting a value in the text of a TOML file: one line becomes another, comments and order stay."""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any

import tomli_w

from peaktrade_core.base.errors import ConfigError

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]#]+?)\s*\]\]?\s*(?:#.*)?")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
BY_FILE = "edit a copy of the file and propose that: `peaktrade change propose --file FILE`"


def value_of(text: str) -> Any:
    """Return what a person typed as a value: as TOML reads it, else as a text."""
    try:
        found = tomllib.loads(f"v = {text}")
        return found["v"] if len(found) == 1 else text
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def with_value(text: str, table: tuple[str, ...], key: str, value: Any, *, rule: str = "") -> str:
    """Return a TOML text in which one key has another value.

    Args:
        text: of the file; table: names of the table that the key is in, none for the top; key: its name.
        value: what it becomes; rule: the id of the ``[[rule]]`` that it is in, in the place of a table.

    Raises:
        ConfigError: there is no such table or rule, or the text is written so that one line cannot change it.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{'.'.join((*table, key))} = {value} must be a finite number")
    lines = text.splitlines(keepends=True)
    begin, end = _span(lines, table, rule)
    ends = "\r\n" if "\r\n" in text else "\n"
    made = f"{key if _PLAIN.fullmatch(key) else _quoted(key)} = {_written(value)}"
    at = next((n for n in range(begin, end) if _is_of(lines[n], key)), None)
    if at is None:
        while end > begin and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, made + ends)
    else:
        lines[at] = made + _comment(lines[at]) + ends
    after = "".join(lines)
    if _all(after) != _wanted(_all(text), table, key, value, rule):
        raise ConfigError(f"{'.'.join((*table, key))} cannot be set in one line here; {BY_FILE}")
    return after


def _span(lines: list[str], table: tuple[str, ...], rule: str) -> tuple[int, int]:
    """Return where the lines of a table begin and end."""
    heads = [
        (n, found[1], _names(found[2])) for n, line in enumerate(lines) if (found := _TABLE.fullmatch(line.rstrip()))
    ]
    ends = [n for n, _, _ in heads[1:]] + [len(lines)] * bool(heads)
    if not table and not rule:
        return 0, heads[0][0] if heads else len(lines)
    for (at, bracket, names), end in zip(heads, ends, strict=True):
        if rule and bracket == "[[" and names == ("rule",) and any(_is_rule(line, rule) for line in lines[at:end]):
            return at + 1, end
        if not rule and bracket == "[" and names == table:
            return at + 1, end
    there = ", ".join(f"[{'.'.join(names)}]" for _, bracket, names in heads if bracket == "[")
    raise ConfigError(
        f"there is no [{'.'.join(table)}] here, only {there or 'none'}; {BY_FILE}"
        if table
        else f"there is no rule {rule!r} here"
    )


def _names(text: str) -> tuple[str, ...]:
    """Return the names of a table's head."""
    try:
        found: Any = tomllib.loads(f"[{text}]")
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while found:
        name, found = next(iter(found.items()))
        names.append(name)
    return tuple(names)


def _is_of(line: str, key: str) -> bool:
    name, equals, _ = line.partition("=")
    return bool(equals) and name.strip().strip("\"'") == key


def _is_rule(line: str, rule: str) -> bool:
    try:
        return _is_of(line, "id") and tomllib.loads(line).get("id") == rule
    except tomllib.TOMLDecodeError:
        return False


def _comment(line: str) -> str:
    """Return the comment behind a value, with the blanks before it; nothing where a text may hold the sign."""
    value, sign, said = line.rstrip("\r\n").partition("#")
    return f"{value[len(value.rstrip()) :]}{sign}{said}" if sign and '"' not in said and "'" not in said else ""


def _written(value: Any) -> str:
    return tomli_w.dumps({"v": value}).partition("=")[2].strip()


def _quoted(key: str) -> str:
    return tomli_w.dumps({key: 1}).partition("=")[0].strip()


def _all(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {"": None}  # as no document is


def _wanted(whole: dict[str, Any], table: tuple[str, ...], key: str, value: Any, rule: str) -> dict[str, Any]:
    """Return a document with the value set."""
    place: Any = whole
    if rule:
        place = next((one for one in whole.get("rule", []) if one.get("id") == rule), {})
    for name in table:
        place = place.setdefault(name, {})
    place[key] = value
    return whole
