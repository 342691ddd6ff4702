"""The form of a question in a notebook: radio buttons, a reason, a button; all of it reached by keyboard.

What is recorded is what the form showed at the click: key, reason and second person arrive in one message. Fields that
are sent one by one, as those of ipywidgets, can be overtaken by the click (docs/decisions/0055).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import Round

_SUPPORT = {None: "", True: "  (✓ the evidence speaks for it)", False: "  (the evidence speaks against it)"}
_HERE = Path(__file__).parent


class AnswerForm(anywidget.AnyWidget):
    """A question that waits for a person."""

    _esm = (_HERE / "form.js").read_text()
    _css = (_HERE / "form.css").read_text()
    question = traitlets.Dict().tag(sync=True)
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
                "text": question.text,
                "options": [{"key": option.key, "label": _label(option)} for option in question.options],
                "reason": "Reason, in a sentence" if question.reason else "Note (optional)",
                "two": any(ev.AUTHORITIES[option.authority].second for option in question.options),
                "second": second,
            }
        )
        self._round, self._step, self._after = round_, step, after
        self.on_msg(self._record)

    def _record(self, _: object, message: dict[str, str], __: object) -> None:
        if self.answered:
            return
        if not message["key"]:
            self.send({"said": "Choose an answer first."})
            return
        try:
            done = self._round.answer(self._step.id, message["key"], message["reason"], second=message["second"])
        except PeaktradeError as error:
            self.send({"said": f"✕ {error}"})
            return
        self.answered = self._after(done)


def _label(option: ev.Option) -> str:
    """Return an option as its radio button says it."""
    return option.label + (f": {option.meaning}" if option.meaning else "") + _SUPPORT[option.supported]
