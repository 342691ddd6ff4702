"""``peaktrade monitor``: how the runs are - all of them, one of them, and live. It changes nothing."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from importlib import import_module

import click

from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.base.text import inert
from peaktrade_core.fleet import monitor as watching
from peaktrade_core.fleet.cli import run_id_option, the_run
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.card import RunCard, card_of
from peaktrade_core.runs.columns import RUNNING, RUNS, facts_of, remarks
from peaktrade_core.runs.run import Run, item_of, verdict_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.language import language, spoken, words
from peaktrade_core.show.sparkline import meter, spark_text
from peaktrade_core.show.streams import plain
from peaktrade_core.show.table import BAD, GOOD, TONE_OF, Cell, Column, Columns, Table
from peaktrade_core.show.terminal import console, lines_of, say
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.workspace.command import CommandResult, Figure, command, with_workspace
from peaktrade_core.workspace.workspace import Workspace

SIGNALS = {1: "long", 0: "flat", -1: "short"}
SHOWN, METER = 15, 20  # events on the screen of `follow`; characters of a bar
BEHIND = 5000  # events that are looked through for them at its beginning
STATUS = "peaktrade_core.control.status"  # of the whole, whose room is built on this one


@click.group()
def monitor() -> None:
    """Watch runs: overview, one run, live."""


@monitor.command()
@click.option("--only-active", is_flag=True, help="Only runs that live (the default).")
@click.option("--include-inactive", is_flag=True, help="Also runs that ended.")
@click.option("--max-age-hours", type=Figure(min=0), metavar="H", help="Also ended ones, of the last H hours.")
@command
def overview(
    workspace: Workspace, only_active: bool, include_inactive: bool, max_age_hours: float | None
) -> CommandResult:
    """Show the status of the whole, and the runs with their equity, PnL and drawdown."""
    if only_active and (include_inactive or max_age_hours is not None):
        raise click.UsageError("give --only-active, or --include-inactive and --max-age-hours, not both")
    found = watching.overview(Views.of(workspace), include_inactive=include_inactive, max_age_h=max_age_hours)
    whole = import_module(STATUS)
    status = whole.whole(workspace)
    items = [item_of(run) for run in found.runs]
    value = {"at": found.at, "totals": found.totals, "runs": items, "status": status}
    none = "No run is active. `--include-inactive` shows those that ended; `peaktrade fleet start` starts one."
    runs = [RUNS.table("", found.runs, RUNNING), *remarks(found.runs), _summed(found.totals)] if found.runs else [none]
    return CommandResult(value, lambda: [*whole.status_lines(status), "", *runs])


def _summed(totals: watching.MonitorTotals) -> str:
    """Return totals as one line."""
    line = f"{wording.many(totals.runs, 'run')}: {totals.running} running, {totals.silent} silent, {totals.died} died"
    return f"{line}; {wording.many(totals.blocked, 'order')} denied"


@monitor.command("run")
@run_id_option
@click.option("--limit", type=click.IntRange(1, 500), default=10, show_default=True, help="How many bars.")
@command
def show_run(workspace: Workspace, run_id: str | None, named: str | None, limit: int) -> CommandResult:
    """Show one run: what it is, how it stands, its last bars."""
    row = the_run(workspace, run_id, named)
    bars, fault = [], ""
    try:
        bars = Views.of(workspace).tail(row.run_id, limit)
    except ArtefactError as error:
        fault = str(error)
    last = f"▲ {fault}" if fault else BARS.table("", bars, empty="No bar has been worked off yet.")
    facts = Table.pairs({"Run": row.run_id, **facts_of(row)})
    return CommandResult({"run": item_of(row), "bars": bars, "fault": fault or None}, [facts, last])


def _ordered(bar: BarDone) -> str | None:
    """Return what became of the orders of a bar."""
    told = f"{bar.orders_generated} ({bar.orders_filled} filled, {bar.orders_blocked} denied)"
    return told if bar.orders_generated else None


BARS = Columns[BarDone](
    step=Column("Step", lambda bar: str(bar.step), "number"),
    time=Column("Time (UTC)", lambda bar: bar.ts),
    signal=Column("Signal", lambda bar: SIGNALS.get(bar.signal, str(bar.signal))),
    price=Column("Price", lambda bar: wording.price(bar.close), "number"),
    equity=Column("Equity", lambda bar: wording.money(bar.equity), "number"),
    pnl=Column(wording.TOTAL, lambda bar: wording.signed(bar.realized_pnl + bar.unrealized_pnl), "number"),
    orders=Column("Orders", _ordered, priority=1),
)


@monitor.command()
@run_id_option
@click.option("--refresh-interval", type=Figure(0.2, 3600.0), default=2.0, show_default=True, metavar="S")
@with_workspace
def follow(workspace: Workspace, run_id: str | None, named: str | None, refresh_interval: float) -> None:
    """Watch one run, or all that are active, until Ctrl-C; without a terminal, line by line."""
    if not run_id and not named:
        _follow_all(workspace, refresh_interval)
        return
    _follow_one(workspace, the_run(workspace, run_id, named), refresh_interval)


def _follow_all(workspace: Workspace, interval: float) -> None:
    """Show the overview again and again."""
    if not sys.stdout.isatty():
        while True:
            views = Views.of(workspace)
            say(f"{wording.moment(views.now())} {_summed(watching.overview(views).totals)}")
            time.sleep(interval)
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=console(), auto_refresh=False, screen=False) as live:
        while True:
            found = watching.overview(Views.of(workspace))
            at = Text(f"{wording.moment(found.at)} UTC · {_summed(found.totals)} · Ctrl-C ends", style="dim")
            table = lines_of(RUNS.table("", found.runs, RUNNING), live.console.width, live.console.encoding)
            live.update(Group(at, *map(Text.from_ansi, table)), refresh=True)
            time.sleep(interval)


def _follow_one(workspace: Workspace, row: Run, interval: float) -> None:
    """Show one run and what is new in its journal until it ends."""
    folder = RunFolder(workspace.runs, row.run_id)
    follower = watching.Follower(folder.journal)
    before = Views.of(workspace).tail_events(row.run_id, BEHIND) if folder.journal.exists() else []
    last = before[-1].seq if before else -1
    if not sys.stdout.isatty():
        for event in before[-SHOWN:]:
            say(watching.line_of(event))
        _follow_lines(workspace, row, follower, last, interval)
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    recent = deque(filter(_worth_a_line, before), SHOWN)
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            alive = folder.alive()
            recent.extend(event for event in follower.new() if event.seq > last and _worth_a_line(event))
            row = Views.of(workspace).run(row.run_id)
            screen = live.console
            lines = screen_of(card_of(Views.of(workspace), row), recent, screen.width, screen.height, screen.encoding)
            live.update(Group(*map(Text.from_ansi, lines)), refresh=True)
            if not alive:
                return
            time.sleep(interval)


def _worth_a_line(event: AnyEvent) -> bool:
    """Whether an event stays in sight: what was ordered, filled, denied or said; the bars are in the curve above."""
    return not isinstance(event, BarDone)


def screen_of(card: RunCard, recent: Sequence[AnyEvent], width: int, height: int, encoding: str) -> list[str]:
    """Return one run as the lines of a screen: how it stands, its course, its last events as far as there is room."""
    facts = {"Run": card.run.run_id, **facts_of(card.run)} | _course(card, max(8, min(60, width - 24)))
    needless = {"Notes": not card.run.notes, "Ended": card.run.active, "Step": bool(card.progress)}
    facts = {name: value for name, value in facts.items() if not needless.get(name)}
    lines = lines_of(Table.pairs(facts), width, encoding)
    room = max(3, height - len(lines) - 4)
    events = [plain(inert(wording.cut(watching.line_of(event), width)), encoding) for event in [*recent][-room:]]
    return [*lines, "", *events, *(["", spoken("Ctrl-C ends")] if card.run.active else [])]


def _course(card: RunCard, room: int) -> dict[str, Cell]:
    """Return how a run goes: green while it goes well."""
    run, verdict, told = card.run, verdict_of(card.run), dict[str, Cell]()
    tone = verdict.tone or (GOOD if run.active else "")
    told["Status"] = Cell(" ".join(filter(None, (str(verdict), verdict.why))), tone)
    won = {"pos": GOOD, "neg": BAD}.get(wording.sign_class(run.total_pnl, run.currency), "")
    told[wording.TOTAL] = Cell(wording.signed(run.total_pnl, run.currency), won)
    if card.equity:
        told["Equity lately"] = Cell(spark_text(card.equity, room), won)
    if card.share is not None:
        told["Bars done"] = Cell(f"{meter(card.share, METER)} {card.progress}", tone)
    if card.nearest:
        use = card.nearest
        name = words(language()).get(f"limit_{use.name}", use.what)
        said = f"{meter(use.share, METER)} {wording.percent(use.share, 0)} {name}"
        told["Nearest limit"] = Cell(said, TONE_OF[use.level])
    return told


def _follow_lines(workspace: Workspace, row: Run, follower: watching.Follower, last: int, interval: float) -> None:
    """Print what is new, at most so many lines a look, until the run ends."""
    folder, most = RunFolder(workspace.runs, row.run_id), 50
    while True:
        alive = folder.alive()
        new = [event for event in follower.new() if event.seq > last]
        if len(new) > most:
            say(f"… {len(new) - most} more events")
        for event in new[-most:]:
            say(watching.line_of(event))
        if not alive:
            ended = Views.of(workspace).run(row.run_id)
            say(f"{ended.run_id} {ended.state}: {ended.notes or 'no remarks'}")
            return
        time.sleep(interval)
