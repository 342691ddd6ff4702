"""System: which version runs where, why live is locked, what may trade, and how the accounts stand."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from peaktrade_core.base.checkout import git_commit
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.question import worst
from peaktrade_core.base.resources import share_dir
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.desk.readiness import PRE_SESSION
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show import wording
from peaktrade_core.trading.strategies import TIERS, all_strategies
from peaktrade_core.workspace.workspace import Workspace


@panel("system_lights")
def _lights(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: is the suite ready, how severe is it, and may anything trade?"""
    checks = workspace.ask(PRE_SESSION)
    return {
        "ready": worst(checks),
        "checks": checks,
        "whole": asked.stands(workspace),
        "switch": KillSwitch.of(workspace).status(),
    }


@panel("system_account")
def _account(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: how much of the account-wide limits do the running sessions use together?"""
    return {"uses": Account.of(workspace).uses()}


@panel("system_tiers")
def _tiers(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: which strategies are there, and which may run?"""
    used = Registry.of(workspace).counts("strategy")
    found, log = all_strategies(), Promotions(workspace)
    tiers = [(tier, [(one, used.get(one.name, 0)) for one in found if log.tier(one) == tier]) for tier in TIERS]
    return {"tiers": tiers, "default": workspace.config.session.strategy}


@panel("system_about")
def _about(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: what runs here, exactly?"""
    stats = Views.of(workspace).stats()
    return {
        "facts": [
            ("version", metadata.version("peaktrade")),
            ("commit", git_commit(share_dir()) or wording.NOTHING),
            ("environment", workspace.config.environment.name),
            ("python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"),
            ("config", f"{workspace.config_path.name}, sha256 {sha256_of(workspace.config_path)[:16]}"),
            ("records", wording.count(stats.total_sessions)),
        ]
    }
