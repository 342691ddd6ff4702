"""What is traded and what is seen of it: instruments, timeframes and bars that cannot be impossible."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.base.typed import Checked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW_TICKS = 100.0  # a price of fewer is worth a warning: a fill may be off by a percent
LEAST_LOT = 1e-4  # worth of the smallest quantity of an instrument whose lot nobody states [quote ccy]
MOST_DECIMALS = 8
DIGITS = 12  # of a price at most; what has more was computed
_WHOLE = 1e-12  # relative noise of a number that is meant to be whole
DAY_S = 86_400
MONTH_S = 2_629_746  # mean of 400 years [s]
MOST_LEVERAGE = 3.0  # that can be set at all
OF_PERPETUALS = (
    "contract", "contract_size", "leverage", "maintenance_margin_pct", "min_liquidation_distance_pct", "funding",
)  # fmt: skip
LARGEST_PRICE, LARGEST_VOLUME = 1e18, 1e30  # no market comes near; figures made of them stay finite
LEAST = 1e-18  # price or quantity: no token has more decimals
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": DAY_S, "w": 7 * DAY_S}
Timeframe = Literal[
    "1s", "10s", "1m", "3m", "5m", "10m", "15m", "30m", "1h", "2h", "3h", "4h", "6h", "8h", "12h",
    "1d", "2d", "3d", "4d", "5d", "1w", "2w", "3w", "4w",
]  # fmt: skip
TIMEFRAMES: tuple[str, ...] = (*get_args(Timeframe), "1M", "3M", "4M", "1y")  # those of the venues that ccxt knows


def timeframe_seconds(timeframe: str) -> int:
    """Return the length of a bar of ``timeframe`` [s].

    Raises:
        ConfigError: none of :data:`TIMEFRAMES`, or one of months, which are not of one length.
    """
    if timeframe_months(timeframe):
        raise ConfigError(
            f"timeframe {timeframe!r}: months are not of one length; sessions and backtests count bars up to 4w. "
            "Monthly candles can be imported and checked"
        )
    return int(timeframe[:-1]) * _UNIT_S[timeframe[-1]]


def timeframe_of(seconds: float) -> str:
    """Return the timeframe whose bars are so long [s]: ``1m``, ``1d``; of a part of a second ``0.5 s``."""
    for name, size in reversed(_UNIT_S.items()):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{name}"
    return f"{seconds:g} s"


def timeframe_months(timeframe: str) -> int:
    """Return how many months a bar of ``timeframe`` has, 0 where it has a length in seconds.

    Raises:
        ConfigError: none of :data:`TIMEFRAMES`.
    """
    if timeframe not in TIMEFRAMES:
        raise ConfigError(f"unknown timeframe {timeframe!r}; known: {', '.join(TIMEFRAMES)}")
    return int(timeframe[:-1]) * {"M": 1, "y": 12}.get(timeframe[-1], 0)


def parse_duration(text: str) -> int:
    """Return a duration in seconds: ``30`` (minutes), ``90s``, ``15m``, ``1h``, ``2d``.

    Raises:
        ConfigError: not of that form, or zero.
    """
    found = re.fullmatch(r"(\d+)([smhd]?)", text.strip())
    if not found or int(found[1]) == 0:
        raise ConfigError(f"duration {text!r} is not understood; write 30 (minutes), 90s, 15m, 1h or 2d")
    return int(found[1]) * _UNIT_S[found[2] or "m"]


class Bar(NamedTuple):
    """Open, high, low, close [quote ccy] and volume [base units] over ``[ts, ts + timeframe)``; ts in s since epoch."""

    ts: float
    open: float
    high: float
    low: float
    close: float
    volume: float


def bar_fault(bar: Bar) -> str:
    """Return what is impossible about a bar, or an empty string.

    Prices must be finite, positive and ordered (low <= open, close <= high), the volume finite and not negative.
    """
    if not all(math.isfinite(x) for x in bar):
        return "a value is missing or not finite"
    if bar.low <= 0.0:
        return f"low = {bar.low} is not positive"
    if bar.low < LEAST:
        return f"low = {bar.low} is no price that a market has"
    if bar.high < bar.low:
        return f"high = {bar.high} is below low = {bar.low}"
    if not (bar.low <= bar.open <= bar.high and bar.low <= bar.close <= bar.high):
        return f"open = {bar.open} or close = {bar.close} lies outside low = {bar.low} .. high = {bar.high}"
    if bar.volume < 0.0:
        return f"volume = {bar.volume} is negative"
    if bar.high > LARGEST_PRICE or bar.volume > LARGEST_VOLUME:
        return f"high = {bar.high} is no price or volume = {bar.volume} is no volume that a market has"
    return ""


def sound_rows(ohlcv: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of prices and volume, shape (n, 5), have no :func:`bar_fault`."""
    import numpy as np

    o, h, l, c, v = ohlcv.T
    with np.errstate(invalid="ignore"):
        ordered = (l >= LEAST) & (l <= o) & (o <= h) & (l <= c) & (c <= h)
        sound: NDArray[np.bool_] = ordered & (v >= 0) & (h <= LARGEST_PRICE) & (v <= LARGEST_VOLUME)
    return sound  # what is not a number fails each comparison


def require_sound(bar: Bar) -> Bar:
    """Return ``bar`` if it is possible.

    Raises:
        DataError: it is not; says what and when.
    """
    fault = bar_fault(bar)
    if fault:
        when = utc(from_seconds(bar.ts)) if math.isfinite(bar.ts) else "an unknown time"
        raise DataError(f"impossible bar at {when}: {fault}")
    return bar


class Bars:
    """Bars in columns, checked once: the times rise strictly and every bar is possible.

    Attributes:
        ts: (n,) float64, opens [s since epoch].
        ohlcv: (n, 5) float64, prices [quote ccy] and volume [base units].
    """

    def __init__(self, ts: NDArray[np.float64], ohlcv: NDArray[np.float64], source: str = "bars") -> None:
        """Check and keep the columns.

        Raises:
            DataError: the first impossible, duplicate or unsorted row, with its number and time.
        """
        import numpy as np

        self.ts = np.ascontiguousarray(ts, dtype=np.float64)
        self.ohlcv = np.ascontiguousarray(ohlcv, dtype=np.float64)
        bad = np.flatnonzero(~(sound_rows(self.ohlcv) & np.isfinite(self.ts)))
        if len(bad):
            row = int(bad[0])
            try:
                require_sound(self[row])
            except DataError as error:
                raise DataError(f"{source}, row {row + 1}: {error} ({len(bad)} such rows)") from None
        steps = np.diff(self.ts)
        back = np.flatnonzero(steps <= 0)
        if len(back):
            row = int(back[0]) + 1
            what = "repeats the time of" if steps[row - 1] == 0 else "is earlier than"
            raise DataError(
                f"{source}, row {row + 1}: {utc(from_seconds(self.ts[row]))} {what} the row before; "
                f"bars must rise in time, each time once ({len(back)} such rows)"
            )

    def __len__(self) -> int:
        return len(self.ts)

    def __getitem__(self, row: int) -> Bar:
        return Bar(float(self.ts[row]), *self.ohlcv[row].tolist())

    def part(self, first: int, last: int) -> Bars:
        """Return the bars from row ``first`` to before ``last``; they are checked already, and not copied."""
        stretch = object.__new__(Bars)
        stretch.ts, stretch.ohlcv = self.ts[first:last], self.ohlcv[first:last]
        return stretch


def settled_in(symbol: str) -> str:
    """Return the currency that a contract is settled in after its name: ``BTC`` of ``BTC/USD:BTC``; empty where it says none."""
    return symbol.partition(":")[2].partition("-")[0]


def is_inverse(symbol: str | None) -> bool:
    """Return whether a symbol is that of an inverse contract: settled in what it is about, counted in quote currency."""
    return symbol is not None and settled_in(symbol) == symbol.partition("/")[0] != ""


def worth(symbol: str | None, qty: float, price: float) -> float:
    """Return what a quantity of a symbol is worth in quote currency, never negative."""
    return abs(qty) if is_inverse(symbol) else abs(qty) * price


class Instrument(Checked, frozen=True):
    """A market: what one unit is, how finely it is priced and sized, and whether one can be short.

    Attributes:
        kind: ``spot`` or ``derivatives``.
        tick: smallest price step, written as a decimal [quote ccy]; empty: the venue's, or else that of the candles.
        lot: smallest quantity step, written as a decimal [base units]; empty likewise.
        min_qty: smallest order [base units].
        min_notional: smallest order [quote ccy].
        venue_symbol: what the venue calls it, where that differs.
        contract: of a perpetual contract ``linear`` (counted in its base, paid in its quote currency) or ``inverse``
            (counted in its quote currency, paid in its base); empty: none, or the venue's.
        contract_size: of one [base units; of an inverse one quote ccy], 0 where nobody said.
        leverage: notional over margin; maintenance_margin_pct: margin below which it is liquidated [% of notional], None where
            nobody said: then no position is opened.
        min_liquidation_distance_pct: a position that is nearer to its liquidation is not opened, or halts [% of the price].
        funding: a file of its rates, for simulated feeds; of a session where they came from: ``venue``, the file, ``unknown``.
    """

    kind: Literal["spot", "derivatives"] = "spot"
    tick: str = ""
    lot: str = ""
    min_qty: Annotated[float, Meta(ge=0.0)] = 0.0
    min_notional: Annotated[float, Meta(ge=0.0)] = 0.0
    venue_symbol: str = ""
    contract: Literal["", "linear", "inverse"] = ""
    contract_size: Annotated[float, Meta(ge=0.0)] = 0.0
    leverage: Annotated[float, Meta(ge=1.0, le=MOST_LEVERAGE)] = 1.0
    maintenance_margin_pct: Annotated[float, Meta(ge=0.0, lt=100.0)] | None = None
    min_liquidation_distance_pct: Annotated[float, Meta(gt=0.0, lt=100.0)] = 20.0
    funding: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tick", "lot"):
            if text := getattr(self, name):
                decimal_step(name, text)

    @property
    def complete(self) -> bool:
        """Whether its steps are known, so that orders can be priced and sized."""
        return bool(self.tick and self.lot)

    def completed(self, *, maintenance_margin_pct: float | None = None, **values: Any) -> Instrument:
        """Return it with these values where it has none of its own."""
        margin = self.maintenance_margin_pct
        own = {name: getattr(self, name) or value for name, value in values.items()}
        own["maintenance_margin_pct"] = maintenance_margin_pct if margin is None else margin
        return msgspec.structs.replace(self, **own)

    def described(self) -> dict[str, Any]:
        """Return it as a session's record tells it; what only a perpetual contract has is left out elsewhere."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told if self.contract else {name: value for name, value in told.items() if name not in OF_PERPETUALS}

    def fit(self, symbol: str, lowest: float) -> str:
        """Return what is odd about trading at a price of ``lowest`` [quote ccy] with this tick, or an empty string.

        Raises:
            ConfigError: such a price is less than one tick: no fill could be near it.
        """
        number, denominator = decimal_step("tick", self.tick)
        ticks = lowest * denominator / number
        told = f"{symbol} trades at {lowest:.8g}, and tick = {self.tick!r} is {100.0 / ticks:.3g} % of that"
        mend = f"write the venue's tick in [instruments.{symbol!r}], or leave it out to take that of the venue or the candles"
        if not ticks >= 1.0 - _WHOLE:
            raise ConfigError(f"{told}: no order could be filled near the market; {mend}")
        return f"{told}: each fill may be off by as much; {mend}" if ticks < FEW_TICKS else ""


def candle_steps(bars: Bars) -> tuple[str, str]:
    """Return the tick and the lot that bars are written in.

    The tick is the decimal place of their prices. The lot is that of their volumes, or finer, so that the least that can be
    traded is worth no more than ``LEAST_LOT``: volumes may be rounded. Eight decimals at most.
    """
    import numpy as np

    tick = _decimals(bars.ohlcv[:, :4])
    worth = math.floor(math.log10(LEAST_LOT / float(np.median(bars.ohlcv[:, 3]))))
    lot = max(_decimals(bars.ohlcv[:, 4]), -worth)
    return tuple(f"{Decimal(1).scaleb(-places):f}" for places in (tick, min(max(lot, 0), MOST_DECIMALS)))  # type: ignore[return-value]


def _decimals(values: NDArray[np.float64]) -> int:
    """Return how many decimals values are written with, or as many as show eight digits of the smallest."""
    import numpy as np

    some = values[values >= LEAST]
    if not len(some):
        return 0
    digits = -math.floor(math.log10(float(some.min())))
    for places in range(max(1, digits + DIGITS)):
        for part in (some[:1000], some):  # most numbers of decimals are refuted by the first values
            scaled = part * 10.0**places
            if (np.abs(scaled - np.rint(scaled)) > _WHOLE * scaled).any():
                break
        else:
            return places
    return max(0, digits + MOST_DECIMALS - 1)


def decimal_step(name: str, text: str) -> tuple[int, int]:
    """Return a price or quantity step as a fraction of whole numbers: ``"0.05"`` is (5, 100).

    Raises:
        ConfigError: not a positive decimal.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"{name} = {text!r} must be a positive decimal, for example '0.01'")
    _, digits, exponent = value.as_tuple()
    number = int("".join(map(str, digits)))
    if not isinstance(exponent, int) or exponent > 0:
        return int(value), 1
    return number, 10**-exponent
