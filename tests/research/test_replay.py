"""A session comes out again from its record, byte for byte, whatever happened to it and wherever it is run again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, StrategyError
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.halts.account import Seat
from peaktrade_core.halts.gate import HaltGate
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.research.replay.replay import ReplayResult, replay_session
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import Stop, run_session
from peaktrade_core.trading.events import End, Failure, Fill, Notice, State
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.risk import ACCOUNT_UNAVAILABLE, MAX_TOTAL_EXPOSURE, OK, RiskVerdict
from peaktrade_core.workspace.workspace import Workspace, open_site

LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "seed": 4}
DRILLS = ("bad_key", "clock_skew", "crash", "disconnect", "failed_channel", "full_disk", "gap", "outlier", "pnl_drop",
          "rate_limit", "reject_storm", "small_limit")  # fmt: skip
Run = Callable[..., SessionRecord]
ELSEWHERE = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}


def again(workspace: Workspace, record: SessionRecord) -> ReplayResult:
    """Return the replay of a session, after checking that it came out again whole."""
    found = replay_session(workspace, record.session_id)
    assert (found.first, found.unrepeated, found.same, found.code) == (None, 0, found.events, ())
    return found


def happened(workspace: Workspace, record: SessionRecord, kind: type) -> list[Any]:
    return [
        event for event in read_journal(RunFolder(workspace.runs, record.session_id).journal) if type(event) is kind
    ]


@pytest.mark.parametrize(
    "options",
    [
        {**LIVELY, "steps": 400},
        {"seed": 6, "steps": 400, "strategy": "rsi_reversion", "symbol": "BTC/EUR-PERP", "timeframe": "5m"},
        {"seed": 7, "steps": 200, "strategy": "donchian_breakout", "notes": "with ümlaut", "warmup_candles": 50},
        {**LIVELY, "steps": 120, "timeframe": "1s", "pace": 600.0},
    ],
    ids=["lively", "perpetual", "notes", "paced"],
)
def test_a_session_comes_out_again(workspace: Workspace, run_shadow: Run, options: dict[str, Any]) -> None:
    record = run_shadow(**options)
    found = again(workspace, record)
    assert found.fed == {"bars of the journal": options["steps"]}
    assert found.notes == ()


def test_a_session_over_a_file_with_gaps_comes_out_again(
    workspace: Workspace, run_shadow: Run, candles: Callable[[str], Path]
) -> None:
    record = run_shadow(candles=candles("coinbase_BTC-USD_1m_20180404-20180406"), symbol="BTC/USD")
    assert again(workspace, record).events > 2000


def test_a_session_over_csv_comes_out_again_and_not_without_its_warm_up(
    workspace: Workspace, home: Path, run_shadow: Run
) -> None:
    rows = [
        f"{1_700_000_000 // 60 * 60 + n * 60},{100 + n % 7},{102 + n % 7},{98 + n % 7},{101 + n % 7},1.5"
        for n in range(300)
    ]
    path = home / "bars.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    record = run_shadow(candles=path, warmup_candles=20, params={"fast": 2, "slow": 5})
    assert again(workspace, record).fed["bars of the journal"] == 280
    path.unlink()
    with pytest.raises(ArtefactError, match=r"warm-up are not in the journal and cannot be had again: .*bars\.csv"):
        replay_session(workspace, record.session_id)


@pytest.mark.parametrize("script", ["good", "bad"])
@pytest.mark.parametrize("name", DRILLS)
def test_each_drill_at_a_venue_with_its_faults_comes_out_again(workspace: Workspace, name: str, script: str) -> None:
    """Feeds over REST, brokers of a test venue, refused keys and orders, outages, halts by people, a crash, a full disk."""
    done = run_drill(workspace, find_scenario(workspace.home, name), operator="Anna Example", script=script)
    site = open_site(workspace.home / done.workspace)
    found = replay_session(site, done.session_id)
    assert (found.first, found.unrepeated, found.same) == (None, 0, found.events)
    assert found.fed["bars of the journal"] >= 2
    assert ("was killed" in " ".join(found.notes)) == (name == "crash")


class Between:
    """A feed that does something before some of its bars."""

    def __init__(self, feed: Any, acts: dict[int, Callable[[], object]]) -> None:
        self._feed, self._acts = feed, acts
        self.name, self.simulated, self.skew_s, self.data_sha256 = (
            feed.name,
            feed.simulated,
            feed.skew_s,
            feed.data_sha256,
        )

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Any:
        for n, item in enumerate(self._feed):
            if act := self._acts.get(n):
                act()
            yield item


def test_a_kill_switch_that_is_pulled_released_and_a_stop_come_out_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.session.loop.GATE_S", 0.0)
    states, now, stop = TradingStates.of(workspace), workspace.clock.now(), Stop()

    def put(state: str, scope: str = "shadow/ma_crossover/BTC/EUR") -> Callable[[], object]:
        return lambda: states.set(scope, state, by="Ada", reason=f"because of {state}", now=now)

    plan = plan_session(workspace, **LIVELY, steps=400)
    scope = plan.scope.text
    acts = {
        100: put("REDUCING", scope),
        260: put("HALTED", scope),
        300: put("ACTIVE", scope),
        380: put("NO_ORDERS", GLOBAL.text),
        450: lambda: stop.request("Ada: enough"),
    }
    record = run_session(plan._replace(feed=Between(plan.feed, acts)), Desk.of(workspace), stop=stop)
    told = [(event.state, event.source) for event in happened(workspace, record, State)]
    assert [state for state, _ in told] == ["REDUCING", "HALTED", "ACTIVE", "NO_ORDERS"]
    assert record.status == "aborted"
    assert happened(workspace, record, End)[-1].error == "Stopped: Ada: enough"
    assert again(workspace, record).fed["trading states"] == 4


def test_a_halt_of_its_own_that_cannot_be_written_comes_out_again(
    workspace: Workspace, configure: Callable[[str, str], None], run_shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 0.05")

    def no_room(*_: object) -> EnvironmentFault:
        return EnvironmentFault("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(HaltGate, "latch", lambda gate, _: setattr(gate, "_unsaved", True) or no_room())
        record = run_shadow(steps=600, **LIVELY)
    assert again(workspace, record).events > 600
    assert happened(workspace, record, Failure)[0].error == "EnvironmentFault: the disk is full"


def test_what_the_shared_account_refused_and_that_it_was_lost_come_out_again(
    workspace: Workspace, run_shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter(range(10_000))

    def reserve(seat: Seat, *_: object) -> RiskVerdict:
        turn = next(asked) % 3
        seat.fault = "the account is locked" if turn == 1 else ""
        return (
            RiskVerdict(OK, 0.0, 0.0),
            RiskVerdict(ACCOUNT_UNAVAILABLE, 0.0, 0.0),
            RiskVerdict(MAX_TOTAL_EXPOSURE, 5e3, 4e3),
        )[turn]

    with monkeypatch.context() as patch:
        patch.setattr(Seat, "reserve", reserve)
        record = run_shadow(steps=400, **LIVELY)
    assert len([n for n in happened(workspace, record, Notice) if n.code == "ACCOUNT"]) >= 2
    assert again(workspace, record).fed["refusals of the account"] > 3


def test_a_strategy_that_raises_raises_again(
    workspace: Workspace, run_shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peaktrade_core.trading.decision import Decision

    asked = Decision.signal

    def signal(decision: Decision, bar: Bar, state: list[float]) -> float:
        if bar.ts == 1_767_225_600.0 + 260 * 60:
            raise StrategyError("on the bar of 04:20")
        return asked(decision, bar, state)

    monkeypatch.setattr(Decision, "signal", signal)
    record = run_shadow(steps=200, **LIVELY)
    assert (record.status, record.error) == ("failed", "StrategyError: on the bar of 04:20")
    assert "errors" not in again(workspace, record).fed


def test_in_another_folder_on_another_day_in_another_zone_and_locale(
    workspace: Workspace, home: Path, run_shadow: Run, tmp_path: Path
) -> None:
    record = run_shadow(steps=300, **LIVELY)
    moved = tmp_path / "elsewhere" / "ärger"
    shutil.copytree(home, moved)
    asked = [sys.executable, "-m", "peaktrade_core", "session", "replay", record.session_id, "--json"]
    environment = {
        **os.environ,
        **ELSEWHERE,
        "PEAKTRADE_HOME": str(moved),
        "PEAKTRADE_FIXED_CLOCK": "2031-02-03T04:05:06+00:00",
    }
    ended = subprocess.run(asked, capture_output=True, cwd=tmp_path, env=environment, check=False)
    found = json.loads(ended.stdout)
    assert (ended.returncode, found["first"], found["same"]) == (0, None, found["events"])
    assert {path.name for path in (moved / "live_runs").iterdir()} == {record.session_id}


def change(workspace: Workspace, record: SessionRecord, event: Fill, **values: Any) -> None:
    """Change one line of a journal."""
    journal = RunFolder(workspace.runs, record.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[event.seq] = msgspec.json.encode({**msgspec.json.decode(lines[event.seq]), **values}) + b"\n"
    journal.write_bytes(b"".join(lines))


def test_a_figure_that_was_changed_is_named_with_its_event_and_field(
    workspace: Workspace, run_shadow: Run, peaktrade: Callable[..., Any]
) -> None:
    record = run_shadow(steps=200, **LIVELY)
    was: Fill = happened(workspace, record, Fill)[0]
    change(workspace, record, was, fee=0.01)
    found = replay_session(workspace, record.session_id)
    assert found.first is not None
    assert (found.first.seq, found.first.event, found.first.field) == (was.seq, "fill", "fee")
    assert (found.first.recorded, float(found.first.replayed), found.same) == ("0.01", was.fee, was.seq)
    said = peaktrade("session", "replay", "latest")
    assert said.code == 1
    assert f"First difference: event {was.seq} (fill) at " in said.stdout
    assert "field fee" in said.stdout


def test_code_that_is_other_is_named_function_by_function(
    workspace: Workspace, run_shadow: Run, peaktrade: Callable[..., Any]
) -> None:
    record = run_shadow(steps=50, **LIVELY)
    path = RunFolder(workspace.runs, record.session_id).code
    kept = msgspec.json.decode(path.read_bytes())
    assert {
        "trading/engine.py step",
        "trading/risk.py check_opening",
        "session/loop.py Loop._bar",
        "strategy ma_crossover",
    } <= set(kept)
    kept["trading/engine.py step"] = "other"
    del kept["trading/risk.py severity"]
    kept["trading/risk.py of_old"] = "gone"
    path.write_bytes(msgspec.json.encode(kept))
    said = peaktrade("session", "replay", record.session_id)
    told = "Code that is not what ran then: trading/engine.py step, trading/risk.py of_old (gone), trading/risk.py severity (new)"
    assert told in said.stdout
    assert "Every event is the same, byte for byte." in said.stdout
    path.unlink()
    assert replay_session(workspace, record.session_id).notes == ()  # its decision is today's
    path.write_bytes(b"{")
    assert "cannot be read" in replay_session(workspace, record.session_id).notes[0]


def test_a_killed_session_is_compared_as_far_as_it_goes(
    workspace: Workspace, run_shadow: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run_shadow(steps=100, **LIVELY)
    journal = RunFolder(workspace.runs, record.session_id).journal
    whole = journal.read_bytes()
    journal.write_bytes(whole[: len(whole) // 2])
    found = again(workspace, record)
    assert found.events == whole[: len(whole) // 2].count(b"\n")
    assert "was killed" in found.notes[0]
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "alive", lambda _: True)
        assert replay_session(workspace, record.session_id).notes[0].startswith("It still runs")
    journal.write_bytes(b"")
    with pytest.raises(ArtefactError, match="holds no event"):
        replay_session(workspace, record.session_id)


def test_a_warm_up_of_a_venue_that_was_changed_is_no_warm_up(workspace: Workspace) -> None:
    done = run_drill(workspace, find_scenario(workspace.home, "gap"), operator="Anna Example", script="good")
    site = open_site(workspace.home / done.workspace)
    folder = RunFolder(site.runs, done.session_id)
    assert folder.hashes().keys() == {"events.jsonl", "events.parquet", "warmup.parquet", "code.json", "meta.json"}
    kept = folder.warmup.read_bytes()
    for wrong, said in ((kept[:50], "cannot be read"), (b"", "cannot be read"), (None, "cannot be read")):
        folder.warmup.unlink() if wrong is None else folder.warmup.write_bytes(wrong)
        with pytest.raises(ArtefactError, match=said):
            replay_session(site, done.session_id)
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: [1.0, 2.0] for name in Bar._fields})
    pq.write_table(table, folder.warmup)
    with pytest.raises(ArtefactError, match="not the warm-up that the journal names"):
        replay_session(site, done.session_id)
