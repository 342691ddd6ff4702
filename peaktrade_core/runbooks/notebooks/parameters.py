"""What a notebook's parameters cell declares, and the only values that it lets in.

papermill checks neither names nor types. The cell does: one annotated literal a line, its meaning in a comment, and in
the comment, where it helps, a range ``[1 .. 500]`` (either end may be missing), a choice ``{any, completed}``, or a day or week::

    steps: int = 300        # bars after the warm-up [1 .. 1000000]
    status: str = "any"     # which sessions {any, completed, failed}
    date: str = "today"     # UTC day [day or today, yesterday]
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from peaktrade_core.base.errors import ConfigError, NotebookError, UnknownNameError

KINDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list"}
_NUMBER = r"[-+]?[\d.]+(?:e[-+]?\d+)?"
_RANGE = re.compile(rf"\[\s*({_NUMBER})?\s+\.\.\s*({_NUMBER})?\s*\]|\[\s*\.\.\s+({_NUMBER})\s*\]")
_TIME = re.compile(r"\[(day|week)(?: or ([\w, ]+))?\]")
_TIMES = {"day": "a day as 2026-01-31", "week": "a week as 2026-W05"}
_CHOICE = re.compile(r"\{([^{}]+)\}")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Parameter(msgspec.Struct, frozen=True):
    """One declared parameter.

    Attributes:
        type: ``str``, ``int``, ``float``, ``bool`` or ``list``.
        comment: what it means, with its unit; low, high: its range, None where open; choices: empty for any.
        time: ``day`` or ``week`` where it is one, in ISO form, or one of the choices; empty where that is the default.
    """

    name: str
    type: str
    default: Any
    comment: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    time: str = ""

    @property
    def allowed(self) -> str:
        """Return in words what may be given."""
        if self.time:
            return " or ".join((_TIMES[self.time], *self.choices, *(() if self.default else ("empty",))))
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        words = KINDS[self.type]
        if self.low is not None and self.high is not None:
            return f"{words} from {self.low:.15g} to {self.high:.15g}"
        if self.low is not None:
            return f"{words} from {self.low:.15g} on"
        return words if self.high is None else f"{words} up to {self.high:.15g}"


def declared(source: str, where: str) -> list[Parameter]:
    """Return the parameters that a parameters cell declares, in its order.

    Args:
        source: text of the cell.
        where: the notebook, for messages.

    Raises:
        NotebookError: a line is no annotated literal, or a default breaks its own rule.
    """
    try:
        tree = ast.parse(source)
        comments = _comments(source)
    except (SyntaxError, tokenize.TokenError) as error:
        raise NotebookError(f"{where}: the parameters cell is no Python: {error}") from None
    found = [_parameter(line, comments.get(line.end_lineno or 0, ""), where) for line in tree.body]
    for parameter in found:
        try:
            convert(parameter, parameter.default)
        except ConfigError as error:
            raise NotebookError(f"{where}: the default breaks its own rule: {error}") from None
    return found


def _comments(source: str) -> dict[int, str]:
    """Return the comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in tokens if token.type == tokenize.COMMENT}


def _parameter(line: ast.stmt, comment: str, where: str) -> Parameter:
    """Return the parameter that one statement declares."""
    if not (
        isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and isinstance(line.annotation, ast.Name)
        and line.annotation.id in KINDS
        and line.value is not None
    ):
        raise NotebookError(
            f"{where}: line {line.lineno} of the parameters cell must read `name: type = literal` with a type of "
            f"{', '.join(KINDS)}"
        )
    try:
        default = ast.literal_eval(line.value)
    except ValueError:
        raise NotebookError(f"{where}: the default of {line.target.id} must be a literal") from None
    bounds = _RANGE.search(comment)
    low, high = (bounds[1], bounds[2] or bounds[3]) if bounds else (None, None)
    choices, time = _CHOICE.search(comment), _TIME.search(comment)
    words = (choices[1] if choices else time[2] or "" if time else "").split(",")
    return Parameter(
        line.target.id,
        line.annotation.id,
        default,
        _TIME.sub("", _CHOICE.sub("", _RANGE.sub("", comment))).strip(),
        None if low is None else float(low),
        None if high is None else float(high),
        tuple(filter(None, map(str.strip, words))),
        time[1] if time else "",
    )


def resolve(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, Any]:
    """Return a value for each parameter: the given one, converted and checked, else the default.

    Raises:
        UnknownNameError: a name that is not declared; lists those that are.
        ConfigError: a value of the wrong type or out of range.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            raise UnknownNameError("parameter", name, list(known))
    return {
        name: convert(parameter, given[name]) if name in given else parameter.default
        for name, parameter in known.items()
    }


def with_values(source: str, values: Mapping[str, object], where: str) -> str:
    """Return a parameters cell with other values and its comments as they are.

    Args:
        source: text of the cell.
        values: of some parameters, as :func:`resolve` returns them.
        where: the notebook, for messages.

    Raises:
        NotebookError, UnknownNameError, ConfigError: as for :func:`declared` and :func:`resolve`.
    """
    given = resolve(declared(source, where), values)
    lines = [line.encode() for line in source.splitlines()]  # the tree counts columns in bytes
    for statement in reversed(ast.parse(source).body):  # the last first: places before it stay
        assert isinstance(statement, ast.AnnAssign)
        assert isinstance(statement.target, ast.Name)
        assert statement.value is not None
        value, name = statement.value, statement.target.id
        if name in values and value.end_lineno and value.end_col_offset is not None:
            before, after = (
                lines[value.lineno - 1][: value.col_offset],
                lines[value.end_lineno - 1][value.end_col_offset :],
            )
            literal = json.dumps(given[name], ensure_ascii=False) if isinstance(given[name], str) else repr(given[name])
            lines[value.lineno - 1 : value.end_lineno] = [before + literal.encode() + after]
    return b"\n".join(lines).decode()


def convert(parameter: Parameter, value: object) -> Any:
    """Return ``value`` as the parameter's type; text, as a command line brings it, is converted.

    Raises:
        ConfigError: it cannot be that, or is out of range.
    """
    try:
        converted = _from_text(parameter, value) if isinstance(value, str) else _typed(parameter.type, value)
    except ValueError:
        converted = None
    if converted is None or not _allowed(parameter, converted):
        raise ConfigError(f"{parameter.name} = {value!r} must be {parameter.allowed}")
    return converted


def _from_text(parameter: Parameter, text: str) -> Any:
    """Return text as the parameter's type; None where it is nothing of the kind."""
    if parameter.type == "str":
        return text
    if parameter.type == "int":
        return int(text)
    if parameter.type == "float":
        return float(text)
    if parameter.type == "bool":
        return _TRUTH.get(text.strip().lower())
    if text.lstrip().startswith("["):
        value = json.loads(text)
        return value if isinstance(value, list) else None
    item = type(parameter.default[0]) if parameter.default else str
    return [item(part.strip()) for part in text.split(",") if part.strip()]


def _typed(kind: str, value: object) -> Any:
    """Return a value that is no text as it is, if it is of the kind; a whole number is a number."""
    if isinstance(value, bool):
        return value if kind == "bool" else None
    if kind == "float" and isinstance(value, (int, float)):
        return float(value)
    wanted = {"int": int, "list": list}.get(kind)
    return value if wanted is not None and isinstance(value, wanted) else None


def _allowed(parameter: Parameter, value: Any) -> bool:
    """Return whether a value of the right type is in range."""
    if parameter.time:
        return (
            value in parameter.choices or (not value and not parameter.default) or _is_time(parameter.time, str(value))
        )
    if parameter.choices:
        return str(value) in parameter.choices
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    return math.isfinite(value) and low <= value <= high


def _is_time(kind: str, text: str) -> bool:
    """Return whether a text is a day or a week that there is, in the form that people and browsers write."""
    try:
        day = date.fromisoformat(f"{text}-1" if kind == "week" else text)
    except ValueError:
        return False
    year, week, _ = day.isocalendar()
    return text == (f"{year}-W{week:02d}" if kind == "week" else day.isoformat())


def check_injected(source: str, expected: Mapping[str, object], where: str) -> None:
    """Make sure that the cell which papermill injected says what was asked for.

    Raises:
        NotebookError: a value is missing, changed or added.
    """
    found = {}
    for line in ast.parse(source).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            found[line.targets[0].id] = ast.literal_eval(line.value)
    if found != dict(expected):
        raise NotebookError(f"{where}: papermill injected {found}, asked for was {dict(expected)}")
