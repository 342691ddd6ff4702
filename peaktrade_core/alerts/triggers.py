"""Acting on triggers: looks at the runs, tightens what must be tightened, and does so once for each cause.

What was acted upon is remembered on disk, so that neither a restart of the watcher nor a release by two people makes the
same cause stop everything again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from peaktrade_core.alerts.trigger_rules import Finding, Loss, Seen, findings
from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import ConfigError, EnvironmentFault, PeaktradeError
from peaktrade_core.base.log import append_record, whole_lines
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import GLOBAL, STATES, TradingStates, scope_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.account import account_of
from peaktrade_core.trading.market import timeframe_seconds
from peaktrade_core.workspace.settings import KILL_SWITCH, REDUCE, Triggers
from peaktrade_core.workspace.workspace import Workspace

NEWEST = 500  # runs that are looked at


class TriggerAction(msgspec.Struct, frozen=True, kw_only=True):
    """What a trigger did.

    Attributes:
        trigger, cause: which one, because of what; at: when.
        action: ``reduce``, ``halt`` or ``kill_switch``; scopes: of which trading states.
        outcome: ``done``, or why it could not be.
    """

    at: datetime
    trigger: str
    cause: str
    action: str
    scopes: tuple[str, ...]
    reason: str
    outcome: str = "done"


class TriggerDesk:
    """The triggers of a workspace.

    Args (of the constructor):
        path: ``reports/live/triggers.jsonl``, what was acted upon.
        triggers: returns the configuration; runs: returns the newest runs.
    """

    def __init__(
        self,
        path: Path,
        triggers: Callable[[], Triggers],
        runs: Callable[[int], list[Run]],
        run_folder: Callable[[str], RunFolder],
        states: TradingStates,
        kill_switch: KillSwitch,
        account: Account,
        clock: Clock,
    ) -> None:
        self._path, self._triggers, self._runs, self._folder = path, triggers, runs, run_folder
        self._states, self._kill_switch, self._account, self._clock = states, kill_switch, account, clock

    @classmethod
    def of(cls, workspace: Workspace) -> TriggerDesk:
        """Return the triggers of a workspace, opened once."""
        return workspace.once(
            cls,
            lambda: cls(
                workspace.reports / "live" / "triggers.jsonl",
                lambda: workspace.config.triggers,
                Views.of(workspace).runs,
                partial(RunFolder, workspace.runs),
                TradingStates.of(workspace),
                KillSwitch.of(workspace),
                Account.of(workspace),
                workspace.clock,
            ),
        )

    def found(self, rows: Sequence[Run] | None = None) -> list[Finding]:
        """Return which triggers are reached now, acted upon or not; nothing is done."""
        now = self._clock.now()
        losses = [Loss(f"{use.mode}.{use.currency}", f"{now:%Y-%m-%d}", use.daily_loss) for use in self._account.uses()]
        return findings(
            self._triggers(), [self._seen(row) for row in (self._runs(NEWEST) if rows is None else rows)], losses
        )

    def apply(self, rows: Sequence[Run] | None = None) -> list[TriggerAction]:
        """Act on every trigger that is reached and was not acted upon, and return what was done.

        What could not be done is tried again at the next call.

        Args:
            rows: the runs as the caller has just seen them, newest first; None looks itself.
        """
        done = {(action.trigger, action.cause) for action in self.history() if action.outcome == "done"}
        actions = []
        for finding in self.found(rows):
            if (finding.name, finding.cause) in done:
                continue
            action = self._act(finding)
            append_record(self._path, msgspec.json.encode(action))
            actions.append(action)
        return actions

    def history(self) -> list[TriggerAction]:
        """Return what was done so far, oldest first; a line that cannot be read is left out, so it may be done again."""
        try:
            lines = whole_lines(self._path)
        except EnvironmentFault:
            return []
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=TriggerAction))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
        return found

    def _act(self, finding: Finding) -> TriggerAction:
        """Tighten what the finding asks for."""
        by, now, outcome = f"trigger {finding.name}", self._clock.now(), "done"
        wanted = {KILL_SWITCH: "NO_ORDERS", REDUCE: "REDUCING"}.get(finding.action, "HALTED")
        try:
            for scope in finding.scopes:
                if scope == GLOBAL:
                    self._kill_switch.engage(by, finding.reason, wanted)
                elif STATES.index(self._states.read(scope).state) < STATES.index(wanted):
                    self._states.set(scope, wanted, by=by, reason=finding.reason, now=now)
        except PeaktradeError as error:
            outcome = str(error)
        return TriggerAction(
            at=now,
            trigger=finding.name,
            cause=finding.cause,
            action=finding.action,
            scopes=finding.scopes,
            reason=finding.reason,
            outcome=outcome,
        )

    def _seen(self, row: Run) -> Seen:
        """Return what the triggers want to know of a run."""
        active = row.state in ACTIVE
        beat = self._folder(row.run_id).heartbeat() if active else None
        symbol = row.symbol or ""
        return Seen(
            run_id=row.run_id,
            scope=scope_of(row.mode, row.strategy or "", symbol),
            account=account_of(row.mode, symbol),
            status="running" if active else row.state,
            drawdown=row.max_drawdown or 0.0,
            rejects=beat.rejects if beat else 0,
            silence_s=row.silence_s or 0.0,
            bar_s=_bar_s(row.timeframe),
        )


def _bar_s(timeframe: str | None) -> float:
    """Return the length of a run's bars [s], 0 where it is unknown."""
    try:
        return float(timeframe_seconds(timeframe or ""))
    except ConfigError:
        return 0.0
