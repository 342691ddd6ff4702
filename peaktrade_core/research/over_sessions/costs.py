"""What executions cost over many sessions, by strategy, symbol and hour, and whether the settings say so, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.research.over_sessions.chosen import ended_sessions
from peaktrade_core.runs.execution import Costs, Execution, costs_of, executions
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import many, quote_currency
from peaktrade_core.workspace.workspace import Workspace

LEAST = 30  # fills at a venue before they speak against a setting
STEP = 0.1  # a setting is proposed in such steps [basis points], upwards
GROUPS: dict[str, Callable[[Run, Execution], str]] = {
    "strategy": lambda run, _: run.strategy or "",
    "symbol": lambda run, _: run.symbol or "",
    "hour": lambda _, one: f"{one.at:%H}",
}


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the executions of one group cost in one currency, in basis points of their notional; positive is worse for us.

    Attributes:
        by, name: the group, for example ``hour`` and ``14`` (UTC); currency: of the notional.
        delay: from the price at the decision to that on arrival; slippage: from there to the fill, both None where no
            price at the decision is known; fee: of the fill.
        venue: how much worse than recorded the venue filled, None where it told no fill.
        venue_slippage: from arrival to the venue's fill, over the fills that it told, None without any.
    """

    by: str
    name: str
    currency: str
    fills: int
    notional: float
    delay: float | None
    slippage: float | None
    fee: float | None
    venue_fills: int
    venue: float | None
    venue_slippage: float | None


class CostProposal(msgspec.Struct, frozen=True, kw_only=True):
    """One cost setting beside what was measured; ``proposed`` is None where nothing speaks for another value."""

    setting: str
    configured: float
    measured: float | None
    fills: int
    proposed: float | None
    why: str


class SessionCosts(msgspec.Struct, frozen=True, kw_only=True):
    """All groups, the two settings, and the sessions that could not be read with why."""

    sessions: int
    rows: tuple[CostRow, ...]
    proposals: tuple[CostProposal, ...]
    faults: dict[str, str]


def session_costs(workspace: Workspace, days: float, **filters: str | None) -> SessionCosts:
    """Measure what the executions of the sessions of the last ``days`` cost.

    Raises:
        ConfigError: the days are not a time.
    """
    found: list[tuple[Run, Execution]] = []
    faults: dict[str, str] = {}
    rows = ended_sessions(workspace, days, **filters)
    for row in rows:
        try:
            found += [(row, one) for one in executions(Views.of(workspace).each_event(row.run_id))]
        except PeaktradeError as error:
            faults[row.run_id] = str(error)
    groups: dict[tuple[str, str, str], list[Execution]] = {}
    for by, name in GROUPS.items():
        for row, one in found:
            groups.setdefault((by, name(row, one), quote_currency(row.symbol)), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: (list(GROUPS).index(item[0][0]), item[0][1:]))
    return SessionCosts(
        sessions=len(rows) - len(faults),
        rows=tuple(_row(*key, listed) for key, listed in ordered),
        proposals=_proposals(workspace, [one for _, one in found]),
        faults=faults,
    )


def _row(by: str, name: str, currency: str, listed: list[Execution]) -> CostRow:
    costs, told = costs_of(listed), costs_of(one for one in listed if one.told)
    return CostRow(
        by=by,
        name=name,
        currency=currency,
        fills=costs.fills,
        notional=costs.notional,
        delay=told.bps(told.delay),
        slippage=told.bps(told.slippage),
        fee=costs.bps(costs.fee),
        venue_fills=costs.venue_fills,
        venue=_venue(listed).bps(costs.venue_extra),
        venue_slippage=_venue_slippage(listed),
    )


def _venue(listed: Iterable[Execution]) -> Costs:
    """Return the costs of the fills that a venue told."""
    return costs_of(one for one in listed if one.venue is not None)


def _venue_slippage(listed: Iterable[Execution]) -> float | None:
    """Return the slippage from arrival to the venue's fill [basis points], None without any."""
    costs = _venue(listed)
    return None if costs.venue_extra is None else costs.bps(costs.slippage + costs.venue_extra)


def _proposals(workspace: Workspace, listed: list[Execution]) -> tuple[CostProposal, ...]:
    """Return the two cost settings beside what was measured."""
    defaults, costs = workspace.config.session, costs_of(listed)
    slippage, told = _venue_slippage(listed), costs.venue_fills
    if slippage is None or told < LEAST:
        why = f"a venue told {many(told, 'fill')}, and {LEAST} are needed; simulated fills only repeat the setting"
        proposed = None
    else:
        rounded = max(0.0, round(math.ceil(slippage / STEP - 1e-9) * STEP, 6))
        proposed = rounded if rounded != defaults.slippage_bps else None
        why = f"measured over {many(told, 'fill')} of a venue, rounded up to {STEP:g} bps"
    fee = costs.bps(costs.fee)
    return (
        CostProposal(
            setting="slippage_bps",
            configured=defaults.slippage_bps,
            measured=slippage,
            fills=told,
            proposed=proposed,
            why=why,
        ),
        CostProposal(
            setting="fee_bps",
            configured=defaults.fee_bps,
            measured=fee,
            fills=costs.fills,
            proposed=None,
            why="fees are simulated from the setting of their time; the venue's own fee tier decides",
        ),
    )
