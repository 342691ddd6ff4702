"""One pace for all sessions at a venue: no two turns overlap, whatever became of the file that they share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import client_of

from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.venue.calls import SharedPace
from peaktrade_core.venue.client import open_venue
from peaktrade_core.workspace.workspace import Workspace

TURNS = """
import sys
from pathlib import Path
from peaktrade_core.venue.calls import SharedPace
pace = SharedPace(Path(sys.argv[1]), lambda: 100.0)
print([100.0 + pace.take(0.25) for _ in range(40)])
"""


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 5.0), st.floats(0.0, 3.0)), min_size=1, max_size=30))
def test_turns_of_several_sessions_never_overlap_and_begin_as_soon_as_they_can(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float, float]]
) -> None:
    clock, path = Clock(), tmp_path_factory.mktemp("pace") / "kraken"
    sessions = [SharedPace(path, clock) for _ in range(4)]
    free = 0.0
    for who, seconds, later in steps:
        begins = clock.now + sessions[who].take(seconds)
        assert begins == pytest.approx(max(clock.now, free), abs=1e-9)
        free = begins + seconds
        clock.now += later


def test_processes_take_turns(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TURNS, str(tmp_path / "deep" / "kraken")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    begins = sorted(float(one) for process in running for one in process.communicate()[0].strip("[]\n").split(","))
    assert len(begins) == 120
    assert all(b - a == 0.25 for a, b in pairwise(begins))


def torn(path: Path) -> None:
    path.write_bytes(b"")


def odd(path: Path) -> None:
    path.write_bytes(b"\xff\x00 soon")


def not_a_number(path: Path) -> None:
    path.write_text("nan")


def of_before_the_machine_started_anew(path: Path) -> None:
    path.write_text("9000000.0\n")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize(
    "spoil",
    [torn, odd, not_a_number, of_before_the_machine_started_anew, a_folder, a_link],
    ids=lambda one: one.__name__,
)
def test_a_file_that_cannot_be_used_holds_nobody_up_and_lets_nobody_run(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    clock, path = Clock(), tmp_path / "kraken"
    spoil(path)
    pace = SharedPace(path, clock)
    assert [pace.take(1.0), pace.take(1.0), pace.take(0.5)] == [0.0, 1.0, 2.0]


def test_each_request_of_a_client_takes_the_turn_that_ccxt_asks_for(tmp_path: Path) -> None:
    """Kraken: a request for markets costs one second each, one for candles 1.2; what an order costs is our own pace."""
    with LoopbackVenue(MarketSource.synthetic(seed=7)) as venue:
        client = client_of(venue, pace=tmp_path)
        taken: list[float] = []
        client._ccxt.pace.take = lambda seconds: taken.append(seconds) or 0.0
        client.ask("fetch_ohlcv", "BTC/EUR", "1m")
        assert [round(one, 3) for one in taken] == [1.0, 1.0, 1.2]
        waited: list[float] = []
        clients = [client_of(venue, pace=tmp_path, sleep=waited.append) for _ in range(2)]
        for one in clients:
            one.policy = one.policy._replace(order_pace_s=30.0)
            one._ccxt.pace.take = lambda _: 0.0
            one.order("create_order", "BTC/EUR", "market", "buy", 0.01, None, {"validate": "true"})
    assert len(waited) == 1
    assert 25.0 < waited[0] <= 30.0


def test_the_sessions_of_a_workspace_share_their_turns(workspace: Workspace) -> None:
    first, second = (open_venue(workspace, venue="kraken")._ccxt.pace for _ in range(2))
    assert first._path == second._path == workspace.home / ".cache" / "pace" / "kraken"
    assert open_venue(workspace, venue="binance", sandbox=True)._ccxt.pace._path.name == "binance-sandbox"
