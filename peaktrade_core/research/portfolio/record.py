"""What is kept of a portfolio that ran: one file, named by its content; running it is counted before."""

from __future__ import annotations

from datetime import datetime

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.environment import login
from peaktrade_core.base.question import Check
from peaktrade_core.research.portfolio.account import run_portfolio
from peaktrade_core.research.portfolio.figures import PortfolioFigures, curves, figures_of
from peaktrade_core.research.portfolio.prepare import ReadyPortfolio, count
from peaktrade_core.research.portfolio.preset import Portfolio
from peaktrade_core.research.portfolio.verdict import judged
from peaktrade_core.research.store import RecordKind, Store
from peaktrade_core.show.wording import quote_currency
from peaktrade_core.workspace.workspace import Workspace


class PortfolioRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio over candles.

    Attributes:
        portfolio_id: of its content, empty over the embedded market; by, at: who ran it first and when, aware UTC.
        portfolio: as its file says it; begin, end: of the common period, aware UTC; currency: of its account.
        held: bars that were held back; since, until: from when to when, of all components, aware UTC, None for none.
        counted: tries that were ever begun on its markets, this one included.
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
    figures: PortfolioFigures
    verdict: tuple[Check, ...]
    since: datetime | None = None
    until: datetime | None = None


class PortfolioStore(Store[PortfolioRecord]):
    """The portfolios of a workspace: a file each, ``reports/experiments/portfolios/<id>.json``."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace, RecordKind("portfolio", "pf"), PortfolioRecord)


def backtest_portfolio(workspace: Workspace, ready: ReadyPortfolio) -> PortfolioRecord:
    """Count a portfolio, run and judge it, keep its record and return it; one that is known is not run again.

    Over the embedded market nothing is counted and nothing kept: it tells nothing of a market.

    Raises:
        ArtefactError, EnvironmentFault: the ledger cannot be used, so nothing is run; or the record cannot be written.
        StrategyError: a strategy raises.
    """
    store, counted = PortfolioStore(workspace), 0
    if ready.portfolio_id:
        counted = count(workspace, ready)
        if store.has(ready.portfolio_id):
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
        since=from_seconds(ready.unseen[0]) if ready.unseen else None,
        until=from_seconds(ready.unseen[1]) if ready.unseen else None,
    )
    if ready.portfolio_id:
        store.save(record)
    return record
