"""What only the live stage asks. It can be rehearsed, and always ends with the locked gate: there is no code behind it.

Source: operational runbooks 3.2 (live).
"""

from __future__ import annotations

import os
from datetime import timedelta

from peaktrade_core.base.errors import LiveModeNotAllowedError
from peaktrade_core.base.question import FAIL, WARN, Found, Question, question
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Answer, Evidence
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.workspace import Workspace

ENOUGH_TESTNET, PRACTICE_DAYS = 5, timedelta(days=30)
_SIGN = "Give people keys in config/people.toml, so that both sign; then go through live_start again."
LIVE_KEYS = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")


def _rehearsed(mode: str, enough: int) -> Question[Workspace]:
    """Declare whether the stage before was practised lately."""

    @question(
        f"rehearsed_{mode}",
        f"Was {mode} practised: at least {enough} completed in the last {PRACTICE_DAYS.days} days, none failed?",
        f"Run it in {mode} first, and find the cause of each failure.",
        otherwise=WARN if enough == 1 else FAIL,
    )
    def rehearsed(workspace: Workspace) -> Found:
        since = workspace.clock.now() - PRACTICE_DAYS
        rows = Views.of(workspace).rows(Query(mode=mode, since=since))
        good, bad = (sum(row.status == status for row in rows) for status in ("completed", "failed"))
        return good >= enough and not bad, f"{good} completed, {bad} failed"

    return rehearsed


rehearsed_shadow, rehearsed_testnet = _rehearsed("shadow", 1), _rehearsed("testnet", ENOUGH_TESTNET)


@question("limits", "Are the risk limits conservative?", "Lower them in [live_risk].")
def conservative(workspace: Workspace) -> Found:
    """Compare the limits with the shipped ones, which are the largest for a first run."""
    shipped, ours = Limits()._asdict(), workspace.config.limits._asdict()
    names = ("max_order_notional", "max_symbol_exposure_notional", "max_total_exposure_notional")
    losses = ("max_daily_loss_abs", "max_daily_loss_pct", "max_drawdown_halt_pct")
    above = [f"{name} {ours[name]:g} > {shipped[name]:g}" for name in (*names, *losses) if ours[name] > shipped[name]]
    return not above, "; ".join(above) or "none is above the shipped one"


@question(
    "two_people",
    "Have two people documented the release (two-man rule)?",
    "The runbook live_start rehearses it; it, too, ends at the locked gate.",
)
def two_people(workspace: Workspace) -> Found:
    """Look for a live-start runbook in which two people said go; it, too, ended at the gate."""
    records = EvidenceBook.of(workspace).newest("live_start")
    said = {record.evidence_id: answer for record in records if (answer := _go(record))}
    if found := next((name for name, answer in said.items() if answer.request), ""):
        return True, f"{found}: {said[found].by} with {said[found].agreed}"
    if typed := next(iter(said), ""):
        return False, f"{typed}: {said[typed].by} with {said[typed].agreed}, which counts as no-go", _SIGN
    return False, "no evidence of the runbook live_start with a go of two people"


def _go(record: Evidence) -> Answer | None:
    """Return the answer of the record of a live start, in earnest, in which two people said go."""
    step = record.step("go_no_go")
    answer = step.answer if step else None
    goes = not record.rehearsal and answer is not None and answer.key == "go" and bool(answer.second)
    return answer if goes else None


@question(
    "keys",
    "Are production keys out of reach?",
    "Unset them: nothing here reads them, and nothing here needs them.",
    otherwise=WARN,
)
def keys(_: Workspace) -> Found:
    """Look into the environment."""
    present = [name for name in LIVE_KEYS if os.environ.get(name)]
    return not present, f"{' and '.join(present)} set" if present else "none in the environment"


@question(
    "gate",
    "May a live session start?",
    "Nothing unlocks it: the only brokers are the simulation, Kraken with validate=true and the futures "
    "demo, and each refuses to be built otherwise (docs/architecture.md). Stay in shadow or testnet.",
)
def gate(workspace: Workspace) -> Found:
    """Try what must be impossible, and say why it is."""
    try:
        plan_session(workspace, mode="live")
    except LiveModeNotAllowedError as refusal:
        return False, str(refusal)
    step = "Stop everything and use another version: this one lacks the lock."
    return FAIL, "a live session could be planned", step
