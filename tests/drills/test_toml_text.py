"""Writing TOML: what was read comes back as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.toml_text import to_toml

CONFIG = Path(__file__).parents[2] / "config"
KEYS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=8)
PLAIN = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)
)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
    ),
    max_size=5,
)


@pytest.mark.parametrize("path", sorted(CONFIG.rglob("*.toml")), ids=lambda path: path.name)
def test_the_shipped_files_survive(path: Path) -> None:
    document = tomllib.loads(path.read_text())
    assert tomllib.loads(to_toml(document)) == document


@given(DOCUMENTS)
def test_any_document_survives(document: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(document)) == document


def test_what_toml_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        to_toml({"a": None})
