"""What the tables of ``config/config.toml`` say that belong to one room each: pure values with their ranges."""

from __future__ import annotations

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.trading.market import parse_duration

ARCHIVE, DELETE = "archive", "delete"
NEVER, ON_FAILURE = "never", "on-failure"
OFF, REDUCE, HALT, KILL_SWITCH = "off", "reduce", "halt", "kill_switch"
ACTIONS = (OFF, REDUCE, HALT, KILL_SWITCH)
SESSION, GLOBAL = "session", "global"
LONGEST_S = 86_400.0


class GroupCommit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many events may wait for the disk, and for how long.

    Attributes:
        events: commit at the latest after this many.
        seconds: and at the latest after this time [s], looked at once a bar.
        fsync: force the disk at each commit; without it a commit survives the process but not the machine.
    """

    events: int = 2000
    seconds: float = 0.5
    fsync: bool = True


class Releasing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the kill switch is released: within which time the second person must confirm [s]."""

    confirm_within_s: float = 900.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.confirm_within_s <= LONGEST_S:
            raise ConfigError(f"confirm_within_s = {self.confirm_within_s!r} must be a number from 1 to {LONGEST_S:g}")


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long things stay where they are.

    Attributes:
        run_days: run folders, weekly reports and the scheduler's log, after their end [days].
        report_days: daily reports [days].
        action: ``archive`` moves them to ``reports/archive``, ``delete`` removes them.
    """

    run_days: int = 90
    report_days: int = 30
    action: str = ARCHIVE

    def __post_init__(self) -> None:
        for key in ("run_days", "report_days"):
            if not 1 <= getattr(self, key) <= 36_500:
                raise ConfigError(f"{key} = {getattr(self, key)!r} must be from 1 to 36500")
        if self.action not in (ARCHIVE, DELETE):
            raise ConfigError(f"action = {self.action!r} must be 'archive' or 'delete'")


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a run that failed or whose process died; one that a person stopped stays stopped.

    Attributes:
        policy: ``never`` or ``on-failure``.
        max_restarts: how often a run and its successors are replaced.
        backoff_s: wait before the first restart [s]; doubles with each.
    """

    policy: str = NEVER
    max_restarts: int = 3
    backoff_s: float = 10.0

    def __post_init__(self) -> None:
        if self.policy not in (NEVER, ON_FAILURE):
            raise ConfigError(f"restart policy {self.policy!r} must be one of: {NEVER}, {ON_FAILURE}")
        if not 0 <= self.max_restarts <= 1000 or not 0.0 <= self.backoff_s <= 86_400.0:
            raise ConfigError("max_restarts must be 0 to 1000 and backoff_s 0 to 86400")


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run with a name: what is not said here comes from the command line or from ``[session]``.

    Attributes:
        steps: bars after the warm-up; duration: the same as market time (``30`` minutes, ``90s``, ``1h``).
        pace: seconds of the market per second of the wall clock, 0 for as fast as possible.
        restart: ``never`` or ``on-failure``, None for the policy of ``[fleet.restart]``.
    """

    mode: str = "shadow"
    strategy: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    feed: str | None = None
    candles: str | None = None
    seed: int | None = None
    steps: int | None = None
    duration: str | None = None
    pace: float | None = None
    notes: str = ""
    restart: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("shadow", "testnet"):
            raise ConfigError(f"mode = {self.mode!r} must be shadow or testnet")
        if self.steps is not None and self.duration is not None:
            raise ConfigError("a profile takes steps or duration, not both")
        if self.duration is not None:
            parse_duration(self.duration)
        if self.pace is not None and not 0.0 <= self.pace < 1e9:
            raise ConfigError(f"pace = {self.pace!r} must be 0 (as fast as possible) or a positive number")
        if self.restart is not None:
            Restart(policy=self.restart)


def _profiles() -> dict[str, Profile]:
    """Return the profiles that are built in."""
    return {"quick_smoke": Profile(steps=120, pace=600.0, notes="quick smoke")}


class FleetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the fleet is kept.

    Attributes:
        max_runs: how many may run at once.
        pace: of a run that says nothing, market seconds per second; 0 for as fast as possible.
        start_deadline_s: how long a run may take to begin [s].
        stop_deadline_s: how long it may take to end before its process is killed [s].
        min_free_disk_mb: below this nothing is started [MB].
        restart: what becomes of a run that failed or died.
    """

    max_runs: int = 40
    pace: float = 1.0
    start_deadline_s: float = 60.0
    stop_deadline_s: float = 30.0
    min_free_disk_mb: float = 200.0
    restart: Restart = Restart()
    profiles: dict[str, Profile] = msgspec.field(default_factory=_profiles)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("max_runs", 1, 1000),
            ("pace", 0.0, 1e9),
            ("start_deadline_s", 1.0, 3600.0),
            ("stop_deadline_s", 0.0, 3600.0),
            ("min_free_disk_mb", 0.0, 1e9),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"fleet.{name} = {getattr(self, name)!r} must be a number from {low:g} to {high:g}")

    def profile(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if name not in self.profiles:
            raise UnknownNameError("profile", name, sorted(self.profiles), "[fleet.profiles] in config.toml")
        return self.profiles[name]


class Trigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a table of ``[triggers]`` says of an alert rule: from which figure on it acts, how, and on whom.

    Attributes:
        threshold: the figure that is reached; its unit is the trigger's.
        action: ``off``, ``reduce`` (only reducing orders), ``halt`` (latched), ``kill_switch`` (no orders at all).
        scope: ``session`` (its mode, strategy and symbol) or ``global``; the kill switch is always global.
    """

    threshold: float
    action: str = HALT
    scope: str = SESSION

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1e15:
            raise ConfigError(f"threshold = {self.threshold!r} must be a positive number")
        if self.action not in ACTIONS:
            raise ConfigError(f"action = {self.action!r} must be one of: {', '.join(ACTIONS)}")
        if self.scope not in (SESSION, GLOBAL):
            raise ConfigError(f"scope = {self.scope!r} must be 'session' or 'global'")


class Triggers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
