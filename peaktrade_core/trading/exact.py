"""The second, exact account: positions and PnL in decimals, folded from the fills of a journal.

It shares no arithmetic with :mod:`peaktrade_core.trading.book`; that both agree is a check, not an assumption.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

PRECISION = 50  # digits


class ExactAccount:
    """Average-cost accounting in decimals.

    Attributes:
        start_balance, cash, gross, fees: [quote ccy].
        funding: received less paid [quote ccy].
        qty: signed position [base units].
        cost: what the open position cost, signed like ``qty`` [quote ccy].

    Of an inverse contract quantities are in quote currency, all money is in what it is settled in, and being long by q is
    being short of q units of quote currency, each worth 1 / price.
    """

    def __init__(self, start_balance: float, *, inverse: bool = False) -> None:
        self.start_balance = self.cash = _exact(start_balance)
        self.qty = self.cost = self.gross = self.fees = self.funding = Decimal(0)
        self.inverse, self.trades = inverse, 0

    def apply(self, qty: float, price: float, fee: float) -> None:
        """Book one execution.

        Args:
            qty: signed quantity, buys positive [base units].
            price: [quote ccy].
            fee: never negative [quote ccy].
        """
        with localcontext(prec=PRECISION):
            d_qty, d_price, d_fee = _exact(qty), _exact(price), _exact(fee)
            self.cash -= self._worth(d_qty, d_price) + d_fee
            self.fees += d_fee
            if self.qty * d_qty < 0:
                closing = -self.qty if abs(d_qty) >= abs(self.qty) else d_qty
                released = self.cost * (-closing / self.qty)
                self.gross += self._worth(-closing, d_price) - released
                self.cost -= released
                self.qty += closing
                d_qty -= closing
                self.trades += self.qty == 0
            self.qty += d_qty
            self.cost += self._worth(d_qty, d_price)

    def fund(self, amount: float) -> None:
        """Book one payment of funding, received where positive [quote ccy]."""
        with localcontext(prec=PRECISION):
            self.funding += _exact(amount)
            self.cash += _exact(amount)

    @property
    def realized_pnl(self) -> Decimal:
        """Realized PnL net of all fees, with all funding [quote ccy]."""
        return self.gross - self.fees + self.funding

    def unrealized_pnl(self, close: float) -> Decimal:
        """Value of the open position at ``close`` minus what it cost [quote ccy]."""
        with localcontext(prec=PRECISION):
            return self._worth(self.qty, _exact(close)) - self.cost

    def equity(self, close: float) -> Decimal:
        """Return cash plus the market value of the position at ``close`` [quote ccy]."""
        with localcontext(prec=PRECISION):
            return self.cash + self._worth(self.qty, _exact(close))

    def _worth(self, qty: Decimal, price: Decimal) -> Decimal:
        return -qty / price if self.inverse else qty * price


def _exact(value: float) -> Decimal:
    """Return the decimal that a person reads when the float is printed."""
    return Decimal(repr(value))
