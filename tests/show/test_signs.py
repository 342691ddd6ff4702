"""Numbers have one minus sign wherever they are shown, and dates, ids and options keep their hyphens."""

from __future__ import annotations

import pytest

from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.show.wording import beside, figure, minus


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-0.15", "−0.15"), ("(-2.3 bps)", "(−2.3 bps)"), ("-.5", "−.5"), ("2026-11-29", "2026-11-29"),
        ("INC-20261129-01", "INC-20261129-01"), ("1e-05", "1e-05"), ("0.1-0.2", "0.1-0.2"), ("--steps", "--steps"),
    ],
)  # fmt: skip
def test_a_hyphen_before_a_number_becomes_a_minus(text: str, told: str) -> None:
    assert minus(text) == told


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [
        (None, None, "–"), (-0.15, 2, "−0.15"), (-1234.567, None, "−1,234.57"), (0.00951567, None, "0.00951567"),
        (-0.0001, 2, "0.00"), (-1.0, None, "−1"), (100.0, None, "100"),
    ],
)  # fmt: skip
def test_a_figure(value: float | None, digits: int | None, told: str) -> None:
    assert figure(value, digits) == told


def test_a_gain_may_have_its_plus() -> None:
    assert [figure(value, 2, plus=True) for value in (0.5, 0.001, 0.0, -0.5)] == ["+0.50", "0.00", "0.00", "−0.50"]
    assert beside(-0.5, 0.1) == "−0.50"


def test_a_column_of_numbers_sets_the_sign_whoever_wrote_the_number() -> None:
    kinds = Columns[float](cost=Column("Cost", lambda value: f"{value:.2f}", "number"))
    declared, given = kinds.table("", [-0.15]), Table("", ("Cost", "At"), [("-0.15", "2026-11-29")], numbers=(0, 1))
    for table in (declared, given):
        assert "−0.15" in repr(table)
        assert "−0.15" in table._repr_html_()
        assert "−0.15" in table.markdown()
    assert "2026-11-29" in repr(given)
