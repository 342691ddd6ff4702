"""A cell that needs what a failed one did not make: it names the error behind it, and only then."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from peaktrade_core.changes.book import NOT_ADOPTED
from peaktrade_core.runbooks.notebooks.cells import _watch, assigned
from peaktrade_core.show.language import speak

FAILS = (
    "from peaktrade_core.base.errors import ConfigError\nplan = (_ for _ in ()).throw(ConfigError('no credentials'))"
)


@pytest.fixture
def shell() -> InteractiveShell:
    """Return a shell whose cells are watched."""
    shell = InteractiveShell()
    _watch(shell)
    return shell


def test_later_cells_name_the_error_until_it_is_mended(shell: InteractiveShell, capsys) -> None:
    shell.run_cell(FAILS)
    capsys.readouterr()
    assert isinstance(shell.run_cell("session = plan.steps").error_in_exec, NameError)
    assert isinstance(shell.run_cell("session").error_in_exec, NameError)
    said = capsys.readouterr().out
    for name in ("plan", "session"):
        assert f"Stopped above: this step needs `{name}`" in said
    assert said.count("ConfigError: no credentials") == 2
    assert "Traceback" not in said
    shell.run_cell("plan, session = 1, 2\ndel session")
    shell.run_cell("session")
    assert "name 'session' is not defined" in capsys.readouterr().out


def test_a_name_that_nothing_would_have_made_is_a_name_error_as_ever(shell: InteractiveShell, capsys) -> None:
    shell.run_cell(FAILS)
    capsys.readouterr()
    shell.run_cell("plna")
    said = capsys.readouterr().out
    assert "name 'plna' is not defined" in said
    assert "Stopped above" not in said


def test_what_a_cell_assigns_is_read_from_its_source() -> None:
    assert assigned("a, (b, c) = f(d)\nfor e in x: pass") == {"a", "b", "c", "e"}
    assert assigned("%time no python") == set()


def test_an_error_and_what_waits_for_it_are_said_in_the_language_read_here(shell: InteractiveShell, capsys) -> None:
    speak("de")
    try:
        shell.run_cell(FAILS.replace("'no credentials'", repr(NOT_ADOPTED)))
        shell.run_cell("plan")
    finally:
        speak("en")
    said = capsys.readouterr().out
    assert said.count("ConfigError: niemand hat übernommen, was hier steht: `peaktrade change adopt") == 2
    assert "Oben angehalten: Dieser Schritt braucht `plan`" in said
    assert "von dort weitermachen." in said
