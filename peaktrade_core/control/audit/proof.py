"""What the ledger proves beyond records: the journals of sessions, the plain logs, and the files that evidence names.

Nothing is written here. Reading every journal takes as long as the disk does, so only ``peaktrade audit verify`` asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import Chain, Link
from peaktrade_core.base.errors import ArtefactError, ConfigError, PeaktradeError, why
from peaktrade_core.base.files import read_plain, sha256_of
from peaktrade_core.base.question import Found, question
from peaktrade_core.control.audit.anchor import anchors
from peaktrade_core.control.audit.papers import papers, run_alerts
from peaktrade_core.records.chain import ADOPTED, RECORD, RETIRED
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.show.wording import first_of
from peaktrade_core.workspace.grown import Growth, LogPart, part_sha256
from peaktrade_core.workspace.ledger import GROWN, LOGS, REGISTRY, Ledger
from peaktrade_core.workspace.workspace import Workspace

SHOWN = 5  # names in a sentence
_HEAD = re.compile(r"[0-9a-f]{64}")
_GROWS = (".jsonl", ".log")  # files that may go on after evidence named them
Fault = tuple[str, str]  # name, and what is wrong


@question("journals", "Is the journal of every finished session as it was?", "Restore the run folder from a backup.")
def journals(place: Workspace) -> Found:
    """Compare the journal and the table of each finished session, or its archive, with the ledger."""
    return _answer([f"{name}: {fault}" for name, fault in journal_faults(place)], "every journal is as it was entered")


@question("plain_logs", "Did operations log, alert log and run log only grow?", "Restore the log from a backup.")
def plain_logs(place: Workspace) -> Found:
    """Compare each part of the plain logs with the ledger; what was added after the last entry is in none."""
    faults = [f"{name}: {fault}" for name, fault in log_faults(place)]
    return _answer(faults, "everything that was entered still stands there")


@question("artefacts", "Are the files that evidence names as they were?", "Nothing, where they were meant to change.")
def artefacts(place: Workspace) -> Found:
    """Compare each file that a sealed evidence record names; one that grew is as it was."""
    found = sorted({f"{evidence}: {path}" for evidence, path in _changed_artefacts(place)})
    if found:
        return "warn", f"not as they were named: {first_of(found, SHOWN)}"
    return "pass", "every one is as it was named"


PROOFS = (journals, plain_logs, papers, run_alerts, artefacts, anchors)


def journal_faults(place: Workspace) -> Iterator[Fault]:
    """Yield the record of each finished session whose journal or table is not as it was entered, and what is wrong.

    Raises:
        ArtefactError: the ledger is broken; EnvironmentFault: it cannot be read.
    """
    last: dict[str, Link] = {}
    retired: dict[str, Link] = {}
    for link, _ in Ledger.of(place).of_section(REGISTRY):
        if link.kind in (RECORD, ADOPTED) and link.data.get("run"):
            last[str(link.data["file"])] = link
        elif link.kind == RETIRED:
            retired[str(link.data.get("id"))] = link
    for name, link in last.items():
        run_id = str(link.data.get("id", ""))
        if not is_id(run_id):
            continue
        folder = RunFolder(place.runs, run_id)
        if not folder.path.is_dir():
            if fault := _gone(place, retired.get(run_id)):
                yield name, fault
            continue
        wrong = [file for file, digest in link.data["run"].items() if sha256_of(folder.path / file) != digest]
        if wrong:
            yield name, f"{', '.join(wrong)} of {run_id} changed or missing"


def _gone(place: Workspace, retired: Link | None) -> str:
    """Return what is wrong with a run folder that is gone; empty where retention took it and its archive is whole."""
    if retired is None:
        return "its run folder is gone, and retention did not take it"
    archive = str(retired.data.get("archive", ""))
    if not archive or sha256_of(place.home / archive) == retired.data.get("archive_sha256"):
        return ""
    return f"{archive} changed or missing"


def log_faults(place: Workspace) -> Iterator[Fault]:
    """Yield each plain log that does not hold what was entered of it, and what is wrong; raises as journal_faults."""
    parts: dict[str, list[LogPart]] = {}
    for link, _ in list(Ledger.of(place).of_section(LOGS)):  # verified to its end before any of it is taken for true
        if link.kind != GROWN:
            continue
        found = msgspec.convert(link.data, Growth)
        for name in found.anew:
            parts[name] = []
        for part in found.parts:
            parts.setdefault(part.log, []).append(part)
    for name, entered in parts.items():
        if fault := _log_fault(place.home / name, entered):
            yield name, fault


def _log_fault(path: Path, parts: list[LogPart]) -> str:
    """Return the first thing that is wrong with a log, empty for nothing. Retention archives old run logs."""
    if not path.exists():
        archived = path.parent.parent / "archive" / path.parent.name / path.name
        if not archived.exists():
            return "gone" if parts else ""
        path = archived
    at = 0
    for part in parts:
        if part.begin != at:
            return f"was cut, or another file was put in its place, after byte {at:,}"
        try:
            if part_sha256(path, part.begin, part.end) != part.sha256:
                return f"changed or cut between byte {part.begin:,} and {part.end:,}"
        except OSError as error:
            return f"cannot be read: {why(error)}"
        at = part.end
    return ""


def _changed_artefacts(place: Workspace) -> Iterator[Fault]:
    """Yield each file that a sealed evidence record names and that is not as it was."""
    book = EvidenceBook.of(place)
    for name in book.chain.sealed():
        try:
            record = book.load(name)
        except PeaktradeError:
            continue  # the check of the evidence names it
        for one in (*record.artefacts, *(one for step in record.steps for one in step.artefacts)):
            path = place.home / one.path
            if one.sha256 in ("missing", "unreadable") or not path.is_relative_to(place.home):
                continue
            grown = path.suffix in _GROWS and path.is_file() and path.stat().st_size > one.size
            if (part_sha256(path, 0, one.size) if grown else sha256_of(path)) != one.sha256:
                yield name, one.path


def against(place: Workspace, given: str) -> str:
    """Return in a sentence that the ledger still holds what somebody kept of it: a head, or a file that names some.

    Args:
        place: whose ledger; given: a head of 64 hexadecimal digits or at least the first 16, or a file: a report, an
            evidence page, or a copy of the ledger.

    Raises:
        ConfigError: it is neither.
        ArtefactError: the ledger does not hold it, so that something before it was changed.
    """
    digests = {digest: link for link, digest in Ledger(place.home).links()}
    wanted = [given.lower()] if re.fullmatch(r"[0-9a-fA-F]{16,64}", given) else _heads_in(Path(given))
    found = [next((digest for digest in digests if digest.startswith(head)), None) for head in wanted]
    if not any(found):
        raise ArtefactError(
            f"the ledger does not hold {wanted[0][:16]}…: something before it was changed, or it is of another workspace"
        )
    link = max((digests[digest] for digest in found if digest), key=lambda one: one.seq)
    return f"nothing was changed up to entry {link.seq + 1:,} of {len(digests):,}, of {link.at:%Y-%m-%d %H:%M:%S} UTC"


def _heads_in(path: Path) -> list[str]:
    """Return the heads that a file names: every SHA-256 in it, or that of the last line of a copy of the ledger."""
    try:
        data = read_plain(path)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} is neither a head nor a file: {why(error)}") from None
    if path.suffix == ".jsonl":
        return [Chain(path).head()]
    if not (heads := sorted(set(_HEAD.findall(data.decode(errors="replace"))))):
        raise ConfigError(f"{path} names no head of a ledger: 64 hexadecimal digits")
    return heads


def _answer(faults: list[str], good: str) -> Found:
    """Return a failed answer that names the first faults, or the good one."""
    return not faults, first_of(faults, SHOWN, "; ") or good
