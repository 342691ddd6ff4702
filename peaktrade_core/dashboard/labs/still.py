"""A card as HTML: what a page shows of it before its widgets are drawn, or where they never are.

Texts are as they are, figures are drawn by :mod:`peaktrade_core.show.drawing`, controls stand as what they say.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w
from traitlets import validate

from peaktrade_core.show import wording


class Markup(w.HTML):  # type: ignore[misc]
    """HTML of ours, in which no line ends between a figure and its unit."""

    @validate("value")  # type: ignore[untyped-decorator]
    def _as_it_is_shown(self, proposal: dict[str, Any]) -> str:
        return wording.tied(str(proposal["value"]))


class Card(w.VBox):  # type: ignore[misc]
    """Widgets as one card of the page, which also shows itself as HTML."""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return the widget, and the card as HTML beside it."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": f'<div class="{" ".join(self._dom_classes)} still">{_inner(self)}</div>'}


def _inner(box: w.Box) -> str:
    """Return what is in a box."""
    return "".join(map(_still, box.children))


def _still(widget: w.Widget) -> str:
    """Return a widget as it stands."""
    if drawn := getattr(widget, "drawn_still", None):
        return f'<div class="still-figure" style="height:{widget.layout.height:.0f}px">{drawn()}</div>'
    if isinstance(widget, w.HTML):
        return str(widget.value)
    if isinstance(widget, w.Box):
        return _inner(widget)
    label, says = getattr(widget, "description", ""), _said(widget)
    if isinstance(widget, w.Button):
        label, says = "", label
    pick = " pick-one" if isinstance(widget, w.Dropdown) else ""
    return f'<div class="still-control{pick}"><span>{escape(label)}</span><span>{escape(says)}</span></div>'


def _said(widget: w.Widget) -> str:
    """Return what a control says."""
    value = getattr(widget, "value", "")
    if isinstance(value, bool):
        return "☑" if value else "☐"
    named = getattr(widget, "label", "")
    form = str(getattr(widget, "readout_format", "")).replace("d", "")
    ends = [named] if named else value if isinstance(value, tuple) else [value]
    return " – ".join(format(end, form) if form and isinstance(end, (int, float)) else str(end) for end in ends)
