"""The chained logs of a workspace, and the head of each: what a report prints, so that it leaves the machine."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.workspace.ledger import LEDGER

HALTS = "halts.jsonl"  # the log of halts and of the kill switch, in reports/live


def chain_heads(home: Path) -> dict[str, str]:
    """Return the head of the ledger and of the log of halts; a report prints them as it leaves the machine.

    The log of halts, which is short, is verified for it; of the ledger only the last line is read.
    """
    heads, reports = {}, home / "reports"
    for name, chain in (("ledger", Chain(reports / LEDGER)), ("kill switch", Chain(reports / "live" / HALTS))):
        try:
            last = chain.last()
            if chain.path.name == HALTS:
                chain.head()
        except (ArtefactError, EnvironmentFault):
            heads[name] = "broken"
            continue
        if last is not None:
            heads[name] = last[1]
    return heads
