"""What the machine refuses, and streams that are closed, full or left: a sentence, the exit code of the command, no hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.chain import BEGINNING, Chain, linked
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace
from tests.cli.surface import faults, ran
from tests.conftest import environment

NOISY = """
import atexit, os
from typing import NamedTuple
from peaktrade_core.trading.strategies import register
print("loaded"); os.write(1, b"raw"); os.system("echo from below"); atexit.register(print, "at the end")
class Noisy(NamedTuple):
    bars: int = 1
@register("noisy", Noisy, slots=lambda p: 0, warmup=lambda p: 0, tier="core")
def noisy(p, s, o, h, l, c, v):
    print("a bar")
    return 0.0
"""
UTF_16 = "[session]\n".encode("utf-16")
FILES = {  # what lies in a file's place, and what is said of it
    "a pipe": (lambda path: os.mkfifo(path), "it is not a plain file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is not a plain file"),
    "a sparse file": (lambda path: path.open("wb").truncate(2 << 30), "it is too large: 2,147,483,648 bytes"),
    "a folder": (lambda path: path.mkdir(), "Is a directory"),
    "Latin-1": (lambda path: path.write_bytes("[session]\n# für\n".encode("latin-1")), "line 2: the file is not UTF-8"),
    "UTF-16": (lambda path: path.write_bytes(UTF_16), "line 1: the file is not UTF-8 but written as UTF-16"),
    "deep lists": (lambda path: path.write_text("x = " + "[" * 5000), "lie too deep in each other"),
    "long digits": (lambda path: path.write_text("x = " + "9" * 5000), "config.toml: "),
}


def shell(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which ``peaktrade`` is this checkout's."""
    function = f'peaktrade() {{ "{sys.executable}" -m peaktrade_core "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", function + command], cwd=home, env=environment(home), capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("peaktrade doctor >&-", 0),
        ("peaktrade doctor 2>&-", 0),
        ("peaktrade session run --steps 20 2>&-", 0),
        ("peaktrade session run --steps 20 >&- 2>&- <&-", 0),
        ("peaktrade session show nothing 2>&-", 4),
        ("peaktrade session show nothing 2>/dev/full", 4),
        ("peaktrade session list >/dev/full", 7),
        ("peaktrade session list --json >/dev/full", 7),
        ("peaktrade --help >/dev/full", 7),
        ("peaktrade session run --steps 20 >/dev/full", 7),
        ("peaktrade --help | true; exit ${PIPESTATUS[0]}", 0),
        ("peaktrade session list | true; exit ${PIPESTATUS[0]}", 0),
        ("peaktrade readiness --stage live | true; exit ${PIPESTATUS[0]}", 5),
        ("peaktrade doctor --config nothing.toml | true; exit ${PIPESTATUS[0]}", 1),
    ],
)
def test_a_stream_that_is_closed_full_or_left_changes_no_exit_code(
    home: Path, workspace: Workspace, line: str, code: int
) -> None:
    ended = shell(home, line)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "bug in peaktrade" not in ended.stderr
    if "full" in line and code == 7:
        assert "No space left on device" in ended.stderr
    if "session run" in line:
        assert Views.of(workspace).latest().status == "completed"


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("command", ["session run", "backtest"])
def test_what_a_strategy_prints_is_no_result(home: Path, command: str) -> None:
    (home / "noisy.py").write_text(NOISY if command == "session run" else NOISY.replace('print("a bar")', "pass"))
    ended = shell(home, f"peaktrade {command} --strategy noisy --strategy-module noisy.py --steps 20 --json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["config"]["strategy_name"] == "noisy"
    for said in ("loaded", "raw", "from below", "at the end"):
        assert said in ended.stderr


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", [["session", "run", "--dry-run"], ["risk", "show"], ["alerts", "rules"]])
def test_a_configuration_that_is_no_file_of_toml_is_said_so(home: Path, kind: str, command: list[str]) -> None:
    make, says = FILES[kind]
    path = home / "config" / "config.toml"
    path.unlink()
    make(path)
    ended = ran([*command, "--home", str(home)])
    assert (ended.code, says in ended.err, str(path) in ended.err) == (2, True, True), ended.err
    assert not faults(ended)


def test_a_byte_order_mark_is_no_fault(home: Path) -> None:
    path = home / "config" / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert ran(["session", "run", "--dry-run", "--home", str(home)]).code == 0


@pytest.mark.parametrize(
    "args",
    [
        ["doctor", "--home", "LONG"],
        ["init", "LONG"],
        ["session", "run", "--candles", "LONG"],
        ["session", "report", "--output-dir", "LONG"],
        ["export", "dashboard", "--out", "LONG"],
        ["risk", "replay", "latest", "--limits", "LONG"],
    ],
)
def test_a_name_that_is_too_long_is_a_sentence(
    home: Path, run_shadow: Callable[..., SessionRecord], monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    run_shadow(steps=20)
    monkeypatch.chdir(home)
    where = [] if args[0] in ("doctor", "init") else ["--home", str(home)]
    ended = ran([*("n" * 300 if one == "LONG" else one for one in args), *where])
    assert ended.code in (2, 3, 7), ended.err
    assert "too long" in ended.err
    assert not faults(ended)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a sparse file"])
def test_a_journal_that_is_none_hangs_nothing(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], kind: str
) -> None:
    journal = workspace.runs / run_shadow(steps=20).session_id / "events.jsonl"
    journal.unlink()
    FILES[kind][0](journal)
    for command in (["session", "show"], ["monitor", "run", "latest"], ["incident", "diagnose"], ["session", "list"]):
        ended = ran([*command, "--home", str(workspace.home)])
        assert not faults(ended), (command, faults(ended), ended.err)


def test_a_note_as_long_as_a_book_does_not_fill_the_screen(
    home: Path, run_shadow: Callable[..., SessionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    note = "word " * 26_000
    run_shadow(steps=20)
    without = ran(["session", "show", "--home", str(home)]).out
    run_shadow(steps=20, notes=note)
    shown = ran(["session", "show", "--home", str(home)]).out
    assert len(shown.splitlines()) < len(without.splitlines()) + 16
    assert "more characters" in shown
    said: Any = json.loads(ran(["session", "show", "--home", str(home), "--json"]).out)
    assert len(said["config"]["notes"]) > 1000


READERS = (  # commands that look into the folders of a workspace, and some that write there
    "session list", "session run --steps 5 --warmup-candles 20", "monitor overview", "evidence list", "audit verify",
    "evidence add --tag t --text t --by Ada", "killswitch status", "killswitch engage --by Ada --reason x", "risk status",
    "alerts list", "incident list", "incident open --kind other --title t --severity low --by Ada", "doctor", "drill log",
    "schedule status", "ops notes",
)  # fmt: skip
PLACES = (
    "live_runs",
    "reports",
    "reports/evidence",
    "reports/incidents",
    "reports/live",
    "reports/alerts",
    "logs",
    ".cache",
)


def put_loop(path: Path) -> None:
    path.symlink_to(path.name)


def put_file(path: Path) -> None:
    path.write_text("no folder")


@pytest.mark.parametrize("make", [put_loop, put_file])
@pytest.mark.parametrize("place", PLACES)
def test_a_folder_that_cannot_be_entered_is_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], place: str
) -> None:
    monkeypatch.setenv("PEAKTRADE_HOME", str(home))
    (home / place).parent.mkdir(exist_ok=True)
    make(home / place)
    for line in READERS:
        ended = ran(line.split())
        assert not faults(ended), (line, faults(ended))
        if "engage" in line and ended.code:
            told = "is NO_ORDERS for every session, but cannot append" if place == "logs" else "NOT ENGAGED"
            assert (ended.code, told in ended.err) == (7, True), ended.err


@pytest.mark.parametrize("wrong", [5, None, ["a"], {"a": 1}, True])
def test_an_id_in_a_chain_that_is_no_text_is_a_broken_chain(home: Path, wrong: object) -> None:
    assert ran(["evidence", "add", "--tag", "t", "--text", "t", "--by", "Ada", "--home", str(home)]).code == 0
    ledger = Chain(home / "reports" / "ledger.jsonl")
    entries = [(link.at, link.kind, link.data) for link, _ in ledger.links()]
    told = [(at, kind, data | ({"id": wrong} if kind == "evidence/evidence" else {})) for at, kind, data in entries]
    ledger.path.write_bytes(b"".join(line + b"\n" for line in linked(told, 0, BEGINNING)[0]))
    for command in (
        "evidence list",
        "evidence verify",
        "audit verify",
        "evidence add --tag u --text u --by Ada",
    ):
        ended = ran([*command.split(), "--home", str(home)])
        assert not faults(ended), (command, faults(ended))
        assert ended.code != 0 or command in ("evidence list", "evidence add --tag u --text u --by Ada"), ended
    assert "names no id with its sha256" in " ".join(ran(["audit", "verify", "--home", str(home)]).out.split())


@pytest.mark.parametrize("kind", ["[]", "{ a = 1 }", "7", "true", "nan", "0001-01-01", '"\\u001b[31m"'])
@pytest.mark.parametrize("at", ["channels.console", "rule"])
def test_a_kind_that_is_none_is_named_with_those_that_are(home: Path, kind: str, at: str) -> None:
    head = "[channels.console]" if at != "rule" else '[[rule]]\nid = "a"'
    (home / "config" / "alerts.toml").write_text(f"{head}\nkind = {kind}\n")
    for command in (["alerts", "rules"], ["alerts", "check"], ["watch", "--once"]):
        ended = ran([*command, "--home", str(home)])
        assert (ended.code, "kind" in ended.err, "alerts.toml" in ended.err) == (2, True, True), ended.err
        assert not faults(ended)


def test_a_warning_of_a_library_is_a_sentence_and_no_line_of_code(home: Path, peaktrade: Callable[..., Any]) -> None:
    (home / "warns.py").write_text("import warnings\nwarnings.warn('an odd\\nthing', RuntimeWarning)\n")
    path = home / "config" / "config.toml"
    path.write_text('strategy_modules = ["warns.py"]\n' + path.read_text())
    ended = peaktrade("strategies")
    assert ended.code == 0, ended.stderr
    assert ended.stderr.splitlines() == ["note: an odd thing"]
