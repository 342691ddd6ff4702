"""The lab of candles: what is stored of a series, where bars are missing or odd, and how timeframes agree."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

import ipywidgets as w
import numpy as np

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.candles.checks import OUTLIER_DEVIATIONS, SeriesVerdict, check_store, step_by_step
from peaktrade_core.candles.kept import kept
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.labs.bench import FULL, Bench, card, table_html
from peaktrade_core.dashboard.labs.picture import DrawnSeries, Picture, Window, together
from peaktrade_core.dashboard.labs.still import Markup
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Mark, Marks, Shade
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.language import spoken
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.workspace import Workspace

MOST_SPANS, MOST_MARKS = 200, 250  # drawn one by one
PAUSE_S = 0.05  # between two questions, so that a page that connects is answered [s]


class CandlesLab(Bench):
    """A stored series, another beside it, and from where on a move is odd.

    It opens with the curve; the verdict, which reads every bar several times, comes with :meth:`judge`.

    Attributes:
        controls, figures, curves: the cards of the page; verdict: the last one on the series, None before :meth:`judge`.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        super().__init__(workspace, query)
        self.verdict: SeriesVerdict | None = None
        self.store = CandleStore.of_workspace(self.workspace.home)
        self._read = lru_cache(maxsize=2)(lambda one: kept(self.workspace.home, one) or self.store.read(one))
        stored = [(str(series), series) for series in self.store.series()]
        wanted = [self.asked[name] for name in ("series", "symbol", "timeframe") if self.asked.get(name)]
        chosen = next((series for text, series in stored if wanted and all(word in text for word in wanted)), None)
        self.series = self.pick("series", stored, chosen)
        self.other = self.pick("other", [(self.told("none"), None)])
        self.deviations = self.slide("deviations", int(OUTLIER_DEVIATIONS), 3, 100, 1)
        self.deviations.continuous_update = False
        self.controls = card(
            self.series, self.other, self.deviations, self.address.widget, title=self.told("choose"), name="controls"
        )
        self._told = Markup(layout=w.Layout(**FULL))
        self.figures = card(self._told, self.said, title=self.told("findings"), name="figures")
        self.price, self.volume = Picture(360), Picture(200)
        together(self.price, self.volume)
        self.curves = card(self.price.widget, self.volume.widget, name="curves")
        if self.series.value is None:
            self.say(self.told("nothing_stored"))
        else:
            self.try_(lambda: self._draw(self.series.value, self._read(self.series.value), None))
            self.try_(self._offer)
        self.address.keep(series=self.series, other=self.other, deviations=self.deviations)
        self.series.observe(lambda _: self.try_(self._switch), "value")
        self.when_changed((self.other, self.deviations), self.run)

    def judge(self) -> None:
        """Add the verdict to what the lab opened with; in a kernel beside its work, so that the page answers meanwhile."""
        if self.series.value is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.try_(self.run)
        else:
            self._told.value = f"<p>{self.told('judging')}</p>"
            self._judging = loop.create_task(self._judge_beside(self.series.value))

    async def _judge_beside(self, series: Series) -> None:
        """Judge a series a question at a time, the page's messages between them; show it unless something was chosen meanwhile.

        Not in a thread: beside the kernel's own, in a process that was forked, DuckDB was seen to wait for ever.
        """
        now = self.workspace.clock.now().timestamp()
        found: list[SeriesVerdict] | None = None

        def step() -> None:
            nonlocal found
            found = next(judging, found)

        with closing(step_by_step(self.store, [series], now, float(self.deviations.value))) as judging:
            while found is None and self.verdict is None and series == self.series.value:
                await asyncio.sleep(PAUSE_S)
                self.try_(step)
                if self.said.value:
                    return
        # only now that the tables of the questions are gone: with them there may be no memory left to draw
        if (verdict := found[0] if found else None) and self.verdict is None and series == self.series.value:
            self.try_(lambda: self._show(verdict))

    def run(self) -> None:
        """Judge the series that is chosen, and draw it.

        Raises:
            DataError: a stored file cannot be read.
        """
        now = self.workspace.clock.now().timestamp()
        (verdict,) = check_store(self.store, [self.series.value], now, float(self.deviations.value))
        self._show(verdict)

    def _show(self, verdict: SeriesVerdict) -> None:
        """Show a verdict on the series that is chosen."""
        self.verdict = verdict
        self._told.value = f"<p>{escape(spoken(verdict.title))}</p>" + table_html(check_table(verdict.checks, ""))
        self._draw(self.series.value, self._read(self.series.value), verdict)

    def _switch(self) -> None:
        """Go on to another series."""
        self._offer()
        self.run()

    def _offer(self) -> None:
        """Offer what can stand beside the series: the other timeframes of its symbol."""
        chosen: Series = self.series.value
        beside = [one for one in self.store.series() if one[:2] == chosen[:2] and one != chosen]
        self.other.options = [(self.told("none"), None), *((one.timeframe, one) for one in beside)]
        self.other.index = 0

    def _draw(self, series: Series, bars: Bars, verdict: SeriesVerdict | None) -> None:
        """Draw closes and volume; of a verdict gaps as shaded stretches, odd bars as marks."""
        opens, close, bar_s = bars.ts, bars.ohlcv[:, 3], series.bar_s
        spans = gaps_of(verdict, bar_s) if verdict else ()
        currency = wording.quote_currency(series.symbol)
        price = Chart(
            name="close",
            title=self.told("price"),
            unit=currency,
            label=verdict.title if verdict else str(series),
            lines=(),
            spans=spans,
            digits=8,
        )
        breaks = opens[1:][np.diff(opens) > bar_s] + bar_s
        lines = [DrawnSeries(series.timeframe, opens, close, breaks=breaks, late=bar_s)]
        if (other := self.other.value) is not None:
            beside = self._read(other)
            line = DrawnSeries(other.timeframe, beside.ts, beside.ohlcv[:, 3], "amber", stepped=True, late=other.bar_s)
            lines.append(line)

        def marks(window: Window | None) -> list[Marks]:
            def found(kind: str) -> list[Mark]:
                return odd(verdict, kind, window, opens, close, bar_s) if verdict else []

            return [
                Marks(self.told("outliers"), "cross", "red", found("outliers")),
                Marks(self.told("disagreeing"), "down", "purple", found("contradictions")),
            ]

        self.price.show(price, lines, marks)
        base = series.symbol.partition("/")[0]
        volume = Chart(name="volume", title=self.told("volume"), unit=base, label="", lines=(), digits=8, zero=True)
        self.volume.show(
            volume, [DrawnSeries(self.told("volume"), opens, bars.ohlcv[:, 4], "ink", filled=True, late=bar_s)]
        )


def gaps_of(verdict: SeriesVerdict, bar_s: int) -> list[Shade]:
    """Return the longest stretches without bars, shaded."""
    found = verdict.findings.get("gaps", [])
    longest = sorted(found, key=lambda gap: -int(gap["bars"]))[:MOST_SPANS]
    return [
        Shade(_moment(gap["first"]), from_seconds(_moment(gap["last"]).timestamp() + bar_s), "red", 0.25)
        for gap in longest
    ]


def odd(verdict: SeriesVerdict, kind: str, window: Window | None, opens: Any, close: Any, bar_s: int) -> list[Mark]:
    """Return the bars of a kind of finding as marks at their closes, those in sight; none where they could not be told apart."""
    first, last = (float(opens[0]), float(opens[-1])) if window is None else (window[0] - bar_s, window[1] - bar_s)
    found = [(_moment(one["ts"]).timestamp(), one) for one in verdict.findings.get(kind, []) if one.get("ts")]
    seen = [(at, one) for at, one in found if first <= at <= last]
    if len(seen) > MOST_MARKS:
        return []
    rows = np.clip(np.searchsorted(opens, [at for at, _ in seen]), 0, len(opens) - 1) if seen else ()
    return [
        Mark(
            from_seconds(at + bar_s),
            float(close[row]),
            ", ".join(f"{name} {value}" for name, value in one.items() if name != "ts"),
        )
        for (at, one), row in zip(seen, rows, strict=True)
    ]


def _moment(text: str) -> datetime:
    """Return the time of a finding."""
    return datetime.fromisoformat(text)
