"""What a parameters cell declares, and what it lets in."""

from __future__ import annotations

import pytest

from peaktrade_core.base.errors import ConfigError, NotebookError, UnknownNameError
from peaktrade_core.runbooks.notebooks.parameters import Parameter, check_injected, convert, declared, resolve

CELL = """
name: str = "a = b"  # whatever
steps: int = 300  # bars after the warm-up [1 .. 1000]
share: float = 0.5  # of equity [0 ..]
deep: float = -1.0  # [.. -0.5]
status: str = "any"  # which sessions {any, completed}
quiet: bool = False
seeds: list = [1, 2]
"""


def parameter(name: str) -> Parameter:
    return next(one for one in declared(CELL, "x.ipynb") if one.name == name)


def test_types_defaults_ranges_choices_and_meanings_are_read():
    assert parameter("steps") == Parameter("steps", "int", 300, "bars after the warm-up", 1.0, 1000.0)
    assert parameter("status") == Parameter("status", "str", "any", "which sessions", choices=("any", "completed"))
    assert (parameter("share").low, parameter("share").high) == (0.0, None)
    assert (parameter("deep").low, parameter("deep").high) == (None, -0.5)
    assert parameter("name").default == "a = b"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("name", "007", "007"),
        ("name", "1e3", "1e3"),
        ("name", "", ""),
        ("steps", "12", 12),
        ("steps", 12, 12),
        ("share", "1e3", 1000.0),
        ("share", 2, 2.0),
        ("quiet", "yes", True),
        ("quiet", "False", False),
        ("seeds", "3, 4", [3, 4]),
        ("seeds", "[5]", [5]),
        ("status", "completed", "completed"),
    ],
)
def test_text_becomes_what_the_notebook_declares(name: str, given: object, expected: object):
    value = convert(parameter(name), given)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("steps", "not an int", "a whole number from 1 to 1000"),
        ("steps", "1.5", "a whole number"),
        ("steps", 1.0, "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", 0, "from 1 to 1000"),
        ("steps", "1001", "from 1 to 1000"),
        ("share", "nan", "a number from 0 on"),
        ("share", "inf", "a number"),
        ("deep", -0.4, "a number up to -0.5"),
        ("status", "Completed", "one of any, completed"),
        ("quiet", "perhaps", "true or false"),
        ("name", 7, "text"),
        ("seeds", "[1", "a list"),
        ("seeds", "a, b", "a list"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(name: str, given: object, says: str):
    with pytest.raises(ConfigError, match=f"^{name} = .*{says}"):
        convert(parameter(name), given)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="unknown parameter 'stpes'; known: name, steps, share"):
        resolve(declared(CELL, "x"), {"stpes": 1})


def test_what_is_not_given_keeps_its_default():
    assert resolve(declared(CELL, "x"), {"steps": "5"}) == {
        "name": "a = b",
        "steps": 5,
        "share": 0.5,
        "deep": -1.0,
        "status": "any",
        "quiet": False,
        "seeds": [1, 2],
    }


@pytest.mark.parametrize(
    "cell",
    [
        "steps = 3",
        "steps: int | None = 3",
        "steps: int = 2 + 1 + x",
        "import os",
        "steps: int",
        "steps: int = 0  # [1 .. 5]",
        'steps: int = "x"',
        "steps: int = ",
    ],
)
def test_a_cell_that_papermill_would_misread_is_refused(cell: str):
    with pytest.raises(NotebookError, match=r"x\.ipynb"):
        declared(cell, "x.ipynb")


def test_what_was_injected_must_be_what_was_asked_for():
    check_injected('# Parameters\nsteps = 5\nname = "a"\n', {"steps": 5, "name": "a"}, "x")
    with pytest.raises(NotebookError, match="papermill injected"):
        check_injected("steps = 5", {"steps": 6}, "x")


TIMES = """date: str = "today"  # UTC day [day or today, yesterday]
since: str = ""  # first day; empty for all [day]
week: str = "this"  # ISO week [week or this, last]"""


def test_a_day_or_week_is_one_that_there_is_or_a_word_that_stands_for_it() -> None:
    date, since, week = declared(TIMES, "here")
    assert (date.comment, date.time, date.choices, week.time) == ("UTC day", "day", ("today", "yesterday"), "week")
    assert [convert(date, one) for one in ("yesterday", "2028-02-29")] == ["yesterday", "2028-02-29"]
    assert [convert(since, one) for one in ("", "2026-01-31")] == ["", "2026-01-31"]
    assert [convert(week, one) for one in ("last", "2026-W01", "2026-W53")] == ["last", "2026-W01", "2026-W53"]
    for parameter, wrong in (
        (date, "2026-02-29"), (date, ""), (date, "31.1.2026"), (date, "20260131"), (date, "2026-W01"), (since, "today"),
        (week, "2025-W53"), (week, "2026-W1"), (week, "2026-01-05"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"must be a (day as 2026-01-31|week as 2026-W05)"):
            convert(parameter, wrong)
    with pytest.raises(ConfigError, match=r"since = 'soon' must be a day as .* or empty"):
        convert(since, "soon")
    with pytest.raises(NotebookError, match="the default breaks its own rule"):
        declared('since: str = "soon"  # [day]', "here")
