"""What is behind each cause of a divergence, in a sentence: bars, signals and settings, and what stopped orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from peaktrade_core.research.recorded_bars import RecordedBar
from peaktrade_core.show.wording import many
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.market import Bar
from peaktrade_core.trading.records import SessionConfig


def data_says(mine: Sequence[Bar], theirs: Sequence[Bar]) -> str:
    """Return how the bars differ."""
    a, b = {bar.ts: bar for bar in mine}, {bar.ts: bar for bar in theirs}
    missing, extra = len(b.keys() - a.keys()), len(a.keys() - b.keys())
    changed = sum(a[ts] != b[ts] for ts in a.keys() & b.keys())
    if not missing + extra + changed:
        return f"all {len(mine):,} bars are the same"
    return f"{many(changed, 'bar')} changed, {missing:,} missing in the session, {extra:,} only there"


def logic_says(bars: Sequence[RecordedBar], signals: Sequence[float], own: SessionConfig, other: SessionConfig) -> str:
    """Return how signals and settings differ, the expected signals being those on the session's own bars."""
    changed = sum(repr(signal) != repr(bar.signal) for bar, signal in zip(bars, signals, strict=True))
    settings = [
        name
        for name in ("strategy_name", "params", "position_fraction", "risk_limits", "instrument")
        if getattr(own, name) != getattr(other, name)
    ]
    text = f"the signal differs on {changed:,} of {len(bars):,} bars" if changed else "every signal is the same"
    return text + (f"; other settings: {', '.join(settings)}" if settings else "")


def controls_say(events: Iterable[ev.AnyEvent]) -> str:
    """Return what stopped orders of the session."""
    denied: dict[str, int] = {}
    refused, halts = 0, []
    for event in events:
        if isinstance(event, ev.Denial):
            denied[event.code] = denied.get(event.code, 0) + 1
        elif isinstance(event, ev.VenueAnswer):
            refused += not event.accepted
        elif isinstance(event, ev.Halt):
            halts.append(event.code)
        elif isinstance(event, ev.State) and event.state != "ACTIVE":
            halts.append(event.state)
    told = [f"denied {count} x {code}" for code, count in sorted(denied.items())]
    told += [f"the venue refused {refused}"] if refused else []
    told += [f"halted ({', '.join(dict.fromkeys(halts))})"] if halts else []
    return "; ".join(told) or "nothing was denied, refused or halted"
