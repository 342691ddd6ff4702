"""The daily and the weekly report, table by table: what their notebooks show and their markdown says.

Long lists are cut to what needs a look; the totals always cover everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from itertools import accumulate, cycle
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import both
from peaktrade_core.reports import summary as ps
from peaktrade_core.reports.experiments import in_short
from peaktrade_core.runbooks.shelf import Notebook
from peaktrade_core.runs.columns import RUNS, state_cell
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.runs.run import Run
from peaktrade_core.schedule import periods
from peaktrade_core.show import wording
from peaktrade_core.show.chart import TONES, Chart, Line
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.cover import Cover, needing, utc, verdict_on
from peaktrade_core.show.table import Cell, Table

if TYPE_CHECKING:
    from peaktrade_core.reports.summary import Result, Summary

MOST = 20  # rows of a list of sessions or alerts
COMPARED, NAMED = 200, 5  # sessions held against their backtests (some 0.05 s each), and sentences about them
DOTTED = 50  # of more sessions the ends are not marked
NO_SESSION = "No session began in this period. `peaktrade session run` starts one."


class PeriodReport(Notebook):
    """What happened in a day or a week, table by table."""

    @property
    def span(self) -> periods.Span:
        """The day or week.

        Raises:
            ConfigError: there is no such day or week, or it has not begun.
        """
        raise NotImplementedError

    @cached_property
    def summary(self) -> Summary:
        """What happened in it; raises as :attr:`span`."""
        return ps.summarize(self.workspace, self.span)

    def cover(self) -> Cover:
        """Return the period at a glance."""
        summary, span, chart = self.summary, self.summary.span, self.figure()
        verdict, told = verdict_on(summary.attention)
        names = dict.fromkeys(result.name for result in summary.by_strategy)
        day = span.kind == periods.DAY
        over = "" if summary.as_of >= span.until else ", not over yet"
        command = f"`peaktrade report {'daily --date' if day else 'weekly --week'} {span.label}`"
        return Cover(
            subject=f"{'The day' if day else 'The week'} {span.label}",
            whose=f"all sessions{': ' * bool(names)}{', '.join(names)}",
            when=f"as of {utc(summary.as_of)}{over}",
            verdict=verdict,
            why=told,
            figures=(
                (wording.TOTAL, Cell(_money(summary.by_currency, "total_pnl"))),
                ("Sessions", Cell(_outcomes(summary.by_currency))),
                ("Largest drawdown", Cell(wording.drawdown(_worst(summary.by_currency)))),
            ),
            chart=chart if isinstance(chart, Chart) else None,
            needs=needing(summary.attention),
            links=(("Keep it:", Cell(command)), ("Alerts:", Cell("`peaktrade alerts list`"))),
        )

    def overview(self) -> Table:
        """Return the figures of the period in one table, beside those of the one before."""
        summary = self.summary
        now, before = _total(summary.by_currency), _total(summary.before)
        rows = [
            ("Sessions", _outcomes(summary.by_currency), _outcomes(summary.before)),
            (wording.TOTAL, _money(summary.by_currency, "total_pnl"), _money(summary.before, "total_pnl")),
            (wording.REALIZED, _money(summary.by_currency, "realized_pnl"), _money(summary.before, "realized_pnl")),
            (
                "Largest drawdown",
                wording.drawdown(_worst(summary.by_currency)),
                wording.drawdown(_worst(summary.before)),
            ),
            ("Orders executed", wording.count(now.get("orders", 0)), wording.count(before.get("orders", 0))),
            ("Orders denied", wording.count(now.get("blocked", 0)), wording.count(before.get("blocked", 0))),
            ("Alerts raised", _alerts(summary), ""),
            ("Changes of the trading state", wording.count(len(summary.halts)), ""),
            ("Research", in_short(summary.research), ""),
        ]
        span = summary.span
        note = (
            f"UTC, from {wording.minute(span.since)} to {wording.minute(span.until)}; "
            f"as of {both(summary.as_of)}" + ("" if summary.as_of >= span.until else ": the period is not over")
        )
        title = f"{'The day' if span.kind == periods.DAY else 'The week'} {span.label}"
        return Table(title, ("", span.label, span.before.label), rows, note=note)

    def attention(self) -> Table:
        """Return the escalation path, evaluated, and what else needs a look."""
        return check_table(self.summary.attention, "Does anything need a person?")

    def results(self) -> Table:
        """Return the results by strategy and by symbol."""
        rows = [
            (
                result.name,
                result.currency,
                wording.count(result.sessions),
                wording.count(result.completed),
                wording.count(result.failed),
                wording.count(result.aborted),
                wording.count(result.orders),
                wording.count(result.blocked),
                wording.signed(result.total_pnl, result.currency, code=False),
                wording.signed(result.realized_pnl, result.currency, code=False),
                wording.drawdown(result.max_drawdown),
            )
            for result in (*self.summary.by_strategy, *self.summary.by_symbol)
        ]
        columns = ("By strategy, then by symbol", "Currency", "Sessions", "OK", "Failed", "Aborted", "Orders", "Denied")
        return Table(
            "Results",
            (*columns, wording.TOTAL, wording.REALIZED, "Max DD"),
            rows,
            numbers=range(2, 11),
            empty=NO_SESSION.replace("`", ""),
        )

    def figure(self) -> Chart | Table:
        """Return total PnL, summed up over the sessions of the period in the order of their ends, a line a currency."""
        ended: dict[str, list[tuple[datetime, str, float]]] = {}
        for row in self.summary.sessions:
            if row.ended_at and row.total_pnl is not None:
                rows = ended.setdefault(wording.quote_currency(row.symbol), [])
                rows.append((row.ended_at, row.run_id, row.total_pnl))
        if not ended:
            return Table(wording.TOTAL, (), [], empty="No session has ended, so there is nothing to draw.")
        lines = []
        for (currency, rows), tone in zip(sorted(ended.items()), cycle(TONES), strict=False):
            rows.sort()
            ts = [self.summary.span.since, *(at for at, *_ in rows)]
            sums = [*accumulate((pnl for *_, pnl in rows), initial=0.0)]
            lines.append(Line(currency, ts, sums, tone, stepped=True, dotted=len(ts) < DOTTED))
        totals = ", ".join(wording.signed(line.values[-1], line.name) for line in lines)
        return Chart(
            name="results",
            title=f"{wording.TOTAL}, summed up",
            unit=lines[0].name if len(lines) == 1 else "",
            label=f"{wording.TOTAL}, summed up over the period: {totals}",
            lines=lines,
        )

    def failures(self) -> Table:
        """Return the sessions that failed, each with its next step and runbook; then those that were aborted."""
        summary = self.summary
        aborted = [row for row in (*summary.carried, *summary.sessions) if row.status == "aborted"]
        rows = [*summary.ended_badly, *aborted]
        shown = [
            (
                row.run_id,
                state_cell(row),
                _at(row.ended_at, summary),
                row.notes or wording.NOTHING,
                next_step(row.notes),
            )
            for row in rows[:MOST]
        ]
        columns = ("Session", "Status", "Ended (UTC)", "Error", "What to do")
        return Table(
            "Failed and aborted", columns, shown, note=_cut(rows), empty="None: every session that ended has completed."
        )

    def sessions(self) -> Table:
        """Return the sessions that weigh most: still open, then the largest losses and gains; all when they are few."""
        summary = self.summary
        open_ = summary.still_open
        ended = sorted((row for row in summary.sessions if row not in open_), key=lambda row: row.total_pnl or 0.0)
        few = len(summary.sessions) <= MOST
        chosen = summary.sessions if few else [*open_[:MOST], *ended[: MOST // 2], *ended[-MOST // 2 :]]
        title = "Sessions" if few else "Sessions: still open, largest losses, largest gains"
        return _sessions(title, chosen, _cut(summary.sessions, len(chosen)), NO_SESSION.replace("`", ""))

    def carried(self) -> Table:
        """Return the sessions that began before the period and ended in it."""
        return _sessions(
            "Began earlier, ended in this period",
            self.summary.carried[:MOST],
            _cut(self.summary.carried),
            "None. Every session that ended here also began here.",
        )

    def denials(self) -> Table:
        """Return how often each code denied an order."""
        rows = [(code, wording.count(n)) for code, n in self.summary.denials.items()]
        return Table("Orders denied, by code", ("Code", "Times"), rows, numbers=(1,), empty="No order was denied.")

    def alerts(self) -> Table:
        """Return the alerts that were raised, with who took care of them."""
        summary = self.summary
        rows = [
            (
                _at(row.raised_at, summary),
                Cell(row.severity, {"critical": "bad", "warning": "mid"}.get(row.severity, "")),
                row.rule_id,
                row.run_id or wording.NOTHING,
                row.message,
                row.state,
                row.acknowledged_by or "nobody yet",
                row.runbook or wording.NOTHING,
            )
            for row in summary.alerts[:MOST]
        ]
        columns = ("Raised (UTC)", "Severity", "Rule", "Run", "Message", "Now", "Acknowledged by", "Runbook")
        return Table("Alerts", columns, rows, note=_cut(summary.alerts), empty="No alert was raised.")

    def halts(self) -> Table:
        """Return the changes of the trading state and of the kill switch."""
        summary = self.summary
        rows = [(_at(one.at, summary), one.who, one.text) for one in summary.halts[:MOST]]
        return Table(
            "Halts and releases",
            ("At (UTC)", "By", "What"),
            rows,
            note=_cut(summary.halts),
            empty="Nothing was halted.",
        )

    def research(self) -> Table:
        """Return what research did, each with what it says: tries, forward signals, openings, promotions, refusals."""
        summary = self.summary
        rows = [(_at(one.at, summary), one.what, one.about, one.by, one.why, one.told) for one in summary.research]
        return Table(
            "Experiments",
            ("At (UTC)", "What", "Of", "By", "Asked", "What came of it"),
            rows[:MOST],
            note=_cut(rows),
            empty="Nothing was tried, written, opened or promoted.",
        )

    def differences(self) -> Table:
        """Return the sessions that began in the period beside their backtests, a line a day; of many the newest."""
        from peaktrade_core.research.over_sessions.rest import rests_between

        span = self.summary.span
        found = rests_between(self.workspace, span.since, span.until, COMPARED)
        told = [f"{one.session_id} has a rest: `peaktrade session diff {one.session_id}`." for one in found.with_rest]
        told += [f"{one.session_id} could not be compared: {one.fault}." for one in found.sessions if one.fault]
        if len(told) > NAMED:
            told[NAMED:] = [f"{len(told) - NAMED} more: `peaktrade session diff --all`."]
        ended = sum(row.final for row in self.summary.sessions)
        if ended > COMPARED:
            told.append(
                f"These are the newest {COMPARED} of {ended:,} sessions; `peaktrade session diff --all` takes all."
            )
        note = Cell(" ".join(told), code=True)
        return found.table(note=note, empty="No session that began in this period has ended.")

    def tables(self) -> list[Table]:
        """Return everything that a report says, in its order."""
        shown = (self.overview, self.attention, self.results, self.failures, self.sessions, self.carried)
        return [show() for show in (*shown, self.denials, self.alerts, self.halts, self.research, self.differences)]


class DailyReport(PeriodReport):
    """The report of a UTC day: ``2026-01-04``, ``today`` or ``yesterday``."""

    @property
    def span(self) -> periods.Span:
        """The day; raises as for every period."""
        return periods.span_named(periods.DAY, self.given.date, self.workspace.clock.now())


class WeeklyReport(PeriodReport):
    """The report of an ISO week: ``2026-W01``, ``this`` or ``last``."""

    @property
    def span(self) -> periods.Span:
        """The week; raises as for every period."""
        return periods.span_named(periods.WEEK, self.given.week, self.workspace.clock.now())


def _sessions(title: str, rows: Sequence[Run], note: str, empty: str) -> Table:
    """Return sessions as rows."""
    shown = "run state started duration strategy symbol feed total realized drawdown orders denied"
    return RUNS.table(title, rows, shown, note=note, empty=empty)


def _at(moment: datetime | None, summary: Summary) -> str:
    """Return a time, without the day where the title says it."""
    if moment is None or moment.date() != summary.span.since.date() or summary.span.kind != periods.DAY:
        return wording.minute(moment)
    return f"{moment:%H:%M}"


def _total(results: Sequence[Result]) -> Counter[str]:
    """Return the sums that do not depend on the currency."""
    total: Counter[str] = Counter()
    for result in results:
        total.update({"orders": result.orders, "blocked": result.blocked})
    return total


def _outcomes(results: Sequence[Result]) -> str:
    """Return how many sessions there were and how they ended."""
    counts = Counter[str]()
    for result in results:
        parts = ("completed", "failed", "aborted", "open")
        counts.update({"sessions": result.sessions, **{part: getattr(result, part) for part in parts}})
    told = ", ".join(f"{counts[part]} {part}" for part in ("completed", "failed", "aborted", "open") if counts[part])
    return f"{counts['sessions']:,}: {told}" if counts["sessions"] else "0"


def _money(results: Sequence[Result], name: str) -> str:
    """Return a figure in each currency."""
    return " · ".join(wording.signed(getattr(r, name), r.currency) for r in results) or wording.NOTHING


def _worst(results: Sequence[Result]) -> float | None:
    """Return the largest drawdown [fraction]."""
    return max((r.max_drawdown for r in results if r.max_drawdown is not None), default=None)


def _alerts(summary: Summary) -> str:
    """Return how many alerts were raised, how bad, and how many were taken care of."""
    counts = Counter(row.severity for row in summary.alerts)
    told = ", ".join(f"{counts[name]} {name}" for name in ("critical", "warning", "info") if counts[name])
    return f"{len(summary.alerts)}" + (f" ({told})" if told else "") + f", {summary.acknowledged} acknowledged"


def _cut(rows: Sequence[object], shown: int = MOST) -> str:
    """Return a sentence when not everything is shown."""
    return f"{min(shown, len(rows))} of {len(rows):,} are shown." if len(rows) > shown else ""
