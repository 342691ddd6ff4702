"""Sessions on a loopback venue whose clock moves only when the session would wait: hours pass in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest

from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import Plan, Stop, run_session
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock
from peaktrade_core.trading.events import AnyEvent, Notice, Start, WarmedUp
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.ports import Item, Pause
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.venue.client import CallPolicy, VenueClient
from peaktrade_core.venue.credentials import Credentials, variables_of
from peaktrade_core.workspace.workspace import Workspace

TAKEN = (  # line faults with which the venue has taken the order all the same
    "stall", "drip", "reset_in_body", "wrong_length", "short_length", "truncated", "bad_gzip", "lost_acknowledgement",
)  # fmt: skip
# venue faults that are a matter of the line, not of what we asked
LINE_FAULTS = [
    "hang",
    "stall",
    "drip",
    "reset",
    "reset_in_body",
    "wrong_length",
    "short_length",
    "truncated",
    "html",
    "empty",
    "json_object",
    "json_null",
    "json_list",
    "no_result",
    "redirect_loop",
    "bad_gzip",
    "lost_acknowledgement",
    "maintenance",
    "status_403",
    "status_404",
    "status_408",
    "status_500",
    "status_502",
    "status_503",
    "status_504",
    "unavailable",
    "busy",
    "timeout",
]
CALLS = CallPolicy(timeout_s=60.0, deadline_s=120.0, attempts=3, backoff_s=0.001, longest_s=0.002, order_pace_s=0.0)
QUICK = CALLS._replace(
    timeout_s=0.75, deadline_s=1.5
)  # a busy machine may be as slow: only where a timeout is the test
SILENT = {"hang", "stall", "drip", "lost_acknowledgement"}  # faults that only a timeout ends
LIVELY = {"fast": 2, "slow": 5}


def patience(fault: str) -> CallPolicy:
    """Return how long a fault is waited for: shortly where nothing else ends it."""
    return QUICK if fault in SILENT else CALLS


def no_wait(_: float) -> None:
    """Stand in for sleep."""


class Stepped:
    """A feed whose pauses move the venue's clock instead of passing; ``each`` is called with every new time."""

    def __init__(self, feed: Any, clock: VenueClock, each: Callable[[float], None] = lambda _: None) -> None:
        self.feed, self.clock, self.each = feed, clock, each
        self.name, self.simulated, self.data_sha256 = feed.name, feed.simulated, feed.data_sha256

    @property
    def skew_s(self) -> float:
        return self.feed.skew_s

    def __len__(self) -> int:
        return len(self.feed)

    def __iter__(self) -> Iterator[Item]:
        for item in self.feed:
            if isinstance(item, Pause):
                self.each(self.clock.advance(item.seconds))
                yield Pause(0.0)
            else:
                yield item


class Offset:
    """A clock of our own that is off."""

    def __init__(self, clock: VenueClock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def now(self) -> Any:
        return self.clock.now() + timedelta(seconds=self.seconds)


class Ran(NamedTuple):
    """A session that ended: its record and everything in its journal."""

    record: SessionRecord
    events: list[AnyEvent]

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if type(event) in kinds]

    def codes(self) -> list[str]:
        return [notice.code for notice in self.of(Notice)]

    def story(self) -> list[bytes]:
        """Return every event but start and notices, byte for byte apart from its number and that a warm-up was kept."""
        told = (event for event in self.events if type(event) not in (Start, Notice))
        same = (msgspec.structs.replace(e, sha256=None) if type(e) is WarmedUp else e for e in told)
        return [msgspec.json.encode(msgspec.structs.replace(event, seq=0)) for event in same]


class VenueDesk:
    """A workspace on a loopback venue."""

    def __init__(self, workspace: Workspace, venue: LoopbackVenue) -> None:
        self.workspace, self.venue = workspace, venue

    def plan(self, *, off_s: float = 0.0, **wishes: Any) -> Plan:
        """Return a plan on the exchange feed, with short patience for single calls."""
        self.workspace.clock = Offset(self.venue.clock, off_s) if off_s else self.venue.clock
        chosen = {"feed": "exchange", "warmup_candles": 60, "steps": 60, "params": LIVELY, **wishes}
        plan = plan_session(self.workspace, **chosen)
        if plan.broker.asks_venue:
            plan.broker._client.sleep = no_wait
        return plan

    def run(self, plan: Plan, each: Callable[[float], None] = lambda _: None, stop: Stop | None = None) -> Ran:
        """Run a plan, stepping the venue's clock with its feed."""
        if not plan.feed.simulated:
            plan = plan._replace(feed=Stepped(plan.feed, self.venue.clock, each))
        record = run_session(plan, Desk.of(self.workspace), stop=stop)
        return Ran(record, list(Views.of(self.workspace).events(record.session_id)))

    def session(self, **wishes: Any) -> Ran:
        return self.run(self.plan(**wishes))


def on_venue(
    workspace: Workspace,
    venue: LoopbackVenue,
    configure: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    name: str = "kraken",
) -> VenueDesk:
    """Point a workspace at a loopback venue and give it its keys."""
    configure('base_url = ""', f'base_url = "{venue.url}"')
    configure('mode = "shadow"', 'mode = "testnet"')
    configure('venue = "kraken" ', f'venue = "{name}" ')
    configure("\ntimeout_s = 10.0", "\ntimeout_s = 60.0")
    configure("\ndeadline_s = 30.0", "\ndeadline_s = 120.0")
    configure("order_pace_s = 1.0", "order_pace_s = 0.0")
    give_keys(monkeypatch, name, venue.credentials)
    return VenueDesk(workspace, venue)


def no_patience(configure: Callable[[str, str], None]) -> None:
    """Let sessions on a venue give up a call soon."""
    configure("\ntimeout_s = 60.0", "\ntimeout_s = 0.75")
    configure("\ndeadline_s = 120.0", "\ndeadline_s = 1.5")


def give_keys(monkeypatch: pytest.MonkeyPatch, name: str, credentials: Any) -> None:
    """Put a venue's key and secret into the environment."""
    for variable, value in zip(variables_of(name), (credentials.key, credentials.secret), strict=True):
        monkeypatch.setenv(variable, value)


def client_of(venue: LoopbackVenue, name: str = "kraken", policy: CallPolicy = CALLS, **more: Any) -> VenueClient:
    """Return a client of a loopback venue that asks again at once, with its keys."""
    keys = Credentials(*venue.credentials)
    settings = {"credentials": keys, "sleep": no_wait, "demo": name == "krakenfutures", **more}
    return VenueClient(name, base_url=venue.url, policy=policy, **settings)


def write_candles(path: Path, bars: list[Bar]) -> Path:
    """Write bars as a candle file."""
    stamps = pa.array([int(bar.ts * 1e6) for bar in bars], pa.timestamp("us", tz="UTC"))
    columns = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")}
    pa.parquet.write_table(pa.table({"timestamp": stamps, **columns}), path)
    return path


def write_rates(path: Path, venue: LoopbackVenue) -> Path:
    """Write the rates of funding that the first market of a venue had until now."""
    market = next(iter(venue.spot._markets.values()))
    rates = market.rates(0.0, venue.clock.seconds())
    path.write_text("time,rate\n" + "".join(f"{int(ts * 1000)},{rate}\n" for ts, rate in rates))
    return path


def source_bars(market: MarketSource, first: float, count: int) -> list[Bar]:
    """Return ``count`` closed bars of a market from ``first`` on."""
    last = first + count * market.bar_s
    return [bar for bar in market.bars(market.bar_s, last, count + 2) if first <= bar.ts < last]
