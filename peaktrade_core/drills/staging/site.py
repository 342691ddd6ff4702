"""Where a drill takes place: a workspace of its own with the desk's settings, a venue on this machine, and nobody outside.

The desk's rules and limits are copied, so that people train with them; its channels are not, so that a drill never
pages anybody. Nothing of it is ever mixed with real records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import tomli_w

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import ALERTS, AlertEngine
from peaktrade_core.base.clock import Clock
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.files import read_toml, write_atomic
from peaktrade_core.base.resources import share_dir
from peaktrade_core.drills.drill import Fault, Scenario
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.testing.market import HISTORY, MarketSource
from peaktrade_core.trading.market import Bar
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.workspace import Workspace, open_site

BAR_S = 60
WARMUP = 60  # bars
NOT_DRILLED = ("disk-free", "daily-report-overdue", "failed-job")  # rules that look at the machine and the calendar
PAGER = "pager"
_DEAD = "json://127.0.0.1:9/drill"  # the discard port: nobody listens there
_QUICK = {"venue": "kraken", "order_pace_s": 0.0}


def make_site(
    workspace: Workspace, scenario: Scenario, home: Path, base_url: str, clock: Clock, *, console: bool
) -> Workspace:
    """Make the workspace of a drill and return it.

    Args:
        workspace: whose settings and rules are copied; scenario: what is changed in them.
        home: the folder, which must not hold a workspace yet; base_url: of the venue on this machine.
        clock: of everything in it.
        console: whether alerts are told on the terminal.

    Raises:
        ConfigError: the scenario changes something that does not exist, or to a wrong value.
        EnvironmentFault: the folder cannot be written.
    """
    config = read_toml(workspace.config_path)
    config["strategy_modules"] = [str(workspace.home / path) for path in config.get("strategy_modules", [])]
    own: dict[str, dict[str, Any]] = {
        "environment": {"mode": mode_of(scenario)},
        "exchange": {**_QUICK, "base_url": base_url},
        "journal": {"events": 1, "seconds": 0.0, "fsync": False},
    }
    for tables in (own, scenario.config):
        for name, table in tables.items():
            config[name] = {**config.get(name, {}), **table}
    write_atomic(home / CONFIG, tomli_w.dumps(config).encode())
    path = workspace.home / ALERTS
    rules = _rules(read_toml(path if path.exists() else share_dir() / ALERTS), scenario, console=console)
    write_atomic(home / ALERTS, tomli_w.dumps(rules).encode())
    site = open_site(home, clock)
    site.config  # noqa: B018  (reading it is the check)
    AlertEngine(site, Alerts.of(site).log)
    return site


def wishes(scenario: Scenario, session_id: str) -> dict[str, Any]:
    """Return what the drilled session is asked to be."""
    chosen: dict[str, Any] = {"warmup_candles": WARMUP, "timeframe": "1m", "notes": f"drill {scenario.name}"}
    if scenario.session.get("feed") == "synthetic":
        chosen["seed"] = scenario.seed
    return {**chosen, "tags": ("drill",), "session_id": session_id, **scenario.session}


def mode_of(scenario: Scenario) -> str:
    """Return the mode of the drilled session."""
    return str(scenario.session.get("mode", "shadow"))


def market(scenario: Scenario, symbol: str) -> MarketSource:
    """Return the market of a drill: the seed's, with the falls that the scenario asks for."""
    drops = [fault for fault in scenario.fault if fault.kind == "pnl_drop"]
    feed = SyntheticFeed(scenario.seed, BAR_S)
    return MarketSource(symbol, _falling(feed, drops), BAR_S, 2)


def _falling(feed: SyntheticFeed, drops: list[Fault]) -> Iterator[Bar]:
    """Yield the feed's bars; from each drop on, over its time, everything costs less."""
    factor = 1.0
    for number, bar in zip(count(), feed, strict=False):
        before, factor = factor, 1.0
        for drop in drops:
            length = max(1.0, drop.lasts_s / BAR_S)
            share = (number + 1 - HISTORY - drop.after_s // BAR_S) / length
            factor *= 1.0 - drop.size * min(1.0, max(0.0, share))
        if factor == before == 1.0:
            yield bar
            continue
        open_, close = round(bar.open * before, 2), round(bar.close * factor, 2)
        high, low = max(open_, close, round(bar.high * factor, 2)), min(open_, close, round(bar.low * factor, 2))
        yield Bar(bar.ts, open_, high, low, close, bar.volume)


def _rules(raw: dict[str, Any], scenario: Scenario, *, console: bool) -> dict[str, Any]:
    """Return the alert rules of a drill: the desk's with the scenario's changes, told to nobody outside."""
    channels: dict[str, Any] = {"log": {"kind": "log"}}
    if console:
        channels["console"] = {"kind": "console"}
    told = ["log", *(["console"] if console else [])]
    if any(fault.kind == "failed_channel" for fault in scenario.fault):
        channels[PAGER] = {"url": _DEAD, "timeout_s": 1.0, "deadline_s": 1.0}
        told.append(PAGER)
    known = {rule.get("id"): rule for rule in raw.get("rule", [])}
    for name in (*scenario.alerts, *scenario.expect.alerts):
        if name not in known:
            raise UnknownNameError("alert rule", name, [str(one) for one in known], "peaktrade alerts rules")
    rules = [_rule(rule, scenario.alerts.get(name, {}), told) for name, rule in known.items()]
    return {"channels": channels, "rule": [rule for rule in rules if rule["id"] not in NOT_DRILLED]}


def _rule(rule: Mapping[str, Any], changes: Mapping[str, Any], told: list[str]) -> dict[str, Any]:
    """Return one rule with its changes, told to the drill's channels."""
    changed = {**rule, **changes, "channels": told}
    return {**changed, "escalate_to": told} if changed.get("escalate_to") else changed
