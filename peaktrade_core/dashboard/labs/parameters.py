"""The lab of parameters: each move of a slider runs the compiled backtest and draws its curves anew."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from typing import Any

import ipywidgets as w

from peaktrade_core.dashboard.labs import study
from peaktrade_core.dashboard.labs.bench import FULL, Bench, card, figures_html
from peaktrade_core.dashboard.labs.picture import DrawnSeries, Picture, Window, together
from peaktrade_core.dashboard.labs.still import Markup
from peaktrade_core.dashboard.labs.study import Choice, MarketData, Outcome, TriedChoice
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Marks
from peaktrade_core.show.language import spoken
from peaktrade_core.trading.strategies import Strategy, all_strategies, get_strategy
from peaktrade_core.workspace.workspace import Workspace


class ParametersLab(Bench):
    """A strategy, a market, a period, costs and parameters to move, and what a backtest makes of them.

    Attributes:
        controls, figures, curves, held_back: the cards of the page.
        trial: the last backtest.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        super().__init__(workspace, query)
        self.trial: TriedChoice | None = None
        self._tried = set[str]()
        self.preset = study.preset(self.workspace, {})
        self.try_(lambda: setattr(self, "preset", study.preset(self.workspace, self.asked)))
        names = [(f"{strategy.name} ({strategy.tier})", strategy.name) for strategy in all_strategies()]
        self.market = self.pick("market", study.markets(self.workspace))
        wanted = self.preset.market
        matching = (text for text, _ in self.market.options if wanted and all(word in text for word in wanted))
        self.market.label = next(matching, self.market.options[0][0])
        self.strategy = self.pick("strategy", names, self.preset.strategy)
        self.period = w.FloatRangeSlider(
            value=(0.0, 1.0), min=0.0, max=1.0, step=0.01, readout_format=".0%", **self._named("period")
        )
        self.fee = self.slide("fee", self.preset.fee_bps, 0.0, 100.0, 0.5)
        self.slippage = self.slide("slippage", self.preset.slippage_bps, 0.0, 50.0, 0.5)
        self.size = self.slide("size", self.preset.position_fraction, 0.01, 1.0, 0.01)
        self.address.keep(
            market=self.market, strategy=self.strategy, period=self.period, fee=self.fee, slippage=self.slippage,
            size=self.size,
        )  # fmt: skip
        self.params = w.VBox(layout=w.Layout(**FULL))
        self.about = Markup(layout=w.Layout(**FULL))
        self.controls = card(
            self.market, self.strategy, self.about, self.params, self.period, self.fee, self.slippage, self.size,
            self.address.widget, title=self.told("choose"), name="controls",
        )  # fmt: skip
        self._told = Markup(layout=w.Layout(**FULL))
        self.figures = card(self._told, self.said, name="figures")
        self.equity, self.drawdown = Picture(340), Picture(220)
        together(self.equity, self.drawdown)
        self.curves = card(self.equity.widget, self.drawdown.widget, name="curves")
        self._rest = Markup(layout=w.Layout(**FULL))
        self.held_back = card(self._rest, title=self.told("held_back"), name="held-back")
        self._offer(get_strategy(self.strategy.value))
        self.strategy.observe(lambda change: self.try_(lambda: self._switch(change["new"])), "value")
        self.when_changed((self.market, self.period, self.fee, self.slippage, self.size), self.run)
        fault = self.said.value  # of the address, which is said beside what is run instead
        self.try_(self.run)
        self.said.value = fault + self.said.value

    @property
    def choice(self) -> Choice:
        """What the controls say."""
        params = {slider.parameter: slider.value for slider in self.params.children}
        return Choice(
            self.strategy.value, params, self.period.value, self.fee.value, self.slippage.value, self.size.value
        )

    def run(self) -> None:
        """Run the backtest of what is chosen, and show it.

        Raises:
            PeaktradeError: it cannot be run; says why.
        """
        data = study.market_data(self.workspace, self.market.value)
        cache = self.workspace.compiled
        self._tried.add(repr((self.market.value, self.choice)))
        self._rest.value = self._kept(data)
        self.trial = study.try_out(self.workspace, data, self.choice, cache=cache)
        self._draw(self.trial, data.symbol)

    def _switch(self, name: str) -> None:
        """Offer another strategy's parameters, and run it."""
        self._offer(get_strategy(name))
        self.run()

    def _offer(self, strategy: Strategy) -> None:
        """Make a control for each parameter that a strategy declares."""
        values = {**strategy.params()._asdict(), **self.workspace.config.strategy.get(strategy.name, {})}
        if strategy.name == self.preset.strategy:
            values |= taken(self.preset.params, values)
        sliders = [self._slider(strategy, name, value) for name, value in values.items()]
        self.address.keep("p_", **{slider.parameter: slider for slider in sliders})
        self.when_changed(sliders, self.run)
        self.params.children = sliders
        self.about.value = f'<p class="sub">{escape(spoken(strategy.summary))}</p>'

    def _slider(self, strategy: Strategy, name: str, value: Any) -> w.Widget:
        """Return the control of one parameter."""
        if isinstance(value, bool):
            slider = w.Checkbox(value=value, **self._named("", label=name))
        else:
            low, high, step = study.range_of(strategy, name)
            slider = self.slide("", value, min(low, value), max(high, value), step, label=name)
        slider.parameter = name
        return slider

    def _draw(self, trial: TriedChoice, symbol: str) -> None:
        """Show a trial."""
        currency, bar_s = wording.quote_currency(symbol), trial.decision.bar_s
        about = self.told("equity_about", end=wording.money(float(trial.equity[-1]), currency))
        equity = Chart(name="equity", title=self.words["plot_equity"], unit=currency, label=about, lines=())
        drawdown = Chart(
            name="drawdown", title=self.words["plot_drawdown"], unit="%", label=self.told("drawdown_about"), lines=(),
            zero=True, digits=4,
        )  # fmt: skip

        def marks(window: Window | None) -> list[Marks]:
            return study.fill_marks(trial, window)

        self.equity.show(equity, [DrawnSeries(self.words["plot_equity"], trial.opens, trial.equity, late=bar_s)], marks)
        lowest = DrawnSeries(
            self.words["plot_drawdown"], trial.opens, -100.0 * trial.drawdown, "red", filled=True, late=bar_s
        )
        self.drawdown.show(drawdown, [lowest])
        self._told.value = self._figures(study.outcome(trial), trial, currency)

    def _figures(self, found: Outcome, trial: TriedChoice, currency: str) -> str:
        """Return the figures of what was run."""
        at = self.told("in_sample_about", bars=wording.count(len(trial.opens)), denied=wording.count(trial.denied))
        return figures_html(self._pairs(found, currency)) + f'<p class="sub">{at}</p>'

    def _pairs(self, found: Outcome, currency: str) -> list[tuple[str, str, str]]:
        """Return figures with their labels."""
        return [
            (self.words["total_pnl"], wording.percent(found.pnl), wording.sign_class(found.pnl)),
            (self.told("held"), wording.percent(found.held), ""),
            (self.words["max_drawdown"], wording.drawdown(found.drawdown), ""),
            (self.told("fills"), wording.count(found.fills), ""),
            (self.told("fees"), wording.money(found.fees, currency), ""),
        ]

    def _kept(self, data: MarketData) -> str:
        """Return what of a market is held back, how it is opened, and what moving sliders is worth."""
        if not data.real:
            told = [self.told("made_up")]
        elif data.since is None:
            told = [self.told("nothing_held")]
        else:
            told = [self.told("covered", bars=wording.count(data.held), since=wording.moment(data.since))]
            told += [self.told("openings", n=data.openings)] if data.openings else []
        told += [self.told("tries", n=wording.count(len(self._tried))), self.told("uncounted")]
        return "".join(f"<p>{wording.coded(text)}</p>" for text in told)


def taken(asked: Mapping[str, object], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return those parameters that a strategy has, as values of its kinds; what is none of them is left at its default."""
    found: dict[str, Any] = {}
    for name, value in asked.items():
        if name in known:
            with suppress(TypeError, ValueError):
                kind = type(known[name])
                found[name] = str(value) == "True" if kind is bool else kind(float(str(value)))
    return found
