"""One value in the text of a TOML file: the rest stays as people wrote it, or nothing is done."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.changes.edit import value_of, with_value
from tests.conftest import REPO

TEXT = """# top
page = "x"   # where

[live_risk]   # limits
max = 1.0    # quote
"odd key" = 2

[a."b c"]
list = ["#"]

[[rule]]
id = "one"
max = 1

[[rule]]
id = "two"
max = 2 # both
"""


def test_comments_and_order_stay() -> None:
    assert with_value(TEXT, ("live_risk",), "max", 2.5) == TEXT.replace("max = 1.0    # quote", "max = 2.5    # quote")
    assert with_value(TEXT, (), "page", "y") == TEXT.replace('page = "x"', 'page = "y"')
    assert with_value(TEXT, (), "max", 3, rule="two") == TEXT.replace("max = 2 # both", "max = 3 # both")
    assert with_value(TEXT, ("live_risk",), "odd key", 3) == TEXT.replace('"odd key" = 2', '"odd key" = 3')


def test_a_key_that_is_not_there_is_added_to_its_table() -> None:
    found = with_value(TEXT, ("live_risk",), "more", [1, 2])
    assert tomllib.loads(found)["live_risk"] == {"max": 1.0, "odd key": 2, "more": [1, 2]}
    assert "# quote" in found
    assert tomllib.loads(with_value(TEXT, (), "x", True, rule="one"))["rule"][0]["x"] is True


@pytest.mark.parametrize(
    ("text", "table", "key", "rule"),
    [
        (TEXT, ("none",), "x", ""),
        (TEXT, (), "x", "three"),
        ('[a]\nx = """\ny = 1\n"""\n', ("a",), "y", ""),  # a line within a text
        ("[a]\nx = [\n 1,\n]\n", ("a",), "x", ""),  # several lines
        ("a = {x = 1}\n", ("a",), "x", ""),
        ("a.x = 1\n", ("a",), "x", ""),
        ("not toml", (), "x", ""),
    ],
)
def test_what_one_line_cannot_change_is_refused(text: str, table: tuple[str, ...], key: str, rule: str) -> None:
    with pytest.raises(ConfigError):
        with_value(text, table, key, 5, rule=rule)


def test_a_section_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"there is no \[risk\] here, only \[a\], \[b.c\]; edit a copy"):
        with_value("x = 1\n[a]\n[b.c]\n[[rule]]\n", ("risk",), "key", 5)
    with pytest.raises(ConfigError, match=r"there is no \[risk\] here, only none; edit a copy"):
        with_value("", ("risk",), "key", 5)


@given(
    st.one_of(
        st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.booleans(), st.text(), st.lists(st.integers())
    )
)
def test_any_value_is_set_alone_or_not_at_all(value: object) -> None:
    text = (REPO / "config" / "config.toml").read_text()
    try:
        found = tomllib.loads(with_value(text, ("session",), "strategy", value))
    except ConfigError:
        return
    before = tomllib.loads(text)
    assert found["session"].pop("strategy") == value
    del before["session"]["strategy"]
    assert found == before


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("true", True), ('"x"', "x"), ("kraken", "kraken"), ("[1]", [1]), ("", "")]
)
def test_what_is_typed_is_read_as_toml_or_as_text(text: str, value: object) -> None:
    assert value_of(text) == value


def test_lines_end_as_they_do_in_the_file() -> None:
    text = TEXT.replace("\n", "\r\n")
    after = with_value(text, ("live_risk",), "max", 3.0)
    after = with_value(after, ("live_risk",), "new", 4.0)
    assert after.count("\n") == after.count("\r\n") == text.count("\n") + 1
    assert "max = 3.0    # quote\r\n" in after


def test_a_value_with_more_lines_is_a_text() -> None:
    assert value_of("5\nx = 3") == "5\nx = 3"
