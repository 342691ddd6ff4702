"""Emergency closing: a reducing order for what an ended run left open, journalled before it is sent; never anything else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.base.errors import EnvironmentFault, OrderOutcomeUnknownError
from peaktrade_core.control.audit.checks import registry
from peaktrade_core.fleet import closing
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_journal
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import Denial, End, Failure, Fill, Order, Submission, VenueAnswer
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

LIVELY = {"strategy": "ma_crossover", "timeframe": "1s"}


def holding(workspace: Workspace, launch: Callable[..., str]) -> str:
    """Start a run and return its id once it holds something."""
    run_id = launch(**LIVELY)
    until(lambda: Views.of(workspace).run(run_id).position)
    return run_id


def ended_holding(workspace: Workspace, broker: Any = None, steps: int = 40) -> str:
    """Run a session that ends while it holds something, and return its id."""
    plan = plan_session(workspace, steps=steps, seed=4, params={"fast": 2, "slow": 5})
    plan = plan if broker is None else plan._replace(broker=broker, mode="testnet", env_name="kraken")
    return run_session(plan, Desk.of(workspace)).session_id


def kinds(workspace: Workspace, run_id: str) -> list[Any]:
    """Return the events after the end of a run."""
    events = list(read_journal(RunFolder(workspace.runs, run_id).journal))
    (end,) = [number for number, event in enumerate(events) if type(event) is End] or [None]
    if end is None:
        end = max(number for number, event in enumerate(events) if type(event).__name__ == "BarDone")
    return events[end + 1 :]


def assert_flat_and_in_order(workspace: Workspace, run_id: str) -> None:
    look = Views.of(workspace).look(run_id)
    assert look.tally.ledger.qty == 0
    assert look.record.metrics["unrealized_pnl"] == 0.0
    checks = {check.id: check.status for check in post_session_checks(look)}
    assert (checks["record"], checks["ledger"], checks["identity"]) == ("pass", "pass", "pass")


@pytest.mark.parametrize("how", ["asked", "killed", "died"])
def test_what_a_run_leaves_open_is_closed_with_one_reducing_order(
    workspace: Workspace, launch: Callable[..., str], peaktrade: Callable[..., Any], how: str
) -> None:
    run_id = holding(workspace, launch)
    if how == "died":
        os.kill(RunFolder(workspace.runs, run_id).owner().pid, signal.SIGKILL)
        until(lambda: not RunFolder(workspace.runs, run_id).alive())
    force = ("--force",) if how == "killed" else ()
    ended = peaktrade("fleet", "stop", run_id, "--close", "--by", "Ada", "--reason", "odd fills", *force)
    found = kinds(workspace, run_id)
    if found:  # it may have been flat again in the moment before
        order, fill = [event for event in found if type(event) in (Order, Fill)][-2:]
        assert (order.purpose, fill.order_id, fill.qty) == ("close", order.order_id, order.qty)
        assert f"; closed {-order.qty:+g} BTC/EUR at {fill.price:g}" in ended.stdout
        assert Views.of(workspace).record(run_id).error.endswith(f"closed {-order.qty:+g} BTC/EUR at {fill.price:g}")
        assert f"fleet close {run_id} by Ada: closed" in workspace.operations_log.read_text()
    assert ended.code == 0, ended
    assert_flat_and_in_order(workspace, run_id)
    assert registry(workspace).status == "pass"  # the new record stands in the chain, on the word of who closed
    again = peaktrade("fleet", "stop", run_id, "--close", "--by", "Ada")
    assert (again.code, "nothing was open" in again.stdout) == (0, True)


def test_no_orders_means_no_closing_order_either(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    run_id = ended_holding(workspace)
    KillSwitch.of(workspace).engage("Ada", "odd fills")
    ended = peaktrade("fleet", "stop", run_id, "--close", "--by", "Ada")
    assert (ended.code, "NOT CLOSED: trading state NO_ORDERS lets nothing pass" in ended.stdout) == (1, True)
    (denied,) = kinds(workspace, run_id)
    assert (type(denied), denied.code) == (Denial, "HALTED")
    assert Views.of(workspace).look(run_id).tally.ledger.qty != 0


def test_a_halt_lets_it_be_closed(workspace: Workspace, peaktrade: Callable[..., Any]) -> None:
    run_id = ended_holding(workspace)
    KillSwitch.of(workspace).engage("Ada", "odd fills", "HALTED")
    assert peaktrade("fleet", "stop", run_id, "--close", "--by", "Ada").code == 0
    assert_flat_and_in_order(workspace, run_id)


class Venue:
    """Takes what it is told to, and remembers what was asked and what the journal held then."""

    asks_venue = True

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.asked, self.last = workspace, list[Order](), list[Any]()
        self.answer: Callable[[], OrderAnswer] = lambda: OrderAnswer(True, "placed")

    def submit(self, order: Order) -> OrderAnswer:
        self.asked.append(order)
        (folder,) = self.workspace.runs.iterdir()
        self.last.append(list(read_journal(folder / "events.jsonl"))[-1])
        return self.answer()


@pytest.fixture
def venue(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Venue:
    found = Venue(workspace)
    monkeypatch.setattr(closing, "venue_broker", lambda *_: found)
    return found


def test_in_testnet_the_venue_is_asked_once_and_only_to_reduce(workspace: Workspace, venue: Venue) -> None:
    run_id = ended_holding(workspace, venue)
    before = len(venue.asked)
    held = float(Views.of(workspace).look(run_id).tally.ledger.qty)
    assert closing.close_run_position(workspace, run_id, "Ada").startswith(f"closed {held:+g} BTC/EUR at ")
    (order,) = venue.asked[before:]
    assert (order.purpose, order.qty) == ("close", -held)
    assert (type(venue.last[-1]), venue.last[-1].order_id) == (Submission, order.order_id)
    assert [type(event) for event in kinds(workspace, run_id)] == [Order, Submission, VenueAnswer, Fill]
    assert_flat_and_in_order(workspace, run_id)
    assert closing.close_run_position(workspace, run_id, "Ada") == "nothing was open"
    assert len(venue.asked) == before + 1


@pytest.mark.parametrize(("steps", "purpose"), [(38, "open"), (42, "close")])
def test_an_order_that_was_on_its_way_at_the_venue_counts(
    workspace: Workspace, venue: Venue, steps: int, purpose: str
) -> None:
    run_id = ended_holding(workspace, venue, steps)
    before, (*_, last) = len(venue.asked), venue.asked
    assert last.purpose == purpose
    told = closing.close_run_position(workspace, run_id, "Ada")
    found = kinds(workspace, run_id)
    assert (type(found[0]), found[0].order_id) == (Fill, last.order_id)
    if purpose == "open":
        assert [order.qty for order in venue.asked[before:]] == [-last.qty]
    else:
        assert (told, len(found), len(venue.asked)) == ("closed by the order that was on its way", 1, before)
    assert_flat_and_in_order(workspace, run_id)


def _unknown() -> OrderAnswer:
    raise OrderOutcomeUnknownError("no answer")


@pytest.mark.parametrize(
    ("answer", "told", "last"),
    [
        (lambda: OrderAnswer(False, "EOrder:Cannot"), "NOT CLOSED: the venue says: EOrder:Cannot", VenueAnswer),
        (_unknown, "NOT CLOSED: OrderOutcomeUnknownError: no answer; look at the venue's own page", Failure),
    ],
    ids=["refused", "unknown"],
)
def test_what_the_venue_does_not_take_stays_open_and_says_so(
    workspace: Workspace, venue: Venue, answer: Callable[[], OrderAnswer], told: str, last: type
) -> None:
    run_id = ended_holding(workspace, venue)
    venue.answer = answer
    assert closing.close_run_position(workspace, run_id, "Ada") == told
    assert type(kinds(workspace, run_id)[-1]) is last
    assert Views.of(workspace).look(run_id).tally.ledger.qty != 0
    assert told in Views.of(workspace).record(run_id).error


def test_a_run_of_another_venue_is_not_closed_at_the_configured_one(
    workspace: Workspace, venue: Venue, configure: Callable[[str, str], None]
) -> None:
    run_id, asked = ended_holding(workspace, venue), len(venue.asked)
    configure('venue = "kraken"', 'venue = "krakenfutures"')
    told = closing.close_run_position(Workspace(workspace.home), run_id, "Ada")
    assert told.startswith("NOT CLOSED: it traded on kraken, and [exchange] names krakenfutures")
    assert len(venue.asked) == asked


def test_a_journal_that_is_broken_or_cannot_be_written_closes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = ended_holding(workspace)
    journal = RunFolder(workspace.runs, run_id).journal
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"{\n", *lines[6:]]))
    assert "line 6" in closing.close_run_position(workspace, run_id, "Ada")
    journal.write_bytes(whole)
    journal.with_suffix(".lock").unlink(missing_ok=True)
    journal.with_suffix(".lock").mkdir()
    assert closing.close_run_position(workspace, run_id, "Ada").startswith(f"NOT CLOSED: cannot append to {journal}")
    assert journal.read_bytes() == whole


def test_a_record_that_cannot_be_written_is_said_and_mended_by_the_same_command(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = ended_holding(workspace)

    def full(*_: object, **__: object) -> None:
        raise EnvironmentFault("cannot write the record: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(closing, "close_run", full)
        told = closing.close_run_position(workspace, run_id, "Ada")
    assert told.startswith("closed +0.00994708 BTC/EUR at ")
    assert "but its record still says otherwise: cannot write the record" in told
    assert closing.close_run_position(workspace, run_id, "Ada") == "nothing was open"
    assert_flat_and_in_order(workspace, run_id)
    assert registry(workspace).status == "pass"
