"""What a setting may be, told by its type: ``Literal`` for choices, ``Annotated`` with ``msgspec.Meta`` for ranges.

The types are the one place that says it: they are checked when a file is read and when a value is built, they make
the messages (place, value, what is allowed), and msgspec makes the JSON Schema from them.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import read_toml

T = TypeVar("T")
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


class Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of settings: one whose fields break their types cannot be built.

    Raises (the constructor):
        ConfigError: names field, value and what is allowed.
    """

    def __post_init__(self) -> None:
        for name, kind in _fields(type(self)).items():
            value = getattr(self, name)
            if not _fits(value, kind):
                raise ConfigError(f"{name} = {value!r} must be {allowed(kind)}")


def read(given: object, kind: type[T], where: str = "") -> T:
    """Return a document, or a part of it, as a struct.

    Args:
        given: what was read; kind: the struct; where: the part, for messages; empty for the whole.

    Raises:
        ConfigError: the first thing that is wrong: its place, the value and what is allowed.
    """
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_fault(given, kind, where) or f"{where}: {error}") from None


def read_named(path: Path, kind: type[T]) -> T:
    """Return what a TOML file says, as a ``kind`` whose name is the file's where it gives itself none.

    Raises:
        ConfigError: it cannot be read, or a key, type or value is wrong; says where.
    """
    found = {"name": path.stem, **read_toml(path)}
    try:
        return read(found, kind)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def allowed(kind: Any) -> str:
    """Return in words what a type lets in: ``a whole number from 1 to 20``, ``one of: en, de``."""
    inner = get_args(kind)
    if get_origin(kind) is Annotated:
        return _ranged(_WORDS[inner[0]], inner[1])
    if get_origin(kind) is Literal:
        return f"one of: {', '.join(map(str, inner))}"
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return " or ".join(allowed(one) for one in inner if one is not type(None))
    return "a list" if get_origin(kind) in (list, tuple) else _WORDS.get(kind, "a table")


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Return the types of a struct's fields by name."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _keys(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of what a table may hold: the fields, and the tag that says which kind it is."""
    config = kind.__struct_config__
    return {**({config.tag_field: Literal[config.tag]} if config.tag_field else {}), **_fields(kind)}


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _fault(given: object, kind: Any, where: str) -> str:
    """Return what is wrong, looked for in the order of the document; empty when nothing is."""
    try:
        msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at `$")[0]
    else:
        return ""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(given, dict):
        return _fault_of_table(given, kind, where) or (f"{where}: {said}" if where else said)
    inner = get_args(kind)
    if get_origin(kind) is dict and isinstance(given, dict):
        parts = ((value, inner[1], _below(where, name)) for name, value in given.items())
    elif get_origin(kind) in (list, tuple) and isinstance(given, list):
        parts = ((value, inner[0], f"{where}[{place}]") for place, value in enumerate(given, 1))
    else:
        return f"{where} = {given!r} must be {allowed(kind)}"
    return next((fault for part in parts if (fault := _fault(*part))), f"{where}: {said}")


def _fault_of_table(given: dict[str, Any], kind: type[msgspec.Struct], where: str) -> str:
    known = _keys(kind)
    for name, value in given.items():
        if name not in known:
            return f"{where or 'the file'} has no {name!r}; it has: {', '.join(known)}"
        if fault := _fault(value, known[name], _below(where, name)):
            return fault
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in given]
    return f"{where or 'the file'} has no {missing[0]!r}, which must be there" if missing else ""


def _below(where: str, name: str) -> str:
    """Return the place of a name in a table, in quotes where TOML needs them."""
    plain = name.replace("_", "").replace("-", "").isalnum()
    return ".".join(filter(None, (where, name if plain else f'"{name}"')))


def _ranged(words: str, range_: msgspec.Meta) -> str:
    low, high = (None if end is None else f"{end:,.15g}" for end in (range_.ge, range_.le))
    if range_.gt == 0:
        words, low = words.replace("a ", "a positive ", 1), None
    return (
        words
        + (f" from {low}" if low else "")
        + (f" {'to' if low else 'up to'} {high}" if high else " on" if low else "")
    )
