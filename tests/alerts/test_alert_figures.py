"""The alerts over time: what is drawn is what was open, and no alert is counted where it was not."""

from __future__ import annotations

from datetime import datetime, timedelta

from peaktrade_core.alerts.alerts import AlertRow
from peaktrade_core.alerts.figures import DAYS, alerts_figure
from peaktrade_core.show.chart import Chart
from tests.alerts.conftest import at

NOW = at(0) + timedelta(days=20)


def row(name: str, raised: float, acknowledged: float | None = None, cleared: float | None = None) -> AlertRow:
    """Return an alert by the days before :data:`NOW` at which something became of it."""

    def moment(days: float | None) -> datetime | None:
        return None if days is None else NOW - timedelta(days=days)

    began = moment(raised)
    assert began is not None
    return AlertRow(
        alert_id=name, rule_id="r", key=name, severity="critical", run_id=None, symbol=None, message="bad",
        state="raised" if cleared is None else "cleared", raised_at=began, changed_at=began, severity_at=began,
        acknowledged_by=None if acknowledged is None else "Ada", acknowledged_at=moment(acknowledged),
        cleared_at=moment(cleared),
    )  # fmt: skip


def lines(*rows: AlertRow) -> dict[str, list[float]]:
    found = alerts_figure(rows, NOW)
    assert isinstance(found, Chart)
    return {line.name: list(line.values) for line in found.lines}


def test_what_was_taken_on_before_the_days_that_are_shown_is_never_less_than_none() -> None:
    found = lines(row("old", DAYS + 3, acknowledged=DAYS + 2))
    assert set(found["not taken on"]) == {0.0}
    assert found["open"][-1] == 1.0


def test_what_cleared_before_a_person_saw_it_is_not_open_and_not_taken_on_no_longer() -> None:
    found = lines(row("one", 5, acknowledged=1, cleared=4))
    assert (found["open"][-1], max(found["not taken on"])) == (0.0, 1.0)
    figure = alerts_figure([row("one", 5, acknowledged=1, cleared=4)], NOW)
    assert isinstance(figure, Chart)
    ends = {line.name: line.ts[-2] for line in figure.lines}
    assert ends == {"open": NOW - timedelta(days=4), "not taken on": NOW - timedelta(days=4)}
