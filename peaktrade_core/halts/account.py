"""The account that the running sessions of a workspace share: a session's seat at it, and what people ask of it.

A seat reserves the notional of an opening order before anyone else hears of the order. What it reserved stays reserved
until the next look at the clock (four a second), so a session that trades thousands of times a second asks the file only
when it needs more than it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from peaktrade_core.base.errors import AccountUnavailable
from peaktrade_core.halts.shares import AccountFile
from peaktrade_core.trading import book as bk
from peaktrade_core.trading.account import (
    NOTHING,
    AccountLimit,
    Share,
    Totals,
    account_limits,
    account_of,
    check_account,
    totals,
)
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import worth
from peaktrade_core.trading.risk import ACCOUNT_UNAVAILABLE, MAX_ORDER_NOTIONAL, OK, SEVERITIES, Limits, RiskVerdict
from peaktrade_core.workspace.workspace import Workspace

PUBLISH_S = 1.0  # how often marks are published while nothing else changes [s]


class Seat:
    """One session's seat at its account.

    Args (of the constructor):
        file: where the shares are.
        run_id: the session; mode, symbol: decide which account it is.
        limits: of the session; it enforces its own over the sums.

    Attributes:
        fault: why the account cannot be used just now, empty while it can.
    """

    def __init__(self, file: AccountFile, run_id: str, mode: str, symbol: str, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._share = Share(run_id, account_of(mode, symbol), symbol)
        self._others: Totals | None = None
        self._said = (0.0, 0.0)  # position and order that were published last
        self._next = 0.0
        self.fault = ""

    def reserve(self, book: Slots, price: float) -> RiskVerdict:
        """Reserve the opening order that the decision code has just left in ``book``, or say why it must not be sent.

        Args:
            book: the session's account.
            price: at which the order is expected to fill [quote ccy].
        """
        notional = bk.notional(book, book[bk.OPENING], price)
        share = self._of(book, price, max(bk.notional(book, book[bk.QTY], price), notional))
        if self._others is not None and share.exposure <= self._share.exposure:
            return check_account(self._others, self._limits, share, notional)

        def decide(shares: list[Share]) -> tuple[tuple[RiskVerdict, Totals], Share | None]:
            others = totals(shares)
            verdict = check_account(others, self._limits, share, notional)
            return (verdict, others), share if verdict.code == OK else None

        try:
            verdict, self._others = self._file.change(share.run_id, share.account, decide)
        except AccountUnavailable as error:
            self._lost(error)
            return RiskVerdict(ACCOUNT_UNAVAILABLE, 0.0, 0.0)
        self.fault = ""
        if verdict.code == OK:
            self._share = share
        return verdict

    def publish(self, book: Slots, price: float) -> None:
        """Tell the others what this session holds now, and hear what they do; returns what was reserved too much."""
        said, now = (book[bk.QTY], book[bk.OPENING]), time.monotonic()
        if self._others is not None and said == self._said and now < self._next:
            return
        share = self._of(book, price, bk.notional(book, max(abs(said[0]), abs(said[1])), price))
        try:
            self._others = self._file.change(share.run_id, share.account, lambda shares: (totals(shares), share))
        except AccountUnavailable as error:
            self._lost(error)
            return
        self._share, self._said, self._next, self.fault = share, said, now + PUBLISH_S, ""

    def leave(self) -> None:
        """Give the seat up; a share that cannot be removed ends with the session's lock."""
        try:
            self._file.remove(self._share.run_id)
        except AccountUnavailable as error:
            self._lost(error)

    def _of(self, book: Slots, price: float, exposure: float) -> Share:
        """Return the share that ``book`` amounts to."""
        return self._share._replace(
            position=book[bk.QTY],
            price=price,
            exposure=exposure,
            day_equity=bk.quoted(book, book[bk.DAY_EQUITY], price),
            equity=bk.quoted(book, book[bk.EQUITY], price),
            at=time.time(),
        )

    def _lost(self, error: AccountUnavailable) -> None:
        """Trust nothing that was known of the others."""
        self._others, self.fault = None, str(error)


class AccountUse(msgspec.Struct, frozen=True, kw_only=True):
    """How one account stands, over its running sessions.

    Attributes:
        mode, currency: which account.
        sessions: that run; open_positions: held or on their way.
        exposure: held and sent; daily_loss: marked, since 00:00 UTC; day_equity, equity: sums [quote ccy].
        by_symbol: exposure of each symbol [quote ccy].
        limits: how much of each limit is used; level: the worst of them, green, yellow or red.
        shares: what each session uses.
        fault: why the account cannot be read, empty when it can; the level is then red.
    """

    mode: str
    currency: str
    sessions: int
    open_positions: int
    exposure: float
    daily_loss: float
    daily_loss_pct: float
    day_equity: float
    equity: float
    by_symbol: dict[str, float]
    limits: tuple[AccountLimit, ...]
    level: str
    shares: tuple[Share, ...] = ()
    fault: str = ""


class Account:
    """Questions about the accounts of a workspace; asking changes nothing.

    Args (of the constructor):
        file: where the shares are.
        limits: returns the configured limits.
        symbol: returns the configured symbol, whose quote currency is the one meant where none is named.
    """

    def __init__(self, file: AccountFile, limits: Callable[[], Limits], symbol: Callable[[], str]) -> None:
        self._file, self._limits, self._symbol = file, limits, symbol

    @classmethod
    def of(cls, workspace: Workspace) -> Account:
        """Return the accounts of a workspace, opened once."""
        file = AccountFile.of(workspace)
        return workspace.once(
            cls, lambda: cls(file, lambda: workspace.config.limits, lambda: workspace.config.session.symbol)
        )

    def exposure(self, mode: str = "shadow", currency: str | None = None) -> AccountUse:
        """Return how one account stands; one that cannot be read is red and says why."""
        account = f"{mode}.{currency.upper()}" if currency else account_of(mode, self._symbol())
        try:
            shares = [share for share in self._file.shares() if share.account == account]
        except AccountUnavailable as error:
            return self._use(account, [], str(error))
        return self._use(account, shares)

    def uses(self) -> list[AccountUse]:
        """Return every account that has running sessions, and the configured one."""
        default = account_of("shadow", self._symbol())
        try:
            shares = self._file.shares()
        except AccountUnavailable as error:
            return [self._use(default, [], str(error))]
        names = sorted({share.account for share in shares} | {default})
        return [self._use(name, [share for share in shares if share.account == name]) for name in names]

    def check(self, symbol: str, qty: float, price: float, mode: str = "shadow") -> RiskVerdict:
        """Decide whether a session that is new and flat could send this opening order now; nothing is reserved.

        Args:
            symbol: what to trade; mode: ``shadow`` or ``testnet``.
            qty: signed quantity [base units]; price: [quote ccy].
        """
        limits, notional = self._limits(), worth(symbol, qty, price)
        if notional > limits.max_order_notional:
            return RiskVerdict(MAX_ORDER_NOTIONAL, notional, limits.max_order_notional)
        account = account_of(mode, symbol)
        try:
            others = totals(share for share in self._file.shares() if share.account == account)
        except AccountUnavailable:
            return RiskVerdict(ACCOUNT_UNAVAILABLE, 0.0, 0.0)
        return check_account(others, limits, Share("", account, symbol), notional)

    def _use(self, account: str, shares: list[Share], fault: str = "") -> AccountUse:
        """Return the figures of one account."""
        mode, _, currency = account.partition(".")
        sums = totals(shares) if shares else NOTHING
        limits = account_limits(sums, self._limits(), currency)
        worst = "red" if fault else max((limit.level for limit in limits), key=SEVERITIES.index)
        return AccountUse(
            mode=mode,
            currency=currency,
            sessions=sums.sessions,
            open_positions=sums.positions,
            exposure=sums.exposure,
            daily_loss=sums.daily_loss,
            daily_loss_pct=sums.daily_loss_pct,
            day_equity=sums.day_equity,
            equity=sums.equity,
            by_symbol=sums.by_symbol,
            limits=tuple(limits),
            level=worst,
            shares=tuple(shares),
            fault=fault,
        )
