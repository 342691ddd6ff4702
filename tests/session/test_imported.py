"""What people ran elsewhere as sessions: what is read, what is refused, and that nothing is made up."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError
from peaktrade_core.control.audit.checks import audit_registry
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.research.over_sessions.costs import session_costs
from peaktrade_core.research.over_sessions.rest import rests
from peaktrade_core.research.replay_limits import replay_limits
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.trades import trade_rows
from peaktrade_core.runs.views import Views
from peaktrade_core.session.imported.freqtrade import read_freqtrade
from peaktrade_core.session.imported.sheet import read_sheet
from peaktrade_core.trading.events import Denial, Signal
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.workspace.ledger import REGISTRY, Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.session.freqtrade_db import BEGAN, database, orders_of, trade

Command = Callable[..., Any]
GAIN = 0.002 * (50_500 * 0.999 - 50_000 * 1.001)
HEAD = "time,symbol,side,qty,price,fee"
ROWS = (
    "2026-01-05T08:00:10Z,BTC/EUR,buy,0.01,50000,0.5",
    "2026-01-05T08:03:20Z,BTC/EUR,buy,0.01,50100,0.5",
    "2026-01-05T08:40:00Z,BTC/EUR,sell,0.02,50500,1.0",
)
MANY_DAYS = 99_999.0


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of a table of fills."""

    def write(*rows: str, head: str = HEAD, name: str = "fills.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([head, *(rows or ROWS)]) + "\n")
        return path

    return write


@pytest.fixture
def imported(peaktrade: Command) -> Callable[..., list[str]]:
    """Return a function that imports a file and returns the ids of its sessions."""

    def run(*args: object) -> list[str]:
        said = peaktrade("session", "import", *args, "--start-balance", "1000", "--by", "Ada", "--json")
        assert said.code == 0, said.stderr
        return [record["session_id"] for record in json.loads(said.stdout)]

    return run


def test_a_dry_run_becomes_a_session_whose_money_is_that_of_freqtrade(
    workspace: Workspace, imported: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = database(tmp_path / "t.sqlite", [trade(1), trade(2, after=60), trade(3, "ETH/USDT", after=10)])
    btc, eth = imported("--freqtrade", path)
    record = Views.of(workspace).record(btc)
    assert (record.mode, record.run_type, record.symbol) == ("imported", "imported", "BTC/USDT")
    assert record.metric("realized_pnl") == pytest.approx(2 * GAIN, abs=1e-9)
    assert record.metric("equity_end") == pytest.approx(1000.0 + 2 * GAIN, abs=1e-9)
    assert record.setting("fee_bps") == pytest.approx(10.0)
    assert record.setting("slippage_bps") == pytest.approx(1.0, abs=0.01)
    assert record.setting("notes").endswith(f"Its own word on the PnL agrees: {2 * GAIN:+.8g}.")
    assert Views.of(workspace).record(eth).metric("num_trades") == 1
    checks = {check.id: check.status for check in post_session_checks(Views.of(workspace).look(btc))}
    asked = {name: checks.pop(name) for name in ("denials", "risk", "gaps")}
    assert set(asked.values()) == {"unknown"}
    assert set(checks.values()) == {"pass"}


def test_nothing_is_made_up(workspace: Workspace, imported: Callable[..., list[str]], tmp_path: Path) -> None:
    (session_id,) = imported("--freqtrade", database(tmp_path / "t.sqlite", [trade()]))
    events = Views.of(workspace).events(session_id)
    assert not [event for event in events if isinstance(event, (Signal, Denial))]
    record = Views.of(workspace).record(session_id)
    assert record.metrics["risk_status"] == "unknown"
    assert not {"orders_blocked_risk", "deny_codes"} & set(record.metrics)
    assert record.setting("risk_limits") == {}
    assert {row.opened for row in trade_rows(events, None, None)} == {"unknown"}
    with pytest.raises(ArtefactError, match="was imported: its signals and limits are not known"):
        replay_limits(session_id, msgspec.convert(record.config, SessionConfig), events)


def test_it_is_marked_everywhere_and_counted_only_where_it_is_asked_for(
    workspace: Workspace, imported: Callable[..., list[str]], peaktrade: Command, tmp_path: Path, run_shadow: Any
) -> None:
    own = run_shadow(steps=30)
    (session_id,) = imported("--freqtrade", database(tmp_path / "t.sqlite", [trade()]))
    run = Views.of(workspace).run(session_id)
    assert (run.kind, run.counted, run.risk_status, run.orders_blocked) == ("imported", False, "unknown", None)
    listed = peaktrade("session", "list").stdout
    assert "imported from t.sqlite" in listed
    assert "imported_20260105" in listed
    views = Views.of(workspace)
    assert views.stats().total_pnl == pytest.approx(own.metric("equity_end") - 10_000.0)
    assert views.stats(Query(mode="imported")).total_pnl == pytest.approx(GAIN)
    assert views.stats(Query(mode="imported", since=BEGAN)).total_pnl == pytest.approx(GAIN)
    assert sum(day.total_pnl for day in views.daily()) == pytest.approx(own.metric("equity_end") - 10_000.0)
    assert views.stats().total_sessions == 2
    assert [one.session_id for one in rests(workspace, MANY_DAYS).sessions] == [own.session_id]
    assert session_costs(workspace, MANY_DAYS, mode="imported").rows[0].fills == 2


def test_the_files_hash_is_in_the_ledger_and_the_audit_finds_a_change(
    workspace: Workspace, imported: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = database(tmp_path / "t.sqlite", [trade()])
    (session_id,) = imported("--freqtrade", path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (entry,) = [link for link, _ in Ledger(workspace.home).of_section(REGISTRY) if link.data.get("id") == session_id]
    assert entry.data["source"] == {"file": "t.sqlite", "sha256": digest}
    assert (workspace.clock.now() - entry.at).total_seconds() < 3600.0  # not when it traded
    assert f"import {session_id} by Ada" in workspace.operations_log.read_text()
    assert audit_registry(Registry.of(workspace)).matching == 1
    record = Registry.of(workspace).find(session_id)
    record.path.write_bytes(record.path.read_bytes().replace(b'"t.sqlite"', b'"u.sqlite"'))
    assert len(audit_registry(Registry.of(workspace)).changed) == 1


def test_nothing_is_imported_twice_not_even_from_a_longer_file(
    workspace: Workspace, imported: Callable[..., list[str]], peaktrade: Command, tmp_path: Path
) -> None:
    first = database(tmp_path / "a.sqlite", [trade()])
    (session_id,) = imported("--freqtrade", first)
    again = peaktrade("session", "import", "--freqtrade", first, "--start-balance", "1000")
    assert again.code == 2
    assert f"imported from a.sqlite as {session_id}, and are not imported twice" in again.stderr
    longer = database(tmp_path / "b.sqlite", [trade(), trade(2, after=60)])
    again = peaktrade("session", "import", "--freqtrade", longer, "--start-balance", "1000")
    assert again.code == 2
    assert "--since takes what came later" in again.stderr
    assert len(imported("--freqtrade", longer, "--since", "2026-01-05T08:45")) == 1
    assert Views.of(workspace).stats().total_sessions == 2


@pytest.mark.parametrize(
    "more",
    [
        ("--since", "2026-01-05T08:10"),
        ("--strategy", "another"),
        ("--timeframe", "5m"),
    ],
)
def test_a_fill_is_not_imported_twice_by_another_name_or_beginning(
    workspace: Workspace,
    imported: Callable[..., list[str]],
    peaktrade: Command,
    sheet: Callable[..., Path],
    more: tuple[str, str],
) -> None:
    later = (
        "2026-01-05T09:00:00Z,BTC/EUR,buy,0.01,50000,0.5",
        "2026-01-05T09:30:00Z,BTC/EUR,sell,0.01,50100,0.5",
    )
    (session_id,) = imported("--csv", sheet(*ROWS, *later))
    moved = sheet(*(("\n",) if more[0] == "--strategy" else ()), *ROWS, *later, name="again.csv")
    again = peaktrade("session", "import", "--csv", moved, "--start-balance", "1000", *more)
    assert again.code == 2
    assert f"is in {session_id}, too, and is not imported twice" in again.stderr
    assert Views.of(workspace).stats().total_sessions == 1


@pytest.mark.parametrize("cells", [("1e-320", "100"), ("1", "5e-324"), ("1e19", "100")])
def test_figures_that_no_market_has_are_refused_by_row(sheet: Callable[..., Path], cells: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"row 2: (qty|price) = .* must lie between 1e-18 and 1e\+18"):
        read_sheet(sheet(f"2026-01-05T08:00:10Z,BTC/EUR,buy,{cells[0]},{cells[1]},0"))


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01", "1969-12-31T23:00:00Z"])
def test_times_at_the_ends_of_the_calendar_are_refused_by_row(sheet: Callable[..., Path], time: str) -> None:
    with pytest.raises(DataError, match=r"row 2: time = .* is not a time since 1970"):
        read_sheet(sheet(f"{time},BTC/EUR,buy,1,100,0"))


def test_trades_that_wait_beside_a_database_are_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database(tmp_path / "t.sqlite", [trade()])
    real = sqlite3.connect
    with closing(real(path)) as bot:
        bot.execute("PRAGMA journal_mode = WAL")
        bot.execute("DELETE FROM trades")
        bot.commit()

        class Refused(sqlite3.Connection):
            def execute(self, *_: object) -> Any:
                raise sqlite3.OperationalError("unable to open database file")

        def connect(name: str, **more: Any) -> sqlite3.Connection:
            if "immutable" not in name:  # as where the folder cannot be written
                return real(name, factory=Refused, **more)
            return real(name, **more)

        monkeypatch.setattr(sqlite3, "connect", connect)
        with pytest.raises(DataError, match=r"its newest trades are in t\.sqlite-wal"):
            read_freqtrade(path)


def test_candles_mark_it_at_each_bar_and_a_diff_says_what_the_decision_code_would_have_made_of_it(
    workspace: Workspace, imported: Callable[..., list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "candles.csv"
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for bar in range(40):
            price = 50_000 + 50 * bar
            rows.writerow([int(BEGAN.timestamp()) + 300 * (bar - 10), price, price + 900, price - 900, price, 1.0])
    (session_id,) = imported("--freqtrade", database(tmp_path / "t.sqlite", [trade(after=1)]), "--candles", path)
    record = Views.of(workspace).record(session_id)
    assert record.metric("steps") == 8  # the bar before, and those from 08:00 to 08:30
    assert record.metric("max_drawdown") > 0.0
    assert "without candles" not in record.setting("tags")
    found = compare_session(workspace, session_id)
    assert found.notes[0].startswith("It was imported: its signals and limits are not known.")
    (pair,) = found.pairs
    assert (pair.qty, pair.entry_price, pair.exit_price) == (0.002, 50_000.0, 50_500.0)
    assert pair.expected_pnl is not None
    assert sum(part.amount for part in found.parts) == found.whole


def test_a_table_of_fills_becomes_a_session_and_what_slippage_cost_stays_unknown(
    workspace: Workspace, imported: Callable[..., list[str]], sheet: Callable[..., Path]
) -> None:
    (session_id,) = imported("--csv", sheet())
    record = Views.of(workspace).record(session_id)
    assert record.metric("realized_pnl") == pytest.approx(0.02 * 50_500 - 0.01 * 100_100 - 2.0)
    assert record.metric("orders_open") == 0
    (row,) = [one for one in session_costs(workspace, MANY_DAYS, mode="imported").rows if one.by == "symbol"]
    assert (row.fills, row.delay, row.slippage) == (3, None, None)
    assert row.fee == pytest.approx(1e4 * 2.0 / (0.02 * 50_500 + 0.01 * 100_100))


def test_an_asked_price_and_a_fee_in_the_coin_are_understood(
    workspace: Workspace, imported: Callable[..., list[str]], sheet: Callable[..., Path]
) -> None:
    head = "Timestamp;Pair;Side;Amount;Price;Fee;Fee Currency;Order ID;Requested Price"
    path = sheet(
        "1767600000;BTC/EUR;BUY;0,01;50000;0;EUR;a;49990".replace("0,01", "0.01"),
        "1767600060000;BTC/EUR;SELL;0.01;50500;0.00001;BTC;b;50510",
        head=head,
    )
    (session_id,) = imported("--csv", path)
    record = Views.of(workspace).record(session_id)
    assert record.metric("fees") == pytest.approx(0.505)
    assert record.metric("orders_generated") == 2
    assert record.setting("slippage_bps") == pytest.approx(1e4 * 0.2 / (0.01 * (49_990 + 50_510)))


def test_an_order_that_filled_in_pieces_is_one_order(
    workspace: Workspace, imported: Callable[..., list[str]], sheet: Callable[..., Path]
) -> None:
    rows = [f"{row},order-{number // 2}" for number, row in enumerate(ROWS)]
    (session_id,) = imported("--csv", sheet(*rows, head=f"{HEAD},order_id"))
    assert Views.of(workspace).record(session_id).metric("num_orders") == 2


def test_an_open_trade_is_marked_at_its_last_price_and_said(
    workspace: Workspace, imported: Callable[..., list[str]], tmp_path: Path
) -> None:
    (session_id,) = imported("--freqtrade", database(tmp_path / "t.sqlite", [trade(), trade(2, after=60, held=None)]))
    record = Views.of(workspace).record(session_id)
    parts = [record.metric(name) for name in ("realized_pnl", "unrealized_pnl", "equity_end")]
    assert parts[2] == pytest.approx(1000.0 + parts[0] + parts[1])
    assert "A position of +0.002 was still open at the end." in record.setting("notes")


def test_what_freqtrade_says_otherwise_is_told(imported: Any, workspace: Workspace, tmp_path: Path) -> None:
    (session_id,) = imported("--freqtrade", database(tmp_path / "t.sqlite", [trade(close_profit_abs=77.0)]))
    assert "Its own word on the PnL is +77; its fills and fees add up to" in Views.of(workspace).record(
        session_id
    ).setting("notes")


def test_fills_out_of_order_are_sorted_and_said(
    imported: Any, workspace: Workspace, sheet: Callable[..., Path]
) -> None:
    (session_id,) = imported("--csv", sheet(ROWS[1], ROWS[0], ROWS[2]))
    assert "1 rows stood before rows of an earlier time; the fills were sorted." in Views.of(workspace).record(
        session_id
    ).setting("notes")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([trade(leverage=3.0)], r"trade 1 \(BTC/USDT\): has a leverage of 3"),
        ([trade(funding_fees=-0.4)], "paid or got -0.4 of funding"),
        ([trade(contract_size=0.01)], "is of contracts of 0.01"),
        ([trade(pair="BTCUSDT")], "trade 1: the market 'BTCUSDT' must be written BASE/QUOTE"),
        ([trade(timeframe=7)], "no bars of 7 minutes are known here"),
        ([trade(fee_open="much")], "the fee's rate = 'much' must be a number"),
        ([], "holds no fill, so there is nothing to import"),
    ],
)
def test_trades_that_cannot_be_right_are_refused(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_freqtrade(database(tmp_path / "t.sqlite", rows))


def test_orders_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    real = [one | {"order_id": "O7XQ-3"} for one in orders_of(trade())]
    with pytest.raises(DataError, match=r"order 10 of trade 1 .* this was no dry run, and only those are imported"):
        read_freqtrade(database(tmp_path / "a.sqlite", [trade()], real))
    odd = [one | {"order_filled_date": "yesterday"} for one in orders_of(trade())]
    with pytest.raises(DataError, match="the time it filled = 'yesterday' is not a time"):
        read_freqtrade(database(tmp_path / "b.sqlite", [trade()], odd))
    only_sold = orders_of(trade())[1:]
    with pytest.raises(DataError, match=r"sells 0.002 of BTC/USDT where 0 was held"):
        read_freqtrade(database(tmp_path / "c.sqlite", [trade()], only_sold))
    good = database(tmp_path / "d.sqlite", [trade()])
    with pytest.raises(DataError, match="holds no fills of DOGE/USDT, but of "):
        read_freqtrade(good, ["DOGE/USDT"])


def test_a_file_that_is_no_such_database_is_told_as_what_it_is(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    for data, said in ((b"", "is empty"), (b"id,pair\n", "is no SQLite database")):
        text.write_bytes(data)
        with pytest.raises(DataError, match=said):
            read_freqtrade(text)
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "none", "no such file")):
        with pytest.raises(DataError, match=said):
            read_freqtrade(path)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("CREATE TABLE cats (name TEXT)")
    with pytest.raises(DataError, match="has no table 'trades'"):
        read_freqtrade(other)
    with pytest.raises(DataError, match="the table 'trades' lacks strategy, timeframe"):
        read_freqtrade(database(tmp_path / "old.sqlite", [trade()], without=("strategy", "timeframe")))
    torn = database(tmp_path / "torn.sqlite", [trade()])
    torn.write_bytes(torn.read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be read as a database"):
        read_freqtrade(torn)


@pytest.mark.parametrize(
    ("head", "rows", "said"),
    [
        ("time,side,qty,price", (), "no column is named symbol; it has time, side, qty, price"),
        ("time,symbol,side,qty", (), "no column is named price"),
        (f"{HEAD},commission", (), "'fee' and 'commission' could both be the fee"),
        (HEAD, ("2026-01-05,BTC/EUR,hold,1,1,0",), "row 2: side = 'hold' must be buy or sell"),
        (HEAD, ("2026-01-05,BTC/EUR,buy,-1,1,0",), "row 2: qty = -1.0 must be a positive number"),
        (HEAD, ("2026-01-05,BTC/EUR,buy,1,nan,0",), "row 2: price = nan must be a positive number"),
        (HEAD, ("2026-01-05,BTC/EUR,buy,1,1,-2",), "row 2: fee = -2.0 must be a number"),
        (HEAD, ("soon,BTC/EUR,buy,1,1,0",), "row 2: time = 'soon' is not a time"),
        (HEAD, ("2026-01-05,BTCEUR,buy,1,1,0",), "row 2: the market 'BTCEUR' must be written BASE/QUOTE"),
        (HEAD, ("2026-01-05,BTC/EUR,sell,1,1,0",), "row 2: sells 1 of BTC/EUR where 0 was held.*say --short"),
        (HEAD, ("2026-01-05,BTC/EUR,buy,1,1,0,9,9",), "row 2: has 8 cells where the heading has 6"),
        (f"{HEAD},id", (f"{ROWS[0]},7", f"{ROWS[1]},7"), "row 3: the id '7' is that of row 2, too"),
        (
            f"{HEAD},fee_currency",
            (f"{ROWS[0]},BNB",),
            "row 2: the fee is in BNB, whose price in EUR is not in the table",
        ),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(
    sheet: Callable[..., Path], head: str, rows: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_sheet(sheet(*rows, head=head))


def test_odd_bytes_of_a_table_are_told(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    for data, said in (
        (HEAD.encode() + b"\n2026\xff", "line 2: holds bytes that are no UTF-8"),
        (HEAD.encode() + b"\n\0", "holds bytes that no text has"),
        (HEAD.encode(), "holds no fill; the first row names the columns"),
    ):
        path.write_bytes(data)
        with pytest.raises(DataError, match=said):
            read_sheet(path)


def test_a_short_position_is_taken_where_it_is_meant(sheet: Callable[..., Path]) -> None:
    path = sheet("2026-01-05T08:00,BTC/EUR,sell,1,100,0", "2026-01-05T09:00,BTC/EUR,buy,1,90,0")
    (part,) = read_sheet(path, short=True).parts
    assert part.held == 0.0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "give --freqtrade FILE or --csv FILE, one of them"),
        (("--csv", "a", "--freqtrade", "b"), "give --freqtrade FILE or --csv FILE, one of them"),
        (("--csv", "a", "--timeframe", "7m"), "unknown timeframe '7m'"),
        (("--freqtrade", "b", "--short"), "--strategy and --short are of a table"),
        (("--csv", "a", "--by", "…"), "is no name; say who you are"),
        (("--csv", "a"), "a: no such file"),
    ],
)
def test_options_that_make_no_sense_are_refused(peaktrade: Command, args: tuple[str, ...], said: str) -> None:
    ended = peaktrade("session", "import", *args, "--start-balance", "1000")
    assert ended.code != 0
    assert said in ended.stderr


def test_the_start_balance_is_asked_for(peaktrade: Command, sheet: Callable[..., Path]) -> None:
    assert "say --start-balance" in peaktrade("session", "import", "--csv", sheet()).stderr
    said = peaktrade("session", "import", "--csv", sheet(), "--start-balance", "nan")
    assert "must be a positive amount" in said.stderr
    assert said.code == ConfigError.exit_code


def test_a_dry_run_of_the_import_writes_nothing(
    workspace: Workspace, peaktrade: Command, sheet: Callable[..., Path]
) -> None:
    said = peaktrade("session", "import", "--csv", sheet(), "--start-balance", "1000", "--dry-run")
    assert "nothing was written" in said.stdout
    assert {path.name for path in workspace.home.iterdir()} <= {"config", ".cache"}


def test_a_folder_that_a_dead_import_left_is_in_nobodys_way(
    workspace: Workspace, imported: Callable[..., list[str]], sheet: Callable[..., Path]
) -> None:
    (session_id,) = imported("--csv", sheet())
    entry = Registry.of(workspace).find(session_id)
    entry.path.unlink()  # as if the process had died before the record
    (workspace.runs / session_id / "events.jsonl").write_bytes(b"half")
    assert imported("--csv", sheet()) == [session_id]
    assert Views.of(workspace).events(session_id)[-1].status == "completed"
