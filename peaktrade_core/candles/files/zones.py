"""From the times of a clock to UTC: the zone that the times say, the column's name says, or a person tells.

A clock that is put back shows an hour twice: both are real, and the order of the rows tells them apart. What it does not
tell is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import Dialect, Understood, offset_s, shown
from peaktrade_core.candles.files.names import says_utc
from peaktrade_core.candles.files.times import US, Moments

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLOCKS = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "America/New_York", "America/Chicago", "America/Los_Angeles",
    "Australia/Sydney",
)  # fmt: skip


def to_utc(moments: Moments, name: str, dialect: Dialect, understood: Understood) -> NDArray[np.int64]:
    """Return times as microseconds UTC; of a local clock by the zone that was told, or that the column's name says."""
    if not moments.naive:
        understood.says["zone"] = (
            "UTC (the times say their zone)" if "zone" in moments.how or "[" in moments.how else "UTC (counted)"
        )
        return moments.us
    zone = dialect.zone or ("UTC" if says_utc(name) else None)
    if zone is None:
        told, ways = _clocks(moments.us)
        understood.ask("zone", f"times in column {shown(name)} do not say their zone{told}", *ways)
        return moments.us
    understood.says["zone"] = f"{zone} ({'as told' if dialect.zone else f'column {shown(name)} says so'})"
    understood.dialect["zone"] = zone
    fixed = offset_s(zone)
    if fixed is not None:
        return moments.us - fixed * US
    return _from_clock(moments.us, zone, dialect, understood)


def _clocks(us: NDArray[np.int64]) -> tuple[str, tuple[str, ...]]:
    """Return what times of an unknown zone tell of it, and zones to offer."""
    import numpy as np

    rising = us if len(us) < 2 or us[-1] >= us[0] else us[::-1]
    back = np.flatnonzero(np.diff(rising) <= 0)
    if len(back) == 1:
        at = iso(from_seconds(float(rising[back[0]]) / US))[:16].replace("T", " ")
        fitting = tuple(zone for zone in CLOCKS if _is_doubled(float(rising[back[0] + 1]) / US, zone))
        if fitting:
            return f"; an hour is there twice near {at}, as on a clock that is put back", fitting
    return "", ("UTC", "Europe/Berlin")


def _is_doubled(seconds: float, zone: str) -> bool:
    """Return whether a zone's clock shows a time twice."""
    from zoneinfo import ZoneInfo

    naive = from_seconds(seconds).replace(tzinfo=ZoneInfo(zone))
    first, second = naive.utcoffset(), naive.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def _from_clock(us: NDArray[np.int64], zone: str, dialect: Dialect, understood: Understood) -> NDArray[np.int64]:
    """Return the times of a clock that is put forward and back as UTC."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    column = pa.array(us, pa.timestamp("us"))
    try:
        early, late = (
            pc.cast(pc.assume_timezone(column, zone, ambiguous=which, nonexistent="raise"), pa.int64()).to_numpy()
            for which in ("earliest", "latest")
        )
    except pa.ArrowException:
        raise DataError(
            f"{understood.source}: holds times that the clock of {zone} never shows; the zone is another"
        ) from None
    found = np.array(early)
    rows = np.flatnonzero(early != late)
    for night in np.split(rows, np.flatnonzero(np.diff(us[rows]) > 86_400 * US // 2) + 1) if len(rows) else ():
        found[night] = _doubled(us, early, late, night, dialect, understood)
    return found


def _doubled(
    us: NDArray[np.int64], early: NDArray[np.int64], late: NDArray[np.int64], night: NDArray[np.int64],
    dialect: Dialect, understood: Understood,
) -> NDArray[np.int64]:  # fmt: skip
    """Return the rows of one doubled hour as UTC: both hours stand there one after the other, or one was told."""
    import numpy as np

    rising = us[-1] >= us[0]
    clock = us[night] if rising else us[night][::-1]
    turn = np.flatnonzero(np.diff(clock) <= 0)
    at = iso(from_seconds(float(clock[0]) / US))[:16].replace("T", " ")
    if len(turn) > 1 or (night[-1] - night[0]) != len(night) - 1:
        raise DataError(
            f"{understood.source}: the hour from {at} is there twice, and its rows are mixed; get the file with offsets or in UTC"
        )
    first, second = (early[night], late[night]) if rising else (early[night][::-1], late[night][::-1])
    if len(turn):
        split = int(turn[0]) + 1
        understood.notes.append(
            f"the hour from {at} is there twice, as the clock was put back: both were taken, one after the other"
        )
        both = np.concatenate([first[:split], second[split:]])
    else:
        whole = [_joins(us, early, night, one) for one in (early[night], late[night])]
        if whole[0] != whole[1]:
            both = first if whole[0] else second
        else:
            if dialect.doubled is None:
                understood.ask("doubled", f"the clock shows the hour from {at} twice, the file once", "first", "second")
            both = second if dialect.doubled == "second" else first
    return both if rising else both[::-1]


def _joins(
    us: NDArray[np.int64], early: NDArray[np.int64], night: NDArray[np.int64], chosen: NDArray[np.int64]
) -> bool:
    """Return whether the rows before and after a doubled hour are one step away from it, so that no bar is missing."""
    import numpy as np

    before, after = night[0] - 1, night[-1] + 1
    if before < 0 or after >= len(us):
        return False
    near = np.abs(np.diff(np.concatenate([[early[before]], chosen, [early[after]]])))
    return bool(near.max() == near.min())
