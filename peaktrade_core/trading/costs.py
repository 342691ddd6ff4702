"""What an execution costs and how prices and quantities are rounded. Pure arithmetic, interpreted and compiled.

Ticks and lots are fractions ``num / den`` of whole numbers: ``k * num / den`` is then the correctly rounded double of
the decimal that a person writes, so a price of 0.1 + 0.2 never appears as 0.30000000000000004. ``x // 1.0`` rounds
down in floats: unlike ``math.floor`` it means the same compiled, where whole numbers end at 2**63.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from peaktrade_core.trading.market import Instrument, decimal_step


class Market(NamedTuple):
    """What the decision code must know of an instrument and its costs.

    Attributes:
        tick_num, tick_den: smallest price step as a fraction [quote ccy].
        lot_num, lot_den: smallest quantity step as a fraction [base units].
        min_qty: smallest order [base units].
        min_notional: smallest order [quote ccy].
        shorts: 1.0 on a derivatives market, 0.0 on a spot market, where -1 means flat.
        fee_rate: fee on notional [fraction].
        slippage: how much worse than the open an order fills [fraction].
        position_fraction: notional of a new position as a share of equity [fraction].
        inverse: 1.0 for an inverse contract, counted in quote currency and paid in what it is settled in, else 0.0.
        leverage: notional over margin of a perpetual contract, 0.0 for a market that is none.
        maintenance: margin below which it is liquidated [fraction of notional]; NaN where nobody knows it.
        least_distance: smallest allowed distance to liquidation [% of the price].
    """

    tick_num: float
    tick_den: float
    lot_num: float
    lot_den: float
    min_qty: float
    min_notional: float
    shorts: float
    fee_rate: float
    slippage: float
    position_fraction: float
    inverse: float = 0.0
    leverage: float = 0.0
    maintenance: float = 0.0
    least_distance: float = 0.0


def market_of(instrument: Instrument, *, fee_bps: float, slippage_bps: float, position_fraction: float) -> Market:
    """Return an instrument and its costs as the decision code takes them.

    Args:
        instrument: the market.
        fee_bps, slippage_bps: costs [basis points of notional]; position_fraction: of equity [fraction].
    """
    tick, lot = decimal_step("tick", instrument.tick), decimal_step("lot", instrument.lot)
    margin = instrument.maintenance_margin_pct
    perpetual = bool(instrument.contract)
    return Market(
        float(tick[0]),
        float(tick[1]),
        float(lot[0]),
        float(lot[1]),
        instrument.min_qty,
        instrument.min_notional,
        1.0 if instrument.kind == "derivatives" else 0.0,
        fee_bps / 1e4,
        slippage_bps / 1e4,
        position_fraction,
        1.0 if instrument.contract == "inverse" else 0.0,
        instrument.leverage if perpetual else 0.0,
        (math.nan if margin is None else margin / 100.0) if perpetual else 0.0,
        instrument.min_liquidation_distance_pct if perpetual else 0.0,
    )


def whole_steps(steps: float) -> float:
    """Round a number of steps down to a whole one.

    A number within a billionth of the next whole one, or within the noise of its own last digits, counts as that one: it
    is the same number with rounding noise.
    """
    return (steps + 1e-9 + 1e-15 * abs(steps)) // 1.0


def round_qty(market: Market, qty: float) -> float:
    """Round a non-negative quantity down to the lot [base units]."""
    return whole_steps(qty * market.lot_den / market.lot_num) * market.lot_num / market.lot_den


def fill_price(market: Market, reference: float, qty: float) -> float:
    """Return the price of an execution: worse than the reference by the slippage, and on the tick [quote ccy].

    Rounded against the trader, a buy up and a sell down, so that no coarse tick swallows the slippage or turns it into a
    gain. A price that is on a tick stays there. Never below one tick.

    Args:
        market: tick and slippage.
        reference: open of the bar after the decision; at the decision its close, for what is to be expected [quote ccy].
        qty: signed quantity; buys pay more, sells receive less.
    """
    if qty > 0.0:
        ticks = -whole_steps(-reference * (1.0 + market.slippage) * market.tick_den / market.tick_num)
    else:
        ticks = whole_steps(reference * (1.0 - market.slippage) * market.tick_den / market.tick_num)
    return max(ticks, 1.0) * market.tick_num / market.tick_den


def fee(market: Market, qty: float, price: float) -> float:
    """Return the fee of an execution, |qty * price| * rate, never negative [quote ccy]; of an inverse contract |qty / price|."""
    return abs(qty / price if market.inverse != 0.0 else qty * price) * market.fee_rate


def position_size(market: Market, equity: float, price: float) -> float:
    """Return the quantity of a new position: a fixed share of equity, rounded down to the lot [base units].

    Args:
        market: lot and position fraction.
        equity: marked equity [quote ccy], of an inverse contract in what it is settled in; a negative one sizes to 0.
        price: close at the decision [quote ccy].
    """
    notional = market.position_fraction * equity
    if notional <= 0.0:
        return 0.0
    return round_qty(market, notional * price if market.inverse != 0.0 else notional / price)


def affordable(market: Market, cash: float, qty: float, price: float) -> float:
    """Return how much of a purchase the cash pays for, its fee included, in whole lots [base units].

    Args:
        market: lot and fee.
        cash: [quote ccy].
        qty: wanted, positive [base units].
        price: of the execution [quote ccy].
    """
    if qty * price + fee(market, qty, price) <= cash:
        return qty
    paid = round_qty(market, max(cash, 0.0) / (price * (1.0 + market.fee_rate)))
    if paid * price + fee(market, paid, price) > cash:  # by the noise of the division
        paid = round_qty(market, max(paid - 0.5 * market.lot_num / market.lot_den, 0.0))
    return paid
