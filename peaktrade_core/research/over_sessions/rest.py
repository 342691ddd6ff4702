"""Every session beside its backtest, day by day: how many without a rest, and what each cause cost in basis points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.research.divergence import CAUSES, Divergence
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.research.over_sessions.chosen import ended_sessions, sessions_between
from peaktrade_core.runs.run import Run
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.workspace import Workspace


class SessionRest(msgspec.Struct, frozen=True, kw_only=True):
    """One session beside its backtest.

    Attributes:
        day: UTC day on which it began; bps: of the start balance, by cause; unknown: causes that cannot be told apart.
        rest: whether something is left that no cause explains, None where it could not be compared.
        first: where it first differs, empty where it does not; fault: why it could not be compared.
    """

    session_id: str
    day: str
    strategy: str
    start_balance: float = 0.0
    bps: dict[str, float] = {}
    unknown: tuple[str, ...] = ()
    rest: bool | None = None
    first: str = ""
    fault: str = ""


class DayRest(msgspec.Struct, frozen=True, kw_only=True):
    """One day's sessions together.

    Attributes:
        compared: sessions that could be; without_rest: those that causes explain wholly.
        share: without_rest of compared [fraction], None without any.
        bps: of the start balances together, by cause.
    """

    day: str
    sessions: int
    compared: int
    without_rest: int
    share: float | None
    bps: dict[str, float]


def _cause(name: str) -> Column[DayRest]:
    return Column(name.capitalize(), lambda day: f"{day.bps[name]:+.2f}", "number")


DAYS = Columns[DayRest](
    day=Column("Day"),
    sessions=Column("Sessions", lambda day: wording.count(day.sessions), "number"),
    without=Column("No rest", lambda day: f"{day.without_rest} of {day.compared}", "number"),
    **{name: _cause(name) for name in CAUSES},
)


class Rests(msgspec.Struct, frozen=True, kw_only=True):
    """All of them: by day, oldest first, and one by one."""

    days: tuple[DayRest, ...]
    sessions: tuple[SessionRest, ...]

    def table(self, **options: Any) -> Table:
        """Return the days as a table: how many sessions have no rest, and what each cause cost in basis points."""
        return DAYS.table("Sessions beside their backtests, in bps of the start balance", self.days, **options)

    @property
    def with_rest(self) -> list[SessionRest]:
        """The sessions that no cause explains wholly."""
        return [one for one in self.sessions if one.rest]


def rests(workspace: Workspace, days: float, **filters: str | None) -> Rests:
    """Compare each session of the last ``days`` with the backtest of its bars.

    Raises:
        ConfigError: the days are not a time.
    """
    return _rests(workspace, ended_sessions(workspace, days, **filters))


def rests_between(workspace: Workspace, since: datetime, until: datetime, most: int | None = None) -> Rests:
    """Compare each session that began from one time to before another with the backtest of its bars.

    Args:
        most: only so many, the newest; None for all.
    """
    rows = sessions_between(workspace, since, until)
    return _rests(workspace, rows if most is None else rows[-most:])


def _rests(workspace: Workspace, rows: Sequence[Run]) -> Rests:
    found = [_compared(workspace, row) for row in rows]
    names = list(dict.fromkeys(one.day for one in found))
    return Rests(
        days=tuple(_day(name, [one for one in found if one.day == name]) for name in names), sessions=tuple(found)
    )


def _compared(workspace: Workspace, row: Run) -> SessionRest:
    """Return one session beside its backtest; what keeps it from being compared is said, not raised."""
    day, strategy = f"{row.started_at:%Y-%m-%d}" if row.started_at else "", row.strategy or ""
    try:
        found = compare_session(workspace, row.run_id)
    except PeaktradeError as error:
        return SessionRest(session_id=row.run_id, day=day, strategy=strategy, fault=str(error))
    return SessionRest(
        session_id=row.run_id,
        day=day,
        strategy=strategy,
        start_balance=found.start_balance,
        bps={part.cause: part.bps for part in found.parts},
        unknown=tuple(part.cause for part in found.parts if not part.known),
        rest=not found.explained,
        first=_first(found),
    )


def _first(found: Divergence) -> str:
    return f"{found.first.cause}: {found.first.why}" if found.first else ""


def _day(name: str, found: Sequence[SessionRest]) -> DayRest:
    """Return the sums of one day."""
    good = [one for one in found if one.rest is not None]
    whole, clean = sum(one.start_balance for one in good), sum(not one.rest for one in good)
    return DayRest(
        day=name,
        sessions=len(found),
        compared=len(good),
        without_rest=clean,
        share=clean / len(good) if good else None,
        bps={
            cause: sum(one.bps[cause] * one.start_balance for one in good) / whole if whole else 0.0 for cause in CAUSES
        },
    )
