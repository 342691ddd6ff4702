"""The three ways to run one decision: interpreted bar by bar, as a session, and as a compiled backtest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.research.backtest import BacktestResult
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import MAY_RUN, get_strategy
from peaktrade_core.trading.tally import figures, fold
from peaktrade_core.workspace.workspace import Workspace

SPOT = Market(1.0, 100.0, 1.0, 1e8, 0.0001, 0.0, 0.0, 0.0026, 0.0005, 0.05)
PERP = SPOT._replace(shorts=1.0, min_qty=0.0)
FINE = PERP._replace(tick_den=1e8)
DECISIVE = (ev.Order, ev.Fill, ev.Denial, ev.Halt, ev.Severity)
COLUMNS = ("signal", "position_size", "cash", "realized_pnl", "unrealized_pnl", "equity")


def decision(strategy: str, market: Market, limits: Limits, bar_s: float = 60.0, **params: object) -> Decision:
    found = get_strategy(strategy)
    return Decision(found, found.parameters(params), market, limits, bar_s, 10_000.0)


class MemoryFeed:
    """Bars that a test made."""

    name = "replay"
    simulated = True
    data_sha256 = None

    def __init__(self, bars: Bars) -> None:
        self.bars = bars

    def __iter__(self) -> Iterator[Bar]:
        return (self.bars[row] for row in range(len(self.bars)))

    def __len__(self) -> int:
        return len(self.bars)


class Trace(NamedTuple):
    """What a run did: the account after each bar, and the events that decided anything, without their numbers."""

    account: list[tuple[float, ...]]
    events: list[bytes]


def interpreted(decided: Decision, bars: Bars, warmup: int) -> tuple[list[tuple[float, ...]], list[list[float]]]:
    """Return the account after each bar and the rows of the decision code, run as plain Python on lists."""
    book, out, state = bk.new_book(decided.start_balance), engine.new_out(), decided.new_state()
    account, rows = [], []
    for n, bar in enumerate(MemoryFeed(bars)):
        signal = decided.strategy.signal(decided.params, state, bar, decided.bar_s)
        if n >= warmup:
            close_ts = bar.ts + decided.bar_s
            used = engine.step(
                book, out, decided.market, decided.limits, signal, bar.ts, close_ts, bar.open, bar.close, 0.0
            )
            rows += [[n - warmup, *out[k * engine.WIDTH : (k + 1) * engine.WIDTH]] for k in range(used)]
            slots = (bk.SIGNAL, bk.QTY, bk.CASH, bk.REALIZED, bk.UNREALIZED, bk.EQUITY)
            account.append(tuple(book[slot] for slot in slots))
    return account, rows


def session(home: Path, decided: Decision, bars: Bars, warmup: int) -> tuple[SessionRecord, list[ev.AnyEvent]]:
    """Run a real session in a workspace of its own and return its record and its journal."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[journal]\nfsync = false\n[instruments.'BTC/EUR']\n")
    workspace = Workspace(home)
    plan = plan_session(workspace, warmup_candles=warmup, rehearsal=decided.strategy.tier not in MAY_RUN)
    config = msgspec.structs.replace(plan.config, steps=None, start_balance=decided.start_balance)
    record = run_session(plan._replace(config=config, decision=decided, feed=MemoryFeed(bars)), Desk.of(workspace))
    return record, list(read_journal(RunFolder(workspace.runs, record.session_id).journal))


def plain(events: list[ev.AnyEvent]) -> list[bytes]:
    """Return the events that decided anything as their JSON, all with the same number."""
    return [
        msgspec.json.encode(msgspec.structs.replace(event, seq=0)) for event in events if isinstance(event, DECISIVE)
    ]


def of_session(events: list[ev.AnyEvent]) -> Trace:
    bars = [event for event in events if isinstance(event, ev.BarDone)]
    return Trace([tuple(float(getattr(bar, name)) for name in COLUMNS) for bar in bars], plain(events))


def of_backtest(result: BacktestResult) -> Trace:
    columns = (result.signal, result.position, result.cash, result.realized, result.unrealized, result.equity)
    return Trace(list(zip(*(column.tolist() for column in columns), strict=True)), plain(result.events))


def assert_all_agree(
    home: Path, decided: Decision, bars: Bars, warmup: int, result: BacktestResult
) -> list[ev.AnyEvent]:
    """Hold the three against each other, to the last bit, and return the session's events."""
    account, rows = interpreted(decided, bars, warmup)
    backtest = of_backtest(result)
    assert backtest.account == account
    np.testing.assert_array_equal(result.rows, np.array(rows).reshape(-1, 1 + engine.WIDTH))
    record, events = session(home, decided, bars, warmup)
    assert record.error is None
    assert of_session(events) == backtest
    assert result.metrics == fold(events).metrics()
    assert figures(result.metrics) == record.metrics
    opens = [event.ts_bar.timestamp() for event in events if isinstance(event, ev.BarDone)]
    assert result.ts.tolist() == opens
    return events
