"""What is kept of a session: its configuration, its metrics and the registry record around both.

Writers are strict, readers are lenient: :func:`read_record` keeps fields it does not know, takes missing ones as null
and naive times as UTC, so that records of other modes and of older writers can be shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.files import as_json

SCHEMA_VERSION = 1
MODES = ("shadow", "testnet", "paper", "live")
STARTED = "started"
STATUSES = (STARTED, "completed", "failed", "aborted")
LARGEST = 1e300  # no figure is larger; what is (or is NaN) is not taken for one
IMPORTED = "imported"  # mode, run type and feed of what people ran elsewhere; sums count it only where it is asked for
NO_CANDLES = "without candles"  # tag of an imported session whose bars are made of its own fills
REHEARSAL = "rehearsal"  # run type of practice, which no sum over sessions counts
NOT_APPROVED = "not as approved"  # how the governance of a record begins that was edited past the changes
UNREADABLE = "unreadable"  # status of the row that stands for a file that cannot be read
RUNNING = "running"  # how people ask for what is recorded as started
ASKED_STATUSES = (*STATUSES, RUNNING, UNREADABLE)


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Everything a session decides by; with the data it reproduces the run byte for byte.

    Attributes:
        warmup_candles: bars that only warm the strategy up.
        steps: bars to trade after the warm-up, null for all that come.
        position_fraction: notional of a new position as a share of equity [fraction].
        start_balance: [quote ccy].
        fee_bps, slippage_bps: costs [basis points of notional].
        data_sha256: digest of the candles, null where they are not known beforehand.
        candles: their file, null where they came from none; dialect: what was told of it, ``PART=VALUE``.
        instrument, risk_limits: as used.
    """

    strategy_name: str
    params: dict[str, Any]
    symbol: str
    timeframe: str
    feed: str
    seed: int | None
    data_sha256: str | None
    warmup_candles: int
    steps: int | None
    position_fraction: float
    start_balance: float
    fee_bps: float
    slippage_bps: float
    risk_limits: dict[str, float]
    instrument: dict[str, Any]
    candles: str | None = None
    dialect: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    notes: str = ""


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a session; null where there is none (``fill_rate`` without orders).

    Attributes:
        realized_pnl: net of all fees [quote ccy].
        unrealized_pnl: open position at the last close [quote ccy].
        funding: received less paid, which the realized PnL holds [quote ccy]; null where there is none, or nobody knows it.
        max_drawdown: largest 1 - equity / peak [fraction].
        num_orders: orders executed; num_trades: round trips, flat to flat.
        steps: bars after the warm-up.
        risk_status: worst severity of the session, green, yellow or red; unknown of one that was imported.
        deny_codes: how often each code denied an order.
        trading_state: under which the session ended.
    """

    realized_pnl: float = 0.0
    unrealized_pnl: float = 0.0
    fees: float = 0.0
    funding: float | None = None
    max_drawdown: float = 0.0
    num_orders: int = 0
    num_trades: int = 0
    steps: int = 0
    fill_rate: float | None = None
    orders_generated: int = 0
    orders_executed: int = 0
    orders_blocked_risk: int = 0
    orders_rejected: int = 0
    orders_open: int = 0
    equity_end: float = 0.0
    gaps: int = 0
    bars_missing: int = 0
    risk_status: str = "green"
    deny_codes: dict[str, int] = msgspec.field(default_factory=dict)
    trading_state: str = "ACTIVE"


class SessionRecord(msgspec.Struct, kw_only=True, omit_defaults=False):
    """One session in the registry.

    Attributes:
        decision_id: of what decided, by its content, as backtests and trials have it; null in older records.
        governance: whether configuration and code were as they were approved last, in a sentence; null where nothing was.
        extra: what a foreign writer added; it is not written as a field.
    """

    session_id: str
    run_id: str
    run_type: str
    mode: str
    env_name: str | None
    symbol: str | None
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime | None
    config: dict[str, Any]
    metrics: dict[str, Any]
    cli_args: list[str]
    error: str | None
    strategy_tier: str | None
    schema_version: int
    host: str | None = None
    decision_id: str | None = None
    governance: str | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)

    def metric(self, name: str) -> float | None:
        """Return a finite metric, or None where it is missing, null or NaN."""
        return finite(self.metrics.get(name))

    def setting(self, name: str) -> Any:
        """Return a value of the configuration, or None."""
        return self.config.get(name)

    @property
    def settings(self) -> SessionConfig:
        """What it decided by, with its types; the record of an older version may lack some.

        Raises:
            ArtefactError: they cannot be used.
        """
        return settings_of(self.session_id, self.config)

    @property
    def duration_seconds(self) -> float | None:
        """Wall-clock time from start to end [s], None while it runs."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def settings_of(session_id: str, raw: Mapping[str, Any]) -> SessionConfig:
    """Return the configuration of a session as it stands in a record or a journal, with its types.

    Raises:
        ArtefactError: it cannot be used.
    """
    try:
        return msgspec.convert(raw, SessionConfig)
    except msgspec.ValidationError as error:
        raise ArtefactError(f"the configuration of {session_id} cannot be used: {why(error)}") from None


def finite(value: object) -> float | None:
    """Return a number that is finite, and None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -LARGEST < value < LARGEST:
        return None
    return value


def limits_of(record: SessionRecord) -> dict[str, float]:
    """Return the risk limits of a record, as far as they are figures that limit."""
    given = record.setting("risk_limits")
    return {name: value for name, value in given.items() if finite(value)} if isinstance(given, dict) else {}


def total_pnl(
    equity: float | None, start_balance: float | None, realized_pnl: float | None, unrealized_pnl: float | None
) -> float | None:
    """Return what a session gained or lost [quote ccy]: equity less start balance, which is realized and unrealized PnL.

    An older or foreign record may lack one of the first two; None where both ways are barred.
    """
    if equity is not None and start_balance is not None:
        return equity - start_balance
    return None if realized_pnl is None or unrealized_pnl is None else realized_pnl + unrealized_pnl


def encode_record(record: SessionRecord) -> bytes:
    """Return the record as indented JSON, its unknown fields beside the known ones."""
    fields = msgspec.to_builtins(record)
    fields.update({k: v for k, v in fields.pop("extra").items() if k not in fields})
    return as_json(fields)


_FIELDS = frozenset(f for f in SessionRecord.__struct_fields__ if f != "extra")


def read_record(data: bytes) -> SessionRecord:
    """Return the record that ``data`` holds, as lenient as honesty allows.

    Raises:
        ArtefactError: no JSON object, no session id, a field of the wrong type, or a newer schema.
    """
    if not data.strip():
        raise ArtefactError("the file is empty")
    raw = _decode(data)
    if not isinstance(raw, dict):
        raise ArtefactError("holds no table of JSON")
    session_id = raw.get("session_id") or raw.get("run_id")
    if not isinstance(session_id, str):
        raise ArtefactError("has no session_id")
    version = raw.get("schema_version") or 0
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ArtefactError(
            f"schema_version {version!r} is newer than this peaktrade reads ({SCHEMA_VERSION}); upgrade"
        )
    known: dict[str, Any] = {name: raw.get(name) for name in _FIELDS}
    known.update(
        session_id=session_id,
        run_id=known["run_id"] or session_id,
        run_type=known["run_type"] or f"live_session_{known['mode'] or 'unknown'}",
        mode=known["mode"] or "unknown",
        status=known["status"] or "unknown",
        config=known["config"] or {},
        metrics=known["metrics"] or {},
        cli_args=known["cli_args"] or [],
        schema_version=version,
        extra={k: v for k, v in raw.items() if k not in _FIELDS},
    )
    try:
        record = msgspec.convert(known, SessionRecord)
        for name in ("started_at", "finished_at", "created_at"):
            moment = getattr(record, name)
            setattr(record, name, None if moment is None else as_utc(moment))
    except (msgspec.ValidationError, OverflowError) as error:
        raise ArtefactError(why(error)) from None
    return record


def _decode(data: bytes) -> Any:
    """Return what JSON text holds; NaN and infinities, which older writers left in it, become null.

    Raises:
        ArtefactError: it is no JSON, not even of that kind.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            return msgspec.json.decode(msgspec.json.encode(json.loads(data, parse_constant=lambda _: None)))
        except (ValueError, RecursionError):
            raise ArtefactError(f"not valid JSON: {why(error)}") from None
