"""Stopping works whatever is typed, in whatever locale and on whatever disk; and it never says more than it did."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peaktrade_core.base.text import LONGEST, decoded, inert, said
from peaktrade_core.halts.scope import GLOBAL
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import End, Order, Start
from peaktrade_core.workspace.workspace import HOME, Workspace
from tests.alerts.conftest import Receiver
from tests.conftest import Ended, command, environment, until

SCOPE = "shadow.ma_crossover.BTC/EUR"
TYPED = {
    "latin-1": (b"St\xf6rung", "Störung"),
    "utf-8": ("Störung – €".encode(), "Störung – €"),
    "utf-8 and latin-1": ("ü".encode() + b"\xf6", "üö"),
    "half a UTF-16 character": (b"\xed\xa0\x80!", None),
    "line separator": ("a\u2028b".encode(), "a b"),
    "line breaks": (b"a\r\nb\x0bc\x85d", None),
    "control characters": (b"\x01x\x1b[31mred\x07", "\\x01x\\x1b[31mred\\x07"),
    "right to left": ("\u202eevil\u2066".encode(), "\\u202eevil\\u2066"),
    "70,000 characters": (b"A" * 70_000, "A" * 3940 + " … [66,060 more characters were cut off]"),
    "nothing to see": ("\u200b".encode(), "\u200b"),
    "every byte": (bytes(range(1, 256)), None),
}
LOCALES = {
    "as it is": {},
    "C": {"LC_ALL": "C"},
    "C, ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Latin-1 terminal": {"PYTHONIOENCODING": "latin-1"},
    "strict ASCII terminal": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
}


def full_disk() -> None:
    """No file may grow in this process, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))


def typed(home: Path, *args: bytes | str, env: dict[str, str] | None = None, full: bool = False) -> Ended:
    """Run a command with the bytes that a terminal sends."""
    done = subprocess.run(
        [*map(os.fsencode, command()), *map(os.fsencode, args)],
        env=environment(home, env),
        cwd=home,
        capture_output=True,
        timeout=300,
        preexec_fn=full_disk if full else None,
    )
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@pytest.mark.parametrize("what", TYPED)
def test_whatever_is_typed_it_stops(home: Path, what: str) -> None:
    raw, kept = TYPED[what]
    (home / os.fsdecode(raw[:99]).replace("/", "")).touch()  # a file of that name changes nothing
    for args in (("killswitch", "engage"), ("risk", "halt", "--scope", SCOPE)):
        ended = typed(home, *args, "--by", raw[:99], "--reason", raw)
        assert (ended.code, ended.stderr) == (0, ""), ended
    states = TradingStates.of(Workspace(home)).everything()
    assert [state.state for state in states] == ["NO_ORDERS", "HALTED"]
    assert kept is None or {state.reason for state in states} == {kept}
    assert all(inert(state.reason) == state.reason for state in states)
    assert len((home / "logs" / "operations.log").read_text().splitlines()) == 2
    assert typed(home, "killswitch", "audit", "--verify").code == 0


@pytest.mark.parametrize("locale", LOCALES)
def test_a_locale_changes_neither_the_name_nor_the_reason(home: Path, locale: str) -> None:
    ended = typed(home, "killswitch", "engage", "--by", "Jürgen", "--reason", b"St\xf6rung", env=LOCALES[locale])
    assert ended.code == 0, ended.stderr
    state = TradingStates.of(Workspace(home)).read(GLOBAL)
    assert (state.by, state.reason) == ("Jürgen", "Störung")
    for args in (("killswitch", "audit"), ("risk", "status"), ("killswitch", "audit", "--json")):
        assert typed(home, *args, env=LOCALES[locale]).code == 0


def test_notes_tags_and_parameters_may_be_anything_too(home: Path) -> None:
    odd = b"fr\xfch\x07\xe2\x80\xa8x"
    (home / os.fsdecode(odd)).touch()
    ended = typed(home, "session", "run", "--steps", "20", "--notes", odd, "--tag", odd, "--json")
    assert ended.code == 0, ended.stderr
    config = json.loads(ended.stdout)["config"]
    assert (config["notes"], config["tags"]) == (said(os.fsdecode(odd)), [said(os.fsdecode(odd))])
    refused = typed(home, "session", "run", "--steps", "20", "-p", b"fast=z\xfc")
    assert (refused.code, "fast = 'zü' must be a finite int" in refused.stderr) == (2, True)


@given(st.text(st.characters(codec=None) | st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)))
def test_what_was_said_can_be_kept_anywhere(text: str) -> None:
    kept = said(text)
    kept.encode()
    assert kept.splitlines() in ([kept], [])
    assert said(kept) == kept
    assert len(said(1000 * text)) <= LONGEST
    assert bool(kept) == bool(text.split())


@given(st.binary())
def test_bytes_become_the_text_that_they_are(raw: bytes) -> None:
    text = decoded(raw.decode("utf-8", "surrogateescape"))
    try:
        assert text == raw.decode()
    except UnicodeDecodeError:
        text.encode()


CONFIGS = {
    "broken": b"[session\nsteps = ",
    "BOM": b"\xef\xbb\xbf[session]\nsteps = 10\n",
    "Latin-1": b'[session]\nstrategy = "St\xf6rung"\n',
    "UTF-16": "[session]\n".encode("utf-16"),
    "wrong": b"[session]\nsteps = 'many'\n",
    "missing": None,
}


@pytest.mark.parametrize("what", CONFIGS)
def test_without_a_readable_configuration_everything_can_be_stopped(
    home: Path, start: Callable[..., Any], what: str
) -> None:
    process, run_id = running(home, start)
    path = home / "config" / "config.toml"
    path.unlink() if CONFIGS[what] is None else path.write_bytes(CONFIGS[what] or b"")
    for args in (("killswitch", "engage"), ("risk", "halt", "--scope", SCOPE)):
        ended = typed(home, *args, "--by", "Ada", "--reason", "news")
        assert ended.code == 0, ended.stderr
    assert [state.state for state in TradingStates.of(Workspace(home)).everything()] == ["NO_ORDERS", "HALTED"]
    for args in (("killswitch", "status"), ("risk", "halt", "--scope", "nonsense.x.y", "--by", "A", "--reason", "x")):
        assert typed(home, *args).code == (1 if args[1] == "status" else 2)
    stopped = typed(home, "fleet", "stop", run_id, "--by", "Ada", "--reason", "news")
    assert (stopped.code, "Run stopped" in stopped.stdout) == (0, True), stopped.stderr
    assert process.wait(60) in (130, -signal.SIGTERM)  # the reminder may meet it at its last line


def test_a_workspace_is_found_from_within_without_its_configuration(home: Path) -> None:
    assert typed(home, "session", "run", "--steps", "20").code == 0
    (home / "config" / "config.toml").unlink()
    inside = home / "live_runs"
    done = subprocess.run(
        command("killswitch", "engage", "--by", "Ada", "--reason", "news"),
        env={name: value for name, value in environment(home).items() if name != HOME},
        cwd=inside,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert TradingStates.of(Workspace(home)).read(GLOBAL).state == "NO_ORDERS"


def running(home: Path, start: Callable[..., Any], *options: object) -> tuple[Any, str]:
    """Start a session that goes on for long, and return its process and its id once it trades."""
    before = {row.run_id for row in Views.of(Workspace(home)).runs()}
    process = start("session", "run", "--steps", 90_000, "--timeframe", "1s", "--pace", 20, *options)
    runs = Views.of(Workspace(home)).runs
    begun = until(lambda: [row.run_id for row in runs() if row.alive and row.step and row.run_id not in before])
    return process, begun[0]


@pytest.fixture
def hook(home: Path) -> Iterator[Receiver]:
    """Return a channel beyond this machine."""
    found = Receiver()
    alerts = (Path(__file__).parents[2] / "config" / "alerts.toml").read_text()
    (home / "config" / "alerts.toml").write_text(alerts + f'\n[channels.hook]\nurl = "{found.url}"\n')
    yield found
    found.close()


def test_a_switch_that_cannot_be_written_is_said_not_to_be_engaged_and_is_told_another_way(
    home: Path, start: Callable[..., Any], hook: Receiver
) -> None:
    process, run_id = running(home, start)
    watcher = start("watch")
    assert "watching" in watcher.stderr.readline()
    ended = typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "odd fills", full=True)
    assert (ended.code, ended.stdout) == (7, "")
    assert "NOT ENGAGED, trading goes on: " in ended.stderr
    assert "halt again: a session that starts before then trades" in ended.stderr
    assert "ACTIVE" not in ended.stderr
    assert f"told by signal and ended: {run_id}, the watcher" in ended.stderr
    assert "Channels told: hook" in ended.stderr
    (told,) = [one for one in hook.received if "could NOT be set to NO_ORDERS" in one["title"]]
    assert "Ada: odd fills" in told["message"]
    assert TradingStates.of(Workspace(home)).read(GLOBAL).state == "ACTIVE"
    assert (process.wait(60), watcher.wait(60)) == (130, 0)
    record = Views.of(Workspace(home)).record(run_id)
    assert (record.status, record.error) == ("aborted", "Stopped: SIGTERM")


def test_a_halt_that_cannot_be_written_is_told_to_its_own_sessions_alone(
    home: Path, start: Callable[..., Any], hook: Receiver
) -> None:
    process, run_id = running(home, start)
    other, _ = running(home, start, "--symbol", "ETH/EUR")
    ended = typed(home, "risk", "halt", "--scope", SCOPE, "--by", "Ada", "--reason", "odd fills", full=True)
    assert (ended.code, ended.stdout) == (7, "")
    assert "NOT HALTED, trading goes on in shadow.ma-crossover.BTC-EUR: " in ended.stderr
    assert f"told by signal and ended: {run_id}. Channels told: hook" in ended.stderr
    assert (process.wait(60), other.poll()) == (130, None)


def test_where_nobody_can_be_told_it_says_so(home: Path) -> None:
    ended = typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "odd fills", full=True)
    assert "Running processes: none was found. Nobody else was told: config/alerts.toml has no channel" in ended.stderr
    assert ended.code == 7


def test_a_session_that_does_not_obey_the_signal_is_named(home: Path, start: Callable[..., Any]) -> None:
    process, run_id = running(home, start)
    process.send_signal(signal.SIGSTOP)
    ended = typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "odd fills", full=True)
    process.send_signal(signal.SIGCONT)
    assert ended.code == 7
    assert f"{run_id} (process {process.pid}) was told by signal and has not ended yet" in ended.stderr
    assert "`peaktrade fleet stop --all --force` kills what goes on" in ended.stderr
    assert process.wait(60) in (130, -signal.SIGTERM)  # the reminder may meet it at its last line


def test_what_was_engaged_before_is_not_taken_for_this_engagement(home: Path) -> None:
    assert typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "x", "--mode", "halted").code == 0
    stricter = typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "x", full=True)
    assert (stricter.code, "NOT ENGAGED" in stricter.stderr) == (7, True)
    same = typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "x", "--mode", "halted", full=True)
    assert (same.code, "the kill switch is HALTED for every session, but cannot" in same.stderr) == (7, True)


def test_a_session_that_was_told_to_end_sends_no_opening_order(workspace: Workspace, run_shadow: Any) -> None:
    from peaktrade_core.session.plan import Desk, Stop
    from peaktrade_core.session.planning import plan_session
    from peaktrade_core.session.session import run_session
    from peaktrade_core.trading.ports import OrderAnswer

    stop = Stop()

    class Slow:
        asks_venue = True

        def __init__(self) -> None:
            self.sent: list[Order] = []

        def submit(self, order: Order) -> OrderAnswer:
            self.sent.append(order)
            if order.purpose == "close":
                stop.request("SIGTERM")
            return OrderAnswer(True)

    broker = Slow()
    plan = plan_session(
        workspace, symbol="BTC/EUR-PERP", strategy="donchian_breakout", params={"window": 3}, seed=4, steps=400
    )._replace(broker=broker)
    record = run_session(plan, Desk.of(workspace), stop=stop)
    assert (record.status, broker.sent[-1].purpose) == ("aborted", "close")
    events = list(Views.of(workspace).events(record.session_id))
    assert (type(events[0]), type(events[-1])) == (Start, End)


def test_a_session_that_ends_in_a_halt_never_looks_fine_although_it_wanted_no_order(home: Path) -> None:
    assert typed(home, "killswitch", "engage", "--by", "Ada", "--reason", "x").code == 0
    ended = typed(home, "session", "run", "--steps", "1", "--strategy", "rsi_reversion", "--although-halted")
    assert (ended.code, "■ HALTED" in ended.stdout, "Orders generated              0" in ended.stdout) == (
        1,
        True,
        True,
    )
    (row,) = json.loads(typed(home, "session", "list", "--json").stdout)
    assert (row["word"], row["why"]) == ("halted", "orders are denied: NO_ORDERS")
    shown = typed(home, "session", "show", "latest")
    (equal,) = [line for line in shown.stdout.splitlines() if "equal the fold of its journal" in line]
    assert "19 figures equal" in equal


def test_the_position_that_a_killed_session_held_is_named_wherever_it_is_looked_for(
    home: Path, start: Callable[..., Any]
) -> None:
    started = typed(
        home, "fleet", "start-shadow", "--timeframe", "1s", "--steps", "90000", "--pace", "100", "-p", "fast=2",
        "-p", "slow=5", "--json",
    )  # fmt: skip
    run = json.loads(started.stdout)
    until(lambda: Views.of(Workspace(home)).run(run["run_id"]).position)
    os.kill(run["pid"], signal.SIGKILL)
    again = typed(home, "fleet", "restart", run["run_id"], "--by", "Ada")
    assert (again.code, again.stderr) == (0, "")
    workspace = Workspace(home)
    record, tally = Views.of(workspace).record(run["run_id"]), Views.of(workspace).look(run["run_id"]).tally
    if tally.ledger.qty:  # it may have been killed in the moment after it was flat
        left = f"left a position of {float(tally.ledger.qty):+g} BTC/EUR open, worth "
        assert left in (record.error or "")
        assert left in again.stdout
        diagnosed = typed(home, "incident", "diagnose", run["run_id"])
        assert left in " ".join(diagnosed.stdout.split())
        assert left in typed(home, "session", "list").stdout
        assert left in (home / "logs" / "operations.log").read_text()
    typed(home, "fleet", "stop", "--all", "--force", "--by", "Ada")
