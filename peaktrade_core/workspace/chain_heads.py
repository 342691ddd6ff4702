"""The chained logs of a workspace, and the head of each: what a report prints, so that it leaves the machine."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault

HALTS = "halts.jsonl"  # the log of halts and of the kill switch, in reports/live
PLAIN = (
    "forward",
    "holdout",
    "promotions",
    "trials",
)  # folders of reports/ whose log seals no files


def chain_heads(home: Path) -> dict[str, str]:
    """Return the head of each chained log; a report prints them as it leaves the machine.

    The log of halts, which is short, is verified for it; of the others only the last line is read.
    """
    heads = {}
    for chain in _all_chains(home):
        try:
            last = chain.last()
            if chain.path.name == HALTS:
                chain.head()
        except (ArtefactError, EnvironmentFault):
            heads[_name(chain.path)] = "broken"
            continue
        if last is not None:
            heads[_name(chain.path)] = last[1]
    return heads


def _all_chains(home: Path) -> list[Chain]:
    """Return every chained log of a workspace."""
    reports = home / "reports"
    known = [
        reports / "experiments" / "live_sessions.chain.jsonl",
        reports / "evidence" / "chain.jsonl",
        reports / "live" / HALTS,
    ]
    return [*map(Chain, known), *other_chains(home)]


def other_chains(home: Path) -> list[Chain]:
    """Return the chained logs of other folders of reports/, as of incidents."""
    found = sorted((home / "reports").glob("*/chain.jsonl"))
    return [Chain(path) for path in found if path.parent.name != "evidence"]


def _name(path: Path) -> str:
    """Return what a chained log is called."""
    if path.name.startswith("live_sessions"):
        return "registry"
    return path.parent.name if path.name == "chain.jsonl" else "kill switch"
