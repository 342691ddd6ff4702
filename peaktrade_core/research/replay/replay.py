"""Replay: a recorded session runs once more into a temporary folder, and its journal is compared byte by byte.

Decided again is everything that the session decides: signals, sizes, risk, orders, fills, figures, halts. Fed back is what
came from outside: bars, notices of the feed, trading states, refusals of the account, answers and errors of the venue, a
stop. The first event that differs ends the replay: what comes after it would be answered by a record of something else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.files import read_plain
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import Journal, read_journal
from peaktrade_core.research.replay.rebuild import rebuild
from peaktrade_core.research.replay.script import (
    Script,
    ScriptedClock,
    ScriptedGate,
    ScriptedSeat,
    ScriptedStop,
    error_of,
)
from peaktrade_core.runs.views import Views
from peaktrade_core.session.code import changed, code_of
from peaktrade_core.session.identity import decision_id
from peaktrade_core.session.loop import Loop
from peaktrade_core.session.plan import Desk, Outside, Plan
from peaktrade_core.session.session import drive
from peaktrade_core.trading.events import AnyEvent, Failure
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.settings import GroupCommit
from peaktrade_core.workspace.workspace import Workspace

NOTHING = "nothing"
NOT_WRITTEN = "cannot write the journal"  # what a full disk says


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """The first event that differs.

    Attributes:
        seq: its number; at: its time in the record, null where the record has no such event; event: its type.
        field: the first field that differs, ``config.fee_bps`` in a table; ``type`` where it is another event.
        recorded, replayed: what stands there, as JSON; ``nothing`` where there is no such event.
    """

    seq: int
    at: datetime | None
    event: str
    field: str
    recorded: str
    replayed: str


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay.

    Attributes:
        events: of the record; same: how many of them, from the first on, are byte for byte the same.
        first: the first that differs, null where none does.
        unrepeated: events at the end that could not be tried, as their bar is not in the journal; 0 nearly always.
        code: functions that are others than when the session ran; empty where all are the same.
        fed: what was fed back, how often; notes: what a person should know.
    """

    session_id: str
    events: int
    same: int
    first: Mismatch | None
    unrepeated: int
    code: tuple[str, ...]
    fed: dict[str, int]
    notes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the whole journal came out again, byte for byte."""
        return self.first is None and not self.unrepeated


def replay_session(workspace: Workspace, session_id: str) -> ReplayResult:
    """Run a recorded session once more and compare; nothing of the workspace is written.

    Args:
        workspace, session_id: which; ``latest`` is the one that started last.

    Raises:
        SessionNotFoundError: no such session.
        ArtefactError: its journal is missing or broken, or its warm-up cannot be had any more.
        ConfigError: its strategy is not registered here.
        EnvironmentFault: there is no room for the temporary folder.
    """
    views = Views.of(workspace)
    record = views.record(views.resolve(session_id))
    return replay_record(workspace, record, views.run_folder(record.session_id))


def replay_record(workspace: Workspace, record: SessionRecord, folder: RunFolder) -> ReplayResult:
    """Run what a record and its folder tell once more; raises as :func:`replay_session`, but for sessions not found."""
    events = list(read_journal(folder.journal))
    if not events:
        raise ArtefactError(f"the journal of {record.session_id} holds no event; there is nothing to replay")
    lines = _lines(folder.journal)[: len(events)]
    script = Script(events, lines)
    plan, bars = rebuild(workspace, record, folder, script)
    with tempfile.TemporaryDirectory(prefix="peaktrade-replay-") as place:
        again = _run(workspace, plan, script, lines, Path(place))
    endless = "It was killed: its journal has no end, and was compared as far as it goes."
    if folder.alive():
        endless = "It still runs: its journal was compared as far as it goes."
    unrepeated = len(lines) - len(again) + 1 if script.stuck and not script.over else 0
    same = next(
        (n for n, (old, new) in enumerate(zip(lines, again, strict=False)) if old != new), min(len(lines), len(again))
    )
    whole = same == len(lines) and (len(again) == len(lines) or not script.ended)
    code, told = _code(record, folder, plan)
    return ReplayResult(
        session_id=record.session_id,
        events=len(lines),
        same=same,
        first=None if whole or (unrepeated and same == len(again) - 1) else _mismatch(same, lines, again, events),
        unrepeated=unrepeated,
        code=code,
        fed={
            "bars of the journal": sum(b'"type":"bar"' in line[:20] for line in lines),
            **dict(sorted(script.fed.items())),
        },
        notes=(*bars.notes, *told, *(() if script.ended else (endless,))),
    )


def _run(workspace: Workspace, plan: Plan, script: Script, lines: list[bytes], place: Path) -> list[bytes]:
    """Run the plan in a folder of its own and return the lines of its journal."""
    folder = RunFolder(place, str(plan.session_id))
    folder.path.mkdir()
    journal = _Compared(folder.journal, script, lines)
    desk = Desk.of(workspace)._replace(runs=partial(RunFolder, place), clock=ScriptedClock(script))
    outside = Outside(ScriptedGate(script), ScriptedSeat(script))
    loop = Loop(plan, desk, folder.run_id, journal, ScriptedStop(script), lambda _: None, outside=outside)
    script.at, script.now, script.book = lambda: journal.at, lambda: loop.now, loop.book
    drive(loop)
    return _lines(folder.journal)


class _Compared(Journal):
    """The journal of a replay: at the first event that is another, nothing more is fed back.

    Where the record tells of a full disk, this one is full at the same moment; what was lost with it is not compared.
    """

    def __init__(self, path: Path, script: Script, lines: list[bytes]) -> None:
        super().__init__(path, GroupCommit(fsync=False))
        self._script, self._lines = script, lines
        self._one = msgspec.json.Encoder().encode
        self._full: int | None = None  # the number of the event that tells of a full disk

    @property
    def at(self) -> int:
        """The number of the event of the record that comes next."""
        return self.next_seq if self._full is None else self._full

    def append(self, event: AnyEvent) -> None:
        """Add an event as ever, and compare it with the record's."""
        at = self.next_seq
        if self._full is None and (at >= len(self._lines) or self._one(event) != self._lines[at]):
            told = self._script.events[at] if at < len(self._lines) else None
            if isinstance(told, Failure) and NOT_WRITTEN in told.error and NOT_WRITTEN not in str(event):
                self._full = at
            else:
                self._script.over = True
        super().append(event)

    def settle(self) -> None:
        """Commit as ever, or fail as it did then."""
        self._fill()
        super().settle()

    def commit(self) -> None:
        """Commit as ever, or fail as it did then."""
        self._fill()
        super().commit()

    def _fill(self) -> None:
        """Fail, where the disk was full by now."""
        told = self._script.events[self._full] if self._full is not None else None
        if not isinstance(told, Failure) or told.ts != self._script.now():
            return
        del self._pending[self.at - self.committed :]
        self.next_seq, self._full = self.at, None
        super().commit()
        self._script.fed["errors"] += 1
        raise error_of(told.error)


def _lines(journal: Path) -> list[bytes]:
    """Return the whole lines of a journal, without their ends.

    Raises:
        ArtefactError: it cannot be read.
    """
    try:
        return read_plain(journal).split(b"\n")[:-1]
    except OSError as error:
        raise ArtefactError(f"cannot read the journal {journal}: {why(error)}") from error


def _mismatch(at: int, lines: list[bytes], again: list[bytes], events: list[AnyEvent]) -> Mismatch:
    """Return what differs in the event of a number."""
    old, new = (_plain(some[at]) if at < len(some) else {} for some in (lines, again))
    event = str(old.get("type", new.get("type", "")))
    found: tuple[str, Any, Any] = "type", old.get("type", NOTHING), new.get("type", NOTHING)
    if old.get("type") == new.get("type"):
        found = next(_fields(old, new, ""), ("bytes", lines[at].decode(), again[at].decode()))
    return Mismatch(
        seq=at,
        at=events[at].ts if at < len(events) else None,
        event=event,
        field=found[0],
        recorded=_text(found[1]),
        replayed=_text(found[2]),
    )


def _plain(line: bytes) -> dict[str, Any]:
    found = msgspec.json.decode(line)
    assert isinstance(found, dict), "an event is a table"
    return found


def _fields(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields of two tables that differ, in the order of the first."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        yield path, old, new
        return
    for name in (*old, *(name for name in new if name not in old)):
        was, now = old.get(name, NOTHING), new.get(name, NOTHING)
        if msgspec.json.encode(was) != msgspec.json.encode(now):
            yield from _fields(was, now, f"{path}.{name}".lstrip("."))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _code(record: SessionRecord, folder: RunFolder, plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which functions are others than when a session ran, and what is to be said about it."""
    now = code_of(plan.decision.strategy)
    try:
        before = msgspec.json.decode(read_plain(folder.code), type=dict[str, str])
    except FileNotFoundError:
        today = decision_id(plan.decision)
        if record.decision_id in (None, today):
            return (), ()
        return (), (
            f"It ran other code or another decision ({record.decision_id}, today {today}); sessions of its time kept no "
            "list of their functions, so that it cannot be said which.",
        )
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return (), (f"{folder.code} cannot be read, so whether its code was other is not known: {why(error)}",)
    return tuple(changed(before, now)), ()
