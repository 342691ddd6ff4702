"""The lab that compares: sessions and the backtests of their bars over each other, and why they differ."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

import ipywidgets as w

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.dashboard.labs import recorded
from peaktrade_core.dashboard.labs.bench import FULL, Bench, card, table_html
from peaktrade_core.dashboard.labs.picture import DrawnSeries, Picture
from peaktrade_core.dashboard.labs.still import Markup
from peaktrade_core.research.cli import CAUSES
from peaktrade_core.research.divergence import Divergence, Expectation, Recorded, diverge, expected_run
from peaktrade_core.research.divergence_session import expectation, load_recorded
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Mark, Marks, Tone
from peaktrade_core.show.language import spoken
from peaktrade_core.show.table import Cell, Column, Columns
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace

BACKTEST = ""  # stands for the backtest of the first one's bars
TONES: tuple[Tone, ...] = ("green", "red", "purple", "ink")  # of the curves beside the two


class CompareLab(Bench):
    """Two runs to compare, further ones to draw, and what differs.

    Attributes:
        controls, curves, causes, settings, figures: the cards of the page; found: the last comparison.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        super().__init__(workspace, query)
        self.found: Divergence | None = None
        self._load = lru_cache(maxsize=8)(lambda session_id: load_recorded(self.workspace, session_id))
        known = recorded.sessions(self.workspace, self.sessions)
        first, second, *more = [*self.sessions, None, None]  # of a list, or of the address that it leads to
        others = [(self.told("backtest"), BACKTEST), *known]
        next_ = known[1][1] if len(known) > 1 else BACKTEST
        self.left = self.pick("left", known, first)
        self.right = self.pick("right", others, self.asked.get("with", second or next_))
        if self.right.value == self.left.value:
            self.right.value = BACKTEST
        self.more = self.pick_some("more", known, more)
        axis = [(self.told("by_bars"), True), (self.told("by_time"), False)]
        self.axis = self.pick("axis", axis, self.asked.get("axis") != "time")
        self.address.keep(left=self.left, right=self.right, more=self.more, axis=self.axis)
        self.controls = card(
            self.left, self.right, self.more, self.axis, self.address.widget, title=self.told("choose"), name="controls"
        )
        self.picture = Picture(360)
        self._first = Markup(layout=w.Layout(**FULL))
        self.curves = card(self.picture.widget, self._first, self.said, name="curves")
        self._causes, self._settings, self._figures = (Markup(layout=w.Layout(**FULL)) for _ in range(3))
        self.causes = card(self._causes, title=self.told("causes"), name="causes")
        self.settings = card(self._settings, title=self.told("settings"), name="settings")
        self.figures = card(self._figures, name="figures")
        self.when_changed((self.left, self.right), self.run)
        self.when_changed((self.more, self.axis), self._draw)
        if self.left.value is None:
            self.say(self.told("no_session"))
        else:
            self.try_(self.run)

    def run(self) -> None:
        """Compare what is chosen, and show it.

        Raises:
            PeaktradeError: a journal or its settings cannot be used.
        """
        session: Recorded = self._load(self.left.value)
        expected = expectation(self.workspace, session, self.right.value or None)
        self.found = diverge(session, expected)
        self._expected = recorded.curve_of(self._ends(session, expected), expected.config.start_balance)
        self._tell(session, expected, self.found)
        self._draw()

    def _ends(self, session: Recorded, expected: Expectation) -> Any:
        """Return the ends of the bars of what is compared with: as recorded, or as a backtest gives them."""
        if self.right.value:
            return [bar.done for bar in self._load(self.right.value).bars]
        return expected_run(session, expected).done

    def _draw(self) -> None:
        """Draw all curves over each other, and where the two first part."""
        session: Recorded = self._load(self.left.value)
        currency, counted = wording.quote_currency(session.config.symbol), bool(self.axis.value)
        series = [self._series(self._name(self.left), _curve(session), "accent")]
        series.append(self._series(self._name(self.right), self._expected, "amber"))
        drawn = {self.left.value, self.right.value}
        others = [session_id for session_id in self.more.value if session_id not in drawn]
        for number, session_id in enumerate(others):
            series.append(self._series(session_id, _curve(self._load(session_id)), TONES[number % len(TONES)]))
        title = self.told("pnl_since")
        marks = [Marks(self.told("parts"), "down", "red", self._parts(session, counted))]
        chart = Chart(
            name="pnl", title=title, unit=currency, label=title, lines=(), marks=marks, counted=counted, zero=True
        )
        self.picture.show(chart, series)

    def _series(self, name: str, curve: recorded.EquityCurve, tone: Tone) -> DrawnSeries:
        """Return the PnL of a run since its own start."""
        return DrawnSeries(wording.short_id(name), *curve.since_start(bool(self.axis.value)), tone)

    def _parts(self, session: Recorded, counted: bool) -> list[Mark]:
        """Return a mark where the two first part."""
        first = self.found.first if self.found else None
        if first is None or (counted and first.step is None):
            return []
        step = next((n for n, bar in enumerate(session.bars) if bar.done.ts == first.at), None)
        if step is None:
            return []
        at = from_seconds(step + 1.0) if counted else first.at
        return [Mark(at, session.bars[step].done.equity - session.config.start_balance, first.why)]

    def _name(self, picked: w.Dropdown) -> str:
        """Return what the legend says of a choice."""
        return picked.value or self.told("backtest")

    def _tell(self, session: Recorded, expected: Expectation, found: Divergence) -> None:
        """Show the first difference, the causes in money, differing settings, and the figures."""
        currency, first = wording.quote_currency(session.config.symbol), found.first
        said = (
            self.told("no_difference")
            if first is None
            else self.told("first", at=wording.moment(first.at), why=f"{spoken(first.why)} ({spoken(first.cause)})")
        )
        names = (self._name(self.left), self._name(self.right))
        event = "" if first is None else f"<p>{escape(spoken(first.told))}</p>"
        if first is not None and first.differing:
            event += table_html(_beside(self.told("figure"), names, "words", key=True).table("", first.differing))
        notes = "".join(f'<p class="sub">{escape(note)}</p>' for note in found.notes)
        self._first.value = f"<p><b>{escape(said)}</b></p>{event}{notes}"
        whole = (
            f"<p>{escape(self.words['total_pnl'])}: <b>{escape(wording.signed(float(found.whole), currency))}</b></p>"
        )
        self._causes.value = whole + table_html(CAUSES.table("", found.parts, amount=currency or "Amount"))
        differing = recorded.settings_that_differ(session.config, expected.config)
        self._settings.value = (
            table_html(_beside(self.told("setting"), names, "words", key=True).table("", differing))
            if differing
            else f"<p>{escape(self.told('no_settings'))}</p>"
        )
        starts = (session.config.start_balance, expected.config.start_balance)
        metrics = (fold(session.events).metrics(), self._expected_metrics(session, expected))
        rows = recorded.figures_beside(*metrics, currency, starts)
        self._figures.value = table_html(_beside(self.told("figure"), names, "number").table("", rows))

    def _expected_metrics(self, session: Recorded, expected: Expectation) -> Any:
        """Return the figures of what is compared with."""
        if self.right.value:
            return fold(self._load(self.right.value).events).metrics()
        return recorded.metrics_of(expected_run(session, expected), expected.config.start_balance)


def _curve(session: Recorded) -> recorded.EquityCurve:
    """Return the curve of a recorded session."""
    return recorded.curve_of([bar.done for bar in session.bars], session.config.start_balance)


def _beside(what: str, names: tuple[str, str], form: Any, *, key: bool = False) -> Columns[tuple[str, str, str]]:
    """Return the columns of two runs beside each other; ``key``: what stands first is a name of ours in any language."""
    return Columns[tuple[str, str, str]](
        what=Column(what, lambda row: Cell(row[0], key=key)),
        left=Column(wording.short_id(names[0]), lambda row: row[1], form),
        right=Column(wording.short_id(names[1]), lambda row: row[2], form),
    )
