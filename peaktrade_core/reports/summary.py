"""What happened in a day or a week: sessions, results, denials, alerts, halts, and what needs a person's attention.

A session belongs to the UTC day on which it began, as everywhere; one that began earlier and ended within the period is
told beside it. The figures come from :mod:`views`, so that they are the dashboard's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.records.registry import Query
from peaktrade_core.reports.activity import Activity, ActivityFeed
from peaktrade_core.reports.experiments import Experiment, experiments
from peaktrade_core.runs.questions import of_drawdown
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.periods import Span
from peaktrade_core.show.wording import NOTHING, quote_currency
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.workspace import Workspace

LOOK_BACK = timedelta(days=35)  # a session that began earlier and ends now is not looked for
MOST_EVENTS = 10_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions that belong together and count in one currency.

    Attributes:
        name: what they share; sessions, completed, failed, aborted, open: how many; orders, blocked: executed, denied.
        realized_pnl, total_pnl: their sums [currency]; max_drawdown: their worst [fraction], null when none has one.
    """

    name: str
    currency: str
    sessions: int
    completed: int
    failed: int
    aborted: int
    open: int
    orders: int
    blocked: int
    realized_pnl: float
    total_pnl: float
    max_drawdown: float | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A day or a week.

    Attributes:
        as_of: when this was looked at.
        sessions: that began in it, oldest first; carried: that began earlier and ended in it.
        unreadable: files of the registry that nobody can read.
        by_currency, before: results of the period and of the one before; by_strategy, by_symbol: the same, split.
        denials: how often each code denied an order.
        alerts: raised in it; acknowledged: how many of all alerts were acknowledged in it.
        halts: changes of the trading state and of the kill switch.
        research: what was tried, forward signals, openings of the hold-out, promotions, refusals.
        attention: the escalation path, evaluated, and what else a person should look at.
    """

    span: Span
    as_of: datetime
    sessions: list[Run]
    carried: list[Run]
    unreadable: list[Run]
    by_currency: list[Result]
    before: list[Result]
    by_strategy: list[Result]
    by_symbol: list[Result]
    denials: dict[str, int]
    alerts: list[AlertRow]
    acknowledged: int
    halts: list[Activity]
    research: list[Experiment]
    attention: list[Check]

    @property
    def ended_badly(self) -> list[Run]:
        """The sessions that failed, also those that began earlier."""
        return [row for row in (*self.carried, *self.sessions) if row.status == "failed"]

    @property
    def still_open(self) -> list[Run]:
        """The sessions that have not ended."""
        return [row for row in self.sessions if row.status == "started"]


def summarize(place: Workspace, span: Span) -> Summary:
    """Return what happened in a day or week.

    Raises:
        EnvironmentFault: the registry cannot be read.
    """
    views = Views.of(place)
    now = views.now()
    every = views.rows(Query(since=span.since - LOOK_BACK))
    rows = [row for row in every if row.status != UNREADABLE and row.counted]
    rows.reverse()
    sessions = [row for row in rows if _within(row.started_at, span)]
    carried = [row for row in rows if row.started_at and row.started_at < span.since and _within(row.ended_at, span)]
    alerts = Alerts.of(place).rows()
    raised = [row for row in alerts if _within(row.raised_at, span)]
    earlier = [row for row in rows if _within(row.started_at, span.before)]
    unreadable = views.rows(Query(status=UNREADABLE))
    return Summary(
        span=span,
        as_of=now,
        sessions=sessions,
        carried=carried,
        unreadable=unreadable,
        by_currency=results(sessions, quote=True),
        before=results(earlier, quote=True),
        by_strategy=results(sessions, "strategy"),
        by_symbol=results(sessions, "symbol"),
        denials=_denials(views, sessions),
        alerts=raised,
        acknowledged=sum(_within(row.acknowledged_at, span) for row in alerts),
        halts=[
            one
            for one in ActivityFeed.of(place)(MOST_EVENTS, kinds=("halt",), since=span.since)
            if _within(one.at, span)
        ],
        research=experiments(place, span),
        attention=attention(sessions, raised, unreadable, complete=now >= span.until),
    )


def results(rows: Iterable[Run], by: str = "", *, quote: bool = False) -> list[Result]:
    """Return the results of sessions by a field of theirs and by currency, sorted by name.

    Args:
        rows: the sessions.
        by: ``strategy`` or ``symbol``.
        quote: by currency alone.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for row in rows:
        currency = quote_currency(row.symbol)
        name = currency if quote else str(getattr(row, by) or NOTHING)
        groups.setdefault((name, currency), []).append(row)
    return [_result(name, currency, rows) for (name, currency), rows in sorted(groups.items())]


def _result(name: str, currency: str, rows: list[Run]) -> Result:
    """Return the result of sessions in one currency."""
    counts = Counter(row.status for row in rows)
    drawdowns = [row.max_drawdown for row in rows if row.max_drawdown is not None]
    return Result(
        name=name,
        currency=currency,
        sessions=len(rows),
        completed=counts["completed"],
        failed=counts["failed"],
        aborted=counts["aborted"],
        open=counts["started"],
        orders=sum(row.num_orders or 0 for row in rows),
        blocked=sum(row.orders_blocked or 0 for row in rows),
        realized_pnl=sum(row.realized_pnl or 0.0 for row in rows),
        total_pnl=sum(row.total_pnl or 0.0 for row in rows),
        max_drawdown=max(drawdowns, default=None),
    )


def attention(
    sessions: Sequence[Run], alerts: Sequence[AlertRow], unreadable: Sequence[Run], *, complete: bool
) -> list[Check]:
    """Return the escalation path, evaluated over a period, and what else a person should look at.

    Args:
        sessions: oldest first.
        alerts: raised in the period.
        unreadable: files that nobody can read.
        complete: whether the period is over.

    Source: operator workflow 6.3.
    """
    return [
        *_escalation(sessions),
        _acknowledged(alerts),
        *_records(sessions, unreadable, complete=complete),
    ]


def _escalation(sessions: Sequence[Run]) -> list[Check]:
    """Return the steps of the escalation path: one failed, two in a row, a drawdown."""
    failed = [row.run_id for row in sessions if row.status == "failed"]
    in_a_row = _most_failed_in_a_row(sessions)
    worst = max(sessions, key=lambda row: row.max_drawdown or 0.0, default=None)
    drawdown = (worst.max_drawdown or 0.0) if worst else 0.0
    return [
        check(
            "failed",
            "Failed sessions",
            not failed,
            _named(failed),
            "Investigate each and document it.",
            otherwise=WARN,
        ),
        check(
            "in_a_row",
            "Sessions that failed in a row",
            in_a_row < 2,
            f"at most {in_a_row} in a row",
            "Pause, and find the root cause before the next session.",
        ),
        check(
            "drawdown",
            "Did every drawdown stay below 5 %?",
            of_drawdown(drawdown) == PASS,
            f"at most {100 * drawdown:.2f} %, in {worst.run_id}"
            if worst and drawdown
            else f"at most {100 * drawdown:.2f} %",
            "Pause at once and escalate." if of_drawdown(drawdown) == FAIL else "Risk review; adapt the strategy.",
            otherwise=of_drawdown(drawdown),
        ),
    ]


def _acknowledged(alerts: Sequence[AlertRow]) -> Check:
    """Return whether somebody took every alert on that asked for it."""
    unseen = [row for row in alerts if row.severity != "info" and row.acknowledged_at is None]
    return check(
        "alerts",
        "Was every alert acknowledged?",
        not unseen,
        f"{len(unseen)} of {len(alerts)} not" if unseen else f"{len(alerts)} raised",
        "`peaktrade alerts list` shows them; `peaktrade alerts ack` with your name.",
        otherwise=FAIL if any(row.severity == "critical" for row in unseen) else WARN,
    )


def _records(sessions: Sequence[Run], unreadable: Sequence[Run], *, complete: bool) -> list[Check]:
    """Return whether the sessions of the period are over, and their records whole."""
    open_ = [row.run_id for row in sessions if row.status == "started"]
    return [
        check(
            "open",
            "Has every session ended?",
            not open_ or not complete,
            _named(open_) if open_ else "every one",
            "They run past the end of the period; is that meant?",
            otherwise=WARN,
        ),
        check(
            "records",
            "Can every record be read?",
            not unreadable,
            _named([row.run_id for row in unreadable]),
            "`peaktrade session list --status unreadable` says what is wrong with them.",
            otherwise=WARN,
        ),
    ]


def _most_failed_in_a_row(sessions: Iterable[Run]) -> int:
    """Return the longest run of failed sessions among those that ended; one that was stopped breaks no run."""
    most = now = 0
    for row in sessions:
        if row.status == "failed":
            now += 1
            most = max(most, now)
        elif row.status == "completed":
            now = 0
    return most


def _named(ids: Sequence[str]) -> str:
    """Return how many there are and the first names."""
    return f"{len(ids)}: {', '.join(ids[:3])}{' …' if len(ids) > 3 else ''}" if ids else "none"


def _denials(views: Views, sessions: Iterable[Run]) -> dict[str, int]:
    """Return how often each code denied an order, the commonest first."""
    counts: Counter[str] = Counter()
    for row in sessions:
        if row.orders_blocked:
            codes = views.record(row.run_id).metrics.get("deny_codes")
            if isinstance(codes, dict):
                counts.update({str(code): n for code, n in codes.items() if isinstance(n, int)})
    return dict(counts.most_common())


def _within(moment: datetime | None, span: Span) -> bool:
    return moment is not None and span.since <= moment < span.until
