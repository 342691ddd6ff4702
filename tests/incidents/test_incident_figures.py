"""Figures of incidents, alerts, halts and drills say what the tables beside them say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.figures import alerts_figure
from peaktrade_core.desk.kill_switch import halts_figure
from peaktrade_core.drills.figures import drill_figure
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.diagnosis.facts import SessionFacts
from peaktrade_core.incidents.figures import calls_figure, causes_figure, gap_figure
from peaktrade_core.research.divergence_events import pair_trades
from peaktrade_core.runbooks.notebook import open_session
from peaktrade_core.show.chart import WIDTH, Chart, Frame
from peaktrade_core.show.table import Table
from peaktrade_core.testing import LoopbackVenue, VenueFault
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.statistics import Trade
from peaktrade_core.workspace.workspace import Workspace
from tests.drills.drill_rig import drilled
from tests.venue.rig import VenueDesk

AT = datetime(2026, 1, 5, 6, tzinfo=UTC)


def test_missing_bars_are_shaded_and_the_line_does_not_cross_them(desk: VenueDesk, venue: LoopbackVenue) -> None:
    first = venue.clock.seconds() // 60 * 60 + 600.0
    venue.faults.add(VenueFault.hole(first, first + 120.0), path="OHLC")
    desk.session(steps=60)
    chart = gap_figure(open_session(desk.workspace))
    assert isinstance(chart, Chart)
    (span,) = chart.spans
    assert (span.first.timestamp(), chart.marks[0].name) == (first, "gap")
    assert "bars missing" in chart.marks[0].marks[0].text
    from peaktrade_core.show.chart import pieces

    before, after = pieces(chart.lines[0])
    assert before[-1][0] <= span.last < after[0][0]


def test_failed_calls_are_counted_by_minute_and_kind(desk: VenueDesk, venue: LoopbackVenue) -> None:
    venue.faults.add(VenueFault.named("rate_limited"), path="OHLC", skip=8, times=2)
    desk.session(steps=30)
    session = open_session(desk.workspace)
    troubles = SessionFacts(desk.workspace, session.id).troubles
    assert troubles
    chart = calls_figure(session, troubles)
    assert isinstance(chart, Chart)
    assert {line.name: sum(line.values) for line in chart.lines} == {
        "bars and answers that came": sum(isinstance(one, BarDone) for one in session.events),
        "rate limit": len(troubles),
    }


def test_the_difference_by_cause_adds_up(workspace: Workspace) -> None:
    def trade(minute: int, price: float, fees: float = 1.0) -> Trade:
        entry = AT + timedelta(minutes=minute)
        pnl = 110.0 - price - fees
        return Trade(1, 1.0, entry, entry + timedelta(minutes=5), price, 110.0, fees, pnl)

    mine = [trade(0, 100.0), trade(10, 101.0), trade(20, 100.0, 2.0)]
    pairs = pair_trades(mine, [trade(0, 100.0), trade(10, 100.0), trade(20, 100.0)])
    chart = causes_figure(pairs, "EUR")
    assert isinstance(chart, Chart)
    assert {line.name: line.values[-1] for line in chart.lines} == {"prices": -1.0, "fees": -1.0}
    assert isinstance(causes_figure(pairs[:1], "EUR"), Table)


def row(raised: int, cleared: int | None = None, taken: int | None = None, severity: str = "warning") -> AlertRow:
    """Return an alert by the hours at which something became of it."""
    at = [None if hour is None else AT + timedelta(hours=hour) for hour in (raised, cleared, taken)]
    assert at[0] is not None
    return AlertRow(
        alert_id=f"a{raised}", rule_id="r", key="", severity=severity, run_id=None, symbol=None, message="m",
        state="cleared" if cleared is not None else "raised", raised_at=at[0], changed_at=at[0], severity_at=at[0],
        cleared_at=at[1], acknowledged_at=at[2], acknowledged_by=taken and "Ada",
    )  # fmt: skip


def test_alerts_over_time_count_the_open_and_those_of_no_one() -> None:
    now = AT + timedelta(hours=10)
    chart = alerts_figure([row(0, cleared=4), row(1, taken=3, severity="critical"), row(-300, cleared=-299)], now)
    assert isinstance(chart, Chart)
    opened, free = chart.lines
    assert opened.values == [0.0, 1.0, 2.0, 1.0, 1.0]
    assert free.values == [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]
    assert [(kind.name, len(kind.marks)) for kind in chart.marks] == [("critical raised", 1), ("others raised", 1)]
    assert isinstance(alerts_figure([row(-300, cleared=-299)], now), Table)


def test_halts_over_time_show_every_scope(workspace: Workspace) -> None:
    assert isinstance(halts_figure(workspace), Table)
    KillSwitch.of(workspace).engage("Ada", "strange fills")
    TradingStates.of(workspace).set(
        "shadow.ma_crossover.BTC/EUR", "HALTED", by="Bo", reason="look", now=datetime.now(UTC)
    )
    KillSwitch.of(workspace).request_release("Ada", "mended")
    chart = halts_figure(workspace)
    assert isinstance(chart, Chart)
    assert {line.name: chart.lanes[int(line.values[-1])] for line in chart.lines} == {
        "global": "NO_ORDERS", "shadow.ma-crossover.BTC-EUR": "HALTED"
    }  # fmt: skip
    assert [(kind.name, len(kind.marks)) for kind in chart.marks] == [
        ("halted", 2),
        ("release asked for or refused", 1),
    ]
    assert "by Ada: strange fills" in chart.marks[0].marks[0].text
    frame = Frame(chart)
    assert max(frame.x(mark.ts) for kind in chart.marks for mark in kind.marks) < 0.98 * WIDTH  # whole at the edge


def test_a_drill_over_time_has_its_detection_and_reaction(workspace: Workspace) -> None:
    drill = drilled(workspace, "rate_limit")
    chart = drill_figure(drill)
    assert [len(kind.marks) for kind in chart.marks] == [len(drill.actions), len(drill.alerts), len(drill.faults)]
    detection, reaction = chart.spans
    assert detection.first == min(one.at for one in drill.faults)
    assert detection.last == reaction.first == min(one.at for one in drill.alerts)
    assert reaction.last == max(one.at for one in drill.actions)
