"""What the tables of ``config/config.toml`` say that belong to one room each: pure values with their ranges."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.base.typed import Checked
from peaktrade_core.trading.market import Timeframe, parse_duration
from peaktrade_core.trading.risk import Limits

ARCHIVE: Final = "archive"
DELETE: Final = "delete"
NEVER: Final = "never"
ON_FAILURE: Final = "on-failure"
OFF: Final = "off"
LONGEST_S = 86_400.0

Policy = Literal["never", "on-failure"]
Pace = Annotated[float, Meta(ge=0.0, le=1e9)]  # seconds of the market per second of the wall clock, 0 for no pause
Days = Annotated[int, Meta(ge=1, le=36_500)]
_Positive = Annotated[float, Meta(gt=0.0, le=1e15)]
_AtLeastZero = Annotated[float, Meta(ge=0.0, le=1e15)]
_BUILT_IN = Limits()


class RiskLimits(Checked, frozen=True):
    """``[live_risk]``: the limits of a session as they may be written; :class:`Limits` says what they are."""

    max_order_notional: _Positive = _BUILT_IN.max_order_notional
    max_symbol_exposure_notional: _Positive = _BUILT_IN.max_symbol_exposure_notional
    max_total_exposure_notional: _Positive = _BUILT_IN.max_total_exposure_notional
    max_open_positions: Annotated[int, Meta(ge=0, le=10**15)] = _BUILT_IN.max_open_positions
    max_daily_loss_abs: _Positive = _BUILT_IN.max_daily_loss_abs
    max_daily_loss_pct: _Positive = _BUILT_IN.max_daily_loss_pct
    warning_threshold_factor: Annotated[float, Meta(gt=0.0, le=1.0)] = _BUILT_IN.warning_threshold_factor
    max_drawdown_halt_pct: _Positive = _BUILT_IN.max_drawdown_halt_pct
    price_collar_pct: _Positive = _BUILT_IN.price_collar_pct
    max_price_age_s: _Positive = _BUILT_IN.max_price_age_s
    max_orders_per_minute: Annotated[float, Meta(ge=1.0, le=1e15)] = _BUILT_IN.max_orders_per_minute
    max_entries_per_day: _Positive = _BUILT_IN.max_entries_per_day
    duplicate_window_s: _AtLeastZero = _BUILT_IN.duplicate_window_s
    max_open_orders: _AtLeastZero = _BUILT_IN.max_open_orders
    max_consecutive_rejects: _Positive = _BUILT_IN.max_consecutive_rejects


class GroupCommit(Checked, frozen=True):
    """How many events may wait for the disk, and for how long.

    Attributes:
        events: commit at the latest after this many.
        seconds: and at the latest after this time [s], looked at once a bar.
        fsync: force the disk at each commit; without it a commit survives the process but not the machine.
    """

    events: Annotated[int, Meta(ge=1, le=1_000_000)] = 2000
    seconds: Annotated[float, Meta(ge=0.0, le=60.0)] = 0.5
    fsync: bool = True


class Releasing(Checked, frozen=True):
    """How the kill switch is released: within which time the second person must confirm [s]."""

    confirm_within_s: Annotated[float, Meta(ge=1.0, le=LONGEST_S)] = 900.0


class Retention(Checked, frozen=True):
    """How long things stay where they are.

    Attributes:
        run_days: run folders, weekly reports and the scheduler's log, after their end [days].
        report_days: daily reports [days].
        action: ``archive`` moves them to ``reports/archive``, ``delete`` removes them.
    """

    run_days: Days = 90
    report_days: Days = 30
    action: Literal["archive", "delete"] = ARCHIVE


class Analysis(Checked, frozen=True):
    """``[research.analysis]``: when the runs of a strategy together warn or block.

    Attributes:
        least_runs: below it there is a warning; block_median_return: median over the runs [fraction].
        warn_drawdown, block_drawdown: of the worst run [fraction].
    """

    least_runs: Annotated[int, Meta(ge=1)] = 5
    warn_drawdown: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.15
    block_drawdown: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.25
    block_median_return: Annotated[float, Meta(ge=-1.0, le=10.0)] = 0.0


class Research(Checked, frozen=True):
    """What research may see, and what it must bring.

    Attributes:
        holdout: share of a market's bars that is held back [fraction].
        promotion_sessions: shadow sessions that agree with their backtests before an ``aux`` strategy can be ``core``.
        forward: presets whose forward signals the scheduler writes.
    """

    holdout: Annotated[float, Meta(ge=0.0, le=0.9)] = 0.2
    forward: tuple[str, ...] = ()
    promotion_sessions: Annotated[int, Meta(ge=1, le=1000)] = 5
    analysis: Analysis = Analysis()


class Restart(Checked, frozen=True):
    """What becomes of a run that failed or whose process died; one that a person stopped stays stopped.

    Attributes:
        policy: ``never`` or ``on-failure``.
        max_restarts: how often a run and its successors are replaced.
        backoff_s: wait before the first restart [s]; doubles with each.
    """

    policy: Policy = NEVER
    max_restarts: Annotated[int, Meta(ge=0, le=1000)] = 3
    backoff_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 10.0


class Profile(Checked, frozen=True):
    """A run with a name: what is not said here comes from the command line or from ``[session]``.

    Attributes:
        candles: file of candles; dialect: what is told of it, ``PART=VALUE``.
        steps: bars after the warm-up; duration: the same as market time (``30`` minutes, ``90s``, ``1h``).
        pace: seconds of the market per second of the wall clock, 0 for as fast as possible.
        restart: ``never`` or ``on-failure``, None for the policy of ``[fleet.restart]``.
    """

    mode: Literal["shadow", "testnet"] = "shadow"
    strategy: str | None = None
    symbol: str | None = None
    timeframe: Timeframe | None = None
    feed: Literal["synthetic", "replay", "exchange"] | None = None
    candles: str | None = None
    dialect: tuple[str, ...] = ()
    seed: int | None = None
    steps: int | None = None
    duration: str | None = None
    pace: Pace | None = None
    notes: str = ""
    restart: Policy | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and self.duration is not None:
            raise ConfigError("a profile takes steps or duration, not both")
        if self.duration is not None:
            parse_duration(self.duration)


def _profiles() -> dict[str, Profile]:
    """Return the profiles that are built in."""
    return {"quick_smoke": Profile(steps=120, pace=600.0, notes="quick smoke")}


class FleetSettings(Checked, frozen=True):
    """How the fleet is kept.

    Attributes:
        max_runs: how many may run at once.
        pace: of a run that says nothing, market seconds per second; 0 for as fast as possible.
        start_deadline_s: how long a run may take to begin [s].
        stop_deadline_s: how long it may take to end before its process is killed [s].
        min_free_disk_mb: below this nothing is started [MB].
        restart: what becomes of a run that failed or died.
    """

    max_runs: Annotated[int, Meta(ge=1, le=1000)] = 40
    pace: Pace = 1.0
    start_deadline_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 60.0
    stop_deadline_s: Annotated[float, Meta(ge=0.0, le=3600.0)] = 30.0
    min_free_disk_mb: Annotated[float, Meta(ge=0.0, le=1e9)] = 200.0
    restart: Restart = Restart()
    profiles: dict[str, Profile] = msgspec.field(default_factory=_profiles)

    def profile(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if name not in self.profiles:
            raise UnknownNameError("profile", name, sorted(self.profiles), "[fleet.profiles] in config.toml")
        return self.profiles[name]


class Trigger(Checked, frozen=True):
    """What a table of ``[triggers]`` says of an alert rule: from which figure on it acts, how, and on whom.

    Attributes:
        threshold: the figure that is reached; its unit is the trigger's.
        action: ``off``, ``reduce`` (only reducing orders), ``halt`` (latched), ``kill_switch`` (no orders at all).
        scope: ``session`` (its mode, strategy and symbol) or ``global``; the kill switch is always global.
    """

    threshold: _Positive
    action: Literal["off", "reduce", "halt", "kill_switch"] = "halt"
    scope: Literal["session", "global"] = "session"


class Triggers(Checked, frozen=True):
    """``[triggers]``, as it was written before ``config/alerts.toml`` had actions; what stands here goes before that.

    Attributes:
        drawdown: largest drawdown of a session [percent].
        daily_loss: of a whole account since 00:00 UTC [quote ccy].
        failed_in_a_row: sessions of one mode, strategy and symbol [sessions].
        rejects_in_a_row: refusals by the venue [orders].
        stale_feed: how much later than two bars a running session's next event is [s].
    """

    drawdown: Trigger | None = None
    daily_loss: Trigger | None = None
    failed_in_a_row: Trigger | None = None
    rejects_in_a_row: Trigger | None = None
    stale_feed: Trigger | None = None
