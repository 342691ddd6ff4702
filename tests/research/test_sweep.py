"""Sweeps: every try is counted, a trial is its backtest to the last bit, a killed one goes on, what is held back stays so."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError, EnvironmentFault, UnknownNameError
from peaktrade_core.base.question import FAIL, PASS
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.cells import sweep_trials
from peaktrade_core.research.trials import search as searching
from peaktrade_core.research.trials.crew import Threads
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.research.trials.ranking import BEST, metric
from peaktrade_core.research.trials.spec import (
    Judge,
    Null,
    Search,
    Sweep,
    WalkForward,
    axes,
    axes_of,
    grid_of,
    points,
    read_sweep,
)
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.trial import Trial, Tries, day_marks, decided
from peaktrade_core.research.trials.verdict import _too_little, deflated, enough, shuffled, told, windows
from peaktrade_core.session.identity import decision_id
from peaktrade_core.show.wording import beside
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace

HOURS = 24 * 150


def candles_file(path: Path, wave: float, seed: int = 1, n: int = HOURS) -> Path:
    """Write hourly candles: noise, and a wave of ten days that a crossover can ride."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.002, n) + wave * np.sin(2 * np.pi * np.arange(n) / 240)
    close = 1000.0 * np.exp(np.cumsum(steps))
    open_ = np.concatenate([[1000.0], close[:-1]])
    columns = {
        "ts": pa.array((np.arange(n) * 3600 + 1_577_836_800) * 1_000_000, pa.timestamp("us", "UTC")),
        "open": open_,
        "high": np.maximum(open_, close) * 1.0005,
        "low": np.minimum(open_, close) * 0.9995,
        "close": close,
        "volume": np.ones(n),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def wavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return candles_file(tmp_path_factory.mktemp("candles") / "wavy.parquet", 0.002)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return candles_file(tmp_path_factory.mktemp("candles") / "noisy.parquet", 0.0)


@pytest.fixture
def asked(wavy: Path) -> Callable[..., Sweep]:
    def sweep(candles: Path = wavy, **more: Any) -> Sweep:
        given = {
            "name": "s",
            "question": "Does it ride the wave?",
            "strategy": "ma_crossover",
            "symbol": "BTC/EUR",
            "timeframe": "1h",
            "candles": str(candles),
            "warmup_candles": 200,
            "parameters": {"fast": [5, 20, 80], "slow": {"from": 40, "to": 120, "step": 40}},
            "judge": Judge(least_trades=3, blocks=8),
            "walk_forward": WalkForward(windows=3),
            "null": Null(shuffles=0),
        }
        return Sweep(**{**given, **more})

    return sweep


def test_a_trial_is_its_backtest_and_the_count_comes_first(workspace: Workspace, asked: Callable[..., Sweep]) -> None:
    ready = prepare(workspace, asked())
    record = run_sweep(workspace, ready, threads=2)
    assert (record.trials, record.bars, record.held) == (9, 2880, 720)
    assert record.since is not None
    trials = list(SweepStore(workspace).trials(record.sweep_id))
    assert [one.number for one in trials] == list(range(9))
    refused = [one for one in trials if one.error]
    assert [one.params for one in refused] == [{"fast": 80, "slow": 40}, {"fast": 80, "slow": 80}]
    for one in trials:
        if one.error:
            continue
        decision = decided(ready.base, one.params)
        result = run_backtest(decision, ready.bars, ready.warmup)
        metrics = result.metrics
        assert one.decision_id == decision_id(decision)
        assert one.equity == float(result.equity[-1])
        assert (one.fills, one.trades) == (len(result.fills), len(result.trades))
        assert one.max_drawdown == metrics.max_drawdown
        assert one.fees == pytest.approx(metrics.fees, rel=1e-12)
        assert one.denied == metrics.deny_codes
    (entry,) = [link.data for link, _ in TrialLedger(workspace).chain.links()]
    assert (entry["id"], entry["trials"], entry["question"]) == (record.sweep_id, 9, "Does it ride the wave?")
    assert record.counted == 9


def test_the_same_question_is_the_same_sweep_and_counts_once(
    workspace: Workspace, asked: Callable[..., Sweep], wavy: Path, tmp_path: Path
) -> None:
    first = run_sweep(workspace, prepare(workspace, asked()))
    moved = tmp_path / "elsewhere.parquet"
    moved.write_bytes(wavy.read_bytes())
    again = run_sweep(workspace, prepare(workspace, asked(moved)))
    assert again == first
    other = run_sweep(workspace, prepare(workspace, asked(parameters={"fast": [10], "slow": [50]})))
    assert other.sweep_id != first.sweep_id
    assert (first.counted, other.counted) == (9, 10)


def test_a_killed_sweep_counts_whole_and_goes_on(
    workspace: Workspace, asked: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PART", 2)
    keep, kept = SweepStore.keep, []

    def killed(self: SweepStore, sweep_id: str, part: int, found: Any) -> None:
        if len(kept) == 2:
            raise KeyboardInterrupt
        kept.append(part)
        keep(self, sweep_id, part, found)

    monkeypatch.setattr(SweepStore, "keep", killed)
    ready = prepare(workspace, asked())
    with pytest.raises(KeyboardInterrupt):
        run_sweep(workspace, ready)
    store = SweepStore(workspace)
    assert store.parts(ready.sweep_id) == {0, 1}
    assert store.load(ready.sweep_id).ended_at is None
    assert TrialLedger(workspace).count(ready.market) == 9
    monkeypatch.setattr(SweepStore, "keep", keep)
    stamps = {path: path.stat().st_mtime_ns for path in store.folder.rglob("0000[01].jsonl")}
    record = run_sweep(workspace, ready)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert (len(list(store.trials(ready.sweep_id))), record.counted) == (9, 9)


def test_without_a_ledger_nothing_is_tried(
    workspace: Workspace, asked: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(workspace, asked())

    def full(*_: Any, **__: Any) -> str:
        raise EnvironmentFault("disk full")

    monkeypatch.setattr("peaktrade_core.workspace.ledger.Ledger.append", full)
    with pytest.raises(EnvironmentFault, match="disk full"):
        run_sweep(workspace, ready)
    assert SweepStore(workspace).ids() == []


def test_a_planted_wave_is_found_and_chance_is_not(
    workspace: Workspace, asked: Callable[..., Sweep], noisy: Path
) -> None:
    found = run_sweep(workspace, prepare(workspace, asked(null=Null(shuffles=19, block_days=2))))
    answers = {one.id: one for one in found.verdict}
    assert set(answers) == {
        "enough", "deflated", "overfitting", "null", "walk_forward", "costs", "plateau", "warm_up", "halted",
    }  # fmt: skip
    assert {answers[name].status for name in ("enough", "deflated", "null", "walk_forward", "costs")} == {PASS}, answers
    chance = run_sweep(workspace, prepare(workspace, asked(noisy, null=Null(shuffles=19, block_days=2))))
    assert "deflated" in {one.id for one in chance.verdict if one.status == FAIL}
    assert "against it" in told(chance.verdict)


def test_what_is_held_back_cannot_be_read_and_an_opening_stays(
    workspace: Workspace, asked: Callable[..., Sweep], wavy: Path, peaktrade: Callable[..., Any], tmp_path: Path
) -> None:
    record = run_sweep(workspace, prepare(workspace, asked()))
    longer = candles_file(tmp_path / "longer.parquet", 0.002, n=HOURS + 500)
    ready = prepare(workspace, asked(longer))
    assert (len(ready.bars), ready.held) == (2880, 1220)  # the hold-out began with the first use, and does not move
    table = pq.read_table(wavy)
    late = tmp_path / "late.parquet"
    pq.write_table(table.slice(3000), late)
    with pytest.raises(DataError, match="all of these bars of BTC/EUR 1h are held back since 2020-04-30"):
        prepare(workspace, asked(late))
    backtest = peaktrade("backtest", "--candles", wavy, "--timeframe", "1h", "--symbol", "BTC/EUR", "--json")
    assert backtest.code == 0, backtest.stderr
    steps = json.loads(backtest.stdout)["metrics"]["steps"]
    assert steps == 2880 - 200
    trial = f"{record.sweep_id}#{record.best}"
    assert peaktrade("holdout", "open", trial, "--by", "Ada", "--reason", "go or not").code == 0
    again = peaktrade("holdout", "open", trial, "--by", "Ada", "--reason", "once more")
    assert "opened 2 times: what it shows is no longer unseen" in again.stdout
    (held,) = HoldOut(workspace).status()
    assert [one.reason for one in held.openings] == ["go or not", "once more"]
    log = HoldOut(workspace).chain.path
    log.write_bytes(log.read_bytes().replace(b"go or not", b"go or nit"))
    with pytest.raises(ArtefactError):
        prepare(workspace, asked())
    answers = {one["id"]: one["status"] for one in json.loads(peaktrade("audit", "verify", "--json").stdout)["checks"]}
    assert answers["ledger"] == "fail"


def test_a_backtest_over_candles_is_counted_and_kept(wavy: Path, home: Path, peaktrade: Callable[..., Any]) -> None:
    options = ("backtest", "--candles", wavy, "--timeframe", "1h", "--symbol", "BTC/EUR")
    first = json.loads(peaktrade(*options, "--json").stdout)
    assert json.loads(peaktrade(*options, "--json").stdout)["backtest_id"] == first["backtest_id"]
    said = peaktrade(*options, "-p", "fast=7").stdout
    assert "2 tries of ma_crossover on this market so far" in said
    assert "720 bars since 2020-04-30 00:00:00 UTC are held back" in said
    assert len(list((home / "reports/experiments/backtests").glob("bt_*.json"))) == 2
    made_up = json.loads(peaktrade("backtest", "--steps", "50", "--json").stdout)
    assert made_up["backtest_id"].startswith("bt_")


def test_windows_follow_each_other_and_prove_what_comes_after(
    workspace: Workspace, asked: Callable[..., Sweep]
) -> None:
    ready = prepare(workspace, asked(walk_forward=WalkForward(windows=4, train=0.6)))
    found = [(train, test) for train, test, _ in windows(ready)]
    assert len(found) == 4
    for train, test in found:
        assert test.ts[ready.warmup] == train.ts[-1] + 3600.0
    proven = np.concatenate([test.ts[ready.warmup :] for _, test in found])
    assert np.all(np.diff(proven) == 3600.0)
    assert proven[-1] == ready.bars.ts[-1]


def test_a_shuffled_market_has_the_same_bars_in_another_order(
    workspace: Workspace, asked: Callable[..., Sweep]
) -> None:
    bars = prepare(workspace, asked()).bars
    other = shuffled(bars, 3600.0, 2.0, seed=4)
    assert isinstance(other, Bars)
    assert np.array_equal(other.ts, bars.ts)
    own, theirs = (np.sort(np.diff(np.log(one.ohlcv[:, 3]))) for one in (bars, other))
    assert np.allclose(own[5:-5], theirs[5:-5], atol=1e-3)
    assert not np.allclose(other.ohlcv[:, 3], bars.ohlcv[:, 3])
    assert np.array_equal(shuffled(bars, 3600.0, 2.0, seed=4).ohlcv, other.ohlcv)


def test_points_are_all_of_the_grid_or_some_at_random(asked: Callable[..., Sweep]) -> None:
    def points_of(sweep: Sweep) -> list[dict[str, Any]]:
        return points(sweep, axes_of(sweep, get_strategy("ma_crossover")))

    assert axes(asked())["slow"] == [40, 80, 120]
    every = points_of(asked())
    assert len(every) == 9
    some = points_of(asked(search=Search(sampler="random", trials=4, seed=1)))
    assert len(some) == 4
    assert all(one in every for one in some)
    assert some == points_of(asked(search=Search(sampler="random", trials=4, seed=1)))
    assert axes(asked(parameters={"fast": {"from": 0.1, "to": 0.5, "step": 0.1}}))["fast"] == [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": " "}, "say in a sentence"),
        ({"parameters": {}}, "name at least one"),
        ({"parameters": {"fast": 3}}, "must be a list of values or"),
        ({"parameters": {"fast": {"from": 5, "to": 1, "step": 1}}}, "to not below from"),
        ({"parameters": {"fast": {"from": 0, "to": 1e9, "step": 0.1}}}, "at most 1,000,000"),
        ({"parameters": {"fst": [1]}}, "fst"),
        ({"fixed": {"fast": 3}}, "one only"),
    ],
)
def test_a_wrong_sweep_is_a_sentence(
    workspace: Workspace, asked: Callable[..., Sweep], change: dict[str, Any], says: str
) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=says):
        prepare(workspace, asked(**change))


def test_a_file_and_options_say_the_same(home: Path, wavy: Path, peaktrade: Callable[..., Any]) -> None:
    path = home / "wave.toml"
    path.write_text(
        f'question = "q"\nstrategy = "ma_crossover"\ncandles = "{wavy}"\nsymbol = "BTC/EUR"\ntimeframe = "1h"\n'
        "[parameters]\nfast = [5, 20]\nslow = {from = 40, to = 80, step = 40}\n"
    )
    assert read_sweep(path).parameters == grid_of("fast=5,20 slow=40:80:40")
    plan = json.loads(peaktrade("sweep", "run", path, "--dry-run", "--json").stdout)
    assert (plan["trials"], plan["held"]) == (4, 720)
    assert list(TrialLedger(Workspace(home)).chain.links()) == []
    ran = peaktrade("sweep", "run", path)
    assert ran.code in (0, 1), ran.stderr
    assert ran.stdout.index("Verdict:") < ran.stdout.index("DAILY SHARPE")
    listed = json.loads(peaktrade("experiments", "list", "--json").stdout)
    assert [one["name"] for one in listed] == ["wave"]
    assert peaktrade("experiments", "export", "latest", "--out", home / "t.csv").code == 0
    assert len((home / "t.csv").read_text().splitlines()) == 5
    assert peaktrade("sweep", "run", path, "--grid", "fast=1").code == 2
    assert "give a file, or" in peaktrade("sweep", "run").stderr
    path.write_text(path.read_text().replace("fast = [5, 20]", "fast = [5, 20]\n[jugde]\n"))
    assert "jugde" in peaktrade("sweep", "run", path).stderr


def test_damaged_parts_are_named(workspace: Workspace, asked: Callable[..., Sweep]) -> None:
    record, store = run_sweep(workspace, prepare(workspace, asked())), SweepStore(workspace)
    part = store.folder / record.sweep_id / "parts" / "00000.jsonl"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(ArtefactError, match=r"00000\.jsonl: not the trials of a sweep"):
        list(store.trials(record.sweep_id))
    (store.folder / record.sweep_id / "sweep.json").write_text("{")
    with pytest.raises(ArtefactError, match="not a sweep"):
        store.load(record.sweep_id)
    with pytest.raises(UnknownNameError):
        store.load("sw_none")


def test_marks_are_the_equity_at_each_days_end(workspace: Workspace, asked: Callable[..., Sweep]) -> None:
    ready = prepare(workspace, asked())
    result = run_backtest(decided(ready.base, {"fast": 20, "slow": 80}), ready.bars, ready.warmup)
    marks = day_marks(result)
    closes = result.ts + 3600.0
    for day, equity in zip(marks.day.tolist(), marks.equity.tolist(), strict=True):
        last = np.flatnonzero((closes > day * 86_400) & (closes <= (day + 1) * 86_400))[-1]
        assert equity == result.equity[last]
    assert msgspec.json.encode(len(marks.day))


def test_costs_sizes_and_limits_vary_like_parameters_and_share_signals(
    workspace: Workspace, asked: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    varied = {"fee_bps": [0, 26], "fast": [5, 20], "max_order_notional": [400, 1000.0], "position_fraction": [0.05]}
    ready = prepare(workspace, asked(parameters=varied, fixed={"slow": 80}, walk_forward=WalkForward(windows=0)))
    made: list[Any] = []
    signals = Tries.signals
    monkeypatch.setattr(Tries, "signals", lambda self, one: (made.append(one.params), signals(self, one))[1])
    record = run_sweep(workspace, ready, threads=1)
    trials = list(SweepStore(workspace).trials(record.sweep_id))
    assert len(trials) == 8
    assert len(made) - 1 == 2  # one is for the costs of the verdict
    for one in trials:
        decision = decided(ready.base, one.params)
        assert decision.market.fee_rate == one.params["fee_bps"] / 1e4
        assert decision.limits.max_order_notional == one.params["max_order_notional"]
        result = run_backtest(decision, ready.bars, ready.warmup)
        assert (one.equity, one.fees, one.denied) == (
            float(result.equity[-1]), result.metrics.fees, result.metrics.deny_codes,
        )  # fmt: skip
    assert {one.decision_id for one in trials if one.params["max_order_notional"] == 400 and one.denied}


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_search_asks_the_same_on_any_number_of_threads_and_after_a_kill(
    workspace: Workspace, asked: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sampler: str
) -> None:
    monkeypatch.setattr(searching, "PART", 8)
    monkeypatch.setattr(searching, "ROUND", 4)
    wide = {"fast": {"from": 2, "to": 60, "step": 1}, "slow": {"from": 40, "to": 120, "step": 5}}
    more = {
        "parameters": wide,
        "search": Search(sampler=sampler, trials=30, seed=3),
        "walk_forward": WalkForward(windows=0),
    }
    ready = prepare(workspace, asked(**more))
    assert ready.plan.trials == 30
    with Threads(2) as crew:  # killed after its first part
        parts = ready.plan.explored(crew, ready.over(ready.bars), lambda one: metric(one, ready.sweep.judge))
        SweepStore(workspace).keep(ready.sweep_id, *next(parts))
    record = run_sweep(workspace, ready, threads=2)
    first = list(SweepStore(workspace).trials(record.sweep_id))
    assert [one.number for one in first] == list(range(30))
    shutil.copytree(workspace.home / "config", tmp_path / "other" / "config")
    other = Workspace(tmp_path / "other")
    again = run_sweep(other, prepare(other, asked(**more)), threads=1)
    assert [one.params for one in SweepStore(other).trials(again.sweep_id)] == [one.params for one in first]
    assert record.counted == 30
    half = [one.sharpe or -1.0 for one in first]
    assert max(half[15:]) >= max(half[:15]) or sampler == "cmaes"


def test_without_optuna_the_answer_is_what_to_install(
    workspace: Workspace, asked: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(EnvironmentFault, match=r"needs Optuna: pip install 'peaktrade\[search\]', or use random"):
        run_sweep(workspace, prepare(workspace, asked(search=Search(sampler="tpe", trials=5))))
    assert not TrialLedger(workspace).chain.path.exists()


def test_a_sweep_without_a_best_trial_says_how_far_the_nearest_is(
    workspace: Workspace, asked: Callable[..., Sweep]
) -> None:
    short = run_sweep(workspace, prepare(workspace, asked(judge=Judge(least_trades=10_000, blocks=8))))
    most = max(one.trades for one in SweepStore(workspace).trials(short.sweep_id))
    (check,) = short.verdict
    assert (short.best, check.status) == (None, "fail")
    days = "112 days"  # with bars, of the 2,880 hours less 200 to warm up
    assert check.evidence == f"no trial has more than {most} round trips and {days}; at least 10000 and 60 are needed"
    assert "more candles" in check.next_step
    table = sweep_trials(workspace, short)
    assert (table.title, len(table.rows)) == ("First trials, none of which can be ranked", min(BEST, short.trials))


def test_trials_none_of_which_could_run_say_why() -> None:
    check = _too_little([Trial(number=0, params={}, error="need fast < slow")], Judge())
    assert (check.status, check.evidence) == ("fail", "no trial could run: need fast < slow")


def test_days_that_do_not_differ_are_never_enough_and_no_nan_is_told() -> None:
    flat, judge = np.zeros(100), Judge(least_trades=1)
    for check in (enough(50, flat, judge), deflated(flat, 3, 1.0, 0.1, judge)):
        assert check.status in ("fail", "unknown")
        assert "nan" not in check.evidence
        assert "do not differ" in check.evidence


def test_a_figure_that_just_misses_its_limit_does_not_look_as_if_it_met_it() -> None:
    assert [beside(one, 0.95) for one in (0.9497, 0.95, 0.944, 0.97)] == ["0.9497", "0.95", "0.94", "0.97"]
