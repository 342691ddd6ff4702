"""The kinds of alert rules: each with its thresholds, read from ``config/alerts.toml``, finds things in facts.

A rule never guesses: what is no number, or nobody knows, is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from peaktrade_core.alerts.alerts import CRITICAL, SEVERITIES, WARNING
from peaktrade_core.alerts.rules.facts import ALIVE, DIED, UNKNOWN, DeskFacts, RuleFinding, RunFacts
from peaktrade_core.alerts.rules.margin import NearLiquidation
from peaktrade_core.alerts.rules.of_desk import DiskFree, FailedJob, KillSwitchEngaged, ReportOverdue, Unapproved
from peaktrade_core.alerts.rules.rule import (
    AtLeast,
    AtMost,
    Group,
    Money,
    Percent,
    Rule,
    Window,
    before,
    graded,
    of_error,
    recent,
    span,
)
from peaktrade_core.show.wording import many, money, quote_currency
from peaktrade_core.trading.risk import above, reached


class PnlDrop(Rule, tag="pnl_drop", frozen=True, kw_only=True):
    """The equity fell by ``threshold_pct`` [%] or more within ``window_s``; equity that is not a number is the worst."""

    threshold_pct: Percent = 5.0
    window_s: Window = 3600.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Compare the equity with that at the window's begin."""
        meter = run.meter
        if meter is None:
            return
        if meter.broken:
            yield self.finding(
                run,
                CRITICAL,
                f"{meter.broken} entries of its journal have no equity that is a number; the PnL is unknown",
            )
        then, now = meter.equity_before(self.window_s, run.clock or run.now), meter.equity
        if then and now is not None and reached(100.0 * (then - now) / then, self.threshold_pct):
            lost, currency = 100.0 * (then - now) / then, quote_currency(run.symbol)
            was, is_ = (money(one, currency, code=False) for one in (then, now))
            yield self.finding(
                run,
                CRITICAL,
                f"equity fell by {lost:.2f} % within {span(self.window_s)}, from {was} to {is_} "
                f"(limit {self.threshold_pct:g} %)",
            )


class Drawdown(Rule, tag="drawdown", frozen=True, kw_only=True):
    """The largest drawdown of a session has reached ``warning_pct`` or ``critical_pct`` [%], also just after its end."""

    warning_pct: Percent = 5.0
    critical_pct: Percent = 10.0
    recent_s: Window = 86_400.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Grade the drawdown."""
        if run.ended_at is not None and not recent(run, self.recent_s):
            return
        percent = 100.0 * max(run.max_drawdown or 0.0, run.meter.drawdown if run.meter else 0.0)
        worst = reached(percent, self.critical_pct)
        if worst or reached(percent, self.warning_pct):
            limit = self.critical_pct if worst else self.warning_pct
            advice = "immediate pause and escalation" if worst else "risk review, adapt the strategy if need be"
            yield self.finding(
                run, CRITICAL if worst else WARNING, f"drawdown {percent:.2f} % has reached {limit:g} %: {advice}"
            )


class DailyLoss(Rule, tag="daily_loss", frozen=True, kw_only=True):
    """The running sessions of one account have lost ``max_loss`` [quote ccy] together since 00:00 UTC."""

    max_loss: Money = 1000.0

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Compare the loss of each account; a loss that is not a number counts as reached."""
        for one in facts.accounts:
            if reached(one.loss, self.max_loss) and (not self.modes or one.mode in self.modes):
                scopes = sorted({run.scope for run in facts.runs if run.alive and run.account == one.account})
                limit = money(self.max_loss, one.currency, code=False)
                message = f"{one.account} lost {money(one.loss, one.currency)} on {one.day} (limit {limit})"
                yield RuleFinding(
                    one.account, CRITICAL, message, scopes=tuple(scopes), cause=f"{one.account} {one.day}"
                )


class NoEvents(Rule, tag="no_events", frozen=True, kw_only=True):
    """A run has been silent for more than ``max_silence_s``; one that nobody knows or that never wrote is, too."""

    max_silence_s: Window = 600.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Grade the silence of a run that has not ended."""
        if run.state == UNKNOWN:
            yield self.finding(run, CRITICAL, f"there is no run {run.run_id}: neither a folder nor a record")
            return
        if run.state not in (*ALIVE, DIED, "unreadable"):
            return
        since = run.last_event_at or run.started_at
        if since is None:
            yield self.finding(run, CRITICAL, "it never wrote an event, and its start is not known")
            return
        silence = (run.now - since).total_seconds()
        if severity := graded(silence, self.max_silence_s):
            if run.last_event_at is None:
                severity = CRITICAL
            what = "no event" if run.last_event_at else "it never wrote an event"
            yield self.finding(run, severity, f"{what} for {span(silence)} (limit {span(self.max_silence_s)})")


class ErrorSpike(Rule, tag="error_spike", frozen=True, kw_only=True):
    """More than ``max_errors`` failures, refusals of the venue and feed faults within ``window_s``."""

    max_errors: AtMost = 5
    window_s: Window = 600.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Count the errors in the window."""
        if run.meter is not None:
            count = run.meter.errors(self.window_s, run.clock or run.now)
            yield from self.too_many(run, count, self.max_errors, "errors")


class DenyBurst(Rule, tag="deny_burst", frozen=True, kw_only=True):
    """More than ``max_denials`` orders were denied within ``window_s``."""

    max_denials: AtMost = 20
    window_s: Window = 3600.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Count the denials in the window."""
        if run.meter is not None:
            count = run.meter.denials(self.window_s, run.clock or run.now)
            yield from self.too_many(run, count, self.max_denials, "orders denied")


class RejectsInRow(Rule, tag="rejects_in_row", frozen=True, kw_only=True):
    """The venue refused ``orders`` orders in a row, or ``critical_orders``, which is critical."""

    orders: AtLeast = 3
    critical_orders: AtLeast = 5

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Look at the refusals since the last order that was taken."""
        rejects = max(run.rejects_in_row, run.meter.rejects_in_row if run.meter else 0)
        limit = self.critical_orders if rejects >= self.critical_orders else self.orders
        if rejects >= limit:
            severity = CRITICAL if limit == self.critical_orders else self.severity
            yield self.finding(run, severity, f"the venue refused {many(rejects, 'order')} in a row (limit {limit})")


class RiskRed(Rule, tag="risk_red", frozen=True, kw_only=True):
    """A running session says that one of its limits is reached."""

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Look at the level that the session last said."""
        if run.alive and run.meter is not None and run.meter.level == "red":
            yield self.finding(run, self.severity, "its risk status is red: a limit is reached")


class HeartbeatLost(Rule, tag="heartbeat", frozen=True, kw_only=True):
    """The process of a run is gone, or lives without a heartbeat for more than ``max_age_s``."""

    max_age_s: Window = 15.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Grade the age of the heartbeat."""
        if run.state == DIED:
            yield self.finding(run, CRITICAL, "its process is gone without a word")
        elif run.alive and run.heartbeat_at is not None:
            age = (run.now - run.heartbeat_at).total_seconds()
            if severity := graded(age, self.max_age_s):
                yield self.finding(run, severity, f"no heartbeat for {span(age)} although its process lives: it hangs")


class StaleFeed(Rule, tag="stale_feed", frozen=True, kw_only=True):
    """A feed in real time brings no bar for more than ``max_bars`` bars; or any feed is ``late_s`` later than two bars.

    The second is critical. A feed that writes notices but brings no bar is late, too.
    """

    max_bars: Window = 3.0
    late_s: Window = 600.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Grade the time since the last event, and of a feed in real time since the close of its last bar."""
        times = [at for at in (run.last_event_at, run.bar_closed_at) if at is not None]
        if not run.alive or not times:
            return
        age = max((run.now - at).total_seconds() for at in times)
        late = age - 2.0 * run.bar_s
        if reached(late, self.late_s):
            yield self.finding(
                run, CRITICAL, f"nothing comes: {span(late)} later than two bars (limit {span(self.late_s)})"
            )
        elif run.bar_closed_at is not None and above(age / run.bar_s, self.max_bars):
            yield self.finding(
                run, WARNING, f"its last bar is {span(age)} old, {age / run.bar_s:.1f} bars (limit {self.max_bars:g})"
            )


class FailedSession(Rule, tag="failed_session", frozen=True, kw_only=True):
    """A session failed, or its process died, within the last ``recent_s``: find out why, and write it down."""

    recent_s: Window = 86_400.0

    def look(self, run: RunFacts) -> Iterator[RuleFinding]:
        """Look at how the run ended."""
        if run.failed and run.state != DIED and recent(run, self.recent_s):
            severity, runbook = of_error(run.error)
            worst = max(self.severity, severity, key=SEVERITIES.index)
            yield self.finding(run, worst, f"session failed: {run.error or 'no error was recorded'}", runbook)


class FailedInRow(Rule, tag="failed_in_row", frozen=True, kw_only=True):
    """The last ``sessions`` sessions of a mode, strategy and symbol failed; those that a person stopped do not count."""

    group_by: Group = "scope"
    sessions: AtLeast = 2
    recent_s: Window = 86_400.0

    def find(self, facts: DeskFacts) -> Iterator[RuleFinding]:
        """Look at the newest sessions of each scope, and at who resumed it since."""
        resumed = {s.scope: s.since for s in facts.scopes if s.state == "ACTIVE" and before(s.since, facts.now)}
        newest: dict[str, list[RunFacts]] = {}
        for run in facts.ended:
            if self.concerns(run):
                newest.setdefault(run.scope, []).append(run)
        for scope, runs in newest.items():
            row: list[RunFacts] = []
            for run in runs:
                if run.state == "completed" or before(run.ended_at, resumed.get(scope)):
                    break
                row += [run] if run.failed else []
            if len(row) >= self.sessions and recent(row[0], self.recent_s):
                why = row[0].error or "no error"
                yield self.finding(
                    row[0], CRITICAL, f"{many(len(row), 'session')} of {scope} failed in a row, the last with {why}"
                )


AnyRule = (
    PnlDrop | Drawdown | DailyLoss | NoEvents | ErrorSpike | DenyBurst | RejectsInRow | RiskRed | NearLiquidation |
    HeartbeatLost | StaleFeed | FailedSession | FailedInRow | DiskFree | ReportOverdue | FailedJob | Unapproved |
    KillSwitchEngaged
)  # fmt: skip
