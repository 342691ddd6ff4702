"""A divergence as the incident runbooks take it: whether it happened, what shows it, the decision tree, the conditions.

Source: operational runbooks 9.1 to 9.4 (symptoms, causes, steps, conditions for going on).
"""

from __future__ import annotations

from collections.abc import Sequence

from peaktrade_core.base.clock import iso
from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.incidents.diagnosis import findings as dg
from peaktrade_core.incidents.diagnosis.findings import Branch, Finding
from peaktrade_core.incidents.incident import HIGH, MEDIUM
from peaktrade_core.research.divergence import CONTROLS, DATA, FEE, LOGIC, REST, SLIPPAGE, Divergence, Part
from peaktrade_core.show.wording import percent, signed

THRESHOLD = 0.3  # fraction of what was expected; source: 9.1
TELLING = 0.2  # share of all causes from which one counts as supported [fraction]
IDENTIFIED = 0.8  # share of the causes that must be known [fraction]
_WAYS = {
    DATA: (
        "The data were wrong",
        "Check the source: `peaktrade data check`, runbook incident_data_gap. Run nothing on it until it is sound.",
    ),
    LOGIC: (
        "The strategy decided otherwise",
        "Take the strategy out of rotation; compare code and parameters with those of its backtest.",
    ),
    CONTROLS: (
        "Orders were denied, halted or refused",
        "Treat what stopped them (incident_risk_limit, incident_exchange_error); the strategy is not at fault.",
    ),
    SLIPPAGE: (
        "Slippage is higher than expected",
        "Raise slippage_bps in config/config.toml to what was measured, then backtest again.",
    ),
    FEE: ("The fee is another than expected", "Check the fee rate at the venue and fee_bps in config/config.toml."),
    REST: (
        "The journal does not repeat",
        "Secure the run folder, let nobody write into it, and report a bug: this must not happen.",
    ),
}


def finding_of(found: Divergence, mode: str, threshold: float = THRESHOLD) -> Finding:
    """Return a divergence as a finding.

    Args:
        found: the comparison; mode: of the session.
        threshold: from which size, as a share of what was expected, it is an incident [fraction].
    """
    size = f"{signed(float(found.whole))} against {found.against}, {_relative(found)}"
    if not happened(found, threshold):
        text = f"PnL {signed(float(found.recorded_pnl))}, expected {signed(float(found.expected_pnl))}: {size}"
        regime = "; the loss is the market's: review the strategy" if found.recorded_pnl < 0 else ""
        return Finding(kind=dg.PNL_DIVERGENCE, happened=False, evidence=(text + regime,))
    first = found.first
    parts = [f"{part.cause}: {signed(float(part.amount))} ({part.bps:+.1f} bps), {part.says}" for part in found.parts]
    began = f"first difference at {iso(first.at)}, {first.cause}: {first.why}" if first else "no event differs"
    grave = found.main in (LOGIC, REST)
    return Finding(
        kind=dg.PNL_DIVERGENCE,
        happened=True,
        severity=HIGH if grave else MEDIUM,
        evidence=(size, began, *parts, *found.notes),
        since=first.at if first else None,
        symptom=f"PnL {signed(float(found.recorded_pnl))} where {signed(float(found.expected_pnl))} was expected",
        suspected=_WAYS[found.main][0].lower() if found.main else "the open position",
        branches=_branches(found, mode),
        resume=conditions(found, threshold),
    )


def happened(found: Divergence, threshold: float) -> bool:
    """Return whether a difference is large enough, or of a kind that is never small."""
    if found.part(REST).amount:
        return True
    return bool(found.whole) and (found.relative is None or found.relative > threshold)


def conditions(found: Divergence, threshold: float = THRESHOLD) -> tuple[Check, ...]:
    """Return the conditions for going on, as far as artefacts can answer them (9.4)."""
    known = [part for part in found.parts if part.known and part.cause != REST]
    total = _total(found.parts)
    share = sum(abs(float(part.amount)) for part in known) / total if total else 1.0
    unknown = [part.cause for part in found.parts if not part.known]
    told = f"{percent(share, 0)} of it explained" + (f"; not known: {', '.join(unknown)}" if unknown else "")
    return (
        check(
            "cause",
            "Is the cause identified?",
            share >= IDENTIFIED and not unknown,
            told,
            "Get the candles (`peaktrade exchange fetch`) or the strategy back, then compare again.",
        ),
        check(
            "realistic",
            "Does a backtest with today's settings give realistic values?",
            not happened(found, threshold),
            f"{found.session_id}: PnL {signed(float(found.recorded_pnl))}, backtest {signed(float(found.expected_pnl))}, "
            f"{_relative(found)}",
            "Mend the cause - costs, candles, strategy -, run a shadow session of this kind, then this cell again.",
        ),
        check(
            "repeatable",
            "Does the journal repeat?",
            not found.part(REST).amount,
            f"rest {signed(float(found.part(REST).amount))}",
            "Report a bug; start nothing of this version.",
            otherwise=WARN,
        ),
    )


def _branches(found: Divergence, mode: str) -> tuple[Branch, ...]:
    """Return the decision tree, the largest cause first."""
    total = _total(found.parts)
    ordered = sorted(found.parts, key=lambda part: -abs(part.amount))
    branches = []
    for part in ordered:
        situation, action = _WAYS[part.cause]
        share = abs(float(part.amount)) / total if total else 0.0
        supported = share >= TELLING if part.known else None
        told = f"{signed(float(part.amount))}, {percent(share, 0)} of it: {part.says}"
        stops = mode != "shadow" and part.cause in (DATA, LOGIC, REST)  # a shadow session goes on, for its data
        branches.append(
            Branch(
                key=part.cause,
                situation=situation,
                action=action,
                supported=supported,
                why=told,
                authority="pause" if stops else "routine",
            )
        )
    return tuple(branches)


def _total(parts: Sequence[Part]) -> float:
    return sum(abs(float(part.amount)) for part in parts)


def _relative(found: Divergence) -> str:
    return "nothing was expected" if found.relative is None else f"{percent(found.relative, 0)} of the expectation"
