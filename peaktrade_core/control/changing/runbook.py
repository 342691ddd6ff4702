"""A change from a runbook: proposed or taken up, read, approved by who must, applied and compared with what stands there.

Where people have keys it waits for the second signature and goes on when that arrives, as the release of the kill switch.

Source: operational runbooks 11.2 (a change of limits takes risk officer and owner, a commit and a reason).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from peaktrade_core.base.errors import LATEST, ConfigError, WaitsForApproval
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import Change
from peaktrade_core.changes.keys import LOOSER, TIGHTER
from peaktrade_core.changes.questions import governed
from peaktrade_core.control.changing.propose import propose
from peaktrade_core.control.changing.told import ITEMS, next_step, state_table
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.runbooks.form import Waiting

_APPLY = "Put it into force"


class ChangeRunbook(Runbook):
    """Propose a change or take one up, see what it loosens, wait for who must agree, apply it, and verify."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the change that is named; empty for one that is proposed now."""
        del workspace
        return "" if given.change == LATEST else str(given.change)

    def stands(self) -> Table:
        """Record whether everything is as it was approved, before anything is changed."""
        return self.check("before", "Is everything as it was approved?", self.workspace.ask((governed,)))

    def proposed(self) -> Table:
        """Propose what the parameters say, or take up the change that they name, once.

        Raises:
            ConfigError: nothing is to change, or what is proposed is not sound; says what to do.
        """
        return self.act("proposed", "The change", self._proposed)

    def diff(self) -> Table:
        """Return each key of the change: what was approved, what it becomes, and whether that is tighter or looser."""
        change = self.change
        return ITEMS.table("Keys", change.proposal.items, note=f"Together: {change.proposal.ruling.direction}.")

    def stands_now(self) -> Table:
        """Return what speaks for the change, who agreed, who still must."""
        return state_table(self.change)

    def read(self) -> Prompt:
        """Ask whether the diff was read and is what is wanted; a no ends the runbook and leaves the change as it is."""
        return self.ask_must("read", "Is every key above as it is meant, and is it understood what it lets through?")

    def when(self) -> Prompt | Table:
        """Ask whether a change that only becomes tighter comes at once; every other one takes its approval first."""
        text = "Put it into force now, and have it approved within 24 h?"
        if self.change.proposal.ruling.direction != TIGHTER:
            return self.spare("when", text, "Nothing to ask: it is not only tighter, so it is approved first.")
        now = ev.Option(key="now", label="Now", meaning="two people approve it within 24 h")
        wait = ev.Option(key="wait", label="Wait", meaning="once it is approved")
        return self.ask("when", text, (now, wait))

    def apply(self) -> Table | Waiting:
        """Put the change into force once it may be; wait for the signatures where a person looks on.

        Raises:
            ConfigError: it is outdated, or nobody is there who decides; ApprovalError: it was refused, or takes another person.
        """
        self.round.require_answers("applied")
        if not self.chose("read", "yes"):
            return Table(_APPLY, (), [], empty="Not applied: it was not confirmed as read.")
        change = self.change
        keyed = Approvals.of(self.workspace).keyed()
        if change.proposal.ruling.direction == LOOSER and not (keyed or self._waits or self.round.record.rehearsal):
            raise ConfigError("what becomes looser is decided by two people who are there: `peaktrade lab change`")

        def go_on() -> Table:
            if keyed and not self.chose("when", "now"):
                self._require_signed()
            return self.act("applied", _APPLY, self._apply)

        try:
            return go_on()
        except WaitsForApproval as waits:
            if not self._waits:
                return Table(_APPLY, (), [], empty=f"Not applied yet: {waits}")
            from peaktrade_core.runbooks.form import Waiting

            return Waiting(waits, lambda: go_on()._repr_html_(), Approvals.of(self.workspace))

    def verified(self) -> Table:
        """Record whether everything is as it was approved now."""
        return self.check("after", "Is everything as it was approved now?", self.workspace.ask((governed,)))

    def next(self) -> Table:
        """Return what is left to do about the change."""
        return Table("What is left", (), [], empty=next_step(self.change))

    @property
    def change(self) -> Change:
        """The change as it stands now.

        Raises:
            ConfigError: none is proposed yet.
        """
        step = self.round.record.step("proposed")
        if step is None or not step.result:
            raise ConfigError("no change is proposed yet: run the cell above that proposes it")
        return Changes.of(self.workspace).find(step.result.partition(":")[0])

    def _proposed(self) -> str:
        given = self.given
        settings = [one.strip() for one in given.settings.split(";") if one.strip()]
        files = [one.strip() for one in given.files.split(";") if one.strip()]
        if settings or files or given.as_it_is:
            evidence = [one.strip() for one in given.evidence.split(";") if one.strip()]
            made = propose(
                self.workspace, settings, files, by=self.round.record.operator, reason=given.reason, evidence=evidence,
                as_it_is=given.as_it_is,
            )  # fmt: skip
            return made.proposal.subject
        if given.change != LATEST:
            return Changes.of(self.workspace).find(given.change).proposal.subject
        waiting = [one for one in Changes.of(self.workspace).all() if one.state not in ("applied", "rejected")]
        if not waiting:
            raise ConfigError(
                "no change waits: say what to change in settings, for example live_risk.max_order_notional=500"
            )
        return waiting[-1].proposal.subject

    def _require_signed(self) -> None:
        change = self.change
        if change.request is not None:
            Approvals.of(self.workspace).require_signed(change.request.id)

    def _apply(self) -> str:
        done = Changes.of(self.workspace).apply(self.change.id, self.round.record.operator)
        return f"{done.id} is {done.state}" + (
            f", by {done.people}" if done.people else "; it must be approved within 24 h"
        )


def change_choices(workspace: Workspace) -> list[Suggestion]:
    """Return the changes that wait, newest first."""
    found = [one for one in reversed(Changes.of(workspace).all()) if one.state not in ("applied", "rejected")]
    return [Suggestion(LATEST, "the newest that waits"), *(Suggestion(one.id, one.proposal.subject) for one in found)]
