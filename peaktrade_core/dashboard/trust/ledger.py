"""The ledger as a page shows it: whether it is what is remembered, its newest entries, its heads, and the requests.

Only the end of the ledger is read here; ``peaktrade audit verify`` verifies all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import msgspec

from peaktrade_core.base.chain import Link, digest_of
from peaktrade_core.base.errors import ArtefactError, ConfigError, EnvironmentFault
from peaktrade_core.base.log import newest_lines
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import ChangeItem, change_item
from peaktrade_core.control.audit.anchor import stamped
from peaktrade_core.people.approval import NOT_VERIFIED
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.request import RequestItem, request_item
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

ENTRIES, MOST = 50, 500
_ABOUT = ("id", "file", "trial", "strategy", "log", "symbol")  # what an entry is about, in the words of its section


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the ledger.

    Attributes:
        seq: its number, from 0; at: aware UTC; section, kind: whose it is, and what happened.
        about: the id or name that it is about, by: who, both empty where it names none; sha256: of the entry.
    """

    seq: int
    at: datetime
    section: str
    kind: str
    about: str
    by: str
    sha256: str


class NewestStamp(msgspec.Struct, frozen=True, kw_only=True):
    """The newest time stamp of an authority: its id, the number of the last entry under it, from 1, when, and its age [s]."""

    id: str
    entry: int
    at: datetime
    age_s: float


class LedgerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger as it stands.

    Attributes:
        fault: why it cannot be trusted, so that no orders are sent; empty as a rule.
        count: how many entries it has; heads: of the ledger and the log of halts, as reports print them.
        entries: the newest first; requests: that wait for a signature or are approved, the newest first.
        stamp: the newest time stamp of an authority over it; null where it was never stamped.
        verified: whether names must be signed, and in words how it stands with people; people_fault: why that is not known.
    """

    fault: str
    count: int
    heads: dict[str, str]
    entries: list[LedgerEntry]
    requests: list[RequestItem]
    verified: bool
    people: str
    people_fault: str = ""
    stamp: NewestStamp | None = None


class RequestAnswer(RequestItem, frozen=True, kw_only=True):
    """A request, and the change that it is about; null where it is about something else."""

    change: ChangeItem | None = None


def request_answer(workspace: Workspace, request: str) -> RequestAnswer:
    """Return a request with the change that it is about.

    Raises:
        UnknownNameError: there is none; ArtefactError, ConfigError, EnvironmentFault: as :meth:`Approvals.all`.
    """
    found = Approvals.of(workspace).find(request)
    change = Changes.of(workspace).of_request(found)
    item = msgspec.structs.asdict(request_item(found))
    return RequestAnswer(**item, change=change_item(change) if change else None)


def ledger_answer(workspace: Workspace, limit: int = ENTRIES) -> LedgerAnswer:
    """Return how the ledger stands, with its newest entries."""
    ledger = Ledger.of(workspace)
    try:
        entries, fault = list(islice(_entries(ledger), limit)), ledger.fault()
    except (ArtefactError, EnvironmentFault) as error:
        entries, fault = [], ledger.fault() or str(error)
    found, keyed, people_fault = list[RequestItem](), False, ""
    try:
        approvals = Approvals.of(workspace)
        keyed = approvals.keyed()
        found = [request_item(one) for one in reversed(approvals.all()) if one.state in ("waits", "approved")]
    except (ArtefactError, ConfigError, EnvironmentFault) as error:
        people_fault = str(error)
    told = "two people sign each decision" if keyed else f"names are typed, {NOT_VERIFIED}"
    return LedgerAnswer(
        fault=fault, count=entries[0].seq + 1 if entries else 0, heads=chain_heads(workspace.home), entries=entries,
        requests=found, verified=keyed, people=told, people_fault=people_fault,
        stamp=_newest_stamp(workspace),
    )  # fmt: skip


def _newest_stamp(workspace: Workspace) -> NewestStamp | None:
    """Return the newest time stamp; none also where the ledger cannot be read, which is told apart."""
    try:
        held = list(stamped(Ledger.of(workspace)))
    except (ArtefactError, EnvironmentFault):
        return None
    if not held:
        return None
    age_s = max(0.0, (workspace.clock.now() - held[-1].at).total_seconds())
    return NewestStamp(id=held[-1].id, entry=held[-1].entry, at=held[-1].at, age_s=age_s)


def _entries(ledger: Ledger) -> Iterator[LedgerEntry]:
    """Yield the entries, the newest first; nothing where there is no ledger yet.

    Raises:
        ArtefactError: a line is no entry; EnvironmentFault: it cannot be read.
    """
    if not ledger.path.exists():
        return
    for line in newest_lines(ledger.path):
        if not line.whole:
            continue
        try:
            link = msgspec.json.decode(line.text, type=Link)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ArtefactError(f"{ledger.path}: a line is no entry; `peaktrade audit verify` says which") from None
        section, _, kind = link.kind.partition("/")
        about = next((str(link.data[name]) for name in _ABOUT if link.data.get(name)), "")
        by = str(link.data.get("by", ""))
        yield LedgerEntry(
            seq=link.seq, at=link.at, section=section, kind=kind, about=about, by=by, sha256=digest_of(line.text)
        )
