"""Entries of the ledger that nobody remembered when the next one came: their writer died, or somebody appended them by hand.

Both look the same, so the next writer enters that it found them, and they stay told until a person answers for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from peaktrade_core.base.chain import Entry, Link
from peaktrade_core.workspace.memory import Remembered

FOUND, ANSWERED = "ledger/found", "ledger/adopted"
_GRAVE = ("adopted",)  # kinds with which somebody would make a change good


def found_entry(remembered: Sequence[Remembered], last: Link | None) -> list[Entry]:
    """Return the entry that says which ones a writer found that are not remembered; none where all are.

    Args:
        remembered: what is known of the ledger, nothing for a new one; last: its last entry.
    """
    known = max((one.seq for one in remembered), default=None)
    if known is None or last is None or last.seq <= known:
        return []
    return [(FOUND, {"from": known + 1, "to": last.seq})]


def unanswered(links: Iterable[Link], remembered: Sequence[Remembered]) -> tuple[list[Link], bool]:
    """Return the entries that were not remembered and that nobody answered for, and whether one of them excuses a change.

    Args:
        links: the whole ledger, in order; remembered: what is known of it now.
    """
    found, every = dict[int, Link](), list[Link]()
    known = max((one.seq for one in remembered), default=None)
    for link in links:
        every.append(link)
        if link.kind == FOUND:
            found |= {seq: every[seq] for seq in range(int(link.data["from"]), int(link.data["to"]) + 1)}
        elif link.kind == ANSWERED and (known is None or link.seq <= known):
            found.clear()
    odd = [*found.values(), *([] if known is None else every[known + 1 :])]
    return odd, any(link.kind.rpartition("/")[2] in _GRAVE for link in odd)
