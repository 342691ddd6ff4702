"""Figures of sessions that runbooks show: the course with its fills, the use of the limits, several runs over each other.

Each is a :class:`~peaktrade_core.show.chart.Chart`, or a table that says why there is nothing to draw. Figures of one
runbook alone stand beside what they are about: alerts, halts, incidents, drills.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.notebook import NO_BARS, Session, equity_figure
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Level, Line, Mark, Marks, Tone
from peaktrade_core.show.drawing import draw
from peaktrade_core.show.table import MID, TONE_OF, Cell, Table
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.limit_use import COURSES, courses_of, share_of
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from datetime import datetime

    from peaktrade_core.session.plan import Plan, Progress

MOST_RUNS = 6  # as many as there are tones: more lines cannot be told apart
_POINTS = 400  # of a run's line among others
_TAIL = 2000  # events of a running session in which its newest fills and denials are looked for
_LIVE_S = 0.5  # between two drawings of a running session [s]
_MOST = 1.5  # of a limit [fraction]; a mark above it stands there and says what it was
_TONES: tuple[Tone, ...] = ("accent", "amber", "green", "purple", "red", "ink")


def course_figure(session: Session) -> Chart | Table:
    """Return equity over time with the fills and the denied orders on its line."""
    drawn = equity_figure(session)
    if isinstance(drawn, Table):
        return drawn
    kinds = _course_marks(session.events, [bar.ts for bar in session.bars], [bar.equity for bar in session.bars])
    counted = ", ".join(f"{len(kind.marks)} {kind.name}" for kind in kinds) or "no fill"
    return msgspec.structs.replace(
        drawn, title="Equity and fills", label=f"{drawn.label}; {counted}", marks=kinds, name="course"
    )


def _course_marks(events: Iterable[ev.AnyEvent], ts: Sequence[datetime], equity: Sequence[float]) -> list[Marks]:
    """Return fills, denials and halts on the line of the equity."""
    buys, sells, denied, halted = list[Mark](), list[Mark](), list[Mark](), list[Mark]()

    def at(event: ev.AnyEvent, said: str) -> Mark:
        return Mark(event.ts, equity[max(0, bisect_right(ts, event.ts) - 1)], said)

    for event in events:
        if isinstance(event, ev.Fill):
            amount, price = f"{abs(event.qty):g}", wording.price(event.price)
            if event.qty > 0:
                buys.append(at(event, f"buy {amount} at {price}"))
            else:
                sells.append(at(event, f"sell {amount} at {price}"))
        elif isinstance(event, ev.Denial):
            denied.append(at(event, f"denied: {event.code}"))
        elif isinstance(event, ev.Halt):
            halted.append(at(event, f"halted: {event.code}"))
    kinds = (
        Marks("buy", "up", "green", buys),
        Marks("sell", "down", "red", sells),
        Marks("denied", "cross", "amber", denied),
        Marks("halted", "square", "red", halted),
    )
    return [kind for kind in kinds if kind.marks]


def limit_use_figure(session: Session) -> Chart | Table:
    """Return how much of exposure, daily loss and drawdown was used over time [% of the limit], denials and halts on it."""
    limits, title = session.record.setting("risk_limits"), "Use of the limits"
    if not isinstance(limits, dict):
        return Table(title, (), [], empty="The record names no limits: an older writer made it.")
    if not session.bars:
        return Table(title, (), [], empty=session.fault or NO_BARS)
    courses = courses_of(session.events, limits)
    lines = [
        session.line(COURSES[name], [100.0 * share for share in shares], tone, 1.5)
        for (name, shares), tone in zip(courses.items(), _TONES, strict=False)
    ]
    warn = 100.0 * float(limits.get("warning_threshold_factor", 0.8))
    halts = [event for event in session.events if isinstance(event, ev.Halt)]
    above = f", above {100 * _MOST:g} % at the edge" if any(share_of(one) > _MOST for one in session.denials) else ""
    marks = (
        Marks(f"denied{above}", "cross", "amber", [_against(one) for one in session.denials]),
        Marks("halted", "square", "red", [_against(one) for one in halts]),
    )
    most = ", ".join(f"{line.name} {max(line.values):.0f} %" for line in lines)
    return Chart(
        name="limits",
        title=title,
        unit="% of the limit",
        digits=1,
        label=f"Use of the limits over {wording.many(len(session.bars), 'bar')}, at most: {most}; "
        f"{wording.many(len(session.denials), 'order')} denied, {wording.many(len(halts), 'halt')}",
        lines=lines,
        marks=[kind for kind in marks if kind.marks],
        levels=[Level(100.0, "limit", "red"), Level(warn, "warning", "amber")],
        zero=True,
    )


def _against(event: ev.Denial | ev.Halt) -> Mark:
    """Return a denial or a halt where it stood against its limit."""
    share = share_of(event)
    figures = f", {wording.money(event.value)} of {wording.money(event.limit)}" if event.value is not None else ""
    return Mark(event.ts, 100.0 * min(max(share, 0.0), _MOST), f"{event.code}{figures}")


def runs_figure(views: Views, runs: Sequence[Run], title: str = "Total PnL of what runs") -> Chart | Table:
    """Return the PnL of runs over each other, counted in bars since the start of each [% of the start balance]."""
    lines, left = list[Line](), 0
    for run, tone in zip(runs, cycle(_TONES), strict=False):
        if len(lines) == MOST_RUNS:
            left += 1
        elif line := _of_run(views, run, tone):
            lines.append(line)
    if not lines:
        return Table(title, (), [], empty="No run has a bar yet, so there is nothing to draw.")
    ends = ", ".join(f"{line.name} {wording.figure(line.values[-1], 2, plus=True)} %" for line in lines)
    return Chart(
        name="runs",
        title=title + (f": {len(lines)} of {len(lines) + left}" if left else ""),
        unit="% of the start balance",
        digits=4,
        label=f"{title}, at the end: {ends}",
        lines=lines,
        counted=True,
        zero=True,
    )


def sessions_figure(views: Views) -> Chart | Table:
    """Return the PnL of the newest sessions over each other."""
    return runs_figure(views, views.rows(Query(limit=MOST_RUNS)), "Total PnL of the newest sessions")


def _of_run(views: Views, run: Run, tone: Tone) -> Line | None:
    """Return a run's PnL by bars; None for one without bars or start balance."""
    try:
        curves, bar_s = views.curves(run.run_id, _POINTS), timeframe_seconds(run.timeframe or "")
    except PeaktradeError:  # its row says so
        return None
    if not curves.ts or not run.start_balance:
        return None
    counted = [from_seconds((at - curves.ts[0]).total_seconds() / bar_s) for at in curves.ts]
    values = [100.0 * (equity / run.start_balance - 1.0) for equity in curves.equity]
    return Line(f"{run.strategy} {run.symbol} …{run.run_id[-6:]}", counted, values, tone, 1.5)


class Running:
    """A running session below a notebook's cell: how far it is, and its equity so far, from the journal."""

    def __init__(self, table: Table, chart: Chart | None) -> None:
        self.table, self.chart = table, chart

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_() + (draw(self.chart) if self.chart else "")


def watch_in_cell(workspace: Workspace, plan: Plan) -> Callable[[Progress], None]:
    """Return a watcher that keeps a running session up to date below the cell; outside a notebook it says nothing.

    Its figures are said twice a second at most. The curve is read from the journal as a page reads it, rarely enough that
    reading a long journal takes a tenth of the time at most; until then the last one stays.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return lambda _: None
    views, currency = Views.of(workspace), wording.quote_currency(plan.config.symbol)
    shown = display(Running(Table("Starting …", ("",), [("warm-up",)]), None), display_id=True)
    said = drawn = 0.0
    chart: Chart | None = None

    def watch(now: Progress) -> None:
        nonlocal said, drawn, chart
        began, over = time.monotonic(), now.phase == "ended"
        if began < said and not over:
            return
        if began >= drawn and not over:
            chart = running_figure(views, now.run_id, plan.config.start_balance, currency)
            drawn = began + 11.0 * (time.monotonic() - began)
        shown.update(Running(running_table(now, currency), None if over else chart))
        said = time.monotonic() + _LIVE_S

    return watch


def running_table(now: Progress, currency: str) -> Table:
    """Return how far a session is in one row, and what keeps it from trading; money in ``currency``."""
    of = f" of {now.total:,}" if now.total else ""
    said = [f"{now.step:,}{of} bars", f"equity {wording.money(now.equity, currency)}", f"position {now.position:g}"]
    if now.orders_blocked:
        said.append(f"{wording.many(now.orders_blocked, 'order')} denied")
    if now.last_error:
        said.append(now.last_error)
    state = now.trading_state
    held = "" if state == "ACTIVE" else wording.BADGES.get(state.lower(), f"■ {state}")
    note = Cell(held, TONE_OF.get(state, MID))
    return Table(now.phase.capitalize(), ("",), [(" · ".join(said),)], note=note)


def running_figure(views: Views, run_id: str, start_balance: float, currency: str) -> Chart | None:
    """Return the equity of a running session with fills, denials and halts so far; None before the second bar."""
    try:
        curves, tail = views.curves(run_id, _POINTS), views.tail_events(run_id, _TAIL)
    except PeaktradeError:  # not begun yet, or it cannot be read: the session says so
        return None
    if len(curves.ts) < 2:
        return None
    return Chart(
        name="course",
        title="Equity and fills, while it runs",
        unit=currency,
        digits=wording.money_places(start_balance, currency),
        label=f"Equity after {wording.many(curves.all_bars, 'bar')}: {wording.money(curves.equity[-1], currency)}",
        lines=[Line("equity", curves.ts, curves.equity, "accent")],
        marks=_course_marks((event for event in tail if event.ts >= curves.ts[0]), curves.ts, curves.equity),
        levels=[Level(start_balance, "start balance")],
    )
