"""A session beside what was expected of it: the finding, its decision tree and conditions.

Source: operational runbooks 9.1 to 9.4 (symptoms, causes, steps, conditions for going on).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import Check
from peaktrade_core.incidents.case import Case
from peaktrade_core.incidents.diagnosis.diagnose import diagnose
from peaktrade_core.incidents.diagnosis.findings import Branch, Occurrence, Support, branches
from peaktrade_core.records.registry import Query
from peaktrade_core.research.divergence import (
    LOGIC,
    REST,
    CauseShare,
    Divergence,
    Expectation,
    Recorded,
    diverge,
    expected_run,
)
from peaktrade_core.research.divergence_session import expectation, load_recorded
from peaktrade_core.runbooks.notebook import open_session
from peaktrade_core.runs.handbook import COMPARED, condition, handbook
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Line
from peaktrade_core.show.wording import figure
from peaktrade_core.workspace.workspace import Workspace

THRESHOLD = 0.3  # fraction of what was expected; source: 9.1
TELLING = 0.2  # share of all causes from which one counts as supported [fraction]
IDENTIFIED = 0.8  # share of the causes that must be known [fraction]


class DivergenceCase(Case):
    """A session beside what was expected of it.

    Attributes:
        found: the comparison; threshold: from which it is an incident [fraction of the expectation].
    """

    def __init__(
        self,
        workspace: Workspace,
        recorded: Recorded,
        expected: Expectation,
        threshold: float,
        against: str = "",
        candles: str = "",
    ) -> None:
        self._recorded, self._expected, self._against, self._candles = recorded, expected, against, candles
        self.threshold = threshold
        self.found: Divergence = diverge(recorded, expected)
        session = open_session(workspace, recorded.session_id)
        diagnosis = diagnose(workspace, session.id)
        finding = finding_of(self.found, session.record.mode, threshold)
        whole = msgspec.structs.replace(diagnosis, findings=(*diagnosis.findings, finding))
        super().__init__(workspace, finding.runbook, session, whole)
        self.kinds = (COMPARED,)
        self.finding = finding if finding.happened else None

    def again(self) -> Divergence:
        """Return the comparison that counts for going on: of the newest session of this kind, with today's settings."""
        record = self.session.record
        kind = Query(mode=record.mode, strategy=record.setting("strategy_name"), symbol=record.symbol)
        newest = Views.of(self.workspace).latest(kind)
        if newest is None or newest.session_id == self.id or newest.status == "started":
            expected = expectation(self.workspace, self._recorded, self._against or None, self._candles)
            return diverge(self._recorded, expected)
        later = load_recorded(self.workspace, newest.session_id)
        return diverge(later, expectation(self.workspace, later))

    @property
    def curves(self) -> Chart:
        """PnL of both over time."""
        run, start = expected_run(self._recorded, self._expected), self._recorded.config.start_balance
        other = self._expected.config.start_balance
        mine = [bar.done for bar in self._recorded.bars]
        lines = [
            Line("session", [bar.ts for bar in mine], [bar.equity - start for bar in mine], "accent"),
            Line("expected", [bar.ts for bar in run.done], [bar.equity - other for bar in run.done], "amber"),
        ]
        title, unit = "PnL of the session and of what was expected", self.session.currency
        drawn = [line for line in lines if line.values]
        ends = ", ".join(f"{line.name} ends at {wording.signed(line.values[-1])}" for line in drawn)
        return Chart(name="pnl", title=title, unit=unit, label=f"{title}: {ends} {unit}", lines=drawn)


def open_divergence(
    workspace: Workspace,
    session_id: str = "latest",
    other: str = "",
    candles: str = "",
    threshold_pct: float = 30.0,
) -> DivergenceCase:
    """Return a session beside its backtest, or beside another session.

    Args:
        workspace, session_id: which.
        other: another session, empty for the backtest of its bars.
        candles: a file of candles that is right, empty for the session's own source.
        threshold_pct: from which difference it is an incident [% of the expectation].

    Raises:
        ConfigError: the threshold is out of range; and as :func:`~peaktrade_core.research.divergence_session.compare_session`.
    """
    if not 0.0 < threshold_pct <= 1000.0:
        raise ConfigError(f"threshold_pct = {threshold_pct!r} must be above 0 and at most 1000")
    recorded = load_recorded(workspace, session_id)
    expected = expectation(workspace, recorded, other or None, candles)
    return DivergenceCase(workspace, recorded, expected, threshold_pct / 100.0, other, candles)


def finding_of(found: Divergence, mode: str, threshold: float = THRESHOLD) -> Occurrence:
    """Return a divergence as a finding.

    Args:
        found: the comparison; mode: of the session.
        threshold: from which size, as a share of what was expected, it is an incident [fraction].
    """
    whole, relative = wording.signed(float(found.whole)), _relative(found)
    size = f"{whole} against {found.against}, {relative}"
    if not happened(found, threshold):
        pnl, expected = wording.signed(float(found.recorded_pnl)), wording.signed(float(found.expected_pnl))
        text = f"PnL {pnl}, expected {expected}: {whole} against {found.against}, {relative}"
        regime = "; the loss is the market's: review the strategy" if found.recorded_pnl < 0 else ""
        return Occurrence(kind=COMPARED, happened=False, evidence=(text + regime,))
    first = found.first
    parts = [
        f"{part.cause}: {wording.signed(float(part.amount))} ({figure(part.bps, 1, plus=True)} bps), {part.says}"
        for part in found.parts
    ]
    began = f"first difference at {iso(first.at)}, {first.cause}: {first.why}" if first else "no event differs"
    return Occurrence(
        kind=COMPARED,
        happened=True,
        severity="high" if found.main in (LOGIC, REST) else "medium",
        evidence=(size, began, *parts, *found.notes),
        since=first.at if first else None,
        symptom=f"PnL {wording.signed(float(found.recorded_pnl))} where {wording.signed(float(found.expected_pnl))} was expected",
        suspected=_suspected(found),
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
    told = f"{wording.percent(share, 0)} of it explained" + (f"; not known: {', '.join(unknown)}" if unknown else "")
    pnl, backtest = wording.signed(float(found.recorded_pnl)), wording.signed(float(found.expected_pnl))
    again = f"{found.session_id}: PnL {pnl}, backtest {backtest}, {_relative(found)}"
    rest = found.part(REST).amount
    return (
        condition("cause_of_difference", share >= IDENTIFIED and not unknown, told),
        condition("realistic", not happened(found, threshold), again),
        condition("repeatable", not rest, f"rest {wording.signed(float(rest))}"),
    )


def _suspected(found: Divergence) -> str:
    """Return the likely cause: the largest part, or what is still open."""
    entry = handbook().kind[COMPARED]
    return entry.way[found.main].situation.lower() if found.main else entry.cause["position"]


def _branches(found: Divergence, mode: str) -> tuple[Branch, ...]:
    """Return the decision tree, the largest cause first."""
    total = _total(found.parts)
    support = {}
    for part in found.parts:
        share = abs(float(part.amount)) / total if total else 0.0
        told = f"{wording.signed(float(part.amount))}, {wording.percent(share, 0)} of it: {part.says}"
        support[part.cause] = Support(share >= TELLING if part.known else None, told)
    size = {part.cause: abs(part.amount) for part in found.parts}
    return tuple(sorted(branches(COMPARED, support, mode), key=lambda branch: -size[branch.key]))


def _total(parts: Sequence[CauseShare]) -> float:
    return sum(abs(float(part.amount)) for part in parts)


def _relative(found: Divergence) -> str:
    if found.relative is None:
        return "nothing was expected"
    return f"{wording.percent(found.relative, 0)} of the expectation"
