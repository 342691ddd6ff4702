"""Retention: what is old enough leaves the working folders, as an archive or for good, and nothing else does.

Registry records and incident files stay for ever. A run folder stays while its session runs, is named in an incident,
carries the tag ``keep``, or has no record that could tell. Nothing is ever half gone: a folder is archived whole, then
renamed into the trash, then removed; what a killed sweep left in the trash, the next one removes.

Source: operator workflow 6.2 (journals and records 90 days, daily reports 30 days, incidents permanently).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError, why
from peaktrade_core.base.files import read_plain, sha256_of
from peaktrade_core.base.log import append_line
from peaktrade_core.records.archive import RunArchive
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.artefacts import COPIES
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.papers import take_paper
from peaktrade_core.workspace.settings import ARCHIVE, DELETE, Retention
from peaktrade_core.workspace.workspace import Workspace

KEEP, DELETED = "keep", "deleted"
KEEP_TAG = "keep"
TRASH = ".trash"
_WORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_OWN_ID = re.compile(rb"[a-z]+_\d{8}_\d{6}_[0-9a-f]{6}")  # also inside a longer word, such as a file's name


class ExpiredItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is old enough, and what becomes of it.

    Attributes:
        kind: ``run`` or ``report``; name: the run's id, or the file below ``reports/``.
        action: ``archive``, ``delete`` or ``keep``; reason: why.
        age_days: since its end [days]; size: [bytes].
    """

    kind: str
    name: str
    action: str
    reason: str
    age_days: float
    size: int


def survey(place: Workspace, settings: Retention) -> list[ExpiredItem]:
    """Return everything that is old enough and what would become of it; nothing is changed.

    Raises:
        EnvironmentFault: an incident file cannot be read, so that nobody knows which runs it names.
    """
    return [*_old_runs(place, settings), *_old_reports(place, settings)]


def sweep(place: Workspace, settings: Retention, by: str) -> list[ExpiredItem]:
    """Archive or delete what :func:`survey` names, and return what was done; each is a line of the operations log.

    Raises:
        EnvironmentFault: an archive cannot be written; everything not yet dealt with is untouched.
    """
    RunArchive.of(place).forget()
    for folder in (place.runs, place.reports):
        _empty(folder / TRASH)
    done = []
    for item in survey(place, settings):
        if item.action == KEEP:
            continue
        where = _sweep_run(place, item, by) if item.kind == "run" else _sweep_report(place, item)
        if where and item.kind == "report":
            target = "" if where == DELETED else where
            take_paper(place, f"reports/{item.name}", target, by, f"retention: {item.reason}")
        if where == DELETED and item.name.startswith("schedule/"):
            with suppress(PeaktradeError):
                Ledger.of(place).answer_for(
                    [f"reports/{item.name}"], by, f"retention: {item.reason}", place.clock.now()
                )
        if where:
            done.append(item)
            words = f"{iso(place.clock.now())} retention {item.action} {item.kind} {item.name} by {by}: {item.reason}, {where}"
            append_line(place.home / "logs" / "operations.log", words)
    for folder in (place.runs, place.reports):
        _empty(folder / TRASH)
    return done


def told(items: list[ExpiredItem]) -> str:
    """Return in a sentence what was or would be done."""
    gone = [item for item in items if item.action != KEEP]
    if not gone:
        return "nothing is old enough"
    size = sum(item.size for item in gone) / 1e6
    runs = sum(item.kind == "run" for item in gone)
    return f"{runs} run folders and {many(len(gone) - runs, 'report')}, {size:,.1f} MB ({gone[0].action})"


def _old_runs(place: Workspace, settings: Retention) -> Iterator[ExpiredItem]:
    """Yield the run folders that are old enough."""
    if not place.runs.is_dir():
        return
    ends = {line.session_id: line.finished_at or line.started_at for line in Registry.of(place).lines()}
    named: set[str] | None = None
    now = place.clock.now()
    for path in sorted(place.runs.iterdir()):
        if not is_id(path.name) or path.is_symlink() or not path.is_dir():
            continue
        age = _age_days(path, ends.get(path.name), now)
        if age < settings.run_days:
            continue
        if named is None:
            named = named_in_incidents(place.reports / "incidents")
        held = _why_kept(place, path.name, named)
        yield ExpiredItem(
            kind="run",
            name=path.name,
            action=KEEP if held else settings.action,
            reason=held or f"ended {age:.0f} days ago, limit {settings.run_days}",
            age_days=round(age, 1),
            size=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        )


def _age_days(path: Path, ended: datetime | None, now: datetime) -> float:
    """Return how long a run has ended [days]; without a record, since its folder was changed."""
    return (now - (ended or from_seconds(path.stat().st_mtime))).total_seconds() / 86_400


def _why_kept(place: Workspace, run_id: str, named: set[str]) -> str:
    """Return why an old run folder stays, empty when it may go."""
    entry = Registry.of(place).find(run_id)
    record = entry.record if entry else None
    if record is None:
        return "no record tells what it was; `peaktrade session list --status unreadable` may"
    if RunFolder(place.runs, run_id).alive():
        return "its session runs"
    if record.status == "started" or record.finished_at is None:
        return "its session has not ended"
    tags = record.setting("tags")
    if isinstance(tags, (list, tuple)) and KEEP_TAG in tags:
        return f"tagged {KEEP_TAG}"
    return "named in an incident" if run_id in named else ""


def named_in_incidents(folder: Path) -> set[str]:
    """Return every word in the incident files that may be the id of a run.

    Raises:
        EnvironmentFault: a file cannot be read.
    """
    found: set[bytes] = set()
    for path in folder.rglob("*"):
        try:
            text = read_plain(path) if path.is_file() and COPIES not in path.parts else b""
        except OSError as error:
            raise EnvironmentFault(f"cannot read {path}, which may name runs to keep: {error.strerror}") from error
        text += b" " + os.fsencode(path.name)
        found |= {word.rstrip(b".-") for word in _WORD.findall(text)} | set(_OWN_ID.findall(text))
    return {word.decode("ascii") for word in found}


def _old_reports(place: Workspace, settings: Retention) -> Iterator[ExpiredItem]:
    """Yield the reports that are old enough; the newest two months of the scheduler's log always stay.

    A folder that is a link leads to files that retention does not know, and stays as it is.
    """
    now = place.clock.now()
    for name, form, days in (
        ("daily", "*", settings.report_days),
        ("weekly", "*", settings.run_days),
        ("schedule", "runs-*.jsonl", settings.run_days),
    ):
        folder = place.reports / name
        if folder.is_symlink():
            reason = f"{folder} is a link, which retention does not follow"
            yield ExpiredItem(kind="report", name=name, action=KEEP, reason=reason, age_days=0.0, size=0)
            continue
        for path in _files(folder, form)[: -2 if name == "schedule" else None]:
            age = (now - from_seconds(path.stat().st_mtime)).total_seconds() / 86_400
            if age >= days:
                yield ExpiredItem(
                    kind="report",
                    name=path.relative_to(place.reports).as_posix(),
                    action=settings.action,
                    reason=f"written {age:.0f} days ago, limit {days}",
                    age_days=round(age, 1),
                    size=path.stat().st_size,
                )


def _files(folder: Path, form: str) -> list[Path]:
    """Return the files directly in a folder, hidden ones and links left out."""
    return sorted(p for p in folder.glob(form) if p.is_file() and not p.is_symlink() and not p.name.startswith("."))


def _sweep_run(place: Workspace, item: ExpiredItem, by: str) -> str:
    """Archive or delete a run folder and return where it is now; empty when somebody holds it after all."""
    folder = RunFolder(place.runs, item.name)
    if not folder.acquire():
        return ""
    try:
        where, archive, digest = DELETED, "", ""
        if item.action == ARCHIVE:
            packed = _pack(folder.path, RunArchive.of(place).path(item.name))
            archive, digest = packed.relative_to(place.home).as_posix(), sha256_of(packed)
            where = f"{archive} sha256 {digest}"
        with suppress(PeaktradeError):
            Registry.of(place).chain.retire(item.name, archive, digest, by, place.clock.now())
        _discard(folder.path, place.runs / TRASH)
        return where
    finally:
        folder.release()


def _sweep_report(place: Workspace, item: ExpiredItem) -> str:
    """Archive or delete a report and return where it is now."""
    path = place.reports / item.name
    if item.action == DELETE:
        _discard(path, place.reports / TRASH)
        return DELETED
    target = place.reports / ARCHIVE / item.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    except OSError as error:
        raise EnvironmentFault(f"cannot move {path} to {target}: {why(error)}") from error
    return target.relative_to(place.home).as_posix()


def _pack(folder: Path, target: Path) -> Path:
    """Write a folder as ``.tar.gz``, whole or not at all, and look whether everything is in it.

    Raises:
        EnvironmentFault: it cannot be written, or does not hold what the folder does.
    """
    import tarfile

    staged = target.with_name(f".{target.name}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
                tar.add(folder, arcname=folder.name)
            file.flush()
            os.fsync(file.fileno())
        with tarfile.open(staged) as tar:
            packed = {member.name: member.size for member in tar if member.isfile()}
        there = {f"{folder.name}/{p.relative_to(folder).as_posix()}": p.stat().st_size for p in _all(folder)}
        if packed != there:
            raise EnvironmentFault(f"{staged} does not hold what {folder} does; the folder stays, try again")
        os.replace(staged, target)
    except (OSError, tarfile.TarError) as error:
        raise EnvironmentFault(f"cannot archive {folder} to {target}: {why(error)}; the folder is untouched") from error
    finally:
        staged.unlink(missing_ok=True)
    return target


def _all(folder: Path) -> list[Path]:
    """Return every file of a folder; links are archived as links."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _discard(path: Path, trash: Path) -> None:
    """Rename something into the trash: from here on it is gone, at once and whole.

    Raises:
        EnvironmentFault: it cannot be renamed.
    """
    try:
        trash.mkdir(exist_ok=True)
        if (trash / path.name).exists():
            _empty(trash)
            trash.mkdir(exist_ok=True)
        os.rename(path, trash / path.name)
    except OSError as error:
        raise EnvironmentFault(f"cannot discard {path}: {why(error)}; it is untouched") from error


def _empty(trash: Path) -> None:
    """Remove what is in the trash."""
    shutil.rmtree(trash, ignore_errors=True)
