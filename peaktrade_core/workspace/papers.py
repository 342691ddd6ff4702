"""Files that are written once and then read by people: reports, pages of evidence, copies of files, records of research.

The ledger holds the hash of each as it was written last. A file that is written again by the suite is entered again, so
that the newest entry says how it must be; who changes it by hand enters nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.workspace.ledger import PAPERS, Ledger
from peaktrade_core.workspace.workspace import Workspace

WRITTEN, TAKEN, ADOPTED = "written", "taken", "adopted"  # kinds; taken: by retention, into the archive or away
GONE = ""  # in place of a hash: the file is away on purpose
STATE = (  # below reports/ and live_runs/: what changes all the time and is evidence of nothing, so that no entry holds it
    "*.lock", "lock", "heartbeat.json", "console.log", "stop.json", "account.sqlite*", "watcher.json", "*.last.json",
)  # fmt: skip


def enter_papers(workspace: Workspace, *paths: Path, gone: Iterable[Path] = ()) -> None:
    """Enter files as they are now, and those that the suite itself took away; others than in ``reports`` are left out.

    A ledger that cannot be written keeps no paper back: the audit counts what was never entered.
    """
    enter_files(Ledger.of(workspace), workspace.clock.now(), paths, gone)


def enter_files(ledger: Ledger, at: datetime, paths: Iterable[Path], gone: Iterable[Path] = ()) -> None:
    """Enter files, where only the ledger of a workspace is at hand; as :func:`enter_papers`."""
    hashes = {**dict.fromkeys(gone, GONE), **{path: sha256_of(path) for path in paths}}
    reports, home = ledger.path.parent, ledger.home
    files = {path.relative_to(home).as_posix(): hashes[path] for path in hashes if path.is_relative_to(reports)}
    if files:
        with suppress(PeaktradeError):
            ledger.section(PAPERS).append((WRITTEN, {"files": files}), at=at)


def take_paper(workspace: Workspace, path: str, target: str, by: str, reason: str) -> None:
    """Enter that retention moved a paper to a target, or away, where that is empty; one that was never entered is not.

    Args:
        path, target: below the workspace; by, reason: who, and why.
    """
    ledger = Ledger.of(workspace)
    with suppress(PeaktradeError):
        digest = papers(ledger).get(path)
        if digest is not None:
            files = {path: GONE, **({target: digest} if target else {})}
            said = {"files": files, "by": by, "reason": reason}
            ledger.section(PAPERS).append((TAKEN, said), at=workspace.clock.now())


def adopt_papers(ledger: Ledger, names: Iterable[str], by: str, reason: str, at: datetime) -> None:
    """Enter papers as they are now, or that they are gone, on the word of a person; raises as :meth:`Ledger.append`."""
    files = {name: GONE if not (ledger.home / name).exists() else sha256_of(ledger.home / name) for name in names}
    ledger.section(PAPERS).append((ADOPTED, {"files": files, "by": by, "reason": reason}), at=at)


def papers(ledger: Ledger) -> Mapping[str, str]:
    """Return the hash of each paper as it was entered last, by its path below the workspace; :data:`GONE` for none.

    Raises:
        ArtefactError: the ledger is broken; EnvironmentFault: it cannot be read.
    """
    found: dict[str, str] = {}
    for link, _ in ledger.of_section(PAPERS):
        found |= {str(name): str(digest) for name, digest in link.data.get("files", {}).items()}
    return found
