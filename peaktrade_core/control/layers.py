"""The layers L0 to L6 of the control center: how each stands and what that is computed from.

Source: workflow overview, layer status matrix and triage. A layer is as good as its worst finding; one about which
nothing is known is UNKNOWN, never OK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.control.gates import UNKNOWN, gate_results
from peaktrade_core.desk.readiness import pre_session_checks
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.runs.run_views import DIED, SILENT
from peaktrade_core.runs.views import SessionRow, Views
from peaktrade_core.show.wording import many
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.trading.strategies import all_strategies, get_strategy
from peaktrade_core.workspace.workspace import Workspace

ORDER = (UNKNOWN, PASS, WARN, FAIL)  # what is unknown does not hide a finding
LOOK_BACK = timedelta(hours=24)
REPORT_AGE = timedelta(days=2)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: its status, what was found, and what to do where it is not well."""

    status: str
    text: str
    next_step: str = ""


class Layer(NamedTuple):
    """A layer: ``L0`` to ``L6``, its name, and what was found."""

    code: str
    name: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        """The worst finding; ``unknown`` when none of them knows anything."""
        return max((finding.status for finding in self.findings), key=ORDER.index, default=UNKNOWN)


def layers(workspace: Workspace) -> list[Layer]:
    """Return the seven layers; what cannot be looked at is a finding that says so."""
    recent = _recent(workspace)
    parts: tuple[tuple[str, Callable[[Workspace, list[SessionRow]], Iterator[Finding]]], ...] = (
        ("Foundation", _foundation),
        ("Data", _data),
        ("Strategy", _strategy),
        ("Execution", _execution),
        ("Risk and governance", _risk),
        ("Monitoring and alerting", _monitoring),
        ("Operations and documentation", _operations),
    )
    return [Layer(f"L{i}", name, _guarded(part, workspace, recent)) for i, (name, part) in enumerate(parts)]


def _guarded(
    part: Callable[[Workspace, list[SessionRow]], Iterator[Finding]], workspace: Workspace, recent: list[SessionRow]
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    try:
        found.extend(part(workspace, recent))
    except (PeaktradeError, OSError) as error:
        found.append(Finding(FAIL, str(error), "Mend what the message names; this layer is read anew by itself."))
    return tuple(found)


def _recent(workspace: Workspace) -> list[SessionRow]:
    """Return the sessions of the last 24 hours."""
    return Views.of(workspace).rows(Query(since=Views.of(workspace).now() - LOOK_BACK))


def _foundation(workspace: Workspace, _: list[SessionRow]) -> Iterator[Finding]:
    checks = {check.id: check for check in pre_session_checks(workspace)}
    for name in ("config", "sizing", "registry"):
        if name in checks:
            check = checks[name]
            yield Finding(check.status, f"{check.question} {check.evidence}", check.next_step)


def _data(workspace: Workspace, recent: list[SessionRow]) -> Iterator[Finding]:
    stored = CandleStore.of_workspace(workspace.home).series()
    yield (
        Finding(PASS, f"{len(stored)} candle series stored")
        if stored
        else Finding(UNKNOWN, "no candles stored", "`peaktrade exchange fetch SYMBOL` downloads some.")
    )
    failed = [row for row in recent if row.notes.startswith(("DataError", "ExchangeNetworkError"))]
    if failed:
        yield Finding(
            WARN, f"{len(failed)} sessions failed on data in 24 h: {_names(failed)}", "Runbook 10, data gaps."
        )
    elif recent:
        yield Finding(PASS, f"no data error in {len(recent)} sessions of the last 24 h")


def _strategy(workspace: Workspace, recent: list[SessionRow]) -> Iterator[Finding]:
    tiers = {strategy.name: strategy.tier for strategy in all_strategies()}
    get_strategy(workspace.config.session.strategy)
    yield Finding(PASS, f"{len(tiers)} strategies registered, parameters sound")
    barred = [row for row in recent if tiers.get(row.strategy or "", "core") in ("r_and_d", "legacy")]
    if barred:
        yield Finding(
            WARN,
            f"{len(barred)} sessions of the last 24 h ran a strategy that is r_and_d or legacy",
            "Run core or aux.",
        )


def _execution(workspace: Workspace, recent: list[SessionRow]) -> Iterator[Finding]:
    runs = [row for row in Views.of(workspace).runs(limit=200) if row.state in (SILENT, DIED)]
    for state, status in ((DIED, FAIL), (SILENT, WARN)):
        ids = [row.run_id for row in runs if row.state == state]
        if ids:
            yield Finding(status, f"{many(len(ids), 'run')} {state}: {', '.join(ids[:3])}", "Runbook 4, restart.")
    failed = [row for row in recent if row.status == "failed"]
    if failed:
        status = FAIL if len(failed) > 1 else WARN
        said = f"{many(len(failed), 'session')} failed in 24 h: {_names(failed)}"
        yield Finding(status, said, "Two in a row mean: pause.")
    ended = many(sum(row.status == "completed" for row in recent), "session")
    yield Finding(PASS, f"{ended} completed in 24 h") if recent else Finding(UNKNOWN, "no session in 24 h")


def _risk(workspace: Workspace, recent: list[SessionRow]) -> Iterator[Finding]:
    stopped = [state for state in TradingStates.of(workspace).everything() if state.state != "ACTIVE"]
    for state in stopped:
        status = FAIL if state.scope == "global" or state.state == "NO_ORDERS" else WARN
        yield Finding(status, f"{state.scope}: {state.state} by {state.by}: {state.reason}", "Runbook 8, risk limit.")
    if not stopped:
        yield Finding(PASS, "trading state ACTIVE, kill switch released")
    for use in Account.of(workspace).uses():
        if use.fault:
            yield Finding(
                FAIL, f"account {use.mode} {use.currency}: {use.fault}", "Orders are denied until it is read."
            )
        else:
            status = {"green": PASS, "yellow": WARN, "red": FAIL}[use.level]
            yield Finding(status, f"account {use.mode} {use.currency}: exposure {use.exposure:,.2f}, {use.level}")
    red = [row for row in recent if row.risk_status == "red"]
    if red:
        yield Finding(WARN, f"red in the last 24 h: {_names(red)}", "Read their risk use.")
    audit = KillSwitch.of(workspace).verify()
    if audit.status != PASS:
        yield Finding(audit.status, f"the kill switch's audit: {audit.evidence}", audit.next_step)
    live = next(check for check in pre_session_checks(workspace) if check.id == "live")
    yield Finding(live.status, f"live is locked: {live.evidence}", live.next_step)


def _monitoring(workspace: Workspace, _: list[SessionRow]) -> Iterator[Finding]:
    if not Alerts.of(workspace).log.path.exists():
        yield Finding(UNKNOWN, "no alert was ever checked", "`peaktrade watch` evaluates the rules.")
        return
    rows = Alerts.of(workspace).rows(state="raised")
    critical = [row for row in rows if row.severity == "critical"]
    free = [row for row in rows if row.acknowledged_by is None and row.silenced_by is None]
    if critical:
        yield Finding(FAIL, f"{len(critical)} critical alerts open: {critical[0].message}", "Open the alerts page.")
    elif rows:
        yield Finding(WARN, f"{len(rows)} alerts open, {len(free)} not taken by anybody", "Open the alerts page.")
    else:
        yield Finding(PASS, "no alert is open")
    if watch_of(workspace).status != "running":
        told = "the watcher does not run: no rule is asked and nobody is told"
        yield Finding(WARN, told, "`peaktrade watch` starts it.")
    lost = [row for row in rows if "failed" in row.deliveries.values()]
    if lost:
        yield Finding(WARN, f"{len(lost)} alerts could not be delivered", "Check the channels in config/alerts.toml.")


def _operations(workspace: Workspace, _: list[SessionRow]) -> Iterator[Finding]:
    now = Views.of(workspace).now()
    newest = ActivityFeed.of(workspace)(1, ["report"])
    yield _age("report", newest[0].at if newest else None, now)
    if EvidenceBook.of(workspace).ids():
        sealed = evidence_check(EvidenceBook.of(workspace))
        yield Finding(sealed.status, f"evidence: {sealed.evidence}", sealed.next_step)
    else:
        yield Finding(UNKNOWN, "no runbook has left evidence yet")
    broken = Views.of(workspace).stats(Query(status=UNREADABLE)).total_sessions
    if broken:
        yield Finding(WARN, f"{broken} records cannot be read", "`peaktrade session list --status unreadable`.")
    yield _gates(workspace)


def _gates(workspace: Workspace) -> Finding:
    """Return how the required gates stand, in one finding."""
    results = gate_results(workspace)
    failed = [result for result in results if result.status == FAIL]
    if failed:
        return Finding(FAIL, f"gates failed: {', '.join(result.gate for result in failed)}", failed[0].next_step)
    unknown = [result.gate for result in results if result.status == UNKNOWN]
    if unknown:
        told = f"{len(unknown)} of {len(results)} gates unknown: {', '.join(unknown)}"
        return Finding(UNKNOWN, told, "`make test` answers them, in the checkout.")
    return Finding(PASS, f"all {len(results)} gates pass")


def _age(what: str, at: datetime | None, now: datetime) -> Finding:
    """Return whether something that is made every day was made."""
    if at is None:
        return Finding(UNKNOWN, f"no {what} written yet")
    age = now - at
    said = f"newest {what}: {at:%Y-%m-%d %H:%M} UTC"
    return Finding(WARN, said, f"It is {age.days} days old.") if age > REPORT_AGE else Finding(PASS, said)


def _names(rows: list[SessionRow]) -> str:
    return ", ".join(row.session_id for row in rows[:3])
