"""What every lab has: its workspace and words, what its address asked for, controls, and a place for what went wrong."""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from typing import Any

import ipywidgets as w
from traitlets import Tuple, observe, validate

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.dashboard.labs.address import Address
from peaktrade_core.dashboard.labs.still import Card, Markup
from peaktrade_core.dashboard.panels import CONFIG_PATH
from peaktrade_core.show import wording
from peaktrade_core.show.language import spoken, words
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace, speak_as_set

FULL = {"width": "100%"}
LONGEST = 300  # characters of an error that nobody foresaw; a library may write pages
QUIET_S = 1.0  # without a move after which a lab tidies up [s]


class Picks(w.VBox):  # type: ignore[misc]
    """Several of many, without a list that cuts what it holds: a drop-down adds one, a click on one takes it out.

    Attributes:
        value: what is chosen, in the order in which it was.
    """

    value = Tuple()

    def __init__(self, options: Sequence[tuple[str, Any]], add: str, take_out: str, **look: Any) -> None:
        """Offer options; ``add`` stands in the drop-down, ``take_out`` says what a click on a chosen one does."""
        self._texts, self._take_out = {value: text for text, value in options}, take_out
        self._offer = w.Dropdown(options=[(add, None), *options], value=None, **look)
        super().__init__([self._offer], layout=w.Layout(**FULL))
        self._offer.observe(self._add, "value")

    def _add(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            self.value = tuple(dict.fromkeys((*self.value, change["new"])))
            self._offer.value = None

    @validate("value")  # type: ignore[untyped-decorator]
    def _known(self, proposal: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(value for value in proposal["value"] if value in self._texts)

    @observe("value")  # type: ignore[untyped-decorator]
    def _show(self, change: dict[str, Any]) -> None:
        for gone in tuple(getattr(self, "children", ()))[1:]:
            gone.close()
        self.children = (self._offer, *(self._chip(value) for value in change["new"]))

    def _chip(self, value: Any) -> w.Button:
        text = f"{self._texts[value]} ✕"
        chip = w.Button(description=text, tooltip=self._take_out, layout=w.Layout(width="auto", height="auto"))
        chip.add_class("lab-chip")
        chip.on_click(lambda _: setattr(self, "value", tuple(one for one in self.value if one != value)))
        return chip


class Bench:
    """The part that labs share.

    Attributes:
        workspace: what is looked at; words: of its language.
        address: of the page; asked: its fields; sessions: all that it names.
        said: what went wrong, in words; empty while all goes well.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        self.workspace = workspace or Workspace(config=os.environ.get(CONFIG_PATH))
        self.words = words(speak_as_set(self.workspace))
        self.address = Address(os.environ.get("QUERY_STRING", "") if query is None else query)
        self.asked = self.address.asked
        self.sessions = [value for name, value in self.address.fields if name == "session"]
        self.said = Markup(layout=w.Layout(**FULL))
        self._tidying: asyncio.TimerHandle | None = None

    def told(self, name: str, **values: object) -> str:
        """Return a text of the catalogue, filled in."""
        return self.words[f"lab_{name}"].format(**values)

    def try_(self, work: Callable[[], None]) -> None:
        """Do something; what goes wrong is said on the page, where a callback's traceback would go nowhere."""
        try:
            work()
        except PeaktradeError as error:
            self.say(str(error))
        except Exception as error:  # whatever it is, the page says it and goes on
            said = " ".join(str(error).split())
            self.say(f"{type(error).__name__}: {said[:LONGEST]}{'…' * (len(said) > LONGEST)}")
        else:
            self.say("")
        with suppress(RuntimeError):  # without a loop this is no kernel, and ends soon
            loop = asyncio.get_running_loop()
            if self._tidying is not None:
                self._tidying.cancel()
            self._tidying = loop.call_later(QUIET_S, give_back)

    def say(self, text: str) -> None:
        """Show what went wrong."""
        self.said.value = f'<p class="note bad" role="alert"><b>✕</b> {wording.coded(spoken(text))}</p>' if text else ""

    def when_changed(self, controls: Sequence[w.Widget], work: Callable[[], None]) -> None:
        """Do something whenever a value of some controls changes."""
        for control in controls:
            control.observe(lambda _: self.try_(work), "value")

    def pick(self, name: str, options: Sequence[tuple[str, Any]], chosen: object = None) -> w.Dropdown:
        """Return a drop-down; what is not among the options is not chosen."""
        values = [value for _, value in options]
        value = chosen if chosen in values else values[0] if values else None
        return w.Dropdown(options=list(options), value=value, **self._named(name))

    def pick_some(self, name: str, options: Sequence[tuple[str, Any]], chosen: Sequence[object] = ()) -> Picks:
        """Return a picker of several; what is not among the options is not chosen."""
        picks = Picks(options, self.told("add"), self.told("take_out"), **self._named(name))
        picks.value = tuple(chosen)
        return picks

    def slide(self, name: str, value: float, low: float, high: float, step: float, **look: Any) -> w.Widget:
        """Return a slider; whole numbers where all of them are."""
        whole = all(isinstance(number, int) for number in (value, low, high, step))
        digits = 0 if whole else max(0, -math.floor(math.log10(step)))
        kind = w.IntSlider if whole else w.FloatSlider
        bounded = {"value": min(max(value, low), high), "min": low, "max": high, "step": step}
        return kind(**bounded, continuous_update=True, readout_format=f",.{digits}f", **self._named(name, **look))

    def _named(self, name: str, label: str = "", **layout: Any) -> dict[str, Any]:
        """Return label and width of a control."""
        text = wording.tied(label or self.told(name))
        style = {"description_width": "10em"}
        return {"description": text, "tooltip": text, "style": style, "layout": w.Layout(width="100%", **layout)}


def give_back() -> None:
    """Give the memory of columns that are gone back to the system; the allocator would keep some fifty megabytes."""
    with suppress(AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def card(*children: w.Widget, title: str = "", name: str = "") -> Card:
    """Return widgets as one card of the page."""
    head = [Markup(f"<h2>{escape(title)}</h2>")] if title else []
    box = Card([*head, *children], layout=w.Layout(**FULL))
    box.add_class("lab-card")
    if name:
        box.add_class(f"lab-{name}")
    return box


def table_html(table: Table) -> str:
    """Return a table as the page shows it."""
    long = " in-words" if len(table.columns) > 3 else ""  # a phone stacks its cells
    return f'<div class="scroll lab-table{long}">{table._repr_html_()}</div>'


def figures_html(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Return figures in a row: label, value and a class for its colour."""
    cells = "".join(
        f'<div><dt>{escape(label)}</dt><dd class="{tone}">{escape(value)}</dd></div>' for label, value, tone in pairs
    )
    return f'<dl class="lab-figures">{cells}</dl>'
