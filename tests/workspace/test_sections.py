"""A checkpoint spares reading the whole ledger, and changes nothing that is known of it."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.chain import digest_of
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.control.audit.checks import ledger as whole_ledger
from peaktrade_core.workspace import sections
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.memory import outside_of
from peaktrade_core.workspace.workspace import Workspace

AT = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = ("evidence", "requests", "trials", "changes")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "EVERY", 40)


def enter(home: Path, count: int, begin: int = 0) -> None:
    book = Ledger(home)
    for number in range(begin, begin + count):
        book.append(
            (f"{NAMES[number % 4]}/x", {"id": f"{number}", "sha256": f"{number:064x}"}),
            ("registry/record", {"file": f"{number}.json", "sha256": "0"}),
            at=AT,
        )


def checkpoint(home: Path) -> Path:
    found = outside_of(home, "-sections")
    assert found is not None
    return found


def of_checkpoint(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(checkpoint(home).read_bytes().partition(b"\n")[2])
    return found


def known(home: Path) -> dict[str, list[Any]]:
    """Return what a process that knows nothing yet reads of each section."""
    book = Ledger(home)
    return {name: list(book.of_section(name)) for name in NAMES}


def all_of(home: Path) -> dict[str, list[Any]]:
    """Return the same of a ledger of which no checkpoint is used."""
    book = Ledger(home, remembered=False)
    return {name: list(book.of_section(name)) for name in NAMES}


@pytest.fixture
def many(home: Path) -> Path:
    """Return a workspace whose ledger has a checkpoint, and some entries after it."""
    enter(home, 60)
    assert known(home) == all_of(home)
    assert checkpoint(home).exists()
    enter(home, 5, 60)
    return home


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the count of entries of each verification."""
    counts, before = list[int](), sections.verified

    def verified(path: Path, lines: list[bytes], *rest: Any) -> Iterator[Any]:
        counts.append(len(lines))
        return before(path, lines, *rest)

    monkeypatch.setattr(sections, "verified", verified)
    return counts


def test_only_what_came_after_it_is_read(many: Path, read: list[int]) -> None:
    expected = all_of(many)
    read.clear()
    book = Ledger(many)
    assert {name: list(book.of_section(name)) for name in NAMES} == expected
    assert read == [10]  # 5 times 2 entries, once for all sections
    enter(many, 1, 65)
    assert list(book.of_section("trials")) == all_of(many)["trials"]
    assert sum(len(one) for one in expected.values()) > 40


def test_nothing_new_after_it_is_read_in_no_time(home: Path, read: list[int]) -> None:
    enter(home, 60)
    known(home)
    read.clear()
    assert known(home)["trials"]
    assert read == [0]


def test_a_long_process_leaves_one_again_only_after_many_entries(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, written = Ledger(many), []
    monkeypatch.setattr(sections, "write_atomic", lambda path, data: written.append(path))
    for number in range(70, 100):
        enter(many, 1, number)
        list(book.of_section("trials"))
    assert len(written) == 1


def first_of(home: Path, section: str) -> bytes:
    lines = (home / "reports" / "ledger.jsonl").read_bytes().split(b"\n")
    return next(line for line in lines if f'"kind":"{section}/x"'.encode() in line)


def test_an_entry_before_it_that_was_edited_is_named(many: Path) -> None:
    path = many / "reports" / "ledger.jsonl"
    line, data = first_of(many, "requests"), path.read_bytes()
    forged = line.replace(b'"sha256":"0000', b'"sha256":"1000')
    path.write_bytes(data.replace(line, forged))
    assert forged != line
    with pytest.raises(ArtefactError, match="does not follow from the line before"):
        list(Ledger(many).of_section("requests"))


def test_a_ledger_that_was_put_in_its_place_is_read_whole(many: Path, read: list[int]) -> None:
    path = many / "reports" / "ledger.jsonl"
    shutil.copy(path, many / "copy")
    (many / "copy").replace(path)
    read.clear()
    assert known(many)["changes"] == all_of(many)["changes"]
    assert read[0] > 100


def test_one_that_leaves_an_entry_out_is_known_to_the_audit(many: Path) -> None:
    assert whole_ledger(Workspace(many)).status == "pass"
    told = of_checkpoint(many)
    entries = all_of(many)["requests"][:-1]  # all but the first one, hashes and all
    kept = [digest for link, digest in entries if link.seq <= told["place"][3]][1:]
    told["sections"]["requests"] = {
        "spans": told["sections"]["requests"]["spans"][2:],
        "digest": sections._digest(kept),
    }
    body = json.dumps(told).encode()
    checkpoint(many).write_bytes(digest_of(body).encode() + b"\n" + body)
    assert len(known(many)["requests"]) == len(all_of(many)["requests"]) - 1
    found = whole_ledger(Workspace(many))
    assert (found.status, "says something else of requests" in found.evidence) == ("fail", True)


def test_whatever_becomes_of_it_the_entries_are_the_same(many: Path) -> None:
    dice, path, expected = random.Random(3), checkpoint(many), all_of(many)
    good = path.read_bytes()
    odd: list[bytes] = [b"", b"{}", b"[" * 100_000, b"\xff\xfe", good[:-9], good.replace(b'"spans":[', b'"spans":[-5,')]
    for _ in range(300):
        at = dice.randrange(len(good))
        odd.append(good[:at] + bytes([good[at] ^ (1 << dice.randrange(8))]) + good[at + 1 :])
    for data in odd:
        path.write_bytes(data)
        assert known(many) == expected, data[:80]


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_without_it_all_is_read_and_it_is_left_again(many: Path, harm: Callable[[Path], Any]) -> None:
    harm(checkpoint(many))
    assert known(many) == all_of(many)
    assert of_checkpoint(many)["place"][3] > 100


def test_a_ledger_that_is_not_what_is_remembered_leaves_none(home: Path) -> None:
    enter(home, 60)
    path = home / "reports" / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    assert known(home)["trials"]
    assert not checkpoint(home).exists()


def test_threads_that_ask_at_once_are_told_each_entry_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard's readers share one ledger: what both found new was entered twice, into the checkpoint, too."""
    enter(home, 8)
    book = Ledger(home)
    assert len(list(book.of_section("requests"))) == 2
    enter(home, 60, begin=8)
    meet, news = threading.Barrier(2), sections.news

    def together(*args: Any, **options: Any) -> Any:
        found = news(*args, **options)
        with suppress(threading.BrokenBarrierError):
            meet.wait(0.3)  # both have read the file by now, unless one waits for the other
        return found

    monkeypatch.setattr(sections, "news", together)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda _: list(book.of_section("requests")), range(2)))
    assert told == [all_of(home)["requests"]] * 2
    assert whole_ledger(Workspace(home)).status == "pass"
