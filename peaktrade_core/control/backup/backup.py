"""Making a backup while sessions run, and bringing it back: the ledger decides what belongs together.

Everything is copied once. Then the ledger is read: what it named meanwhile (records that ended, evidence, incidents) is
copied again, until nothing new was named; the last round holds the ledger's lock, so that it ends on a busy desk, too.
Only then is the ledger itself copied, as far as it was read. So whatever it names is in the archive as it says, and
``audit verify`` holds on the copy.

The log of halts is copied last, whole, after what is remembered of it beside it: a halt, a log that is not what it was and a
line that a dead writer left hold in the copy as they do here. What links lead to is copied in their places.

What is remembered outside the workspace is not in it. Brought back over a workspace that went on, the ledger is shorter
than remembered: no order is sent until a named person answers for it (``audit adopt``).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import Link, digest_of
from peaktrade_core.base.clock import utc
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.log import locked, whole_lines
from peaktrade_core.base.people import person_key
from peaktrade_core.control.backup.archive import SCHEMA, Manifest, Writer, read_archive
from peaktrade_core.halts.log import WAITING
from peaktrade_core.records.chain import RECORD
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.chain_heads import HALTS
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.ledger import CHANGES, LEDGER, LOGS, PAPERS, REGISTRY, SEALED, Ledger
from peaktrade_core.workspace.workspace import Workspace

SECTION, MADE, RESTORED = "backup", "made", "restored"
ROUNDS = 20  # without the lock; on a desk where something ends at each moment the last one holds it
PATIENCE_S = 2.0  # a record is written this soon after the ledger named its end [s]
SUFFIX = ".tar.gz"
_AWAY = ("lock", "*.lock", "*.tmp", "*.last.json", "heartbeat.json", "account.sqlite*")  # made again, or of a process
_LAST = {f"reports/{name}" for log in (LEDGER, f"live/{HALTS}") for name in (log, log.replace(".jsonl", ".last.json"))}
_LIVE = "live_runs"


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made, or brought back.

    Attributes:
        path: the archive; home: the workspace it was made of, or brought back to.
        sha256: of the archive; size: of it, files: how many are in it, unpacked: their size [bytes].
        entries, head: of the ledger in it; made_at: aware UTC.
    """

    path: str
    home: str
    sha256: str
    size: int
    files: int
    unpacked: int
    entries: int
    head: str
    made_at: datetime


def make_backup(place: Workspace, folder: Path, by: str) -> Backup:
    """Write a backup into a folder and return it; its making is entered in the ledger.

    Raises:
        ConfigError: the folder lies in the workspace, or no name.
        EnvironmentFault: the folder cannot be written or has too little room; nothing is left of it.
        ArtefactError: the ledger is broken: mend that first, or copy the folder by hand.
    """
    person_key(by)
    folder, home = folder.expanduser().resolve(), place.home.resolve()
    if folder == home or home in folder.parents:
        raise ConfigError(f"{folder} lies in the workspace; a backup belongs on another disk, or at least beside it")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder")
    now = place.clock.now()
    path = folder / f"{home.name}-{now:%Y%m%dT%H%M%SZ}{SUFFIX}"
    if path.exists():
        raise ConfigError(f"{path} is there already; a backup never replaces another")
    _require_room(place, folder)
    try:
        writer = Writer(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write to {folder}: {why(error)}") from error
    try:
        manifest = _fill(place, writer, by, now)
        writer.finish(manifest)
    except OSError as error:
        writer.drop()
        raise EnvironmentFault(f"cannot write {path}: {why(error)}; nothing is left of it") from error
    except BaseException:
        writer.drop()
        raise
    made = _described(path, manifest, place.home)
    told = {"file": path.name, "sha256": made.sha256, "head": made.head, "entries": made.entries, "by": by}
    Ledger.of(place).section(SECTION).append((MADE, told), at=now)
    return made


def _require_room(place: Workspace, folder: Path) -> None:
    """Refuse a disk with less room than everything takes unpacked.

    Raises:
        EnvironmentFault: it has less.
    """
    there = next(one for one in (folder, *folder.parents) if one.exists())
    free, wanted = shutil.disk_usage(there).free, sum(_size(path) for _, path in _files(place))
    if wanted > free:
        raise EnvironmentFault(
            f"{folder} has {free / 1e6:,.0f} MB free, and the workspace takes {wanted / 1e6:,.0f} MB: choose another disk, or "
            "let `peaktrade ops retention` take away what is old"
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(place: Workspace) -> Iterator[tuple[str, Path]]:
    """Yield every file that belongs to a workspace but the chained logs: its name below it, and where it is.

    Raises:
        EnvironmentFault: a folder cannot be listed.
    """
    roots = [(place.home, "")]
    if not place.runs.resolve().is_relative_to(place.home.resolve()) and place.runs != place.home / _LIVE:
        roots.append((place.runs, f"{_LIVE}/"))
    for root, before in roots:
        for folder, inner, names in os.walk(root, onerror=_raise, followlinks=True):
            inner[:] = sorted(name for name in inner if not name.startswith(".") and not _leads_up(Path(folder), name))
            for path in (Path(folder) / name for name in sorted(names)):
                inside = path.relative_to(root).as_posix()
                if _belongs(path) and inside not in _LAST and path != place.home / CONFIG and path.is_file():
                    yield f"{before}{inside}", path
    yield CONFIG.as_posix(), place.config_path  # the one that holds, wherever it lies


def _belongs(path: Path) -> bool:
    """Return whether a file is of the workspace, and not of a process or made again."""
    name = path.name
    return not (name.startswith(".") or any(fnmatchcase(name, form) for form in _AWAY))


def _leads_up(folder: Path, name: str) -> bool:
    """Return whether a folder is a link to one that it lies in, also by way of other links, which would never end."""
    path = folder / name
    return path.is_symlink() and any(one.resolve().is_relative_to(path.resolve()) for one in (folder, *folder.parents))


def _raise(error: OSError) -> None:
    raise EnvironmentFault(f"cannot read {error.filename}: {why(error)}; a backup without it would be none")


def _fill(place: Workspace, writer: Writer, by: str, now: datetime) -> Manifest:
    """Copy everything, what changed meanwhile again, and the ledger as far as it was read."""
    ledger = place.reports / LEDGER
    lines = whole_lines(ledger)
    for name, path in _files(place):
        writer.add(name, path)
    for _ in range(ROUNDS):
        _remembered(place, writer, LEDGER)
        before, lines = len(lines), whole_lines(ledger)
        if len(lines) == before:
            break
        _again(place, writer, lines[before:])
    else:
        with locked(ledger):
            _remembered(place, writer, LEDGER)
            before, lines = len(lines), whole_lines(ledger)
            _again(place, writer, lines[before:])
    _remembered(place, writer, f"live/{HALTS}")
    for path in (place.reports / "live" / WAITING).glob("*"):
        writer.add(f"reports/live/{WAITING}/{path.name}", path)
    writer.add(f"reports/live/{HALTS}", place.reports / "live" / HALTS, whole=True)
    if lines:
        writer.put(f"reports/{LEDGER}", b"\n".join(lines) + b"\n")
    head = digest_of(lines[-1]) if lines else ""
    return Manifest(
        schema=SCHEMA, home=str(place.home), made_at=now, by=by, entries=len(lines), head=head, files=writer.files
    )


def _remembered(place: Workspace, writer: Writer, log: str) -> None:
    """Copy what is remembered of a chained log beside it; before the log, which is written first."""
    name = Path(log).with_suffix(".last.json").as_posix()
    writer.add(f"reports/{name}", place.reports / name)


def _again(place: Workspace, writer: Writer, lines: Sequence[bytes]) -> None:
    """Copy what lines of the ledger name, once more.

    Raises:
        ArtefactError: a line is none.
    """
    records = place.reports / "experiments" / "live_sessions"
    names: dict[Path, Path] = {}
    for line in lines:
        try:
            link = msgspec.json.decode(line, type=Link)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ArtefactError(f"{place.reports / LEDGER} is broken: `peaktrade audit verify` says where") from None
        section = link.kind.partition("/")[0]
        about, file = str(link.data.get("id", "")), str(link.data.get("file", ""))
        if section == REGISTRY and file:
            _settled(records / file, link)
            names[records / file] = place.home
            names |= dict.fromkeys(sorted((place.runs / about).glob("*")) if about else (), place.runs.parent)
        elif section == REGISTRY and link.data.get("archive"):  # retention took a run folder
            names[place.home / str(link.data["archive"])] = place.home
        elif section == LOGS:  # they grew since they were copied
            names |= {place.home / name: place.home for name in link.data.get("ends", {})}
        elif section == PAPERS:
            names |= {place.home / name: place.home for name in link.data.get("files", {})}
        elif section == CHANGES:
            names |= dict.fromkeys((place.home / CONFIG).parent.glob("*.toml"), place.home)
        elif section in SEALED and about:
            found = (path for path in (place.reports / section).rglob("*") if about in path.as_posix())
            names |= dict.fromkeys(sorted(found), place.home)
    for path, root in names.items():
        if path == place.home / CONFIG:
            writer.add(CONFIG.as_posix(), place.config_path)
        elif path.is_file() and _belongs(path):
            below = path.relative_to(root).as_posix()
            writer.add(below if root == place.home else f"{_LIVE}/{path.parent.name}/{path.name}", path)


def _settled(path: Path, link: Link) -> None:
    """Wait a moment for a record whose end stands in the ledger, and which is just being written."""
    until = time.monotonic() + PATIENCE_S
    kind = link.kind.partition("/")[2]
    while kind == RECORD and sha256_of(path) != link.data.get("sha256") and time.monotonic() < until:
        time.sleep(0.02)


def restore_backup(path: Path, home: Path, by: str, now: datetime) -> Backup:
    """Bring a backup back to a folder that is not there, or empty, and return it; its ledger holds that it was.

    Everything is compared with the manifest before the folder has its name, so that there is never half a workspace.

    Raises:
        ConfigError: something is in the folder, or no name.
        ArtefactError: the archive is damaged; EnvironmentFault: the disk is full or cannot be written.
    """
    person_key(by)
    home = home.expanduser().resolve()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConfigError(
            f"{home} holds something already, and a backup replaces nothing: move it away (keep it, it may be evidence), or "
            "name another folder"
        )
    staged = home.with_name(f".{home.name}.restoring.tmp")
    shutil.rmtree(staged, ignore_errors=True)  # of one that was killed
    try:
        staged.mkdir(parents=True, mode=0o700)
        manifest = read_archive(path, staged)
        if CONFIG.as_posix() not in manifest.files:
            raise ArtefactError(f"{path} holds no {CONFIG}, so it is no workspace")
        found = _described(path, manifest, home)
        told = {"file": path.name, "sha256": found.sha256, "head": found.head, "entries": found.entries, "by": by}
        Ledger(staged, remembered=False).section(SECTION).append((RESTORED, told), at=now)
        if home.exists():
            home.rmdir()
        os.rename(staged, home)
    except OSError as error:
        raise EnvironmentFault(f"cannot restore to {home}: {why(error)}; nothing is left of it") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return found


def _described(path: Path, manifest: Manifest, home: Path) -> Backup:
    return Backup(
        path=str(path),
        home=str(home),
        sha256=sha256_of(path),
        size=path.stat().st_size,
        files=len(manifest.files),
        unpacked=manifest.size,
        entries=manifest.entries,
        head=manifest.head,
        made_at=manifest.made_at,
    )


def told_of(backup: Backup) -> str:
    """Return what a backup is, in a sentence."""
    return (
        f"{many(backup.files, 'file')}, {backup.unpacked / 1e6:,.1f} MB, packed {backup.size / 1e6:,.1f} MB; made at "
        f"{utc(backup.made_at)}, ledger with {many(backup.entries, 'entry', 'entries')}, head {backup.head[:16] or 'none'}"
    )
