"""The layers L0 to L6 of the control center: which questions each is made of.

Source: workflow overview, layer status matrix and triage. A layer is as good as its worst answer; one about which
nothing is known is unknown, never good.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

import msgspec

from peaktrade_core.alerts.questions import alerts, delivered, in_a_row, watcher
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check, Found, Question, Status, question, worst
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.changes.questions import governed
from peaktrade_core.control.gates import GateResult, gate_results
from peaktrade_core.desk.doctor import config, sizing
from peaktrade_core.desk.readiness import evidence, strategy
from peaktrade_core.halts.questions import account, halts, kill_switch
from peaktrade_core.records.registry import Query
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.runs.questions import drawdowns, failed, none_of, registry, runs
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import live
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show.wording import counted, many
from peaktrade_core.trading.strategies import MAY_RUN, all_strategies
from peaktrade_core.workspace.workspace import Workspace

REPORT_AGE = timedelta(days=2)
MONITOR, FIX, ESCALATE = "monitor", "fix required", "escalate to the owner"
GOVERNANCE = "L4"  # a failure there is no matter of the shift alone
GATES_S = 5.0
_OF_DATA = ("DataError", "ExchangeNetworkError")


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer: ``L0`` to ``L6``, its name, the worst of its answers, the answers, and what is decided about it."""

    code: str
    name: str
    status: Status
    findings: tuple[Check, ...]
    decision: str = MONITOR


@question("candles", "Are candles stored?", "`peaktrade exchange fetch SYMBOL` downloads some.", otherwise=UNKNOWN)
def candles(workspace: Workspace) -> Found:
    """Look into the store of candles."""
    stored = CandleStore.of_workspace(workspace.home).series()
    return bool(stored), f"{len(stored)} series stored" if stored else "none"


@question("data_errors", "Sessions that failed on data in 24 h", "Runbook 10, data gaps.", otherwise=WARN)
def data_errors(workspace: Workspace) -> Found:
    """Look for sessions that ended with an error of data or network."""
    views = Views.of(workspace)
    rows = [
        row
        for name in _OF_DATA
        for row in views.rows(views.recently(Query(words=(name.lower(),))))
        if row.notes.startswith(name)
    ]
    return not rows, _named(rows)


@question("barred", "Sessions in 24 h of a strategy that is r_and_d or legacy", "Run core or aux.", otherwise=WARN)
def barred(workspace: Workspace) -> Found:
    """Look for strategies that have not come through research."""
    views, log = Views.of(workspace), Promotions(workspace)
    names = [one.name for one in all_strategies() if log.tier(one) not in MAY_RUN]
    rows = [row for name in names for row in views.rows(views.recently(Query(strategy=name))) if row.counted]
    return not rows, _named(rows)


@question("completed", "Did sessions run in 24 h?", "Nothing is known of what did not run.", otherwise=UNKNOWN)
def ran(workspace: Workspace) -> Found:
    """Count the sessions of the last 24 hours."""
    views = Views.of(workspace)
    if not views.count(views.recently()):
        return False, "none"
    return True, f"{many(views.count(views.recently(Query(status='completed'))), 'session')} completed"


@question("red", "Sessions in 24 h that came to a red limit", "Read their risk use.", otherwise=WARN)
def red(workspace: Workspace) -> Found:
    """Look for sessions with a red limit."""
    views = Views.of(workspace)
    return none_of(views, views.recently(Query(risk_status="red")))


@question("report", "Was a report written in the last 2 days?", "`peaktrade report daily` writes one.", otherwise=WARN)
def report(workspace: Workspace) -> Found:
    """Look for the newest report."""
    newest = ActivityFeed.of(workspace)(1, ["report"])
    at = newest[0].at if newest else None
    if at is None:
        return UNKNOWN, "none written yet"
    return Views.of(workspace).now() - at <= REPORT_AGE, f"the newest is of {at:%Y-%m-%d %H:%M} UTC"


@question("gates", "Is every required gate known to pass?", "`make test` answers them, in the checkout.")
def gates(workspace: Workspace) -> Found:
    """Ask the gates, and tell of those that fail, or else are unknown."""
    found = workspace.once(_Lately, lambda: _Lately(workspace)).gates()
    for status in (FAIL, UNKNOWN):
        names = [one.gate for one in found if one.status == status]
        if names:
            steps = [one.next_step for one in found if one.status == FAIL]
            told = f"{len(names)} of {len(found)} {'failed' if status == FAIL else 'unknown'}: {', '.join(names)}"
            return status, told, (*steps, gates.step)[0]
    return PASS, f"all {len(found)} pass"


LAYERS: tuple[tuple[str, tuple[Question[Workspace], ...]], ...] = (
    ("Foundation", (config, sizing, registry)),
    ("Data", (candles, data_errors)),
    ("Strategy", (strategy, barred)),
    ("Execution", (runs, failed, in_a_row, ran)),
    ("Risk and governance", (halts, account, drawdowns, red, kill_switch, live, governed)),
    ("Monitoring and alerting", (alerts, watcher, delivered)),
    ("Operations and documentation", (report, evidence, gates)),
)


def layer(code: str, name: str, findings: Iterable[Check]) -> Layer:
    """Return a layer from its answers: a failure is mended, one of governance is escalated, all else is watched."""
    found = tuple(findings)
    status = worst(found)
    decision = MONITOR if status != FAIL else ESCALATE if code == GOVERNANCE else FIX
    return Layer(code=code, name=name, status=status, findings=found, decision=decision)


class _Lately:
    """The gates as they stood a moment ago: asking them reads every source and document, and pages ask every few seconds."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._at, self._gates = workspace, -GATES_S, list[GateResult]()

    def gates(self) -> list[GateResult]:
        """Return how the gates stand, or stood a few seconds ago."""
        if time.monotonic() - self._at >= GATES_S:
            self._gates, self._at = gate_results(self._workspace), time.monotonic()
        return self._gates


def _named(rows: list[Run]) -> str:
    """Return some sessions, or that there are none."""
    return counted([row.run_id for row in rows], "none")
