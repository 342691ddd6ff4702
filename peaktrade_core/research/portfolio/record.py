"""What is kept of a portfolio that ran: one file, named by its content; running it is counted before."""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import login
from peaktrade_core.base.errors import ArtefactError, UnknownNameError, why
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.question import Check
from peaktrade_core.research.portfolio.account import run_portfolio
from peaktrade_core.research.portfolio.figures import Figures, curves, figures_of
from peaktrade_core.research.portfolio.prepare import Ready, count
from peaktrade_core.research.portfolio.preset import Portfolio
from peaktrade_core.research.portfolio.verdict import judged
from peaktrade_core.show.wording import quote_currency
from peaktrade_core.workspace.workspace import Workspace


class PortfolioRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio over candles.

    Attributes:
        portfolio_id: of its content, empty over the embedded market; by, at: who ran it first and when, aware UTC.
        portfolio: as its file says it; begin, end: of the common period, aware UTC; currency: of its account.
        held: bars that were held back; counted: tries that were ever begun on its markets, this one included.
        start_balance: [quote ccy]; figures: what it did; verdict: what may speak against it.
    """

    portfolio_id: str
    portfolio: Portfolio
    by: str
    at: datetime
    begin: datetime
    end: datetime
    currency: str
    held: int
    counted: int
    start_balance: float
    figures: Figures
    verdict: tuple[Check, ...]


class PortfolioStore:
    """The portfolios of a workspace: a file each, ``reports/experiments/portfolios/<id>.json``."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.home / "reports" / "experiments" / "portfolios"

    def ids(self) -> list[str]:
        """Return the ids of all portfolios, newest first."""
        found = sorted(self.folder.glob("pf_*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.stem for path in found]

    def load(self, portfolio_id: str) -> PortfolioRecord:
        """Return a portfolio; ``latest`` is the newest, and the beginning of an id is enough where it is one's only.

        Raises:
            UnknownNameError: there is none; ArtefactError: it cannot be read.
        """
        known = self.ids()
        found = known[:1] if portfolio_id == "latest" else [one for one in known if one.startswith(portfolio_id)]
        if len(found) != 1:
            raise UnknownNameError("portfolio", portfolio_id, known[:10])
        path = self.folder / f"{found[0]}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=PortfolioRecord)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{path}: not a portfolio: {why(error)}") from None

    def save(self, record: PortfolioRecord) -> None:
        """Write the record of a portfolio.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        write_atomic(self.folder / f"{record.portfolio_id}.json", msgspec.json.format(msgspec.json.encode(record)))


def backtest_portfolio(workspace: Workspace, ready: Ready) -> PortfolioRecord:
    """Count a portfolio, run and judge it, keep its record and return it; one that is known is not run again.

    Over the embedded market nothing is counted and nothing kept: it tells nothing of a market.

    Raises:
        ArtefactError, EnvironmentFault: the ledger cannot be used, so nothing is run; or the record cannot be written.
        StrategyError: a strategy raises.
    """
    store, counted = PortfolioStore(workspace), 0
    if ready.portfolio_id:
        counted = count(workspace, ready)
        if ready.portfolio_id in store.ids():
            return store.load(ready.portfolio_id)
    ran = run_portfolio(ready.parts, ready.portfolio.weights, ready.first, ready.cache)
    seen = curves(ran)
    figures = figures_of(ready, ran, seen)
    record = PortfolioRecord(
        portfolio_id=ready.portfolio_id,
        portfolio=ready.portfolio,
        by=login(),
        at=workspace.clock.now(),
        begin=from_seconds(ready.begin),
        end=from_seconds(ready.end),
        currency=quote_currency(ready.parts[0].symbol),
        held=ready.held,
        counted=counted,
        start_balance=ready.start_balance,
        figures=figures,
        verdict=tuple(judged(ready, figures, seen, counted)),
    )
    if ready.portfolio_id:
        store.save(record)
    return record
