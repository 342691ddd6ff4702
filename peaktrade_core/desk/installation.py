"""What is installed, as a person accepted it last: so that a change is seen before a session meets it.

The accepted state is one flat JSON file of names and versions. Comparing it with today's says what maintenance or an update
changed. What is configured is no part of it: :mod:`peaktrade_core.changes` knows what was approved, and by whom.

Source: operational runbooks 4.2 (look at the changes, the packages and the configuration before a restart).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path

import msgspec
from packaging.requirements import Requirement

from peaktrade_core.base.errors import ArtefactError, PeaktradeError, why
from peaktrade_core.base.files import as_json, read_plain, short_digest, write_atomic
from peaktrade_core.base.question import WARN, Found, question
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.keys import shown
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

FILE = Path("reports") / "checklists" / "installation.json"


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as it was accepted; None where it was not there."""

    name: str
    before: str | None
    now: str | None


class Accepted(msgspec.Struct, frozen=True):
    """What was accepted: by whom, under which evidence, and every value."""

    by: str
    evidence_id: str
    values: dict[str, str]
    at: datetime | None = None


def installed(workspace: Workspace) -> dict[str, str]:
    """Return what is installed now, name to version or digest; nothing in a rehearsal, which is the same on every machine."""
    if workspace.rehearsal:
        return {}
    names = sorted(needed.name for needed in requirements())
    versions = {name: version_of(name) or "not installed" for name in ("peaktrade", *names)}
    found = {"peaktrade": versions.pop("peaktrade"), "python": platform.python_version(), "program": _program()}
    return found | {f"package {name}": version for name, version in versions.items()}


def requirements() -> list[Requirement]:
    """Return the packages that peaktrade asks for, with the versions that it can work with."""
    wanted = map(Requirement, metadata.requires("peaktrade") or [])
    return [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]


def version_of(name: str) -> str | None:
    """Return the version of an installed package, None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def accepted(workspace: Workspace) -> Accepted | None:
    """Return what was accepted last, None when nothing ever was.

    Raises:
        ArtefactError: the file cannot be read.
    """
    path = workspace.home / FILE
    try:
        return msgspec.json.decode(read_plain(path), type=Accepted)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{FILE}: cannot be read ({why(error)}); remove it and accept the installation anew"
        ) from None


def accept(workspace: Workspace, by: str, evidence_id: str) -> Path:
    """Note that a person accepts what is installed now, and return the file.

    Raises:
        EnvironmentFault: the file cannot be written.
    """
    path = workspace.home / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    record = Accepted(by, evidence_id, installed(workspace), workspace.clock.now())
    write_atomic(path, as_json(record))
    return path


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """Return what differs, by name."""
    names = sorted({*before, *now})
    return [Difference(name, before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)]


@question(
    "changes",
    "Is the program as it was accepted?",
    "Read each change below; the runbook restart_after_maintenance accepts them.",
    otherwise=WARN,
)
def changes(workspace: Workspace) -> Found:
    """Compare with what was accepted last."""
    last = accepted(workspace)
    if last is None:
        return False, "no one has accepted it yet"
    found = differences(last.values, installed(workspace))
    names = ", ".join(change.name for change in found[:3]) + (" …" if len(found) > 3 else "")
    told = f"{len(found)} changed since {last.evidence_id}: {names}" if found else f"as accepted by {last.by}"
    return not found, told


def changes_table(workspace: Workspace) -> Table:
    """Return what changed in the program since it was accepted, and in what is configured since it was approved."""
    title, columns = "What changed", ("What", "Accepted", "Now")
    try:
        last = accepted(workspace)
        found = differences(last.values, installed(workspace)) if last else []
        approved = Changes.of(workspace).compared()
    except PeaktradeError as error:
        return Table(title, (), [], empty=str(error))
    rows = [(one.name, one.before or "not there", one.now or "not there any more") for one in found]
    rows += [(item.key, shown(item.old), shown(item.new)) for item in approved.items]
    program = f"accepted by {last.by}, {last.evidence_id}" if last else "not accepted yet, so nothing to compare with"
    note = f"Program: {program}. Configuration: {approved.by or approved.told}."
    return Table(title, columns, rows, note=note, empty=f"No change is known. {note}")


def _program() -> str:
    """Return the digest of the package's own sources, by which a changed program is known without version control."""
    package = Path(__file__).resolve().parent.parent
    files = sorted(package.rglob("*.py"))
    return short_digest(b"\0".join(path.relative_to(package).as_posix().encode() + path.read_bytes() for path in files))
