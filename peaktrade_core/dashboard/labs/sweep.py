"""The lab of sweeps: the verdict first, then the surface of what was tried, lines through a point, and its region."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import ipywidgets as w

from peaktrade_core.dashboard.labs.bench import FULL, Bench, card, figures_html, table_html
from peaktrade_core.dashboard.labs.heat import Heat, HeatProfile
from peaktrade_core.dashboard.labs.still import Markup
from peaktrade_core.research.experiments.surface import FIGURES, Surface
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.language import spoken
from peaktrade_core.workspace.workspace import Workspace

MOST_SWEEPS = 50  # in the drop-down, the newest
PERCENT = ("total_return", "max_drawdown")


class SweepLab(Bench):
    """A recorded sweep: what speaks against its best trial, a heat map over two parameters, lines through a point.

    Attributes:
        controls, verdict, map, lines, point: the cards of the page.
        record, surface: of the sweep that is chosen; None without one.
    """

    def __init__(self, workspace: Workspace | None = None, query: str | None = None) -> None:
        super().__init__(workspace, query)
        self.record: SweepRecord | None = None
        self.surface: Surface | None = None
        self.store = SweepStore(self.workspace)
        known = [(self._named_sweep(sweep_id), sweep_id) for sweep_id in self.store.ids()[:MOST_SWEEPS]]
        self.sweep = self.pick("sweep", known, self.asked.get("sweep"))
        self.figure = self.pick("colour", [(self.told(f"by_{name}"), name) for name in FIGURES])
        self.across, self.up = self.pick("across", []), self.pick("up", [])
        self.rest = self.pick("rest", [(self.told("rest_point"), False), (self.told("rest_best"), True)])
        self.address.keep(sweep=self.sweep, colour=self.figure, rest=self.rest)
        self.values: dict[str, w.SelectionSlider] = {}
        self._values = w.VBox(layout=w.Layout(**FULL))
        self.controls = card(
            self.sweep, self.figure, self.across, self.up, self.rest, self._values,
            self.address.widget, title=self.told("choose"), name="controls",
        )  # fmt: skip
        self._verdict, self._point = Markup(layout=w.Layout(**FULL)), Markup(layout=w.Layout(**FULL))
        self.verdict = card(self._verdict, self.said, title=self.told("verdict"), name="verdict")
        self.heat, self.profiles = Heat(), (HeatProfile(), HeatProfile())
        self.map = card(self.heat.widget, name="curves")
        self.lines = card(*(profile.widget for profile in self.profiles), name="lines")
        self.point = card(self._point, title=self.told("point"), name="point")
        self.sweep.observe(lambda _: self.try_(self._open), "value")
        self.when_changed((self.figure, self.across, self.up, self.rest), self.run)
        self.heat.when_clicked(lambda across, up: self.try_(lambda: self._go(across, up)))
        if self.sweep.value is None:
            self.say(self.told("no_sweep"))
        else:
            self.try_(self._open)

    def run(self) -> None:
        """Draw what is chosen."""
        if self.surface is None or not self.values:
            return
        trial = self.surface.at(self.chosen)
        self._draw(self.surface)
        self._tell(self.surface, trial)

    @property
    def chosen(self) -> dict[str, Any]:
        """The point that the sliders name."""
        return {name: slider.value for name, slider in self.values.items()}

    def _named_sweep(self, sweep_id: str) -> str:
        """Return a sweep on one line; one that cannot be read says so when it is chosen."""
        try:
            record = self.store.load(sweep_id)
        except Exception:  # whatever is wrong with one, the others can be chosen
            return sweep_id
        return f"{wording.minute(record.began_at)} {record.sweep.name} ({wording.count(record.trials)}, {sweep_id})"

    def _open(self) -> None:
        """Read a sweep, say its verdict, and offer its parameters.

        Raises:
            ArtefactError: it cannot be read; UnknownNameError: it is gone.
        """
        self.surface, self.values = None, {}
        self.record = record = self.store.load(self.sweep.value)
        surface = Surface(record.asked, list(self.store.trials(record.sweep_id)))
        self._verdict.value = self._judged(record)
        point = (surface.summit or next(iter(surface.trials), None) or _nothing()).params
        self._offer(surface, point)
        self.surface = surface if len(surface.axes) > 0 and surface.trials else None
        if not surface.trials:
            self.say(self.told("no_trials"))
            return
        self.run()

    def _offer(self, surface: Surface, point: dict[str, Any]) -> None:
        """Make the controls of a sweep's parameters, at its best trial."""
        names = list(surface.axes)
        for control, number in ((self.across, 0), (self.up, min(1, len(names) - 1))):
            control.options = names
            control.value = names[number] if names else None
        self.values = {
            name: w.SelectionSlider(
                options=[(str(value), value) for value in values], value=point.get(name, values[0]),
                **self._named("", label=name),
            )
            for name, values in surface.axes.items()
        }  # fmt: skip
        self.address.keep(across=self.across, up=self.up)
        self.address.keep("at_", **self.values)
        self.when_changed(list(self.values.values()), self.run)
        self._values.children = list(self.values.values())

    def _go(self, across: str, up: str) -> None:
        """Move the point to where the map was clicked."""
        self.values[self.across.value].label = across
        self.values[self.up.value].label = up

    def _draw(self, surface: Surface) -> None:
        """Draw the map, and a line along each of its two parameters through the point."""
        figure, across, up, point = self.figure.value, self.across.value, self.up.value, self.chosen
        scale, unit = (100.0, "%") if figure in PERCENT else (1.0, "")
        name = self.told(f"by_{figure}")
        if across != up:
            table = surface.plane(across, up, figure, None if self.rest.value else point)
            summit = None if surface.summit is None else surface.summit.params
            self.heat.show(
                f"{name}{f' [{unit}]' if unit else ''}", (across, surface.axes[across]), (up, surface.axes[up]),
                scale * table, point, summit, signed=figure in ("sharpe", "total_return"),
            )  # fmt: skip
        self.map.layout.display = "" if across != up else "none"  # of one parameter a line says all
        for profile, along in zip(self.profiles, (across, up), strict=True):
            values = [scale * value for value in surface.along(along, figure, point)]
            profile.show(
                self.told("along", figure=name, parameter=along), along, surface.axes[along], values, point[along]
            )

    def _judged(self, record: SweepRecord) -> str:
        """Return the verdict of a sweep, its question before and its counts after it."""
        held = (
            self.told("held_of", bars=wording.count(record.held), since=wording.moment(record.since))
            if record.since
            else ""
        )
        counts = self.told("counts", trials=wording.count(record.trials), counted=wording.count(record.counted))
        against = any(one.status == "fail" for one in record.verdict)
        tone = "bad" if against else ""
        said = spoken(told(record.verdict)) if record.ended_at else self.told("unfinished")
        table = table_html(check_table(record.verdict, "")) if record.verdict else ""
        return (
            f'<p class="sub">{escape(record.sweep.question)}</p><p class="note {tone}"><b>{escape(said)}</b></p>{table}'
            f'<p class="sub">{escape(counts)} {escape(held)}</p>'
        )

    def _tell(self, surface: Surface, trial: Trial | None) -> None:
        """Show the figures of the trial at the point, its region, and where to go on with it."""
        if trial is None or trial.error:
            text = self.told("no_trial") if trial is None else f"#{trial.number}: {trial.error}"
            self._point.value = f"<p>{escape(text)}</p>"
            return
        sharpe = wording.figure(trial.sharpe, 3)
        total, region = trial.total_return or 0.0, surface.region(trial)
        pairs = [
            (self.told("trial"), f"#{trial.number}", ""),
            (self.told("by_sharpe"), sharpe, ""),
            (self.told("by_total_return"), wording.percent(total), wording.sign_class(total)),
            (self.told("by_max_drawdown"), wording.drawdown(trial.max_drawdown or 0.0), ""),
            (self.told("by_trades"), wording.count(trial.trades), ""),
        ]
        share = f"{surface.sweep.judge.plateau:.0%}"
        said = (
            self.told("region", n=wording.count(len(region)), all=wording.count(len(surface.trials)), share=share)
            if region
            else self.told("no_region")
        )
        link = f'<p><a href="{escape(self._onward(surface, trial))}">{escape(self.words["to_lab_parameters"])}</a></p>'
        self._point.value = figures_html(pairs) + f"<p>{escape(said)}</p>{link}"

    def _onward(self, surface: Surface, trial: Trial) -> str:
        """Return the address of the lab of parameters, at the point."""
        sweep = surface.sweep
        asked = {"strategy": sweep.strategy, "symbol": sweep.symbol or "", "timeframe": sweep.timeframe or ""}
        asked |= {f"p_{name}": value for name, value in trial.params.items()}
        return f"/lab/parameters?{urlencode(asked)}"


def _nothing() -> Trial:
    """Return a trial that has no parameters."""
    return Trial(number=0, params={})
