"""Limits times sessions: what each set of limits would have blocked in each session, and what that would have cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import product

import msgspec

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.research.divergence import Recorded
from peaktrade_core.research.divergence_session import load_recorded
from peaktrade_core.research.over_sessions.chosen import ended_sessions
from peaktrade_core.research.replay_limits import recorded_limits, replay_limits
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import quote_currency
from peaktrade_core.workspace.config import read_limits
from peaktrade_core.workspace.workspace import Workspace

MOST = 200  # sets of limits in one sweep


class SweptSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session under one set of limits.

    Attributes:
        blocked, allowed: opening orders that would have been denied, and denied ones that would not.
        pnl, pnl_with: equity at the end less the start balance, as it was and under these limits [quote ccy].
        drawdown, drawdown_with: largest, likewise [fraction].
        first_at, first: the first event that differs: when, and in words; None and empty where none does.
    """

    session_id: str
    currency: str
    blocked: int
    allowed: int
    pnl: float
    pnl_with: float
    drawdown: float
    drawdown_with: float
    first_at: datetime | None
    first: str


class SweptLimits(msgspec.Struct, frozen=True, kw_only=True):
    """One set of limits over all sessions of one currency; ``limits`` are those that were set, the others as recorded.

    Attributes:
        changed: sessions in which anything differs; drawdown, drawdown_with: the largest of any session [fraction].
        first: the session with the earliest difference, and the difference; empty where none differs.
    """

    limits: dict[str, float]
    currency: str
    sessions: int
    changed: int
    blocked: int
    allowed: int
    pnl: float
    pnl_with: float
    drawdown: float
    drawdown_with: float
    first: str
    each: tuple[SweptSession, ...]


class LimitSweep(msgspec.Struct, frozen=True, kw_only=True):
    """The sets of limits, and the sessions that could not be run under them with why."""

    rows: tuple[SweptLimits, ...]
    faults: dict[str, str]


def sweep_limits(
    workspace: Workspace, values: Mapping[str, Sequence[float]], days: float, sessions: Iterable[str] = ()
) -> LimitSweep:
    """Run recorded sessions under every combination of some limits.

    Args:
        workspace: whose sessions; values: of each limit by name.
        days: how far back; sessions: ids instead of that, ``latest`` among them.

    Raises:
        ConfigError: a limit is none or of no use, there are none or too many combinations, or the days are not a time.
        SessionNotFoundError: no such session.
    """
    sets = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())] if values else []
    if not 0 < len(sets) <= MOST:
        raise ConfigError(f"--set NAME=V1,V2,... makes {len(sets)} sets of limits; give 1 to {MOST}")
    views = Views.of(workspace)
    ids = [views.resolve(one) for one in sessions] or [row.run_id for row in ended_sessions(workspace, days)]
    recorded: list[tuple[Recorded, str]] = []
    faults: dict[str, str] = {}
    for one in dict.fromkeys(ids):
        try:
            session = load_recorded(workspace, one)
            recorded.append((session, quote_currency(session.config.symbol)))
        except PeaktradeError as error:
            faults[one] = str(error)
    rows = [
        _over(limits, currency, [session for session, quoted in recorded if quoted == currency])
        for currency in sorted({quoted for _, quoted in recorded})
        for limits in sets
    ]
    return LimitSweep(rows=tuple(rows), faults=faults)


def _over(limits: dict[str, float], currency: str, sessions: Sequence[Recorded]) -> SweptLimits:
    """Return one set of limits over sessions."""
    each = tuple(_one(limits, currency, session) for session in sessions)
    parted = sorted((one.first_at, one.session_id, one.first) for one in each if one.first_at is not None)
    return SweptLimits(
        limits=limits,
        currency=currency,
        sessions=len(each),
        changed=len(parted),
        blocked=sum(one.blocked for one in each),
        allowed=sum(one.allowed for one in each),
        pnl=sum(one.pnl for one in each),
        pnl_with=sum(one.pnl_with for one in each),
        drawdown=max(one.drawdown for one in each),
        drawdown_with=max(one.drawdown_with for one in each),
        first=f"{parted[0][1]}: {parted[0][2]}" if parted else "",
        each=each,
    )


def _one(limits: dict[str, float], currency: str, session: Recorded) -> SweptSession:
    """Return one session under one set of limits; raises ConfigError where that is none."""
    own = recorded_limits(session.config)
    found = replay_limits(session.session_id, session.config, session.events, read_limits({**own._asdict(), **limits}))
    start = session.config.start_balance
    return SweptSession(
        session_id=session.session_id,
        currency=currency,
        blocked=len(found.blocked),
        allowed=found.allowed,
        pnl=found.recorded.equity_end - start,
        pnl_with=found.replayed.equity_end - start,
        drawdown=found.recorded.max_drawdown,
        drawdown_with=found.replayed.max_drawdown,
        first_at=found.first.at if found.first else None,
        first=found.first.why if found.first else "",
    )
