"""Which column of a sheet is the time, the prices, the volume and the market: by name, else by what its values can be.

Without names the highest and the lowest of four columns are told by their values, open and close by which of them the next
bar continues. What the values leave open is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.dialect import NONE, Dialect, Understood, shown
from peaktrade_core.candles.files.figures import Style, numbers_of
from peaktrade_core.candles.files.names import plain, rank_of, role_of
from peaktrade_core.candles.files.sheet import Sheet
from peaktrade_core.candles.files.times import UNITS, is_moment, is_number, is_rising

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PRICES = ("open", "high", "low", "close")
SAMPLE_ROWS = 5000
ORDERS = (
    "open high low close",
    "open close high low",
    "open close low high",
    "low high open close",
    "high low open close",
)
TICKS = ("tickvol", "tickvolume")  # how often the price changed: no volume in units
ABSENT = -1  # it was told that there is no such column
CLEARLY = 2.0  # how many times better one reading must continue than the other


class Roles(NamedTuple):
    """The numbers of the columns, from 0.

    Attributes:
        times: all that hold times, the one to use first; prices: open, high, low, close.
        volume: None where there is none; symbol, interval, venue: None where no column says it.
    """

    times: list[int]
    prices: list[int]
    volume: int | None
    symbol: int | None = None
    interval: int | None = None
    venue: int | None = None


def named_roles(sheet: Sheet, dialect: Dialect, understood: Understood) -> Roles:
    """Return the roles of columns that have names.

    Raises:
        DataError: a time or price is missing, or two columns have one name.
    """
    told = _told(sheet, dialect, understood)
    by_role: dict[str, list[int]] = {}
    for number, name in enumerate(sheet.names):
        by_role.setdefault(role_of(name), []).append(number)
    found: dict[str, int] = {}
    for role in ("time", *PRICES):
        numbers = [told[role]] if role in told else by_role.get(role, [])
        ranked = sorted((rank_of(sheet.names[n], role), n) for n in numbers)
        if role != "time" and len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            names = " and ".join(shown(sheet.names[n]) for _, n in ranked[:2])
            raise DataError(
                f"{understood.source}: two columns have the same name or meaning: {names}; tell the one that counts "
                f"with columns {role}=NUMBER"
            )
        if ranked:
            found[role] = ranked[0][1]
    _require(found, sheet, understood)
    prices = [found[role] for role in PRICES]
    return Roles(
        [told["time"]] if "time" in told else by_role["time"],
        prices,
        _column(told["volume"]) if "volume" in told else _named_volume(sheet, by_role, prices, understood),
        *(by_role[role][0] if role in by_role else None for role in ("symbol", "interval", "venue")),
    )


def _column(told: int) -> int | None:
    """Return a column that was told, None where it was told that there is none."""
    return None if told == ABSENT else told


def _told(sheet: Sheet, dialect: Dialect, understood: Understood) -> dict[str, int]:
    """Return the columns that were told by name or number."""
    found: dict[str, int] = {}
    for role, text in dialect.picked().items():
        if role == "volume" and text == NONE:
            found[role] = ABSENT
            continue
        fitting = [n for n, name in enumerate(sheet.names) if name.casefold() == text.casefold()]
        if text.isdigit() and not (sheet.named and fitting):
            fitting = [int(text) - 1] if 0 < int(text) <= len(sheet.names) else []
        if len(fitting) != 1:
            names = ", ".join(shown(name) for name in sheet.names[:20])
            raise DataError(f"{understood.source}: there is no one column {shown(text)}; it has: {names}")
        found[role] = fitting[0]
    return found


def _require(found: dict[str, int], sheet: Sheet, understood: Understood) -> None:
    """Refuse a sheet without a time or a price."""
    missing = ["ts" if role == "time" else role for role in ("time", *PRICES) if role not in found]
    if missing:
        names = ", ".join(shown(name) for name in sheet.names[:20]) or "none"
        raise DataError(
            f"{understood.source}: column {', '.join(missing)} is missing; it has: {names}. Needed: ts, open, high, low, close, "
            f"volume; columns {missing[0].replace('ts', 'time')}=NAME tells which one it is"
        )


def _named_volume(sheet: Sheet, by_role: dict[str, list[int]], prices: list[int], understood: Understood) -> int | None:
    """Return the column with the volume in base units."""
    numbers = by_role.get("volume", [])
    if not numbers:
        ways = [f"volume={sheet.names[n]}" for n in by_role.get("quote", [])]
        understood.ask("columns", "no column is called volume", f"volume={NONE}", *ways)
        return None
    ticks = [n for n in numbers if plain(sheet.names[n]) in TICKS]
    units = [n for n in numbers if n not in ticks]
    if len(numbers) == 1 or (len(units) == 1 and not _is_still(sheet, units[0])):
        return (units or numbers)[0]
    proved = _base_of(sheet, numbers, prices)
    if proved is not None:
        understood.says["volume"] = f"{shown(sheet.names[proved])} (the other volume is it times the price)"
        return proved
    still = [n for n in numbers if _is_still(sheet, n)]
    names = " and ".join(shown(sheet.names[n]) for n in numbers[:3])
    why = f"{shown(sheet.names[still[0]])} is zero throughout" if still else "nothing tells which is in base units"
    understood.ask(
        "columns", f"several volumes, {names}, and {why}", *(f"volume={sheet.names[n]}" for n in numbers[:3])
    )
    return None


def _is_still(sheet: Sheet, number: int) -> bool:
    """Return whether a column is zero throughout."""
    import numpy as np

    values = _sample(sheet, number)
    return values is not None and bool((np.nan_to_num(values) == 0).all())


def _base_of(sheet: Sheet, numbers: list[int], prices: list[int]) -> int | None:
    """Return the one of two volumes that times the price is the other, None where that is not so."""
    import numpy as np

    low, high = _sample(sheet, prices[2]), _sample(sheet, prices[1])
    if len(numbers) != 2 or low is None or high is None:
        return None
    first, second = (_sample(sheet, n) for n in numbers)
    if first is None or second is None:
        return None
    for base, quote, number in ((first, second, numbers[0]), (second, first, numbers[1])):
        with np.errstate(all="ignore"):
            price = quote / base
            fits = (price >= low * 0.999) & (price <= high * 1.001)
        traded = base > 0
        if traded.sum() >= 3 and fits[traded].mean() > 0.98 and not np.allclose(low[traded], 1.0, rtol=0.01):
            return number
    return None


def _sample(sheet: Sheet, number: int) -> NDArray[np.float64] | None:
    """Return the first rows of a column as numbers, None where it holds others."""
    column = sheet.columns[number][:SAMPLE_ROWS]
    for style in (Style(), Style(",", "."), Style(".", ",")):
        try:
            return numbers_of(column, style, "", "", units=True)
        except DataError:
            continue
    return None


def found_roles(sheet: Sheet, dialect: Dialect, understood: Understood) -> Roles:
    """Return the roles of columns without names, by their values.

    Raises:
        DataError: no column holds times, or no four columns can be prices.
    """
    told = _told(sheet, dialect, understood)
    values = [_sample(sheet, n) for n in range(len(sheet.names))]
    times = [n for n, column in enumerate(sheet.columns) if _is_epoch(values[n]) or is_moment(column[:SAMPLE_ROWS])]
    if "time" in told:
        times = [told["time"]]
    words = [
        n
        for n, column in enumerate(sheet.columns)
        if n not in times and not is_number(column[:SAMPLE_ROWS]) and values[n] is None
    ]
    if not times:
        raise DataError(
            f"{understood.source}: no column holds times that are known; columns time=NUMBER tells which does"
        )
    prices: list[int] | None = [told[role] for role in PRICES if role in told]
    if len(prices or ()) < len(PRICES):
        free = [n for n in range(len(values)) if n not in times]
        rising = is_rising(sheet.columns[times[0]], dialect)
        prices = _prices([v if v is None or rising else v[::-1] for v in values], free, understood)
    if prices is None:
        raise DataError(
            f"{understood.source}: no four columns in a row can be open, high, low and close; columns "
            "open=NUMBER,high=NUMBER,low=NUMBER,close=NUMBER tells them"
        )
    volume = _column(told["volume"]) if "volume" in told else _volume_after(sheet, values, prices, times, understood)
    return Roles(times, prices, volume, symbol=words[0] if words else None)


def _is_epoch(values: NDArray[np.float64] | None) -> bool:
    """Return whether numbers can be times since the epoch."""
    if values is None or not len(values):
        return False
    low, high = float(values.min()), float(values.max())
    whole = bool((values == values.round(0)).mean() > 0.9)
    return (
        whole
        and low >= 5e8
        and any(least <= low < most or least <= high < most for least, most, _ in UNITS.values())
        and high < 2 * low * 1e6
    )


def _prices(values: list[NDArray[np.float64] | None], free: list[int], understood: Understood) -> list[int] | None:
    """Return open, high, low and close: the first four columns in a row whose values can be that."""
    import numpy as np

    for n in free:
        window = [n, n + 1, n + 2, n + 3]
        four = [values[k] for k in window if k in free and k < len(values)]
        if len(four) < 4 or any(column is None for column in four):
            continue
        table = np.array(four)
        for words in ORDERS:
            order = [words.split().index(role) for role in PRICES]
            o, h, l, c = table[order]
            sound = (l <= o) & (o <= h) & (l <= c) & (c <= h)
            if sound.mean() < 0.95 or not (l > 0).mean() > 0.9:
                continue
            return [window[k] for k in _which_opens(order, o, c, understood)]
    return None


def _which_opens(order: list[int], o: NDArray[np.float64], c: NDArray[np.float64], understood: Understood) -> list[int]:
    """Return the order with open and close as the next bars continue them."""
    import numpy as np

    if (o == c).all():
        return order
    forward, backward = float(np.abs(o[1:] - c[:-1]).sum()), float(np.abs(c[1:] - o[:-1]).sum())
    swapped = [order[3], order[1], order[2], order[0]]
    if len(o) >= 3 and (forward * CLEARLY < backward or backward * CLEARLY < forward):
        understood.says["prices"] = "no names: high and low by their values, open as it continues the close before"
        return order if forward < backward else swapped
    first, last = (order[0], order[3])
    understood.ask(
        "columns",
        "no names, and the values do not tell open from close",
        f"open={first + 1},close={last + 1}",
        f"open={swapped[0] + 1},close={swapped[3] + 1}",
    )
    return order


def _volume_after(
    sheet: Sheet, values: list[NDArray[np.float64] | None], prices: list[int], times: list[int], understood: Understood
) -> int | None:
    """Return the volume behind the prices; an average price before it is passed over."""
    after = [n for n in range(max(prices) + 1, len(values)) if n not in times and values[n] is not None]
    if not after:
        understood.ask("columns", "no names, and no column stands behind the prices", f"volume={NONE}")
        return None
    low, high, first = values[prices[2]], values[prices[1]], values[after[0]]
    if low is not None and high is not None and first is not None and len(after) > 1:
        traded = first > 0
        if traded.any() and ((first >= low) & (first <= high))[traded].all():
            name = sheet.names[after[0]]
            understood.notes.append(f"column {name} is taken for an average price: it lies between low and high")
            after = after[1:]
    proved = _base_of(sheet, after[:2], prices) if len(after) > 1 else None
    counts = [n for n in after if _is_whole(values[n])]
    if proved is not None or len(after) == 1 or counts == after[1:]:  # behind the volume only numbers of trades
        return after[0] if proved is None else proved
    names = " and ".join(sheet.names[n] for n in after[:3])
    understood.ask("columns", f"no names, and columns {names} can be volumes", *(f"volume={n + 1}" for n in after[:3]))
    return None


def _is_whole(values: NDArray[np.float64] | None) -> bool:
    """Return whether values are whole numbers, as counts are."""
    return values is not None and bool((values == values.round(0)).all())
