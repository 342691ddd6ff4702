"""What each deny code means and what an operator does about it; the words of notebooks, pages and handbook."""

from __future__ import annotations

from typing import NamedTuple


class DenyHelp(NamedTuple):
    """A deny code in words: what it means, and the next step."""

    meaning: str
    next_step: str


_LIMIT = "Is the order too large or the limit too tight? Change one of them in config.toml, never go around it."
_LOSS = "No new positions until 00:00 UTC; do a risk review before raising it."
_RUNAWAY = "Look for a strategy that trades too often before raising it."
_RESUME = "Find the cause, then `peaktrade risk resume`, or for everything `peaktrade killswitch release`."

DENY_HELP = {
    "NOT_FINITE": DenyHelp("a price, size or equity is no number", "Check the candles and the strategy."),
    "BAD_SIGNAL": DenyHelp("the strategy said something else than -1, 0 or 1", "Mend the strategy."),
    "HALTED": DenyHelp("trading is halted", _RESUME),
    "REDUCING_ONLY": DenyHelp("only reducing orders are allowed", _RESUME),
    "SIZE_BELOW_MINIMUM": DenyHelp("smaller than the venue accepts", "Raise position_fraction or the balance."),
    "MAX_ORDER_NOTIONAL": DenyHelp("one opening order is too large", _LIMIT),
    "MAX_SYMBOL_EXPOSURE": DenyHelp("too much in one symbol", _LIMIT),
    "MAX_TOTAL_EXPOSURE": DenyHelp("too much in all symbols together", _LIMIT),
    "MAX_OPEN_POSITIONS": DenyHelp("too many positions", _LIMIT),
    "MAX_DAILY_LOSS_ABS": DenyHelp("the day's loss has reached its limit", _LOSS),
    "MAX_DAILY_LOSS_PCT": DenyHelp("the day's loss has reached its limit in percent", _LOSS),
    "STALE_PRICE": DenyHelp("the price is too old", "Check the feed; see the data-gap runbook."),
    "PRICE_COLLAR": DenyHelp("the price moved too far from its reference", "Check the candles for a bad print."),
    "MESSAGE_RATE": DenyHelp("too many orders in a minute", _RUNAWAY),
    "REPEATED_EXECUTION": DenyHelp("too many entries in one UTC day", _RUNAWAY),
    "DUPLICATE_ORDER": DenyHelp("the same order again within its window", _RUNAWAY),
    "CONSECUTIVE_REJECTS": DenyHelp("the venue rejected too many in a row; the session halted", _RESUME),
    "MAX_DRAWDOWN_HALT": DenyHelp("the drawdown reached its limit; the session halted", _RESUME),
    "MAX_OPEN_ORDERS": DenyHelp("too many orders at once", _LIMIT),
    "ACCOUNT_UNAVAILABLE": DenyHelp(
        "what the other sessions use cannot be read", "`peaktrade risk show` says what is wrong and what to do."
    ),
}
UNKNOWN = DenyHelp("a code of another version", "Look it up in that version's handbook.")
