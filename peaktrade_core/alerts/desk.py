"""The alerts of a workspace: the rows people see and their columns, what they do to them, and asking the rules.

Whatever changes goes through the alert log, which is shared with the watcher and with every command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from peaktrade_core.alerts.alerts import (
    CRITICAL,
    Acknowledged,
    AlertRow,
    Silenced,
    Unsilenced,
    rank,
)
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.alerts.log import LOG, AlertLog, short_hash
from peaktrade_core.alerts.rules.facts import RuleFinding
from peaktrade_core.alerts.rules.kinds import AnyRule
from peaktrade_core.base.clock import Clock, utc
from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.text import meant
from peaktrade_core.runbooks.notebooks.lab import notebook_link
from peaktrade_core.runs.handbook import handbook
from peaktrade_core.runs.run import Run
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, MID, Cell, Column, Columns
from peaktrade_core.workspace.workspace import Workspace

OPEN = "open"
LONGEST_SILENCE = timedelta(days=30)


class RuleHit(NamedTuple):
    """What a rule finds now."""

    rule_id: str
    severity: str
    message: str
    run_id: str | None
    key: str
    runbook: str


class Alerts:
    """The alerts of one workspace."""

    def __init__(self, log: AlertLog, clock: Clock, engine: Callable[[], AlertEngine]) -> None:
        """Bring log and clock; ``engine`` makes the evaluation of the rules, which is not needed to read alerts."""
        self.log = log
        self._clock = clock
        self._engine = engine

    @classmethod
    def of(cls, workspace: Workspace) -> Alerts:
        """Return the alerts of a workspace, opened once."""
        log = AlertLog(workspace.reports / "alerts" / LOG)
        return workspace.once(cls, lambda: cls(log, workspace.clock, lambda: AlertEngine(workspace, log)))

    def check(self, run_id: str | None = None, rules: tuple[AnyRule, ...] | None = None) -> list[RuleHit]:
        """Ask the rules now and return what they find, the worst first; nothing is recorded.

        Args:
            run_id: only about this run, known or not; None for everything.
            rules: these instead of the workspace's own.

        Raises:
            ConfigError: the rules of the workspace are not sound.
        """
        engine = self._engine()
        asked = engine.settings.rules if rules is None else rules
        found = engine.look(asked) if run_id is None else engine.check(run_id, asked)
        runbooks = {rule.id: rule.chapter for rule in asked}
        checked = [
            RuleHit(rule_id, f.severity, f.message, f.run_id, f.key, f.runbook or runbooks[rule_id])
            for rule_id, findings in found.findings.items()
            for f in findings
        ]
        checked += [
            RuleHit(rule_id, CRITICAL, f"the rule failed: {why}", None, "", "6")
            for rule_id, why in found.faults.items()
        ]
        return sorted(checked, key=lambda c: (-rank(c.severity), c.rule_id, c.key))

    def ask(self, *kinds: type, rows: Sequence[Run] | None = None) -> list[tuple[AnyRule, RuleFinding]]:
        """Return what the workspace's rules of some kinds find now, with the rule; nothing is recorded.

        Args:
            kinds: of rules; rows: only about these runs, None for everything.

        Raises:
            ConfigError: the rules of the workspace are not sound.
        """
        engine = self._engine()
        rules = tuple(rule for rule in engine.settings.rules if isinstance(rule, kinds))
        found = engine.look(rules, rows).findings
        return [(rule, finding) for rule in rules for finding in found.get(rule.id, ())]

    def rows(self, state: str | None = None, run_id: str | None = None, limit: int | None = None) -> list[AlertRow]:
        """Return alerts, newest first.

        Args:
            state: ``raised``, ``cleared``, or ``open`` for raised ones and those that a channel refused to tell, until a
                person has seen them; None for all.
            run_id: only those about this run.
            limit: at most so many.
        """
        book, now = self.log.refresh(), self._clock.now()
        found = [
            row.alert_id
            for row in sorted(book.alerts.values(), key=lambda row: (row.raised_at, row.alert_id), reverse=True)
            if (state in (None, row.state) or (state == OPEN and row.open)) and run_id in (None, row.run_id)
        ]
        return [book.row(alert_id, now) for alert_id in found[:limit]]

    def row(self, alert_id: str) -> AlertRow:
        """Return one alert by its id, or by a beginning of it that no other has.

        Raises:
            UnknownNameError: there is none, or more than one.
        """
        book = self.log.refresh()
        return book.row(_full_id(book, alert_id), self._clock.now())

    def silences(self) -> list[Silenced]:
        """Return the silences that hold now, the first to end first."""
        return sorted(self.log.refresh().holding(self._clock.now()), key=lambda s: s.until)

    def acknowledge(self, alert_id: str, by: str, note: str = "", *, take_over: bool = False) -> AlertRow:
        """Take an alert on: it escalates no further, and it is this person's. One who has it may change the note.

        Args:
            alert_id: or a beginning of it; by: who takes it on; note: what they do about it.
            take_over: also from another person.

        Raises:
            UnknownNameError: no such alert.
            ConfigError: no name was given, another person has the alert, or it is cleared and was told everywhere.
        """
        by = _named(by)

        def decide(book: AlertBook) -> list[Acknowledged]:
            row = book.alerts[_full_id(book, alert_id)]
            owner = row.acknowledged_by
            if owner not in (None, by) and not take_over:
                since = f" since {utc(row.acknowledged_at)}" if row.acknowledged_at else ""
                doing = f" ({row.acknowledge_note})" if row.acknowledge_note else ""
                raise ConfigError(
                    f"alert {row.alert_id} is taken on by {owner}{since}{doing}; take it over with --take-over"
                )
            if not row.open:
                raise ConfigError(f"alert {row.alert_id} is cleared; there is nothing to acknowledge")
            return [Acknowledged(at=self._clock.now(), alert_id=row.alert_id, by=by, note=note.strip())]

        (change,) = self.log.append(decide)
        assert isinstance(change, Acknowledged)
        return self.row(change.alert_id)

    def silence(
        self, *, by: str, reason: str, seconds: float, rule_id: str | None = None, run_id: str | None = None
    ) -> Silenced:
        """Hold the deliveries of a rule, of a run, or of a rule on a run back for some time; alerts are still recorded.

        Raises:
            ConfigError: no name or reason, neither rule nor run, or a time that is not between a second and 30 days.
        """
        by = _named(by)
        if not reason.strip():
            raise ConfigError("a silence needs a reason (--reason)")
        if rule_id is None and run_id is None:
            raise ConfigError("a silence needs a rule or a run (--rule, --run): everything at once is never silenced")
        if not 1.0 <= seconds <= LONGEST_SILENCE.total_seconds():
            raise ConfigError(f"a silence lasts from a second to {LONGEST_SILENCE.days} days, not {seconds:g} s")
        now = self._clock.now()
        silence = Silenced(
            at=now,
            silence_id=short_hash("silence", by, rule_id or "", run_id or "", now.isoformat()),
            until=now + timedelta(seconds=seconds),
            by=by,
            reason=reason.strip(),
            rule_id=rule_id,
            run_id=run_id,
        )
        self.log.append(lambda _: [silence])
        return silence

    def unsilence(self, silence_id: str, by: str) -> Silenced:
        """End a silence before its time.

        Raises:
            UnknownNameError: no such silence.
        """
        by = _named(by)
        ended: list[Silenced] = []

        def decide(book: AlertBook) -> list[Unsilenced]:
            if silence_id not in book.silences:
                raise UnknownNameError("silence", silence_id, sorted(book.silences), "peaktrade alerts list")
            ended.append(book.silences[silence_id])
            return [Unsilenced(at=self._clock.now(), silence_id=silence_id, by=by)]

        self.log.append(decide)
        return ended[0]


def _named(by: str) -> str:
    if not by.strip():
        raise ConfigError("this needs a name (--by)")
    return by.strip()


def _full_id(book: AlertBook, given: str) -> str:
    return meant("alert", given, list(reversed(book.alerts)), "peaktrade alerts list", latest=False)


_SEVERITIES = {"critical": Cell("✕ critical", BAD), "warning": Cell("▲ warning", MID), "info": Cell("● info")}


def severity_cell(severity: str) -> Cell:
    """Return a severity with its sign and colour."""
    return _SEVERITIES.get(severity, Cell(severity))


def runbook_link(number: str) -> Cell:
    """Return the runbook that the handbook has under a number, as a link where it is a notebook."""
    chapter = handbook().chapter.get(number)
    name = chapter.notebook if chapter else ""
    return Cell(f"{number} {name}", href=notebook_link(name)) if name else Cell(number or wording.NOTHING)


def _state(row: AlertRow) -> str:
    parts = [row.state + (f" {row.count}×" if row.count > 1 else "")]
    parts += [f"ack {row.acknowledged_by}"] if row.acknowledged_by else []
    parts += [f"silenced by {row.silenced_by}"] if row.silenced_by else []
    parts += ["escalated"] if row.escalated else []
    parts += ["not told"] if row.untold else []
    return ", ".join(parts)


def _taken(row: AlertRow) -> Cell:
    if row.state == "cleared":
        return Cell("cleared")
    if row.acknowledged_by:
        return Cell(f"✓ {row.acknowledged_by}: {row.acknowledge_note or 'no note'}", "good")
    if row.silenced_by and row.silenced_until:
        return Cell(f"silenced by {row.silenced_by} until {wording.minute(row.silenced_until)}", MID)
    return Cell("nobody", MID)


def _what(row: AlertRow) -> str:
    about = f"{row.run_id}: " if row.run_id else ""
    return f"{about}{row.message} (runbook {row.runbook})" + (f"; {row.done}" if row.done else "")


def _told(row: AlertRow) -> str:
    if not row.deliveries:
        return "held back" if row.silenced_by else "nobody yet"
    why = {channel: f" ({reason})" for channel, reason in row.refusals.items()}
    return ", ".join(f"{channel} {outcome}{why.get(channel, '')}" for channel, outcome in row.deliveries.items())


ALERTS = Columns[AlertRow](
    alert=Column("Alert", lambda row: row.alert_id),
    severity=Column("Severity", lambda row: severity_cell(row.severity)),
    state=Column("State", _state, "words"),
    rule=Column("Rule", lambda row: row.rule_id, priority=1),
    run=Column("Run", lambda row: row.run_id),
    about=Column("About", lambda row: row.run_id or row.key or "the workspace"),
    message=Column("What", form="words"),
    what=Column("What", _what, "words"),
    raised=Column("Raised (UTC)", lambda row: row.raised_at, priority=2),
    owner=Column("Owner", priority=3),
    taken=Column("Taken on by", _taken, "words"),
    runbook=Column("Runbook"),
    notebook=Column("Runbook", lambda row: runbook_link(row.runbook)),
    told=Column("Told", _told, "words", 2),
)
