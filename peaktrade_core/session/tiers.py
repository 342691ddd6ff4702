"""What a strategy's tier lets it do, and promotions, which raise the tier of one version of its code.

Research, drills and rehearsals take every tier; whatever counts - sessions, fleet, forward signals - takes only ``core``
and ``aux``. A promotion belongs to the code that was judged: a strategy whose source changed has its registered tier again.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, TierNotAllowedError, why
from peaktrade_core.base.log import append_line
from peaktrade_core.changes.code import code_digest
from peaktrade_core.people.approval import Approval
from peaktrade_core.trading.strategies import MAY_RUN, Strategy
from peaktrade_core.workspace.ledger import PROMOTIONS, Ledger
from peaktrade_core.workspace.workspace import Workspace

PROMOTED = "promoted"  # kind of a line of the chain
REFUSED = "tier-refused"  # begins a line of the operations log


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy was promoted.

    Attributes:
        strategy, before, to: which, from which tier to which; code: SHA-256 of the code that was judged.
        trial: ``SWEEP#TRIAL`` whose verdict was taken; evidence: id of the go/no-go record; by, second: two people.
        request: under which they signed, empty where nobody has a key.
        sessions: shadow sessions that agreed with their backtests; at: when, aware UTC.
    """

    strategy: str
    before: str
    to: str
    code: str
    trial: str
    evidence: str
    by: str
    second: str
    at: datetime
    sessions: tuple[str, ...] = ()
    request: str = ""

    @property
    def people(self) -> str:
        """Who they were and how that is known."""
        return Approval(people=(self.by, self.second), request=self.request).told


class Promotions:
    """The promotions of a workspace, a section of its ledger."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.chain = Ledger(workspace.home).section(PROMOTIONS)  # read anew, all of it, whenever it decides

    def add(self, promotion: Promotion) -> None:
        """Write a promotion down.

        Raises:
            ArtefactError, EnvironmentFault: the log is broken or cannot be written.
        """
        data = msgspec.to_builtins(promotion)
        data.pop("at")
        self.chain.append((PROMOTED, data), at=promotion.at)

    def all(self) -> list[Promotion]:
        """Return all of them, oldest first.

        Raises:
            ArtefactError: the log is broken, so no promotion can be trusted.
        """
        links = [link for link, _ in self.chain.links() if link.kind == PROMOTED]
        try:
            return [msgspec.convert({**link.data, "at": link.at}, Promotion) for link in links]
        except msgspec.ValidationError as error:
            raise ArtefactError(f"{self.chain.path}: not a promotion: {why(error)}") from None

    def tier(self, strategy: Strategy) -> str:
        """Return the tier that holds for a strategy: the last promotion of this code, else the registered one.

        Raises:
            ArtefactError: the log is broken.
        """
        if strategy.tier in MAY_RUN[:1] or not self.chain.path.exists():
            return strategy.tier
        digest = code_digest(strategy)
        held = [one.to for one in self.all() if (one.strategy, one.code) == (strategy.name, digest)]
        return held[-1] if held else strategy.tier


def refuse_tier(strategy: str, tier: str, *, rehearsal: bool = False, told: Workspace | None = None) -> None:
    """Refuse a strategy whose tier may not do what counts.

    Args:
        strategy, tier: which, and the tier that holds; rehearsal: whether nothing of it counts.
        told: in whose operations log a refusal is written down, for the reports; None for none.

    Raises:
        TierNotAllowedError: it may not; a rehearsal may always.
    """
    if tier in MAY_RUN or rehearsal:
        return
    error = TierNotAllowedError(strategy, tier)
    if told is not None:
        with suppress(OSError, EnvironmentFault):  # the refusal holds all the same
            line = f"{iso(told.clock.now())} {REFUSED} {strategy} by {login()}: {error}"
            append_line(told.operations_log, line)
    raise error
