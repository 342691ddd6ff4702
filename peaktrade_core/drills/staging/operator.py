"""Scripted operators, for tests and examples: a good one, who does what the scenario expects, and a bad one.

They act as people do, through alerts, incidents and halts, so that their deeds are read from the same artefacts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CLEARED
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.drills.drill import Scenario
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import STATES, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

SCRIPTS = ("good", "bad")
GOOD, BAD = SCRIPTS


class _Step(NamedTuple):
    """What is done so long after the alarm [s]."""

    after_s: float
    do: Callable[[], None]


class Operator:
    """One who reacts to the first expected alert, at set times after it."""

    def __init__(self, script: str, site: Workspace, scenario: Scenario, session_id: str, name: str) -> None:
        """Describe who reacts.

        Args:
            script: one of :data:`SCRIPTS`; site: the drill's workspace; session_id: the drilled session.
            name: of the operator.
        """
        self._site, self._scenario, self._session, self._name = site, scenario, session_id, name
        self._alarm: float | None = None
        steps = {
            GOOD: [
                _Step(30.0, self._acknowledge),
                _Step(120.0, self._open_the_right_incident),
                _Step(180.0, self._hold_the_damage),
                _Step(300.0, self._close),
            ],
            BAD: [
                _Step(20.0, self._silence),
                _Step(60.0, self._stop_everything),
                _Step(400.0, self._open_a_wrong_incident),
                _Step(460.0, self._let_go),
            ],
        }
        self._steps = steps[script]
        self._incident = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self._steps

    def turn(self, now: float) -> None:
        """Do what is due at ``now`` [s since epoch]."""
        if self._alarm is None:
            rules = self._scenario.expect.alerts
            if any(row.rule_id in rules for row in Alerts.of(self._site).rows()):
                self._alarm = now
            return
        while self._steps and self._alarm + self._steps[0].after_s <= now:
            self._steps.pop(0).do()

    def _acknowledge(self) -> None:
        for row in Alerts.of(self._site).rows():
            if row.state != CLEARED and row.acknowledged_by is None:
                Alerts.of(self._site).acknowledge(row.alert_id, self._name, "looking at it")

    def _open_the_right_incident(self) -> None:
        """Open the incident that the diagnosis finds in the artefacts, else the one that is expected."""
        expect = self._scenario.expect
        found = diagnose(self._site, self._session)
        finding = next((f for f in found.findings if f.happened and f.kind in expect.diagnosis), None)
        self._incident = (
            IncidentBook.of(self._site)
            .open(
                finding.kind if finding else expect.diagnosis[0],
                self._scenario.title,
                subject=self._session,
                severity=expect.severity,
                by=self._name,
                role="operator",
                evidence=finding.evidence if finding else (),
                drill=self._site.home.parent.name,
                symptom=finding.symptom if finding else "",
                suspected=finding.suspected if finding else "",
            )
            .incident_id
        )

    def _hold_the_damage(self) -> None:
        """Do the first of what is expected that does not loosen anything."""
        allowed = self._scenario.expect.mitigation
        state = TradingStates.of(self._site).in_force(self._scope)
        what = "halt" if "halt" in allowed and state.level > STATES.index("REDUCING") else allowed[0]
        if what in ("halt", "reduce"):
            wanted = "HALTED" if what == "halt" else "REDUCING"
            now = self._site.clock.now()
            TradingStates.of(self._site).set(self._scope, wanted, by=self._name, reason=self._scenario.title, now=now)
        elif what == "stop":
            folder = RunFolder(self._site.runs, self._session)
            folder.ask_to_stop(self._name, self._scenario.title, self._site.clock.now())
        IncidentBook.of(self._site).mitigate(self._incident, self._name, f"{what}: {self._scenario.title}")

    def _close(self) -> None:
        text = "The drill's fault was found; it ends with the drill."
        IncidentBook.of(self._site).close(self._incident, self._name, self._scenario.title, text)

    def _silence(self) -> None:
        Alerts.of(self._site).silence(
            by=self._name, reason="too noisy", seconds=3600.0, rule_id=self._scenario.expect.alerts[0]
        )

    def _stop_everything(self) -> None:
        KillSwitch.of(self._site).engage(self._name, "to be on the safe side")

    def _open_a_wrong_incident(self) -> None:
        wrong = next(kind for kind in ("rate_limit", "network") if kind not in self._scenario.expect.diagnosis)
        IncidentBook.of(self._site).open(
            wrong, "Something is odd", subject=self._session, severity="low", by=self._name, role="operator"
        )

    def _let_go(self) -> None:
        now = self._site.clock.now()
        try:
            TradingStates.of(self._site).set(self._scope, "ACTIVE", by=self._name, reason="it will be fine", now=now)
        except ConfigError:
            return

    @property
    def _scope(self) -> Scope:
        """The trading-state scope of the drilled session."""
        record = Views.of(self._site).record(self._session)
        return Scope.of(record.mode, str(record.setting("strategy_name")), str(record.symbol))
