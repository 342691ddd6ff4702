"""The audit: are the registry, the evidence, the kill switch's log and the other chained logs as they were written?

It reads files and changes none, but :func:`adopt`, with which a named person answers for records that the chain does
not know in their present form.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import BEGINNING, Chain, Link
from peaktrade_core.base.clock import as_utc, iso
from peaktrade_core.base.errors import ArtefactError, ConfigError, UnknownNameError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.log import append_line
from peaktrade_core.base.people import person_key
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Question, check, question
from peaktrade_core.base.sealed import HALF, SealedRecords, with_ending
from peaktrade_core.halts.questions import kill_switch
from peaktrade_core.records.chain import ADOPTED, BEGUN, RECORD
from peaktrade_core.records.registry import Registry
from peaktrade_core.records.rows import RegistryLine
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.trading.records import UNREADABLE
from peaktrade_core.workspace.chain_heads import PLAIN, other_chains
from peaktrade_core.workspace.workspace import Workspace

STARTED = "started"
_STATES = ("matching", "changed", "torn", "missing", "pending", "twice")
_SHOWN = 5  # names in a sentence
_RESTORE = (
    "Restore it from a backup and open an incident: records were changed. A person who knows better may adopt it."
)


class RegistryAudit(msgspec.Struct, frozen=True, kw_only=True):
    """How the records stand against their chain, by the names of their files.

    Attributes:
        links: lines of the chain; head: hash of the last; fault: why the chain cannot be trusted, empty when it can.
        matching: records that are as they were entered.
        changed, torn, missing: entered, and now different, unreadable or gone.
        unknown: finished after the chain began, and never entered.
        twice: entered again with other content, and nobody answers for it.
        pending: entered, but the file still says ``started``: the process died between the two.
        before: from before the chain; half_line: whether the chain ends in a line that a dead writer left.
    """

    links: int
    head: str
    fault: str
    matching: int
    changed: tuple[str, ...]
    torn: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    twice: tuple[str, ...]
    pending: tuple[str, ...]
    before: tuple[str, ...]
    half_line: bool

    @property
    def bad(self) -> tuple[str, ...]:
        """What a person must look at."""
        return (*self.changed, *self.torn, *self.missing, *self.unknown)


def audit_registry(registry: Registry) -> RegistryAudit:
    """Compare every record with the chain, reading all of them.

    Raises:
        EnvironmentFault: the folder or the chain cannot be read.
    """
    chain = registry.chain.chain
    links, head, fault = _links(chain)
    entered, began = _entered(links)
    lines = {line.name: line for line in registry.lines()}
    found: dict[str, list[str]] = {name: [] for name in _STATES}
    for name, entries in entered.items():
        last = entries[-1]
        state = _state(registry.folder / name, last.data["sha256"], lines.get(name))
        rewritten = len({link.data["sha256"] for link in entries}) > 1 and last.kind != ADOPTED
        found["twice" if state == "matching" and rewritten else state].append(name)
    rest = [line for name, line in lines.items() if name not in entered and line.status != STARTED]
    before = {line.name for line in rest if began is None or _ended(line) < began}
    return RegistryAudit(
        links=len(links),
        head=head,
        fault=fault,
        half_line=chain.torn(),
        matching=len(found.pop("matching")),
        unknown=tuple(sorted(line.name for line in rest if line.name not in before)),
        before=tuple(sorted(before)),
        **{name: tuple(sorted(names)) for name, names in found.items()},
    )


def _links(chain: Chain) -> tuple[list[tuple[Link, str]], str, str]:
    """Return the lines that can be trusted, the hash of the last of them, and why the rest cannot."""
    links, fault = list[tuple[Link, str]](), ""
    try:
        links.extend(chain.links())  # keeps what came before the fault
    except ArtefactError as error:
        fault = str(error)
    return links, links[-1][1] if links else BEGINNING, fault


def _entered(links: Sequence[tuple[Link, str]]) -> tuple[dict[str, list[Link]], datetime | None]:
    """Return the entries of each file, oldest first, and when the chain began."""
    entered: dict[str, list[Link]] = {}
    for link, _ in links:
        if link.kind in (RECORD, ADOPTED) and isinstance(link.data.get("file"), str) and "sha256" in link.data:
            entered.setdefault(link.data["file"], []).append(link)
    began = next((link.at for link, _ in links if link.kind == BEGUN), links[0][0].at if links else None)
    return entered, began


def _state(path: Path, digest: object, line: RegistryLine | None) -> str:
    """Return how a file stands against what was entered last."""
    found = sha256_of(path)
    if found == digest:
        return "matching"
    if found == "missing":
        return "missing"
    if line is None or line.status == UNREADABLE:
        return "torn"
    return "pending" if line.status == STARTED else "changed"


def _ended(line: RegistryLine) -> datetime:
    """Return when the session of a line ended, as well as that is known."""
    return as_utc(line.finished_at or datetime.fromisoformat(line.sorts_at))


@question("registry_chain", "Is every finished session's record as it was written?", _RESTORE)
def registry(place: Workspace) -> Found:
    """Audit the registry: what must not be fails, what heals by itself warns."""
    audit = audit_registry(Registry.of(place))
    bad = [
        _told(name, what)
        for what, name in (
            ("changed", audit.changed),
            ("cannot be read any more", audit.torn),
            ("missing", audit.missing),
            ("not entered by peaktrade", audit.unknown),
        )
        if name
    ]
    odd = [
        _told(audit.twice, "entered twice with different content"),
        _told(audit.pending, "its process died while it wrote the record; the next command that looks ends it"),
        f"the last line of the chain {HALF}" if audit.half_line else "",
    ]
    old = f"; {len(audit.before)} from before the chain" if audit.before else ""
    good = f"{audit.matching:,} records as they were entered{old}"
    told = "; ".join(filter(None, [audit.fault, *bad, *odd])) or good
    if audit.fault or bad:
        return FAIL, told
    return WARN if any(odd) else PASS, told, "`peaktrade audit adopt` settles what is entered twice; the rest heals."


def _told(names: Sequence[str], what: str) -> str:
    """Return some names with what is wrong with them, empty when there are none."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}: {what}" if names else ""


def audit_checks(place: Workspace) -> list[Check]:
    """Return one answer for each chained log of a workspace; none raises."""
    return [
        *place.ask((registry, evidence_check.about(EvidenceBook.of), kill_switch)),
        *(_kept(chain.path.parent.name)(chain) for chain in other_chains(place.home)),
    ]


def adopt(place: Workspace, names: Sequence[str], by: str, reason: str) -> list[str]:
    """Let a person answer for records that the chain does not know as they are, and return their names.

    Args:
        place: where.
        names: session ids or names of files; none for everything that :func:`audit_registry` finds, old records too.
        by, reason: who answers and why; kept in the chain and the operations log.

    Raises:
        ConfigError: no name or no reason.
        UnknownNameError: nothing is the matter with such a record.
        ArtefactError: the chain itself cannot be trusted; EnvironmentFault: it cannot be written.
    """
    if not reason.strip():
        raise ConfigError("adopting a record needs a reason (--reason)")
    person_key(by)
    found = audit_registry(Registry.of(place))
    if found.fault:
        raise ArtefactError(f"{found.fault}. Move the chain aside, keep it for the risk officer, and adopt again")
    open_ = sorted({*found.bad, *found.twice, *found.before})
    unknown = [name for name in names if not any(name in known for known in open_)]
    if unknown:
        raise UnknownNameError("record to adopt", unknown[0], open_[:_SHOWN], "peaktrade audit verify")
    chosen = [known for known in open_ if not names or any(name in known for name in names)]
    if chosen:
        now, registry = place.clock.now(), Registry.of(place)
        digests = [(name, sha256_of(registry.folder / name)) for name in chosen]
        registry.chain.adopt(digests, by.strip(), reason.strip(), now)
        line = f"audit adopted {len(chosen)} records by {by.strip()}: {reason.strip()}"
        append_line(place.home / "logs" / "operations.log", f"{iso(now)} {line}")
    return chosen


def _kept(name: str) -> Question[Chain]:
    """Declare the question about a chained log of a folder."""
    return _whole(name) if name in PLAIN else _sealed(name)


def _whole(name: str) -> Question[Chain]:
    """Declare whether a chained log that seals no files is as it was written."""

    @question(f"{name}_chain", f"Is the log of reports/{name} as it was written?", _RESTORE)
    def whole(chain: Chain) -> Found:
        entries = sum(1 for _ in chain.links())
        return with_ending(check(whole.id, whole.text, True, f"{entries} entries", _RESTORE), chain)

    return whole


def _sealed(name: str) -> Question[Chain]:
    """Declare whether what a chained log of a folder sealed, one file for each id, is as it was."""

    @question(f"{name}_chain", f"Is everything in reports/{name} as it was sealed?", _RESTORE)
    def sealed(chain: Chain) -> Found:
        return SealedRecords(chain.path.parent).check(sealed.id, sealed.text, _RESTORE)

    return sealed
