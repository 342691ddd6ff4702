"""How a route of the JSON API is described: its path, its parameters with their ranges, and the function that answers.

The description is the only one: parameters are validated by it, the OpenAPI document and ``/docs`` are made from it,
and what it answers is what its function is annotated to return.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import parse_qsl

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError

MOST_FIELDS = 50  # in a query string
LONGEST_TEXT = 300  # characters of a parameter
JSON = "application/json"


class Param(NamedTuple):
    """A parameter of the query string.

    Attributes:
        name: in the URL; about: for the documentation.
        default: where it is not given; None then means any.
        low, high: range of a whole number; both None for a text.
        choices: what a text may be; empty for any.
        moment: the text is a time, ISO 8601; as_written: the answer gets the text itself.
        many: it may be given more than once, and is a list.
    """

    name: str
    about: str
    default: int | str | None = None
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    moment: bool = False
    many: bool = False
    as_written: bool = False

    def read(self, given: list[str]) -> Any:
        """Return the value of what stands in a URL.

        Raises:
            ConfigError: it is none, or was given twice; names the parameter and what is allowed.
        """
        if self.many:
            return [self._one(text) for text in given]
        if len(given) > 1:
            raise ConfigError(f"{self.name} was given {len(given)} times; give it once")
        return self._one(given[0]) if given else self.default

    def _one(self, text: str) -> Any:
        if self.low is not None and self.high is not None:
            if not (text.isascii() and text.isdigit() and len(text) < 10 and self.low <= int(text) <= self.high):
                raise ConfigError(f"{self.name} = {text!r} must be a whole number from {self.low} to {self.high}")
            return int(text)
        if self.choices and text not in self.choices:
            raise UnknownNameError(self.name, text, self.choices)
        if len(text) > LONGEST_TEXT:
            raise ConfigError(f"{self.name} is longer than {LONGEST_TEXT} characters")
        at = self._moment(text) if self.moment else text
        return text if self.as_written else at

    def _moment(self, text: str) -> datetime:
        try:
            return as_utc(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            raise ConfigError(f"{self.name} = {text!r} is no time; write it as 2026-01-05T08:00:00Z") from None

    def schema(self) -> dict[str, Any]:
        """Return the parameter as JSON Schema."""
        if self.low is not None:
            one: dict[str, Any] = {"type": "integer", "minimum": self.low, "maximum": self.high}
        elif self.choices:
            one = {"type": "string", "enum": list(self.choices)}
        else:
            one = {"type": "string", "maxLength": LONGEST_TEXT, **({"format": "date-time"} if self.moment else {})}
        if self.default is not None:
            one["default"] = self.default
        return {"type": "array", "items": one} if self.many else one


STRETCH = (
    Param("since", "Only what happened at this time or later.", moment=True),
    Param("until", "Only what happened at this time or earlier.", moment=True),
)  # a range of time


class Route(NamedTuple):
    """An address that answers.

    Attributes:
        path: may hold one part in braces.
        answer: takes the site and, as keywords, the part and the parameters; its docstring's first line describes the
            route, its annotated return is the answer's shape.
        params: of the query string.
        media: what the answer is; anything but JSON is text that is sent as it is.
        aliases: further paths of the same.
    """

    path: str
    answer: Callable[..., Any]
    params: tuple[Param, ...] = ()
    media: str = JSON
    aliases: tuple[str, ...] = ()

    @property
    def part(self) -> str | None:
        """The name of the path's variable part."""
        found = re.search(r"\{(\w+)\}", self.path)
        return found[1] if found else None

    @property
    def about(self) -> str:
        """What it answers, in a sentence."""
        return (self.answer.__doc__ or "").strip().partition("\n")[0]

    @property
    def returns(self) -> Any:
        """The type of the answer."""
        return get_type_hints(self.answer)["return"]

    def values(self, query: str, part: str | None = None) -> dict[str, Any]:
        """Return the keywords for :attr:`answer`.

        Raises:
            ConfigError: a parameter is unknown, wrong or given twice, or the query string is malformed.
        """
        given = read_query(query)
        known = [param.name for param in self.params]
        for name in given:
            if name not in known:
                raise UnknownNameError("parameter", name, known)
        values = {param.name: param.read(given.get(param.name, [])) for param in self.params}
        return {**values, self.part: part} if self.part else values


def read_query(query: str) -> dict[str, list[str]]:
    """Return the fields of a query string.

    Raises:
        ConfigError: it is not UTF-8 or has too many fields.
    """
    try:
        fields = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ConfigError(f"the query string cannot be read: {error}") from None
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found
