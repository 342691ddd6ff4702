"""The scheduler's jobs that make reports, prove what a day did, and write forward signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from peaktrade_core.base.errors import ConfigError, DataError, ExchangeError
from peaktrade_core.schedule.jobs import LONG_AGO, Period
from peaktrade_core.schedule.periods import DAY, span_named
from peaktrade_core.schedule.schedule import JobResult
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.research.portfolio.preset import Component

_NAMED = 5  # sessions that are named in a message


def daily(workspace: Workspace, period: Period) -> JobResult:
    """Make the report of a UTC day."""
    return _report(workspace, "daily", period.label)


def weekly(workspace: Workspace, period: Period) -> JobResult:
    """Make the report of an ISO week."""
    return _report(workspace, "weekly", period.label)


def status(workspace: Workspace, _: Period) -> JobResult:
    """Keep the status of the control center as it is now."""
    return _notebook(workspace, "control_center_daily", {})


def incident_review(workspace: Workspace, period: Period) -> JobResult:
    """Review the incidents of an ISO week."""
    return _notebook(workspace, "weekly_incident_review", {"week": period.label})


def differences(workspace: Workspace, period: Period) -> JobResult:
    """Compare the sessions of a UTC day with their backtests; failed where a rest is left that no cause explains."""
    from peaktrade_core.research.over_sessions.rest import rests_between

    span = span_named(DAY, period.label, workspace.clock.now())
    found = rests_between(workspace, span.since, span.until)
    if not found.sessions:
        return JobResult(True, "no session of this day has ended")
    (day,) = found.days
    causes = ", ".join(f"{name} {wording.figure(bps, 2, plus=True)} bps" for name, bps in day.bps.items() if bps)
    told = f"{day.without_rest} of {day.compared} sessions without a rest" + (f"; {causes}" if causes else "")
    if day.compared < day.sessions:
        told += f"; {day.sessions - day.compared} could not be compared"
    if not found.with_rest:
        return JobResult(True, told)
    named = ", ".join(one.session_id for one in found.with_rest[:_NAMED])
    return JobResult(
        False, f"{told}. A rest has {named}: `peaktrade session diff ID`, then `peaktrade session replay ID`"
    )


def forward_signals(workspace: Workspace, _: Period) -> JobResult:
    """Fetch the candles of the presets of ``[research] forward``, and write what they want; failed where something is missing.

    A venue that does not answer is no end: candles that are new enough may be stored. What was not written says why.
    """
    from peaktrade_core.research.forward.signals import write_signals
    from peaktrade_core.research.portfolio.prepare import resolve
    from peaktrade_core.research.portfolio.preset import find_preset

    names, missing, new, known = workspace.config.research.forward, list[str](), 0, 0
    if not names:
        return JobResult(True, "no preset is named in [research] forward")
    for name in names:
        components = find_preset(workspace, name).portfolio.component
        missing += _fetched(workspace, [resolve(workspace, one).component for one in components])
        for asked in write_signals(workspace, components, name):
            new += asked.new
            known += asked.signal is not None and not asked.new
            if asked.signal is None:
                missing.append(f"{asked.component.strategy} {asked.component.symbol}: {asked.error}")
    told = f"{new} written" + (f", {known} stood" if known else "")
    return JobResult(not missing, "; ".join([told, *dict.fromkeys(missing)][:_NAMED]))


def _fetched(workspace: Workspace, components: Iterable[Component]) -> list[str]:
    """Fetch the newest candles of the markets of components, and return what could not be had."""
    from peaktrade_core.candles.fetch import fetch_market
    from peaktrade_core.venue.client import open_venue

    markets = dict.fromkeys((str(one.symbol), str(one.timeframe)) for one in components if one.candles is None)
    faults = []
    with closing(open_venue(workspace)) as client:
        for symbol, timeframe in markets:
            try:
                fetch_market(workspace, client, symbol, timeframe)
            except (ExchangeError, ConfigError, DataError) as error:
                faults.append(f"candles of {symbol} {timeframe}: {error}")
    return faults


def forward_evaluate(workspace: Workspace, _: Period) -> JobResult:
    """Say what became of forward signals; failed where one is not as it was written."""
    from peaktrade_core.research.forward.outcome import DONE, VOID, evaluate

    found = evaluate(workspace, LONG_AGO)
    if not found.outcomes:
        return JobResult(True, "no forward signal was written yet")
    done = sum(one.state == DONE for one in found.outcomes)
    void = [one.signal_id for one in found.outcomes if one.state == VOID]
    told = f"{done} of {len(found.outcomes)} forward signals have come due"
    if not void:
        return JobResult(True, told)
    return JobResult(False, f"{told}; void: {', '.join(void[:_NAMED])}: `peaktrade audit verify`")


def _report(workspace: Workspace, kind: str, label: str) -> JobResult:
    from peaktrade_core.reports.period_reports import make_report

    made = make_report(kind, label, workspace)
    name = made.html.relative_to(workspace.home).as_posix()
    return JobResult(made.error is None, name if made.error is None else f"{made.error} ({name})")


def _notebook(workspace: Workspace, name: str, params: Mapping[str, object]) -> JobResult:
    from peaktrade_core.runbooks.runbooks import run_runbook

    outcome = run_runbook(name, params, workspace)
    name = outcome.html.relative_to(workspace.home).as_posix()
    return JobResult(outcome.error is None, name if outcome.error is None else f"{outcome.error} ({name})")
