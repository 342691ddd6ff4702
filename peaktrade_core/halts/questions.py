"""What is asked about halts, the kill switch and the account that sessions share."""

from __future__ import annotations

from datetime import timedelta

from peaktrade_core.base.question import FAIL, PASS, WARN, Found, Status, question
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.show import wording
from peaktrade_core.trading.risk import SEVERITIES
from peaktrade_core.workspace.workspace import Workspace

EXERCISED = timedelta(days=90)
OF_LEVEL: dict[str, Status] = {"green": PASS, "yellow": WARN, "red": FAIL}


@question(
    "halts",
    "May everything be traded?",
    "Find the cause, then `peaktrade risk resume --scope SCOPE`; for global `peaktrade killswitch release`.",
)
def halts(workspace: Workspace) -> Found:
    """Ask for every scope that is not ACTIVE."""
    stopped = TradingStates.of(workspace).stopped()
    told = "; ".join(map(str, stopped)) or "everything is ACTIVE"
    return (
        PASS if not stopped else FAIL if any(one.everywhere or one.state == "NO_ORDERS" for one in stopped) else WARN
    ), told


@question("kill_switch", "Is the log of halts whole, and is it the one that was there before?")
def kill_switch(workspace: Workspace) -> Found:
    """Verify the audit of the kill switch."""
    return KillSwitch.of(workspace).verify()


@question(
    "switch_tested",
    f"Was the kill switch tested in the last {EXERCISED.days} days, engaged and released?",
    "While nothing runs, engage it and release it once, two people, with `peaktrade killswitch`.",
)
def switch_tested(workspace: Workspace) -> Found:
    """Look into the audit for a test."""
    since = workspace.clock.now() - EXERCISED
    kinds = {entry.kind for entry in KillSwitch.of(workspace).audit() if entry.at >= since}
    return {"engage", "release"} <= kinds, ", ".join(sorted(kinds)) or "never touched"


@question(
    "account",
    "Is the account of the running sessions below its limits?",
    "`peaktrade risk show` names the limit; reduce before anything new is started.",
)
def account(workspace: Workspace) -> Found:
    """Ask how much of the limits the running sessions use together."""
    uses = Account.of(workspace).uses()
    told = "; ".join(
        use.fault
        or f"{use.mode} {wording.money(use.exposure, use.currency)} in {wording.many(use.sessions, 'session')}, {use.level}"
        for use in uses
    )
    level = max((use.level for use in uses), key=SEVERITIES.index, default="green")
    return OF_LEVEL[level], told


@question(
    "account_readable",
    "Can the account of the running sessions be read?",
    "Mend what it says: no order is opened before.",
)
def account_readable(workspace: Workspace) -> Found:
    """Read the account."""
    fault = Account.of(workspace).exposure().fault
    return not fault, fault or "yes"
