"""The evaluation of alert rules: look at the facts, write down what changed, act, and say what is to be delivered.

Each stage writes to the alert log before the next one rests on it: killed anywhere, the next look goes on from there.
Where the log cannot be written, people are told all the same, also of that, and what was decided and told is written down
as soon as it can be, so that it is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.alerts.alerts import (
    CRITICAL,
    INFO,
    RAISED,
    Acted,
    AlertRow,
    Notification,
)
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.changes import Holds, judge, tell
from peaktrade_core.alerts.log import AlertLog, AlertRecord, acted_before, note_in_runs, short_hash
from peaktrade_core.alerts.rules.facts import DeskFacts, RuleFinding
from peaktrade_core.alerts.rules.gather import Gatherer, label
from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.alerts.rules.of_desk import FailedJob, ReportOverdue
from peaktrade_core.alerts.rules.rule import ACTIONS, NONE
from peaktrade_core.alerts.settings import AlertSettings, read_settings, with_stops
from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError
from peaktrade_core.base.files import read_toml
from peaktrade_core.base.resources import share_dir
from peaktrade_core.halts.scope import GLOBAL, STATES
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.runs.run import Run
from peaktrade_core.workspace.workspace import Workspace

ALERTS = Path("config") / "alerts.toml"


def load_alert_settings(path: Path) -> AlertSettings:
    """Read channels and rules of a file as they stand there.

    Raises:
        ConfigError: it cannot be read, is not TOML, or something in it is wrong; says where.
    """
    return read_settings(read_toml(path), str(path))


def alert_settings(workspace: Workspace) -> AlertSettings:
    """Return the channels and rules that hold in a workspace.

    They are those of its file, or of the one that comes with peaktrade. What ``[triggers]`` of its configuration says goes
    before them, and a kind of stop that the file leaves out is as in the one that comes with peaktrade.

    Raises:
        ConfigError: one of the files is not sound; says where.
    """
    shipped, own = share_dir() / ALERTS, workspace.home / ALERTS
    given = load_alert_settings(own if own.exists() else shipped)
    return with_stops(given, load_alert_settings(shipped), workspace.config.triggers)


class RuleFindings(NamedTuple):
    """What the rules found: by rule, the rules that could not be asked with why, and when."""

    findings: dict[str, list[RuleFinding]]
    faults: dict[str, str]
    at: datetime


def look(rules: Iterable[AnyRule], facts: DeskFacts) -> RuleFindings:
    """Ask every rule; one that fails leaves the others and its own alerts as they are."""
    findings: dict[str, list[RuleFinding]] = {}
    faults: dict[str, str] = {}
    for rule in rules:
        try:
            findings[rule.id] = list(rule.find(facts))
        except Exception as error:  # a rule's bug must not blind the others
            faults[rule.id] = label(error)
    return RuleFindings(findings, faults, facts.now)


class AlertEngine:
    """Evaluates the rules of one workspace and records what follows."""

    def __init__(self, workspace: Workspace, log: AlertLog) -> None:
        """Begin with a memory of its own.

        Args:
            workspace: whose runs, rules and states; log: where changes are written.

        Raises:
            ConfigError: ``config/alerts.toml`` or ``config/config.toml`` is not sound.
        """
        self.settings, self.log, self.record = alert_settings(workspace), log, AlertRecord(log.path)
        self._gatherer = Gatherer(workspace, self.settings.keep_s)
        self._runs, self._states, self._clock = workspace.runs, TradingStates.of(workspace), workspace.clock
        self._before = acted_before(workspace.reports / "live" / "triggers.jsonl")
        self._holds = Holds()
        self._noted = -1
        self._troubles: dict[str, str] = {}

    def look(self, rules: tuple[AnyRule, ...] | None = None, rows: Sequence[Run] | None = None) -> RuleFindings:
        """Return what rules (None for the workspace's own) find now, in everything or in some runs; nothing is written."""
        asked = self.settings.rules if rules is None else rules
        if rows is not None:
            return look(asked, self._gatherer.watched(rows))
        kinds = {rule.report for rule in asked if isinstance(rule, ReportOverdue)}
        kinds.update(*(rule.reports for rule in asked if isinstance(rule, FailedJob)))
        return look(asked, self._gatherer.everything(kinds))

    def check(self, run_id: str, rules: tuple[AnyRule, ...]) -> RuleFindings:
        """Return what rules find about one run, which need not exist; nothing is written."""
        return look((rule for rule in rules if rule.about_runs), self._gatherer.one(run_id))

    def only_once(self) -> None:
        """Know that there will be one look only: what is found or gone is taken to have lasted."""
        self._holds = Holds(lasting=False)

    def evaluate(self) -> RuleFindings:
        """Look, and record what is raised, changed and cleared, what was done about it, and what is to be told.

        Raises:
            EnvironmentFault: the alert log or that of a run cannot be written; the rest was done all the same, and people
                are told, of that, too.
        """
        try:
            found = self.look()
        except Exception as error:
            self._say("rules", f"no rule can be asked: {label(error)}")
            raise
        self._say("rules", "; ".join(f"{rule} could not be asked: {why}" for rule, why in found.faults.items()))
        rules, now = self.settings.rules, found.at
        faults = [
            self.record.write(lambda book: judge(rules, found.findings, book, self._holds, now, short_id)),
            self.act(found.findings),
        ]
        fault = next(filter(None, faults), "")
        self._say("log", f"alerts are told, but not recorded: {fault}" if fault else "")
        fault = self.record.write(lambda book: tell(rules, book, now)) or fault
        if fault:
            raise EnvironmentFault(f"alerts are told, but not recorded: {fault}")
        self.note()
        return found

    def act(self, findings: Mapping[str, Iterable[RuleFinding]]) -> str:
        """Take the actions of rules whose alert is raised and critical, once for each cause.

        Returns:
            Why they could not be recorded, empty where they were.
        """
        done = []
        book = self.record.book()
        for rule in self.settings.rules:
            for finding in findings.get(rule.id, ()) if rule.action != NONE else ():
                row = book.open(rule.id, finding.key)
                if (
                    finding.severity != CRITICAL
                    or row is None
                    or row.state != RAISED
                    or self._done(book, rule, finding)
                ):
                    continue
                acted = self._take(rule, finding, row)
                if acted is not None and (not acted.failed or acted.outcome != row.done):
                    done.append(acted)
        return self.record.write(lambda _: done) if done else ""

    def note(self) -> None:
        """Bring the ``alerts.jsonl`` of the runs up to date, after a restart with what a dying process left undone."""
        book = self.log.refresh()
        news = [change for change in book.moves if change.seq > self._noted]
        note_in_runs(news, book, self._folder)
        self._noted = book.next_seq - 1

    def _done(self, book: AlertBook, rule: AnyRule, finding: RuleFinding) -> bool:
        """Return whether a rule has acted for this cause already."""
        kind = str(rule.__struct_config__.tag)
        return (rule.id, finding.key, finding.cause) in book.acted or (kind, finding.cause) in self._before

    def _say(self, what: str, trouble: str) -> None:
        """Tell every channel what is wrong with the alerts themselves, once, and when that is over."""
        known, self._troubles[what] = self._troubles.get(what, ""), trouble
        if bool(known) == bool(trouble):
            return
        self.record.keep(
            Notification(
                at=self._clock.now(),
                alert_ids=(),
                channels=tuple(self.settings.channels),
                severity=CRITICAL if trouble else INFO,
                title=f"{'CRITICAL' if trouble else 'CLEARED'} peaktrade alert {what}",
                body=trouble or "it works again",
            )
        )

    def _take(self, rule: AnyRule, finding: RuleFinding, row: AlertRow) -> Acted | None:
        """Restrict trading as a rule says and return what was done; never loosens what is stricter."""
        wanted, by, reason = ACTIONS[rule.action], f"alert rule {rule.id}", f"alert {row.alert_id}: {row.message}"
        told, failed = [], False
        for scope in (GLOBAL.text,) if rule.wide else finding.scopes:
            try:
                before, doubted = self._states.read(scope), bool(self._states.look().doubt)
                if not rule.wide and not doubted and before.level >= STATES.index(wanted):
                    told.append(f"{scope} was {before.state} already")
                    continue
                after = self._states.stop(scope, wanted, by=by, reason=reason, now=self._clock.now())
                release = (
                    "`peaktrade killswitch release`, two people,"
                    if rule.wide
                    else f"`peaktrade risk resume --scope {scope}`"
                )
                told.append(f"{scope} is {after.state} now; {release} after the cause is found")
            except (PeaktradeError, OSError) as error:
                failed = True
                told.append(f"{scope} could not be set to {wanted}, which is tried again: {label(error)}")
        if not told:
            return None
        return Acted(
            at=self._clock.now(),
            alert_id=row.alert_id,
            cause=finding.cause,
            action=rule.action,
            outcome="; ".join(told),
            failed=failed,
        )

    def _folder(self, run_id: str) -> Path | None:
        if not is_id(run_id):
            return None
        path = RunFolder(self._runs, run_id).path
        return path if path.is_dir() else None


def short_id(rule_id: str, key: str, at: datetime) -> str:
    """Return an alert's id."""
    return short_hash(rule_id, key, at.isoformat())
