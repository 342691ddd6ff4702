"""The kill switch: one person stops every session at once, two different people let them go again.

Stopping asks nobody. Letting go takes the signatures of two where people have keys (:mod:`peaktrade_core.people`); else two
names that were typed, which is said to be not verified.

It is the trading state of the scope ``global``: it stands in the log of halts, is obeyed by every session within a second,
and counts as engaged when the log cannot be trusted. Each change is decided under the log's lock, on what the log says
then; whatever else happens at the same moment, an engagement wins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from peaktrade_core.base.chain import Entry
from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, ConfigError, PeaktradeError
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.question import FAIL, PASS, Check
from peaktrade_core.base.sealed import with_ending
from peaktrade_core.base.text import said
from peaktrade_core.halts.entries import GO_ON, HaltEntry, Known
from peaktrade_core.halts.scope import ENGAGE, GLOBAL, REFUSAL, RELEASE, REQUEST, STATES, TradingState
from peaktrade_core.halts.states import TradingStates, bound
from peaktrade_core.people.approval import Approval
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.settings import Releasing
from peaktrade_core.workspace.workspace import Workspace

KILL_SWITCH = "kill_switch"  # the authority


class KillSwitchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the kill switch stands.

    Attributes:
        state: in force for every session; engaged: whether it is anything but ACTIVE.
        by, reason, since: who set it, why and when.
        requested_by, confirm_until: who asked for the release, and until when a second person may confirm.
        request: the id of what both sign, empty where nobody has a key.
        fault: what is wrong with its files, empty when nothing is; it is then engaged.
    """

    state: str
    engaged: bool
    by: str
    reason: str
    since: datetime | None
    requested_by: str | None
    confirm_until: datetime | None
    request: str
    entries: int
    fault: str


class KillSwitch:
    """The kill switch of a workspace.

    Args (of the constructor):
        states: the trading states, whose log it is in.
        clock: when; releasing: the rules of a release.
        approvals: what two people signed; None where nobody has a key.
    """

    def __init__(
        self,
        states: TradingStates,
        clock: Clock,
        releasing: Callable[[], Releasing],
        approvals: Approvals | None = None,
    ) -> None:
        self._states, self._clock, self._releasing, self._approvals = states, clock, releasing, approvals

    @classmethod
    def of(cls, workspace: Workspace) -> KillSwitch:
        """Return the kill switch of a workspace, opened once."""
        states = TradingStates.of(workspace)
        approvals = Approvals.of(workspace)
        return workspace.once(
            cls, lambda: cls(states, workspace.clock, lambda: workspace.config.kill_switch, approvals)
        )

    def status(self) -> KillSwitchStatus:
        """Return how it stands; it never raises."""
        known = self._states.look()
        state = known.state(GLOBAL.text)
        request = None if known.fault else self._request(known, self._clock.now())
        within = timedelta(seconds=self._releasing().confirm_within_s) if request else timedelta()
        return KillSwitchStatus(
            state=state.state,
            engaged=state.state != "ACTIVE",
            by=state.by,
            reason=state.reason,
            since=state.since,
            requested_by=request.by if request else None,
            confirm_until=request.at + within if request else None,
            request=request.request if request else "",
            entries=len(known.of_switch()),
            fault=known.doubt,
        )

    def engage(self, by: str, reason: str, state: str = "NO_ORDERS") -> KillSwitchStatus:
        """Stop everything, at once. What is stopped more strictly already stays so; a pending release is void.

        Args:
            by: one person, or a trigger; reason: why.
            state: ``NO_ORDERS``, or ``HALTED`` or ``REDUCING``, which let reducing orders pass.

        Raises:
            ConfigError: no name, no reason, or no such state.
            EnvironmentFault: something could not be written; says what, whether it is engaged all the same and, where it
                is not, who was told instead.
        """
        by, reason = _words(by, reason)
        if state not in STATES[1:]:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES[1:])}")
        self._states.stop(GLOBAL, state, by=by, reason=reason, now=self._clock.now())
        return self.status()

    def request_release(self, by: str, reason: str) -> KillSwitchStatus:
        """Ask for the release, as the first of two people; where people have keys, both then sign that.

        Raises:
            ConfigError: no name, no reason, or nothing to release; people.toml is not sound.
            ArtefactError: the log is broken; says what to do.
            EnvironmentFault: the log cannot be written, or another process holds its lock for long.
        """
        by, reason = _who(by, reason)
        now = self._clock.now()
        self._trusted()
        state = _engaged(self._states.log.look())
        signed = self._ask(state, by, reason)
        self._states.log.decide(
            lambda known: [_entry(REQUEST, by, reason, state=_engaged(known).state, **signed)],
            now,
        )
        self._states.note(f"kill-switch release requested by {by}: {reason}", now)
        return self.status()

    def release(self, by: str, reason: str, health: Callable[[], list[Check]]) -> KillSwitchStatus:
        """Release it, as the second of two people or once both have signed, after a health check.

        What was asked for is looked at again after the health check, which takes its time: what came between, an
        engagement, a release or another request, forbids the release.

        Args:
            by, reason: who confirms, and why it is safe again.
            health: answers whether everything is fit to go on; a check that fails forbids the release.

        Raises:
            ConfigError: no name, no reason, nothing to release, nobody asked in time, the same person did, or something
                came between.
            ApprovalError: not everybody has signed, or the request was refused or has expired.
            ArtefactError: the log is broken, or a health check failed; says what to do.
            EnvironmentFault: something cannot be written, or another process holds the lock for long; it then stays engaged.
        """
        by, reason = _who(by, reason)
        self._trusted()
        request = self._confirmed_by(by, reason)
        if request.request and self._approvals:
            self._approvals.require_signed(request.request)
        checks = health()
        answers: dict[str, str] = {check.id: check.status for check in checks}
        failed = [f"{check.id}: {check.evidence}" for check in checks if check.status == FAIL]
        if failed:
            self._refuse(by, reason, "; ".join(failed), answers)
            raise ArtefactError(f"not released, the health check failed: {'; '.join(failed)}")
        between = self._let_go(by, reason, answers, request)
        found = self.status()
        if between or found.engaged:
            between = between or "it was engaged in the meantime"
            raise ConfigError(f"not released: {between}; `peaktrade killswitch status` shows how it stands")
        return found

    def _trusted(self) -> None:
        """Refuse to let anything go while the ledger is not what it was.

        Raises:
            ArtefactError: says why, and how to go on.
        """
        if told := self._states.look().ledger:
            raise ArtefactError(told)

    def _confirmed_by(self, by: str, reason: str) -> HaltEntry:
        """Return the request that a second person confirms."""
        known = self._states.log.look()
        _engaged(known)
        if known.fault:
            raise ArtefactError(f"{known.fault}. {GO_ON}")
        request = self._request(known, self._clock.now())
        if request is None:
            raise ConfigError(
                "nobody has asked for the release, or too long ago: a first person calls `peaktrade killswitch release`, "
                "a second one confirms"
            )
        if request.request:
            return request  # who signed is looked at, not who carries it out
        if self._approvals and self._approvals.keyed():
            raise ConfigError("people have keys now: ask for the release anew, so that two can sign it")
        if same_person(request.by, by):
            self._refuse(by, reason, f"same person as {request.by}", {})
            raise ConfigError(
                f"{by!r} cannot confirm what {request.by!r} asked for: releasing takes two different people"
            )
        return request

    def _let_go(self, by: str, reason: str, checks: dict[str, str], request: HaltEntry) -> str:
        """Release it, unless something was decided since the request was read; return what, empty when it is released."""
        now, between = self._clock.now(), ""

        def think(known: Known) -> list[Entry]:
            nonlocal between
            between = _since(known, request)
            before = known.state(GLOBAL.text)
            if between:
                return [_refusal(by, reason, between, before.state, checks)]
            people, why = self._agreed(request, by, before), f"{request.reason}; {reason}"
            after = TradingState(scope=GLOBAL.text, by=people, reason=why, since=now)
            self._states.note_change(before, after, now)  # first: nothing is let loose that cannot be noted
            return [_entry(RELEASE, people, why, state=after.state, checks=checks, request=request.request)]

        self._states.log.decide(think, now)
        if between:
            self._note_refusal(by, between, now)
        return between

    def _ask(self, state: TradingState, by: str, reason: str) -> dict[str, str]:
        """Ask for the signatures of two where people have keys, and return what the log says of it."""
        if not self._approvals or not self._approvals.keyed():
            return {}
        about = f"{state.state} since {state.since:%Y-%m-%d %H:%M:%S} UTC by {state.by}: {state.reason}"
        within = self._releasing().confirm_within_s
        made = self._approvals.ask(KILL_SWITCH, about, bound(state), by=by, reason=reason, within_s=within)
        return {"request": made.id}

    def _agreed(self, request: HaltEntry, by: str, state: TradingState) -> str:
        """Return who agreed to the release and how that is known; what was signed is used up."""
        if not request.request:
            return Approval(people=(request.by, by)).told
        assert self._approvals is not None  # who can read the request can read the signatures
        return self._approvals.use(request.request, KILL_SWITCH, bound(state), by=by).told

    def audit(self, limit: int | None = None) -> list[HaltEntry]:
        """Return the last entries of the log about the kill switch, newest first; the chain is verified.

        Raises:
            ArtefactError: it cannot be trusted; says why.
        """
        known = self._states.log.look()
        if known.fault:
            raise ArtefactError(known.fault)
        return list(reversed(known.of_switch()))[:limit]

    def verify(self) -> Check:
        """Return whether the log of halts is whole."""
        known = self._states.log.look()
        found = Check(
            id="kill_switch",
            question="Is the log of halts whole, and is it the one that was there before?",
            status=FAIL if known.fault else PASS,
            evidence=known.fault
            or f"{many(len(known.entries), 'entry', 'entries')}, each with the hash of the one before",
            next_step=GO_ON if known.fault else "",
        )
        return with_ending(found, self._states.log.chain)

    def _request(self, known: Known, now: datetime) -> HaltEntry | None:
        """Return the request that a second person may confirm: the newest, in time, and nothing was engaged since."""
        for entry in reversed(known.of_switch()):
            if entry.kind in (ENGAGE, RELEASE):
                return None
            if entry.kind == REQUEST:
                within = timedelta(seconds=self._releasing().confirm_within_s)
                return entry if timedelta() <= now - entry.at <= within and not self._refused(entry) else None
        return None

    def _refused(self, entry: HaltEntry) -> bool:
        """Return whether somebody said no to a request that is signed; where that cannot be read, nothing is let go anyway."""
        if not entry.request or not self._approvals:
            return False
        try:
            return self._approvals.find(entry.request).state == "rejected"
        except (PeaktradeError, OSError):
            return False

    def _refuse(self, by: str, reason: str, why: str, checks: dict[str, str]) -> None:
        """Note a release that was refused."""
        now = self._clock.now()
        self._states.log.decide(
            lambda known: [_refusal(by, reason, why, known.state(GLOBAL.text).state, checks)],
            now,
        )
        self._note_refusal(by, why, now)

    def _note_refusal(self, by: str, why: str, now: datetime) -> None:
        """Note it for people as well."""
        self._states.note(f"kill-switch release by {by} refused: {why}", now)


_MEANWHILE = {ENGAGE: "engaged it", REQUEST: "asked for the release anew", RELEASE: "released it"}


def _since(known: Known, request: HaltEntry) -> str:
    """Return what was decided since a request was made, empty when it still stands; a refusal decides nothing."""
    entries = known.of_switch()
    if request not in entries:
        return "the log of halts was begun anew in the meantime"
    last = next(entry for entry in reversed(entries) if entry.kind != REFUSAL)
    return "" if last == request else f"{last.by} {_MEANWHILE[last.kind]} in the meantime"


def _engaged(known: Known) -> TradingState:
    """Return the state that is to be released."""
    state = known.state(GLOBAL.text)
    if state.state == "ACTIVE":
        raise ConfigError("the kill switch is not engaged; there is nothing to release")
    return state


def _entry(kind: str, by: str, reason: str, **data: object) -> Entry:
    """Return a line of the log about the kill switch."""
    return kind, {"by": by, "reason": reason, **data}


def _refusal(by: str, reason: str, why: str, state: str, checks: dict[str, str]) -> Entry:
    """Return the line about a release that was refused."""
    return _entry(REFUSAL, by, f"{reason} - refused: {why}", state=state, checks=checks)


def _words(by: str, reason: str) -> tuple[str, str]:
    """Return a name and a reason as they are kept; any will do to stop trading, but nothing will not."""
    by, reason = said(by), said(reason)
    if not by or not reason:
        raise ConfigError("the kill switch needs a name (--by) and a reason (--reason)")
    return by, reason


def _who(by: str, reason: str) -> tuple[str, str]:
    """Return a name and a reason as they are kept; the name must tell one person from another."""
    by, reason = _words(by, reason)
    person_key(by)
    return by, reason
