"""What is asked when sessions were ended: is it over, did they shut down in good order, is an order open?

Source: operational runbooks 5.2 (verify, open orders) and 5.3 (only when the normal way does not work).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.ops import orders
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.run_views import RunRow
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


def asked_first(workspace: Workspace, rows: Sequence[RunRow]) -> Check:
    """Return whether each run was asked to end before it is killed."""
    asked = [row.run_id for row in rows if RunFolder(workspace.runs, row.run_id).stop_request() is not None]
    told = f"{len(asked)} of {len(rows)} were asked to end before"
    step = "The emergency way is for what does not obey; say in the incident why it could not wait."
    return check("asked_first", "Was each asked to end first?", len(asked) == len(rows), told, step, otherwise=WARN)


def over_checks(workspace: Workspace, chosen: Iterable[str]) -> list[Check]:
    """Return whether runs are over: no process, an ended record, a whole journal, and nothing that starts them again."""
    recover(workspace)
    wanted = list(chosen)
    rows = [Views.of(workspace).run(run_id) for run_id in wanted]
    alive = [row.run_id for row in rows if row.alive]
    others = [row.run_id for row in fleet_to_stop(workspace).active() if row.run_id not in wanted]
    open_ = [f"{row.run_id} {row.state}" for row in rows if row.state not in ("completed", "failed", "aborted")]
    due = [launch.run_id for launch in fleet_to_stop(workspace).due()]
    again = "Stop it once more; if that does not help, set action to emergency."
    return [
        check("processes", "Does no process of theirs live?", not alive, ", ".join(alive) or "none lives", again),
        check("others", "Does nothing else run?", not others, _few(others), "Is it meant to run on?", otherwise=WARN),
        check(
            "records",
            "Is each recorded as ended?",
            not open_,
            "; ".join(open_) or f"{len(rows)} recorded",
            "Run this cell again: the records of dead processes are then ended from their journals.",
        ),
        _journals(workspace, rows),
        check(
            "restarts",
            "Does nothing start them again?",
            not due,
            ", ".join(due) or "no restart is due",
            "The restart policy wants them again: set policy to never in [fleet.restart], or halt their scope.",
        ),
    ]


def incident_names(workspace: Workspace, chosen: Iterable[str]) -> bool:
    """Return whether a file among the incidents names one of the runs."""
    wanted = [run_id.encode() for run_id in chosen]
    files = (path for path in (workspace.reports / "incidents").rglob("*") if path.is_file())
    return any(name in text for text in (path.read_bytes() for path in files) for name in wanted)


def order_checks(workspace: Workspace, chosen: Iterable[str]) -> list[Check]:
    """Return whether an order is open in our journals, and at the venue where we have a key for it.

    Args:
        workspace: where; chosen: the runs that ended; where all were shadow, the venue need not be asked.
    """
    try:
        ours = orders(Views.of(workspace), only_open=True)
        theirs = venue_orders(workspace)
    except PeaktradeError as error:
        step = "Look at the venue's own page."
        return [check("orders", "Can open orders be found?", False, str(error), step)]
    left = [
        line for line in ours.lines if line.running or line.mode != "shadow"
    ]  # a shadow order ends with its session
    names = [f"{line.run_id} {line.order_id}" for line in left]
    told = "; ".join([*names[:3], *ours.faults[:2]]) or "none"
    reached = any(Views.of(workspace).run(run_id).mode != "shadow" for run_id in chosen)
    unknown = theirs.told.startswith("not asked")
    need = reached or bool(theirs.orders) or theirs.failed
    said = f"{theirs.venue}: {theirs.told}" if need or not unknown else "only shadow ran: no order reached a venue"
    return [
        check(
            "orders_ours",
            "Is no order open in our journals?",
            not names and not ours.faults,
            told if len(names) <= 3 else f"{len(names)}: {told} …",
            "While it runs, wait a bar. In testnet look for it at the venue.",
            otherwise=WARN,
        ),
        check(
            "orders_venue",
            "Is no order open at the venue?",
            not theirs.orders and not theirs.failed and not (unknown and need),
            said,
            "Log in to the venue's own page and look at the open orders there.",
            otherwise=WARN if unknown else FAIL,
        ),
    ]


def _journals(workspace: Workspace, rows: Sequence[RunRow]) -> Check:
    """Look whether each journal says how it ended, as a session that shut down in good order does."""
    torn = []
    for row in rows:
        try:
            ended = Views.of(workspace).tally(row.run_id).end is not None
        except PeaktradeError as error:
            torn.append(f"{row.run_id}: {error}")
            continue
        torn += [] if ended else [f"{row.run_id}: no end event"]
    told = "; ".join(torn[:3]) or f"{len(rows)} whole, each with its end event"
    step = "It was killed: its figures go up to its last event. Do its post-session check."
    return check("journals", "Did each shut down in good order?", not torn, told, step, otherwise=WARN)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "") or "nothing"
