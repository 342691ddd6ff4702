"""Compiled code: never out of date, kept between processes, and refused in words where it cannot be made."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from loops import PERP, decision, of_backtest

from peaktrade_core.base.errors import StrategyError
from peaktrade_core.research import compiled
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.machine_code import UNUSED_S, load
from peaktrade_core.research.running import code_files
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import Strategy, get_strategy, register, scratch_registry


@pytest.fixture(autouse=True)
def _own_registry():
    with scratch_registry():
        yield


@pytest.fixture(scope="module")
def bars() -> Bars:
    rows = np.array(list(SyntheticFeed(2, 60, bars=600)))
    return Bars(rows[:, 0], rows[:, 1:])


def defined(body: str, **names: object) -> Strategy:
    """Return the strategy that a module text registers under the name ``mine``."""
    head = """
    from typing import NamedTuple
    import math
    from peaktrade_core.trading.strategies import register

    class P(NamedTuple):
        a: float = 1.0
        b: float = 2.0

    def mine(update, params=P):
        return register("mine", params, slots=lambda p: 2, warmup=lambda p: 0)(update)
    """
    space = {"__name__": "__main__", **names}
    exec(compile(textwrap.dedent(head) + textwrap.dedent(body), "<ipython-input-1>", "exec"), space)
    return get_strategy("mine")


PLAIN = """
LEVEL = 3.0

def inner(x):
    return x + 1.0

def helper(x, more=0.5):
    return inner(x) + more

def make(width):
    def update(p, s, o, h, l, c, v):
        return 1.0 if helper(c) * width > LEVEL * p.a else 0.0
    return update

mine(make(2.0))
"""


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a constant", "LEVEL = 3.0", "LEVEL = 4.0"),
        ("its type", "LEVEL = 3.0", "LEVEL = 3"),
        ("its sign", "LEVEL = 3.0", "LEVEL = -3.0"),
        ("a helper", "inner(x) + more", "inner(x) - more"),
        ("a helper's helper", "return x + 1.0", "return x + 1.5"),
        ("a default", "more=0.5", "more=0.6"),
        ("a free variable", "make(2.0)", "make(2.5)"),
        ("the strategy itself", "1.0 if", "-1.0 if"),
    ],
)
def test_a_change_anywhere_is_another_code(name, old, new):
    before = code_files(defined(PLAIN))
    assert old in PLAIN
    assert code_files(defined(PLAIN.replace(old, new))) != before
    assert code_files(defined(PLAIN)) == before


def test_the_order_of_parameters_is_part_of_the_code():
    swapped = PLAIN.replace(
        "mine(make(2.0))", "class Q(NamedTuple):\n    b: float = 2.0\n    a: float = 1.0\nmine(make(2.0), Q)"
    )
    assert code_files(defined(swapped)) != code_files(defined(PLAIN))


def test_a_constant_array_is_part_of_the_code():
    text = "def update(p, s, o, h, l, c, v):\n    return 1.0 if c > TABLE[0] else 0.0\nmine(update)"
    one, two, again = (code_files(defined(text, TABLE=np.array([x, 2.0]))) for x in (1.0, 1.5, 1.0))
    assert one == again != two


def test_a_comment_or_an_empty_line_changes_nothing():
    moved = PLAIN.replace("def inner(x):", "# why\n\n\ndef inner(x):")
    assert code_files(defined(moved)) == code_files(defined(PLAIN))


def test_the_decision_code_itself_is_part_of_the_code(monkeypatch):
    before = code_files(get_strategy("ma_crossover"))
    monkeypatch.setattr("peaktrade_core.trading.risk.DAY_S", 3600.0)
    assert code_files(get_strategy("ma_crossover")) != before


def test_an_edited_cell_runs_as_edited(bars, cache):
    text = "LIMIT = {}\ndef update(p, s, o, h, l, c, v):\n    return 1.0 if c > LIMIT else 0.0\nmine(update)"
    middle = float(np.median(bars.ohlcv[:, 3]))
    for limit in (middle, 0.0):
        defined(text.format(limit))
        result = run_backtest(decision("mine", PERP, Limits()), bars, 0, cache)
        np.testing.assert_array_equal(result.signal, (bars.ohlcv[:, 3] > limit).astype(float))


PROCESS = """
import sys, time, warnings
from pathlib import Path
import numpy as np
from peaktrade_core.research import compiled
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.research.backtest import run_backtest

warnings.simplefilter("error")
rows = np.array(list(SyntheticFeed(2, 60, bars=600)))
exec(compile({cell!r}, "<ipython-input-1>", "exec"), {{"__name__": "__main__"}})
found = get_strategy("mine")
market = Market(1.0, 100.0, 1.0, 1e8, 0.0, 0.0, 0.0, 0.0026, 0.0005, 0.05)
decided = Decision(found, found.params(), market, Limits(), 60.0, 10_000.0)
result = run_backtest(decided, Bars(rows[:, 0], rows[:, 1:]), 0, Path(sys.argv[1]))
print("numba" in sys.modules, result.metrics.num_orders, repr(result.metrics.equity_end))
"""
CELL = """
from typing import NamedTuple
from peaktrade_core.trading.strategies import register
class P(NamedTuple):
    n: int = 7
def due(count, n):
    return count % n < n / 2
@register("mine", P, slots=lambda p: 1, warmup=lambda p: 0)
def mine(p, s, o, h, l, c, v):
    s[0] += 1.0
    return 1.0 if due(s[0], p.n) else 0.0
"""


def test_a_second_process_loads_what_the_first_compiled_even_for_a_notebook_cell(tmp_path):
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PROCESS.format(cell=CELL), str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.split())
    (compiles, *first), (compiles_again, *second) = said
    assert (compiles, compiles_again) == ("True", "False")
    assert first == second
    assert int(first[0]) > 50


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def of_an_older_version(file: Path) -> None:
    file.write_bytes(msgspec.msgpack.encode({"entry": "x"}))


@pytest.mark.parametrize("damage", [torn, flipped, of_an_older_version])
def test_damaged_code_is_never_run_but_made_again(bars, cache, tmp_path, monkeypatch, damage):
    decided = decision("donchian_breakout", PERP, Limits())
    monkeypatch.setattr(compiled, "_ready", {})
    expected = of_backtest(run_backtest(decided, bars, 30, cache))
    digests = list(compiled._ready)
    for digest in digests:
        (tmp_path / digest).write_bytes((cache / digest).read_bytes())
        damage(tmp_path / digest)
    compiled._ready.clear()
    assert of_backtest(run_backtest(decided, bars, 30, tmp_path)) == expected
    assert all(load(tmp_path, digest) is not None for digest in digests)


def test_code_that_cannot_be_kept_costs_time_only(bars, cache, tmp_path, monkeypatch):
    decided = decision("donchian_breakout", PERP, Limits())
    expected = of_backtest(run_backtest(decided, bars, 30, cache))
    (tmp_path / "numba").write_text("a file where the folder should be")
    monkeypatch.setattr(compiled, "_ready", {})
    with pytest.warns(RuntimeWarning, match="compiled code is not kept in"):
        assert of_backtest(run_backtest(decided, bars, 30, tmp_path / "numba")) == expected


def test_code_that_nobody_used_for_long_is_removed_when_new_code_comes(bars, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_ready", {})
    decided = decision("donchian_breakout", PERP, Limits())
    run_backtest(decided, bars, 30, cache)
    digests = list(compiled._ready)
    old = time.time() - UNUSED_S - 60
    (tmp_path / "used_yesterday").touch()
    (tmp_path / "forgotten").touch()
    (tmp_path / "folder_of_an_older_version").mkdir()
    for name in ("forgotten", "folder_of_an_older_version"):
        os.utime(tmp_path / name, (old, old))
    compiled._ready.clear()
    run_backtest(decided, bars, 30, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*digests, "used_yesterday"])
    for digest in digests:
        os.utime(tmp_path / digest, (old, old))
    compiled._ready.clear()
    run_backtest(decided, bars, 30, tmp_path)
    assert all((tmp_path / digest).stat().st_mtime > old + 1 for digest in digests)  # using it counts


@pytest.mark.parametrize("change", ["constant", "helper", "array"])
def test_code_that_changed_since_the_last_run_of_this_process_is_looked_through_again(change):
    text = """
    LEVEL = 3.0
    def helper(x):
        return x * 2.0
    def update(p, s, o, h, l, c, v):
        return 1.0 if helper(c) > LEVEL + TABLE[0] else 0.0
    mine(update)
    """
    table = np.array([1.0])
    strategy = defined(text, TABLE=table)
    space = strategy.update.__globals__
    before = code_files(strategy)
    assert code_files(strategy) == before
    if change == "constant":
        space["LEVEL"] = 4.0
    elif change == "helper":
        space["helper"] = lambda x: x * 3.0
    else:
        table[0] = 2.0
    assert code_files(strategy) != before


class Odd(NamedTuple):
    """Where to read, and what to subtract."""

    at: int = 0
    level: float = 0.0


class Thing:
    value = 1.0


def updating(returned: str, before: str = "") -> str:
    return f"{before}\ndef update(p, s, o, h, l, c, v):\n    return {returned}\nmine(update)"


LATE = """
def make():
    def update(p, s, o, h, l, c, v):
        return late
    mine(update)
    if 0:
        late = 1.0
make()
"""
REFUSED = {
    "a dict": (updating("TABLE[1]", "TABLE = {1: 2.0}"), "uses 'TABLE', a dict"),
    "a list": (updating("TABLE[0]", "TABLE = [1.0]"), "uses 'TABLE', a list"),
    "an object": (updating("THING.value"), "uses 'THING', a Thing"),
    "a module": (
        updating("risk.RED", "from peaktrade_core.trading import risk"),
        "reads through the module 'peaktrade_core.trading.risk'; import the names",
    ),
    "an unknown name": (updating("nothing(c)"), "'nothing', which is not defined"),
    "a name that comes later": (LATE, "'late', which is not defined"),
    "a callable object": ("import functools\nmine(functools.partial(lambda q, *a: q, 1.0))", "it is a partial, not a"),
    "a file": (updating("float(len(open('x').read()))"), "uses 'open', a builtin_function_or_method"),
    "a text": (updating("'long'"), "could not convert string to float: 'long'"),
    "a parameter that is not there": (updating("p.nothing"), "Unknown attribute 'nothing' of type P"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_refused_in_words(bars, name):
    text, said = REFUSED[name]
    defined(text, THING=Thing())
    with pytest.raises(StrategyError, match=f"strategy 'mine' cannot be compiled for a backtest: .*{said}") as caught:
        run_backtest(decision("mine", PERP, Limits()), bars, 0)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_strategy_that_raises_is_named_with_the_bar(bars, cache):
    def odd(p: Odd, s, o, h, l, c, v):
        """Read a slot and divide."""
        s[1] += 1.0
        return s[p.at] + 0.0 / (s[1] - p.level)

    register("odd", Odd, slots=lambda _: 2, warmup=lambda _: 0)(odd)
    with pytest.raises(
        StrategyError, match=r"strategy 'odd' failed on the bar at 2026-01-01 00:24:00 UTC: ZeroDivisionError"
    ):
        run_backtest(decision("odd", PERP, Limits(), level=25.0), bars, 10, cache)
    with pytest.raises(
        StrategyError, match=r"strategy 'odd' failed on the bar at 2026-01-01 00:02:00 UTC: ZeroDivisionError"
    ):
        run_backtest(decision("odd", PERP, Limits(), level=3.0), bars, 10, cache)
    with pytest.raises(StrategyError, match=r"strategy 'odd' failed on the bar .*: IndexError"):
        run_backtest(decision("odd", PERP, Limits(), at=2), bars, 0, cache)
