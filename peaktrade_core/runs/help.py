"""What to do about a run that did not go well: each deny code and each kind of error in words, with the next step."""

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
    "NOT_FINITE": DenyHelp("a price, size or equity is not a number", "Check the candles and the strategy."),
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

_STEPS = {
    "ExchangeNetworkError": (
        "check the venue's status and the network, then start again (runbook 7, exchange errors).",
        "Status der Börse und Netz prüfen, dann neu starten (Runbook 7, Exchange-Fehler).",
    ),
    "ExchangeRateLimitError": (
        "wait, and ask the venue less often (runbook 7, exchange errors).",
        "Warten und die Börse seltener fragen (Runbook 7, Exchange-Fehler).",
    ),
    "ExchangeAuthenticationError": (
        "stop all sessions of this venue and check its key (runbook 7, exchange errors).",
        "Alle Sessions dieser Börse stoppen und den Schlüssel prüfen (Runbook 7, Exchange-Fehler).",
    ),
    "ForbiddenRequestError": (
        "stop all sessions of this venue and find out what led its requests elsewhere (runbook 7, exchange errors).",
        "Alle Sessions dieser Börse stoppen und klären, was ihre Anfragen umgeleitet hat (Runbook 7, Exchange-Fehler).",
    ),
    "DataError": (
        "check the candles for gaps and impossible bars (runbook 10, data gaps).",
        "Kerzen auf Lücken und unmögliche Bars prüfen (Runbook 10, Datenlücken).",
    ),
    "StrategyError": (
        "mend the strategy, then repeat the session with the same seed or candles.",
        "Strategie berichtigen, dann die Session mit gleichem Seed oder gleichen Kerzen wiederholen.",
    ),
    "EnvironmentFault": (
        "check free space and permissions of the workspace (runbook 6, health check).",
        "Freien Platz und Rechte des Arbeitsordners prüfen (Runbook 6, Health-Check).",
    ),
    "Stopped": (
        "note who stopped it and why.",
        "Vermerken, wer sie warum beendet hat.",
    ),
    "ProcessDied": (
        "find out what ended the process, then start again (runbook 4, restart).",
        "Klären, was den Prozess beendet hat, dann neu starten (Runbook 4, Wiederanlauf).",
    ),
}
_ANY = (
    "read the session's journal, note what happened, and start again only then (runbook 6, health check).",
    "Das Journal der Session lesen, den Vorfall notieren, erst dann neu starten (Runbook 6, Health-Check).",
)


def next_step(error: str, language: str = "en") -> str:
    """Return the next step after ``error`` (``Type: message``) in ``en`` or ``de``."""
    return _STEPS.get(error.partition(":")[0].strip(), _ANY)[language == "de"]
