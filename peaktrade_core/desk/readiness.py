"""The checklists of a desk: before a session of each stage, the health of everything, before the kill switch is released.

Each stage asks everything of the one before and more. What a question asks stands where it is declared, beside what it
asks about; here are those about the desk itself: its settings, its duties.

Source: operator workflow 3.1 and 10a.10, workflow overview (pre-session checklist), operational runbooks 2, 3.2, 4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from peaktrade_core.alerts.questions import alerts, schedule, unacknowledged, watcher
from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.files import read_plain, read_toml
from peaktrade_core.base.question import FAIL, WARN, Check, Found, Question, question
from peaktrade_core.changes.questions import governed
from peaktrade_core.desk.contacts import contacts, contacts_named
from peaktrade_core.desk.doctor import DOCTOR, INTERPRETER, WRITABLE, browser, bytecode, clock, config, disk, sizing
from peaktrade_core.desk.installation import changes
from peaktrade_core.desk.live_stage import (
    conservative,
    gate,
    keys,
    rehearsed_shadow,
    rehearsed_testnet,
    two_people,
)
from peaktrade_core.halts.questions import account, account_readable, halts, kill_switch, switch_tested
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks import evidence as ev
from peaktrade_core.runbooks.artefacts import COPIES
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.index import evidence_check
from peaktrade_core.runs.questions import aborted, failed, registry, runs
from peaktrade_core.runs.views import LOOK_BACK, Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.questions import VENUE, Traded, live, stale, venue_checks
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.show import wording
from peaktrade_core.show.wording import many
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import MAY_RUN, get_strategy
from peaktrade_core.workspace.operations import logged, notes
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.session.plan import Plan

STAGES = ("shadow", "testnet", "live")
_REACH = {
    "shadow": "orders are filled by simulation, none leaves this machine",
    "testnet": "fills are simulated; the venue only validates each order, or is its demo",
}
BACKTEST_BARS = 2000
_DOCUMENTS = (*ev.GOOD, ev.FAILED)  # outcomes of a runbook that was gone through to its end
_MOST_RECORDS = 300  # of evidence, newest first, among which something is looked for


def _mode(stage: str) -> Question[Workspace]:
    """Declare whether a session of this stage may run."""

    @question("mode", "Is the mode one that may run?", "Choose shadow or testnet.")
    def mode(workspace: Workspace) -> Found:
        told = f"{stage} on {workspace.config.environment.name}: {_REACH.get(stage, 'always locked')}"
        return stage in _REACH, told

    return mode


@question(
    "strategy",
    "Is the strategy configured, with parameters that make sense?",
    "`peaktrade strategies` lists those there are.",
)
def strategy(workspace: Workspace) -> Found:
    """Read its parameters."""
    name = workspace.config.session.strategy
    params = get_strategy(name).parameters(workspace.config.strategy.get(name, {}))
    told = ", ".join(f"{key} {value:g}" for key, value in params._asdict().items())
    return True, f"{name}: {told}"


def _tier(chosen: str) -> Question[Workspace]:
    """Declare whether a strategy, empty for the configured one, has come through research: only core and aux have."""

    @question(
        "tier",
        "Is the strategy one that has come through research (core or aux)?",
        "Run core or aux; r_and_d and legacy are for research.",
        otherwise=WARN,
    )
    def tier(workspace: Workspace) -> Found:
        name = chosen or workspace.config.session.strategy
        found = Promotions(workspace).tier(get_strategy(name))
        return found in MAY_RUN, f"{name} is {found}"

    return tier


def _backtested(chosen: str) -> Question[Workspace]:
    """Declare whether a strategy, empty for the configured one, trades in a backtest with its configured parameters."""

    @question(
        "backtested",
        "Does the strategy trade in a backtest, run just now with its parameters?",
        "`peaktrade backtest` shows the whole result; look at it before a session with this strategy.",
        otherwise=WARN,
    )
    def backtested(workspace: Workspace) -> Found:
        from peaktrade_core.research.backtest import run_backtest

        plan = plan_session(workspace, strategy=chosen or None, feed="synthetic", steps=BACKTEST_BARS)
        bars, source = _bars(workspace, plan)
        result = run_backtest(plan.decision, bars, plan.config.warmup_candles, workspace.compiled)
        pnl = wording.signed(
            result.metrics.equity_end - plan.config.start_balance, wording.quote_currency(plan.config.symbol)
        )
        trades, deepest = many(len(result.trades), "round trip"), wording.drawdown(result.metrics.max_drawdown)
        told = f"{plan.config.strategy_name}: {many(len(result), 'bar')} of {source}, {trades}, PnL {pnl}, drawdown {deepest}"
        return bool(result.fills), told

    return backtested


def _bars(workspace: Workspace, plan: Plan) -> tuple[Bars, str]:
    """Return the bars of a backtest and where they are from: the newest stored ones, else those of the embedded market."""
    from peaktrade_core.candles.replay import bars_of
    from peaktrade_core.candles.store import CandleStore

    wanted = plan.config.warmup_candles + BACKTEST_BARS
    store = CandleStore.of_workspace(workspace.home)
    for series in store.series():
        if (series.symbol, series.timeframe) == (plan.config.symbol, plan.config.timeframe):
            bars = store.read(series)
            if len(bars.ts) > plan.config.warmup_candles:
                return bars.part(max(0, len(bars) - wanted), len(bars)), str(series)
    return bars_of(plan.feed, wanted), "the embedded market"


@question(
    "limits_set",
    "Are the risk limits configured, none left to its default?",
    "Write them into [live_risk] of config/config.toml, so that everybody sees what holds.",
    otherwise=WARN,
)
def limits_set(workspace: Workspace) -> Found:
    """Look whether the limits stand in the file, so that a person chose them, or are only defaults."""
    names = ("max_order_notional", "max_total_exposure_notional", "max_daily_loss_abs", "max_drawdown_halt_pct")
    ours = workspace.config.limits._asdict()
    written = read_toml(workspace.config_path).get("live_risk", {})
    missing = [name for name in Limits._fields if name in names and name not in written]
    told = ", ".join(f"{name} {ours[name]:g}" for name in names)
    return not missing, f"not in [live_risk]: {', '.join(missing)}" if missing else told


@question(
    "health_done",
    "Was the daily health check done in the last 24 hours, and passed?",
    "Do the runbook health_check first; it takes five minutes.",
    otherwise=WARN,
)
def health_done(workspace: Workspace) -> Found:
    """Look for its evidence."""
    record = _health_check(workspace)
    if record is None:
        return False, "never"
    if record.began_at < workspace.clock.now() - LOOK_BACK:
        return False, f"last on {wording.minute(record.began_at)} UTC"
    return record.outcome in ev.GOOD, f"{record.evidence_id}: {record.outcome}"


@question(
    "health_noted",
    "Does the last health check stand in the operations log?",
    "Finish the runbook health_check: its last cell seals the record and writes the line.",
    otherwise=WARN,
)
def health_noted(workspace: Workspace) -> Found:
    """Look for the line that the runbook leaves when its record is sealed."""
    record = _health_check(workspace)
    if record is None:
        return False, "no health check was ever finished"
    there = logged(workspace, record.evidence_id)
    return there, f"{record.evidence_id}: {'noted' if there else 'no line about it'}"


@question(
    "documented",
    "Is every session of the last 24 hours that failed or was aborted documented?",
    "Do the runbook post_session_check for each, or open an incident.",
    otherwise=WARN,
)
def documented(workspace: Workspace) -> Found:
    """Look for each of them in evidence and incidents."""
    views = Views.of(workspace)
    rows = [row for status in ("failed", "aborted") for row in views.rows(views.recently(Query(status=status)))]
    told_of = "\n".join(_told_of(workspace)) if rows else ""
    left = [row.run_id for row in rows if row.run_id not in told_of]
    if not rows:
        return True, "none did"
    told = f"{len(left)} of {len(rows)} are not: {', '.join(left[:3])}" if left else f"{len(rows)} of {len(rows)} are"
    return not left, told


def _health_check(workspace: Workspace) -> ev.Evidence | None:
    """Return the newest finished evidence of a health check, None when there is none among the newest records."""
    found = EvidenceBook.of(workspace).newest("health_check", most=_MOST_RECORDS)
    return next((one for one in found if one.runbook == "health_check" and one.ended_at is not None), None)


def _told_of(workspace: Workspace) -> Iterator[str]:
    """Yield what is written down: subjects of finished evidence and of notes, and the text of each file among the incidents."""
    for record in EvidenceBook.of(workspace).newest("post_session_check", "incident", most=_MOST_RECORDS):
        noted = record.step("noted")
        left_out = noted is not None and noted.status == FAIL  # a person said that it is not written down
        yield record.subject if record.outcome in _DOCUMENTS and not left_out else ""
    yield from (one.about for one in notes(workspace))
    for path in (workspace.reports / "incidents").rglob("*"):
        if path.is_file() and COPIES not in path.parts:
            yield read_plain(path).decode(errors="replace")


evidence: Question[Workspace] = evidence_check.about(EvidenceBook.of)
MACHINE = (*INTERPRETER, *WRITABLE, disk, clock)
PRE_SESSION = (config, sizing, halts, failed, aborted, registry, live)
HEALTH = (
    *(one for one in DOCTOR if one not in (bytecode, browser)),
    *(runs, watcher, alerts, schedule, kill_switch, account, evidence),
)
BEFORE_RELEASE = (config, *WRITABLE, disk, stale, registry, account_readable, unacknowledged)
DESK = (health_done, health_noted, documented)


def stage(name: str, symbol: str = "") -> tuple[Question[Workspace], ...]:
    """Return the checklist of a stage, in the order in which an operator reads it.

    Args:
        name: ``shadow``, ``testnet`` (asks the venue) or ``live`` (always ends with a failed gate).
        symbol: what is to be traded; empty for the configured one.

    Raises:
        UnknownNameError: there is no such stage.
    """
    if name not in STAGES:
        raise UnknownNameError("stage", name, STAGES)
    asked: tuple[Question[Workspace], ...] = (*PRE_SESSION, watcher)
    if name != "shadow":
        traded: Callable[[Workspace], Traded] = cache(lambda workspace: Traded(workspace, symbol))  # of all questions
        asked += (*(one.about(traded) for one in VENUE), rehearsed_shadow)
    if name == "live":
        asked += (rehearsed_testnet, conservative, contacts_named, contacts, switch_tested, two_people, keys, gate)
    return (*MACHINE, *asked)


def ready_checks(workspace: Workspace, stage_name: str, symbol: str = "", *, machine: bool = True) -> list[Check]:
    """Return the readiness of a stage, as ``peaktrade readiness`` answers it.

    Args:
        workspace: where; stage_name: which; symbol: what is to be traded, empty for the configured one.
        machine: with what is asked of the machine; the health check has asked that already.

    Raises:
        UnknownNameError: there is no such stage.
    """
    return workspace.ask(one for one in stage(stage_name, symbol) if machine or one not in MACHINE)


def session_ready(workspace: Workspace, strategy: str = "") -> list[Check]:
    """Return the short checklist before a shadow session, as the dashboard shows it, with environment, limits and tier.

    Args:
        workspace: where; strategy: that is to run; empty for the configured one.
    """
    return workspace.ask((*INTERPRETER, *PRE_SESSION, limits_set, _tier(strategy), _backtested(strategy)))


def health_checks(workspace: Workspace, *, venue: bool = False) -> list[Check]:
    """Return the health of everything, as ``peaktrade ops health`` answers it.

    Args:
        workspace: of which; venue: ask the venue, too.
    """
    return [*workspace.ask(HEALTH), *(venue_checks(workspace) if venue else ())]


def settings_checks(workspace: Workspace, stage: str) -> list[Check]:
    """Return whether what will run is what was meant: mode, strategy, limits, program as accepted, all else as approved."""
    return workspace.ask((_mode(stage), strategy, limits_set, changes, governed))


def desk_checks(workspace: Workspace) -> list[Check]:
    """Return whether the desk is ready: today's health check was done, and what went wrong lately is written down."""
    return workspace.ask(DESK)
