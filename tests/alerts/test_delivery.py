"""Real deliveries on this machine: mail, webhook, dead and hanging channels, refusals, restarts, secrets."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.alerts.alerts import Notification
from peaktrade_core.alerts.channels import DeliveryFailedError, Sender, open_channel
from peaktrade_core.alerts.delivery import DeliveryResult, Dispatcher
from peaktrade_core.alerts.settings import Channel
from peaktrade_core.base.wall_clock import SystemClock
from tests.alerts.conftest import Receiver, free_port
from tests.conftest import until


def note(seq: int = 0, at: datetime | None = None) -> Notification:
    return Notification(
        at=at or SystemClock().now(),
        seq=seq,
        alert_ids=("a",),
        channels=(),
        severity="critical",
        title=f"CRITICAL r: run{seq}",
        body="it is bad\nrunbook 7",
    )


def mail(port: int, host: str = "127.0.0.1") -> str:
    return f"mailto://{host}:{port}/?from=watch@example.org&to=desk@example.org&mode=insecure"


@pytest.fixture
def dead() -> str:
    """Return the address of a port on which nobody listens."""
    return f"json://127.0.0.1:{free_port()}/"


@pytest.fixture
def hanging() -> Iterator[str]:
    """Return the address of a server that takes a connection and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"json://127.0.0.1:{server.getsockname()[1]}/"


def open_(**settings: Any) -> Sender:
    return open_channel(Channel(**settings), Path("unused"))


def failure(sender: Sender) -> tuple[str, bool]:
    with pytest.raises(DeliveryFailedError) as failed:
        sender.send(note())
    return failed.value.reason, failed.value.permanent


def test_mail_and_webhook_arrive(receiver: Receiver, mailbox: Any) -> None:
    open_(url=receiver.url).send(note())
    open_(url=mail(mailbox.port)).send(note())
    assert receiver.received[0]["title"] == "CRITICAL r: run0"
    assert "runbook 7" in receiver.received[0]["message"]
    assert "CRITICAL r: run0" in mailbox.mails[0]


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, True), (404, True), (410, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_a_webhooks_refusal_is_told_from_what_may_pass(receiver: Receiver, status: int, permanent: bool) -> None:
    receiver.answers = [status] * 2
    assert failure(open_(url=receiver.url)) == (f"HTTP {status}", permanent)


@pytest.mark.parametrize(("reply", "permanent"), [("550 no such user", True), ("451 try later", False)])
def test_a_mail_servers_refusal_is_told_from_what_may_pass(mailbox: Any, reply: str, permanent: bool) -> None:
    mailbox.refuse = reply
    assert failure(open_(url=mail(mailbox.port))) == (f"SMTP {reply[:3]}", permanent)


def test_nobody_there_and_no_answer_may_pass(dead: str, hanging: str) -> None:
    assert failure(open_(url=dead)) == ("connection refused", False)
    assert failure(open_(url=hanging, timeout_s=0.2)) == ("no answer in time, it may have arrived", False)


def test_an_address_that_is_missing_or_no_address_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeliveryFailedError, match="PT_TEST_URL is not set"):
        open_(url_env="PT_TEST_URL")
    monkeypatch.setenv("PT_TEST_URL", "nonsense://hunter2")
    with pytest.raises(DeliveryFailedError) as failed:
        open_(url_env="PT_TEST_URL")
    assert failed.value.permanent
    assert "hunter2" not in str(failed.value)


def test_no_secret_is_in_any_output_or_log(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, dead: str
) -> None:
    caplog.set_level(logging.DEBUG)
    port = dead.rsplit(":", 1)[1].strip("/")
    for address in (
        f"json://user:hunter2@127.0.0.1:{port}/?token=hunter2",
        f"mailto://user:hunter2@127.0.0.1:{port}/?from=a@example.org&to=b@example.org",
        "slack://hunter2",
    ):
        monkeypatch.setenv("PT_TEST_URL", address)
        with pytest.raises(DeliveryFailedError) as failed:
            open_(url_env="PT_TEST_URL", timeout_s=0.5).send(note())
        assert "hunter2" not in repr(failed.value)
    out = capfd.readouterr()
    assert "hunter2" not in out.out + out.err + caplog.text


class Desk:
    """A dispatcher and what it wrote down."""

    def __init__(self, channels: dict[str, Channel], tmp_path: Path) -> None:
        self.results: list[DeliveryResult] = []
        self.dispatcher = Dispatcher(
            channels, lambda c: open_channel(c, tmp_path / "alerts.log"), self.results.extend, SystemClock()
        )

    def outcome(self, channel: str) -> list[tuple[int, str]]:
        return [(r.notification, r.outcome) for r in self.results if r.channel == channel]


def test_a_dead_and_a_hanging_channel_hold_up_nobody(
    receiver: Receiver, mailbox: Any, dead: str, hanging: str, tmp_path: Path
) -> None:
    channels = {
        "dead": Channel(url=dead),
        "hanging": Channel(url=hanging, timeout_s=120.0),
        "mail": Channel(url=mail(mailbox.port)),
        "web": Channel(url=receiver.url),
        "log": Channel(kind="log"),
    }
    desk = Desk(channels, tmp_path)
    desk.dispatcher.offer({(n, name): note(n) for n in range(3) for name in channels})
    until(lambda: all(len(desk.outcome(name)) == 3 for name in ("mail", "web", "log")))
    assert desk.outcome("dead") == desk.outcome("hanging") == []
    assert not desk.dispatcher.idle()
    assert len((tmp_path / "alerts.log").read_text().splitlines()) == 3
    desk.dispatcher.close(0.2)
    assert len(mailbox.mails) == len(receiver.received) == 3


def test_what_fails_for_a_moment_is_tried_again_and_what_is_refused_is_not(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [503, 200, 404, 200]
    desk = Desk({"web": Channel(url=receiver.url)}, tmp_path)
    for n in range(3):
        desk.dispatcher.offer({(n, "web"): note(n)})
        until(lambda n=n: len(desk.results) == n + 1)
    assert desk.outcome("web") == [(0, "delivered"), (1, "failed"), (2, "delivered")]
    assert [r.attempts for r in desk.results[::2]] == [2, 1]
    assert desk.results[1].reason == "HTTP 404"
    desk.dispatcher.close()


def test_what_is_under_way_is_not_sent_twice(receiver: Receiver, tmp_path: Path) -> None:
    receiver.delay_s = 0.3
    desk = Desk({"web": Channel(url=receiver.url)}, tmp_path)
    for _ in range(10):
        desk.dispatcher.offer({(0, "web"): note(0)})
        time.sleep(0.02)
    until(desk.dispatcher.idle)
    assert len(receiver.received) == 1
    desk.dispatcher.close()


def test_what_waited_for_a_dead_channel_comes_as_one_when_it_is_back(receiver: Receiver, tmp_path: Path) -> None:
    receiver.delay_s = 0.3
    desk = Desk({"web": Channel(url=receiver.url)}, tmp_path)
    desk.dispatcher.offer({(0, "web"): note(0)})
    time.sleep(0.1)
    desk.dispatcher.offer({(n, "web"): note(n) for n in range(1, 30)})
    until(desk.dispatcher.idle)
    assert len(desk.results) == 30
    assert len(receiver.received) == 2
    assert "29 notifications" in receiver.received[1]["title"]
    assert "run29" in receiver.received[1]["message"]
    desk.dispatcher.close()


def test_after_the_deadline_a_delivery_has_failed_and_says_why(dead: str, tmp_path: Path) -> None:
    desk = Desk({"web": Channel(url=dead, deadline_s=1.0)}, tmp_path)
    old = note(0, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    desk.dispatcher.offer({(0, "web"): old})
    until(lambda: desk.results)
    assert desk.results[0].outcome == "failed"
    assert "gave up after 1 s: connection refused" in desk.results[0].reason
    desk.dispatcher.close()


def test_a_channel_that_is_no_longer_configured_has_failed(tmp_path: Path) -> None:
    desk = Desk({}, tmp_path)
    desk.dispatcher.offer({(0, "pager"): note(0)})
    assert desk.outcome("pager") == [(0, "failed")]


def test_a_missing_address_waits_until_it_is_there(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk({"web": Channel(url_env="PT_TEST_URL")}, tmp_path)
    desk.dispatcher.offer({(0, "web"): note(0)})
    time.sleep(0.2)
    assert desk.results == []
    monkeypatch.setenv("PT_TEST_URL", receiver.url)
    until(lambda: desk.results)
    assert desk.outcome("web") == [(0, "delivered")]
    desk.dispatcher.close()


def test_a_channel_that_meets_an_error_nobody_foresaw_is_tried_again(tmp_path: Path) -> None:
    """A keyring or a library may raise anything: its thread ended, and nothing came through that channel any more."""
    results: list[DeliveryResult] = []
    told: list[str] = []

    class Odd:
        def send(self, note: Notification, *, plainly: bool = False) -> str:
            del plainly
            told.append(note.title)
            if len(told) < 3:
                raise KeyError("hunter2")
            return ""

    opened: list[Channel] = []

    def open_odd(channel: Channel) -> Sender:
        opened.append(channel)
        if len(opened) < 2:
            raise RuntimeError("hunter2")
        return Odd()

    dispatcher = Dispatcher({"odd": Channel(kind="log")}, open_odd, results.extend, SystemClock())
    dispatcher.offer({(0, "odd"): note()})
    until(lambda: results)
    assert (results[0].outcome, results[0].attempts, dispatcher.idle()) == ("delivered", 4, True)
    dispatcher.offer({(1, "odd"): note(1)})
    until(lambda: len(results) == 2)
    dispatcher.close()


def test_an_error_nobody_foresaw_is_told_without_its_words() -> None:
    results: list[DeliveryResult] = []

    def fail(_: Channel) -> Sender:
        raise RuntimeError("hunter2")

    dispatcher = Dispatcher({"odd": Channel(kind="log", deadline_s=1.0)}, fail, results.extend, SystemClock())
    dispatcher.offer({(0, "odd"): note()})
    until(lambda: results)
    dispatcher.close()
    assert (results[0].outcome, results[0].reason) == ("failed", "gave up after 1 s: it failed: RuntimeError")
