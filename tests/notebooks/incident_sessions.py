"""Sessions in which something really went wrong, for the outputs of the incident notebooks: the same ones every time.

They run on a venue on this machine whose clock moves only when the session would wait, so that nothing in them depends
on how fast this machine is, nor on the port that the venue got.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.base.environment import environment
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock, VenueFault
from peaktrade_core.trading.ports import Item, Pause
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

BEGAN = "2026-01-05T06:30:00+00:00"
LIVELY = {"fast": 2, "slow": 5}


class Stepped:
    """A feed whose pauses move the venue's clock instead of passing."""

    def __init__(self, feed: Any, clock: VenueClock) -> None:
        self.feed, self.clock = feed, clock
        self.name, self.simulated, self.data_sha256 = feed.name, feed.simulated, feed.data_sha256

    @property
    def skew_s(self) -> float:
        return float(self.feed.skew_s)

    def __len__(self) -> int:
        return len(self.feed)

    def __iter__(self) -> Iterator[Item]:
        for item in self.feed:
            if isinstance(item, Pause):
                self.clock.advance(item.seconds)
                yield Pause(0.0)
            else:
                yield item


def on_venue(home: Path, spoil: Callable[[LoopbackVenue], None], began: str = BEGAN, **wishes: Any) -> str:
    """Run a session on a venue that ``spoil`` makes misbehave, and return its id."""
    clock = VenueClock(datetime.fromisoformat(began).timestamp())
    market = MarketSource.synthetic(seed=7, volatility=1.5).aligned(clock.seconds())
    config = home / CONFIG
    text = config.read_text()
    with LoopbackVenue(market, clock=clock) as venue:
        config.write_text(re.sub(r'base_url = "[^"]*"', f'base_url = "{venue.url}"', text))
        workspace = Workspace(home)
        workspace.clock = clock
        spoil(venue)
        plan = plan_session(workspace, feed="exchange", warmup_candles=60, params=LIVELY, **wishes)
        record = run_session(plan._replace(feed=Stepped(plan.feed, clock)), Desk.of(workspace))
    config.write_text(text)
    return record.session_id


def _exchange(home: Path) -> None:
    """Three calls that the venue answers with its own trouble, and an hour later a key that it does not know."""

    def spoil(venue: LoopbackVenue) -> None:
        venue.faults.add(VenueFault.named("unavailable"), path="OHLC", skip=8, times=3)
        venue.faults.add(VenueFault.named("wrong_key"), path="OHLC", skip=50)

    on_venue(home, spoil, steps=60, notes="Morning watch.")


def _gap(home: Path) -> None:
    """Four bars that the venue does not have."""

    def spoil(venue: LoopbackVenue) -> None:
        hole = venue.clock.seconds() // 60 * 60 + 1200.0
        venue.faults.add(VenueFault.hole(hole, hole + 180.0), path="OHLC")

    on_venue(home, spoil, steps=85, notes="Morning watch.")


def _limit(home: Path) -> None:
    """A session whose every position is twice as large as one order may be."""
    workspace = _at(home, BEGAN)
    plan = plan_session(workspace, seed=5, steps=600, position_fraction=0.2, notes="Twice the usual size.")
    run_session(plan, Desk.of(workspace))


def _failed(home: Path) -> None:
    """Two sessions in a row whose symbol the venue does not know any more."""

    def spoil(venue: LoopbackVenue) -> None:
        venue.faults.add(VenueFault.named("unknown_pair"), path="OHLC", skip=5)

    on_venue(home, spoil, steps=60, notes="First try.")
    on_venue(home, spoil, "2026-01-05T06:45:00+00:00", steps=60, notes="Second try.")


def _life(home: Path) -> None:
    """An incident of high severity from its opening to its post-mortem, and a small one that is still open."""
    _exchange(home)
    workspace = _at(home, "2026-01-05T07:25:00+00:00", timedelta(minutes=3))
    gap = IncidentBook.of(workspace).open(
        "data_gap", "Bars were missing on ETH/EUR", subject="ETH/EUR", severity="medium", by="Ben", role="operator"
    )
    IncidentBook.of(workspace).describe(
        gap.incident_id, "Ben", symptom="three bars missing", suspected="the venue has none"
    )
    diagnosis = diagnose(workspace, "latest")
    finding, record = diagnosis.finding("authentication"), Views.of(workspace).record(diagnosis.session_id)
    book = IncidentBook.of(workspace)
    files = [Registry.of(workspace).path_of(record), RunFolder(workspace.runs, record.session_id).journal]
    one = book.open(
        finding.kind,
        f"The venue refused our key: {finding.symptom}",
        subject=record.session_id,
        severity=finding.severity,
        by="Ada",
        role="operator",
        evidence=finding.evidence,
        artefacts=files,
        system=f"{record.mode} {record.symbol}",
        since=finding.since,
        until=finding.until,
        symptom=finding.symptom,
        suspected=finding.suspected,
        next_step=finding.branches[1].action,
        runbook=finding.runbook,
    ).incident_id
    book.assign(one, "Ada", "scribe", "Ben")
    book.note(one, "Ada", "rang the owner, who agrees to rotate the key", owner_told=True)
    book.mitigate(one, "Ada", "the scope is halted, no other session uses this key")
    book.close(one, "Ada", "the key had expired on Sunday", "new key in the keyring, readiness check green")
    book.learn(
        one,
        "Ben",
        root_cause="nobody is told before a key expires",
        went_well="the session halted at once, and nothing else ran on this key",
        went_badly="the log-in at the venue was on one telephone only",
        actions=[
            "note the day a key expires in the calendar; Ada; 2026-01-09",
            "second log-in device; Ben; 2026-01-02",
        ],
    )
    book.done(one, "Ada", 1)


def _at(home: Path, moment: str, tick: timedelta = timedelta(milliseconds=1)) -> Workspace:
    """Return the workspace at a time."""
    workspace = Workspace(home)
    workspace.clock = FixedClock(datetime.fromisoformat(moment), tick)
    return workspace


def _scene(add: Callable[[Path], None]) -> Callable[[Path], None]:
    """Return what adds something to a workspace under the fixed clock, so that ids of sessions are the same ones."""

    def under_fixed_clock(home: Path) -> None:
        with environment({FIXED_CLOCK: BEGAN}):
            add(home)

    return under_fixed_clock


INCIDENT_SCENES: dict[str, Callable[[Path], None]] = {
    "incident_exchange_error": _scene(_exchange),
    "incident_data_gap": _scene(_gap),
    "incident_risk_limit": _scene(_limit),
    "incident_failed_session": _scene(_failed),
    "incident_report": _scene(_life),
    "post_mortem": _scene(_life),
    "weekly_incident_review": _scene(_life),
}
