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

from peaktrade_core.base.chain import Link
from peaktrade_core.base.clock import local
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault, UnknownNameError, why
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.people import person_key, same_person
from peaktrade_core.base.question import PASS
from peaktrade_core.people import signing
from peaktrade_core.people.approval import NOT_VERIFIED, SIGNED_BY_KEY
from peaktrade_core.people.matrix import ROLES
from peaktrade_core.people.request import COUNTERSIGNED, countersignature_fault, countersigned_text
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.artefacts import named_files
from peaktrade_core.runbooks.book import EvidenceBook, tag_of
from peaktrade_core.workspace.papers import enter_files

BY_HAND = "by_hand"  # stands in the place of a runbook's name


class Countersignature(msgspec.Struct, frozen=True, kw_only=True):
    """A second person confirms a record as it was sealed: who, when, what was looked at, and whether they signed that."""

    by: str
    role: str
    at: datetime
    note: str = ""
    verified: bool = False

    @property
    def told(self) -> str:
        """Who it was, and how that is known."""
        return f"{self.by} ({self.role}, {SIGNED_BY_KEY if self.verified else NOT_VERIFIED})"


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
        ConfigError: no tag, text or name, a tag that is too long, or a file that is missing or no plain file.
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
    enter_files(book.ledger, now, (book.home / one.path for one in kept))
    return made


def _keep(file: Path, folder: Path) -> Path:
    """Copy a file into a folder and return the copy."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(file, folder / file.name))
    except OSError as error:
        raise EnvironmentFault(f"cannot copy {file} to {folder}: {why(error)}") from error


def countersign(
    book: EvidenceBook, evidence_id: str, *, by: str, role: str, note: str = "", key: Path | None = None
) -> Countersignature:
    """Confirm a sealed record as another person than the one who made it; the chain keeps it.

    Args:
        book, evidence_id: which record; by: who, where nobody has a key; else it is whose key it is.
        role: as whom; note: what was looked at; key: a key file, None for the one of this login.

    Raises:
        UnknownNameError: there is no such record, or no such role.
        ConfigError: no name, the same person, not that person's role or key, or the record is not finished.
        ArtefactError: the record is not as it was sealed, or people.toml not as it was approved last.
        EnvironmentFault: there is no ``ssh-keygen``.
    """
    record = book.load(evidence_id)
    if role not in ROLES:
        raise UnknownNameError("role", role, ROLES)
    if record.ended_at is None:
        raise ConfigError(f"{evidence_id} is not finished, so there is nothing to countersign yet")
    person, path = _signer(book, role, key)
    by = person or by
    if same_person(by, record.operator):
        raise ConfigError(f"{evidence_id} was made by {record.operator}: another person countersigns it")
    digest = sha256_of(book.folder / f"{evidence_id}.json")
    if book.chain.sealed().get(evidence_id) != digest:
        raise ArtefactError(f"{evidence_id} is not as it was sealed: `peaktrade evidence verify` says what is wrong")
    made = Countersignature(
        by=by.strip(), role=role, at=book.clock.now(), note=" ".join(note.split()), verified=bool(path)
    )
    data = {"id": evidence_id, "sha256": digest, "by": made.by, "role": role, "note": made.note}
    if path is not None:
        signature = signing.sign(countersigned_text(data), path)
        data |= {"key": signing.signed_with(signature), "signature": signature}
    book.chain.append((COUNTERSIGNED, data), at=made.at)
    return made


def _signer(book: EvidenceBook, role: str, key: Path | None) -> tuple[str, Path | None]:
    """Return who signs, and with which key; nobody where no key counts."""
    if book.approvals is None or not book.approvals.keyed():
        return "", None
    book.approvals.people.enter_first(book.clock.now())
    person, path = book.approvals.people.who(key)
    if role not in person.roles:
        raise ConfigError(
            f"{person.name} is {' and '.join(person.roles)} in people.toml, not {role}; say which (--role)"
        )
    return person.name, path


def countersignatures(book: EvidenceBook, evidence_id: str) -> list[Countersignature]:
    """Return who confirmed a record, oldest first; raises as :meth:`Chain.links`."""
    links = [link for link, _ in book.chain.links() if link.kind == COUNTERSIGNED and link.data["id"] == evidence_id]
    return [
        Countersignature(
            at=link.at,
            verified=_verified(book, link),
            **{name: str(link.data.get(name, "")) for name in ("by", "role", "note")},
        )
        for link in links
    ]


def _verified(book: EvidenceBook, link: Link) -> bool:
    """Return whether a countersignature is one of the person whom it names, with a key that counts."""
    if book.approvals is None or not link.data.get("signature"):
        return False
    return not countersignature_fault(link, book.approvals.people.counting(), signing.verifies)
