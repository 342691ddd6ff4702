"""Long tables of a person's notebook carry the script, short and headless ones never."""

from __future__ import annotations

from peaktrade_core.runbooks.notebooks.long_tables import LONG, for_a_person
from peaktrade_core.show.language import speak
from peaktrade_core.show.table import Table


def test_a_long_table_is_the_plain_one_with_a_script_behind_it() -> None:
    rows = [(f"<b>{n}</b>", n) for n in range(LONG)]
    table = Table("Many", ("What", "n"), rows, numbers=(1,))
    assert table._repr_html_() in for_a_person(table)
    assert "<script>(function (box)" in for_a_person(table)
    assert "http" not in for_a_person(table)
    assert "script" not in table._repr_html_()


def test_a_short_table_and_names_with_values_stay_plain() -> None:
    short = Table("Few", ("What",), [("one",)] * (LONG - 1))
    pairs = Table.pairs({str(n): n for n in range(30)})
    assert [for_a_person(one) for one in (short, pairs)] == [short._repr_html_(), pairs._repr_html_()]


def test_what_filters_a_long_table_is_in_the_language_read_here() -> None:
    table = Table("Many", ("What",), [(str(n),) for n in range(LONG)])
    assert f"<output>{LONG} rows</output>" in for_a_person(table)
    speak("de")
    try:
        said = for_a_person(table)
    finally:
        speak("en")
    assert 'placeholder="Filter: Wörter einer Zeile"' in said
    assert f"<output>{LONG} Zeilen</output>" in said
