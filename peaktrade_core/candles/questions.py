"""Questions over candles, asked in SQL: what is there, what is missing, what stands still, what jumps, what disagrees.

DuckDB reads the files of the store, or the rows of one file exactly as they are, into one table; each question is one
statement over all series at once. Verdicts are in :mod:`peaktrade_core.candles.checks`.
Times are whole microseconds since epoch inside, seconds outside.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.reading import Rows
from peaktrade_core.candles.sql import TOO_MANY, connect
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.trading.market import timeframe_months

PRICE_TOLERANCE, VOLUME_TOLERANCE = 1e-9, 1e-6  # [fraction]

_TABLES = """
    CREATE TABLE series (id INTEGER, step BIGINT, months INTEGER, anchor BIGINT, month BIGINT, venue TEXT, symbol TEXT);
    CREATE TABLE rows (id INTEGER, n BIGINT, us BIGINT, o DOUBLE, h DOUBLE, l DOUBLE, c DOUBLE, v DOUBLE);
    CREATE MACRO month_of(us) AS date_diff('month', TIMESTAMP '1970-01-01', make_timestamp(us));
    CREATE MACRO within(us) AS us - epoch_us(date_trunc('month', make_timestamp(us)));
    CREATE MACRO opens(slot, step, months, anchor, month) AS CASE WHEN months = 0 THEN slot * step + anchor
        ELSE epoch_us(TIMESTAMP '1970-01-01' + to_months((month + slot * months)::INTEGER)) + anchor END;
    CREATE VIEW bars AS
        WITH placed AS (
            SELECT r.*, step, months, anchor, month, venue, symbol, CASE
                WHEN months = 0 AND (us - anchor) % step = 0 THEN (us - anchor) // step
                WHEN months > 0 AND within(us) = anchor AND (month_of(us) - month) % months = 0
                THEN (month_of(us) - month) // months END AS slot
            FROM rows r JOIN series USING (id)
        )
        SELECT *, coalesce(
            slot IS NOT NULL AND isfinite(o) AND isfinite(h) AND isfinite(l) AND isfinite(c) AND isfinite(v)
            AND l > 0 AND l <= o AND o <= h AND l <= c AND c <= h AND v >= 0 AND h <= 1e18 AND v <= 1e30, false
        ) AS sound FROM placed;
    CREATE VIEW grid AS
        SELECT id, step, months, anchor, month, slot, us, arg_min(h, n) AS h, arg_min(l, n) AS l, arg_min(c, n) AS c,
            arg_min(v, n) AS v, bool_and(sound) AS sound
        FROM bars WHERE slot IS NOT NULL GROUP BY ALL;
    CREATE VIEW sequence AS
        SELECT *, lag(slot) OVER w AS slot_before, lag(c) OVER w AS c_before, lag(sound) OVER w AS sound_before FROM grid
        WINDOW w AS (PARTITION BY id ORDER BY slot);
"""
_FROM_STORE = """
    INSERT INTO rows
    SELECT ?, row_number() OVER (ORDER BY filename, file_row_number), epoch_us(ts), open, high, low, close, volume
    FROM read_parquet(?, file_row_number = true, filename = true)
"""
_ANCHOR = """
    UPDATE series SET anchor = found.anchor, month = found.month FROM (
        SELECT CASE WHEN $2 > 0 THEN mode(within(us)) WHEN mode(us % $3) % 900000000 = 0 AND $3 > 900000000
            THEN mode(us % $3) ELSE 0 END AS anchor, CASE WHEN $2 > 0 THEN min(month_of(us)) ELSE 0 END AS month
        FROM rows WHERE id = $1 HAVING count(us) > 0
    ) found WHERE id = $1
"""
_SPANS = """
    SELECT id, opens(slot_before + 1, step, months, anchor, month), opens(slot - 1, step, months, anchor, month),
        slot - slot_before - 1
    FROM sequence WHERE slot - slot_before > 1 ORDER BY id, slot
"""
_STILL = """
    WITH marked AS (
        SELECT id, us, slot - row_number() OVER (PARTITION BY id ORDER BY slot) AS island FROM grid WHERE v = 0
    )
    SELECT id, min(us), max(us), count(*) FROM marked GROUP BY id, island ORDER BY id, min(us)
"""
_WRONG = "SELECT id, us, n, o, h, l, c, v FROM bars WHERE NOT sound ORDER BY id, n"
_DOUBLE = """
    SELECT id, us, count(*) - 1, count(DISTINCT (o, h, l, c, v)) > 1 FROM bars WHERE us IS NOT NULL
    GROUP BY id, us HAVING count(*) > 1 ORDER BY id, us
"""
_BACKWARDS = """
    WITH ordered AS (SELECT id, us, n, lag(us) OVER (PARTITION BY id ORDER BY n) AS us_before FROM bars)
    SELECT id, us, n FROM ordered WHERE us < us_before ORDER BY id, n
"""
_EXTENTS = """
    SELECT id, count(*), min(us), max(us), coalesce(max(slot) - min(slot) + 1 - count(DISTINCT slot), 0)
    FROM bars GROUP BY id HAVING min(us) IS NOT NULL ORDER BY id
"""
_MOVES = """
    WITH moves AS (
        SELECT id, us, ln(c / c_before) AS r, ln(h / c_before) AS up, ln(l / c_before) AS down
        FROM sequence WHERE slot - slot_before = 1 AND sound AND sound_before
    ), centre AS (
        SELECT id, median(r) AS m FROM moves WHERE r <> 0 GROUP BY id
    ), scale AS (
        SELECT id, any_value(m) AS m, median(abs(r - m)) AS mad FROM moves JOIN centre USING (id) WHERE r <> 0 GROUP BY id
    ), farthest AS (
        SELECT id, us, CASE WHEN abs(up - m) >= abs(down - m) THEN up ELSE down END AS move, m, mad
        FROM moves JOIN scale USING (id)
    )
"""
_SCALE = _MOVES + "SELECT id, m, mad FROM scale ORDER BY id"
_OUTLIERS = (
    _MOVES
    + "SELECT id, us, move, abs(move - m) / mad FROM farthest WHERE mad > 0 AND abs(move - m) > $1 * mad ORDER BY id, us"
)
_AGAINST = """
    WITH pairs AS (
        SELECT fine.id AS fine, coarse.id AS coarse, coarse.step, coarse.anchor, coarse.step // fine.step AS ratio
        FROM series fine JOIN series coarse
        ON fine.venue = coarse.venue AND fine.symbol = coarse.symbol AND fine.step < coarse.step
        AND fine.months = 0 AND coarse.months = 0 AND coarse.step % fine.step = 0
    ), sums AS (
        SELECT p.fine, p.coarse, (b.us - p.anchor) // p.step * p.step + p.anchor AS us, count(*) = any_value(p.ratio) AS whole,
            arg_min(o, b.us) FILTER (v > 0) AS o, max(h) FILTER (v > 0) AS h, min(l) FILTER (v > 0) AS l,
            arg_max(c, b.us) FILTER (v > 0) AS c, sum(v) AS v
        FROM bars b JOIN pairs p ON b.id = p.fine WHERE sound
        GROUP BY p.fine, p.coarse, p.step, p.anchor, (b.us - p.anchor) // p.step
    ), compared AS (
        SELECT s.coarse, s.fine, s.us,
            CASE WHEN whole AND abs(s.o - t.o) > $1 * t.o THEN ['open'] ELSE [] END
            || CASE WHEN s.h - t.h > $1 * t.h OR (whole AND t.h - s.h > $1 * t.h) THEN ['high'] ELSE [] END
            || CASE WHEN t.l - s.l > $1 * t.l OR (whole AND s.l - t.l > $1 * t.l) THEN ['low'] ELSE [] END
            || CASE WHEN whole AND abs(s.c - t.c) > $1 * t.c THEN ['close'] ELSE [] END
            || CASE WHEN s.v - t.v > $2 * (1 + t.v) OR (whole AND t.v - s.v > $2 * (1 + t.v)) THEN ['volume'] ELSE [] END
            AS fields
        FROM sums s JOIN bars t ON t.id = s.coarse AND t.us = s.us WHERE t.sound
    )
    SELECT coarse, fine, us, fields FROM compared WHERE len(fields) > 0 ORDER BY coarse, us, fine
"""


class Extent(NamedTuple):
    """What there is of a series: rows, first and last open [s since epoch], bars missing between them."""

    rows: int
    first: float
    last: float
    missing: int


class BarSpan(NamedTuple):
    """Bars in a row: opens of the first and the last [s since epoch], and how many."""

    first: float
    last: float
    bars: int


class Wrong(NamedTuple):
    """A row that cannot be true: its open [s since epoch, None without], its number in the file, its values."""

    ts: float | None
    row: int
    values: tuple[float | None, ...]


class Repeated(NamedTuple):
    """A time [s since epoch] that stands there more than once: how often too often, and whether the values differ."""

    ts: float
    surplus: int
    differing: bool


class Scale(NamedTuple):
    """How a series moves from close to close where it does: median and median absolute deviation [log return]."""

    median: float
    mad: float


class Outlier(NamedTuple):
    """A bar [s since epoch] that went far from the close before: how far [log return], and in deviations."""

    ts: float
    move: float
    deviations: float


class Disagreement(NamedTuple):
    """A bar [s since epoch] that the ``finer`` series' bars do not add up to, and in which fields."""

    ts: float
    finer: Series
    fields: tuple[str, ...]


class Candles:
    """Series that can be asked. Use it in a ``with`` block.

    Attributes:
        series: what is in it.
    """

    def __init__(self) -> None:
        self.series: list[Series] = []
        self._db = connect()
        self._db.execute(_TABLES)

    @classmethod
    def of_store(cls, store: CandleStore, wanted: Sequence[Series]) -> Self:
        """Return the stored bars of some series.

        Raises:
            DataError: a file cannot be read, which it names; the bars are too many for this process.
        """
        import duckdb

        candles = cls()
        for series in wanted:
            files = [glob.escape(str(path)) for path in store.files(series)]
            try:
                number = candles._add(series)
                candles._db.execute(_FROM_STORE, [number, files])
                candles._anchor(number)
            except duckdb.Error as error:
                candles.close()
                if isinstance(error, duckdb.OutOfMemoryException):
                    raise DataError(TOO_MANY) from None
                reason = str(error).splitlines()[0]
                raise DataError(
                    f"{store.folder(series)}: a file cannot be read: {reason}; move it away and fetch its bars again"
                ) from None
        return candles

    @classmethod
    def of_rows(cls, rows: Rows, series: Series) -> Self:
        """Return the rows of a file as they are, whatever is wrong with them."""
        import pyarrow as pa

        candles = cls()
        names = ("n", "us", "o", "h", "l", "c", "v")
        given = pa.table([pa.array(column) for column in (rows.number, rows.us, *rows.ohlcv.T)], names=names)
        candles._db.register("given", given)
        number = candles._add(series)
        candles._db.execute("INSERT INTO rows SELECT ?, n, us, o, h, l, c, v FROM given", [number])
        candles._anchor(number)
        return candles

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory."""
        self._db.close()

    def finer_than(self, series: Series) -> list[str]:
        """Return the timeframes of the finer series that ``series`` can be compared with."""
        same = [one for one in self.series if (one.venue, one.symbol) == (series.venue, series.symbol)]
        whole = [one for one in same if not timeframe_months(one.timeframe) and not timeframe_months(series.timeframe)]
        return [one.timeframe for one in whole if one.bar_s < series.bar_s and series.bar_s % one.bar_s == 0]

    def extents(self) -> dict[Series, Extent]:
        """Return how far each series reaches; one without a single time is absent."""
        found = self._ask(_EXTENTS)
        return {
            self.series[id_]: Extent(rows, _s(first), _s(last), missing) for id_, rows, first, last, missing in found
        }

    def gaps(self) -> dict[Series, list[BarSpan]]:
        """Return where bars are missing between the first and the last."""
        return self._spans(_SPANS)

    def still(self) -> dict[Series, list[BarSpan]]:
        """Return where bars without volume follow each other."""
        return self._spans(_STILL)

    def impossible(self) -> dict[Series, list[Wrong]]:
        """Return the rows that cannot be true: no time or off the grid, not finite, not positive, not ordered."""
        return self._grouped(
            (id_, Wrong(None if us is None else _s(us), n, tuple(values))) for id_, us, n, *values in self._ask(_WRONG)
        )

    def repeated(self) -> dict[Series, list[Repeated]]:
        """Return the times that stand there more than once."""
        return self._grouped(
            (id_, Repeated(_s(us), surplus, differ)) for id_, us, surplus, differ in self._ask(_DOUBLE)
        )

    def backwards(self) -> dict[Series, list[Wrong]]:
        """Return the rows whose time lies before that of the row above."""
        return self._grouped((id_, Wrong(_s(us), n, ())) for id_, us, n in self._ask(_BACKWARDS))

    def scales(self) -> dict[Series, Scale]:
        """Return how each series moves; one that never moves is absent."""
        return {self.series[id_]: Scale(median, mad) for id_, median, mad in self._ask(_SCALE)}

    def outliers(self, deviations: float) -> dict[Series, list[Outlier]]:
        """Return the bars whose high or low is further from the close before than so many median absolute deviations.

        The deviation is that of close-to-close log returns, bars without a move left out, so that a quiet market does
        not make every move an outlier. Only bars that follow directly on another are judged.

        Source: median and MAD as robust centre and scale, Leys et al., J. Exp. Soc. Psych. 49 (2013);
            their factor 1.4826 is left out.
        """
        found = self._ask(_OUTLIERS, [deviations])
        return self._grouped((id_, Outlier(_s(us), move, far)) for id_, us, move, far in found)

    def disagreements(self) -> dict[Series, list[Disagreement]]:
        """Return the bars that contradict a finer series of the same symbol at the same venue.

        A whole bucket of finer bars must give open, high, low, close and volume; one with holes must at least stay
        within high, low and volume. Finer bars without volume repeat an old price and are left out of the prices.
        """
        found = self._ask(_AGAINST, [PRICE_TOLERANCE, VOLUME_TOLERANCE])
        return self._grouped(
            (coarse, Disagreement(_s(us), self.series[fine], tuple(fields))) for coarse, fine, us, fields in found
        )

    def _add(self, series: Series) -> int:
        """Take a series in and return its number."""
        number, months = len(self.series), timeframe_months(series.timeframe)
        self.series.append(series)
        values = [number, 0 if months else series.bar_s * 1_000_000, months, series.venue, series.symbol]
        self._db.execute("INSERT INTO series VALUES (?, ?, ?, 0, 0, ?, ?)", values)
        return number

    def _anchor(self, number: int) -> None:
        """Find where the bars of a series open: see :mod:`peaktrade_core.candles.grid`."""
        series = self.series[number]
        self._db.execute(_ANCHOR, [number, timeframe_months(series.timeframe), int(series.bar_s) * 1_000_000])

    def _ask(self, question: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the answer's rows; too many for this process are a DataError."""
        import duckdb

        try:
            return self._db.execute(question, list(values)).fetchall()
        except duckdb.OutOfMemoryException:
            raise DataError(TOO_MANY) from None

    def _spans(self, question: str) -> dict[Series, list[BarSpan]]:
        """Return spans by series."""
        return self._grouped((id_, BarSpan(_s(a), _s(b), bars)) for id_, a, b, bars in self._ask(question))

    def _grouped(self, found: Any) -> dict[Series, list[Any]]:
        """Return findings by series; one without any is absent."""
        groups: dict[Series, list[Any]] = {}
        for id_, finding in found:
            groups.setdefault(self.series[id_], []).append(finding)
        return groups


def _s(us: int) -> float:
    """Return microseconds as seconds."""
    return us / 1e6
