"""The kill switch from a runbook: how it stands, engage it, and let go of it again - by two people in two executions.

The first person's execution asks for the release, the second person's, under an own name, confirms it. One execution
never does both: a second name in a parameter is no second person. Where people have keys, one execution asks, both sign
from their own logins, and it goes on when the second signature is there.

Source: workflow overview (kill switch), operational runbooks 3.2 (tested), 3.5 (at once) and 11.2 (who decides).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ConfigError, PeaktradeError, WaitsForApproval
from peaktrade_core.base.question import FAIL, WARN, Check, Found, check, question
from peaktrade_core.desk.contacts import contacts_table
from peaktrade_core.desk.readiness import BEFORE_RELEASE
from peaktrade_core.desk.safe_stop import running_table
from peaktrade_core.fleet.stopping import fleet_to_stop
from peaktrade_core.halts.entries import HaltEntry
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.questions import kill_switch, switch_tested
from peaktrade_core.halts.scope import GLOBAL, REFUSAL, REQUEST, STATES
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runbooks.shelf import Urgent
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line, Mark, Marks, Sign, Tone
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.runbooks.form import Waiting

STATUS, ENGAGE, RELEASE = "status", "engage", "release"
OBEY_S = 5.0  # every session looks at the switch once a second; later than this it does not obey [s]
_LOOK_S = 0.2
_HALTS = "Halts over time"
_SCOPE_TONES: tuple[Tone, ...] = ("red", "amber", "purple", "ink")  # of as many scopes as a figure tells apart
_MEANING = (
    ("ACTIVE", "released: orders pass the risk checks as usual"),
    ("REDUCING", "only orders that make a position smaller pass"),
    ("HALTED", "the same, latched: nothing opens until a person decides"),
    ("NO_ORDERS", "nothing passes, not even an order that would close a position: positions stay as they are"),
)


class KillSwitchRunbook(Runbook):
    """See how the kill switch stands, stop every session at once, or let them go again with two people."""

    def stands(self) -> Table:
        """Return how the kill switch stands, who set it, and whether a release waits for its second person."""
        return switch_table(self.workspace)

    def meaning(self) -> Table:
        """Return what each state lets through."""
        return Table("What it lets through", ("State", "For every session on this workspace"), _MEANING)

    def running(self) -> Table:
        """Return the runs whose processes live, and how to end them without a notebook."""
        return running_table(self.workspace)

    def people(self) -> Table:
        """Return who is called in an emergency."""
        return contacts_table(self.workspace)

    def fit(self) -> Table:
        """Record the health check that a release takes; for the other actions it is not asked."""
        if self.given.action != RELEASE:
            return Table("Fit to go on?", (), [], empty=f"Not asked: the action is {self.given.action}.")
        return self.check("fit", "Fit to go on?", self.workspace.ask(BEFORE_RELEASE))

    def cause(self) -> Prompt | Table:
        """Ask what must be settled before a release; for the other actions there is nothing to ask."""
        text = "Is the cause found and gone, and is it safe that sessions order again?"
        if self.given.action != RELEASE:
            return self.spare("cause", text, f"Nothing to ask: the action is {self.given.action}.")
        record = self.round.record.step("fit")
        fit = record is not None and record.status != FAIL
        yes = ev.Option(key="yes", label="Yes", meaning="say what it was", supported=fit, authority="resume")
        no = ev.Option(key="no", label="No", meaning="it stays engaged", stops=True, supported=not fit)
        return self.ask("cause", text, (yes, no) if fit else (no,), reason=True)

    def use(self) -> Table | Waiting:
        """Do what the action says, once, in the name of the operator; ``status`` touches nothing.

        Raises:
            ConfigError: no reason, or nothing to release.
            ArtefactError: the log of halts is broken, or the health check fails.
            EnvironmentFault: something could not be written; says what is in force.
        """
        action, reason = self.given.action, self.given.reason
        title = {ENGAGE: "Engage the kill switch", RELEASE: "Release the kill switch"}.get(
            action, "Use the kill switch"
        )
        if action == STATUS:
            empty = (
                "Nothing was touched: the action is status. Set it to engage or release, give a reason, run it again."
            )
            return Table(title, (), [], empty=empty)
        if not reason.strip():
            raise ConfigError(f"action = {action!r} needs a reason; it is kept in the log of halts")
        if action == ENGAGE:
            return self.act("engage", title, self._engage)
        self.round.require_answers("release")
        if not self.chose("cause", "yes"):
            return Table(title, (), [], empty="Not released: it is not confirmed that the cause is found and gone.")
        if Approvals.of(self.workspace).keyed():
            return self._release_signed(title)
        return self.act("release", title, self._release)

    def _release_signed(self, title: str) -> Table | Waiting:
        """Release it once two people have signed that; ask them first, and wait where a person looks on."""
        self.act("asked", "Ask for two signatures", self._asked)

        def go_on() -> Table:
            Approvals.of(self.workspace).require_signed(self._request())
            return self.act("release", title, self._release)

        try:
            return go_on()
        except WaitsForApproval as waits:
            if not self._waits:
                return Table(title, (), [], empty=f"Not released yet: {waits}")
            from peaktrade_core.runbooks.form import Waiting

            return Waiting(waits, lambda: go_on()._repr_html_(), Approvals.of(self.workspace))

    def _request(self) -> str:
        """Return the id of the request that waits.

        Raises:
            ApprovalError: the one that this execution made was refused, or has expired; ConfigError: it is void.
        """
        if found := KillSwitch.of(self.workspace).status().request:
            return found
        asked = self.round.record.step("asked")
        Approvals.of(self.workspace).require_signed(asked.result.partition(" ")[0] if asked else "")
        raise ConfigError(
            "no release is asked for any more: it was engaged again, or nobody signed in time; begin anew"
        )

    def _asked(self) -> str:
        switch = KillSwitch.of(self.workspace)
        found = switch.status()
        if not found.request:
            found = switch.request_release(self.round.record.operator, self.given.reason)
        return f"{found.request} asks for two signatures: `peaktrade approve {found.request}`, each from the own login"

    def obeyed(self) -> Table:
        """Record whether every running session obeys what was done."""
        if self.given.action == STATUS:
            return Table("Do the sessions obey?", (), [], empty="Nothing was changed, so there is nothing to obey.")
        return self.check("obeyed", "Do the sessions obey?", obeyed_checks(self.workspace))

    def audit(self, limit: int = 10) -> Table:
        """Return who engaged, asked, was refused and released, newest first."""
        try:
            entries = KillSwitch.of(self.workspace).audit(limit)
        except PeaktradeError as error:
            return Table("Audit", (), [], empty=str(error))
        rows = [(wording.moment(one.at), one.kind, one.by, one.state, one.reason) for one in entries]
        empty = "It was never used. Engage and release it once, as a test, before you need it."
        return Table("Audit", ("At (UTC)", "What", "By", "State after", "Reason"), rows, empty=empty)

    def timeline(self) -> Chart | Table:
        """Return what was halted and released over time, scope by scope."""
        return halts_figure(self.workspace)

    def trusted(self) -> Table:
        """Record whether the switch can be trusted, is released, and was tried lately."""
        return self.check("switch", "Can the switch be trusted?", switch_checks(self.workspace))

    def files(self) -> tuple[Path, ...]:
        """Return the files of the switch that there are: the log of halts."""
        path = TradingStates.of(self.workspace).log.path
        return (path,) if path.is_file() else ()

    def _engage(self) -> str:
        by, state = self.round.record.operator, self.given.mode.upper().replace("-", "_")
        now = KillSwitch.of(self.workspace).engage(by, self.given.reason, state)
        return f"{now.state} for every session since {wording.moment(now.since)} UTC, by {now.by}: {now.reason}"

    def _release(self) -> str:
        """Ask for the release, or confirm what another person has asked for."""
        switch, by, reason = KillSwitch.of(self.workspace), self.round.record.operator, self.given.reason
        if switch.status().requested_by is None:
            now = switch.request_release(by, reason)
            until = wording.moment(now.confirm_until)
            return f"Not released yet: {by} has asked. A second person runs this notebook, under an own name, until {until} UTC."
        now = switch.release(by, reason, lambda: self.workspace.ask(BEFORE_RELEASE))
        return f"Released by {now.by}: {now.reason}"


def _engage_now(workspace: Workspace, operator: str, reason: str) -> str:
    """Engage the switch at once, for a person who has no time for the steps.

    Raises:
        ConfigError: no reason.
        EnvironmentFault: it could not be written; says that it is not engaged.
    """
    if not reason.strip():
        raise ConfigError("say why, in a word or two; it is kept in the log of halts")
    now = KillSwitch.of(workspace).engage(operator.strip() or login(), reason)
    return (
        f"{now.state} for every session since {wording.moment(now.since)} UTC, by {now.by}. Go on with the steps below."
    )


ENGAGE_NOW = Urgent(
    "Stop every session now",
    "Engages the kill switch: no order passes any more. Positions stay as they are; two people release it.",
    _engage_now,
)


def switch_table(workspace: Workspace) -> Table:
    """Return how the kill switch stands, who set it, and whether a release waits for its second person."""
    now = KillSwitch.of(workspace).status()
    rows: list[tuple[str, Cell | str]] = [
        ("State", Cell(f"✕ {now.state}, engaged", BAD) if now.engaged else Cell("✓ released", GOOD)),
        ("Set by", now.by or "no one yet"),
        ("Because", now.reason or wording.NOTHING),
        ("Since (UTC)", wording.moment(now.since)),
    ]
    if now.requested_by and now.confirm_until:
        until = wording.moment(now.confirm_until)
        how = f"both sign {now.request}" if now.request else "a second person confirms"
        rows.append(("Release", Cell(f"▲ {now.requested_by} asked; {how} until {until} UTC", MID)))
    if now.fault:
        rows.append(("Fault", Cell(now.fault, BAD)))
    return Table("The kill switch", ("", ""), rows)


def halts_figure(workspace: Workspace) -> Chart | Table:
    """Return the trading states of every scope that was ever named, over time, with who set them and why."""
    known, now = TradingStates.of(workspace).log.look(), workspace.clock.now()
    entries = [*known.entries, *known.waiting]
    if known.fault or not entries:
        return Table(_HALTS, (), [], empty=known.fault or "Nothing was ever halted.")
    first = min(one.at for one in entries)
    begin = first - max((now - first) / 20, timedelta(minutes=1))
    scopes = list(dict.fromkeys((GLOBAL.text, *(one.scope for one in reversed(entries)))))[: len(_SCOPE_TONES)]
    lines = [
        _states_of(scope, [one for one in entries if one.scope == scope], begin, now)._replace(tone=tone)
        for scope, tone in zip(scopes, _SCOPE_TONES, strict=False)
    ]
    kinds: tuple[tuple[str, Sign, Tone, tuple[str, ...]], ...] = (
        ("halted", "square", "red", (ENGAGE, "halt")),
        ("release asked for or refused", "diamond", "amber", (REQUEST, REFUSAL)),
        ("let go", "up", "green", ("release", "resume")),
    )
    marks = [
        Marks(name, sign, tone, [_done(one) for one in entries if one.kind in its]) for name, sign, tone, its in kinds
    ]
    return Chart(
        name="halts",
        title=_HALTS,
        label=f"{wording.many(len(entries), 'entry', 'entries')} of the log since {wording.minute(first)} UTC; "
        + "; ".join(f"{line.name} {STATES[int(line.values[-1])]}" for line in lines),
        lines=lines,
        marks=[kind for kind in marks if kind.marks],
        lanes=STATES,
        ends=(begin, now + (now - begin) / 40),  # what was done just now is not cut at the edge
    )


def _states_of(scope: str, entries: Sequence[HaltEntry], begin: datetime, now: datetime) -> Line:
    """Return the states of a scope as steps."""
    values = [0.0, *(float(STATES.index(one.state)) for one in entries)]
    return Line(scope, [begin, *(one.at for one in entries), now], [*values, values[-1]], "ink", 2.0, stepped=True)


def _done(one: HaltEntry) -> Mark:
    return Mark(one.at, float(STATES.index(one.state)), f"{one.scope} {one.kind} by {one.by}: {one.reason}")


def switch_checks(workspace: Workspace) -> list[Check]:
    """Return whether the switch can be trusted, is released, and was tried lately."""
    return workspace.ask((kill_switch, released, replace(switch_tested, otherwise=WARN)))


@question(
    "released",
    "May sessions order?",
    "Find the cause. Then two people run this notebook with the action release, one after the other.",
    otherwise=WARN,
)
def released(workspace: Workspace) -> Found:
    """Ask the kill switch."""
    now = KillSwitch.of(workspace).status()
    return not now.engaged, f"{now.state} by {now.by}: {now.reason}" if now.engaged else "released"


def obeyed_checks(workspace: Workspace, *, patience_s: float = OBEY_S) -> list[Check]:
    """Return whether every running session reports a state as strict as the switch's.

    Args:
        workspace: whose sessions; patience_s: how long they may take [s].
    """
    state, end = TradingStates.of(workspace).read(GLOBAL).state, time.monotonic() + patience_s
    while (late := _late(workspace, state)) and time.monotonic() < end:
        time.sleep(_LOOK_S)
    active = fleet_to_stop(workspace).active()
    told = "; ".join(late[:5]) or (f"{len(active)} run, each under {state}" if active else f"none runs; {state} holds")
    step = "End them with the runbook safe_stop, now; then find out why they did not look."
    return [check("obeyed", f"Is every running session under {state}?", not late, told, step)]


def _late(workspace: Workspace, state: str) -> list[str]:
    """Return the running sessions that do not report the state, or a stricter one, yet."""
    rows = fleet_to_stop(workspace).active()
    level = {row.run_id: row.trading_state if row.trading_state in STATES else "ACTIVE" for row in rows}
    wrong = [row for row in rows if STATES.index(str(level[row.run_id])) < STATES.index(state)]
    return [f"{row.run_id} reports {row.trading_state or 'nothing'}" for row in wrong]
