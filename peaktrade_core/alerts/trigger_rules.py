"""Triggers: what must be stopped without waiting for a person. Pure functions from how runs stand to what is to be done.

Source: escalation of the operator workflow (6.3): two failed in a row pause, a drawdown of 10 % pauses at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.workspace.settings import KILL_SWITCH, OFF, Trigger, Triggers


class Seen(NamedTuple):
    """How one run stands; newest first where many are given.

    Attributes:
        scope: its trading-state scope; account: its account; status: ``running`` or how it ended.
        drawdown: [fraction]; rejects: in a row; silence_s: since its last event; bar_s: length of its bars [s].
    """

    run_id: str
    scope: str
    account: str
    status: str
    drawdown: float = 0.0
    rejects: int = 0
    silence_s: float = 0.0
    bar_s: float = 0.0


class Loss(NamedTuple):
    """What an account lost on a UTC day [quote ccy]."""

    account: str
    day: str
    loss: float


class Finding(NamedTuple):
    """A trigger that is reached.

    Attributes:
        name: of the trigger; cause: what it rests on, acted upon once.
        scopes: trading-state scopes that it concerns; value, threshold: the figures.
    """

    name: str
    cause: str
    scopes: tuple[str, ...]
    value: float
    threshold: float
    action: str

    @property
    def reason(self) -> str:
        """Return the finding in words."""
        return f"{self.name} {self.value:.6g} reached {self.threshold:g}: {self.cause}"


def findings(triggers: Triggers, runs: Sequence[Seen], losses: Iterable[Loss] = ()) -> list[Finding]:
    """Return every trigger that is reached now; a figure that is no number counts as reached.

    Args:
        triggers: as configured.
        runs: running and ended, newest first.
        losses: of each account today.
    """
    found = []
    for run in runs:
        if run.status == "running":
            for name, value in (
                ("drawdown", 100.0 * run.drawdown),
                ("rejects_in_a_row", float(run.rejects)),
                ("stale_feed", run.silence_s - 2.0 * run.bar_s),
            ):
                found += _reached(triggers, name, run.run_id, (run.scope,), value)
    for loss in losses:
        scopes = tuple(sorted({run.scope for run in runs if run.status == "running" and run.account == loss.account}))
        found += _reached(triggers, "daily_loss", f"{loss.account} {loss.day}", scopes, loss.loss)
    for scope, (count, newest) in _failures(runs).items():
        found += _reached(triggers, "failed_in_a_row", newest, (scope,), float(count))
    return found


def _reached(triggers: Triggers, name: str, cause: str, scopes: tuple[str, ...], value: float) -> list[Finding]:
    """Return the finding of one trigger, none while it is not reached or off."""
    trigger: Trigger = getattr(triggers, name)
    if trigger.action == OFF or value < trigger.threshold:
        return []
    wide = trigger.scope == GLOBAL.text or trigger.action == KILL_SWITCH
    return [Finding(name, cause, (GLOBAL.text,) if wide else scopes, value, trigger.threshold, trigger.action)]


def _failures(runs: Sequence[Seen]) -> dict[str, tuple[int, str]]:
    """Return for each scope how many of its last sessions failed in a row, and the newest of them.

    A session that was stopped neither counts nor breaks the row.
    """
    counts: dict[str, tuple[int, str]] = {}
    broken = set()
    for run in runs:
        if run.status == "completed":
            broken.add(run.scope)
        elif run.status == "failed" and run.scope not in broken:
            count, newest = counts.get(run.scope, (0, run.run_id))
            counts[run.scope] = (count + 1, newest)
    return counts
