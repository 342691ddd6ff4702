"""Recorded sessions as the labs compare them: which there are, their curves, what differs in their settings and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.records.folder import is_id
from peaktrade_core.records.registry import Query
from peaktrade_core.research.divergence import Played, Recorded
from peaktrade_core.research.recorded_bars import RecordedBar
from peaktrade_core.research.replay_limits import Counterfactual, replay_limits
from peaktrade_core.runs.columns import metric_figures
from peaktrade_core.runs.run import Run, name_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Mark
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import Metrics, SessionConfig
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.tally import fold
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SESSIONS = 200  # in a drop-down, the newest
_HASH = re.compile("[0-9a-f]{64}")


class EquityCurve(NamedTuple):
    """Equity over time: (n,) float64 closes of the bars [s since epoch], equity at them and before the first [quote ccy]."""

    ts: NDArray[Any]
    equity: NDArray[Any]
    start: float

    @property
    def drawdown(self) -> NDArray[Any]:
        """1 - equity / peak so far, the start balance included [fraction]."""
        import numpy as np

        peak = np.maximum(np.maximum.accumulate(self.equity), self.start)
        return 1.0 - self.equity / np.where(peak > 0.0, peak, 1.0)

    def since_start(self, counted: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return times, or numbers of bars, and the PnL since the start balance [quote ccy]."""
        import numpy as np

        return (np.arange(1.0, len(self.ts) + 1.0) if counted else self.ts), self.equity - self.start


class Tried(NamedTuple):
    """A session under other limits.

    Attributes:
        found: the comparison; recorded, replayed: both curves.
        was, now: opening orders that were, and would be, denied: marks on the curve of each.
    """

    found: Counterfactual
    recorded: EquityCurve
    replayed: EquityCurve
    was: Sequence[Mark]
    now: Sequence[Mark]


def sessions(workspace: Workspace, asked: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the newest recorded sessions that ended, what a drop-down says of each and its id.

    Args:
        asked: ids of sessions that are among them however old they are.
    """
    views = Views.of(workspace)
    newest = views.rows(Query(limit=MOST_SESSIONS))
    older = set(asked) - {run.run_id for run in newest}
    found = [*newest, *views.recorded_runs([run_id for run_id in asked if run_id in older])]
    ended = [run for run in found if run.final and is_id(run.run_id)]
    return [(_said(run), run.run_id) for run in ended if _journalled(views, run.run_id)]


def _journalled(views: Views, run_id: str) -> bool:
    """Return whether a run's journal is there, in its folder or archived."""
    try:
        return views.run_folder(run_id).journal.is_file()
    except ArtefactError:
        return False


def _said(row: Run) -> str:
    """Return a session on one line."""
    began = f"{row.started_at:%Y-%m-%d %H:%M} " if row.started_at else ""
    pnl = f", {wording.signed(row.total_pnl, row.currency)}" if row.total_pnl is not None else ""
    return f"{began}{name_of(row)}{pnl} ({wording.short_id(row.run_id)})"


def curve_of(ends: Sequence[ev.BarDone], start: float) -> EquityCurve:
    """Return the curve of bars as they ended, after a start balance [quote ccy]."""
    import numpy as np

    table = np.array([(end.ts.timestamp(), end.equity) for end in ends], dtype=np.float64).reshape(-1, 2)
    return EquityCurve(table[:, 0], table[:, 1], start)


def try_limits(session: Recorded, limits: Limits, says: Callable[[ev.Denial], str]) -> Tried:
    """Run a session under other limits; ``says`` tells a denial in words.

    Raises:
        ArtefactError: the recorded settings cannot be used.
    """
    was: list[Mark] = []
    now: list[Mark] = []
    ends: list[tuple[ev.BarDone, ev.BarDone]] = []

    def tell(bar: RecordedBar, told: list[ev.AnyEvent], done: ev.BarDone) -> None:
        ends.append((bar.done, done))
        was.extend(Mark(bar.done.ts, bar.done.equity, says(denial)) for denial in bar.denials)
        now.extend(Mark(done.ts, done.equity, says(event)) for event in told if isinstance(event, ev.Denial))

    found = replay_limits(session.session_id, session.config, session.events, limits, tell)
    old, new = (curve_of([pair[at] for pair in ends], session.config.start_balance) for at in (0, 1))
    return Tried(found, old, new, was, now)


def metrics_of(run: Played, start_balance: float) -> Metrics:
    """Return the figures of a run of the decision code, as a session over the same bars records them."""
    events = (event for told, done in zip(run.told, run.done, strict=True) for event in (*told, done))
    return fold(events, start_balance).metrics()


def settings_that_differ(one: SessionConfig, other: SessionConfig) -> list[tuple[str, str, str]]:
    """Return the settings in which two sessions differ: name and both values; what is noted about them does not count."""
    left, right = (_flat(msgspec.to_builtins(config)) for config in (one, other))
    names = [name for name in {**left, **right} if name not in ("notes", "tags")]
    return [
        (name, _value(left.get(name)), _value(right.get(name))) for name in names if left.get(name) != right.get(name)
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested settings by their full names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def _value(value: object) -> str:
    """Return a setting as text; a hash by its beginning, which is as wide as a screen otherwise."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return f"{value[:12]}…"
    return wording.NOTHING if value is None else f"{value:,.8g}" if isinstance(value, float) else str(value)


def figures_beside(
    one: Metrics, other: Metrics, currency: str, starts: tuple[float, float]
) -> list[tuple[str, str, str]]:
    """Return the figures of two sessions beside each other: name and both values."""
    left, right = (
        metric_figures(msgspec.to_builtins(metrics), currency, start)
        for metrics, start in zip((one, other), starts, strict=True)
    )
    return [(name, a, b) for (name, a), (_, b) in zip(left, right, strict=True)]
