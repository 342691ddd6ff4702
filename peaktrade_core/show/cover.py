"""The cover of a report: whose it is, when, how its subject stands, three figures, a chart, what needs a person, links.

Every report begins with one, in a notebook, as a page and as markdown. It decides nothing: verdict and answers are those
of the subject, and are written with the words that every other place uses for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from peaktrade_core.base import clock
from peaktrade_core.base.question import PASS, Check, worst
from peaktrade_core.base.resources import share_dir
from peaktrade_core.show import wording
from peaktrade_core.show.chart import HEIGHT, Chart, Frame, Line, Mark, Marks, Shade, Sign, Tone, pieces
from peaktrade_core.show.checklist import CHECKS, answers_told
from peaktrade_core.show.drawing import draw
from peaktrade_core.show.table import TONE_OF, Cell
from peaktrade_core.show.templates import template

COVERED = '<section class="pt-cover"'  # how a cover begins
MOST_NEEDS = 8  # of what needs a person; the rest is counted


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """The first page of a report.

    Attributes:
        subject: what is reported on; subject_id: its id, empty where it has none.
        whose: who ran, led or wrote it; when: in words, with the zone.
        verdict: how the subject stands, as every other place says it; why: in a sentence, empty where all is well.
        figures: three, each with its name; chart: None where there is nothing to draw.
        needs: what a person has to do, as answers that are not good; links: commands and notebooks to go on with.
    """

    subject: str
    subject_id: str = ""
    whose: str
    when: str
    verdict: Cell
    why: str = ""
    figures: Sequence[tuple[str, Cell]] = ()
    chart: Chart | None = None
    needs: Sequence[Check] = ()
    links: Sequence[tuple[str, Cell]] = ()

    @property
    def more(self) -> int:
        """How many answers the cover leaves to the details."""
        return max(0, len(self.needs) - MOST_NEEDS)

    def _repr_html_(self) -> str:
        """Return it for a notebook or page; every text is escaped."""
        drawn = Markup(_drawn(self.chart)) if self.chart else ""  # noqa: S704  (the drawing escapes what it is given)
        return (
            template("cover.html.j2").render(c=self, chart=drawn, needs=self.needs[:MOST_NEEDS], tones=TONE_OF).strip()
        )

    def markdown(self) -> str:
        """Return it as markdown; a chart is what it says in a sentence."""
        return template("cover.md.j2").render(c=self, needs=self.needs[:MOST_NEEDS]).strip()

    def __repr__(self) -> str:
        figures = " · ".join(f"{name} {value}" for name, value in self.figures)
        verdict = f"{self.verdict}{': ' * bool(self.why)}{self.why}"
        needs = repr(CHECKS.table("Needs a person", self.needs[:MOST_NEEDS], empty="Nothing needs a person."))
        told = [f"{self.subject} {self.subject_id}".rstrip(), f"{self.whose} · {self.when}", verdict, figures]
        return "\n".join(filter(None, (*told, repr(self.chart) if self.chart else "", needs)))


def verdict_on(checks: Sequence[Check]) -> tuple[Cell, str]:
    """Return the verdict of a checklist as every table of it says it, and how many answers are good."""
    status = worst(checks)
    return Cell(wording.MARKS[status], TONE_OF[status]), answers_told(checks)


def needing(*lists: Iterable[Check]) -> list[Check]:
    """Return the answers that need a person, the worst first."""
    found = [one for checks in lists for one in checks if one.status != PASS]
    return sorted(found, key=lambda one: ("fail", "warn", "unknown").index(one.status))


class Entries(NamedTuple):
    """What happened of one kind: its name in the plural, sign and tone, and the times with their texts."""

    name: str
    sign: Sign
    tone: Tone
    found: Sequence[tuple[datetime, str]]


def course(title: str, *kinds: Entries, spans: Sequence[Shade] = ()) -> Chart | None:
    """Return what happened as a chart: a lane for each kind, each entry a mark; None without two times.

    Args:
        title: of the chart; kinds: the entries, the upper lane first; spans: stretches that lie behind them.
    """
    times = sorted({at for kind in kinds for at, _ in kind.found})
    if len(times) < 2:
        return None
    lasted = times[-1] - times[0]
    lanes = list(enumerate(reversed(kinds)))
    told = ", ".join(
        wording.many(len(kind.found), kind.name.removesuffix("s"), kind.name) for kind in kinds if kind.found
    )
    return Chart(
        name="course",
        title=title,
        label=f"{title}: {told} in {wording.duration(lasted / timedelta(seconds=1))}",
        lines=(),
        marks=[Marks(*kind[:3], [Mark(at, n, text) for at, text in sorted(kind.found)]) for n, kind in lanes],
        spans=spans,
        lanes=[kind.name for _, kind in lanes],
        ends=(times[0] - lasted / 10, times[-1] + lasted / 40),  # no mark stands on the edge or on a lane's name
    )


def _drawn(chart: Chart) -> str:
    """Return a chart with the values that the script of a page reads out where the pointer is."""
    thin = chart.thinned
    frame = Frame(thin)
    lines = [_read(line, frame) for line in thin.lines] or [_told(kind, frame) for kind in thin.marks]
    said = {"unit": thin.unit, "digits": thin.digits, "first": frame.first, "last": frame.last, "lines": lines}
    data = Markup.escape(msgspec.json.encode(said).decode())
    return f'<div class="pt-read" tabindex="0" role="group" data-read="{data}">{draw(thin)}<output class="pt-at"></output></div>'


def _read(line: Line, frame: Frame) -> dict[str, Any]:
    """Return the points of a line: times [s since epoch], values, and places from above [percent of the box]."""
    points = [point for piece in pieces(line) for point in piece]
    return {
        "name": line.name,
        "t": [round(at.timestamp(), 3) for at, _ in points],
        "y": [float(f"{value:.9g}") for _, value in points],
        "p": [round(frame.y(value) / HEIGHT * 100, 2) for _, value in points],
    }


def _told(kind: Marks, frame: Frame) -> dict[str, Any]:
    """Return what the marks of a lane say: times, texts, and places as of the points of a line."""
    place = [round(frame.y(mark.value) / HEIGHT * 100, 2) for mark in kind.marks]
    return {
        "name": kind.name,
        "t": [round(mark.ts.timestamp(), 3) for mark in kind.marks],
        "says": [mark.text for mark in kind.marks],
        "p": place,
    }


def cover_script() -> str:
    """Return the script that reads charts of covers out; a page may run it or do without."""
    return (share_dir() / "templates" / "reports" / "cover.js").read_text(encoding="utf-8")


def utc(at: datetime | None) -> str:
    """Return a time as a cover says it."""
    return clock.utc(at) if at else "time unknown"
