"""Scopes: one spelling, made and read in one place; what a workspace does not know is refused with what it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.halts import entries
from peaktrade_core.halts.cli import known_scope
from peaktrade_core.halts.scope import GLOBAL, Scope
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.memory import outside_of
from peaktrade_core.workspace.workspace import Workspace

SCOPE = Scope.of("shadow", "ma_crossover", "BTC/EUR")
SPELLINGS = (
    "shadow.ma_crossover.BTC/EUR",
    "shadow.ma_crossover.BTC-EUR",
    "shadow.ma-crossover.BTC-EUR",
    " Shadow.MA_crossover.btc/eur",
)


def halt(workspace: Workspace, scope: Scope | str, state: str = "HALTED", by: str = "Ada") -> None:
    TradingStates.of(workspace).set(scope, state, by=by, reason="news", now=workspace.clock.now())


def test_it_is_written_as_in_the_files_of_before() -> None:
    assert str(SCOPE) == "shadow.ma-crossover.BTC-EUR"
    assert str(Scope.of("testnet", "rsi_reversion", "BTC/USD:USD")) == "testnet.rsi-reversion.BTC-USD-USD"
    assert (str(GLOBAL), Scope.parse("GLOBAL")) == ("global", GLOBAL)
    assert Scope.parse(str(Scope.of("shadow", "", ""))) == Scope.of("shadow", "", "")  # a record that does not say


@pytest.mark.parametrize("text", SPELLINGS)
def test_however_it_is_spelled_it_is_the_same(workspace: Workspace, text: str) -> None:
    assert known_scope(workspace, text) == SCOPE


@pytest.mark.parametrize("text", SPELLINGS[:3])
def test_a_halt_in_any_spelling_stops_the_session(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], peaktrade: Callable[..., Any], text: str
) -> None:
    halted = peaktrade("risk", "halt", "--scope", text, "--by", "Ada", "--reason", "news")
    assert (halted.code, halted.stdout) == (0, "shadow.ma-crossover.BTC-EUR is HALTED: news (Ada)\n")
    record = run_shadow(steps=200, params={"fast": 2, "slow": 5}, seed=4)
    assert (record.metrics["num_orders"], set(record.metrics["deny_codes"])) == (0, {"HALTED"})
    resumed = peaktrade("risk", "resume", "--scope", text, "--by", "Grace", "--reason", "over")
    assert resumed.stdout == "shadow.ma-crossover.BTC-EUR is ACTIVE again (was HALTED: news)\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shadw.ma_crossover.BTC/EUR", r"unknown mode of the scope 'shadw'; known: shadow, testnet"),
        ("shadow.ma_crosover.BTC/EUR", r"unknown strategy of the scope .*known: .*ma_crossover"),
        ("shadow.ma_crossover.BTC/EURO", r"unknown symbol of the scope .*known: .*BTC/EUR"),
    ],
)
def test_what_nothing_here_is_called_is_refused_with_what_there_is(workspace: Workspace, text: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        known_scope(workspace, text)


def test_what_was_halted_before_is_known_also_when_its_strategy_is_gone(workspace: Workspace) -> None:
    halt(workspace, "shadow.gone.BTC/EUR")
    assert known_scope(workspace, "shadow.gone.BTC-EUR") == Scope.of("shadow", "gone", "BTC/EUR")


def test_everything_can_be_halted_whatever_is_configured(
    workspace: Workspace, configure: Callable[[str, str], None], peaktrade: Callable[..., Any]
) -> None:
    configure("max_drawdown_halt_pct = 10.0", "max_drawdown_halt_pct = 'ten'")
    assert known_scope(workspace, "global") == GLOBAL
    assert peaktrade("risk", "halt", "--by", "Ada", "--reason", "news").code == 0


def test_all_halts_everywhere_the_newest_first(workspace: Workspace) -> None:
    states = TradingStates.of(workspace)
    assert (states.stopped(), states.worst().state) == ([], "ACTIVE")
    halt(workspace, SCOPE, "NO_ORDERS")
    halt(workspace, "testnet.ma_crossover.BTC/EUR")
    halt(workspace, GLOBAL, "REDUCING")
    halt(workspace, "testnet.ma_crossover.BTC/EUR", "ACTIVE")
    assert [str(one) for one in states.stopped()] == [
        "global REDUCING by Ada: news",
        "shadow.ma-crossover.BTC-EUR NO_ORDERS by Ada: news",
    ]
    assert (states.worst().scope, states.in_force(SCOPE).state) == (SCOPE.text, "NO_ORDERS")
    assert states.in_force("testnet.ma_crossover.BTC/EUR").everywhere


def test_a_halt_never_loosens_what_is_stricter_and_a_resume_does(workspace: Workspace) -> None:
    halt(workspace, SCOPE, "NO_ORDERS")
    halt(workspace, SCOPE, "HALTED", by="Grace")
    assert str(TradingStates.of(workspace).read(SCOPE)) == f"{SCOPE} NO_ORDERS by Ada: news"
    halt(workspace, SCOPE, "ACTIVE")
    halt(workspace, SCOPE, "HALTED", by="Grace")
    assert str(TradingStates.of(workspace).read(SCOPE)) == f"{SCOPE} HALTED by Grace: news"


def test_practice_in_a_workspace_is_not_remembered_outside(workspace: Workspace) -> None:
    assert outside_of(workspace.home) is not None
    for practice in ("reports/drills/one/workspace", "out/practice/walkthrough"):
        assert outside_of(workspace.home / practice) is None


def test_asking_again_reads_no_file_and_a_new_line_is_read_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session asks four times a second and before each order."""
    for number in range(50):
        halt(workspace, SCOPE, "ACTIVE" if number % 2 else "HALTED")
    states, read = TradingStates.of(workspace), list[int]()
    states.read(SCOPE)
    verify = entries.verified

    def verified(path: Any, lines: Any, *args: Any) -> Any:
        read.append(len(lines))
        return verify(path, lines, *args)

    monkeypatch.setattr(entries, "verified", verified)
    for _ in range(100):
        states.in_force(SCOPE)
    assert read == []
    halt(Workspace(workspace.home), SCOPE)
    read.clear()
    assert states.in_force(SCOPE).state == "HALTED"
    assert read == [1]
