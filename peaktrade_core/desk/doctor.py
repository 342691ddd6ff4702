"""What ``peaktrade doctor`` looks at: is this machine and this workspace fit for a session?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, check
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.desk.installation import requirements, version_of
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

LOW_DISK, NO_DISK = 0.10, 0.01  # free share of the disk
CLOCK_JUMP_S = 0.05
OLDEST_CLOCK_S = 1_767_225_600  # 2026-01-01, before this version existed


def examine(workspace: Workspace) -> list[Check]:
    """Return every check; none raises."""
    offset = _clock_offset()
    return [
        *interpreter_checks(),
        _bytecode(),
        _config(workspace),
        *_folders(workspace),
        _disk(workspace.home),
        _clock(offset),
        _browser(),
        *_sessions(workspace),
        _halts(workspace),
    ]


def interpreter_checks() -> list[Check]:
    """Return whether Python and the installed packages are those that this version needs."""
    return [_python(), _packages()]


def _python() -> Check:
    return check(
        "python",
        "Is Python 3.11 or newer?",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.system()}",
        "Install Python 3.11 or newer.",
    )


def _packages() -> Check:
    missing = []
    for needed in requirements():
        found = version_of(needed.name)
        if found is None:
            missing.append(str(needed))
        elif not needed.specifier.contains(found, prereleases=True):
            missing.append(f"{needed} (found {found})")
    return check(
        "packages",
        "Are all packages installed?",
        not missing,
        "all" if not missing else f"missing: {', '.join(missing)}",
        "Run `make setup`.",
    )


def _bytecode() -> Check:
    here = Path(__file__)
    compiled = here.parent / "__pycache__" / f"{here.stem}.{sys.implementation.cache_tag}.pyc"
    return check(
        "bytecode",
        "Is the bytecode compiled?",
        compiled.is_file(),
        "yes" if compiled.is_file() else "no: every command starts slowly",
        "Run `make setup`, which compiles it even where PYTHONDONTWRITEBYTECODE is set.",
        otherwise=WARN,
    )


def _config(workspace: Workspace) -> Check:
    try:
        limits = workspace.config.limits
    except PeaktradeError as error:
        return Check(
            id="config",
            question="Is the configuration sound?",
            status=FAIL,
            evidence=str(error),
            next_step="Mend that key.",
        )
    return check(
        "config",
        "Is the configuration sound, and can the shipped sizing trade within its limits?",
        workspace.config.session.position_fraction * workspace.config.session.start_balance
        <= limits.max_order_notional,
        f"{workspace.config_path}: a new position of "
        f"{workspace.config.session.position_fraction * workspace.config.session.start_balance:,.0f} against "
        f"max_order_notional {limits.max_order_notional:,.0f}",
        "Every order would be denied: lower session.position_fraction or raise live_risk.max_order_notional.",
        otherwise=WARN,
    )


def _folders(workspace: Workspace) -> list[Check]:
    checks = []
    for name, folder in (
        ("reports", workspace.reports),
        ("live_runs", workspace.runs),
        ("logs", workspace.home / "logs"),
    ):
        fault = _write_fault(folder)
        checks.append(
            check(
                f"writable_{name}",
                f"Can {name}/ be written?",
                not fault,
                fault or "yes",
                f"Give this user the right to write {folder}.",
            )
        )
    return checks


def _write_fault(folder: Path) -> str:
    """Return why a folder cannot be written, or an empty string; what was tried is removed again."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return ""


def _disk(home: Path) -> Check:
    while not home.exists():
        home = home.parent
    usage = shutil.disk_usage(home)
    free = usage.free / usage.total
    return check(
        "disk",
        "Is more than 10 % of the disk free?",
        free > LOW_DISK,
        f"{100 * free:.0f} % free, {usage.free / 1e9:.1f} GB",
        "Free space: a full disk ends sessions as failed.",
        otherwise=WARN if free > NO_DISK else FAIL,
    )


def _clock_offset() -> float:
    """Return how far the wall clock is ahead of the one that nobody can set [s]."""
    return time.time() - time.monotonic()


def _clock(before: float) -> Check:
    """Return whether the wall clock kept to ``before``, its offset when the checks began, and tells a likely time."""
    fixed = os.environ.get(FIXED_CLOCK)
    jump = abs(_clock_offset() - before)
    sane = time.time() > OLDEST_CLOCK_S and jump < CLOCK_JUMP_S and not fixed
    return check(
        "clock",
        "Does the clock run straight?",
        sane,
        f"fixed at {fixed} by {FIXED_CLOCK}"
        if fixed
        else f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC, steady within {jump * 1e3:.1f} ms",
        f"Unset {FIXED_CLOCK}; it is for tests." if fixed else "Set the machine's time (NTP).",
        otherwise=WARN if fixed else FAIL,
    )


def _browser() -> Check:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    return check(
        "browser",
        "Is there a Chrome or Chromium for the browser tests?",
        found is not None,
        found or "none found",
        "Only needed for the tests: install the package `chromium`.",
        otherwise=WARN,
    )


def _sessions(workspace: Workspace) -> list[Check]:
    try:
        recovered = recover(workspace)
        stats = Views.of(workspace).stats()
    except PeaktradeError as error:
        return [
            Check(id="registry", question="Can the registry be read?", status=FAIL, evidence=str(error), next_step="")
        ]
    unreadable = stats.by_status.get("unreadable", 0)
    running = stats.by_status.get("started", 0)
    return [
        check(
            "registry",
            "Can every record of the registry be read?",
            unreadable == 0,
            f"{stats.total_sessions} records, {unreadable} unreadable, {running} running",
            "`peaktrade session list --status unreadable` names the files and what is wrong with them.",
            otherwise=WARN,
        ),
        check(
            "stale",
            "Did no session die without a word?",
            not recovered,
            "none" if not recovered else f"recovered: {', '.join(r.session_id for r in recovered)}",
            "Look at the machine's log for why they died; their figures are those of their journals.",
            otherwise=WARN,
        ),
    ]


def _halts(workspace: Workspace) -> Check:
    halted = [s for s in TradingStates.of(workspace).everything() if s.state != "ACTIVE"]
    return Check(
        id="halts",
        question="Is nothing halted?",
        status=WARN if halted else PASS,
        evidence="; ".join(f"{s.scope} {s.state} by {s.by}: {s.reason}" for s in halted) or "everything is ACTIVE",
        next_step="Once the cause is found: `peaktrade risk resume --scope SCOPE`, or `peaktrade killswitch release`."
        if halted
        else "",
    )
