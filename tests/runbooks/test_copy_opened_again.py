"""A copy is one execution: the form keeps what was begun, so that it can be gone on with, and ends with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.form import ParametersForm
from peaktrade_core.runbooks.notebooks import cells
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.workspace.workspace import Workspace

Make = Callable[..., tuple[ParametersForm, dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture
def make(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that makes the form of a notebook: the form, the names that it sets, what it said."""
    monkeypatch.setattr(cells, "_COPIES", [])

    def make(name: str, **space: Any) -> tuple[ParametersForm, dict[str, Any], list[dict[str, Any]]]:
        made = ParametersForm(name, workspace, space)
        said: list[dict[str, Any]] = []
        monkeypatch.setattr(made, "send", said.append)
        return made, space, said

    return make


def test_what_the_cells_begin_stands_in_the_parameters_cell(workspace: Workspace, make: Make) -> None:
    form, space, _ = make("kill_switch", operator="Ada", reason="a rehearsal")
    assert form.execution == {}
    rb = begin("kill_switch", workspace, **space)
    assert space["resume"] == rb.round.id
    assert f'resume: str = "{rb.round.id}"' in form.source
    assert form.execution["said"].startswith(f"{rb.round.id}, begun ")
    assert "by Ada: 0 steps done" in form.execution["said"]
    rb.round.act("one", "One", lambda: "done")
    again, kept, _ = make("kill_switch", resume=rb.round.id)  # another kernel, with what the cell says
    assert (kept["operator"], kept["reason"]) == ("Ada", "a rehearsal")
    assert {one["name"]: one["value"] for one in again.fields}["reason"] == "a rehearsal"
    assert "1 step done" in again.execution["said"]
    assert begin("kill_switch", workspace, **kept).round.id == rb.round.id
    assert len(EvidenceBook.of(workspace).ids()) == 1


def test_a_changed_field_begins_anew_and_an_answer_does_not(workspace: Workspace, make: Make) -> None:
    form, space, _ = make("kill_switch", operator="Ada")
    rb = begin("kill_switch", workspace, **space)
    form._handle_custom_msg({"name": "answers", "value": "let_go = yes: known"}, [])
    assert space["resume"] == rb.round.id
    form._handle_custom_msg({"name": "mode", "value": "halt"}, [])  # refused, so nothing changed
    assert space["resume"] == rb.round.id
    form._handle_custom_msg({"name": "mode", "value": "halted"}, [])
    assert (space["resume"], form.execution) == ("", {})
    assert 'resume: str = ""' in form.source


def test_a_finished_copy_says_so_and_leads_to_a_clean_one(
    workspace: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEAKTRADE_LAB", "1")
    form, space, _ = make("kill_switch", operator="Ada", reason="mended & seen")
    rb = begin("kill_switch", workspace, **space)
    rb.finish()
    told = form.execution
    assert (told["finished"], told["again"]) == (
        True,
        "/peaktrade/open/kill_switch?reason=mended+%26+seen&operator=Ada",
    )
    assert "is finished: passed. This copy stays as it is." in told["said"]
    assert make("kill_switch", resume=rb.round.id)[0].execution == told  # opened again
    with pytest.raises(
        ConfigError, match="was finished as passed; open a clean copy to begin anew: `peaktrade lab kill_"
    ):
        begin("kill_switch", workspace, resume=rb.round.id)


def test_an_execution_is_taken_up_with_the_values_it_was_begun_with(workspace: Workspace, make: Make) -> None:
    rb = begin("kill_switch", workspace, operator="Ada", reason="strange fills", mode="halted")
    given = begin("kill_switch", workspace, resume=rb.round.id, reason="more").given
    assert (given.operator, given.mode, given.reason) == ("Ada", "halted", "more")
    form, space, said = make("kill_switch")
    form._handle_custom_msg({"name": "resume", "value": rb.round.id}, [])
    assert (space["reason"], space["mode"]) == ("strange fills", "halted")
    assert {"name": "reason", "said": "", "value": "strange fills"} in said
    assert f'resume: str = "{rb.round.id}"' in form.source
    assert form.execution["id"] == rb.round.id


@pytest.mark.parametrize("resume", ["EV-20260101-NONE", "nonsense"])
def test_an_id_that_is_nothing_leaves_the_form_as_it_is(make: Make, resume: str) -> None:
    form, space, _ = make("kill_switch", resume=resume)
    assert (form.execution, space) == ({}, {"resume": resume})


def test_the_execution_of_another_runbook_is_not_taken_up(workspace: Workspace, make: Make) -> None:
    other = begin("safe_stop", workspace, operator="Ada")
    assert make("kill_switch", resume=other.round.id)[0].execution == {}
    with pytest.raises(ConfigError, match="is an execution of safe_stop, not of kill_switch; take it up there"):
        begin("kill_switch", workspace, resume=other.round.id)
    form, space, _ = make("kill_switch")
    form.keep(other.round.record)
    assert "resume" not in space
    assert other.round.record.outcome == ev.RUNNING
