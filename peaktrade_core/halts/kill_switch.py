"""The kill switch: one person stops every session at once, two different people let them go again.

It is the trading state of the scope ``global``: latched on disk, obeyed by every session within a second, and closed when
it cannot be read. What happened is in a chained audit, without whose consent nothing is released. Changes are decided one
at a time, under a lock; whatever else happens at the same moment, an engagement wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, PeaktradeError
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.question import FAIL, PASS, Check
from peaktrade_core.halts.audit import ENGAGE, REFUSAL, RELEASE, REQUEST, AuditEntry
from peaktrade_core.halts.states import GLOBAL, STATES, TradingState, TradingStates
from peaktrade_core.workspace.chain_heads import with_ending
from peaktrade_core.workspace.settings import Releasing
from peaktrade_core.workspace.workspace import Workspace

_LOCK_S = 5.0


class KillSwitchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the kill switch stands.

    Attributes:
        state: in force for every session; engaged: whether it is anything but ACTIVE.
        by, reason, since: who set it, why and when.
        requested_by, confirm_until: who asked for the release, and until when a second person may confirm.
        fault: what is wrong with its files, empty when nothing is; it is then engaged.
    """

    state: str
    engaged: bool
    by: str
    reason: str
    since: datetime | None
    requested_by: str | None
    confirm_until: datetime | None
    entries: int
    fault: str


class KillSwitch:
    """The kill switch of a workspace.

    Args (of the constructor):
        states: where the state and its audit are.
        clock: when; releasing: the rules of a release.
    """

    def __init__(
        self,
        states: TradingStates,
        clock: Clock,
        releasing: Callable[[], Releasing],
    ) -> None:
        self._states, self._clock, self._releasing = states, clock, releasing

    @classmethod
    def of(cls, workspace: Workspace) -> KillSwitch:
        """Return the kill switch of a workspace, opened once."""
        states = TradingStates.of(workspace)
        return workspace.once(cls, lambda: cls(states, workspace.clock, lambda: workspace.config.kill_switch))

    def status(self) -> KillSwitchStatus:
        """Return how it stands; it never raises."""
        state, fault, entries = self._states.read(GLOBAL), "", 0
        try:
            entries = len(self._states.audit.entries())
            request = self._request(self._clock.now())
        except PeaktradeError as error:
            fault, request = str(error), None
        if state.doubted:
            fault = fault or state.reason
        within = timedelta(seconds=self._releasing().confirm_within_s) if request else timedelta()
        return KillSwitchStatus(
            state=state.state,
            engaged=state.state != "ACTIVE",
            by=state.by,
            reason=state.reason,
            since=state.since,
            requested_by=request.by if request else None,
            confirm_until=request.at + within if request else None,
            entries=entries,
            fault=fault,
        )

    def engage(self, by: str, reason: str, state: str = "NO_ORDERS") -> KillSwitchStatus:
        """Stop everything, at once. What is stopped more strictly already stays so; a pending release is void.

        Args:
            by: one person, or a trigger; reason: why.
            state: ``NO_ORDERS``, or ``HALTED`` or ``REDUCING``, which let reducing orders pass.

        Raises:
            ConfigError: no name, no reason, or no such state.
            EnvironmentFault: it is engaged, but something could not be written; says what.
        """
        _who(by, reason)
        if state not in STATES[1:]:
            raise ConfigError(f"state {state!r} must be one of {', '.join(STATES[1:])}")
        try:
            self._states.set(GLOBAL, state, by=by, reason=reason, now=self._clock.now())
        except EnvironmentFault as error:
            raise EnvironmentFault(
                f"the kill switch is {self._states.read(GLOBAL).state} for every session, but {error}"
            ) from error
        return self.status()

    def request_release(self, by: str, reason: str) -> KillSwitchStatus:
        """Ask for the release, as the first of two people.

        Raises:
            ConfigError: no name, no reason, or nothing to release.
            ArtefactError: the audit is broken; says what to do.
            EnvironmentFault: the audit cannot be written, or another process holds the lock for long.
        """
        _who(by, reason)
        with self._alone():
            state = self._engaged()
            self._trusted()
            now = self._clock.now()
            self._states.audit.append(REQUEST, now, by=by.strip(), reason=reason.strip(), state=state.state)
            self._states.note(f"kill-switch release requested by {by.strip()}: {reason.strip()}", now)
        return self.status()

    def release(self, by: str, reason: str, health: Callable[[], list[Check]]) -> KillSwitchStatus:
        """Release it, as the second of two people, after a health check.

        What was asked for is looked at again after the health check, which takes its time: what came between, an
        engagement, a release or another request, forbids the release.

        Args:
            by, reason: who confirms, and why it is safe again.
            health: answers whether everything is fit to go on; a check that fails forbids the release.

        Raises:
            ConfigError: no name, no reason, nothing to release, nobody asked in time, the same person did, or something
                came between.
            ArtefactError: the audit is broken, or a health check failed; says what to do.
            EnvironmentFault: something cannot be written, or another process holds the lock for long; it then stays engaged.
        """
        _who(by, reason)
        with self._alone():
            over, request = self._states.said(GLOBAL), self._confirmed_by(by, reason)
        checks = health()
        answers: dict[str, str] = {check.id: check.status for check in checks}
        failed = [f"{check.id}: {check.evidence}" for check in checks if check.status == FAIL]
        if failed:
            self._refuse(by, reason, "; ".join(failed), answers)
            raise ArtefactError(f"not released, the health check failed: {'; '.join(failed)}")
        with self._alone():
            if between := self._let_go(by, reason, answers, request, over):
                self._refuse(by, reason, between, answers)
                raise ConfigError(f"not released: {between}; `peaktrade killswitch status` shows how it stands")
        return self.status()

    def _confirmed_by(self, by: str, reason: str) -> AuditEntry:
        """Return the request that a second person confirms."""
        self._engaged()
        self._trusted()
        request = self._request(self._clock.now())
        if request is None:
            raise ConfigError(
                "nobody has asked for the release, or too long ago: a first person calls `peaktrade killswitch release`, "
                "a second one confirms"
            )
        if same_person(request.by, by):
            self._refuse(by, reason, f"same person as {request.by}", {})
            raise ConfigError(
                f"{by!r} cannot confirm what {request.by!r} asked for: releasing takes two different people"
            )
        return request

    def _let_go(self, by: str, reason: str, checks: dict[str, str], request: AuditEntry, over: TradingState) -> str:
        """Release it, unless something was decided since the request was read; return what, empty when it is released."""
        entries = self._states.audit.entries()
        since = [entry for entry in entries if entry.seq > request.seq and entry.kind != REFUSAL]
        if request not in entries:
            return "its audit was begun anew in the meantime"
        if since:
            return f"{since[-1].by} {_MEANWHILE[since[-1].kind]} in the meantime"
        if self._states.said(GLOBAL) == over and self._states.release(
            by=f"{request.by} and {by.strip()}",
            reason=f"{request.reason}; {reason.strip()}",
            now=self._clock.now(),
            checks=checks,
            over=over,
            after=entries[-1].digest,
        ):
            return ""
        return "it was engaged in the meantime"

    def audit(self, limit: int | None = None) -> list[AuditEntry]:
        """Return the last entries of the audit, newest first; the chain is verified.

        Raises:
            ArtefactError: it is broken; names the line.
            EnvironmentFault: it cannot be read.
        """
        return list(reversed(self._states.audit.entries()))[:limit]

    def verify(self) -> Check:
        """Return whether audit and state are whole and agree."""
        fault = self.status().fault
        found = Check(
            id="kill_switch",
            question="Is the kill switch's audit whole, and does its state agree with it?",
            status=FAIL if fault else PASS,
            evidence=fault or f"{self.status().entries} entries, each with the hash of the one before",
            next_step=_REPAIR if fault else "",
        )
        return with_ending(found, self._states.audit.chain)

    def _engaged(self) -> TradingState:
        """Return the state that is to be released."""
        state = self._states.read(GLOBAL)
        if state.state == "ACTIVE":
            raise ConfigError("the kill switch is not engaged; there is nothing to release")
        return state

    def _trusted(self) -> None:
        """Refuse to release over an audit that is broken."""
        try:
            self._states.audit.entries()
        except ArtefactError as error:
            raise ArtefactError(f"{error}. {_REPAIR}") from None

    def _request(self, now: datetime) -> AuditEntry | None:
        """Return the request that a second person may confirm: the newest, in time, and nothing was engaged since."""
        for entry in reversed(self._states.audit.entries()):
            if entry.kind in (ENGAGE, RELEASE):
                return None
            if entry.kind == REQUEST:
                within = timedelta(seconds=self._releasing().confirm_within_s)
                return entry if timedelta() <= now - entry.at <= within else None
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock under which the switch is changed."""
        with self._states.audit.deciding(_LOCK_S) as alone:
            if not alone:
                raise EnvironmentFault(
                    f"nothing was changed: another process has been changing the kill switch for {_LOCK_S:g} s, or the folder "
                    f"{self._states.audit.path.parent} cannot be written; try again"
                )
            yield

    def _refuse(self, by: str, reason: str, why: str, checks: dict[str, str]) -> None:
        """Note a release that was refused."""
        now, state = self._clock.now(), self._states.read(GLOBAL).state
        self._states.audit.append(
            REFUSAL, now, by=by.strip(), reason=f"{reason.strip()} - refused: {why}", state=state, checks=checks
        )
        self._states.note(f"kill-switch release by {by.strip()} refused: {why}", now)


_MEANWHILE = {ENGAGE: "engaged it", REQUEST: "asked for the release anew", RELEASE: "released it"}
_REPAIR = (
    "Keep a copy for the risk officer and find out who changed it. `peaktrade killswitch engage` then moves a broken audit "
    "aside and begins a new one; after that two people may release"
)


def _who(by: str, reason: str) -> None:
    """Refuse what names nobody or gives no reason."""
    if not by.strip() or not reason.strip():
        raise ConfigError("the kill switch needs a name (--by) and a reason (--reason)")
    person_key(by)
