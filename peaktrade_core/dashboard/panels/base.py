"""How a panel is registered, asked and filled; what each one shows is in the other modules of this package."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import PeaktradeError, SessionNotFoundError, UnknownNameError
from peaktrade_core.base.resources import share_dir
from peaktrade_core.control.status import Whole, whole
from peaktrade_core.dashboard.panels.charts import drawn, sign
from peaktrade_core.dashboard.papers import linked
from peaktrade_core.halts.scope import Scope, TradingState
from peaktrade_core.runs.detail import Look
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.runs.run import Run, name_of, verdict_of
from peaktrade_core.runs.trades import bps
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Tone
from peaktrade_core.show.drawing import times_of
from peaktrade_core.show.language import speak, spoken, words
from peaktrade_core.show.sparkline import sparkline
from peaktrade_core.show.templates import PlainAttributes, inert_value
from peaktrade_core.workspace.workspace import Workspace

CONFIG_PATH = "PEAKTRADE_CONFIG_PATH"  # where a page's kernel finds the configuration that the server was given
SUBJECT = "PEAKTRADE_PAGE_SUBJECT"  # what the page is about: the id in its address


class Visit:
    """What a page was asked for, and the one look that its panels take at the run that it is about.

    Attributes:
        query: the URL's query string.
        subject: the id in the page's path, None for a page that is about no single thing.
        seen: what one panel found and the others of the page need, too, by name.
    """

    def __init__(self, query: str = "", subject: str | None = None) -> None:
        self.query, self.subject = query, subject
        self.seen: dict[str, Any] = {}
        self._look: Look | None = None
        self._stands: Whole | None = None

    def stands(self, workspace: Workspace) -> Whole:
        """Return how everything stands, found out when the page's first panel asks."""
        if self._stands is None:
            self._stands = whole(workspace)
        return self._stands

    def look(self, workspace: Workspace) -> Look:
        """Return the look at the run that the page is about, taken when its first panel asks.

        Raises:
            SessionNotFoundError: its address names none, or none that there is.
        """
        if self._look is None:
            if not self.subject:
                raise SessionNotFoundError("the address names no session; open one from the list")
            views = Views.of(workspace)
            self._look = views.look(views.meant(self.subject))
        return self._look


def halts_of(workspace: Workspace, asked: Visit, run: Run) -> list[TradingState]:
    """Return what keeps a run that goes on from trading: the halts of everything and of its own scope; none once it ended."""
    if run.final:
        return []
    scope = Scope.of(run.mode, run.strategy or "", run.symbol or "")
    return [halt for halt in asked.stands(workspace).trading.halts if halt.binds(scope)]


_UNSERVED = """<style>
.jp-OutputArea .plane { position: relative; height: 150px; margin-bottom: 20px }
.jp-OutputArea .plane svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
.jp-OutputArea .plane .line { fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke }
.jp-OutputArea .plane :is(.area, .over line) { fill: currentColor; stroke: currentColor; opacity: .12 }
.jp-OutputArea .plane text { fill: currentColor; font-size: 11px }
.jp-OutputArea .legend svg { width: 12px }
.jp-OutputArea svg .buy { fill: #17824b }
.jp-OutputArea svg .sell { fill: #d23f36 }
.jp-OutputArea svg.bar { width: 8em; height: 8px; fill: currentColor }
.jp-OutputArea svg.bar .track { opacity: .2 }
.jp-OutputArea .hint { display: none }
</style>
<p><b>This notebook is a page of the dashboard.</b> To read it laid out, and always up to date, run
<code>peaktrade dashboard</code> and open the address that it prints. Here its panels stand one below the other, plain, as
things were when their cell ran; a page about one session shows the newest.</p>"""

Answer = Callable[[Workspace, Visit], dict[str, Any]]
PANELS: dict[str, Answer] = {}


def panel(name: str) -> Callable[[Answer], Answer]:
    """Register a panel: a function whose answer fills ``templates/voila/panels/<name>.html.j2``."""

    def register(answer: Answer) -> Answer:
        PANELS[name] = answer
        return answer

    return register


class Html(str):
    """Markup that a notebook shows as it is; only the panels' templates make it."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


class Page:
    """The panels of one view, for one address.

    Args (of the constructor):
        open_workspace: returns the workspace; called by each panel, so that a broken one is said in the panel.
        query, subject: as in :class:`Visit`.
    """

    def __init__(self, open_workspace: Callable[[], Workspace], query: str = "", subject: str | None = None) -> None:
        self._open = open_workspace
        self.asked = Visit(query, subject)
        self._shown: set[str] = set()

    def panel(self, name: str) -> Html:
        """Return one panel by name; its own failure becomes its content.

        Raises:
            UnknownNameError: there is no such panel.
        """
        if name not in PANELS:
            raise UnknownNameError("panel", name, sorted(PANELS))
        if name in self._shown:  # shown anew, as by a cell that runs again: with a new look
            self.asked, self._shown = Visit(self.asked.query, self.asked.subject), set()
        self._shown.add(name)
        language = "en"
        try:
            workspace = self._open()
            language = workspace.config.ui.language
            speak(language)
            return fill(name, language, PANELS[name](workspace, self.asked))
        except PeaktradeError as error:
            message = str(error)
        except Exception as error:  # whatever it is, a page shows no traceback
            message = f"{type(error).__name__}: {error}"
        return fill("failed", language, {"name": name, "message": message, "filtered": bool(self.asked.query)})


def open_page() -> Page:
    """Return the page that the server asked this kernel for; where and what come from the environment.

    A person who opens the notebook by itself is told what it is, and sees a page about one session for the newest.
    """
    workspace = cache(lambda: Workspace(config=os.environ.get(CONFIG_PATH)))
    subject = os.environ.get(SUBJECT)
    if CONFIG_PATH not in os.environ:
        subject = subject or _newest(workspace)
        _say_unserved()
    return Page(workspace, os.environ.get("QUERY_STRING", ""), subject)


def _newest(workspace: Callable[[], Workspace]) -> str | None:
    """Return the newest session; None where there is none, or no workspace, which the panels will say."""
    try:
        newest = Views.of(workspace()).latest()
    except PeaktradeError:
        return None
    return newest.session_id if newest else None


def _say_unserved() -> None:
    """Tell whoever steps through a view notebook where its page is; nothing outside a notebook."""
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        display(Html(_UNSERVED))


FORMS = {"minute": "%Y-%m-%d %H:%M", "second": "%Y-%m-%d %H:%M:%S", "clock": "%H:%M:%S", "short": "%H:%M"}


def written(at: datetime, form: str) -> str:
    """Return a time as the page's script writes it too: ``minute``, ``second``, ``clock`` or ``short``."""
    return at.strftime(FORMS[form])


def coded(text: str) -> Markup:
    """Return a text, escaped: what stands in backticks as a command, and each id of the rest as a link."""
    return Markup(wording.coded(spoken(text), lambda part: linked(escape(part))))  # noqa: S704  (escaped before)


def command(text: str, name: str = "") -> Markup:
    """Return a command to be typed, escaped."""
    return Markup(wording.command(text, name))  # noqa: S704  (escaped there)


def spark(values: Sequence[float], label: str, base: float | None, tone: Tone) -> Markup:
    """Return a sparkline."""
    return Markup(sparkline(values, label, base=base, tone=tone))  # noqa: S704  (the drawing escapes what it is given)


@cache
def _templates() -> jinja2.Environment:
    """Return the panels' templates: escaping always on, a missing value is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(share_dir() / "templates" / "voila" / "panels"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=inert_value,
        extensions=[PlainAttributes],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "money",
        "percent",
        "drawdown",
        "count",
        "duration",
        "minute",
        "moment",
        "sign_class",
        "signed",
        "price",
        "quote_currency",
        "short_id",
    ):
        env.filters[name] = getattr(wording, name)
    env.filters["iso"] = iso
    env.filters["written"] = written
    env.filters["coded"] = coded
    env.filters["command"] = command
    env.filters["spoken"] = spoken
    env.filters["linked"] = linked
    env.filters["figures"] = wording.figure
    env.filters["times"] = times_of
    env.filters["drawn"] = drawn
    env.filters["sign"] = sign
    env.filters["next_step"] = next_step
    env.filters["run_name"] = name_of
    env.filters["spark"] = spark
    env.filters["verdict"] = verdict_of
    env.filters["bps"] = bps
    return env


def fill(name: str, language: str, context: dict[str, Any]) -> Html:
    """Return a filled template."""
    return Html(wording.tied(_templates().get_template(f"{name}.html.j2").render(w=words(language), **context)))
