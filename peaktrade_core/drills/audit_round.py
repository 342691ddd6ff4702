"""A round of the audit: what the ledger holds, who signs, what waits, how the controls stand, what speaks against the lock.

Source: phase 83 §6, runbook 11.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import WARN, Found, question
from peaktrade_core.control.audit.anchor import stamped
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.control.live_lock import lock_checks
from peaktrade_core.drills.controls import CONTROLS, Controls, controls_told, covered_controls
from peaktrade_core.drills.figures import controls_shown
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.questions import people_keys, people_named, people_ssh, signatures
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.schedule.job_log import RunLog
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

_NEWEST = 10  # time stamps that are shown


def _last(place: Workspace, job: str) -> Found:
    """Return how the last run of a job ended."""
    runs = RunLog(place.reports / "schedule", place.clock).history().runs(job)
    if not runs:
        return WARN, "it never ran here"
    last = runs[-1]
    told = f"{last.status} {wording.minute(last.start.at)} UTC"
    return last.status == "completed", f"{told}: {last.end.message}" if last.end else told


@question("last_audit", "Did the last daily audit of the ledger go well?", "`peaktrade schedule run-now audit_verify`")
def last_audit(place: Workspace) -> Found:
    """Look at the last run of ``audit_verify``."""
    return _last(place, "audit_verify")


@question(
    "last_diff", "Were the sessions of the last day without a rest?", "`peaktrade session diff --all`, then `replay`"
)
def last_diff(place: Workspace) -> Found:
    """Look at the last run of ``session_diff``."""
    return _last(place, "session_diff")


class AuditRound(Runbook):
    """Go through everything that an auditor asks; another person countersigns what came out."""

    @cached_property
    def found(self) -> Controls:
        """How the controls stand."""
        return covered_controls(self.workspace, self.given.days)

    def ledger(self) -> Table:
        """Record whether everything is as the ledger says."""
        return self.check("ledger", "Is everything as the ledger says?", everything(self.workspace))

    def explained(self) -> Prompt | Table:
        """Ask whether what is not good is explained."""
        return self.confirm(
            "explained", "Is everything above that is not ✓ explained in an incident or a note?", about="ledger"
        )

    def lock(self) -> Table:
        """Record what speaks against the lock of live."""
        return self.check("lock", "Does anything speak against the lock of live?", lock_checks(self.workspace))

    def people(self) -> Table:
        """Record who decides, and whether it can be signed."""
        checks = self.workspace.ask((people_named, people_keys, people_ssh, signatures))
        return self.check("people", "Who decides, and can it be signed?", checks)

    def requests(self) -> Table:
        """Return the requests that wait or are approved and not used."""
        try:
            waits = [one for one in Approvals.of(self.workspace).all() if one.state in ("waits", "approved")]
        except PeaktradeError as error:
            return Table("Requests", (), [], empty=str(error))
        rows = [
            (one.id, one.asked.kind, one.state, one.asked.by, wording.moment(one.asked.until), one.lacks)
            for one in waits
        ]
        return Table(
            "Requests", ("Id", "What", "State", "Asked by", "Until (UTC)", "Still to sign"), rows, empty="None waits."
        )

    def decided(self) -> Prompt | Table:
        """Ask whether what waits may wait."""
        return self.confirm("decided", "Does each request above wait for a good reason?")

    def jobs(self) -> Table:
        """Record how the last proofs of the scheduler ended."""
        return self.check("jobs", "Did the last proofs go well?", self.workspace.ask((last_audit, last_diff)))

    def controls(self) -> Table:
        """Return how the 29 controls stand, and record it."""
        told = controls_told(self.found)
        self.act("controls", "See how the controls stand", lambda: told)
        return CONTROLS.table(told, self.found.rows)

    def figure(self) -> Chart | Table:
        """Return when the controls were exercised last."""
        return controls_shown(self.found)

    def gaps_owned(self) -> Prompt:
        """Ask whether somebody owns each gap."""
        text = (
            "Does each control that was not exercised lately, or is not here, have an owner? Say who, and until when."
        )
        return self.ask("gaps_owned", text, reason=True)

    def stamps(self) -> Table:
        """Return the newest time stamps, with the head as it is now."""
        head = chain_heads(self.workspace.home).get("ledger", "none")
        found = list(stamped(Ledger.of(self.workspace)))[: -_NEWEST - 1 : -1]
        rows = [(one.id, wording.moment(one.at), one.entry, one.head[:16], one.url) for one in found]
        columns = ("Time stamp", "At (UTC)", "Entry", "Head", "By")
        return Table(
            "Time stamps", columns, rows, empty="None: `peaktrade audit anchor`.", note=f"The head now is {head}."
        )

    def head_kept(self) -> Prompt:
        """Ask where the head is kept outside of this machine."""
        return self.ask("head_kept", "Is the head of the ledger kept outside of this machine? Say where.", reason=True)

    def countersign(self) -> Table:
        """Return how another person countersigns the record."""
        command = f"`peaktrade evidence countersign {self.round.id} --by NAME`"
        return Table(
            "Another person countersigns", ("", ""), [("Command", command), ("Made by", self.round.record.operator)]
        )

    def files(self) -> tuple[Path, ...]:
        """Return the ledger that was looked at."""
        path = Ledger.of(self.workspace).path
        return (path,) if path.is_file() else ()
