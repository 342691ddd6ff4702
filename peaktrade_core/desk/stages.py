"""Readiness by stage: may a shadow, a testnet or - never - a live session start here?

Each stage asks everything of the one before and more. ``live`` evaluates the whole checklist of the handbook, so that it
can be rehearsed, and always ends with the locked gate: there is no code behind it.

Source: operational runbooks 2.1 (testnet), 3.2 (live), 6 (health check).
"""

from __future__ import annotations

import os
from datetime import timedelta

from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.base.errors import LiveModeNotAllowedError, PeaktradeError, UnknownNameError
from peaktrade_core.desk.doctor import examine
from peaktrade_core.desk.readiness import pre_session_checks
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.venue_readiness import venue_checks
from peaktrade_core.trading.risk import Limits
from peaktrade_core.workspace.workspace import Workspace

STAGES = ("shadow", "testnet", "live")
MACHINE = ("python", "packages", "writable_reports", "writable_live_runs", "writable_logs", "disk", "clock")
EXERCISED = timedelta(days=90)
ENOUGH_TESTNET, TESTNET_DAYS = 5, timedelta(days=30)
LIVE_KEYS = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")


def stage_checks(workspace: Workspace, stage: str, symbol: str | None = None) -> list[Check]:
    """Return the checklist of a stage, answered, in the order in which an operator reads it.

    Args:
        workspace: which.
        stage: ``shadow``, ``testnet`` (asks the venue) or ``live`` (always ends with a failed gate).
        symbol: what is to be traded; None for the configured one.

    Raises:
        UnknownNameError: there is no such stage.
    """
    if stage not in STAGES:
        raise UnknownNameError("stage", stage, STAGES)
    checks = [one for one in examine(workspace) if one.id in MACHINE] + pre_session_checks(workspace)
    sound = all(one.status != FAIL for one in checks if one.id == "config")
    checks.append(_watcher(workspace))
    if stage != "shadow" and sound:
        checks += _venue(workspace, symbol)
        checks.append(_rehearsed(workspace, "shadow", 1))
    if stage == "live":
        if sound:
            checks += [_rehearsed(workspace, "testnet", ENOUGH_TESTNET), _conservative(workspace), _reached(workspace)]
        checks += [_switch_tested(workspace), _released(workspace), _keys(), _gate(workspace)]
    return checks


def _venue(workspace: Workspace, symbol: str | None) -> list[Check]:
    """Return what the venue's checklist says."""
    try:
        return venue_checks(workspace, symbol or workspace.config.session.symbol)
    except PeaktradeError as error:
        question = "Can the venue be asked?"
        return [check("venue", question, False, f"{type(error).__name__}: {error}", "Mend the configuration.")]


def _watcher(workspace: Workspace) -> Check:
    status = watch_of(workspace).status
    step = "Start `peaktrade watch`; without it nobody is told when something goes wrong."
    return check("watcher", "Does the watcher run?", status == "running", status, step, otherwise=WARN)


def _rehearsed(workspace: Workspace, mode: str, enough: int) -> Check:
    """Look whether the stage before was practised lately."""
    since = workspace.clock.now() - TESTNET_DAYS
    rows = Views.of(workspace).rows(Query(mode=mode, since=since))
    good, bad = (sum(row.status == status for row in rows) for status in ("completed", "failed"))
    return check(
        f"rehearsed_{mode}",
        f"Was {mode} practised: at least {enough} completed in the last {TESTNET_DAYS.days} days, none failed?",
        good >= enough and not bad,
        f"{good} completed, {bad} failed",
        f"Run it in {mode} first, and find the cause of each failure.",
        otherwise=WARN if enough == 1 else FAIL,
    )


def _conservative(workspace: Workspace) -> Check:
    """Compare the limits with the shipped ones, which are the largest for a first run."""
    shipped, ours = Limits()._asdict(), workspace.config.limits._asdict()
    names = ("max_order_notional", "max_symbol_exposure_notional", "max_total_exposure_notional")
    losses = ("max_daily_loss_abs", "max_daily_loss_pct", "max_drawdown_halt_pct")
    above = [f"{name} {ours[name]:g} > {shipped[name]:g}" for name in (*names, *losses) if ours[name] > shipped[name]]
    evidence = "; ".join(above) or "none is above the shipped one"
    return check("limits", "Are the risk limits conservative?", not above, evidence, "Lower them in [live_risk].")


def _reached(workspace: Workspace) -> Check:
    """Look whether an alert leaves this machine."""
    from peaktrade_core.alerts.settings_file import workspace_alert_settings

    question = "Is a person reached when an alert is raised?"
    step = "Add a channel of the kind apprise to config/alerts.toml and try `peaktrade alerts test-channel`."
    try:
        channels = workspace_alert_settings(workspace.home).channels
    except PeaktradeError as error:
        return check("contacts", question, False, str(error), step)
    outward = [name for name, channel in channels.items() if channel.kind == "apprise"]
    return check("contacts", question, bool(outward), ", ".join(outward) or f"only {', '.join(channels)}", step)


def _switch_tested(workspace: Workspace) -> Check:
    since = workspace.clock.now() - EXERCISED
    kinds = {entry.kind for entry in KillSwitch.of(workspace).audit() if entry.at >= since}
    told = f"in the last {EXERCISED.days} days: {', '.join(sorted(kinds)) or 'never touched'}"
    step = "Engage and release it once, two people, with `peaktrade killswitch`."
    question = "Was the kill switch tested, engaged and released?"
    return check("switch_tested", question, {"engage", "release"} <= kinds, told, step)


def _released(workspace: Workspace) -> Check:
    """Look for a live-start runbook in which two people said go; it, too, ended at the gate."""
    found = next((name for name in EvidenceBook.of(workspace).ids() if _says_go(workspace, name)), None)
    return check(
        "two_people",
        "Have two people documented the release (two-man rule)?",
        found is not None,
        found or "no evidence of the runbook live_start with a go of two people",
        "The runbook live_start rehearses it; it, too, ends at the locked gate.",
    )


def _says_go(workspace: Workspace, name: str) -> bool:
    """Return whether an evidence record is a live start, in earnest, in which two people said go."""
    if "-LIVE-START-" not in name:
        return False
    try:
        record = EvidenceBook.of(workspace).load(name)
    except PeaktradeError:
        return False
    step = record.step("go_no_go")
    answer = step.answer if step else None
    return not record.rehearsal and answer is not None and answer.key == "go" and bool(answer.second)


def _keys() -> Check:
    present = [name for name in LIVE_KEYS if os.environ.get(name)]
    return check(
        "keys",
        "Are no production keys within reach?",
        not present,
        f"{' and '.join(present)} set" if present else "none in the environment",
        "Unset them: nothing here reads them, and nothing here needs them.",
        otherwise=WARN,
    )


def _gate(workspace: Workspace) -> Check:
    """Try what must be impossible, and say why it is."""
    question = "May a live session start?"
    try:
        plan_session(workspace, mode="live")
    except LiveModeNotAllowedError as refusal:
        return Check(
            id="gate",
            question=question,
            status=FAIL,
            evidence=str(refusal),
            next_step="Nothing unlocks it: the only brokers are the simulation, Kraken with validate=true and the futures "
            "demo, and each refuses to be built otherwise (docs/architecture.md). Stay in shadow or testnet.",
        )
    step = "Stop everything and use another version: this one lacks the lock."
    return Check(id="gate", question=question, status=FAIL, evidence="a live session could be planned", next_step=step)
