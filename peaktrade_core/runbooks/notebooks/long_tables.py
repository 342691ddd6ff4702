"""Long tables for a person in a notebook: sorted by their headings, filtered by what is typed. Anywhere else a table is plain.

What a person sees is the plain HTML of the table with a short script behind it, so that a saved notebook keeps a plain
table where scripts do not run. Headless runs and committed notebooks never hold the script.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from peaktrade_core.show.language import spoken
from peaktrade_core.show.table import Table

LONG = 12  # rows from which a table is long
_HERE = Path(__file__).parent


def show_long_tables() -> None:
    """Have the notebook show long tables so that they sort and filter."""
    from IPython import get_ipython

    if shell := get_ipython():
        shell.display_formatter.formatters["text/html"].for_type(Table, for_a_person)


def for_a_person(table: Table) -> str:
    """Return a table as HTML; a long one sorts and filters."""
    plain = table._repr_html_()
    if len(table.rows) < LONG or not any(table.columns):
        return plain
    label, hint, count = map(spoken, ("Filter the rows", "Filter: words in a row", f"{len(table.rows)} rows"))
    find = (
        f'<div class="pt-find" hidden><input type="search" aria-label="{label}" placeholder="{hint}">'
        f"<output>{count}</output></div>"
    )
    script = f"{_script()}(document.currentScript.parentElement)"
    return f'<div class="pt-long"><style>{_style()}</style>{find}{plain}<script>{script}</script></div>'


@cache
def _script() -> str:
    lines = (_HERE / "table.js").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("//")).strip()


@cache
def _style() -> str:
    return (_HERE / "table.css").read_text()
