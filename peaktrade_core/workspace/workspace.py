"""The composition root: the only place where adapters meet services.

A :class:`Workspace` is a folder with ``config/config.toml``; everything that peaktrade reads or writes lies below it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.log import LOG as ALERT_LOG
from peaktrade_core.alerts.log import AlertLog
from peaktrade_core.base.clock import Clock, FixedClock
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.wall_clock import SystemClock, random_suffix
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.shares import AccountFile
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.session.session import Desk, Plan
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.strategies import Strategy, get_strategy
from peaktrade_core.workspace.config import CONFIG, Config, load_config

if TYPE_CHECKING:
    from peaktrade_core.alerts.engine import AlertEngine
    from peaktrade_core.alerts.triggers import TriggerDesk
    from peaktrade_core.alerts.watcher import Watch, Watcher
    from peaktrade_core.fleet.fleet import Fleet
    from peaktrade_core.halts.kill_switch import KillSwitch
    from peaktrade_core.incidents.book import IncidentBook
    from peaktrade_core.reports.activity import ActivityFeed
    from peaktrade_core.runbooks.book import EvidenceBook
    from peaktrade_core.venue.client import VenueClient

FIXED_CLOCK = "PEAKTRADE_FIXED_CLOCK"
HOME = "PEAKTRADE_HOME"
RUNS = "PEAKTRADE_RUNS_DIR"  # where run folders are, if not below the workspace


def find_home(given: str | Path | None = None) -> Path:
    """Return the workspace: ``given``, else ``PEAKTRADE_HOME``, else the nearest folder upwards with a configuration.

    Raises:
        ConfigError: none of them leads to a workspace.
    """
    named = given or os.environ.get(HOME)
    if named:
        home = Path(named).expanduser().resolve()
        if not home.is_dir():
            raise ConfigError(f"no workspace: {home} is no folder; `peaktrade init {named}` makes it one")
        return home
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise ConfigError(
        f"no workspace: neither {here} nor a folder above holds {CONFIG}; go to one, name it with --home or "
        f"{HOME}, or make one with `peaktrade init FOLDER`"
    )


def _fixed_time(text: str) -> datetime:
    """Return the time that ``PEAKTRADE_FIXED_CLOCK`` names.

    Raises:
        ConfigError: it is no time.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{FIXED_CLOCK} = {text!r} is no time; write 2026-01-05T08:00:00+00:00, or unset it"
        ) from None


class Workspace:
    """One workspace: its configuration, its registry and runs, and the sessions that it can plan.

    Attributes:
        home: the folder; config_path: its configuration file; runs: where run folders are.
        clock: where times come from; fixed by ``PEAKTRADE_FIXED_CLOCK`` for reproducible notebooks.
    """

    def __init__(
        self, home: str | Path | None = None, config: str | Path | None = None, runs: str | Path | None = None
    ) -> None:
        self.home = find_home(home)
        named = runs or os.environ.get(RUNS)
        self.runs = Path(named).expanduser().resolve() if named else self.home / "live_runs"
        self.config_path = Path(config) if config else self.home / CONFIG
        self.clock: Clock = SystemClock()
        self._suffix: Callable[[str], str] = random_suffix
        fixed = os.environ.get(FIXED_CLOCK)
        if fixed:
            self.clock = FixedClock(_fixed_time(fixed), timedelta(milliseconds=1))
            self._suffix = lambda text: hashlib.sha256(text.encode()).hexdigest()[:6]

    @cached_property
    def config(self) -> Config:
        """The configuration; user strategy modules it names are loaded with it.

        Raises:
            ConfigError: a key, type or value is wrong, also in the parameters of a strategy.
        """
        config = load_config(self.config_path)
        for module in config.strategy_modules:
            load_strategy_module(self.home / module)
        for name, params in config.strategy.items():
            try:
                get_strategy(name).parameters(params)
            except ConfigError as error:
                raise ConfigError(f"{self.config_path}: [strategy.{name}]: {error}") from None
        return config

    @cached_property
    def registry(self) -> Registry:
        """Records of all sessions."""
        return Registry(self.reports / "experiments" / "live_sessions", self.home / ".cache" / "registry.sqlite")

    @property
    def reports(self) -> Path:
        """Where reports go."""
        return self.home / "reports"

    @cached_property
    def states(self) -> TradingStates:
        """The trading states on disk."""
        return TradingStates(self.reports / "live" / "trading_state", self.home / "logs" / "operations.log")

    @property
    def _shares(self) -> AccountFile:
        """What each running session uses of its account; a file of its own for each that asks."""
        return AccountFile(self.reports / "live" / "account.sqlite", lambda run_id: self.run_folder(run_id).alive())

    @cached_property
    def account(self) -> Account:
        """The accounts that running sessions share."""
        return Account(self._shares, lambda: self.config.limits, lambda: self.config.session.symbol)

    @cached_property
    def kill_switch(self) -> KillSwitch:
        """What stops every session at once."""
        from peaktrade_core.halts.kill_switch import KillSwitch

        return KillSwitch(self.states, self.clock, lambda: self.config.kill_switch)

    @cached_property
    def triggers(self) -> TriggerDesk:
        """What stops sessions without waiting for a person; the watcher applies them."""
        from peaktrade_core.alerts.triggers import TriggerDesk

        return TriggerDesk(
            self.reports / "live" / "triggers.jsonl",
            lambda: self.config.triggers,
            self.views.runs,
            self.run_folder,
            self.states,
            self.kill_switch,
            self.account,
            self.clock,
        )

    @cached_property
    def views(self) -> Views:
        """The read side."""
        return Views(self.registry, self.runs, self.run_folder, self.clock)

    @cached_property
    def activity(self) -> ActivityFeed:
        """What the suite and its automation did, newest first."""
        from peaktrade_core.reports.activity import ActivityFeed

        log = self.home / "logs" / "operations.log"
        return ActivityFeed(self.registry, lambda limit: self.alerts.rows(limit=limit), log, self.reports, self.clock)

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts, read and acted upon."""
        return Alerts(AlertLog(self.reports / "alerts" / ALERT_LOG), self.clock, self.alert_engine)

    def alert_engine(self) -> AlertEngine:
        """Return a new evaluation of the alert rules, with a memory of its own.

        Raises:
            ConfigError: ``config/alerts.toml`` is not sound.
        """
        from peaktrade_core.alerts.engine import AlertEngine
        from peaktrade_core.alerts.gather import Gatherer
        from peaktrade_core.alerts.settings_file import workspace_alert_settings

        settings = workspace_alert_settings(self.home)
        gatherer = Gatherer(
            self.views, self.run_folder, self.states, self.home, self.reports, self.clock, settings.keep_s
        )
        return AlertEngine(settings, gatherer, self.alerts.log, self.run_folder, self.states, self.clock)

    def watch(self) -> Watch:
        """Return whether a watcher runs, and what it last said."""
        from peaktrade_core.alerts.watcher import read_watch

        return read_watch(self.reports / "live", self.clock.now())

    def watcher(self, interval_s: float = 2.0) -> Watcher:
        """Return a watcher that is ready to run; raises as :meth:`alert_engine`."""
        from peaktrade_core.alerts.watcher import Deliveries, Watcher

        engine, log = self.alert_engine(), self.alerts.log
        logs = self.home / "logs"
        aside = Workspace(
            self.home, self.config_path, self.runs
        )  # the chores have a thread and a registry of their own
        steps: dict[str, Callable[[], object]] = {"recover": self.recover, "evaluate": engine.evaluate}
        if triggers := getattr(self, "triggers", None):
            steps["triggers"] = triggers.apply
        return Watcher(
            steps,
            {"fleet": aside.fleet.tend},
            Deliveries(engine.settings, log, logs / "alerts.log", self.clock),
            log,
            self.reports / "live",
            logs / "operations.log",
            self.clock,
            interval_s,
        )

    @cached_property
    def evidence(self) -> EvidenceBook:
        """The evidence that runbooks leave."""
        from peaktrade_core.runbooks.book import EvidenceBook

        return EvidenceBook(self.home, self.clock, rehearsal=isinstance(self.clock, FixedClock))

    @cached_property
    def incidents(self) -> IncidentBook:
        """The incidents."""
        from peaktrade_core.incidents.book import IncidentBook

        return IncidentBook(self.home, self.clock)

    @cached_property
    def fleet(self) -> Fleet:
        """The fleet: many runs, one process each."""
        from peaktrade_core.fleet.fleet import Fleet, Site

        session = ("session", "run", "--home", str(self.home), "--config", str(self.config_path.resolve()))
        program = (sys.executable, "-m", "peaktrade_core", *session)
        site = Site(self.home, self.runs, self.home / "logs" / "operations.log", program)
        return Fleet(site, self.desk(), self.views, self.config.fleet)

    def run_folder(self, run_id: str) -> RunFolder:
        """Return the folder of one run.

        Raises:
            ArtefactError: the id could escape the folder of the runs.
        """
        return RunFolder(self.runs, run_id)

    def desk(self) -> Desk:
        """Return what sessions share."""
        return Desk(
            self.run_folder, self.registry, self.states, self._shares, self.clock, self._suffix, self.config.journal
        )

    def recover(self) -> list[SessionRecord]:
        """End the sessions and drills of this machine whose process is gone; every command that looks calls it first.

        Returns:
            The records of the sessions; a drill's is in the drill log.
        """
        if (self.reports / "drills").is_dir():
            from peaktrade_core.drills.log import DrillBook
            from peaktrade_core.drills.recovery import close_dead

            close_dead(DrillBook(self.home, self.clock), open_site)
        return recover(self.registry, self.run_folder)

    def venue_client(self, *, credentials: bool = False) -> VenueClient:
        """Return a client of the configured venue; with ``credentials`` one that can make private calls.

        Raises:
            ConfigError: ``base_url`` leaves this machine.
            ExchangeAuthenticationError: there are no credentials.
        """
        from peaktrade_core.venue.client import CallPolicy, VenueClient
        from peaktrade_core.venue.credentials import find_credentials

        given = self.config.exchange
        return VenueClient(
            given.venue,
            credentials=find_credentials(given.venue) if credentials else None,
            base_url=given.base_url or None,
            demo=given.venue == "krakenfutures",
            policy=CallPolicy(
                timeout_s=given.timeout_s,
                deadline_s=given.deadline_s,
                attempts=given.attempts,
                order_pace_s=given.order_pace_s,
            ),
        )

    def plan(self, **wishes: Any) -> Plan:
        """Check everything a session needs and return it ready to start; nothing is written.

        Takes the keywords of :class:`~peaktrade_core.session.planning.Wishes` and raises what
        :func:`~peaktrade_core.session.planning.plan_session` does.
        """
        from peaktrade_core.session.planning import Wishes, plan_session

        return plan_session(self, Wishes(**wishes))


def open_site(home: Path, clock: Clock | None = None) -> Workspace:
    """Return the workspace of a drill, on the machine's clock or another, its runs below it whatever is configured."""
    site = Workspace(home, home / CONFIG, home / "live_runs")
    site.clock = clock or SystemClock()
    return site


def load_strategy_module(path: Path) -> list[Strategy]:
    """Run a Python file that registers strategies and return those it added.

    Raises:
        ConfigError: the file is missing or raises.
    """
    from peaktrade_core.trading.strategies import all_strategies

    before = {strategy.name for strategy in all_strategies()}
    name = f"peaktrade_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"{path}: no such strategy module; give a Python file that calls register()")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # somebody else's code
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    return [strategy for strategy in all_strategies() if strategy.name not in before]
