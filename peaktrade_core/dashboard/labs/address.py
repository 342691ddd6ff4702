"""The address of a lab: its controls begin as it says, and it says where they were moved to.

So a view can be shared and outlives a reload. The page's script writes what :attr:`Address.widget` carries into the
browser's address; a kernel reaches no page in another way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import ipywidgets as w
from traitlets import TraitError

from peaktrade_core.dashboard.labs.still import Markup

NOTHING = "-"  # stands for an empty choice, which an address would lose


class Address:
    """What an address asks, and what it is to say.

    Args (of the constructor):
        query: of the address that the page was opened by.

    Attributes:
        fields: what it asks, in its order; asked: the last of each name; widget: tells the page's script.
    """

    def __init__(self, query: str) -> None:
        self.fields = parse_qsl(query)
        self.asked = dict(self.fields)
        self.widget = Markup()
        self._waits = dict(self.asked)
        self._kept: dict[str, tuple[w.Widget, str]] = {}

    @property
    def query(self) -> str:
        """The query as the controls stand: what was asked, and what was moved."""
        rest = [(name, value) for name, value in self.fields if name not in self._kept]
        now = [(name, written(control), own) for name, (control, own) in self._kept.items()]
        return urlencode([*rest, *((name, text) for name, text, own in now if text != own or name in self.asked)])

    def keep(self, prefix: str = "", /, **controls: w.Widget) -> None:
        """Let controls begin as the address says, once, and the address follow them from now on.

        Args:
            prefix: of their names in the address; those that were kept under it, and are gone, are forgotten.
        """
        if prefix:
            self._kept = {name: kept for name, kept in self._kept.items() if not name.startswith(prefix)}
        for name, control in controls.items():
            own, field = written(control), prefix + name
            if field in self._waits:
                take(control, self._waits.pop(field))
            self._kept[field] = (control, own)
            control.observe(lambda _: self._tell(), "value")
        self._tell()

    def _tell(self) -> None:
        self.widget.value = f'<i hidden data-address="{escape(self.query)}"></i>'


def written(control: w.Widget) -> str:
    """Return the value of a control as an address says it."""
    value = control.value
    if hasattr(control, "options"):
        return _text(value)
    return ",".join(map(_text, value)) if isinstance(value, tuple) else _text(value)


def take(control: w.Widget, text: str) -> None:
    """Set a control as an address says; what it cannot be leaves it as it is."""
    with suppress(ValueError, OverflowError, TraitError):
        if hasattr(control, "options"):
            control.value = next((value for value in _values(control.options) if _text(value) == text), control.value)
        elif isinstance(control.value, tuple):
            parts = text.split(",")
            numbers = all(isinstance(part, float) for part in control.value) and control.value
            control.value = tuple(map(_number, parts)) if numbers else tuple(parts)
        elif isinstance(control.value, bool):
            control.value = text == str(True)
        else:
            control.value = type(control.value)(_number(text))


def _text(value: object) -> str:
    if value is None or value == "":
        return NOTHING
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _values(options: Mapping[str, Any] | Any) -> Iterator[Any]:
    """Yield what can be chosen of a control's options, which are values, or texts and values."""
    for one in options:
        yield one[1] if isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) else one
