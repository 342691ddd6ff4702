"""The 29 controls: what each means here, what holds it, and when it was last exercised, by what.

They are data, ``controls.toml`` beside this. A control counts as exercised when the artefacts show it, in operation or in
a drill; with none it is exercised by its tests only, and what the suite does not have is *not here*, never good.

Source: the controls that supervisors ask of automated trading, as phase 83 §6 and runbook 11 take them up.
"""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.drills.coverage import CODE, DAYS, RULE, RUNBOOK, SCENARIO, TRACE, Exercised, exercised
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns
from peaktrade_core.workspace.workspace import Workspace

Stands = Literal["exercised", "not lately", "only by test", "never", "not here", "unknown"]
LATELY, ONCE, BY_TEST, NEVER, NOT_HERE, UNKNOWN = (
    "exercised",
    "not lately",
    "only by test",
    "never",
    "not here",
    "unknown",
)
TONES = {LATELY: GOOD, ONCE: MID, BY_TEST: MID, NEVER: BAD, NOT_HERE: BAD, UNKNOWN: MID}


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One control; see the head of ``controls.toml`` for what each field is."""

    name: str
    title: str
    means: str
    holds: str = ""
    codes: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    drills: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    lacks: str = ""
    absent: bool = False

    @property
    def exercisers(self) -> tuple[tuple[str, str], ...]:
        """What can exercise it: kind and name."""
        of = {CODE: self.codes, RULE: self.alerts, RUNBOOK: self.runbooks, SCENARIO: self.drills, TRACE: self.traces}
        return tuple((kind, name) for kind, names in of.items() for name in names)


class ControlRow(msgspec.Struct, frozen=True, kw_only=True):
    """How a control stands.

    Attributes:
        stands: see :data:`Stands`; last: when it was exercised last, aware UTC; by: the id of what shows it; kind, name, where:
            what that is, and whether it was in operation or in a drill.
    """

    control: Control
    stands: Stands
    last: datetime | None = None
    by: str = ""
    kind: str = ""
    name: str = ""
    where: str = ""


class Controls(msgspec.Struct, frozen=True, kw_only=True):
    """How the controls stand: the rows in the order of the data; days: what *lately* means; faults: what cannot be read."""

    days: int
    rows: tuple[ControlRow, ...]
    faults: tuple[str, ...]

    def count(self, *stands: str) -> int:
        """Return how many stand so."""
        return sum(row.stands in stands for row in self.rows)


@cache
def controls() -> tuple[Control, ...]:
    """Return the controls, read once."""
    found = tomllib.loads(Path(__file__).with_name("controls.toml").read_text(encoding="utf-8"))
    return tuple(msgspec.convert({"name": name, **one}, Control) for name, one in found.items())


def covered_controls(
    place: Workspace, days: int = DAYS, since: datetime = EPOCH, until: datetime | None = None
) -> Controls:
    """Return how each control stands.

    Args:
        place: whose artefacts are read; days: within which an exercise counts as lately.
        since, until: the artefacts of which time; all by default.

    Raises:
        ConfigError: the alert rules or the scenarios are not sound.
    """
    now = until or place.clock.now()
    seen = exercised(place, since, until)
    fresh = now - timedelta(days=days)
    return Controls(days=days, rows=tuple(_row(one, seen, fresh) for one in controls()), faults=seen.faults)


def _row(control: Control, seen: Exercised, fresh: datetime) -> ControlRow:
    if control.absent:
        return ControlRow(control=control, stands="not here")
    found = [(shown, kind, name) for kind, name in control.exercisers if (shown := seen.last(kind, name)) is not None]
    if not found:
        if seen.faults:
            return ControlRow(control=control, stands="unknown")
        return ControlRow(control=control, stands="only by test" if control.tests else "never")
    shown, kind, name = max(found, key=lambda one: one[0].at)
    return ControlRow(
        control=control, stands="exercised" if shown.at >= fresh else "not lately", last=shown.at, by=shown.by, kind=kind,
        name=name, where=shown.where,
    )  # fmt: skip


def controls_told(found: Controls) -> str:
    """Return in a sentence how the controls stand."""
    first = f"{found.count(LATELY)} of {len(found.rows)} controls were exercised in the last {found.days} days"
    rest = (
        (found.count(ONCE), "longer ago"), (found.count(BY_TEST), "only by test"), (found.count(NEVER), "never"),
        (found.count(UNKNOWN), "unknown"), (found.count(NOT_HERE), "not here"),
    )  # fmt: skip
    return "; ".join([first, *(f"{count} {word}" for count, word in rest if count)])


CONTROLS = Columns[ControlRow](
    control=Column("Control", lambda row: row.control.title, "words"),
    stands=Column("Stands", lambda row: Cell(row.stands, TONES[row.stands])),
    last=Column("Last (UTC)", lambda row: wording.minute(row.last)),
    by=Column("By", lambda row: f"{row.name} ({row.by})" if row.by else row.name, "words"),
    where=Column("Where", priority=2),
    lacks=Column("What is not here", lambda row: row.control.lacks, "words", 1),
)
