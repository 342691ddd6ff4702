"""Forward signals: written before their outcome, not back-dated, not changed unseen, evaluated with what is known later."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import EnvironmentFault, TierNotAllowedError
from peaktrade_core.base.question import FAIL, PASS, WARN
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.control.audit.checks import adopt, audit_checks
from peaktrade_core.research.forward.book import WRITTEN, ForwardBook, ForwardSignal
from peaktrade_core.research.forward.outcome import Evaluation, evaluate
from peaktrade_core.research.forward.signals import ComponentSignal, write_signals
from peaktrade_core.research.portfolio.preset import Component
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.session.synthetic import START_TS, SyntheticFeed
from peaktrade_core.workspace.ledger import FORWARD, Ledger
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

HOUR = 3600
SERIES = Series("made-up", "BTC/EUR", "1h")
BARS = list(islice(SyntheticFeed(3, HOUR), 400))
CROSS = Component(
    strategy="ma_crossover", symbol="BTC/EUR", timeframe="1h", warmup_candles=60, params={"fast": 3, "slow": 9}
)


class Hand:
    """A clock that is moved by hand, and is none of a rehearsal."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def after(bars: int, seconds: float = 60.0) -> datetime:
    """Return when so many bars have closed, and a little later."""
    return from_seconds(START_TS + bars * HOUR + seconds)


class Desk:
    """A workspace in which time passes and candles come in."""

    def __init__(self, workspace: Workspace) -> None:
        self.place, self.store = workspace, CandleStore.of_workspace(workspace.home)
        self.clock = workspace.clock = Hand(after(0))

    def at(self, bars: int, seconds: float = 60.0, stored: int | None = None) -> Desk:
        """Go to the time at which so many bars have closed, with as many (or ``stored``) in the store."""
        self.store.put(SERIES, BARS[: bars if stored is None else stored])
        self.clock.at = after(bars, seconds)
        return self

    def write(self, *components: Component) -> list[ComponentSignal]:
        return write_signals(self.place, components or (CROSS,))

    def evaluated(self) -> Evaluation:
        return evaluate(self.place, datetime(2026, 1, 1, tzinfo=UTC))

    def answer(self) -> Any:
        fresh = Workspace(self.place.home)
        fresh.clock = self.clock
        return {one.id: one for one in audit_checks(fresh)}["forward_chain"]


@pytest.fixture
def desk(workspace: Workspace) -> Desk:
    return Desk(workspace)


def one(asked: list[ComponentSignal]) -> ForwardSignal:
    (found,) = asked
    assert found.signal, found.error
    return found.signal


def test_a_signal_is_what_a_scan_says_and_is_written_once(desk: Desk) -> None:
    (first,) = desk.at(300).write()
    assert first.new
    signal = one([first])
    assert (signal.closed_at, signal.written_at, signal.bars) == (after(300, 0.0), after(300), 300)
    assert signal.close == BARS[299].close
    desk.clock.at += timedelta(minutes=5)
    (again,) = desk.write()
    assert (again.new, again.signal) == (False, signal)
    links = [link for link, _ in Ledger(desk.place.home).section(FORWARD).links()]
    assert [(link.kind, link.data["id"], link.at) for link in links] == [(WRITTEN, signal.signal_id, signal.written_at)]
    assert TrialLedger(desk.place).count(TrialMarket("ma_crossover", "BTC/EUR", "1h")) == 1
    desk.at(301).write()
    assert TrialLedger(desk.place).count(TrialMarket("ma_crossover", "BTC/EUR", "1h")) == 1  # the same decision
    assert desk.answer().status == PASS


def test_a_bar_that_has_not_closed_is_not_written(desk: Desk) -> None:
    signal = one(desk.at(300, stored=301).write())  # the store holds the bar that is still open
    assert (signal.bars, signal.closed_at) == (300, after(300, 0.0))
    assert one(desk.at(301, 0.0).write()).closed_at == after(301, 0.0)  # at the very second


def test_an_old_bar_is_not_written_and_a_known_future_neither(desk: Desk) -> None:
    (old,) = desk.at(302, 1.0, stored=300).write()
    assert old.signal is None
    assert "what became of it is known" in old.error
    desk.store.put(SERIES, BARS[:310])
    (known,) = desk.write()
    assert (known.signal, "7 bars begin after" in known.error) == (None, True)
    assert TrialLedger(desk.place).count(TrialMarket("ma_crossover", "BTC/EUR", "1h")) == 0
    assert list(desk.place.reports.glob("forward/*.json")) == []


def test_a_clock_behind_the_ledger_writes_nothing(desk: Desk) -> None:
    desk.at(300)
    Ledger.of(desk.place).append(("trials/other", {}), at=after(310))
    with pytest.raises(EnvironmentFault, match="back-dated"):
        desk.write()
    assert desk.evaluated().outcomes == []
    book, signal = ForwardBook(desk.place), one(desk.at(311).write())
    early = msgspec.structs.replace(signal, signal_id="fs_222222222222", closed_at=after(300, 0.0))
    desk.clock.at = after(300)
    book.write(early)  # by a program that does not ask
    assert "fs_222222222222: its entry is earlier than one before it" in desk.answer().evidence


def test_a_tier_that_may_not_run_lets_nothing_be_written(desk: Desk, peaktrade: Callable[..., Any]) -> None:
    desk.at(300)
    other = Component(strategy="armstrong_cycle", symbol="BTC/EUR", timeframe="1h", warmup_candles=60)
    with pytest.raises(TierNotAllowedError):
        desk.write(CROSS, other)
    assert list(desk.place.reports.glob("forward/*.json")) == []
    said = peaktrade("forward", "signals", "--strategy", "armstrong_cycle", "--symbol", "BTC/EUR")
    assert "TierNotAllowedError" in said.stderr


def test_outcomes_follow_each_other_and_count_from_the_bar_after_the_writing(desk: Desk) -> None:
    written = [one(desk.at(at).write()) for at in range(200, 300, 10)]
    assert len({signal.signal for signal in written}) > 1  # or the test would say little
    found = desk.at(310).evaluated()
    by_id = {outcome.signal_id: outcome for outcome in found.outcomes}
    held, net = 0, 0.0
    for at, signal in zip(range(200, 300, 10), written, strict=True):
        outcome = by_id[signal.signal_id]
        entry = BARS[at + 1].open  # the bar at ``at`` was open already when it was written
        last = at == 290
        leave = BARS[309].close if last else BARS[at + 11].open
        assert (outcome.entry, outcome.exit, outcome.state) == (entry, leave, "open" if last else "done")
        expected = signal.signal * (leave / entry - 1.0) - 0.0031 * abs(signal.signal - held)
        assert outcome.net == pytest.approx(expected, abs=1e-12)
        held = signal.signal
        net += 0.0 if last else expected
    (series,) = found.series
    assert (series.signals, series.done, series.open) == (10, 9, 1)
    assert series.net == pytest.approx(net)
    assert series.says.startswith("too few to say anything: ")
    desk.clock.at = after(295)
    assert len(evaluate(desk.place, after(290)).outcomes) == 1


def test_without_a_later_bar_a_signal_waits_and_missing_bars_are_told(desk: Desk) -> None:
    signal = one(desk.at(300).write())
    assert [outcome.state for outcome in desk.evaluated().outcomes] == ["waiting"]
    desk.store.put(SERIES, BARS[304:310])
    desk.clock.at = after(310)
    (found,) = desk.evaluated().outcomes
    assert (found.state, found.entry, found.note) == (
        "open",
        BARS[304].open,
        "entered 3 bars late: candles are missing",
    )
    assert found.signal == signal


def _turn(desk: Desk, signal: ForwardSignal) -> None:
    path = ForwardBook(desk.place).folder / f"{signal.signal_id}.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(signal, signal=-signal.signal or 1)))


@pytest.mark.parametrize("harm", ["turned", "deleted", "torn", "forged", "back-dated"])
def test_what_was_done_to_a_signal_is_seen_and_nothing_is_made_of_it(desk: Desk, harm: str) -> None:
    signal = one(desk.at(300).write())
    desk.at(305)
    folder = ForwardBook(desk.place).folder
    path = folder / f"{signal.signal_id}.json"
    if harm == "turned":
        _turn(desk, signal)
    elif harm == "deleted":
        path.unlink()
    elif harm == "torn":
        path.write_bytes(path.read_bytes()[:40])
    elif harm == "forged":
        (folder / "fs_000000000000.json").write_bytes(path.read_bytes())
    else:  # sealed by somebody who writes the ledger himself, for a bar whose outcome he knows
        late = msgspec.structs.replace(signal, signal_id="fs_111111111111", written_at=after(300))
        ForwardBook(desk.place).sealed.seal(
            WRITTEN, folder / "fs_111111111111.json", late, desk.clock.at, closed_at=iso(signal.closed_at), bar_s=3600.0
        )
    found = desk.answer()
    assert found.status == FAIL, found
    void = [outcome for outcome in desk.evaluated().outcomes if outcome.state == "void"]
    assert len(void) == 1
    assert void[0].note


def test_a_person_may_answer_for_a_changed_signal_and_it_stays_void(desk: Desk) -> None:
    signal = one(desk.at(300).write())
    _turn(desk, signal)
    assert adopt(desk.place, [signal.signal_id], "Ada", "restored from a wrong backup") == [signal.signal_id]
    assert desk.answer().status == PASS
    assert [outcome.state for outcome in desk.at(305).evaluated().outcomes] == ["void"]


def test_a_process_that_died_while_it_wrote_has_written_all_or_nothing(desk: Desk) -> None:
    signal = one(desk.at(300).write())
    path = ForwardBook(desk.place).folder / f"{signal.signal_id}.json"
    path.rename(path.with_name(f".{path.name}.sealing"))  # its hash is in the ledger, it is not in its place
    assert desk.answer().status in (PASS, WARN)
    assert [outcome.state for outcome in desk.at(305).evaluated().outcomes] == ["open"]
    assert path.exists()


def test_the_commands_say_it_and_a_fixed_clock_proves_nothing(
    desk: Desk, peaktrade: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.at(300)
    monkeypatch.setenv(FIXED_CLOCK, iso(after(300)))
    words = ("--strategy", "ma_crossover", "--symbol", "BTC/EUR,ETH/EUR", "--timeframe", "1h", "--warmup-candles", "60")
    said = peaktrade("forward", "signals", *words, "--json")
    rows = json.loads(said.stdout)
    assert (said.code, rows[0]["new"], rows[0]["signal"]["rehearsal"]) == (1, True, True)
    assert "no candles of ETH/EUR" in rows[1]["error"]
    assert "stands since" in peaktrade("forward", "signals", *words).stdout
    assert json.loads(peaktrade("forward", "evaluate", "--json").stdout)["signals"][0]["state"] == "waiting"
    (found,) = desk.evaluated().outcomes  # by a clock that is none of a rehearsal
    assert (found.state, "fixed clock" in found.note) == ("void", True)
    assert peaktrade("forward", "signals").code == 2
    assert peaktrade("forward", "signals", "--preset", "moderate", "--symbol", "BTC/EUR").code == 2
    assert peaktrade("forward", "signals", "--preset", "nothing").code == 2
    assert (
        peaktrade("forward", "signals", "--strategy", "ma_crossover", "--symbol", "BTC/EUR", "--timeframe", "7x").code
        == 2
    )
    assert "too few" not in peaktrade("forward", "evaluate", "--days", "0.01").stderr
    preset = peaktrade("forward", "signals", "--preset", "moderate", "--json")
    assert (preset.code, len(json.loads(preset.stdout)) > 1) == (1, True)
