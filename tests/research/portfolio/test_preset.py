"""A portfolio's file, from what is wrong in it to what comes of it: clear sentences, hold-out, count, record, output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from peaktrade_core.base.errors import (
    ArtefactError,
    ConfigError,
    DataError,
    EnvironmentFault,
    TierNotAllowedError,
    UnknownNameError,
)
from peaktrade_core.base.resources import share_dir
from peaktrade_core.research.portfolio.prepare import ReadyPortfolio, prepare
from peaktrade_core.research.portfolio.preset import (
    FOLDER,
    Component,
    Portfolio,
    find_preset,
    preset_files,
    read_portfolio,
)
from peaktrade_core.research.portfolio.record import PortfolioStore, backtest_portfolio
from peaktrade_core.research.portfolio.tables import portfolio_figure, portfolio_parts
from peaktrade_core.research.trials.holdout import HoldOut
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.workspace.workspace import Workspace

DAY_0 = 1_577_836_800  # 2020-01-01


def candles(path: Path, seed: int, *, days: int = 150, begin: int = DAY_0, bar_s: int = 3600) -> str:
    """Write candles: noise, and a wave of ten days that a crossover can ride."""
    n = days * 86_400 // bar_s
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.004, n) + 0.002 * np.sin(2 * np.pi * np.arange(n) / (10 * 86_400 / bar_s) + seed)
    close = 1000.0 * np.exp(np.cumsum(steps))
    open_ = np.concatenate([[1000.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
    ts = pa.array((np.arange(n) * bar_s + begin) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"ts": ts, "open": open_, "high": high, "low": low, "close": close, "volume": np.ones(n)})
    pq.write_table(table, path)
    return str(path)


@pytest.fixture
def two(tmp_path: Path) -> Callable[..., Portfolio]:
    def made(**more: Any) -> Portfolio:
        btc, eth = candles(tmp_path / "btc.parquet", 1), candles(tmp_path / "eth.parquet", 2)
        one = {"strategy": "ma_crossover", "timeframe": "1h", "warmup_candles": 100, "params": {"fast": 10, "slow": 60}}
        components = (
            Component(symbol="BTC/EUR", candles=btc, **one),
            Component(symbol="ETH/EUR", candles=eth, **one),
        )
        return Portfolio(**{"name": "two", "component": components, **more})

    return made


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


ONE = '[[component]]\nstrategy = "ma_crossover"\nsymbol = "BTC/EUR"\n'
WRONG = {
    "nothing": ('risk = "moderate"', "has no 'component', which must be there"),
    "empty": ("component = []", "needs at least one"),
    "a risk": (f'risk = "brave"\n{ONE}', "risk = 'brave' must be one of: conservative, moderate, aggressive"),
    "a word": (f"wieghts = 1\n{ONE}", "has no 'wieghts'; it has: name, risk"),
    "a method": (f'[weights]\nmethod = "best"\n{ONE}', "weights.method = 'best' must be one of: given, equal"),
    "no symbol": ('[[component]]\nstrategy = "ma_crossover"', "a \\[\\[component\\]\\] without 'symbol'"),
    "a weight of one": (f"{ONE}weight = 0.5\n{ONE}", "1 of 2 components have a weight; give it to all or to none"),
    "a sum": (
        f"{ONE}weight = 0.5\n{ONE}weight = 0.4\n",
        "the weights of the components sum to 0.9; they must sum to 1",
    ),
    "given": (f'[weights]\nmethod = "given"\n{ONE}', "needs a weight in each"),
    "too large": (
        f"[weights]\nlargest = 0.5\n{ONE}weight = 0.6\n{ONE}weight = 0.4\n",
        "a weight of 0.6 is above largest",
    ),
    "too small": (f"[weights]\nlargest = 0.4\n{ONE}{ONE}", "largest = 0.4: 2 components of at most so much cannot"),
    "no toml": ("risk = ", "mine.toml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_says_where_and_what(tmp_path: Path, case: str) -> None:
    text, said = WRONG[case]
    with pytest.raises(ConfigError, match=said) as wrong:
        read_portfolio(written(tmp_path, text))
    assert "mine.toml" in str(wrong.value)


@pytest.mark.parametrize("name", ["conservative", "moderate", "aggressive"])
def test_the_shipped_presets_run_on_the_embedded_market(workspace: Workspace, cache: Path, name: str) -> None:
    preset = find_preset(workspace, name).portfolio
    assert (preset.name, preset.risk) == (name, name)
    ready = prepare(workspace, preset, days=40)._replace(cache=cache)
    record = backtest_portfolio(workspace, ready)
    assert not any("would be denied" in one for one in ready.remarks)
    assert record.portfolio_id == ""
    assert record.figures.trades > 0
    assert abs(record.figures.days - 40) <= 1
    assert not (workspace.home / "reports" / "trials").exists()
    assert not PortfolioStore(workspace).folder.exists()


def test_a_preset_of_the_workspace_goes_before_a_shipped_one(workspace: Workspace) -> None:
    assert sorted(preset_files(workspace)) == ["aggressive", "conservative", "moderate"]
    own = workspace.home / FOLDER
    own.mkdir(parents=True)
    (own / "moderate.toml").write_text(ONE)
    assert find_preset(workspace, "moderate").path == own / "moderate.toml"
    with pytest.raises(
        UnknownNameError, match="unknown preset 'brave'; known: aggressive, conservative, moderate; `peaktrade"
    ):
        find_preset(workspace, "brave")
    with pytest.raises(ConfigError, match=r"cannot read nothing\.toml"):
        find_preset(workspace, "nothing.toml")
    assert (share_dir() / FOLDER / "moderate.toml").is_file()


def test_what_a_fleet_would_refuse_is_refused(workspace: Workspace, two: Callable[..., Portfolio]) -> None:
    first, second = two().component
    with pytest.raises(ConfigError, match="components 1 and 2 both trade ma_crossover on BTC/EUR"):
        prepare(workspace, two(component=(first, msgspec.structs.replace(first, timeframe="4h"))))
    with pytest.raises(ConfigError, match=r"the components trade in EUR and USD \(BTC/EUR, ETH/USD\)"):
        prepare(workspace, two(component=(first, msgspec.structs.replace(second, symbol="ETH/USD"))))
    with pytest.raises(UnknownNameError, match="unknown strategy 'luck'"):
        prepare(workspace, two(component=(msgspec.structs.replace(first, strategy="luck"),)))
    with pytest.raises(TierNotAllowedError, match="strategy 'armstrong_cycle' is r_and_d"):
        prepare(workspace, two(component=(msgspec.structs.replace(first, strategy="armstrong_cycle", params={}),)))


def test_candles_that_are_missing_or_have_no_common_period(
    workspace: Workspace, two: Callable[..., Portfolio], tmp_path: Path
) -> None:
    first, second = two().component
    with pytest.raises(DataError, match="no candles of BTC/EUR 1h are stored, but nothing; `peaktrade exchange fetch"):
        prepare(workspace, two(component=(msgspec.structs.replace(first, candles=None),)))
    later = candles(tmp_path / "later.parquet", 2, begin=DAY_0 + 200 * 86_400)
    with pytest.raises(
        DataError, match=r"no common period: ma_crossover ETH/EUR 1h trades only from 2020-07-2.*until 2020-0"
    ):
        prepare(workspace, two(component=(first, msgspec.structs.replace(second, candles=later))))


def test_what_may_be_read_is_shorter_than_the_warm_up(
    workspace: Workspace, two: Callable[..., Portfolio], tmp_path: Path
) -> None:
    short = candles(tmp_path / "short.parquet", 2, days=5)
    with pytest.raises(
        DataError, match="has 96 bars that may be read, 24 more are held back, and the warm-up takes 100"
    ):
        prepare(workspace, two(component=(msgspec.structs.replace(two().component[0], candles=short),)))


def test_a_position_that_no_limit_lets_pass_is_said_before(workspace: Workspace, two: Callable[..., Portfolio]) -> None:
    ready = prepare(workspace, two(risk="aggressive"))
    assert "max_order_notional = 1000 lets a sleeve trade that holds at most 2,855.71 EUR" in ready.remarks[0]
    assert ready.remarks[0].endswith("one begins with 5,000.00 EUR: so its orders would be denied")


def test_the_shipped_presets_say_up_to_where_the_limits_let_them_trade(workspace: Workspace) -> None:
    told = {}
    for name in ("conservative", "moderate", "aggressive"):
        told[name] = prepare(workspace, find_preset(workspace, name).portfolio, days=30).remarks
    assert not any("max_order_notional" in one for one in told["conservative"])
    (moderate,) = (one for one in told["moderate"] if "max_order_notional" in one)
    assert "at most 4,997.50 EUR; one begins with 2,500.00 EUR (its weight may make that 4,000.00 EUR)" in moderate
    (aggressive,) = (one for one in told["aggressive"] if "max_order_notional" in one)
    assert aggressive.endswith("one begins with 2,500.00 EUR: beyond that its orders are denied")


def test_components_are_cut_to_the_time_that_they_share(
    workspace: Workspace, two: Callable[..., Portfolio], tmp_path: Path
) -> None:
    first, second = two().component
    late = candles(tmp_path / "late.parquet", 2, begin=DAY_0 + 20 * 86_400, bar_s=14_400)
    parts = prepare(
        workspace, two(component=(first, msgspec.structs.replace(second, candles=late, timeframe="4h")))
    ).parts
    begins = {float(part.bars.ts[part.warmup]) for part in parts}
    assert begins == {DAY_0 + 20 * 86_400.0 + 100 * 14_400.0}
    ends = [float(part.bars.ts[-1]) + part.decision.bar_s for part in parts]
    assert max(ends) - min(ends) < 14_400.0
    held = {one.timeframe: one.since.timestamp() for one in HoldOut(workspace).status()}
    assert max(ends) <= held["1h"] == DAY_0 + 120 * 86_400.0


def run(workspace: Workspace, ready: ReadyPortfolio, cache: Path) -> Any:
    return backtest_portfolio(workspace, ready._replace(cache=cache))


def test_it_is_counted_before_it_runs_kept_by_content_and_found_again(
    workspace: Workspace, two: Callable[..., Portfolio], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(workspace, two())

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("peaktrade_core.research.portfolio.record.run_portfolio", killed)
        with pytest.raises(KeyboardInterrupt):
            run(workspace, ready, cache)
    counted = [link.data for link, _ in TrialLedger(workspace).chain.links()]
    assert [(one["strategy"], one["symbol"], one["trials"]) for one in counted] == [
        ("ma_crossover", "BTC/EUR", 1), ("ma_crossover", "ETH/EUR", 1), ("portfolio", "*/EUR", 1),
    ]  # fmt: skip
    record = run(workspace, ready, cache)
    assert (record.counted, record.held) == (3, 1440)
    assert len(list(TrialLedger(workspace).chain.links())) == 3
    again = run(workspace, prepare(workspace, two(name="another name", summary="the same")), cache)
    assert again == PortfolioStore(workspace).load("latest") == record
    assert run(workspace, prepare(workspace, two(risk="conservative")), cache).portfolio_id != record.portfolio_id


def test_figures_add_up_and_the_verdict_comes_first(
    workspace: Workspace, two: Callable[..., Portfolio], cache: Path
) -> None:
    record = run(workspace, prepare(workspace, two(risk="conservative")), cache)
    figures = record.figures
    gain = figures.equity - record.start_balance
    assert sum(one.contribution for one in figures.sleeves) == pytest.approx(gain, abs=0.005)
    assert sum(one.moved for one in figures.sleeves) == 0.0
    assert figures.marks.equity[-1] == pytest.approx(figures.equity)
    assert [one[-1] for one in figures.marks.gained] == pytest.approx([one.contribution for one in figures.sleeves])
    assert figures.days == 116  # 2020-01-05 04:00 to the hold-out
    assert (figures.correlations[0][0], figures.correlations[0][1]) == (1.0, figures.correlations[1][0])
    assert {one.id for one in record.verdict} == {
        "enough", "deflated", "components", "different", "carried", "weights", "costs", "room", "halted",
    }  # fmt: skip
    shown = [str(part) for part in portfolio_parts(record)]
    assert next(n for n, text in enumerate(shown) if text.startswith("Verdict")) < next(
        n for n, text in enumerate(shown) if text.startswith("Sleeves")
    )
    assert [line.name for line in portfolio_figure(record).lines] == ["account", *(one.name for one in figures.sleeves)]  # type: ignore[union-attr]


def test_a_damaged_record_and_a_ledger_that_cannot_be_used(
    workspace: Workspace, two: Callable[..., Portfolio], cache: Path
) -> None:
    ready = prepare(workspace, two())
    record = run(workspace, ready, cache)
    path = PortfolioStore(workspace).folder / f"{record.portfolio_id}.json"
    path.write_text("{")
    with pytest.raises(ArtefactError, match="not a portfolio"):
        PortfolioStore(workspace).load(record.portfolio_id)
    with pytest.raises(UnknownNameError, match="unknown portfolio 'pf_none'"):
        PortfolioStore(workspace).load("pf_none")
    chain = TrialLedger(workspace).chain.path
    chain.write_text(chain.read_text().replace("ma_crossover", "ma_crossoveR"))
    with pytest.raises((ArtefactError, EnvironmentFault)):
        run(workspace, ready, cache)


def test_the_commands(peaktrade: Callable[..., Any], home: Path, two: Callable[..., Portfolio]) -> None:
    listed = peaktrade("portfolio", "presets", "--json")
    assert [one["name"] for one in json.loads(listed.stdout)] == ["aggressive", "conservative", "moderate"]
    unknown = peaktrade("portfolio", "backtest", "--preset", "brave")
    assert (unknown.code, unknown.stdout) == (2, "")
    assert "unknown preset 'brave'" in unknown.stderr
    assert peaktrade("portfolio", "show").code == 2
    components = "".join(
        f'[[component]]\nstrategy = "ma_crossover"\nsymbol = "{one.symbol}"\ntimeframe = "1h"\ncandles = "{one.candles}"\n'
        "warmup_candles = 100\nparams = {fast = 10, slow = 60}\n"
        for one in two().component
    )
    own = home / FOLDER
    own.mkdir(parents=True)
    (own / "mine.toml").write_text(components)
    (own / "torn.toml").write_text("risk = ")
    narrow = peaktrade("portfolio", "backtest", "--preset", "mine", env={"COLUMNS": "80"})
    assert narrow.code in (0, 1), narrow.stderr
    assert max(map(len, narrow.stdout.splitlines())) <= 80
    assert narrow.stdout.index("Verdict") < narrow.stdout.index("Sleeves") < narrow.stdout.index("Account")
    shown = json.loads(peaktrade("portfolio", "show", "--json").stdout)
    assert shown["portfolio"]["name"] == "mine"
    assert shown["portfolio_id"] in narrow.stdout
    assert "torn" in peaktrade("portfolio", "presets").stdout
