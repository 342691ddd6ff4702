"""Tables on screens of any width: nothing is cut, no word is broken, nothing that others wrote acts on the screen."""

from __future__ import annotations

import re
from typing import NamedTuple

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.text import inert
from peaktrade_core.show.layout import glued
from peaktrade_core.show.streams import plain
from peaktrade_core.show.table import BAD, MID, Cell, Column, Columns, Table
from peaktrade_core.show.terminal import lines_of


class Thing(NamedTuple):
    """What is listed."""

    name: str
    said: str
    figure: str
    aside: str = ""


THINGS = Columns[Thing](
    name=Column("Name"),
    said=Column("What it says", lambda t: Cell(t.said), "words"),
    figure=Column("PnL", form="number"),
    aside=Column("Aside", lambda t: Cell(t.aside), "whole", 1),
)
WORD = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("C", "Z", "M")), min_size=1, max_size=9
)
SENTENCE = st.lists(WORD, max_size=12).map(" ".join)
LISTS = st.lists(st.builds(Thing, name=WORD, said=SENTENCE, figure=WORD, aside=WORD), min_size=1, max_size=5)
ID = "shadow_20260101_080000_abcdef"
ONE = Thing(ID, "It lost far more than it may, so it was halted and waits for you", "−1,234.56", "seen by Ada")


def shown(table: Table, width: int | None, encoding: str = "utf-8") -> list[str]:
    return [click.unstyle(line) for line in lines_of(table, width, encoding)]


def test_figures_stand_to_the_right_and_texts_to_the_left() -> None:
    columns = (Column("Run"), Column("State"), Column("PnL", form="number"))
    assert shown(Table("", columns, [("a", "died", "+1.00"), ("longer", "ok", "−10.00")]), 80) == [
        "RUN     STATE     PNL",
        "a       died    +1.00",
        "longer  ok     −10.00",
    ]


@given(LISTS, st.integers(12, 200))
def test_no_line_is_wider_than_the_screen_and_no_word_is_lost(things: list[Thing], width: int) -> None:
    lines = shown(THINGS.table("", things), width)
    assert not [line for line in lines if len(line) > width and len(glued(line).split()) > 1]  # `a command` is one word
    words = " ".join(lines).split()
    for thing in things:
        for word in (thing.name, *thing.said.split(), thing.figure):
            assert word in words


def test_a_row_is_a_line_where_the_screen_is_endless() -> None:
    assert shown(THINGS.table("Title", [ONE, ONE]), None)[0] == "Title"
    assert len(shown(THINGS.table("Title", [ONE, ONE]), None)) == 4


def test_a_column_that_finds_no_room_is_named_and_an_empty_one_goes_unsaid() -> None:
    narrow = shown(THINGS.table("", [ONE]), 66)
    assert narrow[0].split() == ["NAME", "WHAT", "IT", "SAYS", "PNL"]
    assert narrow[-1].startswith("(too narrow for ASIDE: a wider window")
    assert "too narrow" not in "".join(shown(THINGS.table("", [ONE._replace(aside="")]), 66))


def test_sentences_that_find_no_room_stand_below_their_row() -> None:
    lines = shown(THINGS.table("", [ONE]), 42)
    assert lines[1].split() == [ID, "−1,234.56"]
    assert lines[2].startswith("    What it says: It lost far more")


def test_sentences_stand_below_their_row_where_that_takes_fewer_lines() -> None:
    columns = (Column("Answer"), Column("Question", form="words"), Column("What to do", form="words"))
    advice = "Stop it, look into its journal, and start it again when you know what happened to it"
    rows = [("pass", f"Is part number {n} of all that must be looked at in order?", "–") for n in range(4)]
    lines = shown(Table("", columns, [*rows, ("fail", "Is it alive?", advice)]), 80)
    assert lines[0].split() == ["ANSWER", "QUESTION"]
    assert lines[6].startswith("    What to do: Stop it, look into its journal")
    assert "What to do: –" not in "\n".join(lines)  # a dash is nothing to say
    assert len(lines) == 1 + 4 + 1 + 2


def test_a_column_with_a_warning_is_left_out_late() -> None:
    columns = [Column("Session"), Column("Mode", priority=3), Column("Started", priority=2), Column("PnL")]
    plain_rows = [(ID, "shadow", "2026-01-05 08:00", "+1.00")]
    warned = [(ID, Cell("rehearsal", MID), "2026-01-05 08:00", "+1.00")]
    assert shown(Table("", columns, plain_rows), 60)[0].split() == ["SESSION", "STARTED", "PNL"]
    assert shown(Table("", columns, warned), 60)[0].split() == ["SESSION", "MODE", "PNL"]


def test_a_narrow_column_comes_back_beside_what_a_wide_one_left() -> None:
    columns = [Column("Session"), Column("Strategy", priority=1), Column("TF", priority=2), Column("PnL")]
    row = (ID, "donchian_breakout_of_a_long_name", "1m", "+1.00")
    lines = shown(Table("", columns, [row]), 50)
    assert lines[0].split() == ["SESSION", "TF", "PNL"]
    assert lines[2].startswith("(too narrow for STRATEGY: ")


def test_a_list_picks_its_columns_by_name_and_an_unknown_name_is_an_error() -> None:
    assert THINGS.table("", [ONE], "figure name").columns == ("PnL", "Name")
    with pytest.raises(KeyError):
        THINGS.table("", [ONE], "name colour")


def test_pairs_fold_beside_their_name() -> None:
    lines = shown(Table.pairs({"Mode": "shadow", "Note": "word " * 30}), 40)
    assert lines[0] == "  Mode  shadow"
    assert all(line.startswith("        word") for line in lines[2:])
    assert max(map(len, lines)) <= 40


@given(st.text(max_size=60))
def test_foreign_text_is_inert_in_every_renderer(text: str) -> None:
    acts = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
    table = Table(text, (text, "b"), [(Cell(text, BAD), text)], note=text)
    for told in ("\n".join(shown(table, 80)), table._repr_html_(), table.markdown(), repr(table)):
        assert not acts.search(told)
    assert inert(inert(text)) == inert(text)


@given(st.text(max_size=60), st.sampled_from(["ascii", "latin-1", "cp1252", "koi8-r"]))
def test_every_terminal_can_show_every_text(text: str, encoding: str) -> None:
    plain(text, encoding).encode(encoding)


def test_signs_are_replaced_by_others_that_say_the_same() -> None:
    assert plain("✓ −3 → „é“ …", "ascii") == 'v -3 -> "e" ...'
    assert plain("✓ é", "latin-1") == "v é"


@pytest.mark.parametrize("width", range(24, 90, 7))
def test_no_line_ends_between_a_figure_and_its_unit(width: int) -> None:
    said = "drawdown 10.3 % of 1,000.00 EUR (limit 10 %) for 1 h 30 m; `peaktrade watch --every 5 s`"
    lines = "\n".join(shown(THINGS.table("", [ONE._replace(said=said)]), width))
    assert all(
        figure in lines for figure in ("10.3 %", "1,000.00 EUR", "10 %)", "1 h 30 m", "`peaktrade watch --every 5 s`")
    )
