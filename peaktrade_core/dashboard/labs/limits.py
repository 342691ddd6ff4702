"""The lab of limits: a recorded session once more under limits that one moves."""

from __future__ import annotations

import math
from functools import lru_cache
from html import escape

import ipywidgets as w

from peaktrade_core.dashboard.labs import recorded
from peaktrade_core.dashboard.labs.bench import FULL, Bench, card, table_html
from peaktrade_core.dashboard.labs.picture import DrawnSeries, Picture, together
from peaktrade_core.dashboard.labs.recorded import Tried
from peaktrade_core.dashboard.labs.still import Markup
from peaktrade_core.research.cli import BLOCKED
from peaktrade_core.research.divergence import Recorded
from peaktrade_core.research.divergence_session import load_recorded
from peaktrade_core.research.replay_limits import recorded_limits
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Marks
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.workspace import Workspace

TIMES = 3.0  # a slider goes up to so many times the recorded limit
COUNTS = (  # limits on whole things, though the decision code computes with a fraction of one
    "max_open_positions", "max_orders_per_minute", "max_entries_per_day", "max_open_orders", "max_consecutive_rejects",
)  # fmt: skip


class LimitsLab(Bench):
    """A session, a slider for each risk limit, and what would have been denied.

    Attributes:
        controls, figures, curves, blocked: the cards of the page; tried: the last replay.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        super().__init__(workspace, query)
        self.tried: Tried | None = None
        self._load = lru_cache(maxsize=2)(lambda session_id: load_recorded(self.workspace, session_id))
        self.session = self.pick("session", recorded.sessions(self.workspace), self.asked.get("session"))
        self.address.keep(session=self.session)
        self.sliders: dict[str, w.Widget] = {}
        self._limits = w.VBox(layout=w.Layout(**FULL))
        self.back = w.Button(description=self.told("own_limits"), layout=w.Layout(width="auto"))
        self.back.on_click(lambda _: self.try_(self._offer))
        self.controls = card(
            self.session, self._limits, self.back, self.address.widget, title=self.told("choose"), name="controls"
        )
        self._told, self._blocked = Markup(layout=w.Layout(**FULL)), Markup(layout=w.Layout(**FULL))
        self.figures = card(self._told, self.said, name="figures")
        self.equity, self.drawdown = Picture(340), Picture(220)
        together(self.equity, self.drawdown)
        self.curves = card(self.equity.widget, self.drawdown.widget, name="curves")
        self.blocked = card(self._blocked, title=self.told("would_deny"), name="blocked")
        self.session.observe(lambda _: self.try_(self._offer), "value")
        if self.session.value is None:
            self.say(self.told("no_session"))
        else:
            self.try_(self._offer)

    @property
    def chosen(self) -> Recorded:
        """The session that is chosen; raises as :func:`load_recorded`."""
        return self._load(self.session.value)

    @property
    def limits(self) -> Limits:
        """What the sliders say.

        Raises:
            ConfigError: one of them is of no use.
        """
        given = {name: slider.value for name, slider in self.sliders.items()}
        return read_limits({**recorded_limits(self.chosen.config)._asdict(), **given})

    def run(self) -> None:
        """Replay the session under the limits as they are, and show it."""
        self.tried = recorded.try_limits(self.chosen, self.limits, self._says)
        self._draw(self.tried, wording.quote_currency(self.chosen.config.symbol))

    def _offer(self) -> None:
        """Make a slider for each limit, at what the session recorded."""
        own = recorded_limits(self.chosen.config)._asdict()
        self.sliders = {}
        for name, value in own.items():
            low, top = 0.0, max(TIMES * value, 1.0)
            whole = name in COUNTS and value == int(value)
            bounds = (int(low), int(top), 1) if whole else (low, round(top, 6), 10.0 ** _power(top))
            label = self.words.get(f"limit_{name}", name.replace("_", " "))
            slider = self.slide("", int(value) if whole else value, *bounds, label=label)
            slider.continuous_update = False
            self.sliders[name] = slider
        self.address.keep(**self.sliders)
        self.when_changed(list(self.sliders.values()), self.run)
        self._limits.children = list(self.sliders.values())
        self.run()

    def _says(self, denial: ev.Denial) -> str:
        """Return a denial in words."""
        value, limit = (wording.NOTHING if n is None else f"{n:,.6g}" for n in (denial.value, denial.limit))
        return self.told("denied_at", code=denial.code, value=value, limit=limit)

    def _draw(self, tried: Tried, currency: str) -> None:
        """Show a replay."""
        was, now, denied = self.told("without"), self.told("with"), self.words["mark_denial"]
        marks = [
            Marks(f"{denied}, {was}", "cross", "amber", tried.was),
            Marks(f"{denied}, {now}", "down", "red", tried.now),
        ]
        label = wording.signed(tried.found.pnl_difference, currency)
        title = self.words["plot_equity"]
        equity = Chart(name="equity", title=title, unit=currency, label=label, lines=(), marks=marks)
        lines = [
            DrawnSeries(was, tried.recorded.ts, tried.recorded.equity, "ink"),
            DrawnSeries(now, tried.replayed.ts, tried.replayed.equity)
        ]  # fmt: skip
        self.equity.show(equity, lines)
        drawdown = Chart(
            name="drawdown", title=self.words["plot_drawdown"], unit="%", label="", lines=(), zero=True, digits=4
        )
        self.drawdown.show(
            drawdown,
            [
                DrawnSeries(was, tried.recorded.ts, -100.0 * tried.recorded.drawdown, "ink"),
                DrawnSeries(now, tried.replayed.ts, -100.0 * tried.replayed.drawdown, "red", filled=True),
            ],
        )
        self._tell(tried, currency)

    def _tell(self, tried: Tried, currency: str) -> None:
        """Show figures with and without, the first difference, and the orders that would have been denied."""
        found, start = tried.found, self.chosen.config.start_balance
        rows = recorded.figures_beside(found.recorded, found.replayed, currency, (start, start))
        columns = Columns[tuple[str, str, str]](
            figure=Column(self.told("figure"), lambda row: row[0]),
            was=Column(self.told("without"), lambda row: row[1], "number"),
            now=Column(self.told("with"), lambda row: row[2], "number"),
        )
        first = found.first
        said = self.told("same") if first is None else self.told("first", at=wording.moment(first.at), why=first.why)
        self._told.value = f"<p>{escape(said)}</p>" + table_html(columns.table("", rows))
        more = f"<p>{escape(self.told('would_allow', n=found.allowed))}</p>" if found.allowed else ""
        shown = table_html(BLOCKED.table("", found.blocked[:200])) if found.blocked else ""
        self._blocked.value = f"<p><b>{len(found.blocked)}</b></p>{more}{shown}"


def _power(top: float) -> int:
    """Return the power of ten of a step of which a slider has some hundred."""
    return math.floor(math.log10(top / 100.0))
