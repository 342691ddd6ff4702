"""Ending sessions from a runbook: what runs, end it in the normal or the emergency way, and prove that it is over.

Source: operational runbooks 5.2 (ask, wait, verify, open orders, logs, note) and 5.3 (kill, verify, save at once).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.base.files import sha256_of, write_atomic
from peaktrade_core.base.question import FAIL
from peaktrade_core.fleet.stopping import Stopped, asked_first, fleet_to_stop, incident_names, order_checks, over_checks
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.steps import Prompt, Runbook
from peaktrade_core.runs.run_views import RunRow
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import TONE_OF, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

SHOW, STOP, EMERGENCY = "show", "stop", "emergency"
ALL = "all"
SAVED = Path("reports") / "archive" / "stops"
LOOK_BACK = timedelta(hours=24)
_MOST = 200  # runs that are looked at


def running_table(workspace: Workspace) -> Table:
    """Return the runs whose processes live, and how to end them without a notebook."""
    rows = [
        (
            row.run_id,
            row.mode,
            f"{row.strategy or wording.NOTHING} on {row.symbol or wording.NOTHING}",
            Cell(row.state, TONE_OF["pass" if row.state == "running" else "warn"]),
            wording.moment(row.started_at),
            wording.count(row.step),
            wording.money(row.equity),
        )
        for row in fleet_to_stop(workspace).active()
    ]
    columns = ("Run", "Mode", "What", "State", "Since (UTC)", "Bars", "Equity")
    note = (
        "From a terminal: `peaktrade fleet stop --all`, and what does not obey: `peaktrade fleet stop --all --force`."
    )
    empty = "Nothing runs: no process of a session lives on this machine."
    return Table("What runs", columns, rows, numbers=(5, 6), note=Cell(note, code=True), empty=empty)


class StopStep:
    """The ending of some runs as a runbook's steps.

    Attributes:
        runbook: of which; action: ``show``, ``stop`` or ``emergency``; chosen: the ids of the runs that it is about.
    """

    def __init__(self, runbook: Runbook, action: str, chosen: Sequence[str], shown: Table) -> None:
        self.runbook, self.action, self.chosen, self._shown = runbook, action, tuple(chosen), shown

    def __repr__(self) -> str:
        return repr(self._shown)

    def _repr_html_(self) -> str:
        return self._shown._repr_html_()

    def check_over(self) -> Table:
        """Record whether it is over: processes, records, journals, restarts; of ``show``, for what ended by itself."""
        shown = self.action == SHOW
        title = "Did what ended in the last 24 hours end in good order?" if shown else "Is it over?"
        checks = over_checks(self.runbook.workspace, self.chosen)
        return self.runbook.check("verified", title, [one for one in checks if not (shown and one.id == "others")])

    def check_orders(self) -> Table:
        """Record what is open: in our journals and at the venue."""
        return self.runbook.check("open_orders", "Is an order open?", order_checks(self.runbook.workspace, self.chosen))

    def ask_incident(self) -> Prompt | Table:
        """Ask for the incident that an emergency stop must have, and whether the owner knows."""
        text = "Is an incident open for this, and does the owner know?"
        if self.action != EMERGENCY:
            return self.runbook.spare("incident", text, "Nothing to ask: this was no emergency stop.")
        named = incident_names(self.runbook.workspace, self.chosen) or None
        yes = Option(key="yes", label="Yes", meaning="name it in the reason", authority="emergency", supported=named)
        no = Option(key="no", label="Not yet", meaning="do it now", status=FAIL, authority="emergency")
        return self.runbook.ask("incident", text, (yes, no), reason=True)

    def save(self) -> Table:
        """Keep a copy of the logs, and of the stopped runs' records and journals, before anything else touches them."""
        title = "Save logs, records and journals"
        if self.action == SHOW:
            return Table(title, (), [], empty="Nothing was stopped, so nothing was saved.")
        return self.runbook.act("saved", title, lambda: save_traces(self.runbook, self.chosen))

    def saved(self) -> tuple[Path, ...]:
        """Return the files that this execution leaves."""
        path = _archive(self.runbook)
        return (path,) if path.is_file() else ()


def stop_runs(runbook: Runbook, action: str, run_id: str, reason: str, deadline_s: float) -> StopStep:
    """End runs as a step, once; with the action ``show`` nothing is touched.

    Args:
        runbook: which notes it.
        action: ``show``, ``stop`` (ask, wait, then kill what did not obey) or ``emergency`` (kill at once).
        run_id: of one run, or ``all``.
        reason: why; it stands in the records.
        deadline_s: how long a run may take to obey [s].

    Raises:
        ConfigError: no reason.
        SessionNotFoundError: there is no such run.
    """
    workspace = runbook.workspace
    rows = fleet_to_stop(workspace).active() if run_id == ALL else [Views.of(workspace).run(run_id)]
    if action == SHOW:
        empty = "Nothing was touched. Set action to stop (or emergency), give a reason, and run the notebook again."
        return StopStep(runbook, action, _ended_lately(workspace), Table("End it", (), [], empty=empty))
    if not reason.strip():
        raise ConfigError(f"action = {action!r} needs a reason: it stands in the record of every session it ends")
    if action == EMERGENCY and not runbook.round.record.step("asked_first"):
        runbook.check(
            "asked_first",
            "Was the normal way tried first?",
            [asked_first(Stopped(workspace, tuple(row.run_id for row in rows)))],
        )
    title = "End all runs, at once" if action == EMERGENCY else "Ask the runs to end, and wait"
    deadline = 0.0 if action == EMERGENCY else deadline_s
    force = action == EMERGENCY
    said = runbook.round.act(
        _step_id(runbook, action, rows), title, lambda: _end(runbook, rows, reason, deadline, force=force)
    )
    chosen = sorted({*(row.run_id for row in rows), *_asked(runbook)})
    return StopStep(runbook, action, chosen, _ended_table(workspace, chosen, said.result))


def save_traces(runbook: Runbook, chosen: Iterable[str]) -> str:
    """Pack logs, records and journals into one archive under the evidence's id, and return where it is.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    workspace, path = runbook.workspace, _archive(runbook)
    files = sorted((workspace.home / "logs").glob("*.log"))
    for run_id in chosen:
        entry = Registry.of(workspace).find(run_id)
        files += [entry.path] if entry and entry.path.is_file() else []
        folder = RunFolder(workspace.runs, run_id)
        files += [one for one in (folder.journal, folder.path / "meta.json", folder.console) if one.is_file()]
    packed = BytesIO()
    try:
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for file in files:
                archive.add(file, _name(workspace, file))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, packed.getvalue())
    except OSError as error:
        raise EnvironmentFault(f"cannot save to {path}: {error.strerror or error}; copy logs/ by hand") from error
    return f"{len(files)} files in {path.relative_to(workspace.home).as_posix()}, sha256 {sha256_of(path)[:12]}"


def _end(runbook: Runbook, rows: Sequence[RunRow], reason: str, deadline_s: float, *, force: bool) -> str:
    """End runs and return what became of each, in a sentence that begins with its id."""
    if not rows:
        return "Nothing ran."
    by = runbook.round.record.operator
    done = fleet_to_stop(runbook.workspace).stop(rows, by=by, reason=reason, deadline_s=deadline_s, force=force)
    return "; ".join(f"{one.run_id}: {one.outcome}, {one.message} ({one.seconds:g} s)" for one in done)


def _step_id(runbook: Runbook, action: str, rows: Sequence[RunRow]) -> str:
    """Return the id of the step that ends runs: a new one while something still lives that an earlier one left alive."""
    done = [step for step in runbook.round.record.steps if step.id.partition("_")[0] == action and step.ended_at]
    alive = any(row.alive for row in rows)
    return f"{action}_{len(done) + 1}" if done and alive else done[-1].id if done else action


def _ended_table(workspace: Workspace, chosen: Sequence[str], said: str) -> Table:
    """Return what became of each run: its process, its record and why it ended."""
    rows = []
    for row in (Views.of(workspace).run(run_id) for run_id in chosen):
        entry = Registry.of(workspace).find(row.run_id)
        why = (entry.record.error if entry and entry.record else None) or wording.NOTHING
        process = Cell("✕ lives", TONE_OF["fail"]) if row.alive else Cell("✓ gone", TONE_OF["pass"])
        rows.append((row.run_id, process, row.state, why))
    return Table("What became of them", ("Run", "Process", "Record", "Why"), rows, note=said, empty=said)


def _asked(runbook: Runbook) -> list[str]:
    """Return the runs that this execution asked to end, also before it was interrupted."""
    workspace, record = runbook.workspace, runbook.round.record
    asked = {
        row.run_id: RunFolder(workspace.runs, row.run_id).stop_request() for row in Views.of(workspace).runs(_MOST)
    }
    return [
        run_id
        for run_id, told in asked.items()
        if told and told.by == record.operator and told.at and told.at >= record.began_at
    ]


def _ended_lately(workspace: Workspace) -> list[str]:
    since = Views.of(workspace).now() - LOOK_BACK
    return [
        row.run_id
        for row in Views.of(workspace).runs(_MOST)
        if not row.alive and row.ended_at and row.ended_at >= since
    ]


def _archive(runbook: Runbook) -> Path:
    return runbook.workspace.home / SAVED / f"{runbook.round.id}.tar.gz"


def _name(workspace: Workspace, file: Path) -> str:
    return file.relative_to(workspace.home).as_posix() if file.is_relative_to(workspace.home) else file.name
