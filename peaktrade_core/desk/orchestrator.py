"""The orchestrator's runbook: which runs there are, whether another may start, starting and stopping, and what came of it.

Runs are processes of their own that outlive the notebook. What is done is done once: a runbook that is taken up again
neither starts a second run nor stops one twice.

Source: operational runbooks 10a.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import msgspec

from peaktrade_core.base.errors import (
    LATEST,
    ArtefactError,
    ConfigError,
    PeaktradeError,
    SessionNotFoundError,
    UnknownNameError,
)
from peaktrade_core.base.question import PASS, WARN, Check, Found, check, question
from peaktrade_core.desk.doctor import sizing
from peaktrade_core.fleet.during_session import Watched, watched_table
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.launches import LaunchOrder
from peaktrade_core.fleet.monitor import line_of
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.runbooks.figures import runs_figure
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import live
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

PROFILE = "profile"  # the mode is the profile's own
STATUS, START, STOP, STOP_ALL = "status", "start", "stop", "stop_all"
ACTIONS = (STATUS, START, STOP, STOP_ALL)
NEWEST = 10


class OrchestratorRunbook(Runbook):
    """Start, stop and follow runs; what is done is done once."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the run that is named."""
        del workspace
        return str(given.run_id)

    def runs(self) -> Table:
        """Return the runs that are active, and the newest others."""
        from peaktrade_core.runs.detail import JournalDetail

        rows = Views.of(self.workspace).runs(NEWEST)
        return watched_table([Watched(row, JournalDetail()) for row in rows])

    def figure(self) -> Chart | Table:
        """Return the PnL of these runs, over each other."""
        views = Views.of(self.workspace)
        return runs_figure(views, views.runs(NEWEST), "Total PnL of the newest runs")

    def ready(self) -> Table:
        """Record whether a run of the profile could start now."""
        return self.check("ready", "Is it ready?", fleet_readiness(self.workspace, self.given.profile, self.given.mode))

    def do(self) -> Table:
        """Do what was asked for, once, and return what came of it; ``status`` changes nothing.

        Raises:
            UnknownNameError: no such action or profile.
            ConfigError: a stop without a run or without a reason, or a check says no to the start.
            SessionNotFoundError: there is no such run.
            EnvironmentFault: the run cannot be started, or died at once.
        """
        workspace, by, given = self.workspace, self.round.record.operator, self.given
        if given.action == STATUS:
            empty = "Nothing was asked for. To act, set `action` to start, stop or stop_all in the parameters."
            return Table("What was done", (), [], empty=empty)
        if given.action == START:
            order = order_of(workspace, _wish(given.mode), profile=given.profile or "quick_smoke")
            return self.act(START, "Start a run", lambda: _start(workspace, order, by))
        if given.action not in ACTIONS:
            raise UnknownNameError("action", given.action, ACTIONS)
        if not given.reason.strip():
            raise ConfigError("stopping needs a reason: set `reason` in the parameters; it is kept in the run's record")
        if given.action == STOP and not given.run_id:
            raise ConfigError("name the run to stop in `run_id`; the table above lists them, stop_all ends every one")
        fleet = Fleet.of(workspace)
        rows = [Views.of(workspace).run(given.run_id)] if given.action == STOP else fleet.active()
        return self.act(STOP, "Stop", lambda: _stop(workspace, rows, by, given.reason))

    def outcome(self) -> Table:
        """Record whether what was started runs and what was stopped has ended."""
        return self.check("outcome", "Did it work?", outcome_checks(self))

    def tail(self) -> Table:
        """Return the last events of the named run, else of the one that was started here, else of the newest."""
        step = self.round.record.step(START)
        started = step.result.partition(" ")[0] if step is not None and step.status == PASS else ""
        return events_table(self.workspace, self.given.run_id or started or "latest", self.given.events)


def fleet_readiness(workspace: Workspace, profile: str, mode: str = "") -> list[Check]:
    """Return whether a run of a profile could start now: configuration, mode, limits, trading state, room.

    Args:
        workspace: of which; profile: a name from ``[fleet.profiles]``; mode: instead of the profile's.

    Source: operational runbooks 10a.2, 10a.3, 10a.7.
    """
    order, fault = None, ""
    try:
        order = order_of(workspace, _wish(mode), profile=profile)
    except PeaktradeError as error:
        fault = f"{type(error).__name__}: {error}"
    told = f"{order.mode}: {order.strategy} on {order.symbol} {order.timeframe}" if order else fault
    plan = check(
        "plan",
        "Is the configuration sound, with the strategy, market and mode of the profile?",
        order is not None,
        told,
        "Mend what it names in config/config.toml; a testnet run also needs the venue's credentials.",
    )
    checks = [plan, *workspace.ask((live, limits, sizing))]
    return checks + ([_plain(one, workspace) for one in Fleet.of(workspace).checks(order)] if order else [])


def _wish(mode: str) -> dict[str, str]:
    """Return what goes before the profile: the mode, where it is not the profile's own."""
    return {"mode": mode} if mode not in ("", PROFILE) else {}


@question("limits", "Are the risk limits configured?", "Set [live_risk] in config/config.toml.")
def limits(workspace: Workspace) -> Found:
    """Read the risk limits."""
    ours = workspace.config.limits
    told = f"order {ours.max_order_notional:,.0f}, symbol {ours.max_symbol_exposure_notional:,.0f}, "
    told += f"total {ours.max_total_exposure_notional:,.0f}, loss a day {ours.max_daily_loss_abs:,.0f}"
    return ours.max_order_notional > 0, told


def _plain(one: Check, workspace: Workspace) -> Check:
    """Return a check of the fleet; how much of the disk is free matters only when it is too little."""
    if one.id != "disk" or one.status != PASS:
        return one
    return msgspec.structs.replace(one, evidence=f"more than {workspace.config.fleet.min_free_disk_mb:,.0f} MB free")


def _start(workspace: Workspace, order: LaunchOrder, by: str) -> str:
    run = Fleet.of(workspace).start(order, by=by)
    return f"{run.run_id} runs: {run.strategy} on {run.symbol} {run.timeframe}, {run.mode}"


def _stop(workspace: Workspace, rows: Sequence[Run], by: str, reason: str) -> str:
    done = list(Fleet.of(workspace).stop(rows, by=by, reason=reason))
    told = [f"{one.run_id} {one.outcome} after {wording.duration(one.seconds)}: {one.message}" for one in done]
    return "; ".join(told) or "no run was active"


def outcome_checks(runbook: Runbook) -> list[Check]:
    """Return whether what was started runs and what was stopped has ended, with its record; nothing when nothing was done."""
    workspace, record = runbook.workspace, runbook.round.record
    checks = []
    if (step := record.step(START)) is not None and step.status == PASS:
        checks += _started(workspace, step.result.partition(" ")[0])
    if (step := record.step(STOP)) is not None and step.status == PASS:
        checks += _stopped(workspace, [part.split(" ", 1)[0] for part in step.result.split("; ") if "_" in part])
    return checks or [
        check(
            "alive",
            "Does every active run give signs of life?",
            all(row.state == "running" for row in Fleet.of(workspace).active()),
            f"{len(Fleet.of(workspace).active())} active",
            "`peaktrade monitor follow RUN` shows what it does; stop what stays silent.",
            otherwise=WARN,
        )
    ]


def _started(workspace: Workspace, run_id: str) -> list[Check]:
    row = Views.of(workspace).run(run_id)
    said = f"{run_id} {row.state}, {wording.count(row.step)} bars"
    fine = row.state in ("running", "completed")
    return [
        check(
            "began",
            "Does the run that was started run?",
            fine,
            said,
            f"`peaktrade fleet tail {run_id}` and live_runs/{run_id}/console.log say what happened.",
        )
    ]


def _stopped(workspace: Workspace, run_ids: Sequence[str]) -> list[Check]:
    rows = [Views.of(workspace).run(run_id) for run_id in dict.fromkeys(run_ids)]
    alive = [row.run_id for row in rows if row.alive or row.state in ACTIVE]
    bare = [row.run_id for row in rows if row.status not in ("aborted", "completed", "failed")]
    return [
        check(
            "ended",
            "Has every run that was stopped ended?",
            not alive,
            f"{len(rows)} ended" if not alive else f"still there: {', '.join(alive)}",
            "Use the runbook safe_stop with action emergency; then look at the venue's open orders.",
        ),
        check(
            "recorded",
            "Does its record say how it ended?",
            not bare,
            ", ".join(f"{row.run_id} {row.status}" for row in rows) if not bare else f"no end: {', '.join(bare)}",
            "`peaktrade session list` recovers it from its journal.",
        ),
    ]


def events_table(workspace: Workspace, run_id: str = "latest", events: int = 20) -> Table:
    """Return the last events of a run, oldest first.

    Raises:
        SessionNotFoundError: there is no such run.
    """
    try:
        wanted = Views.of(workspace).meant(run_id or LATEST)
    except SessionNotFoundError:
        return Table("Last events", (), [], empty="Nothing ran yet: start the first with `action` start.")
    Views.of(workspace).run(wanted)
    try:
        found = Views.of(workspace).tail_events(wanted, events)
    except ArtefactError as error:
        return Table(f"Last events of {wanted}", (), [], empty=str(error))
    rows = [(event.seq, line_of(event)) for event in found]
    return Table(
        f"Last {wording.many(len(rows), 'event')} of {wanted}",
        ("No.", "Event"),
        rows,
        numbers=(0,),
        empty="No event yet.",
    )


def profile_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the profiles of runs, to pick one."""
    return [Suggestion(name) for name in sorted(workspace.config.fleet.profiles)]
