"""The pages of research: one list of experiments, and each with its verdict before its curve; pages and JSON say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from serving import HOSTILE, Dashboard, new_workspace
from serving import shown as panel_of

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.experiments.listing import EXPERIMENT_LIST
from peaktrade_core.research.experiments.notes import ExperimentNotes
from peaktrade_core.research.experiments.page import heat_map, shown
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.research.experiments.surface import Surface
from peaktrade_core.research.findings.run import run_finding
from peaktrade_core.research.findings.spec import Finding, MarketAsked, States
from peaktrade_core.research.forward.scan import ScanWish, run_scan
from peaktrade_core.research.trials.recorded import BacktestStore, begin_backtest
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.show.language import words
from peaktrade_core.trading.market import Bar

HOUR, N = 3600, 3000
PANELS = ("experiment", "experiment_curve", "experiment_map", "experiment_parts", "experiment_sessions")


class Tried:
    """A workspace with an experiment of each kind, by kind; the best trial of its sweep was run as a session, too."""

    def __init__(self, home: Path) -> None:
        self.place = place = new_workspace(home)
        store, series = CandleStore.of_workspace(home), Series("made-up", "BTC/EUR", "1h")
        feed = iter(SyntheticFeed(2, HOUR))
        store.put(series, [bar for _, bar in zip(range(N), feed, strict=False) if isinstance(bar, Bar)])
        folder = str(store.folder(series))
        sweep = Sweep(
            name="hours", question=f"Does it carry over? {HOSTILE}", strategy="ma_crossover", symbol="BTC/EUR",
            timeframe="1h", candles=folder, warmup_candles=60, parameters={"fast": [5, 10, 30], "slow": [20, 50]},
            judge=Judge(least_trades=1, blocks=4), walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
        )  # fmt: skip
        self.sweep = run_sweep(place, prepare(place, sweep))
        best = SweepStore(place).trial(f"{self.sweep.sweep_id}#{self.sweep.best}")
        wanted = {"strategy": "ma_crossover", "params": best.params, "symbol": "BTC/EUR", "timeframe": "1h",
                  "warmup_candles": 60, "candles": folder}  # fmt: skip
        plan = plan_session(place, **wanted)
        bars, counted = begin_backtest(place, plan)
        result = run_backtest(plan.decision, bars, 60, place.compiled)
        BacktestStore(place).keep(plan, bars, counted, result)
        self.session = run_session(plan_session(place, **wanted), Desk.of(place))
        scan = run_scan(
            place, ScanWish("ma_crossover", ["BTC/EUR"], "backtest-lite", timeframe="1h", warmup_candles=60)
        )
        finding = run_finding(place, Finding(
            name="hours", question="q", states=States(kind="weekday"), market=(MarketAsked(symbol="BTC/EUR", timeframe="1h"),)
        ))  # fmt: skip
        self.ids = {
            "sweep": self.sweep.sweep_id, "backtest": counted.backtest_id, "scan": scan.scan_id, "finding": finding.finding_id
        }  # fmt: skip
        ExperimentNotes(place).add(counted.backtest_id, HOSTILE, ("first",))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    return Tried(tmp_path_factory.mktemp("research") / "home")


@pytest.fixture(scope="module")
def served(tried: Tried) -> Iterator[Dashboard]:
    running = Dashboard(tried.place.home)
    yield running
    running.stop()


def page(tried: Tried, name: str, subject: str | None = None, query: str = "") -> str:
    return unescape(panel_of(tried.place, name, query, subject))


def test_the_list_is_narrowed_down_in_the_address_and_is_the_same_as_json(tried: Tried, served: Dashboard) -> None:
    rows = served.json("/api/experiments")["rows"]
    assert {row["id"] for row in rows} == set(tried.ids.values())
    for query, expected in (
        ("type=sweep", {"sweep"}), ("judged=open", set()), ("tag=first", {"backtest"}), ("symbol=ETH/EUR", set()),
        ("strategy=ma_crossover", {"sweep", "backtest", "scan"}), ("q=hours", {"sweep", "finding"}),
    ):  # fmt: skip
        found = {row["id"] for row in served.json(f"/api/experiments?{query}")["rows"]}
        assert found == {tried.ids[kind] for kind in expected}, query
        listed = set(re.findall(r'<tbody data-key="(\w+)"', page(tried, "experiments", query=query)))
        assert listed == found
    sharpe = [row["sharpe"] for row in served.json("/api/experiments?sort=sharpe")["rows"] if row["sharpe"] is not None]
    assert sharpe == sorted(sharpe, reverse=True)
    assert served.get("/api/experiments?type=poem").status == 422
    lines = served.get("/api/experiments.csv").body.splitlines()
    assert (len(lines), lines[0].split(",")[:2]) == (5, ["id", "run_type"])
    assert EXPERIMENT_LIST.address(EXPERIMENT_LIST.read("type=sweep&q=x")) == "/research?q=x&type=sweep"


@pytest.mark.parametrize("kind", ["sweep", "backtest", "scan", "finding"])
def test_an_experiment_opens_with_its_verdict_and_is_the_same_as_json(
    tried: Tried, served: Dashboard, kind: str
) -> None:
    experiment_id = tried.ids[kind]
    answer = served.get(f"/research/{experiment_id}")
    assert answer.status == 200
    assert f'href="/api/experiments/{experiment_id}"' in answer.body
    places = [answer.body.index(f'data-panel="{name}"') for name in PANELS]
    assert places == sorted(places)
    told = served.json(f"/api/experiments/{experiment_id}")
    row = Experiments(tried.place).row(experiment_id)
    assert (told["experiment"]["id"], told["experiment"]["verdict"]) == (experiment_id, row.verdict)
    assert [one["id"] for one in told["verdict"]] == [one.id for one in shown(tried.place, experiment_id).checks]
    assert row.verdict in page(tried, "experiment", experiment_id)
    for name in PANELS:
        html = Page(lambda: tried.place, "", experiment_id).panel(name)
        assert "<script" not in html
        assert "<img" not in html


def test_the_curve_ends_where_something_is_held_back(tried: Tried, served: Dashboard) -> None:
    for kind in ("sweep", "backtest"):
        told = served.json(f"/api/experiments/{tried.ids[kind]}")
        assert told["held"]["bars"] == N // 5
        assert told["days"][-1] <= told["held"]["since"][:10]
        html = page(tried, "experiment_curve", tried.ids[kind])
        assert 'fill-opacity="0.18"' in html
        assert f"{N // 5} bars" in html
    sweep, backtest = (served.json(f"/api/experiments/{tried.ids[kind]}") for kind in ("sweep", "backtest"))
    assert (sweep["days"], sweep["equity"]) == (backtest["days"], backtest["equity"])  # the best trial is that backtest
    for kind in ("scan", "finding"):
        assert "hidden" in page(tried, "experiment_curve", tried.ids[kind])


def test_the_map_has_every_trial_and_names_the_best(tried: Tried, served: Dashboard) -> None:
    found = served.json(f"/api/experiments/{tried.ids['sweep']}")["map"]
    assert (found["across"], found["up"], found["columns"], found["rows"]) == ("fast", "slow", [5, 10, 30], [20, 50])
    trials = {
        (one.params["slow"], one.params["fast"]): one for one in SweepStore(tried.place).trials(tried.sweep.sweep_id)
    }
    for row, slow in enumerate(found["rows"]):
        for column, fast in enumerate(found["columns"]):
            assert found["cells"][row][column] == trials[slow, fast].sharpe  # null where fast is not below slow
    best = trials[found["rows"][found["best"][0]], found["columns"][found["best"][1]]]
    assert best.number == tried.sweep.best
    html = page(tried, "experiment_map", tried.ids["sweep"])
    assert html.count("★</span>") == 1
    assert f"/lab/sweep?sweep={tried.ids['sweep']}" in page(tried, "experiment", tried.ids["sweep"])
    one = Sweep(name="n", question="q", strategy="ma_crossover", candles="c", parameters={"fast": [5, 10]})
    flat = heat_map(Surface(one, [trial for trial in trials.values() if trial.params["slow"] == 20]))
    assert flat is not None
    assert (flat.up, len(flat.cells), len(flat.cells[0])) == ("", 1, 2)


def test_the_sessions_of_a_decision_are_named(tried: Tried, served: Dashboard) -> None:
    for kind in ("sweep", "backtest"):
        html = page(tried, "experiment_sessions", tried.ids[kind])
        assert f'href="/session/{tried.session.session_id}"' in html
        told = served.json(f"/api/experiments/{tried.ids[kind]}")["sessions"]
        assert [one["session_id"] for one in told] == [tried.session.session_id]
    assert "hidden" in page(tried, "experiment_sessions", tried.ids["scan"])


def test_what_is_not_there_or_torn_is_said(tried: Tried, served: Dashboard, tmp_path: Path) -> None:
    assert served.get("/api/experiments/nothing").status == 404
    assert served.get("/research/nothing").status == 404
    assert "unknown experiment" in page(tried, "experiment", "nothing")
    assert page(tried, "experiment", "sw_") == page(
        tried, "experiment", tried.ids["sweep"]
    )  # the only one that begins so
    torn = new_workspace(tmp_path / "home")
    folder = torn.home / "reports" / "experiments" / "scans"
    folder.mkdir(parents=True)
    (folder / "sc_000000000000.json").write_text("{")
    assert "not a scan" in unescape(Page(lambda: torn).panel("experiments"))
    assert "not a scan" in unescape(Page(lambda: torn, "", "sc_000000000000").panel("experiment"))


def test_nothing_tried_says_what_to_do(tmp_path: Path) -> None:
    assert "Nothing was tried yet." in Page(lambda: new_workspace(tmp_path / "home")).panel("experiments")


def test_every_kind_has_a_word_in_both_languages() -> None:
    for language in ("en", "de"):
        known = words(language)
        for kind in ("backtest", "sweep", "portfolio", "scan", "finding"):
            assert known[f"experiment_{kind}"]
            assert known[f"type_{kind}"]
