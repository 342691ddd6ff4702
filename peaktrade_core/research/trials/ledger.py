"""The trial ledger: every try is counted, before it begins. What is not in it cannot be deflated by it.

A killed sweep counts whole; a question asked again with the same id counts once.
"""

from __future__ import annotations

from typing import NamedTuple

from peaktrade_core.workspace.ledger import TRIALS, Ledger
from peaktrade_core.workspace.workspace import Workspace

BEGUN = "begun"


class TrialMarket(NamedTuple):
    """On what is tried: trials of one strategy on one market make each other less surprising."""

    strategy: str
    symbol: str
    timeframe: str


class TrialLedger:
    """The trials of a workspace, a section of its ledger."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.chain = Ledger.of(workspace).section(TRIALS)

    def begin(self, trial_id: str, market: TrialMarket, trials: int, *, by: str, question: str = "") -> bool:
        """Count trials that are about to begin; return False when the same ones were counted before.

        Args:
            trial_id: of the backtest or sweep, by its content; trials: how many it makes.
            by: who asks; question: why.

        Raises:
            EnvironmentFault: it cannot be written: nothing may be tried.
            ArtefactError: the ledger is broken.
        """
        if self.has(trial_id):
            return False
        said = {"id": trial_id, **market._asdict(), "trials": trials, "by": by, "question": question}
        self.chain.append((BEGUN, said), at=self._workspace.clock.now())
        return True

    def has(self, trial_id: str) -> bool:
        """Return whether trials of that id were begun.

        Raises:
            ArtefactError: the ledger is broken.
        """
        return any(link.data.get("id") == trial_id for link, _ in self.chain.links())

    def count(self, market: TrialMarket) -> int:
        """Return how many trials of a strategy were ever begun on a market.

        Raises:
            ArtefactError: the ledger is broken.
        """
        wanted = market._asdict()
        entries = (link.data for link, _ in self.chain.links() if link.kind == BEGUN)
        return sum(int(data["trials"]) for data in entries if wanted.items() <= data.items())
