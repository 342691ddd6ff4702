"""The forms of a notebook that a person steps through: one for its parameters, one for each question.

What is recorded is what the form showed at the click: key, reason and second person arrive in one message. Fields that
are sent one by one, as those of ipywidgets, can be overtaken by the click (docs/decisions/0055). All of it is reached
by keyboard.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anywidget
import traitlets

from peaktrade_core.base.errors import PeaktradeError, WaitsForApproval
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.matrix import AUTHORITIES
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.notebooks.cells import keep_in_copy, person_is_there
from peaktrade_core.runbooks.notebooks.lab import OPENED, notebook_link
from peaktrade_core.runbooks.notebooks.parameters import Parameter, convert, with_values
from peaktrade_core.runbooks.pickers import Suggestion, suggested
from peaktrade_core.runbooks.round import Round
from peaktrade_core.runbooks.runbooks import find_runbook, parameters_cell
from peaktrade_core.runbooks.shelf import ANEW, as_begun, namespace, urgent_of
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

_SUPPORT = {None: "", True: "  (✓ the evidence speaks for it)", False: "  (the evidence speaks against it)"}
_SCRIPT = (
    "Name of the second person",
    "Record the answer",
    "Why, in a word or two",
    "click again to confirm",
    "The kernel does not answer. It is busy, or it was stopped: then choose Kernel, Restart Kernel in the menu.",
    "Rarely needed",
    "Run to the next question",
    "Sign with the key of this login",
    "something else …",
    "another day …",
    "another week …",
    "Begin anew in a clean copy",
    "What stands below is of an earlier sitting. Run it again to renew it.",
    "yes",
    "no",
)
_HERE = Path(__file__).parent


class AnswerForm(anywidget.AnyWidget):
    """A question that waits for a person; one that two people answer then waits for their signatures, and goes on by itself."""

    _esm = (_HERE / "form.js").read_text()
    _css = (_HERE / "form.css").read_text()
    question = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)  # of the script, by their English
    answered = traitlets.Unicode().tag(sync=True)  # HTML that takes the form's place when the answer is recorded

    def __init__(self, round_: Round, step: ev.Step, second: str, after: Callable[[ev.Step], str]) -> None:
        """Make the form of an open question.

        Args:
            round_: the execution that the answer goes to.
            step: with the question.
            second: name of the second person, as far as it is known.
            after: returns the HTML that takes the form's place.
        """
        question = step.question
        assert question is not None
        super().__init__(
            question={
                "text": spoken(question.text),
                "options": [{"key": option.key, "label": _label(option)} for option in question.options],
                "reason": spoken("Reason, in a sentence" if question.reason else "Note (optional)"),
                "two": any(AUTHORITIES[one.authority].second for one in question.options) and not round_.signs,
                "second": second,
            },
            words=_words(),
        )
        self._round, self._step, self._after = round_, step, after
        self.on_msg(self._record)

    def _record(self, _: object, message: dict[str, str], __: object) -> None:
        if self.answered:
            return
        if "sign" in message:
            self.send({"signed": spoken(signed(self._round.approvals, message["sign"]))})
            return
        if not message["key"]:
            self.send({"said": spoken("Choose an answer first.")})
            return
        try:
            done = self._round.answer(self._step.id, message["key"], message["reason"], second=message["second"])
        except WaitsForApproval as waits:
            self.send({"said": spoken(f"? {waits}"), "waits": waits.request})
            return
        except PeaktradeError as error:
            self.send({"said": spoken(f"✕ {error}")})
            return
        self.answered = self._after(done)


class Waiting(anywidget.AnyWidget):
    """Something that is done as soon as two people have signed it.

    A person whose key is of this login can sign here; whoever else must signs elsewhere.

    Traits: ``waits`` (what it waits for, in a sentence) and ``answered``, as of a question.
    """

    _esm = (_HERE / "form.js").read_text()
    _css = (_HERE / "form.css").read_text()
    words = traitlets.Dict().tag(sync=True)
    waits = traitlets.Unicode().tag(sync=True)
    answered = traitlets.Unicode().tag(sync=True)

    def __init__(self, waits: WaitsForApproval, go_on: Callable[[], str], approvals: Approvals) -> None:
        """Wait for signatures.

        Args:
            waits: what for; go_on: does it and returns the HTML that takes this one's place; raises as long as it waits.
            approvals: where it is signed.
        """
        super().__init__(waits=spoken(f"? {waits}"), words=_words())
        self._go_on, self._approvals, self._request = go_on, approvals, waits.request
        self.on_msg(self._look)

    def _look(self, _: object, message: dict[str, object], __: object) -> None:
        if self.answered:
            return
        if "sign" in message:
            self.send({"signed": spoken(signed(self._approvals, self._request))})
        try:
            self.answered = self._go_on()
        except WaitsForApproval as waits:
            self.waits = spoken(f"? {waits}")
        except PeaktradeError as error:
            self.answered = Table("Not done", (), [], empty=f"✕ {error}")._repr_html_()


def signed(approvals: Approvals | None, request: str) -> str:
    """Sign a request with the key of the login that the notebook runs under, and return what came of it in a sentence."""
    if approvals is None:
        return "✕ nobody has a key here, so nothing is signed"
    try:
        found, person = approvals.sign(request)
    except PeaktradeError as error:
        return f"✕ {error}"
    return f"✓ {person.name} signed {found.id}"


def _label(option: ev.Option) -> str:
    """Return an option as its radio button says it."""
    return (
        spoken(option.label)
        + (f": {spoken(option.meaning)}" if option.meaning else "")
        + spoken(_SUPPORT[option.supported])
    )


def _words() -> dict[str, str]:
    """Return what the forms' script says by itself, in the language that people read here."""
    return {text: spoken(text) for text in _SCRIPT}


class ParametersForm(anywidget.AnyWidget):
    """The parameters of a notebook as fields; each change is checked and sets the value in the notebook and its cell.

    Traits: ``fields`` (what to show), ``source`` (the parameters cell with the values as they are now), ``urgent`` (label
    and meaning of a red button, where the notebook has something that cannot wait for its steps) and ``execution``: what
    was begun from these parameters, in a sentence, whether it is finished, and the link to a clean copy. Its id stands in
    the parameters cell as long as they are those that it was begun with, so that a copy is one execution.
    """

    _esm = (_HERE / "form.js").read_text()
    _css = (_HERE / "form.css").read_text()
    fields = traitlets.List().tag(sync=True)
    source = traitlets.Unicode().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    urgent = traitlets.Dict().tag(sync=True)
    execution = traitlets.Dict().tag(sync=True)

    def __init__(self, name: str, workspace: Workspace, space: dict[str, Any]) -> None:
        """Make the form of a notebook.

        Args:
            name: of the notebook.
            workspace: where its pickers look.
            space: the names of the notebook, in which the values are set.
        """
        info = find_runbook(name)
        self._parameters = {one.name: one for one in info.parameters}
        self._workspace, self._space, self._name = workspace, space, name
        self._do = urgent_of(name)
        now = {one.name: space.get(one.name, one.default) for one in info.parameters}
        record = self._begun(str(now.get("resume", "")))
        if record is not None:
            now = vars(as_begun(SimpleNamespace(**now), info.parameters, record.parameters))
            space |= now
        super().__init__(
            fields=[_field(one, now[one.name], suggested(one.name, workspace, name)) for one in info.parameters],
            source=with_values(parameters_cell(info.path), now, info.name),
            urgent={"label": spoken(self._do.label), "meaning": spoken(self._do.meaning)} if self._do else {},
            execution=self._told(record),
            words=_words(),
        )
        self.on_msg(self._take)
        if "resume" in self._parameters:
            keep_in_copy(self.keep)

    def keep(self, record: ev.Evidence) -> None:
        """Put an execution that the cells began or ended into the parameters cell, so that the copy can be gone on with."""
        if record.runbook == self._name:
            self._set("resume", record.evidence_id)
            self.execution = self._told(record)

    def _set(self, name: str, value: object) -> None:
        self._space[name] = value
        self.source = with_values(self.source, {name: value}, self._name)

    def _begun(self, evidence_id: str) -> ev.Evidence | None:
        """Return the execution that is to be taken up; None without one, or where the cell that begins says what is wrong."""
        try:
            record = EvidenceBook.of(self._workspace).load(evidence_id) if evidence_id else None
        except PeaktradeError:
            return None
        return record if record is not None and record.runbook == self._name else None

    def _told(self, record: ev.Evidence | None) -> dict[str, Any]:
        """Return an execution as the form shows it."""
        if record is None:
            return {}
        began = f"{record.evidence_id}, begun {wording.moment(record.began_at)} UTC by {record.operator}"
        if record.ended_at is None:
            done = sum(step.ended_at is not None for step in record.steps)
            said = f"{began}: {wording.many(done, 'step')} done. It goes on with what was answered; a changed field begins anew."
            return {"id": record.evidence_id, "said": spoken(said), "finished": False}
        given = {k: self._space.get(k, one.default) for k, one in self._parameters.items() if k not in ANEW}
        again = {k: str(_text(v)) for k, v in given.items() if v != self._parameters[k].default}
        said = f"{began}, is finished: {record.outcome}. This copy stays as it is."
        return {
            "id": record.evidence_id,
            "said": spoken(said),
            "finished": True,
            "again": notebook_link(self._name, again),
        }

    def _take(self, _: object, message: dict[str, Any], __: object) -> None:
        if "urgent" in message:
            self._act(str(message["urgent"]))
            return
        name, value = message["name"], message["value"]
        try:
            taken = convert(self._parameters[name], value)
        except PeaktradeError as error:
            self.send({"name": name, "said": spoken(f"✕ {error}; {self._space.get(name)!r} stays")})
            return
        self._set(name, taken)
        self.send({"name": name, "said": ""})
        if name == "resume":
            self._take_up(str(taken))
        elif name not in ANEW and self.execution:
            self._set("resume", "")
            self.execution = {}

    def _take_up(self, evidence_id: str) -> None:
        """Show an execution that was chosen, with the parameters that it was begun with."""
        record = self._begun(evidence_id)
        for name, value in record.parameters.items() if record else ():
            if name in self._parameters and name not in ANEW:
                self._set(name, value)
                self.send({"name": name, "said": "", "value": _text(value)})
        self.execution = self._told(record)

    def _act(self, reason: str) -> None:
        """Do what cannot wait, and say what came of it."""
        assert self._do is not None
        try:
            operator = self._space.get("operator", "")
            self.send({"urgent": True, "said": spoken("✓ " + self._do.act(self._workspace, operator, reason))})
        except PeaktradeError as error:
            self.send({"urgent": False, "said": spoken(f"✕ {error}")})


def form(name: str) -> ParametersForm | None:
    """Return the form of a notebook's parameters, for a person; None where there is none, as under papermill."""
    from peaktrade_core.runbooks.notebook import open_workspace

    if not person_is_there():
        return None
    from IPython.display import display

    workspace, space = open_workspace(), namespace()
    space.setdefault("_drawn_forms", set()).add(name)  # for opened.js, which is shown again with the form
    display({"application/javascript": OPENED, "text/plain": ""}, raw=True)
    return ParametersForm(name, workspace, space)


def _field(one: Parameter, value: Any, choices: list[Suggestion]) -> dict[str, Any]:
    """Return a parameter as the browser draws it."""
    listed = [Suggestion(choice) for choice in one.choices] or choices
    return {
        "name": one.name,
        "type": one.type,
        "value": _text(value),
        "comment": " · ".join(filter(None, (spoken(one.comment), _range(one)))),
        "closed": bool(one.choices) and not one.time,
        "time": one.time,
        "slide": _slide(one),
        "choices": [{"value": choice.value, "label": spoken(choice.label)} for choice in listed],
        "rare": one.name in RARE,
    }


def _text(value: Any) -> Any:
    """Return a value as its field shows it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _slide(one: Parameter) -> list[float]:
    """Return from where to where a slider beside a number goes, and its step; empty where it would be of no use."""
    if one.low is None or one.high is None or one.high > MOST_TIMES * (one.low or 1.0):
        return []
    step = 1.0 if one.type == "int" else 10.0 ** math.floor(math.log10((one.high - one.low) / 100.0))
    low = step * math.ceil(one.low / step)  # so that it stops at round numbers
    return [low, one.high, step] if (one.high - low) / step <= MOST_STEPS else []


def _range(one: Parameter) -> str:
    """Return between what a number must be, in words; empty where it may be any."""
    low, high = (None if edge is None else f"{edge:,.15g}" for edge in (one.low, one.high))
    if low is None or high is None:
        return spoken(f"from {low}" if low else f"up to {high}" if high else "")
    return spoken(f"{low} to {high}")


MOST_STEPS, MOST_TIMES = 1000, 10_000  # of a slider, from its low end; beyond that nobody hits the number that is meant
RARE = ("answers", "resume", "drill")  # folded away: what a person hardly ever sets
