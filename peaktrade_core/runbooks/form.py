"""The form of a question in a notebook: radio buttons, a reason, a button; all of it reached by keyboard.

JupyterLab takes the keys that no text field wants for commands of its own: an arrow moves to another cell, D twice deletes
one. Inside the form they belong to the form, which is in focus when it appears; answered, it hands on to the next cell.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.book import Round

if TYPE_CHECKING:
    import ipywidgets

_SUPPORT = {None: "", True: "  (✓ the evidence speaks for it)", False: "  (the evidence speaks against it)"}

# What the browser is told, once the element of the script is on the page. ipywidgets leaves its radio buttons ungrouped
# and its fields unnamed: arrows then choose nothing, and a screen reader reads no question. It also gives an option one
# line, so that a second one lies over the option below.
_SHOWN = """
const shown = (act, tries) => element.isConnected ? act() : tries && setTimeout(shown, 50, act, tries - 1);
"""
_STYLE = """<style>
.pt-form .widget-radio-box label {
  display: flex; flex-direction: row-reverse; justify-content: flex-end; height: auto; padding: 2px 0; max-width: 80ch }
.pt-form .widget-radio-box input { flex: none }
.pt-form.widget-vbox table { margin-left: 0 }
</style>"""
_ENTER = """
shown(() => {
  const form = element.closest(".pt-form");
  form.querySelectorAll("input, button").forEach(one => one.setAttribute("data-lm-suppress-shortcuts", "true"));
  const radios = form.querySelectorAll("input[type=radio]");
  const group = form.querySelector(".widget-radio-box");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", form.querySelector("b").textContent);
  const name = `answer-${Math.random()}`;
  radios.forEach(radio => { radio.name = name; });
  form.querySelectorAll("input[type=text]").forEach(field => field.setAttribute("aria-label", field.placeholder));
  radios[0].focus();
}, 100);
"""
_LEAVE = """
shown(() => {
  const cell = element.closest(".jp-Cell");
  (cell?.nextElementSibling ?? cell)?.focus();
}, 100);
"""


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
    fit = w.Layout(width="max-content", max_width="100%")
    button = w.Button(description="Record the answer", button_style="primary", layout=fit)
    said = w.HTML(layout=full)
    two = any(ev.AUTHORITIES[option.authority].second for option in question.options)
    title = w.HTML(f"{_STYLE}<b>{html.escape(question.text)}</b>", layout=full)
    form = w.VBox([title, choice, reason, *([other] if two else []), button, said, _script(_ENTER)])
    form.add_class("pt-form")

    def record(_: object) -> None:
        if choice.value is None:
            said.value = '<span role="alert">Choose an answer first.</span>'
            return
        try:
            done = round_.answer(step.id, choice.value, reason.value, second=other.value)
        except PeaktradeError as error:
            said.value = f'<span role="alert">✕ {html.escape(str(error))}</span>'
            return
        answered = w.HTML(_STYLE + after(done), layout=full)
        answered.add_class("jp-RenderedHTMLCommon")  # so that its table looks like the others
        form.children = [answered, _script(_LEAVE)]

    button.on_click(record)
    return form


def _script(source: str) -> ipywidgets.Output:
    """Return what runs a script in the browser when it is shown, and is not seen; the notebook does not keep it."""
    import ipywidgets as w

    output = {"output_type": "display_data", "data": {"application/javascript": _SHOWN + source}, "metadata": {}}
    return w.Output(outputs=(output,), layout=w.Layout(height="0", margin="0", overflow="hidden"))


def _label(option: ev.Option) -> str:
    """Return an option as its radio button says it."""
    return option.label + (f": {option.meaning}" if option.meaning else "") + _SUPPORT[option.supported]
