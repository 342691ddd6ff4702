"""Ending sessions from a runbook: what runs, end it in the normal or the emergency way, and prove that it is over.

Source: operational runbooks 5.2 (ask, wait, verify, open orders, logs, note) and 5.3 (kill, verify, save at once).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import below, sha256_of, write_atomic
from peaktrade_core.base.question import FAIL
from peaktrade_core.desk.contacts import contacts_table
from peaktrade_core.fleet.closing import close_each
from peaktrade_core.fleet.stopping import (
    StoppedRuns,
    asked_first,
    fleet_to_stop,
    incident_names,
    order_checks,
    over_checks,
)
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.evidence import Option
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import LOOK_BACK, Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import TONE_OF, Cell, Table
from peaktrade_core.workspace.papers import enter_papers
from peaktrade_core.workspace.workspace import Workspace

SHOW, STOP, EMERGENCY = "show", "stop", "emergency"
ALL = "all"
SAVED = Path("reports") / "archive" / "stops"
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
            wording.money(row.equity, row.currency, code=False),
        )
        for row in fleet_to_stop(workspace).active()
    ]
    columns = ("Run", "Mode", "What", "State", "Since (UTC)", "Bars", "Equity")
    note = (
        "From a terminal: `peaktrade fleet stop --all`, and what does not obey: `peaktrade fleet stop --all --force`; "
        "--close also closes what they leave open."
    )
    empty = "Nothing runs: no process of a session lives on this machine."
    return Table("What runs", columns, rows, numbers=(5, 6), note=Cell(note, code=True), empty=empty)


class SafeStopRunbook(Runbook):
    """End sessions in the normal or the emergency way, and prove that it is over.

    Attributes:
        chosen: the ids of the runs that it is about.
    """

    chosen: tuple[str, ...] = ()

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the run that is named, or ``all``."""
        del workspace
        return str(given.run_id)

    def running(self) -> Table:
        """Return the runs whose processes live, and how to end them without a notebook."""
        return running_table(self.workspace)

    def people(self) -> Table:
        """Return who is called in an emergency."""
        return contacts_table(self.workspace)

    def stop(self) -> Table:
        """End runs as a step, once; with the action ``show`` nothing is touched.

        Raises:
            ConfigError: no reason.
            SessionNotFoundError: there is no such run.
        """
        workspace, action, run_id = self.workspace, self.given.action, self.given.run_id
        rows = fleet_to_stop(workspace).active() if run_id == ALL else [Views.of(workspace).run(run_id)]
        if action == SHOW:
            self.chosen = tuple(_ended_lately(workspace))
            empty = "Nothing was touched. Set action to stop (or emergency), give a reason, and run the notebook again."
            return Table("End it", (), [], empty=empty)
        if not self.given.reason.strip():
            raise ConfigError(f"action = {action!r} needs a reason: it stands in the record of every session it ends")
        force = action == EMERGENCY
        ids = tuple(row.run_id for row in rows)
        if force and not self.round.record.step("asked_first"):
            self.check("asked_first", "Was the normal way tried first?", [asked_first(StoppedRuns(workspace, ids))])
        title = "End all runs, at once, and close what they leave open" if force else "Ask the runs to end, and wait"
        said = self.round.act(self._step_id(rows), title, lambda: self._end(rows, force=force))
        self.chosen = tuple(sorted({*ids, *self._asked()}))
        return _ended_table(workspace, self.chosen, said.result)

    def over(self) -> Table:
        """Record whether it is over: processes, records, journals, restarts; of ``show``, for what ended by itself."""
        shown = self.given.action == SHOW
        title = "Did what ended in the last 24 hours end in good order?" if shown else "Is it over?"
        checks = over_checks(self.workspace, self.chosen)
        return self.check("verified", title, [one for one in checks if not (shown and one.id == "others")])

    def orders(self) -> Table:
        """Record what is open: in our journals and at the venue."""
        return self.check("open_orders", "Is an order open?", order_checks(self.workspace, self.chosen))

    def orders_looked_at(self) -> Prompt | Table:
        """Ask whether a person looked at the venue's own page."""
        text = "Did you look at the open orders on the venue's own page, and is none ours?"
        return self.confirm("orders_looked_at", text, about="open_orders")

    def incident(self) -> Prompt | Table:
        """Ask for the incident that an emergency stop must have, and whether the owner knows."""
        text = "Is an incident open for this, and does the owner know?"
        if self.given.action != EMERGENCY:
            return self.spare("incident", text, "Nothing to ask: this was no emergency stop.")
        named = incident_names(self.workspace, self.chosen) or None
        yes = Option(key="yes", label="Yes", meaning="name it in the reason", authority="emergency", supported=named)
        no = Option(key="no", label="Not yet", meaning="do it now", status=FAIL, authority="emergency")
        return self.ask("incident", text, (yes, no), reason=True)

    def save(self) -> Table:
        """Keep a copy of the logs, and of the stopped runs' records and journals, before anything else touches them."""
        title = "Save logs, records and journals"
        if self.given.action == SHOW:
            return Table(title, (), [], empty="Nothing was stopped, so nothing was saved.")
        return self.act("saved", title, lambda: save_traces(self, self.chosen))

    def files(self) -> tuple[Path, ...]:
        """Return the archive that this execution leaves, once it does."""
        path = _archive(self)
        return (path,) if path.is_file() else ()

    def _end(self, rows: Sequence[Run], *, force: bool) -> str:
        """End runs and return what became of each, in a sentence that begins with its id."""
        if not rows:
            return "Nothing ran."
        by, wait = self.round.record.operator, 0.0 if force else self.given.deadline_s
        fleet = fleet_to_stop(self.workspace)
        done = fleet.stop(rows, by=by, reason=self.given.reason, deadline_s=wait, force=force)
        ended = close_each(self.workspace, done, by=by) if force else done
        return "; ".join(
            f"{one.run_id}: {one.outcome}, {one.message} ({one.seconds:g} s)"
            + (f", {one.closed}" if one.closed else "")
            for one in ended
        )

    def _step_id(self, rows: Sequence[Run]) -> str:
        """Return the id of the step that ends runs: a new one while what an earlier one left alive still lives."""
        action = self.given.action
        done = [step for step in self.round.record.steps if step.id.partition("_")[0] == action and step.ended_at]
        alive = any(row.alive for row in rows)
        return f"{action}_{len(done) + 1}" if done and alive else done[-1].id if done else action

    def _asked(self) -> list[str]:
        """Return the runs that this execution asked to end, also before it was interrupted."""
        workspace, record = self.workspace, self.round.record
        asked = {
            row.run_id: RunFolder(workspace.runs, row.run_id).stop_request() for row in Views.of(workspace).runs(_MOST)
        }
        return [
            run_id
            for run_id, told in asked.items()
            if told and told.by == record.operator and told.at and told.at >= record.began_at
        ]


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
                archive.add(file, below(workspace.home, file))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, packed.getvalue())
        enter_papers(workspace, path)
    except OSError as error:
        raise EnvironmentFault(f"cannot save to {path}: {why(error)}; copy logs/ by hand") from error
    return f"{wording.many(len(files), 'file')} in {path.relative_to(workspace.home).as_posix()}, sha256 {sha256_of(path)[:12]}"


def _ended_table(workspace: Workspace, chosen: Sequence[str], said: str) -> Table:
    """Return what became of each run: its process, its record and why it ended."""
    rows = []
    for row in (Views.of(workspace).run(run_id) for run_id in chosen):
        entry = Registry.of(workspace).find(row.run_id)
        fault = (entry.record.error if entry and entry.record else None) or wording.NOTHING
        process = Cell("✕ lives", TONE_OF["fail"]) if row.alive else Cell("✓ gone", TONE_OF["pass"])
        rows.append((row.run_id, process, row.state, fault))
    return Table("What became of them", ("Run", "Process", "Record", "Why"), rows, note=said, empty=said)


def _ended_lately(workspace: Workspace) -> list[str]:
    since = Views.of(workspace).now() - LOOK_BACK
    return [
        row.run_id
        for row in Views.of(workspace).runs(_MOST)
        if not row.alive and row.ended_at and row.ended_at >= since
    ]


def _archive(runbook: Runbook) -> Path:
    return runbook.workspace.home / SAVED / f"{runbook.round.id}.tar.gz"
