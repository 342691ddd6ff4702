"""Wrong options and wrong configuration: a stable exit code and a message that says what, where and what is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import ConfigError, LiveModeNotAllowedError, PeaktradeError
from peaktrade_core.session.planning import plan_session
from peaktrade_core.workspace.workspace import HOME, Workspace
from tests.cli.surface import faults, ran

Command = Callable[..., Any]

OPTIONS = {
    "unknown strategy": (["--strategy", "moon"], "unknown strategy 'moon'; known: armstrong_cycle, donchian_breakout"),
    "unknown symbol": (["--symbol", "DOGE/EUR"], "unknown symbol 'DOGE/EUR'; known: BTC/EUR"),
    "unknown timeframe": (["--timeframe", "7m"], "unknown timeframe '7m'; known: 1s, 10s, 1m"),
    "unknown mode": (["--mode", "yolo"], "unknown mode 'yolo'; known: shadow, testnet"),
    "paced exchange": (["--feed", "exchange", "--pace", "2"], "--pace goes with recorded or synthetic bars"),
    "unknown feed": (["--feed", "crystal"], "unknown feed 'crystal'; known: synthetic, replay, exchange"),
    "replay without candles": (["--feed", "replay"], "--feed replay needs --candles FILE"),
    "synthetic with candles": (["--feed", "synthetic", "--candles", "x.csv"], "--candles goes with --feed replay"),
    "negative balance": (
        ["--start-balance", "-1"],
        "start_balance = -1.0 must be a positive number up to 1,000,000,000,000",
    ),
    "no balance": (["--start-balance", "0"], "start_balance = 0.0 must be"),
    "NaN balance": (["--start-balance", "nan"], "start_balance = nan must be"),
    "infinite balance": (["--start-balance", "inf"], "start_balance = inf must be"),
    "text balance": (["--start-balance", "much"], "'much' is not a valid float"),
    "no steps": (["--steps", "0"], "steps = 0 must be a whole number from 1 to 100,000,000"),
    "negative steps": (["--steps", "-5"], "steps = -5 must be"),
    "half a step": (["--steps", "1.5"], "'1.5' is not a valid integer"),
    "negative warm-up": (["--warmup-candles", "-1"], "warmup_candles = -1 must be a whole number from 0"),
    "fraction above one": (["--position-fraction", "2"], "position_fraction = 2.0 must be a number from 0.0001 to 1"),
    "fraction NaN": (["--position-fraction", "nan"], "position_fraction = nan must be"),
    "negative seed": (["--seed", "-3"], "seed = -3 must be"),
    "bad duration": (
        ["--duration", "soon"],
        "duration 'soon' is not understood; write 30 (minutes), 90s, 15m, 1h or 2d",
    ),
    "no duration": (["--duration", "0"], "duration '0' is not understood"),
    "duration and steps": (["--duration", "1h", "--steps", "5"], "give --steps or --duration, not both"),
    "bad pace": (["--pace", "fast"], "pace 'fast' must be a positive number (1 = real time) or max"),
    "pace zero": (["--pace", "0"], "pace = 0.0 must be a positive number, or max"),
    "pace NaN": (["--pace", "nan"], "pace = nan must be a positive number"),
    "no equals sign": (["-p", "fast"], "parameter 'fast' must be written KEY=VALUE, for example fast=10"),
    "unknown parameter": (["-p", "speed=3"], "strategy 'ma_crossover' has no parameter 'speed'; it has: fast, slow"),
    "wrong type": (["-p", "fast=ten"], "strategy 'ma_crossover': fast = 'ten' must be a finite int"),
    "NaN parameter": (["-p", "fast=nan"], "fast = nan must be a finite int"),
    "out of order": (["-p", "fast=50", "-p", "slow=20"], "fast = 50, slow = 20; need 1 <= fast < slow"),
    "no such module": (["--strategy-module", "mine.py"], "mine.py: no such strategy module; give a Python file"),
    "unknown option": (["--leverage", "100"], "No such option"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_wrong_option_is_refused_before_anything_is_written(peaktrade: Command, home: Path, case: str) -> None:
    options, says = OPTIONS[case]
    ended = peaktrade("session", "run", *options)
    assert ended.code == 2, ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in home.iterdir()) == ["config"]


CONFIGS = {
    "wrong type": ("steps = 1000 ", 'steps = "many" ', "session.steps = 'many' must be a whole number from 1"),
    "truth for a number": (
        "fee_bps = 26.0",
        "fee_bps = true",
        "session.fee_bps = True must be a number from 0 to 1,000",
    ),
    "unknown key": ("fee_bps = 26.0", "fee_bsp = 26.0", "session has no 'fee_bsp'; it has: strategy, symbol"),
    "unknown section": ("[ui]", "[gui]", "the file has no 'gui'; it has: environment, session"),
    "no TOML": ("[ui]", "[ui", "(at line "),
    "NaN": ("fee_bps = 26.0", "fee_bps = nan", "session.fee_bps = nan must be a number from 0 to 1,000"),
    "NaN limit": (
        "max_order_notional = 1000.0",
        "max_order_notional = nan",
        "live_risk.max_order_notional = nan must be",
    ),
    "infinite limit": (
        "max_daily_loss_abs = 500.0",
        "max_daily_loss_abs = inf",
        "live_risk.max_daily_loss_abs = inf must be",
    ),
    "negative limit": (
        "max_daily_loss_abs = 500.0",
        "max_daily_loss_abs = -5.0",
        "live_risk.max_daily_loss_abs = -5.0",
    ),
    "zero limit": (
        "max_daily_loss_pct = 5.0",
        "max_daily_loss_pct = 0.0",
        "live_risk.max_daily_loss_pct = 0.0 must be",
    ),
    "unknown limit": (
        "max_daily_loss_abs",
        "max_daily_los_abs",
        "live_risk has no 'max_daily_los_abs'; it has: max_order",
    ),
    "half a position": (
        "max_open_positions = 5",
        "max_open_positions = 2.5",
        "live_risk.max_open_positions = 2.5 must be a whole",
    ),
    "factor above one": (
        "warning_threshold_factor = 0.8",
        "warning_threshold_factor = 8",
        "warning_threshold_factor = 8",
    ),
    "unknown timeframe": (
        'timeframe = "1m"',
        'timeframe = "2m"',
        "session.timeframe = '2m' must be one of: 1s, 10s, 1m",
    ),
    "unknown feed": (
        'feed = "synthetic"',
        'feed = "live"',
        "session.feed = 'live' must be one of: synthetic, replay, exchange",
    ),
    "unknown language": ('language = "en"', 'language = "tlh"', "ui.language = 'tlh' must be one of: en, de"),
    "bad tick": (
        'tick = "0.1"\nlot = "0.00000001"\nmin_qty = 0.0001\n\n[instruments."ETH/EUR"]',
        'tick = "dime"\n\n[instruments."ETH/EUR"]',
        "tick = 'dime' must be a positive decimal",
    ),
    "no commit": ("events = 2000", "events = 0", "journal.events = 0 must be"),
    "wild market": ("volatility = 0.6", "volatility = 99.0", "volatility = 99.0 must be"),
    "unknown default strategy": ('strategy = "ma_crossover"', 'strategy = "moon"', "unknown strategy 'moon'"),
    "bad strategy parameter": ("fast = 20", "fast = 99", "strategy 'ma_crossover': fast = 99, slow = 50"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_wrong_configuration_is_refused_with_file_key_and_value(
    peaktrade: Command, home: Path, configure: Callable[[str, str], None], case: str
) -> None:
    old, new, says = CONFIGS[case]
    configure(old, new)
    ended = peaktrade("session", "run", "--dry-run")
    assert ended.code == 2, ended.stderr
    assert says in ended.stderr
    assert "strategy" in case or str(home / "config" / "config.toml") in ended.stderr


def test_a_missing_configuration_says_how_to_get_one(peaktrade: Command, home: Path) -> None:
    (home / "config" / "config.toml").unlink()
    ended = peaktrade("session", "run")
    assert (ended.code, "no such file; `peaktrade init" in ended.stderr) == (2, True)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"session = 3\n", b"[session]\nsteps = 1\nsteps = 2\n"])
def test_a_configuration_that_is_something_else_is_refused(peaktrade: Command, home: Path, content: bytes) -> None:
    (home / "config" / "config.toml").write_bytes(content)
    ended = peaktrade("session", "run")
    assert ended.code == 2
    assert str(home / "config" / "config.toml") in ended.stderr


@pytest.mark.parametrize("command", [["session", "list"], ["risk", "status"], ["doctor"]])
def test_a_workspace_that_is_no_folder_is_not_made_by_looking_at_it(
    peaktrade: Command, home: Path, command: list[str]
) -> None:
    ended = peaktrade(*command, "--home", home / "typo")
    assert (ended.code, "is not a folder; `peaktrade init" in ended.stderr) == (2, True)
    assert not (home / "typo").exists()


def test_a_fixed_clock_that_is_no_time_is_refused(peaktrade: Command) -> None:
    ended = peaktrade("session", "list", env={"PEAKTRADE_FIXED_CLOCK": "noon"})
    assert (ended.code, "PEAKTRADE_FIXED_CLOCK = 'noon' is no time" in ended.stderr) == (2, True)


def test_live_is_refused_by_the_command_and_nothing_is_written(peaktrade: Command, home: Path) -> None:
    ended = peaktrade("session", "run", "--mode", "live")
    assert ended.code == 5
    assert ended.stderr.startswith("error: LiveModeNotAllowedError: live mode is locked by design")
    assert sorted(path.name for path in home.iterdir()) == ["config"]


@pytest.mark.parametrize("mode", ["live", "LIVE", " live", "paper", ""])
def test_no_way_of_asking_plans_anything_but_shadow(workspace: Workspace, home: Path, mode: str) -> None:
    with pytest.raises(LiveModeNotAllowedError if mode == "live" else ConfigError):
        plan_session(workspace, mode=mode)
    assert sorted(path.name for path in home.iterdir()) == ["config"]


def test_live_is_refused_even_where_the_configuration_is_broken(workspace: Workspace, home: Path) -> None:
    (home / "config" / "config.toml").write_text("[[[")
    with pytest.raises(LiveModeNotAllowedError):
        plan_session(workspace, mode="live")


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": "10"},
        {"steps": 10.5},
        {"steps": True},
        {"seed": 1.5},
        {"start_balance": "much"},
        {"warmup_candles": 0.5},
        {"position_fraction": None, "start_balance": float("nan")},
        {"timeframe": 5},
        {"params": {"fast": True}},
    ],
    ids=str,
)
def test_a_notebook_parameter_of_the_wrong_type_is_a_clear_error(workspace: Workspace, wrong: dict[str, Any]) -> None:
    with pytest.raises(PeaktradeError, match=r"must be|unknown timeframe"):
        plan_session(workspace, **wrong)


@pytest.mark.parametrize(
    "session_id", ["nonsense", "../../etc/passwd", "", "shadow_20260101_000000_abcdef", "x" * 5000]
)
def test_an_unknown_session_is_said_with_the_next_step(peaktrade: Command, session_id: str) -> None:
    ended = peaktrade("session", "show", session_id)
    assert ended.code == 4
    assert "in the registry; it is empty: run `peaktrade session run`" in ended.stderr


def test_an_error_that_nobody_foresaw_is_one_line_and_the_trace_on_request(peaktrade: Command, home: Path) -> None:
    broken = home / "broken.py"
    broken.write_text("import peaktrade_core.session.cli as b\nb.recover = lambda *a, **k: 1 / 0\n")
    ended = peaktrade("session", "run", "--strategy-module", broken)
    assert ended.code == 1
    assert ended.stderr.startswith("error: ZeroDivisionError: division by zero (in <lambda>, ")
    assert ended.stderr.count("\n") == 1
    traced = peaktrade("session", "run", "--strategy-module", broken, env={"PEAKTRADE_TRACEBACK": "1"})
    assert traced.stderr.startswith("Traceback")


def test_a_strategy_module_that_raises_is_named(peaktrade: Command, home: Path) -> None:
    (home / "mine.py").write_text("raise RuntimeError('no licence')")
    ended = peaktrade("session", "run", "--strategy-module", "mine.py")
    assert (ended.code, "mine.py: RuntimeError: no licence" in ended.stderr) == (2, True)


FAR = (  # times and lengths at the ends of the calendar, and beyond
    "session list --week 9999-W52", "session list --week 0001-W01", "session list --until 0001-01-01",
    "session list --since 9999-12-31", "session list --since 0001-01-01T00:00:00+14:00",
    "session report --stdout --until 0001-01-01",
    "evidence list --days 99999999999", "monitor overview --max-age-hours 1e308", "monitor overview --max-age-hours nan",
    "monitor overview --max-age-hours inf", "report daily --date 0001-01-01", "report daily --date 9999-12-31",
    "report weekly --week 0001-W01", "report weekly --week 9999-W52", "fleet stop --all --deadline nan",
    "fleet stop --all --deadline -1", "alerts check --pnl-drop-threshold-pct 1 --pnl-drop-window-hours 1e308",
)  # fmt: skip


@pytest.mark.parametrize("line", FAR)
def test_a_time_at_the_end_of_the_calendar_is_answered_or_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv(HOME, str(workspace.home))
    ended = ran(line.split())
    assert ended.code == (2 if re.search(r"nan|inf$|-1$|14:00|report (daily|weekly)|pnl", line) else 0), ended.err
    assert not faults(ended)
    assert not list(workspace.home.rglob("*_failed.*"))


def test_a_configuration_file_with_too_long_a_name_fails_a_question_in_our_words(home: Path) -> None:
    ended = ran(["readiness", "--config", "x" * 300, "--home", str(home)])
    assert "File name too long" in ended.out
    assert not faults(ended)


@pytest.mark.parametrize(
    "line", ["incident open --kind other --title t --severity low --file", "evidence add --tag t --text t"]
)
@pytest.mark.parametrize("file", ["sparse", "no/such/file", "config", "pipe"])
def test_a_file_of_which_no_copy_can_be_kept_is_refused(home: Path, line: str, file: str) -> None:
    with (home / "sparse").open("wb") as sparse:
        sparse.truncate(2 << 30)
    os.mkfifo(home / "pipe")
    ended = ran([*line.split(), str(home / file), "--by", "Ada", "--home", str(home)])
    assert (ended.code, file in ended.err) == (2, True), ended.err
    assert not faults(ended)
    assert not list(home.glob("reports/*/*-*"))
