"""What is shown of findings."""

from __future__ import annotations

from typing import Any

from peaktrade_core.research.findings.run import HOLDS, NOTHING, TOO_FEW, FindingRecord, StateFound
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import check_table
from peaktrade_core.show.table import BAD, GOOD, Cell, Column, Columns, Table


def _word(row: StateFound) -> Cell:
    return Cell(row.word, {HOLDS: GOOD, NOTHING: "", TOO_FEW: ""}.get(row.word, BAD))


def _interval(row: StateFound) -> str | None:
    return None if row.low is None or row.high is None else f"{wording.gained(row.low)} to {wording.gained(row.high)}"


def _p(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


FOUND = Columns[StateFound](
    market=Column("Market", lambda row: f"{row.symbol} {row.timeframe}"),
    state=Column("State", lambda row: row.state),
    word=Column("What can be said", _word, "words"),
    days=Column("Days", lambda row: f"{row.days:,}", "number"),
    stretches=Column("Stretches", lambda row: f"{row.stretches:,}", "number", 3),
    count=Column("Bars", lambda row: f"{row.count:,}", "number", 4),
    mean=Column("Mean after it", lambda row: wording.gained(row.mean), "number"),
    interval=Column("95 %", _interval, "number", 2),
    all=Column("After all", lambda row: wording.gained(row.market), "number", 2),
    p=Column("p", lambda row: _p(row.p), "number", 3),
    holm=Column("p, Holm", lambda row: _p(row.p_holm), "number", 1),
    unseen=Column("Unseen mean", lambda row: wording.gained(row.unseen_mean), "number", 1),
    unseen_p=Column("Unseen p", lambda row: _p(row.unseen_p), "number", 2),
)


def finding_parts(record: FindingRecord) -> list[Table | str]:
    """Return what came of a finding: the verdict first, then the states."""
    finding, held = record.finding, f"; {record.held:,} bars are held back" if record.held else ""
    tests = wording.many(record.tests, "state")
    counted = (
        f"{tests} ever asked about on these markets" if record.finding_id else "a made-up market: not counted, not kept"
    )
    errors: list[Table | str] = [f"{market} could not be asked: {why}" for market, why in record.errors.items()]
    return [
        f"{record.finding_id or 'not kept'}: {finding.name}: {finding.question}",
        f"The return over {wording.many(finding.horizon, 'bar')} after each state; {counted}{held}",
        *errors,
        "",
        check_table(record.verdict, "Verdict: " + told(record.verdict)),
        FOUND.table("", record.rows, empty="No state is known."),
    ]


LISTED = Columns[Any](
    name=Column("Finding", lambda one: one[0]),
    question=Column("Question", lambda one: Cell(one[1], BAD) if isinstance(one[1], str) else one[1].question, "words"),
    states=Column("States", lambda one: "" if isinstance(one[1], str) else one[1].states.kind),
    markets=Column(
        "Markets",
        lambda one: "" if isinstance(one[1], str) else ", ".join(f"{m.symbol} {m.timeframe}" for m in one[1].market),
    ),
)
