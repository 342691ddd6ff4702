"""Questions: declared once, answered whatever they raise, and unknown is never good."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter

import pytest

import peaktrade_core
from peaktrade_core.base.errors import ArtefactError, ExchangeNetworkError
from peaktrade_core.base.question import FAIL, ORDER, PASS, UNKNOWN, WARN, Found, Question, answers, question, worst_of
from peaktrade_core.runs.questions import of_drawdown

NOT_READ = ("peaktrade_core.__main__",)


def declared() -> list[tuple[str, Question[object]]]:
    """Return every question that a module declares, with where; those that a tuple or another module holds count once."""
    found: dict[int, tuple[str, Question[object]]] = {}
    for info in pkgutil.walk_packages(peaktrade_core.__path__, "peaktrade_core."):
        if info.name not in NOT_READ:
            for value in vars(importlib.import_module(info.name)).values():
                for one in value if isinstance(value, tuple) else (value,):
                    if isinstance(one, Question):
                        found.setdefault(id(one.ask), (info.name, one))
    return list(found.values())


def test_no_two_questions_have_the_same_words() -> None:
    """What one question asks in two subjects is told apart by its words; ``about`` asks the same one, not another."""
    questions = [one for where, one in declared() if "about" not in one.ask.__qualname__]
    assert len(questions) > 80
    asked_of = Counter((one.text, one.ask.__module__) for one in questions)
    assert [text for (text, _), n in asked_of.items() if n > 1] == []
    words = Counter(one.text for one in questions)
    allowed = {  # of an ended session, and of those that run: other figures, the same words
        "Is the number of orders plausible?",
        "Did every order pass the risk checks?",
    }
    assert {text for text, n in words.items() if n > 1} <= allowed


def test_questions_are_asked_so_that_yes_is_good() -> None:
    wrong = [
        one.text
        for _, one in declared()
        if one.text.startswith(("Is no ", "Are no ", "Does no ", "Did no ", "Was no "))
    ]
    assert wrong == []


@question("reads", "Can it be read?", "Mend it.")
def reads(what: str) -> Found:
    if what == "artefact":
        raise ArtefactError("line 3 is torn")
    if what == "disk":
        raise OSError("disk on fire")
    if what == "venue":
        raise ExchangeNetworkError("no answer")
    return what == "good", "looked", *(("Look again.",) if what == "other" else ())


@pytest.mark.parametrize(
    ("what", "status", "evidence", "step"),
    [
        ("good", PASS, "looked", ""),
        ("bad", FAIL, "looked", "Mend it."),
        ("other", FAIL, "looked", "Look again."),
        ("artefact", FAIL, "line 3 is torn", "Mend it."),
        ("disk", FAIL, "disk on fire; check the name, the permissions and the free space", "Mend it."),
        ("venue", FAIL, "ExchangeNetworkError: no answer", "Mend it."),
    ],
)
def test_what_it_raises_is_its_answer(what: str, status: str, evidence: str, step: str) -> None:
    (found,) = answers((reads,), what)
    assert (found.id, found.question) == ("reads", "Can it be read?")
    assert (found.status, found.evidence, found.next_step) == (status, evidence, step)


def test_a_programming_error_is_not_taken_for_an_answer() -> None:
    @question("wrong", "Is it right?")
    def wrong(_: None) -> Found:
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        wrong(None)


def test_unknown_is_worse_than_pass_and_hides_nothing_bad() -> None:
    assert ORDER == (PASS, UNKNOWN, WARN, FAIL)
    assert worst_of([PASS, UNKNOWN, PASS]) == UNKNOWN
    assert worst_of([UNKNOWN, WARN]) == WARN
    assert worst_of([]) == PASS


def test_the_same_question_about_what_holds_its_subject() -> None:
    inside = reads.about(lambda pair: pair[1])
    assert inside((0, "good")).status == PASS
    assert inside((0, "bad")) == reads("bad")


def test_a_rehearsal_leaves_out_what_differs_by_machine() -> None:
    @question("free", "Is there room?", "Make some.", differs="answer")
    def free(_: None) -> Found:
        return True, "99 % free"

    @question("version", "Is it new enough?", "Install it.", differs="figures")
    def version(new: bool | None) -> Found:
        return bool(new), "3.11.7"

    asked = answers((free, version), None, rehearsal=True)
    assert [(one.status, one.evidence.partition(":")[0]) for one in asked] == [
        (UNKNOWN, "not looked at"),
        (FAIL, "3.11.7"),
    ]
    assert version.rehearse(True).evidence == "yes"


@pytest.mark.parametrize(("drawdown", "status"), [(0.0499, PASS), (0.05, WARN), (0.0999, WARN), (0.10, FAIL)])
def test_a_drawdown_that_has_reached_its_limit_is_beyond_it(drawdown: float, status: str) -> None:
    assert of_drawdown(drawdown) == status
