"""The form of a question in a notebook: radio buttons, a reason, a button; all of it reached by keyboard."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from peaktrade_core.domain import evidence as ev
from peaktrade_core.domain.errors import PeaktradeError
from peaktrade_core.services.evidence import Round

if TYPE_CHECKING:
    import ipywidgets

_SUPPORT = {None: "", True: "  (✓ the evidence speaks for it)", False: "  (the evidence speaks against it)"}


def answer_form(round_: Round, step: ev.Step, second: str, after: Callable[[ev.Step], str]) -> ipywidgets.VBox:
    """Return the form of an open question.

    Args:
        round_: the execution that the answer goes to.
        step: with the question.
        second: name of the second person, as far as it is known.
        after: returns the HTML that takes the form's place when the answer is recorded.
    """
    import ipywidgets as w

    question = step.question
    assert question is not None
    wide, full = w.Layout(width="36em", max_width="100%"), w.Layout(width="100%")
    choice = w.RadioButtons(
        options=[(_label(option), option.key) for option in question.options], value=None, layout=w.Layout(width="auto")
    )
    # Sent when the field is left, not with each key: keys that wait to be sent are overtaken by the button's click.
    late = {"layout": wide, "continuous_update": False}
    reason = w.Text(placeholder="Reason, in a sentence" if question.reason else "Note (optional)", **late)
    other = w.Text(value=second, placeholder="Name of the second person", **late)
    button = w.Button(description="Record the answer", button_style="primary", layout=w.Layout(width="auto"))
    said = w.HTML(layout=full)
    two = any(ev.AUTHORITIES[option.authority].second for option in question.options)
    title = w.HTML(f"<b>{html.escape(question.text)}</b>", layout=full)
    form = w.VBox([title, choice, reason, *([other] if two else []), button, said])

    def record(_: object) -> None:
        if choice.value is None:
            said.value = "Choose an answer first."
            return
        try:
            done = round_.answer(step.id, choice.value, reason.value, second=other.value)
        except PeaktradeError as error:
            said.value = f'<span role="alert">✕ {html.escape(str(error))}</span>'
            return
        form.children = [w.HTML(after(done), layout=full)]

    button.on_click(record)
    return form


def _label(option: ev.Option) -> str:
    """Return an option as its radio button says it."""
    return option.label + (f": {option.meaning}" if option.meaning else "") + _SUPPORT[option.supported]
