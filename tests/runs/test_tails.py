"""The ends of files: the same lines as from the whole, whatever was written into them, and only the end is read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base import log
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.log import newest_lines
from peaktrade_core.records.journal import read_journal, read_tail
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import BarDone, Notice
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace


@settings(max_examples=120)
@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=20),
    torn=st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")),
    block=st.integers(1, 70),
)
def test_lines_from_the_end_are_the_lines_reversed(lines: list[bytes], torn: bytes, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "BLOCK", block)
        path = Path(folder) / "log"
        path.write_bytes(b"".join(line + b"\n" for line in lines) + torn)
        wanted = [(line, True) for line in lines if line.strip()] + ([(torn, False)] if torn.strip() else [])
        assert [tuple(line) for line in newest_lines(path)] == wanted[::-1]


def notice(seq: int) -> bytes:
    moment = "2026-01-05T08:00:00Z"
    return msgspec.json.encode({"type": "notice", "seq": seq, "ts": moment, "code": "C", "message": "x" * (seq % 50)})


@given(count=st.integers(0, 60), limit=st.integers(0, 70), torn=st.integers(0, 80), block=st.integers(10, 900))
def test_the_tail_is_the_end_of_the_whole(count: int, limit: int, torn: int, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "BLOCK", block)
        path = Path(folder) / "events.jsonl"
        path.write_bytes(b"".join(notice(seq) + b"\n" for seq in range(count)) + notice(count)[:torn])
        whole = list(read_journal(path))
        found = read_tail(path, limit)
        assert found.events == (whole[-limit:] if limit else [])
        assert found.faults == ()


def test_a_broken_line_in_between_is_passed_over_and_said(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    broken = [b'{"type":"notice","seq":', b"\xff\xfe", b"[" * 5000, b'{"type":"moon","seq":1}']
    path.write_bytes(b"\n".join([notice(0), *broken, notice(5), b'{"torn']))
    tail = read_tail(path, 10)
    assert [event.seq for event in tail.events] == [0, 5]
    assert len(tail.faults) == 4
    assert all(fault.startswith("events.jsonl: a broken line was passed over") for fault in tail.faults)


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"no event\n" * 500_000 + notice(0) + b"\n")
    assert [event.seq for event in read_tail(path, 1).events] == [0]
    assert read_tail(path, 1).faults == ()
    monkeypatch.setattr(log, "MOST", 1 << 18)
    assert read_tail(path, 1, BarDone).events == []
    with pytest.raises(ArtefactError, match="only its last"):
        list(newest_lines(path, 1 << 18))


def test_what_is_no_plain_file_is_said_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, says in (("pipe", "not a plain file"), ("gone", "No such file"), (".", "Is a directory")):
        with pytest.raises(ArtefactError, match=says):
            read_tail(tmp_path / name, 3)


def test_bars_and_events_of_a_real_session(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    run_id = run_shadow(steps=200).session_id
    whole = Views.of(workspace).events(run_id)
    bars = [event for event in whole if type(event) is BarDone]
    assert Views.of(workspace).tail(run_id, 7) == bars[-7:]
    assert Views.of(workspace).tail(run_id, 10_000) == bars
    assert Views.of(workspace).tail_events(run_id, 9) == whole[-9:]
    assert not any(isinstance(event, Notice) for event in Views.of(workspace).tail(run_id, 50))
