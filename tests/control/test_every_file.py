"""Every file below reports/ and live_runs/ of a workspace in which everything was done: whatever is done to it is noticed."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from peaktrade_core.alerts.watcher import open_watcher
from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.question import FAIL, PASS, WARN, worst
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.control.audit.bundle import bundle
from peaktrade_core.control.audit.checks import adopt
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.control.status_report import write_status_report
from peaktrade_core.desk.demo import run_demo
from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.incidents.book import IncidentBook
from peaktrade_core.records.registry import Registry
from peaktrade_core.reports.period_reports import make_report
from peaktrade_core.reports.session_reports import write_session_report
from peaktrade_core.research.experiments.notes import ExperimentNotes
from peaktrade_core.research.findings.run import run_finding
from peaktrade_core.research.findings.spec import Finding, MarketAsked, States
from peaktrade_core.research.forward.scan import ScanWish, run_scan
from peaktrade_core.research.forward.signals import write_signals
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import prepare, run_sweep
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.by_hand import add_evidence
from peaktrade_core.runbooks.page import write_page
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.synthetic import START_TS, SyntheticFeed
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.papers import STATE, enter_papers
from peaktrade_core.workspace.workspace import Workspace

HOUR, BARS = 3600, 400
CROSS = Component(
    strategy="ma_crossover", symbol="BTC/EUR", timeframe="1h", warmup_candles=60, params={"fast": 3, "slow": 9}
)
KINDS = (  # what must be among the files, so that the test cannot shrink unseen
    "live_runs/*/events.jsonl", "live_runs/*/events.parquet", "live_runs/*/meta.json", "live_runs/*/code.json",
    "live_runs/*/alerts.jsonl", "reports/ledger.jsonl", "reports/live/halts.jsonl", "reports/live/status_*.md",
    "reports/alerts/alerts.jsonl", "reports/daily/*.html", "reports/daily/*.ipynb", "reports/daily/*.md",
    "reports/daily/live_sessions_*.html", "reports/evidence/*.json", "reports/evidence/*.html", "reports/evidence/EV-*/*",
    "reports/incidents/*/incident.json", "reports/incidents/*/incident.md", "reports/incidents/*/artefacts/*",
    "reports/drills/*/drill.json", "reports/drills/*/drill.md", "reports/drills/*/workspace/live_runs/*/events.jsonl",
    "reports/drills/*/workspace/reports/ledger.jsonl", "reports/drills/*/workspace/config/*.toml",
    "reports/experiments/live_sessions/*.json", "reports/experiments/sweeps/*/sweep.json",
    "reports/experiments/sweeps/*/parts/*", "reports/experiments/findings/*.json", "reports/experiments/scans/*.json",
    "reports/experiments/notes.jsonl", "reports/forward/*.json",
)  # fmt: skip


class Ticking:
    """A clock that goes on by a second whenever it is asked, and is none of a rehearsal."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def everything_done(home: Path) -> Workspace:
    """Return a workspace in which everything was done that leaves a file."""
    (home / "config").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "config" / "config.toml", home / "config" / "config.toml")
    place, store = Workspace(home), CandleStore.of_workspace(home)
    place.clock = Ticking(from_seconds(START_TS + BARS * HOUR + 60))
    for seed, symbol in enumerate(("BTC/EUR", "ETH/EUR")):
        store.put(Series("made-up", symbol, "1h"), islice(SyntheticFeed(seed, HOUR), BARS))
    record, failed, _ = (one.record for one in run_demo(partial(plan_session, place), Desk.of(place)))
    TradingStates.of(place).set(
        "shadow.ma_crossover.BTC/EUR", "HALTED", by="Ada", reason="a look at it", now=place.clock.now()
    )
    book = IncidentBook.of(place)
    told = {"subject": failed.session_id, "severity": "low", "by": "Ada", "role": "operator"}
    book.open("failed_session", "Failed", artefacts=[Registry.of(place).path_of(failed)], **told)
    evidence = EvidenceBook.of(place)
    write_page(evidence, add_evidence(evidence, "CI", "what it shows", [home / "config" / "config.toml"], by="Ada"))
    round_ = evidence.begin("safe_stop", "Safe stop", operator="Ada")
    round_.finish(Registry.of(place).path_of(record))
    run_drill(place, find_scenario(home, "disconnect"), operator="Ada", script="good")
    market = (MarketAsked(symbol="BTC/EUR", timeframe="1h"),)
    run_finding(place, Finding(
        name="weekdays", question="Does a weekday tell the next hour?", states=States(kind="weekday"), horizon=1,
        market=market, draws=1000,
    ))  # fmt: skip
    write_signals(place, (CROSS,))
    run_scan(place, ScanWish(
        strategy="ma_crossover", symbols=("BTC/EUR",), mode="backtest-lite", timeframe="1h", warmup_candles=60,
        params={"fast": 3, "slow": 9},
    ))  # fmt: skip
    file = next((home / "data").rglob("*.parquet"))
    sweep = Sweep(
        name="s", question="?", strategy="ma_crossover", symbol="BTC/EUR", timeframe="1h", candles=str(file.parent),
        warmup_candles=60, parameters={"fast": [3, 5], "slow": [9]}, judge=Judge(least_trades=1, blocks=8),
        walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
    )  # fmt: skip
    done = run_sweep(place, prepare(place, sweep), threads=1)
    ExperimentNotes(place).add(done.sweep_id, "looked at", ("kept",))
    write_session_report(place, place.reports / "daily", summary_only=False, form="both")
    write_status_report(place, place.reports / "live", ("markdown", "html"))
    make_report("daily", "today", place)
    make_report("daily", "today", place)  # in place of the first
    open_watcher(place, once=True).run(once=True)
    Ledger.of(place).append(at=place.clock.now())  # as its next turn does
    return place


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PEAKTRADE_HOME", "PEAKTRADE_FIXED_CLOCK"):
            patch.delenv(name, raising=False)
        return everything_done(tmp_path_factory.mktemp("done") / "home")


def files_of(place: Workspace) -> list[Path]:
    """Return every file below reports/ and live_runs/ that is evidence of something."""
    found = (path for folder in (place.reports, place.runs) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if ".cache" not in path.parts and not any(path.match(form) for form in STATE)]


def asked(place: Workspace) -> str:
    """Return how the whole audit ends in a process that knows nothing yet."""
    return worst(everything(Workspace(place.home)))


def flipped(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


def reordered(data: bytes, _: random.Random) -> bytes:
    """Return the last two lines, or the two halves, in the other order."""
    *lines, first, second, end = data.split(b"\n") if data.count(b"\n") > 1 else (data[: len(data) // 2], data, b"")
    if data.count(b"\n") < 2:
        return data[len(data) // 2 :] + data[: len(data) // 2]
    return b"\n".join([*lines, second, first, end])


HARMS: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    "a bit": flipped,
    "reordered": reordered,
    "cut": lambda data, dice: data[: dice.randrange(len(data))],
    "emptied": lambda data, dice: b"",
    "deleted": lambda data, dice: None,
}


@pytest.fixture
def harmed(done: Workspace) -> Callable[[Path, bytes | None], str]:
    """Return a function that puts something in a file's place, asks, and puts the file back."""

    def harm(path: Path, data: bytes | None) -> str:
        before = path.read_bytes()
        try:
            path.unlink() if data is None else path.write_bytes(data)
            return asked(done)
        finally:
            path.write_bytes(before)

    return harm


def test_every_kind_of_file_is_there_and_nothing_is_wrong(done: Workspace) -> None:
    names = [path.relative_to(done.home) for path in files_of(done)]
    assert [form for form in KINDS if not any(name.match(form) for name in names)] == []
    assert {one.id: one.evidence for one in everything(Workspace(done.home)) if one.status != PASS} == {}


@pytest.mark.parametrize("name", HARMS)
def test_whatever_is_done_to_any_file_is_noticed(
    done: Workspace, name: str, harmed: Callable[[Path, bytes | None], str]
) -> None:
    dice, unnoticed = random.Random(name), []
    for path in files_of(done):
        data = path.read_bytes()
        changed = HARMS[name](data, dice)
        if changed != data and harmed(path, changed) not in (FAIL, WARN):
            unnoticed.append(path.relative_to(done.home).as_posix())
    assert unnoticed == []
    assert asked(done) == PASS


def test_a_restored_backup_and_a_paper_that_was_put_back_to_before_are_noticed(
    done: Workspace, tmp_path: Path, harmed: Callable[[Path, bytes | None], str]
) -> None:
    daily = next((done.reports / "daily").glob("20*.md"))
    before = daily.read_bytes()
    backup = shutil.copytree(done.home, tmp_path / "backup")
    daily.write_bytes(before + b"\nlater\n")
    enter_papers(done, daily)  # as a report that is made again
    assert asked(done) == PASS
    assert harmed(daily, before) == FAIL
    for folder in ("reports", "live_runs"):
        shutil.move(done.home / folder, tmp_path / f"{folder}.now")
        shutil.copytree(backup / folder, done.home / folder)
    assert asked(done) == FAIL
    for folder in ("reports", "live_runs"):
        shutil.rmtree(done.home / folder)
        shutil.move(tmp_path / f"{folder}.now", done.home / folder)
    assert asked(done) == PASS


def test_a_paper_is_settled_by_a_person_and_its_bundle_verifies_elsewhere(done: Workspace, tmp_path: Path) -> None:
    paper = next((done.reports / "live").glob("status_*.html"))
    made = bundle(done, tmp_path / "bundle.zip")
    shutil.unpack_archive(made.path, tmp_path / "elsewhere")
    script = [sys.executable, "-I", "-S", str(tmp_path / "elsewhere" / "verify.py")]
    assert subprocess.run(script, check=False, capture_output=True).returncode == 0
    copy = tmp_path / "elsewhere" / paper.relative_to(done.home)
    copy.write_bytes(copy.read_bytes() + b" ")
    told = subprocess.run(script, check=False, capture_output=True, text=True)
    assert (told.returncode, f"FAIL  {paper.relative_to(done.home).as_posix()}" in told.stdout) == (1, True)
    paper.unlink()
    assert asked(done) == WARN
    assert adopt(done, [paper.name], "Ada", "sent by mail, not kept") == [paper.relative_to(done.home).as_posix()]
    assert asked(done) == PASS
