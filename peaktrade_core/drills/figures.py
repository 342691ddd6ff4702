"""A drill over time: faults, alerts and actions in lanes, the time until it was detected and until it was held shaded."""

from __future__ import annotations

from datetime import timedelta

from peaktrade_core.drills.controls import Controls
from peaktrade_core.drills.drill import Drill, Noted
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart, Mark, Marks, Shade, Sign, Tone
from peaktrade_core.show.cover import Entries, course
from peaktrade_core.show.table import Table

LANES = ("action", "alert", "fault")
_LOOKS: tuple[tuple[Sign, Tone], ...] = (("up", "green"), ("diamond", "amber"), ("square", "red"))


def drill_figure(drill: Drill) -> Chart:
    """Return what happened in a drill over time."""
    lanes = (drill.actions, drill.alerts, drill.faults)
    times = [one.at for lane in lanes for one in lane] or [drill.began_at]
    edge = max((max(times) - min(times)) / 25, timedelta(seconds=1))
    marks = [
        Marks(name, sign, tone, [_mark(one, float(n)) for one in lane])
        for n, (name, lane, (sign, tone)) in enumerate(zip(LANES, lanes, _LOOKS, strict=True))
        if lane
    ]
    counted = ", ".join(wording.many(len(lane), name) for name, lane in zip(LANES, lanes, strict=True))
    spans, told = _reaction(drill)
    return Chart(
        name="drill",
        title="Detection and reaction",
        label=f"{counted}; {told}",
        lines=(),
        marks=marks,
        spans=spans,
        lanes=LANES,
        ends=(min(times) - edge, max(times) + edge),
    )


def _mark(one: Noted, lane: float) -> Mark:
    by = f" by {one.by}" if one.by else ""
    return Mark(one.at, lane, f"{one.what}{by}" + (f": {one.detail}" if one.detail else ""))


def _reaction(drill: Drill) -> tuple[list[Shade], str]:
    """Return the stretches from the fault to the first alert, and from there to the last action, and both in words."""
    fault = min((one.at for one in drill.faults), default=None)
    alert = min((one.at for one in drill.alerts if fault is None or one.at >= fault), default=None)
    if fault is None or alert is None:
        return [], "no alert was raised"
    spans, told = (
        [Shade(fault, alert, "red", 0.18)],
        f"detected after {wording.duration((alert - fault).total_seconds())}",
    )
    if acted := [one.at for one in drill.actions if one.at >= alert]:
        spans.append(Shade(alert, max(acted), "amber", 0.18))
        told += f", the last action {wording.duration((max(acted) - alert).total_seconds())} later"
    return spans, told


def controls_shown(found: Controls) -> Chart | Table:
    """Return when the controls were exercised last, as :func:`controls_figure` draws it, or a sentence."""
    return controls_figure(found) or Table("Controls", (), [], empty="No control was exercised at two times yet.")


def controls_figure(found: Controls) -> Chart | None:
    """Return when each control was exercised last, in operation and in drills; None without two times."""
    kinds: tuple[tuple[str, Sign, Tone], ...] = (("operation", "up", "green"), ("drill", "diamond", "amber"))
    entries = (
        Entries(name, sign, tone, [
            (row.last, f"{row.control.title} · {row.name} ({row.by})") for row in found.rows if row.last and row.where == name
        ])
        for name, sign, tone in kinds
    )  # fmt: skip
    return course("Controls, exercised last", *entries)
