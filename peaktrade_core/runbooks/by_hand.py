"""Evidence that no runbook leaves: what a person enters by hand, with files, and what a reviewer countersigns.

Source: workflow overview, evidence (``EV-YYYYMMDD-TAG``, entry template) and separation of duties: the operator documents,
the reviewer confirms.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import local
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, UnknownNameError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.question import PASS
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.artefacts import named_files
from peaktrade_core.runbooks.book import EvidenceBook, tag_of

BY_HAND = "by_hand"  # stands in the place of a runbook's name
COUNTERSIGNED = "countersigned"  # kind of a line of the chain


class Countersignature(msgspec.Struct, frozen=True, kw_only=True):
    """A second person confirms a record as it was sealed: who, when, and what was looked at."""

    by: str
    role: str
    at: datetime
    note: str = ""


def add_evidence(
    book: EvidenceBook,
    tag: str,
    text: str,
    files: Sequence[Path] = (),
    *,
    by: str,
    role: str = "operator",
    about: str = "",
) -> ev.Evidence:
    """Enter evidence by hand, seal it and return it; its id is ``EV-YYYYMMDD-TAG``, with a number when that is taken.

    Args:
        book: where; tag: letters, digits and dashes; text: what it shows, in sentences.
        files: copied beside the record, so that they stay as they were.
        by, role: who enters it; about: the session, alert or incident that it is about.

    Raises:
        ConfigError: no tag, text or name, or a file that is missing or no plain file.
        UnknownNameError: no such role.
        EnvironmentFault: it cannot be written.
    """
    name = tag_of(tag)
    if not name or not text.strip():
        raise ConfigError("evidence needs a tag and a text: --tag CI-HARDENING --text 'what it shows'")
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    person_key(by)
    files = named_files(files)
    if len({file.name for file in files}) < len(files):
        raise ConfigError("two of the files have the same name; rename one")
    now = book.clock.now()
    told = " ".join(text.split())
    begun = book.enter(
        ev.Evidence(
            evidence_id="", runbook=BY_HAND, title=told[:80], subject=about, operator=by.strip(), role=role, began_at=now,
            began_local=local(now), parameters={}, notebook_sha256="", host=book.host, rehearsal=book.rehearsal,
        ),
        f"EV-{now:%Y%m%d}-{name}",
    )  # fmt: skip
    kept = tuple(book.artefact(_keep(file, book.folder / begun.evidence_id)) for file in files)
    step = ev.Step(
        id="entry", title="Entered by hand", status=PASS, by=begun.operator, began_at=now, ended_at=now, result=told,
        artefacts=kept,
    )  # fmt: skip
    made = msgspec.structs.replace(
        begun, ended_at=now, ended_local=local(now), steps=(step,), artefacts=kept, outcome=ev.PASSED
    )
    book.seal(made)
    return made


def _keep(file: Path, folder: Path) -> Path:
    """Copy a file into a folder and return the copy."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(file, folder / file.name))
    except OSError as error:
        raise EnvironmentFault(f"cannot copy {file} to {folder}: {error.strerror or error}") from error


def countersign(book: EvidenceBook, evidence_id: str, *, by: str, role: str, note: str = "") -> Countersignature:
    """Confirm a sealed record as another person than the one who made it; the chain keeps it.

    Raises:
        UnknownNameError: there is no such record, or no such role.
        ConfigError: no name, the same person, or the record is not finished.
        ArtefactError: the record is not as it was sealed.
    """
    record = book.load(evidence_id)
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    if record.ended_at is None:
        raise ConfigError(f"{evidence_id} is not finished, so there is nothing to countersign yet")
    if same_person(by, record.operator):
        raise ConfigError(f"{evidence_id} was made by {record.operator}: another person countersigns it")
    digest = sha256_of(book.folder / f"{evidence_id}.json")
    if book.chain.sealed().get(evidence_id) != digest:
        raise ArtefactError(f"{evidence_id} is not as it was sealed: `peaktrade evidence verify` says what is wrong")
    made = Countersignature(by=by.strip(), role=role, at=book.clock.now(), note=" ".join(note.split()))
    data = {"id": evidence_id, "sha256": digest, "by": made.by, "role": role, "note": made.note}
    book.chain.append((COUNTERSIGNED, data), at=made.at)
    return made


def countersignatures(book: EvidenceBook, evidence_id: str) -> list[Countersignature]:
    """Return who confirmed a record, oldest first; raises as :meth:`Chain.links`."""
    links = [link for link, _ in book.chain.links() if link.kind == COUNTERSIGNED and link.data["id"] == evidence_id]
    return [
        Countersignature(at=link.at, **{name: str(link.data.get(name, "")) for name in ("by", "role", "note")})
        for link in links
    ]
