"""What ``peaktrade doctor`` asks: is this machine and this workspace fit for a session?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from peaktrade_core.base.question import FAIL, PASS, WARN, Found, Question, question
from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.candles.store import CandleStore
from peaktrade_core.desk.installation import requirements, version_of
from peaktrade_core.halts.questions import halts
from peaktrade_core.runs.questions import registry
from peaktrade_core.session.questions import stale
from peaktrade_core.show.wording import many
from peaktrade_core.trading.risk import above
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

LOW_DISK, NO_DISK = 0.10, 0.01  # free share of the disk
CLOCK_JUMP_S, CLOCK_LOOK_S = 0.05, 0.02
OLDEST_CLOCK_S = 1_767_225_600  # 2026-01-01, before this version existed
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@question("python", "Is Python 3.11 or newer?", "Install Python 3.11 or newer.", differs="figures")
def python(_: Workspace) -> Found:
    """Ask the interpreter for its version."""
    return sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.system()}"


@question("packages", "Are all packages installed?", "Run `make setup`.", differs="figures")
def packages(_: Workspace) -> Found:
    """Look for the packages that this version needs."""
    missing = []
    for needed in requirements():
        found = version_of(needed.name)
        if found is None:
            missing.append(str(needed))
        elif not needed.specifier.contains(found, prereleases=True):
            missing.append(f"{needed} (found {found})")
    return not missing, f"missing: {', '.join(missing)}" if missing else "all"


@question(
    "bytecode",
    "Is the bytecode compiled?",
    "Run `make setup`, which compiles it even where PYTHONDONTWRITEBYTECODE is set.",
    otherwise=WARN,
    differs="answer",
)
def bytecode(_: Workspace) -> Found:
    """Look for compiled modules, without which every command starts slowly."""
    here = Path(__file__)
    compiled = here.parent / "__pycache__" / f"{here.stem}.{sys.implementation.cache_tag}.pyc"
    return compiled.is_file(), "yes" if compiled.is_file() else "no: every command starts slowly"


@question("config", "Is the configuration sound?", "Mend that key in config/config.toml; nothing starts before.")
def config(workspace: Workspace) -> Found:
    """Read the configuration."""
    session = workspace.config.session
    return True, f"{session.strategy} on {session.symbol} {session.timeframe}, feed {session.feed}"


@question(
    "sizing",
    "Does a new position fit its limit?",
    "Every order would be denied: lower session.position_fraction or raise live_risk.max_order_notional.",
    otherwise=WARN,
)
def sizing(workspace: Workspace) -> Found:
    """Compare a new position with the largest order."""
    session, limits = workspace.config.session, workspace.config.limits
    wanted = session.position_fraction * session.start_balance * (1.0 + session.slippage_bps / 1e4)
    told = f"{wanted:,.0f} of {limits.max_order_notional:,.0f} (max_order_notional)"
    return not above(wanted, limits.max_order_notional), told


@question(
    "instruments",
    "Does every instrument fit its prices?",
    "Write the venue's tick in [instruments], or leave it out to take that of the venue or the candles.",
)
def instruments(workspace: Workspace) -> Found:
    """Hold the configured ticks against the newest stored candles of each symbol, and the embedded market."""
    given, store = workspace.config.instruments, CandleStore.of_workspace(workspace.home)
    session = workspace.config.session
    prices = {session.symbol: workspace.config.synthetic.price} if session.feed == "synthetic" else {}
    for series in store.series():
        if series.symbol in given and (files := store.files(series)):
            prices[series.symbol] = float(read_candles(files[-1]).ohlcv[:, 2].min())
    odd = []
    for symbol, price in prices.items():
        instrument = workspace.config.instrument(symbol)
        if instrument.tick and (told := instrument.fit(symbol, price)):
            odd.append(told)
    free = sum(not one.complete for one in given.values())
    told = many(len(given), "instrument") + (f", {free} with the steps of the venue or the candles" if free else "")
    return WARN if odd else PASS, "; ".join(odd) or told


def _writable(name: str, below: str) -> Question[Workspace]:
    """Declare whether a folder of the workspace can be written; what was tried is removed again."""

    @question(f"writable_{name}", f"Can {name}/ be written?", f"Give this user the right to write {below}.")
    def writable(workspace: Workspace) -> Found:
        folder = workspace.runs if name == "live_runs" else workspace.home / below
        while not folder.exists():
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"x")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return FAIL, f"{folder}: {error.strerror or error}", f"Give this user the right to write {folder}."
        return PASS, "yes"

    return writable


WRITABLE = (_writable("reports", "reports"), _writable("live_runs", "live_runs"), _writable("logs", "logs"))


@question(
    "disk",
    "Is more than 10 % of the disk free?",
    "Free space: a full disk ends sessions as failed.",
    differs="answer",
)
def disk(workspace: Workspace) -> Found:
    """Ask how full the disk is."""
    usage = shutil.disk_usage(workspace.home)
    free = usage.free / usage.total
    told = f"{100 * free:.0f} % free, {usage.free / 1e9:.1f} GB"
    return PASS if free > LOW_DISK else WARN if free > NO_DISK else FAIL, told


@question("clock", "Does the clock run straight?", "Set the machine's time (NTP).")
def clock(_: Workspace) -> Found:
    """Compare the wall clock with the one that cannot be set."""
    fixed = os.environ.get(FIXED_CLOCK)
    if fixed:
        return WARN, f"fixed at {fixed} by {FIXED_CLOCK}", f"Unset {FIXED_CLOCK}; it is for tests."
    before = time.time() - time.monotonic()
    time.sleep(CLOCK_LOOK_S)
    jump = abs(time.time() - time.monotonic() - before)
    told = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC, steady within {jump * 1e3:.1f} ms"
    return time.time() > OLDEST_CLOCK_S and jump < CLOCK_JUMP_S, told


@question(
    "browser",
    "Is there a Chrome or Chromium for the browser tests?",
    "Only needed for the tests: install the package `chromium`.",
    otherwise=WARN,
    differs="answer",
)
def browser(_: Workspace) -> Found:
    """Look for a browser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return found is not None, found or "none found"


INTERPRETER = (python, packages)
DOCTOR = (*INTERPRETER, bytecode, config, sizing, instruments, *WRITABLE, disk, clock, browser, stale, registry, halts)
