"""The trials of sweeps as one table: a parquet file a finished sweep, the parts of one that is not, asked by DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ArtefactError, UnknownNameError
from peaktrade_core.candles.sql import connect
from peaktrade_core.research.trials.trial import Trial

METRICS = {"sharpe": "sharpe", "return": "total_return", "drawdown": "-max_drawdown"}  # the larger the better
TABLE = "trials.parquet"
_TYPES = {
    "number": "BIGINT", "decision_id": "VARCHAR", "params": "VARCHAR", "error": "VARCHAR", "equity": "DOUBLE",
    "total_return": "DOUBLE", "sharpe": "DOUBLE", "max_drawdown": "DOUBLE", "days": "BIGINT", "trades": "BIGINT",
    "fills": "BIGINT", "fees": "DOUBLE", "exposure": "DOUBLE", "denied": "VARCHAR", "halted_at": "VARCHAR",
}  # fmt: skip


def write_table(folder: Path) -> Path:
    """Write the trials of the parts in a sweep's folder as one parquet file and return it.

    Raises:
        ArtefactError: a part cannot be read.
    """
    path = folder / TABLE
    made = path.with_suffix(".new")
    _asked(f"COPY (SELECT * FROM {_parts(folder)} ORDER BY number) TO {_quoted(made)} (FORMAT parquet)", folder)
    made.replace(path)
    return path


def best_trials(folders: Sequence[Path], metric: str, limit: int, *, least_trades: int = 0) -> list[tuple[str, Trial]]:
    """Return the best trials of some sweeps, each with its sweep's id; those that could not run or have no metric are left out.

    Args:
        folders: of the sweeps; metric: of :data:`METRICS`; limit: at most so many.
        least_trades: round trips that a trial must have.

    Raises:
        UnknownNameError: no such metric; ArtefactError: the trials of a sweep cannot be read.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, list(METRICS))
    if not folders:
        return []
    by = METRICS[metric]
    rows = _asked(
        f"SELECT sweep_id, {', '.join(_TYPES)} FROM ({_every(folders)}) WHERE {by} IS NOT NULL AND error = '' "
        f"AND trades >= {int(least_trades)} ORDER BY {by} DESC, sweep_id, number LIMIT {int(limit)}",
        folders[0].parent,
    )
    return [(sweep_id, _trial(values)) for sweep_id, *values in rows]


def trials_of(folders: Sequence[Path], decision_id: str) -> list[str]:
    """Return the names ``SWEEP#NUMBER`` of the trials that decided alike.

    Raises:
        ArtefactError: the trials of a sweep cannot be read.
    """
    if not folders or not decision_id.isidentifier():
        return []
    query = f"SELECT sweep_id, number FROM ({_every(folders)}) WHERE decision_id = {_quoted(decision_id)} ORDER BY ALL"
    return [f"{sweep_id}#{number}" for sweep_id, number in _asked(query, folders[0].parent)]


def _trial(values: list[Any]) -> Trial:
    raw = {name: value for name, value in zip(_TYPES, values, strict=True) if value is not None}
    raw |= {name: msgspec.json.decode(raw[name]) for name in ("params", "denied") if name in raw}
    return msgspec.convert(raw, Trial)


def _every(folders: Sequence[Path]) -> str:
    """Return a query over the trials of all sweeps: parquet where it is whole, parts where it is not yet."""
    whole, rest = [], []
    for folder in folders:
        if (folder / TABLE).is_file():
            whole.append(folder)
        elif any(folder.glob("parts/*.jsonl")):
            rest.append(folder)
    names = ", ".join(_quoted(folder / TABLE) for folder in whole)
    columns = ", ".join(_TYPES)
    asked = [f"SELECT parse_path(filename)[-2] AS sweep_id, {columns} FROM read_parquet([{names}], filename = true)"]
    asked = asked if whole else []
    asked += [f"SELECT {_quoted(folder.name)} AS sweep_id, {columns} FROM {_parts(folder)}" for folder in rest]
    nothing = "SELECT '' AS sweep_id, " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in _TYPES.items())
    return " UNION ALL ".join(asked) or f"{nothing} WHERE false"


def _parts(folder: Path) -> str:
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _TYPES.items())
    return f"read_json({_quoted(folder / 'parts' / '*.jsonl')}, format = 'newline_delimited', columns = {{{columns}}})"


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _asked(query: str, about: Path) -> list[tuple[Any, ...]]:
    """Return the rows of a query.

    Raises:
        ArtefactError: a file cannot be read.
    """
    import duckdb

    try:
        with connect() as db:
            return db.execute(query).fetchall()
    except duckdb.Error as error:
        said = str(error).partition("\n")[0]
        raise ArtefactError(f"{about}: not the trials of a sweep: {said}") from None
