"""The yearly self-assessment: how the 29 controls stand by what a year's artefacts show, what is missing, what to do.

Source: phase 83 §6 (governance), runbook 11 (responsibility), and the yearly review that supervisors ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check, Status, check
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.drills import controls as ct
from peaktrade_core.drills.controls import CONTROLS, ControlRow, Controls, covered_controls
from peaktrade_core.drills.figures import controls_figure, controls_shown
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import countersignatures
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, needing, utc, verdict_on
from peaktrade_core.show.table import BAD, MID, TONE_OF, Cell, Table

ROUND = "audit_round"
_STATUS: dict[str, Status] = {ct.LATELY: PASS, ct.ONCE: WARN, ct.BY_TEST: WARN, ct.UNKNOWN: UNKNOWN, ct.NOT_HERE: WARN}
_FIRST_YEAR, _DAYS = 2009, 366


def year_named(text: str, now: datetime) -> int:
    """Return the year that is meant: ``this``, ``last`` or four digits.

    Raises:
        ConfigError: it is no year, or has not begun.
    """
    known = {"this": now.year, "last": now.year - 1}
    year = known.get(text, int(text) if text.isdigit() else 0)
    if not _FIRST_YEAR <= year <= now.year:
        raise ConfigError(f"year = {text!r} must be this, last, or a year from {_FIRST_YEAR} to {now.year}")
    return year


def control_checks(rows: Sequence[ControlRow]) -> list[Check]:
    """Return how each control stands as an answer; what is not here is never good."""
    return [
        check(row.control.name, row.control.title, row.stands == ct.LATELY, _told(row), _step(row),
              otherwise=_STATUS.get(row.stands, FAIL))
        for row in rows
    ]  # fmt: skip


def _told(row: ControlRow) -> str:
    """Return what is known of a control in a sentence."""
    if row.last is None:
        return f"{row.stands}: {row.control.lacks}" if row.control.lacks else row.stands
    lacks = f"; not here: {row.control.lacks}" if row.control.lacks else ""
    return f"{row.stands} {wording.minute(row.last)} UTC by {row.name} ({row.by}, {row.where}){lacks}"


def _step(row: ControlRow) -> str:
    """Return what to do about a control that was not exercised."""
    one = row.control
    if row.stands == ct.NOT_HERE:
        return f"Build it, or accept in writing that it is missing: `peaktrade evidence add --tag {one.name} --text … --by NAME`"
    if one.drills:
        return f"Practise it: `peaktrade drill run {one.drills[0]}`"
    if one.runbooks:
        return f"Step through it: `peaktrade lab {one.runbooks[0]}`"
    return "Provoke it in a rehearsal, and keep what came out as evidence"


class SelfAssessment(Notebook):
    """The self-assessment of a year as its notebook shows it."""

    @cached_property
    def year(self) -> int:
        """The year; raises as :func:`year_named`."""
        return year_named(str(self.given.year), self.workspace.clock.now())

    @cached_property
    def until(self) -> datetime:
        """The end of the year, or now while it lasts."""
        return min(datetime(self.year + 1, 1, 1, tzinfo=UTC), self.workspace.clock.now())

    @cached_property
    def found(self) -> Controls:
        """How the controls stand by the artefacts of the year."""
        since = datetime(self.year, 1, 1, tzinfo=UTC)
        return covered_controls(self.workspace, _DAYS, since=since, until=self.until)

    @cached_property
    def of_controls(self) -> list[Check]:
        """Each control, answered."""
        return control_checks(self.found.rows)

    @cached_property
    def of_audit(self) -> list[Check]:
        """Whether it was audited, and whether what the ledger holds is as it was entered."""
        signed = [(one.evidence_id, self._signers(one.evidence_id)) for one in self._rounds]
        both = [f"{name} ({', '.join(who)})" for name, who in signed if who]
        alone = [name for name, who in signed if not who]
        told = ", ".join(both) or (f"{', '.join(alone)} by one person only" if alone else "none")
        step = f"`peaktrade lab {ROUND}`, then another person: `peaktrade evidence countersign ID --by NAME`"
        rounds = check("audit_round", f"Was a round of the audit of {self.year} countersigned?", bool(both), told, step)
        wrong = [one for one in everything(self.workspace) if one.status == FAIL]
        named = "; ".join(f"{one.id}: {one.evidence}" for one in wrong) or "everything is as it was entered"
        return [rounds, check("ledger", "Does the ledger hold?", not wrong, named, "`peaktrade audit verify`")]

    @cached_property
    def _rounds(self) -> list[Evidence]:
        rounds = (one for one in EvidenceBook.of(self.workspace).newest() if one.runbook == ROUND)
        return [one for one in rounds if one.ended_at and one.began_at.year == self.year and not one.rehearsal]

    def _signers(self, evidence_id: str) -> list[str]:
        return [one.told for one in countersignatures(EvidenceBook.of(self.workspace), evidence_id)]

    def cover(self) -> Cover:
        """Return the year at a glance, the verdict first."""
        checks = [*self.of_audit, *self.of_controls]
        verdict, told = verdict_on(checks)
        found = self.found
        return Cover(
            subject=f"Self-assessment {self.year}",
            whose=f"{len(found.rows)} controls, {len(self._rounds)} rounds of the audit",
            when=f"as of {utc(self.until)}",
            verdict=verdict,
            why=told,
            figures=(
                ("Exercised", Cell(f"{found.count(ct.LATELY)} of {len(found.rows)}")),
                ("Only by test", Cell(f"{found.count(ct.BY_TEST)}", MID)),
                ("Not here", Cell(f"{found.count(ct.NOT_HERE)}", BAD)),
            ),
            chart=controls_figure(found),
            needs=needing(checks),
            links=(("Each control:", Cell("`peaktrade drill coverage --controls`")),),
        )

    def audit(self) -> Table:
        """Return whether the year was audited."""
        return check_table(self.of_audit, "Was it audited, and does the ledger hold?")

    def controls(self) -> Table:
        """Return how each control stands."""
        return CONTROLS.table("Controls", self.found.rows, names="control stands last by lacks")

    def figure(self) -> Chart | Table:
        """Return when the controls were exercised last."""
        return controls_shown(self.found)

    def gaps(self) -> Table:
        """Return what is missing and what to do."""
        rows = [
            (
                one.question,
                Cell(wording.MARKS[one.status], TONE_OF[one.status]),
                one.evidence,
                Cell(one.next_step, code=True),
            )
            for one in needing(self.of_controls)
        ]
        return Table(
            "Gaps and what to do", ("Control", "Answer", "Evidence", "What to do"), rows, empty="There is no gap."
        )
