"""The account that sessions share: never exceeded, freed by death, closed when it cannot be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from account_rig import LIMITS, file_of, order, seat_of
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.errors import AccountUnavailable
from peaktrade_core.halts.account import Account
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import Stop, run_session
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.account import NOTHING, Share, account_of, check_account, totals
from peaktrade_core.trading.events import Denial, Notice, Order
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.risk import DENY_CODES, OK, Limits
from peaktrade_core.workspace.workspace import Workspace

LIVELY = {"params": {"fast": 2, "slow": 5}, "seed": 4}


@pytest.fixture
def alive(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that opens the seat of a run whose lock this process holds."""

    folders = []  # a lock goes with its folder

    def open_seat(run_id: str, symbol: str = "BTC/EUR", limits: Limits = LIMITS) -> Any:
        folder = RunFolder(tmp_path / "runs", run_id)
        folder.create({})
        folders.append(folder)
        return seat_of(tmp_path, run_id, symbol, limits)

    return open_seat


def code(verdict: Any) -> str:
    return DENY_CODES[verdict.code]


def racer(home: Path, run_id: str, rounds: int, *more: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("account_rig.py")), str(home), run_id, str(rounds), *more],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )


def test_two_that_fit_alone_but_not_together_are_not_both_let_through(alive: Callable[..., Any]) -> None:
    one, other = alive("one"), alive("other")
    assert one.reserve(order(600.0), 1.0).code == OK
    verdict = other.reserve(order(-500.0), 1.0)
    assert (code(verdict), verdict.value, verdict.limit) == ("MAX_SYMBOL_EXPOSURE", 1100.0, 1000.0)
    assert other.reserve(order(400.0), 1.0).code == OK


def test_other_symbols_count_for_the_total_and_other_currencies_for_nothing(alive: Callable[..., Any]) -> None:
    assert alive("one").reserve(order(600.0), 1.0).code == OK
    assert code(alive("two", "ETH/EUR").reserve(order(500.0), 1.0)) == "MAX_TOTAL_EXPOSURE"
    assert alive("three", "BTC/USD").reserve(order(900.0), 1.0).code == OK


def test_positions_are_counted_over_all_sessions(alive: Callable[..., Any]) -> None:
    few = LIMITS._replace(max_open_positions=2)
    seats = [alive(f"run{n}", limits=few) for n in range(3)]
    assert [code(seat.reserve(order(1.0), 1.0)) for seat in seats] == ["OK", "OK", "MAX_OPEN_POSITIONS"]


def test_the_losses_of_the_day_are_added_up(alive: Callable[..., Any]) -> None:
    loser, other = alive("loser"), alive("other")
    book = order(0.0)
    book[bk.EQUITY] = 9_600.0
    loser.publish(book, 1.0)
    mine = order(1.0)
    mine[bk.EQUITY] = 9_900.0
    verdict = other.reserve(mine, 1.0)
    assert (code(verdict), verdict.value) == ("MAX_DAILY_LOSS_ABS", 500.0)


def test_what_is_given_back_others_may_have_but_not_before(alive: Callable[..., Any]) -> None:
    one, other = alive("one"), alive("other")
    assert one.reserve(order(900.0), 1.0).code == OK
    assert one.reserve(order(300.0), 1.0).code == OK  # from what it has
    assert other.reserve(order(200.0), 1.0).code != OK
    one.publish(order(300.0), 1.0)
    assert other.reserve(order(200.0), 1.0).code == OK
    one.leave()
    other.publish(order(200.0), 1.0)
    assert other.reserve(order(1000.0), 1.0).code == OK


def test_eight_processes_never_exceed_the_limit(tmp_path: Path) -> None:
    racers = [racer(tmp_path, f"run{n}", 400) for n in range(8)]
    ended = [process.communicate(timeout=60) for process in racers]
    assert [error for _, error in ended if error] == []
    reserved, denied, worst = zip(*(map(float, out.split()) for out, _ in ended), strict=True)
    assert sum(reserved) + sum(denied) == 3200
    assert min(sum(reserved), sum(denied)) > 100  # it was a race, and it was tight
    assert 500.0 < max(worst) <= LIMITS.max_total_exposure_notional


def test_a_killed_session_frees_what_it_had(tmp_path: Path, alive: Callable[..., Any]) -> None:
    process = racer(tmp_path, "victim", 5, "hold")
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert lines[1] == "holding\n", process.communicate()
    seat = alive("other")
    assert code(seat.reserve(order(200.0), 1.0)) == "MAX_SYMBOL_EXPOSURE"
    process.kill()
    process.communicate()
    assert seat.reserve(order(200.0), 1.0).code == OK
    assert [share.run_id for share in file_of(tmp_path).shares()] == ["other"]


@pytest.mark.parametrize("damage", ["garbage", "folder", "other version", "parent is a file"])
def test_an_account_that_cannot_be_read_lets_nothing_through(
    tmp_path: Path, alive: Callable[..., Any], damage: str
) -> None:
    seat, path = alive("one"), tmp_path / "account.sqlite"
    if damage == "garbage":
        path.write_bytes(b"no database at all" * 100)
    elif damage == "folder":
        path.mkdir()
    elif damage == "other version":
        import sqlite3

        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        seat._file.path = tmp_path / "runs" / "one" / "meta.json" / "account.sqlite"
    assert code(seat.reserve(order(1.0), 1.0)) == "ACCOUNT_UNAVAILABLE"
    assert "no order is opened" in seat.fault
    seat.publish(order(0.0), 1.0)  # and never ends the session
    seat.leave()


def test_an_account_that_is_held_for_long_lets_nothing_through(tmp_path: Path, alive: Callable[..., Any]) -> None:
    seat = alive("one")
    assert seat.reserve(order(1.0), 1.0).code == OK
    held, free = threading.Event(), threading.Event()

    def hold(_: list[Share]) -> tuple[None, None]:
        held.set()
        free.wait(60)
        return None, None

    thread = threading.Thread(target=lambda: file_of(tmp_path).change("holder", "shadow.EUR", hold))
    thread.start()
    held.wait(60)
    assert code(seat.reserve(order(2.0), 1.0)) == "ACCOUNT_UNAVAILABLE"
    assert code(seat.reserve(order(1.0), 1.0)) == "ACCOUNT_UNAVAILABLE"  # nothing it knew before counts
    free.set()
    thread.join()
    assert seat.reserve(order(1.0), 1.0).code == OK


def test_a_file_that_is_replaced_is_opened_anew(tmp_path: Path, alive: Callable[..., Any]) -> None:
    seat = alive("one")
    assert seat.reserve(order(1.0), 1.0).code == OK
    (tmp_path / "account.sqlite").rename(tmp_path / "gone")
    assert seat.reserve(order(500.0), 1.0).code == OK
    assert [share.exposure for share in file_of(tmp_path).shares()] == [500.0]


SHARES = st.lists(st.tuples(st.sampled_from(["BTC/EUR", "ETH/EUR"]), st.floats(0.0, 3000.0)), max_size=6)


@given(SHARES, st.floats(0.01, 3000.0), st.floats(-1000.0, 1000.0))
def test_what_passes_keeps_every_limit(shares: list[tuple[str, float]], notional: float, gain: float) -> None:
    others = totals(Share(str(n), "shadow.EUR", symbol, exposure=e) for n, (symbol, e) in enumerate(shares))
    own = Share("own", "shadow.EUR", "BTC/EUR", day_equity=10_000.0, equity=10_000.0 + gain)
    verdict = check_account(others, Limits(), own, notional)
    fits = (
        notional + sum(e for _, e in shares) <= 5000.0
        and notional + sum(e for symbol, e in shares if symbol == "BTC/EUR") <= 2000.0
        and sum(e > 0.0 for _, e in shares) < 5
        and -gain < 500.0
    )
    assert (verdict.code == OK) == fits or verdict.value == pytest.approx(verdict.limit)


@pytest.mark.parametrize("figure", ["notional", "equity", "others"])
def test_what_is_no_number_is_denied(figure: str) -> None:
    nan = float("nan")
    own = Share("own", "a", "BTC/EUR", day_equity=1.0, equity=nan if figure == "equity" else 1.0)
    others = NOTHING._replace(exposure=nan) if figure == "others" else NOTHING
    assert code(check_account(others, Limits(), own, nan if figure == "notional" else 1.0)) == "NOT_FINITE"


@pytest.mark.parametrize(
    ("symbol", "account"),
    [("BTC/EUR", "shadow.EUR"), ("BTC/EUR-PERP", "shadow.EUR"), ("BTC/USD:USD", "shadow.USD"), ("X", "shadow.unknown")],
)
def test_an_account_is_a_mode_and_a_quote_currency(symbol: str, account: str) -> None:
    assert account_of("shadow", symbol) == account


def test_two_sessions_at_once_share_their_limits_and_agree_with_their_records(
    workspace: Workspace, configure: Callable[[str, str], None]
) -> None:
    configure("max_symbol_exposure_notional = 2000.0", "max_symbol_exposure_notional = 700.0")
    stop, done = Stop(), list[SessionRecord]()

    def run(seed: int) -> None:
        own = Workspace(workspace.home)
        plan = plan_session(own, steps=100_000, timeframe="1s", pace=60.0, seed=seed, params={"fast": 2, "slow": 5})
        done.append(run_session(plan, Desk.of(own), stop=stop))

    threads = [threading.Thread(target=run, args=(seed,), daemon=True) for seed in (4, 5)]
    for thread in threads:
        thread.start()
    deadline = threading.Event()
    for _ in range(300):
        deadline.wait(0.1)
        use = Account.of(workspace).exposure()
        assert use.exposure <= 700.0 * 1.01  # an open position may grow with its price, an order may not exceed
        if use.sessions == 2 and any(run.orders_blocked for run in Views.of(workspace).runs()):
            break
    stop.request("enough")
    for thread in threads:
        thread.join(60)
    records = [Views.of(workspace).record(record.session_id) for record in done]
    denials = [e for r in records for e in Views.of(workspace).events(r.session_id) if type(e) is Denial]
    assert {denial.code for denial in denials} == {"MAX_SYMBOL_EXPOSURE"}
    assert all(denial.value > 700.0 == denial.limit and denial.order_id is None for denial in denials)
    for record in records:
        assert record.metrics == json.loads(json.dumps(record.metrics))
        counts = Views.of(workspace).look(record.session_id).tally.metrics()
        assert counts.orders_blocked_risk == record.metrics["orders_blocked_risk"]
        assert record.metrics["orders_open"] in (0, 1)
    assert Account.of(workspace).exposure().sessions == 0


def test_a_session_that_cannot_use_its_account_ends_well_and_says_why(workspace: Workspace, home: Path) -> None:
    path = home / "reports" / "live" / "account.sqlite"
    path.mkdir(parents=True)
    record = run_session(plan_session(workspace, steps=200, **LIVELY), Desk.of(workspace))
    events = list(Views.of(workspace).events(record.session_id))
    assert record.status == "completed"
    assert set(record.metrics["deny_codes"]) == {"ACCOUNT_UNAVAILABLE"}
    assert not [event for event in events if type(event) is Order]
    (notice,) = [event for event in events if type(event) is Notice]
    assert (notice.code, str(path) in notice.message) == ("ACCOUNT", True)
    assert (Account.of(workspace).exposure().level, bool(Account.of(workspace).exposure().fault)) == ("red", True)
    with pytest.raises(AccountUnavailable):
        Desk.of(workspace).account.shares()


def test_refused_entries_are_tried_again_ever_more_rarely(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peaktrade_core.halts.account import Seat
    from peaktrade_core.trading.risk import MAX_TOTAL_EXPOSURE, RiskVerdict

    monkeypatch.setattr(Seat, "reserve", lambda *_: RiskVerdict(MAX_TOTAL_EXPOSURE, 9.0, 5.0))
    record = run_session(plan_session(workspace, steps=300), Desk.of(workspace))
    steps = [e.seq for e in Views.of(workspace).events(record.session_id) if type(e) is Denial]
    bars = record.metrics["steps"]
    assert 0 < len(steps) < bars / 5
    assert record.metrics["orders_generated"] == record.metrics["orders_blocked_risk"] == len(steps)


def test_risk_show_and_check(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    shown = json.loads(peaktrade("risk", "show", "--json").stdout)
    assert [(use["mode"], use["currency"], use["level"], use["sessions"]) for use in shown] == [
        ("shadow", "EUR", "green", 0)
    ]
    assert {limit["name"] for limit in shown[0]["limits"]} >= {"max_total_exposure_notional", "max_daily_loss_pct"}
    assert "max_open_positions" in peaktrade("risk", "show").stdout
    assert peaktrade("risk", "check").code == 0
    asked = ("risk", "check", "--symbol", "BTC/EUR", "--price", 50_000)
    assert peaktrade(*asked, "--qty", 0.01).code == 0
    large = peaktrade(*asked, "--qty", 0.03)
    assert (large.code, "MAX_ORDER_NOTIONAL: 1,500 EUR against 1,000 EUR" in large.stdout) == (1, True)
    assert peaktrade(*asked).code == 2
    assert peaktrade("risk", "check", "--symbol", "NO/PE", "--qty", 1, "--price", 1).code == 2
    peaktrade("killswitch", "engage", "--by", "Ada", "--reason", "drill")
    assert peaktrade(*asked, "--qty", 0.01).code == 1
