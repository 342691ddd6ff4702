"""What is told fits its receiver: length and markup, storms as digests, refusals, nothing twice, nothing out of sight."""

from __future__ import annotations

import email
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.alerts.alerts import AlertRow, Notification, Raised
from peaktrade_core.alerts.book import AlertBook
from peaktrade_core.alerts.changes import tell
from peaktrade_core.alerts.channels import DeliveryFailedError, Sender, forms, open_channel, plainest
from peaktrade_core.alerts.delivery import DeliveryResult, Dispatcher
from peaktrade_core.alerts.desk import OPEN, Alerts
from peaktrade_core.alerts.questions import alerts, delivered
from peaktrade_core.alerts.settings import Channel, read_settings
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.workspace import Workspace
from tests.alerts.conftest import at, write_rules
from tests.alerts.receivers import DISCORD, SLACK, TELEGRAM, Chat, point_to
from tests.conftest import Ended, until

FOREIGN = (
    "StrategyError: venue said <html><b>502</b> & more *bold* _under_score [x](http://y) `code` </html> "
    "File <lambda> @everyone \x1b[31mred\x07 " + "long " * 60
)
HOME = Path("unused")


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    found = Chat(4096)
    point_to(found, monkeypatch)
    yield found
    found.close()


def note(count: int, message: str = FOREIGN, kind: str = "failed_session") -> Notification:
    """Return the notification that so many alerts of one rule become."""
    table = {"id": "failed-session", "kind": kind, "channels": ["chat"]}
    rules = read_settings({"channels": {"chat": {"kind": "log"}}, "rule": [table]}, "test").rules
    book = AlertBook()
    for n in range(count):
        run = f"shadow_20260302_080000_{n:06x}"
        row = {"alert_id": f"{n:08x}", "rule_id": "failed-session", "key": run, "run_id": run}
        book.apply(Raised(at=at(n), severity="warning", message=message, runbook="12a", **row))
    (found,) = tell(rules, book, SystemClock().now())
    assert isinstance(found, Notification)
    return found


def sender(monkeypatch: pytest.MonkeyPatch, address: str, **settings: Any) -> Sender:
    monkeypatch.setenv("PT_TEST_URL", address)
    return open_channel(Channel(url_env="PT_TEST_URL", **settings), HOME, "http://desk.example.org/alerts")


@pytest.mark.parametrize("count", [1, 4, 14, 60])
@pytest.mark.parametrize(
    ("address", "limit"), [(TELEGRAM.format(chats="12345"), 4096), (DISCORD, 2000), (SLACK, 40_000), ("hook", 4096)]
)
def test_any_number_of_alerts_is_one_message_that_its_receiver_takes(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, address: str, limit: int, count: int
) -> None:
    chat.limit = limit
    assert sender(monkeypatch, chat.hook if address == "hook" else address).send(note(count)) == ""
    (text,) = chat.texts
    assert chat.refused == []
    assert "failed-session" in text
    assert "502" in text
    if count > 1:
        assert f"{count} alerts" in text
    if len(text) < len(next(forms(note(count), "")).body):
        assert "http://desk.example.org/alerts or peaktrade alerts list" in text
    named = sum(f"{n:06x}" in text or f"ack {n:08x}" in text for n in range(count))
    assert named or "•" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_telegram_shows_a_venues_page_and_a_lambda_as_they_are(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    sender(monkeypatch, TELEGRAM.format(chats="12345")).send(note(1))
    assert "<html><b>502</b> & more *bold* _under_score [x](http://y) `code` </html> File <lambda>" in chat.texts[0]
    assert chat.raw[0]["parse_mode"] == "HTML"
    sender(monkeypatch, TELEGRAM.format(chats="12345") + "?format=markdown").send(note(1))
    assert r"<html><b>502</b> & more \*bold\* \_under\_score" in chat.texts[1]


def test_foreign_text_calls_no_one_and_hides_no_link(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (DISCORD, SLACK, TELEGRAM.format(chats="12345")):
        sender(monkeypatch, address).send(note(1))
    assert not any("@everyone" in text for text in chat.texts)
    assert r"\[x\](http://y)" in chat.texts[0]
    assert r"\*bold\*" in chat.texts[0]


def test_mail_has_the_whole_text(mailbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = f"mailto://127.0.0.1:{mailbox.port}/?from=watch@example.org&to=desk@example.org&mode=insecure"
    assert sender(monkeypatch, mail).send(note(14)) == ""
    body = email.message_from_string(mailbox.mails[0])
    text = str((body.get_payload(decode=True) or b"").decode()) or mailbox.mails[0]
    assert all(f"{n:08x}" in text for n in range(14))


@pytest.mark.parametrize("limit", [2000, 300, 160])
def test_a_receiver_of_unknown_length_is_told_in_short(chat: Chat, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    chat.limit = limit
    how = sender(monkeypatch, chat.hook).send(note(14))
    assert how == "told in short, the whole text was refused: HTTP 400"
    assert chat.texts == ["WARNING failed-session\r\n14 alerts: peaktrade alerts list"]
    chat.texts.clear()
    assert sender(monkeypatch, chat.hook, max_chars=limit).send(note(14)) == ""
    assert len(chat.texts[0]) <= limit


def test_the_plainest_words_hold_nothing_from_outside() -> None:
    foreign = msgspec.structs.replace(note(1), alert_ids=("0a",), title="CRITICAL a_b: <b>*[x](y)")
    said = plainest(foreign)
    assert said == ("CRITICAL a b", "alert 0a: peaktrade alerts list")


def test_what_an_alert_says_does_not_decide_whether_it_is_tried_again(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.answers = [503]
    with pytest.raises(DeliveryFailedError) as failed:
        sender(monkeypatch, chat.hook).send(note(1, "the venue: error=404. (550, b'no') Read timed out"))
    assert (failed.value.reason, failed.value.permanent) == ("HTTP 503", False)


@pytest.mark.parametrize("status", [302, 401, 404])
def test_what_is_no_matter_of_the_text_is_not_told_in_short(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    chat.answers = [status]
    with pytest.raises(DeliveryFailedError) as failed:
        sender(monkeypatch, chat.hook).send(note(1))
    assert failed.value.permanent
    assert len(chat.refused) == 1


class Desk:
    """One channel with its thread, and what became of its notifications."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, address: str, **settings: Any) -> None:
        monkeypatch.setenv("PT_TEST_URL", address)
        self.results: list[DeliveryResult] = []
        channel = Channel(url_env="PT_TEST_URL", **settings)
        self.dispatcher = Dispatcher(
            {"chat": channel}, lambda c: open_channel(c, HOME), self.results.extend, SystemClock()
        )

    def offer(self, *notes: Notification) -> None:
        numbered = [msgspec.structs.replace(one, seq=n) for n, one in enumerate(notes)]
        self.dispatcher.offer({(one.seq, "chat"): one for one in numbered})


def test_of_two_chats_the_one_that_has_it_is_not_told_again(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.answers = [200, 503, 503]
    taken: list[str] = []
    real = chat.take

    def take(path: str, body: dict[str, Any]) -> int:
        taken.append(str(body["chat_id"]))
        return real(path, body)

    monkeypatch.setattr(chat, "take", take)
    desk = Desk(monkeypatch, TELEGRAM.format(chats="12345/67890"))
    desk.offer(note(1))
    until(lambda: desk.results)
    desk.dispatcher.close()
    assert [result.outcome for result in desk.results] == ["delivered"]
    assert taken == ["67890"], "the first chat took it at once (the 200 above), only the second one was asked again"


def test_a_receiver_that_takes_it_and_answers_too_late_has_it_once(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    chat.delay_s = 1.0
    desk = Desk(monkeypatch, chat.hook, timeout_s=0.2)
    desk.offer(note(1))
    until(lambda: desk.results)
    time.sleep(3.0)
    desk.dispatcher.close()
    assert [(r.outcome, r.reason) for r in desk.results] == [("pending", "no answer in time, it may have arrived")]
    assert len(chat.texts) == 1


def test_a_receiver_that_fails_at_the_text_again_and_again_is_told_in_short(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = chat.take
    monkeypatch.setattr(chat, "take", lambda path, body: 500 if "502" in body["message"] else real(path, body))
    monkeypatch.setattr("peaktrade_core.alerts.delivery.LONGEST_WAIT_S", 0.05)
    desk = Desk(monkeypatch, chat.hook)
    desk.offer(note(1))
    until(lambda: desk.results)
    desk.dispatcher.close()
    assert (desk.results[0].outcome, desk.results[0].reason) == ("delivered", "told in short")


RULES = """
[channels.chat]
url = "{url}"
[[rule]]
id = "deep"
kind = "drawdown"
warning_pct = 0.000001
channels = ["chat"]
"""


def test_what_was_refused_stays_in_sight_until_a_person_has_seen_it(
    home: Path, chat: Chat, run_shadow: Callable[..., Any], peaktrade: Callable[..., Ended]
) -> None:
    write_rules(home, RULES.format(url=chat.hook))
    chat.answers = [400] * 2
    run_shadow(steps=300)
    turned = peaktrade("watch", "--once", "--no-jobs", timeout=90)
    assert (turned.code, turned.stdout.splitlines()[-1]) == (
        0, "One turn: 1 alert open, 0 messages due; `peaktrade alerts list` shows them."
    )  # fmt: skip
    (row,) = Alerts.of(Workspace(home)).rows()
    assert (row.deliveries, row.refusals, row.untold) == ({"chat": "failed"}, {"chat": "HTTP 400"}, True)
    write_rules(
        home,
        RULES.format(url=chat.hook).replace(
            'kind = "drawdown"\nwarning_pct = 0.000001', 'kind = "risk_red"\nclear_for_s = 0.0'
        ),
    )
    chat.answers = [400] * 2
    peaktrade("watch", "--once", timeout=90)
    peaktrade("watch", "--once", timeout=90)
    workspace = Workspace(home)
    listed = peaktrade("alerts", "list").stdout
    assert "HTTP 400" in " ".join(listed.split())
    assert row.alert_id in listed
    assert [one.alert_id for one in Alerts.of(workspace).rows(OPEN)] == [row.alert_id]
    assert delivered(workspace).status == "warn"
    assert alerts(workspace).status == "warn"
    assert row.alert_id in delivered(workspace).evidence
    assert peaktrade("alerts", "ack", row.alert_id, "--by", "kim").code == 0
    workspace = Workspace(home)
    assert Alerts.of(workspace).rows(OPEN) == []
    assert delivered(workspace).status == "pass"


def test_fourteen_failures_reach_a_channel_that_takes_4096_characters(
    home: Path, chat: Chat, peaktrade: Callable[..., Ended], run_shadow: Callable[..., Any]
) -> None:
    """The storm of F06: fourteen sessions that fail with a long text are one message, and nothing has failed."""
    write_rules(
        home,
        RULES.format(url=chat.hook).replace('kind = "drawdown"\nwarning_pct = 0.000001', 'kind = "failed_session"'),
    )
    record, now = run_shadow(steps=30), SystemClock().now()
    for n in range(14):
        run = f"shadow_{now:%Y%m%d_%H%M%S}_{n:06x}"
        failed = msgspec.structs.replace(record, session_id=run, status="failed", error=FOREIGN, finished_at=now)
        Registry.of(Workspace(home)).write(failed)
    assert peaktrade("watch", "--once", timeout=90).code == 0
    rows: list[AlertRow] = [row for row in Alerts.of(Workspace(home)).rows() if row.rule_id == "deep"]
    assert len(rows) == 14
    assert {json.dumps(row.deliveries) for row in rows} == {'{"chat": "delivered"}'}
    assert ["14 alerts" in text for text in chat.texts] == [True, False], "the other is that they failed in a row"
    assert chat.refused == []
    assert peaktrade("watch", "--once", timeout=90).code == 0
    assert len(chat.texts) == 2
