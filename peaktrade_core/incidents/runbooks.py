"""The incident runbooks, each with the figures of what it treats."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from types import SimpleNamespace
from typing import ClassVar

from peaktrade_core.base.question import Check
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.diagnosis.facts import SessionFacts
from peaktrade_core.incidents.diagnosis.findings import Diagnosis
from peaktrade_core.incidents.divergence import DivergenceCase, conditions, open_divergence
from peaktrade_core.incidents.figures import calls_figure, causes_figure, gap_figure
from peaktrade_core.incidents.lately import lately_suggestions
from peaktrade_core.incidents.runbook import IncidentRunbook
from peaktrade_core.runbooks.figures import course_figure, limit_use_figure
from peaktrade_core.runbooks.pickers import Suggestion
from peaktrade_core.runs.execution import costs_of, executions
from peaktrade_core.runs.handbook import condition
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

MOST = 15  # rows of a table of trades


class DataGapRunbook(IncidentRunbook):
    """Data are incomplete."""

    notebook: ClassVar[str] = "incident_data_gap"

    def gaps(self) -> Chart | Table:
        """Return the close over time, shaded where bars are missing."""
        return gap_figure(self.case.session)


class ExchangeErrorRunbook(IncidentRunbook):
    """The venue, or the way to it, failed."""

    notebook: ClassVar[str] = "incident_exchange_error"

    def calls(self) -> Chart | Table:
        """Return how many calls failed each minute, beside what came."""
        return calls_figure(self.case.session, SessionFacts(self.workspace, self.case.id).troubles)


class FailedSessionRunbook(IncidentRunbook):
    """A session failed or died."""

    notebook: ClassVar[str] = "incident_failed_session"

    def course(self) -> Chart | Table:
        """Return equity over time with fills, denied orders and halts."""
        return course_figure(self.case.session)


class RiskLimitRunbook(IncidentRunbook):
    """A risk limit was reached."""

    notebook: ClassVar[str] = "incident_risk_limit"

    def limits_over_time(self) -> Chart | Table:
        """Return how much of the limits was used over time, with what was denied and halted."""
        return limit_use_figure(self.case.session)


class DivergenceRunbook(IncidentRunbook):
    """The runbook of a PnL divergence being executed: a session beside what was expected of it."""

    notebook: ClassVar[str] = "incident_pnl_divergence"
    asked = "Is the PnL what was expected?"

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is meant."""
        return cls.meant(workspace, given)

    @classmethod
    def diagnosed(cls, workspace: Workspace, session_id: str, given: SimpleNamespace) -> Diagnosis:
        """Return a session's diagnosis with the comparison; raises as :func:`open_divergence`."""
        found = open_divergence(workspace, session_id, given.other, given.candles, given.threshold_pct)
        return found.diagnosis

    @classmethod
    def offered(cls, parameter: str, workspace: Workspace) -> list[Suggestion]:
        """Return what ``latest`` means; a form does not wait for twenty backtests."""
        del workspace
        return lately_suggestions([]) if parameter == "session_id" else []

    @cached_property
    def case(self) -> DivergenceCase:
        """The session beside its expectation."""
        given, session_id = self.given, self.round.record.subject
        return open_divergence(self.workspace, session_id, given.other, given.candles, given.threshold_pct)

    def summary(self) -> Table:
        """Return what came out, what was expected, and where they part."""
        found, currency = self.case.found, self.case.session.currency
        first = found.first
        part = "nowhere: every event is the same"
        if first is not None:
            part = f"{wording.moment(first.at)} UTC, {first.cause}: {first.why}"
        rows: list[tuple[object, object]] = [
            ("Session", f"{found.session_id}, {wording.many(found.bars, 'bar')}"),
            ("Against", found.against),
            ("PnL", wording.signed(float(found.recorded_pnl), currency)),
            ("Expected", wording.signed(float(found.expected_pnl), currency)),
            ("Difference", Cell(wording.signed(float(found.whole), currency), GOOD if not found.whole else MID)),
            ("Of the expectation", wording.percent(found.relative, 1)),
            ("They part", part),
            *(("Note", note) for note in found.notes),
        ]
        if first is not None:
            rows += [("  in the session", first.recorded), ("  expected", first.expected)]
        return Table("Session and expectation", ("", ""), rows)

    def causes(self) -> Table:
        """Return what each cause cost; the amounts add up to the whole difference."""
        found, currency = self.case.found, self.case.session.currency
        rows: list[tuple[object, ...]] = []
        level = shown = Decimal(0)
        for part in found.parts:
            level += part.amount
            cents = round(level, 2) - shown  # of the sums, so that the column adds up to the cent
            shown += cents
            tone = BAD if part.cause == "rest" and part.amount else MID if part.amount else ""
            says = part.says if part.known else f"not known: {part.says}"
            rows.append((Cell(part.cause, tone), wording.signed(float(cents)), _bps(part.bps), says))
        bps = sum(part.bps for part in found.parts)
        rows.append(("together", wording.signed(float(found.whole)), _bps(bps), ""))
        columns = ("Cause", currency or "Amount", "bps of start balance", "What is behind it")
        return Table("What each cause cost", columns, rows, numbers=(1, 2))

    def figure(self) -> Chart:
        """Return the PnL of both over time."""
        return self.case.curves

    def difference(self) -> Chart | Table:
        """Return the difference over time by cause."""
        return causes_figure(self.case.found.pairs, self.case.session.currency)

    def trades(self) -> Table:
        """Return the trades that differ most, session beside expectation."""
        found = self.case.found
        differing = sorted((p for p in found.pairs if p.why != "the same"), key=lambda p: -abs(p.difference))
        rows = [
            (
                wording.moment(pair.entry_at),
                wording.moment(pair.exit_at),
                "long" if pair.side > 0 else "short",
                _pnl(pair.recorded_pnl),
                _pnl(pair.expected_pnl),
                wording.signed(float(pair.difference)),
                pair.why,
            )
            for pair in differing[:MOST]
        ]
        if round(found.open_difference, 2) and differing:
            rows.append(("open at the end", "", "", "", "", wording.signed(float(found.open_difference)), ""))
        columns = ("Entered (UTC)", "Left (UTC)", "Side", "Session", "Expected", "Difference", "How")
        note = f"{len(differing)} of {len(found.pairs)} trades differ" + (
            f", the {MOST} largest shown." if len(differing) > MOST else "."
        )
        empty = f"All {len(found.pairs)} trades are the same."
        return Table("Trade by trade", columns, rows, numbers=(3, 4, 5), note=note, empty=empty)

    def costs(self) -> Table:
        """Return what executions cost on their way: delay, slippage, fee, and what the venue says."""
        costs = costs_of(executions(self.case.session.events))
        known = f"{costs.venue_fills} fills named by the venue" if costs.venue_fills else "the venue names no fill"
        rows = [
            (name, wording.signed(cost), _bps(costs.bps(cost)) if cost is not None else wording.NOTHING, says)
            for name, cost, says in (
                ("delay", costs.delay if costs.told else None, "from the close of the decision to the next open"),
                ("slippage", costs.slippage if costs.told else None, "from that open to the fill"),
                ("fee", costs.fee, "of the fill"),
                ("at the venue", costs.venue_extra, f"worse than recorded there: {known}"),
            )
        ]
        traded = wording.money(costs.notional, self.case.session.currency)
        note = f"{wording.many(costs.fills, 'fill')}, {traded} traded; positive is a cost."
        columns = ("Cost", self.case.session.currency or "Amount", "bps of notional", "Between what")
        empty = "No order was filled."
        return Table("Executions", columns, rows if costs.fills else [], numbers=(1, 2), note=note, empty=empty)

    def conditions(self) -> list[Check]:
        """Return the conditions for going on, answered by a comparison with the settings and candles of now."""
        state = TradingStates.of(self.workspace).in_force(self.case.scope) if self.case.scope else None
        told = "not known" if state is None else f"{state.scope} {state.state}"
        told = f"{told} by {state.by}: {state.reason}" if state is not None and state.by else told
        everything = state is not None and state.everywhere
        may = condition(
            "state",
            state is None or state.state == "ACTIVE",
            told,
            "everything" if everything else "",
            scope=str(self.case.scope),
        )
        return [*conditions(self.case.again(), self.case.threshold), may]


def _pnl(value: Decimal | None) -> str:
    return wording.NOTHING if value is None else wording.signed(float(value))


def _bps(value: float | None) -> str:
    """Return basis points as amounts are written."""
    return wording.signed(value)
