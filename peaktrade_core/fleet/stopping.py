"""What is asked when sessions are ended: is it over, did they shut down in good order, is an order open?

Source: operational runbooks 5.2 (verify, open orders) and 5.3 (only when the normal way does not work).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.base.files import read_plain
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, answers, question
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.ops import orders
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.venue.orders import venue_orders
from peaktrade_core.workspace.config import Config
from peaktrade_core.workspace.workspace import Workspace


def fleet_to_stop(workspace: Workspace) -> Fleet:
    """Return the fleet, with default settings where the configuration is broken: that must not keep anything running."""
    try:
        return Fleet.of(workspace)
    except ConfigError:
        aside = Workspace(workspace.home, workspace.config_path, workspace.runs)
        aside.config = Config()
        return Fleet.of(aside)


class StoppedRuns(NamedTuple):
    """Runs that were ended, or are to be: the workspace and their ids."""

    workspace: Workspace
    chosen: tuple[str, ...]

    @property
    def rows(self) -> list[Run]:
        """How they stand."""
        return [Views.of(self.workspace).run(run_id) for run_id in self.chosen]


@question(
    "asked_first",
    "Was each asked to end first?",
    "The emergency way is for what does not obey; say in the incident why it could not wait.",
    otherwise=WARN,
)
def asked_first(stopped: StoppedRuns) -> Found:
    """Look whether each run was asked to end before it is killed."""
    runs = stopped.workspace.runs
    asked = [run_id for run_id in stopped.chosen if RunFolder(runs, run_id).stop_request() is not None]
    return len(asked) == len(stopped.chosen), f"{len(asked)} of {len(stopped.chosen)} were asked to end before"


@question(
    "processes",
    "Is every process of theirs gone?",
    "Stop it once more; if that does not help, set action to emergency.",
)
def processes(stopped: StoppedRuns) -> Found:
    """Look for processes."""
    alive = [row.run_id for row in stopped.rows if row.alive]
    return not alive, ", ".join(alive) or "none lives"


@question("others", "Other runs that still run", "Is it meant to run on?", otherwise=WARN)
def others(stopped: StoppedRuns) -> Found:
    """Look for other runs."""
    names = [row.run_id for row in fleet_to_stop(stopped.workspace).active() if row.run_id not in stopped.chosen]
    return not names, ", ".join(names[:5]) + (" …" if len(names) > 5 else "") or "none"


@question(
    "records",
    "Is each recorded as ended?",
    "Run this cell again: the records of dead processes are then ended from their journals.",
)
def records(stopped: StoppedRuns) -> Found:
    """Look at their records."""
    rows = stopped.rows
    open_ = [f"{row.run_id} {row.state}" for row in rows if row.state not in ("completed", "failed", "aborted")]
    return not open_, "; ".join(open_) or f"{len(rows)} recorded"


@question(
    "journals",
    "Did each shut down in good order?",
    "It was killed, or it failed: its figures go up to its last event. Do its post-session check.",
    otherwise=WARN,
)
def journals(stopped: StoppedRuns) -> Found:
    """Look whether each journal ends with the session's own word, and that word is not that it failed."""
    torn = []
    for run_id in stopped.chosen:
        try:
            end = Views.of(stopped.workspace).look(run_id).tally.end
        except PeaktradeError as error:
            torn.append(f"{run_id}: {error}")
            continue
        if end is None or end.status == "failed":
            torn.append(f"{run_id}: {'no end event' if end is None else end.error or 'failed'}")
    return not torn, "; ".join(torn[:3]) or f"{len(stopped.chosen)} whole, each with its end event"


@question(
    "restarts",
    "Restarts that are due",
    "The restart policy wants them again: set policy to never in [fleet.restart], or halt their scope.",
)
def restarts(stopped: StoppedRuns) -> Found:
    """Look for launches that wait."""
    due = [launch.run_id for launch in fleet_to_stop(stopped.workspace).due()]
    return not due, ", ".join(due) or "none"


OVER = (processes, others, records, journals, restarts)


def over_checks(workspace: Workspace, chosen: Iterable[str]) -> list[Check]:
    """Return whether runs are over: no process, an ended record, a whole journal, and nothing that starts them again."""
    recover(workspace)
    return answers(OVER, StoppedRuns(workspace, tuple(chosen)))


def incident_names(workspace: Workspace, chosen: Iterable[str]) -> bool:
    """Return whether a file among the incidents names one of the runs."""
    wanted = [run_id.encode() for run_id in chosen]
    found = (workspace.reports / "incidents").rglob("*")
    files = (path for path in found if path.is_file() and "artefacts" not in path.parts)
    return any(name in text for text in map(read_plain, files) for name in wanted)


@question(
    "orders_ours",
    "Open orders in our journals",
    "While it runs, wait a bar. In testnet look for it at the venue.",
    otherwise=WARN,
)
def orders_ours(stopped: StoppedRuns) -> Found:
    """Look for orders without an end; a shadow order ends with its session."""
    ours = orders(Views.of(stopped.workspace), only_open=True)
    names = [f"{line.run_id} {line.order_id}" for line in ours.lines if line.running or line.mode != "shadow"]
    told = "; ".join([*names[:3], *ours.faults[:2]]) or "none"
    return not names and not ours.faults, told if len(names) <= 3 else f"{len(names)}: {told} …"


@question(
    "orders_venue",
    "Open orders at the venue",
    "Log in to the venue's own page and look at the open orders there.",
)
def orders_venue(stopped: StoppedRuns) -> Found:
    """Ask the venue; where all were shadow it need not be asked."""
    theirs = venue_orders(stopped.workspace)
    unknown = theirs.told.startswith("not asked")
    need = any(row.mode != "shadow" for row in stopped.rows) or bool(theirs.orders) or theirs.failed
    told = f"{theirs.venue}: {theirs.told}" if need or not unknown else "only shadow ran: no order reached a venue"
    if not theirs.orders and not theirs.failed and not (unknown and need):
        return PASS, told
    return WARN if unknown else FAIL, told


def order_checks(workspace: Workspace, chosen: Iterable[str]) -> list[Check]:
    """Return whether an order is open in our journals, and at the venue where we have a key for it.

    Args:
        workspace: where; chosen: the runs that ended.
    """
    return answers((orders_ours, orders_venue), StoppedRuns(workspace, tuple(chosen)))
