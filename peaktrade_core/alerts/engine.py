"""The evaluation of alert rules: look at the facts, write down what changed, act, and say what is to be delivered.

Each stage writes to the alert log before the next one rests on it: killed anywhere, the next look goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.alerts.alerts import CRITICAL, RAISED, Acted, AlertBook, AlertRow, AnyChange
from peaktrade_core.alerts.changes import Holds, judge, tell
from peaktrade_core.alerts.facts import Facts, Finding
from peaktrade_core.alerts.gather import Gatherer, label
from peaktrade_core.alerts.log import AlertLog, note_in_runs, short_hash
from peaktrade_core.alerts.rules import AnyRule, FailedJob, ReportOverdue
from peaktrade_core.alerts.settings import AlertSettings
from peaktrade_core.alerts.settings_file import workspace_alert_settings
from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.halts.scope import STATES
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

_STATE_OF = {"reduce": "REDUCING", "pause": "HALTED"}


class Found(NamedTuple):
    """What the rules found: by rule, the rules that could not be asked with why, and when."""

    findings: dict[str, list[Finding]]
    faults: dict[str, str]
    at: datetime


def look(rules: tuple[AnyRule, ...], facts: Facts) -> Found:
    """Ask every rule; one that fails leaves the others and its own alerts as they are."""
    findings: dict[str, list[Finding]] = {}
    faults: dict[str, str] = {}
    for rule in rules:
        try:
            findings[rule.id] = list(rule.find(facts))
        except Exception as error:  # a rule's bug must not blind the others
            faults[rule.id] = label(error)
    return Found(findings, faults, facts.now)


class AlertEngine:
    """Evaluates the rules of one workspace and records what follows.

    Args (of the constructor):
        settings: rules and channels; gatherer: brings the facts; log: the alert log.
        run_folder: opens a run, for its ``alerts.jsonl``; states: what a rule's action changes.
    """

    def __init__(
        self,
        settings: AlertSettings,
        gatherer: Gatherer,
        log: AlertLog,
        run_folder: Callable[[str], RunFolder],
        states: TradingStates,
        clock: Clock,
    ) -> None:
        self.settings, self._gatherer, self._log = settings, gatherer, log
        self._open, self._states, self._clock = run_folder, states, clock
        self._holds = Holds()
        self._noted = -1

    @classmethod
    def of(cls, workspace: Workspace, log: AlertLog) -> AlertEngine:
        """Return a new evaluation of the rules, with a memory of its own.

        Args:
            workspace: whose runs, rules and states; log: where changes are written.

        Raises:
            ConfigError: ``config/alerts.toml`` is not sound.
        """
        settings = workspace_alert_settings(workspace.home)
        folder, states = partial(RunFolder, workspace.runs), TradingStates.of(workspace)
        home, reports, clock = workspace.home, workspace.reports, workspace.clock
        gatherer = Gatherer(Views.of(workspace), folder, states, home, reports, clock, settings.keep_s)
        return cls(settings, gatherer, log, folder, states, clock)

    def look(self, rules: tuple[AnyRule, ...] | None = None) -> Found:
        """Return what rules (None for the workspace's own) find now; nothing is written."""
        asked = self.settings.rules if rules is None else rules
        kinds = {rule.report for rule in asked if isinstance(rule, ReportOverdue)}
        kinds.update(*(rule.reports for rule in asked if isinstance(rule, FailedJob)))
        facts = self._gatherer.everything(kinds)
        return look(asked, facts)

    def check(self, run_id: str, rules: tuple[AnyRule, ...]) -> Found:
        """Return what rules find about one run, which need not exist; nothing is written."""
        return look(tuple(rule for rule in rules if rule.about_runs), self._gatherer.one(run_id))

    def evaluate(self) -> Found:
        """Look, and record what is raised, changed and cleared, what was done about it, and what is to be told.

        Raises:
            EnvironmentFault: the alert log cannot be written.
        """
        found = self.look()
        rules, now = self.settings.rules, found.at
        self._append(lambda book: judge(rules, found.findings, book, self._holds, now, short_id))
        self.act()
        self._append(lambda book: tell(rules, book, now))
        self.note()
        return found

    def act(self) -> list[Acted]:
        """Take the actions of critical alerts, once for each cause, and record them."""
        actions = {rule.id: rule.action for rule in self.settings.rules if rule.action}
        done = []
        for row in list(self._log.refresh().alerts.values()):
            action = actions.get(row.rule_id)
            if action and row.state == RAISED and row.severity == CRITICAL and row.cause not in row.acted and row.scope:
                done.append(
                    Acted(
                        at=self._clock.now(),
                        alert_id=row.alert_id,
                        cause=row.cause,
                        action=action,
                        outcome=self._take(action, row),
                    )
                )
        if done:
            self._append(lambda _: list(done))
        return done

    def note(self) -> None:
        """Bring the ``alerts.jsonl`` of the runs up to date, after a restart with what a dying process left undone."""
        book = self._log.refresh()
        news = [change for change in book.moves if change.seq > self._noted]
        note_in_runs(news, book, self._folder)
        self._noted = book.next_seq - 1

    def _append(self, decide: Callable[[AlertBook], list[AnyChange]]) -> list[AnyChange]:
        return self._log.append(decide)

    def _take(self, action: str, row: AlertRow) -> str:
        """Restrict trading in the alert's scope and return what was done; never loosens what is stricter."""
        wanted = _STATE_OF[action]
        try:
            before = self._states.read(row.scope)
        except ConfigError as error:  # an alert that an earlier version raised about a record without a symbol
            return str(error)
        if before.level >= STATES.index(wanted):
            return f"{row.scope} was {before.state} already"
        reason = f"alert {row.alert_id}: {row.message}"
        self._states.set(row.scope, wanted, by=f"alert rule {row.rule_id}", reason=reason, now=self._clock.now())
        return f"{row.scope} is {wanted} now; `peaktrade risk resume --scope {row.scope}` after the cause is found"

    def _folder(self, run_id: str) -> Path | None:
        if not is_id(run_id):
            return None
        path = self._open(run_id).path
        return path if path.is_dir() else None


def short_id(rule_id: str, key: str, at: datetime) -> str:
    """Return an alert's id."""
    return short_hash(rule_id, key, at.isoformat())
