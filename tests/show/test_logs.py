"""What a service says, as JSON a line: its names, its levels, and that no secret is ever in it."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.schedule.service import tell_manager
from peaktrade_core.show import logs
from peaktrade_core.show.terminal import say
from tests.conftest import command, environment

SECRET = "c2VjcmV0LW9mLWtyYWtlbi0xMjM0NTY3OA=="


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Speak as a service, and return a function that gives what was said since."""
    root, hook = logging.getLogger(), logs.sys.excepthook
    kept = root.handlers, root.level
    logs.speak_as_service("watch", ["token-of-viewers"], {"PEAKTRADE_LOG": "json", "KRAKEN_API_SECRET": SECRET})
    yield lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    logs._lines, logs.sys.excepthook = None, hook
    root.handlers = kept[0]
    root.setLevel(kept[1])
    logging.captureWarnings(False)


def test_what_is_said_is_a_line_each_with_the_names_that_structlog_uses(lines: Any) -> None:
    say("watching\nthis")
    say("error: ConfigError: no", err=True)
    logs.event("recover failed: no", "warning", turn=3, why="")
    logging.getLogger("a.library").error("it broke: %s", 7)
    first, second, third, fourth = lines()
    assert set(first) == {"timestamp", "level", "logger", "event", "pid"}
    assert (first["event"], first["level"], first["logger"]) == ("watching\nthis", "info", "peaktrade.watch")
    assert (second["event"], second["level"]) == ("ConfigError: no", "error")
    assert (third["level"], third["turn"], "why" in third) == ("warning", "3", False)
    assert (fourth["event"], fourth["source"]) == ("it broke: 7", "a.library")


def test_an_exception_is_in_one_line_with_its_trace(lines: Any) -> None:
    try:
        raise ValueError(f"wrong key {SECRET}")
    except ValueError:
        logging.getLogger("ccxt").exception("failed")
    (line,) = lines()
    assert "Traceback" in line["exception"]
    assert SECRET not in json.dumps(line)


@pytest.mark.parametrize(
    "text",
    [
        f"the venue refused {SECRET}",
        f"header API-Sign: {SECRET[:-4]}",
        "GET /api/status?token=hunter2hunter2",
        "mailto://ada:hunter2hunter2@example.org refused",
        "smtp://:hunter2hunter2@host",
        "a viewer came with token-of-viewers",
        f"as hex {SECRET.encode().hex()}",
    ],
)
def test_no_secret_is_said_in_whatever_form_it_comes(lines: Any, text: str) -> None:
    say(text)
    logging.getLogger("any").warning("%s", text)
    said = json.dumps(lines())
    assert "***" in said
    for secret in (SECRET[:-4], "hunter2", "token-of-viewers", SECRET.encode().hex()):
        assert secret not in said


def test_signs_that_act_on_a_terminal_are_written_out(lines: Any) -> None:
    say("\x1b[31mred \u202e")
    (line,) = lines()
    assert line["event"] == "\\x1b[31mred \\u202e"


def test_without_the_variable_people_read_sentences(capfd: pytest.CaptureFixture[str]) -> None:
    logs.speak_as_service("watch", (), {})
    assert not logs.in_json()
    say("watching")
    logs.event("only in lines")
    assert capfd.readouterr().out == "watching\n"


def test_a_watcher_as_a_service_says_only_lines_and_tells_its_manager(home: Path, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(address))
        manager.settimeout(60.0)
        env = environment(home, {"PEAKTRADE_LOG": "json", "NOTIFY_SOCKET": str(address), "SMTP_PASSWORD": SECRET})
        process = subprocess.Popen(
            command("watch", "--interval", "1s", "--no-jobs"), cwd=home, env=env, stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert [manager.recv(64) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
    assert out == ""
    said = [json.loads(line)["event"] for line in err.splitlines()]
    assert said[1:] == ["started", "ended"]


def test_a_fault_of_a_watcher_is_a_warning_in_its_log(home: Path) -> None:
    (home / "config" / "alerts.toml").write_text("[channels.log]\nkind = 'log'\n")
    (home / "reports" / "live").mkdir(parents=True)
    (home / "reports" / "ledger.jsonl").mkdir()  # nothing can be entered
    env = environment(home, {"PEAKTRADE_LOG": "json"})
    done = subprocess.run(command("watch", "--once"), cwd=home, env=env, capture_output=True, text=True, timeout=120)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    faults = [line["event"] for line in said if line["level"] == "warning"]
    assert any(fault.startswith("ledger failed:") for fault in faults), said


def test_a_dashboard_as_a_service_says_where_it_is_and_never_its_token(home: Path, tmp_path: Path) -> None:
    token = "0123456789abcdef0123"
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command("dashboard", "--port", "0", "--token", token), cwd=home,
            env=environment(home, {"PEAKTRADE_LOG": "json"}), stderr=file, stdout=file,
        )  # fmt: skip
        try:
            until = time.monotonic() + 90.0
            while "dashboard of" not in log.read_text() and time.monotonic() < until and process.poll() is None:
                time.sleep(0.2)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("at http://127.0.0.1:" in line["event"] for line in said), said
    assert token not in log.read_text()


def test_nobody_is_told_where_nobody_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_manager("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    tell_manager("READY=1")
