"""The scheduler's jobs of forward signals: candles are fetched, signals sealed before their outcome, evaluated when due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from peaktrade_core.base.errors import TierNotAllowedError
from peaktrade_core.reports.jobs import forward_evaluate, forward_signals
from peaktrade_core.research.forward.book import ForwardBook
from peaktrade_core.runbooks.shelf import read
from peaktrade_core.schedule.job_kinds import open_schedule
from peaktrade_core.schedule.jobs import Period
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock
from peaktrade_core.workspace.workspace import Workspace

AT = datetime(2026, 1, 5, 0, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRESET = """
risk = "conservative"
[[component]]
strategy = "ma_crossover"
symbol = "BTC/EUR"
timeframe = "1h"
warmup_candles = 60
params = {fast = 3, slow = 9}
"""


class Hand:
    """A clock that is moved by hand, and is none of a rehearsal."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Desk:
    """A workspace beside a venue on this machine, whose times are moved together."""

    def __init__(self, workspace: Workspace, venue_clock: VenueClock) -> None:
        self.workspace, self._venue = workspace, venue_clock
        self.go(AT)

    def go(self, at: datetime) -> Period:
        self._venue.set(at.timestamp())
        self.workspace.clock = Hand(at)
        return Period(at.isoformat(), at)


@pytest.fixture
def desk(workspace: Workspace, configure: Callable[[str, str], None]) -> Iterator[Desk]:
    clock = VenueClock(AT.timestamp())
    market = MarketSource.synthetic(seed=1, bar_s=3600, symbol="BTC/EUR").aligned(AT.timestamp())
    (workspace.home / "config" / "portfolios").mkdir(parents=True)
    (workspace.home / "config" / "portfolios" / "one.toml").write_text(PRESET)
    with LoopbackVenue(market, clock=clock) as venue:
        configure('base_url = ""', f'base_url = "{venue.url}"')
        configure("forward = []", 'forward = ["one"]')
        yield Desk(Workspace(workspace.home), clock)


def test_a_day_is_written_sealed_and_told_when_it_has_come_due(desk: Desk) -> None:
    place = desk.workspace
    assert forward_evaluate(place, desk.go(AT)) == (True, "no forward signal was written yet")
    assert forward_signals(place, desk.go(AT)) == (True, "1 written")
    assert forward_signals(place, desk.go(AT + timedelta(minutes=5))) == (True, "0 written, 1 stood")
    assert forward_evaluate(place, desk.go(AT + HOUR)) == (True, "0 of 1 forward signals have come due")
    assert forward_signals(place, desk.go(AT + 24 * HOUR)) == (True, "1 written")
    forward_signals(place, desk.go(AT + 48 * HOUR))
    done, told = forward_evaluate(place, desk.go(AT + 48 * HOUR))
    assert (done, told) == (True, "1 of 3 forward signals have come due")
    report = read("daily_report", place, date="2026-01-06").research().markdown()
    assert "1 written, 1 came due" in report
    assert "ma_crossover BTC/EUR 1h" in report


def test_a_signal_that_was_changed_fails_the_evaluation(desk: Desk) -> None:
    place = desk.workspace
    forward_signals(place, desk.go(AT))
    (path,) = ForwardBook(place).folder.glob("fs_*.json")
    path.write_text(path.read_text().replace("ma_crossover", "ma_crossovers"))
    done, told = forward_evaluate(place, desk.go(AT + HOUR))
    assert not done
    assert path.stem in told
    assert "peaktrade audit verify" in told


def test_a_venue_that_is_gone_fails_the_job_and_says_so(desk: Desk, configure: Callable[[str, str], None]) -> None:
    text = (desk.workspace.home / "config" / "config.toml").read_text()
    url = text.split('base_url = "')[1].split('"')[0]
    configure(f'base_url = "{url}"', 'base_url = "http://127.0.0.1:9"')
    done, told = forward_signals(Workspace(desk.workspace.home), Period("now", AT))
    assert not done
    assert "candles of BTC/EUR 1h" in told
    assert told.startswith("0 written; ")


def test_without_a_preset_there_is_nothing_to_do(workspace: Workspace) -> None:
    assert forward_signals(workspace, Period("now", AT)) == (True, "no preset is named in [research] forward")
    assert {"forward_signals", "forward_evaluate"} <= set(open_schedule(workspace).jobs)


def test_a_refused_tier_stands_in_the_days_report(desk: Desk, peaktrade: Callable[..., Any]) -> None:
    place = desk.workspace
    path = place.home / "config" / "portfolios" / "one.toml"
    path.write_text(PRESET.replace('"ma_crossover"', '"armstrong_cycle"').replace("params = {fast = 3, slow = 9}", ""))
    with pytest.raises(TierNotAllowedError):
        forward_signals(place, desk.go(AT))
    desk.go(AT + HOUR)
    report = read("daily_report", place, date="2026-01-05")
    assert "armstrong_cycle" in report.research().markdown()
    assert "1 refused" in repr(report.overview())
