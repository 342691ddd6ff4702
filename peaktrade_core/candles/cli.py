"""``peaktrade data``, the stored candles and whether they are fit for use, and ``peaktrade exchange``, the venue's answers.

Neither needs a key nor sends an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from peaktrade_core.base.clock import as_utc, from_seconds, iso
from peaktrade_core.base.text import inert
from peaktrade_core.candles.cli_import import import_
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.show.table import Table
from peaktrade_core.show.terminal import console, say
from peaktrade_core.venue.client import open_venue
from peaktrade_core.workspace.command import CommandResult, Figure, Part, answers, command, quiet, workspace_options
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.base.errors import ExchangeError
    from peaktrade_core.candles.checks import SeriesVerdict
    from peaktrade_core.candles.fetch import Fetched, FetchProgress
    from peaktrade_core.candles.store import CandleStore
    from peaktrade_core.venue.client import VenueClient
    from peaktrade_core.venue.facts import VenueFacts

MOST_STRETCHES = 10  # of missing bars that are printed
SKEW_WARNING_S = 2.0


@click.group()
def data() -> None:
    """List the stored candles, import candles of other sources, check candles for gaps and errors."""


data.add_command(import_)


@data.command("list")
@command
def list_(workspace: Workspace) -> CommandResult:
    """List what is stored: venue, symbol, timeframe, how far it reaches and how many bars are missing."""
    from peaktrade_core.candles.fetch import HOLDINGS, NOTHING_STORED, holdings

    store = _store(workspace)
    found = holdings(store)
    return CommandResult(found, [HOLDINGS.table("", found), f"in {store.root}"] if found else NOTHING_STORED)


@data.command("check")
@click.argument("symbol", required=False)
@click.option("--timeframe", metavar="TF", help="Only this one; of a --file, where it cannot be told from its times.")
@click.option("--venue", metavar="NAME", help="Only this one.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A file of candles instead of the store.")
@click.option("--dialect", multiple=True, metavar="PART=VALUE", help="How --file is to be read; see `data import`.")
@click.option(
    "--outlier",
    "deviations",
    type=Figure(1.0, 1e6),
    default=30.0,
    show_default=True,
    help="A bar is an outlier beyond so many median absolute deviations of the returns.",
)
@workspace_options
@answers
def check(
    home: str | None,
    config: str | None,
    symbol: str | None,
    timeframe: str | None,
    venue: str | None,
    path: Path | None,
    dialect: tuple[str, ...],
    deviations: float,
) -> CommandResult:
    """Look for gaps, duplicates, impossible bars, contradictions, bars without volume, outliers and an old end.

    Exit code 1 when something is wrong; a warning (no volume, an outlier, an old end) is not.
    """
    from peaktrade_core.base.question import FAIL
    from peaktrade_core.candles.checks import check_file, check_store
    from peaktrade_core.candles.fetch import NOTHING_STORED, select

    if path is not None:
        if symbol or venue:
            raise click.UsageError("--file is checked alone: leave SYMBOL and --venue away")
        verdicts = [check_file(path, timeframe, deviations, dialect)]
    else:
        workspace = Workspace(home, config)
        store = _store(workspace)
        wanted = select(store, symbol, timeframe, venue)
        verdicts = check_store(store, wanted, workspace.clock.now().timestamp(), deviations)
    shown = [_checked(verdict) for verdict in verdicts] or NOTHING_STORED
    return CommandResult(verdicts, shown, code=int(any(verdict.status == FAIL for verdict in verdicts)))


def _checked(verdict: SeriesVerdict) -> Table:
    return CHECKS.table(verdict.title, verdict.checks)


def _store(workspace: Workspace) -> CandleStore:
    """Return the workspace's candles."""
    from peaktrade_core.candles.store import CandleStore

    return CandleStore.of_workspace(workspace.home)


@click.group()
def exchange() -> None:
    """Ask the venue how it is and what it trades, and download candles."""


_of_venue = click.option("--venue", metavar="NAME", help="Another one than that of [exchange], by ccxt's name.")


@exchange.command()
@click.argument("names", nargs=-1)
@click.option("--sandbox", is_flag=True, help="Only venues that take orders in a sandbox.")
@command
def venues(_: Workspace, names: tuple[str, ...], sandbox: bool) -> CommandResult:
    """List the venues that can be configured: candles, websocket, sandbox, what was tried. Asks nobody."""
    from peaktrade_core.venue.offers import OFFERS, venue_offers
    from peaktrade_core.workspace.venues import require_venue

    wanted = {require_venue(name) for name in names}
    found = [one for one in venue_offers() if (not wanted or one.venue in wanted) and (one.sandbox or not sandbox)]
    told = [f"{one.venue}: {reason}" for one in found for reason in (one.why_not, one.no_sandbox) if reason and wanted]
    told += [f"{one.venue}: orders go to {' and '.join(one.sandbox)}" for one in found if one.sandbox and wanted]
    return CommandResult(found, [OFFERS.table("", found), *told])


@exchange.command()
@_of_venue
@command
def inspect(workspace: Workspace, venue: str | None) -> CommandResult:
    """Show the venue's state, clock, fees, limits and what it can be asked."""
    from peaktrade_core.venue.facts import inspect_venue

    with _client(workspace, venue) as client:
        facts = inspect_venue(client, workspace.clock)
    return CommandResult(facts, lambda: _described(facts))


def _described(facts: VenueFacts) -> Table:
    """Return what is known of a venue."""
    if facts.skew_s is None or facts.round_trip_s is None:
        clock = "the venue tells none"
    else:
        far = "" if abs(facts.skew_s) <= SKEW_WARNING_S else "  ▲ set this machine's clock"
        clock = (
            f"{wording.moment(facts.time)} UTC, {facts.skew_s:+.1f} s from ours (to a second), "
            f"answered in {wording.duration(facts.round_trip_s)}{far}"
        )
    pairs = {
        "status": facts.status or "the venue tells none",
        "time": clock,
        "fees": f"maker {wording.percent(facts.maker)}, taker {wording.percent(facts.taker)} (lowest tier)",
        "pace": f"one call in {facts.pace_s:g} s",
        "candles": f"{wording.many(facts.page, 'bar')} in an answer; {' '.join(facts.timeframes)}",
        "markets": f"{facts.markets:,}, {facts.active:,} of them open",
        "offers": ", ".join(facts.offers),
    }
    where = " (a drill on this machine)" if facts.loopback else ""
    return Table.pairs(pairs, f"{facts.venue} at {', '.join(facts.hosts)}{where}")


@exchange.command()
@click.option("--quote", metavar="CURRENCY", help="Only markets quoted in it, for example EUR.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many rows.")
@_of_venue
@command
def markets(workspace: Workspace, quote: str | None, limit: int, venue: str | None) -> CommandResult:
    """List the venue's markets with tick, lot, smallest order and fees."""
    from peaktrade_core.venue.facts import MARKETS, list_markets

    with _client(workspace, venue) as client:
        found = list_markets(client, quote)
    if not found:
        return CommandResult([], f"No market is quoted in {quote}.")
    more = f"{limit} of {len(found):,}; --limit shows more, --quote fewer" if len(found) > limit else ""
    return CommandResult(found[:limit], [MARKETS.table("", found[:limit]), *([more] if more else [])])


@exchange.command()
@click.argument("symbol")
@click.option("--timeframe", metavar="TF", default="1m", show_default=True, help="Length of a bar.")
@click.option("--since", metavar="TIME", help="From then on (UTC); else after the last stored bar.")
@click.option("--until", metavar="TIME", help="Up to then (UTC, exclusive); else the last closed bar.")
@_of_venue
@command
def fetch(
    workspace: Workspace, symbol: str, timeframe: str, since: str | None, until: str | None, venue: str | None
) -> CommandResult:
    """Download the closed candles of SYMBOL that the store lacks; a run that was stopped goes on where it was."""
    from peaktrade_core.candles.fetch import fetch_market

    with _client(workspace, venue) as client, _progress(client) as watch:
        outcome = fetch_market(
            workspace,
            client,
            symbol,
            timeframe,
            since=_moment_of(since).timestamp() if since is not None else None,
            until=_moment_of(until).timestamp() if until is not None else None,
            watch=watch,
        )
    return CommandResult(outcome, lambda: _fetched(outcome))


@exchange.command()
@click.argument("symbol")
@click.option("--since", metavar="TIME", required=True, help="From then on (UTC).")
@click.option("--until", metavar="TIME", help="Up to then (UTC); else up to now.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV file of times and rates.")
@_of_venue
@command
def funding(
    workspace: Workspace, symbol: str, since: str, until: str | None, out: Path, venue: str | None
) -> CommandResult:
    """Download the funding rates of a perpetual contract, for sessions over recorded candles."""
    from peaktrade_core.base.files import write_atomic
    from peaktrade_core.venue.funding import rates_between

    first = _moment_of(since).timestamp()
    last = _moment_of(until).timestamp() if until else workspace.clock.now().timestamp()
    with _client(workspace, venue) as client:
        rates = rates_between(client, symbol, first, last)
    lines = [f"{iso(from_seconds(rate.ts))},{rate.rate!r}\n" for rate in rates]
    write_atomic(out, ("time,rate\n" + "".join(lines)).encode())
    told = f"{len(rates)} rates of funding of {symbol} in {out}; name the file as funding in [instruments.{symbol!r}]"
    return CommandResult(rates, [told])


def _fetched(outcome: Fetched) -> list[Part]:
    """Return what came and what is missing."""
    asked = _stretch(outcome.since, outcome.until) if outcome.wanted else "nothing: there is no closed bar since then"
    came = f"{outcome.new:,} new bars stored"
    if outcome.known:
        came += f", {outcome.known:,} were stored before"
    missing = f"{outcome.bars_missing:,} of {outcome.wanted:,} bars" if outcome.missing else "nothing"
    pairs = {"asked for": asked, "came": came, "missing": missing}
    if outcome.refused:
        pairs["refused"] = (
            f"{outcome.refused:,} bars cannot be true and were not stored, the first at {outcome.refusal}"
        )
    if outcome.differing:
        pairs["differing"] = f"{outcome.differing:,} bars that the venue gives otherwise now; the stored ones were kept"
    told = [f"{_stretch(one.first, one.last)}  {one.bars:,} missing" for one in outcome.missing[:MOST_STRETCHES]]
    if len(outcome.missing) > MOST_STRETCHES:
        told.append(f"and {len(outcome.missing) - MOST_STRETCHES:,} more; `peaktrade data check` counts them")
    if outcome.next_step:
        told.append(outcome.next_step)
    return [Table.pairs(pairs, f"{outcome.venue} {outcome.symbol} {outcome.timeframe}"), *told]


def _moment_of(text: str) -> datetime:
    """Return the UTC time of an option: a date, a time without zone (UTC), or one with."""
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time; write 2026-01-01 or 2026-01-01T08:00") from None


def _stretch(first: float, last: float) -> str:
    """Return a stretch of time, UTC, to the minute."""
    return f"{wording.minute(from_seconds(first))} .. {wording.minute(from_seconds(last))}"


@contextmanager
def _client(workspace: Workspace, venue: str | None = None) -> Iterator[VenueClient]:
    """Give the venue's client and close it."""
    client = open_venue(workspace, venue=venue)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _progress(client: VenueClient) -> Iterator[Callable[[FetchProgress], None]]:
    """Show a download on stderr: a bar in a terminal, a line a page elsewhere; retries are told in both."""
    if quiet():
        yield lambda _: None
        return

    def retry(fault: ExchangeError) -> None:
        say(f"  again after {type(fault).__name__}: {fault}", err=True)

    client.on_retry = retry
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda page: say(f"  {page.new:,} new bars up to {wording.minute(from_seconds(page.until))}", err=True)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("asking", total=None)
        client.on_retry = lambda fault: bar.console.print(
            f"again after {type(fault).__name__}: {inert(str(fault))}", markup=False
        )
        yield lambda page: bar.update(
            task, description=f"{page.new:,} new bars", completed=page.until - page.begin, total=page.end - page.begin
        )
