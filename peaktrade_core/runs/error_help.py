"""What to do about a session that did not complete: from its error's type to the next step and its runbook."""

from __future__ import annotations

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
