"""The status of the whole: what may trade, how severe it is, alerts, runs and the layers L0 to L6, in one value.

Start page, Live-Track, System, control center, wall, snapshot, metrics, terminal and notebooks show this and compute
nothing themselves. The whole is as good as its worst part; what is unknown is never good.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from peaktrade_core.alerts.alerts import CRITICAL, SEVERITIES
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.questions import alerts, in_a_row
from peaktrade_core.base.question import (
    FAIL,
    PASS,
    UNKNOWN,
    WARN,
    WORDS,
    Check,
    Question,
    Status,
    known,
    worst,
    worst_of,
)
from peaktrade_core.control.layers import LAYERS, Layer, layer
from peaktrade_core.halts.account import Account, AccountUse
from peaktrade_core.halts.questions import account, halts
from peaktrade_core.halts.scope import STATES, TradingState
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.questions import drawdowns, failed, runs
from peaktrade_core.runs.views import Views
from peaktrade_core.show.language import spoken
from peaktrade_core.workspace.workspace import Workspace

LEVELS = {PASS: "green", UNKNOWN: "unknown", WARN: "yellow", FAIL: "red"}
SIGNS = {PASS: "✓", UNKNOWN: "?", WARN: "▲", FAIL: "✕"}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the whole.

    Attributes:
        word: how it stands, in a word or two; why: the evidence; next_step: what to do, empty where nothing is.
    """

    name: str
    status: Status
    word: str
    why: str
    next_step: str = ""


class Trading(Part, frozen=True, kw_only=True):
    """What may trade: the strictest state of all scopes, and each scope that is not ACTIVE, newest first."""

    state: str
    halts: tuple[TradingState, ...]


class Risk(Part, frozen=True, kw_only=True):
    """How severe it is: the worst of running sessions and accounts, ``green``, ``yellow``, ``red`` or ``unknown``."""

    level: str
    accounts: tuple[AccountUse, ...]


class OpenAlerts(Part, frozen=True, kw_only=True):
    """How many alerts are open, how many of each severity, and how many no one has taken on; null where unknown."""

    open: int | None
    critical: int | None
    unacknowledged: int | None
    by_severity: dict[str, int]


class Runs(Part, frozen=True, kw_only=True):
    """How many runs live, are silent or died, and how many sessions of the last 24 hours failed; null where unknown."""

    running: int | None
    silent: int | None
    died: int | None
    failed: int | None


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands.

    Attributes:
        as_of: when it was looked at, UTC.
        status: the worst of the parts and layers; word: the same for people; why: in a sentence.
    """

    as_of: datetime
    status: Status
    word: str
    why: str
    trading: Trading
    risk: Risk
    alerts: OpenAlerts
    runs: Runs
    layers: tuple[Layer, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts beside the layers, in the order in which a person reads them."""
        return self.trading, self.risk, self.alerts, self.runs


_TRADING: tuple[Question[Workspace], ...] = (halts,)
_RISK: tuple[Question[Workspace], ...] = (account, drawdowns)
_ALERTS: tuple[Question[Workspace], ...] = (alerts,)
_RUNS: tuple[Question[Workspace], ...] = (runs, in_a_row, failed)


def whole(workspace: Workspace) -> Whole:
    """Look at everything once and return how it stands; what cannot be looked at says so, none raises."""
    asked = list(dict.fromkeys(one for _, layer in LAYERS for one in layer))  # those of the parts are among them
    found = dict(zip(asked, workspace.ask(asked), strict=True))
    layers = tuple(layer(f"L{i}", name, (found[one] for one in its)) for i, (name, its) in enumerate(LAYERS))
    trading = _trading(workspace, [found[one] for one in _TRADING])
    risk = _risk(workspace, [found[one] for one in _RISK])
    open_ = _alerts(workspace, [found[one] for one in _ALERTS])
    going = _runs(workspace, [found[one] for one in _RUNS])
    status = worst_of(one.status for one in layers)
    return Whole(
        as_of=workspace.clock.now(),
        status=status,
        word=WORDS[status],
        why=_why(status, (trading, risk, open_, going), layers),
        trading=trading,
        risk=risk,
        alerts=open_,
        runs=going,
        layers=layers,
    )


def _why(status: Status, parts: Sequence[Part], layers: Sequence[Layer]) -> str:
    """Return in a sentence what makes the whole as bad as it is."""
    if status == PASS:
        return "everything is well"
    bad = [f"{part.name.capitalize()}: {part.why}" for part in parts if part.status == status]
    rest = [f"{its.code} {its.name}: {one.told}" for its in layers for one in its.findings if one.status == status]
    return "; ".join(bad or rest[:3])


def _told(found: Sequence[Check]) -> tuple[Status, str, str]:
    """Return the worst of some answers, what is not well about them, and what to do first."""
    status = worst(found)
    bad = [one for one in found if one.status != PASS]
    why = "; ".join(one.evidence if len(found) == 1 else one.told for one in bad)
    return status, why or found[0].evidence, next((one.next_step for one in bad if one.status == status), "")


def _trading(workspace: Workspace, found: Sequence[Check]) -> Trading:
    status, why, step = _told(found)
    stopped = known(TradingStates.of(workspace).stopped)
    state = max(
        (one.state for one in stopped or ()), key=STATES.index, default="ACTIVE" if stopped == [] else "NO_ORDERS"
    )
    return Trading(
        name="trading", status=status, word=state, why=why, next_step=step, state=state, halts=tuple(stopped or ())
    )


def _risk(workspace: Workspace, found: Sequence[Check]) -> Risk:
    status, why, step = _told(found)
    level, uses = LEVELS[status], known(Account.of(workspace).uses)
    return Risk(
        name="risk", status=status, word=level, why=why, next_step=step, level=level, accounts=tuple(uses or ())
    )


def _alerts(workspace: Workspace, found: Sequence[Check]) -> OpenAlerts:
    status, why, step = _told(found)
    rows = known(lambda: Alerts.of(workspace).rows(OPEN))
    asked = rows is not None and status != UNKNOWN
    counts = {name: sum(row.severity == name for row in rows or ()) for name in SEVERITIES}
    critical, free = counts[CRITICAL], sum(row.free for row in rows or ())
    return OpenAlerts(
        name="alerts",
        status=status,
        word=f"{len(rows)} open, {critical} critical" if rows else "none open" if asked else "unknown",
        why=why,
        next_step=step,
        open=None if rows is None else len(rows),
        critical=None if rows is None else critical,
        unacknowledged=None if rows is None else free,
        by_severity=counts,
    )


def _runs(workspace: Workspace, found: Sequence[Check]) -> Runs:
    views = Views.of(workspace)
    status, why, step = _told(found)
    states = known(lambda: [row.state for row in views.runs(500)])
    bad = known(lambda: views.count(views.recently(Query(status="failed"))))
    counts = {name: None if states is None else states.count(name) for name in ("running", "silent", "died")}
    told = [f"{counts['running']} running", *(f"{counts[name]} {name}" for name in ("silent", "died") if counts[name])]
    told += [f"{bad} failed in 24 h"] if bad else []
    return Runs(
        name="runs",
        status=status,
        word="unknown" if states is None else ", ".join(told),
        why=why,
        next_step=step,
        failed=bad,
        **counts,
    )


def status_lines(found: Whole) -> list[str]:
    """Return the whole and its parts as lines of a terminal."""
    return [
        entry("Status", found.word),
        entry("Why", found.why),
        *(entry(part.name.capitalize(), part.word, part.why) for part in found.parts),
    ]


def entry(label: str, *said: str) -> str:
    """Return a line of a terminal: its label, and beside it what is said, each in the language read here."""
    return f"{spoken(label):<12} {': '.join(map(spoken, said))}"
