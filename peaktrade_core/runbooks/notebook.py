"""What notebooks work with: a workspace, a session that is run or looked at, and the figures of it.

Notebooks import these from :mod:`peaktrade_core`; the tables are in :mod:`notebook_tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.runbooks.notebooks.cells import person_is_there, watch_cells
from peaktrade_core.runbooks.notebooks.long_tables import show_long_tables
from peaktrade_core.runs.questions import DRAWDOWN_REVIEW
from peaktrade_core.runs.run import verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.recovery import recover
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Level, Line, Mark, Marks, Tone
from peaktrade_core.show.table import Table
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace, speak_as_set

if TYPE_CHECKING:
    from peaktrade_core.session.session import Plan, Progress

NO_BARS = "This session traded no bar, so there is nothing to draw. Its status and error say why."


class Session(ev.Sorted):
    """A session that a notebook looks at: its record, and its journal once somebody asks for it.

    Attributes:
        record: from the registry; workspace: where it is; currency: of its money.
        events: of its journal, in order; empty when there is none, then ``fault`` says why.
    """

    def __init__(self, workspace: Workspace, record: SessionRecord) -> None:
        self.workspace, self.record = workspace, record
        self.currency = wording.quote_currency(record.symbol)
        self.fault = ""

    def __repr__(self) -> str:
        return f"{self.id}: {verdict_of(run_of(self.record))}"

    @property
    def id(self) -> str:
        """The session's id."""
        return self.record.session_id

    @cached_property
    def events(self) -> list[ev.AnyEvent]:
        """All events of the journal."""
        try:
            return Views.of(self.workspace).events(self.id)
        except ArtefactError as fault:
            self.fault = str(fault)
            return []

    @cached_property
    def bars(self) -> list[ev.BarDone]:
        """The bars that traded."""
        return [event for event in self.events if type(event) is ev.BarDone]

    @property
    def start_balance(self) -> float:
        """Equity before the first bar [quote ccy]."""
        given = self.record.setting("start_balance")
        return float(given) if isinstance(given, (int, float)) else 0.0

    @cached_property
    def drawdown(self) -> list[float]:
        """How far the equity was below its peak, bar by bar [fraction]."""
        peaks = accumulate((bar.equity for bar in self.bars), max, initial=self.start_balance)
        return [1.0 - bar.equity / peak for bar, peak in zip(self.bars, islice(peaks, 1, None), strict=True)]

    def line(self, name: str, values: Sequence[float], tone: Tone, width: float = 2.0, *, filled: bool = False) -> Line:
        """Return a line with one value a bar."""
        return Line(name, [bar.ts for bar in self.bars], values, tone, width, filled=filled)


def open_workspace(home: str | Path | None = None) -> Workspace:
    """Return the workspace that the notebook is in (or ``PEAKTRADE_HOME``, or ``home``), dead sessions ended first."""
    watch_cells()
    if person_is_there():
        show_long_tables()
    workspace = Workspace(home)
    speak_as_set(workspace)
    recover(workspace)
    return workspace


def open_session(workspace: Workspace, session_id: str = "latest") -> Session:
    """Return a session by its id; ``latest`` is the one that started last.

    Raises:
        SessionNotFoundError: there is none; names the newest.
    """
    return Session(workspace, Views.of(workspace).record(Views.of(workspace).resolve(session_id)))


def run_planned_session(workspace: Workspace, plan: Plan) -> Session:
    """Run a planned session, show how far it is, and return it; the stop button ends it as ``aborted``."""
    from peaktrade_core.runbooks.figures import watch_in_cell
    from peaktrade_core.session.session import run_session

    fixed = isinstance(workspace.clock, FixedClock)  # what is shown must then be the same every time
    watch = _say_nothing if fixed else watch_in_cell(workspace, plan)
    return Session(workspace, run_session(plan, Desk.of(workspace), watch=watch))


def _say_nothing(_: Progress) -> None:
    """Watch in silence."""


def equity_figure(session: Session) -> Chart | Table:
    """Return equity over time, against the start balance."""
    equity, start, unit = [bar.equity for bar in session.bars], session.start_balance, session.currency
    if not equity:
        return _nothing_to_draw("Equity", session)
    told = [wording.money(one, unit, code=False) for one in (start, equity[-1], min(equity), max(equity))]
    return Chart(
        name="equity",
        title="Equity",
        unit=unit,
        digits=wording.money_places(start, unit),
        label=f"Equity over {wording.many(len(equity), 'bar')}: from {told[0]} to {told[1]} {unit}, "
        f"lowest {told[2]}, highest {told[3]}",
        lines=[session.line("equity", equity, "accent")],
        levels=[Level(start, "start balance")],
    )


def drawdown_figure(session: Session) -> Chart | Table:
    """Return drawdown over time [%], with the line from which a risk review is due once it comes near."""
    if not session.bars:
        return _nothing_to_draw("Drawdown", session)
    most = max(session.drawdown)
    return Chart(
        name="drawdown",
        title="Drawdown",
        unit="%",
        digits=4,
        label=f"Drawdown over {wording.many(len(session.bars), 'bar')}: at most {100 * most:.2f} percent, "
        f"review from {100 * DRAWDOWN_REVIEW:g} percent",
        lines=[session.line("drawdown", [-100.0 * value for value in session.drawdown], "red", 1.0, filled=True)],
        levels=[Level(-100.0 * DRAWDOWN_REVIEW, "risk review", "amber")] if most > 0.4 * DRAWDOWN_REVIEW else [],
    )


def price_figure(session: Session) -> Chart | Table:
    """Return the close over time with the fills and the denied orders on it."""
    if not session.bars:
        return _nothing_to_draw("Price", session)
    fills: dict[bool, list[Mark]] = {True: [], False: []}
    for fill in session.fills:
        said = f"{'buy' if fill.qty > 0 else 'sell'} {abs(fill.qty):g} at {wording.price(fill.price)}"
        fills[fill.qty > 0].append(Mark(fill.ts, fill.price, said))
    denied = [Mark(denial.ts, denial.price, f"denied: {denial.code}") for denial in session.denials]
    kinds = (
        Marks("buy", "up", "green", fills[True]),
        Marks("sell", "down", "red", fills[False]),
        Marks("denied", "cross", "amber", denied),
    )
    symbol, close = session.record.symbol or "", [bar.close for bar in session.bars]
    return Chart(
        name="price",
        title=f"{symbol}: close and fills",
        unit=session.currency,
        digits=wording.price_places(min(close)) if min(close) < 100.0 else 2,
        label=f"Close of {symbol} over {wording.many(len(close), 'bar')} "
        f"from {wording.price(close[0])} to {wording.price(close[-1])} {session.currency}, "
        f"with {wording.many(len(fills[True]), 'buy')}, {wording.many(len(fills[False]), 'sell')} "
        f"and {wording.many(len(denied), 'denied order')}",
        lines=[session.line("close", close, "ink", 1.2)],
        marks=[kind for kind in kinds if kind.marks],
    )


def _nothing_to_draw(title: str, session: Session) -> Table:
    """Return what stands in the place of a figure or table of a session without bars."""
    return Table(title, (), [], empty=session.fault or NO_BARS)
