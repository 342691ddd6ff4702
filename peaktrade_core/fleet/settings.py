"""What ``[fleet]`` in the configuration may say: how many runs, how patient we are with them, and named profiles."""

from __future__ import annotations

import msgspec

from peaktrade_core.base.errors import ConfigError, UnknownNameError
from peaktrade_core.fleet.launches import Restart
from peaktrade_core.trading.market import parse_duration


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
