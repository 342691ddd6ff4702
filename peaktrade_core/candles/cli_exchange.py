"""``peaktrade exchange``: ask the venue how it is, what it trades, and for candles. Needs no key and sends no order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.candles.cli import moment_of, stretch
from peaktrade_core.show import wording
from peaktrade_core.show.output import console, print_json, print_pairs, print_table
from peaktrade_core.venue.client import open_venue
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from peaktrade_core.base.errors import ExchangeError
    from peaktrade_core.candles.fetch import Fetched, Page
    from peaktrade_core.venue.client import VenueClient

MOST_STRETCHES = 10  # of missing bars that are printed
SKEW_WARNING_S = 2.0


@click.group()
def exchange() -> None:
    """Ask the venue how it is and what it trades, and download candles."""


@exchange.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def inspect(home: str | None, config: str | None, as_json: bool) -> None:
    """Show the venue's state, clock, fees, limits and what it can be asked."""
    from peaktrade_core.venue.facts import inspect_venue

    workspace = Workspace(home, config)
    with _client(workspace) as client:
        facts = inspect_venue(client, workspace.clock)
    if as_json:
        print_json(facts)
        return
    click.echo(f"{facts.venue} at {', '.join(facts.hosts)}" + (" (a drill on this machine)" if facts.loopback else ""))
    if facts.skew_s is None or facts.round_trip_s is None:
        clock = "the venue tells none"
    else:
        far = "" if abs(facts.skew_s) <= SKEW_WARNING_S else "  ▲ set this machine's clock"
        clock = (
            f"{wording.moment(facts.time)} UTC, {facts.skew_s:+.1f} s from ours (to a second), "
            f"answered in {wording.duration(facts.round_trip_s)}{far}"
        )
    print_pairs(
        {
            "status": facts.status or "the venue tells none",
            "time": clock,
            "fees": f"maker {wording.percent(facts.maker)}, taker {wording.percent(facts.taker)} (lowest tier)",
            "pace": f"one call in {facts.pace_s:g} s",
            "candles": f"{facts.page:,} bars in an answer; {' '.join(facts.timeframes)}",
            "markets": f"{facts.markets:,}, {facts.active:,} of them open",
            "offers": ", ".join(facts.offers),
        }
    )


@exchange.command()
@click.option("--quote", metavar="CURRENCY", help="Only markets quoted in it, for example EUR.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def markets(home: str | None, config: str | None, quote: str | None, limit: int, as_json: bool) -> None:
    """List the venue's markets with tick, lot, smallest order and fees."""
    from peaktrade_core.venue.facts import list_markets

    with _client(Workspace(home, config)) as client:
        found = list_markets(client, quote)
    if as_json:
        print_json(found[:limit])
        return
    print_table(
        ("SYMBOL", "KIND", "OPEN", "TICK", "LOT", "SMALLEST ORDER", "MAKER", "TAKER"),
        (
            (
                m.symbol,
                m.kind,
                wording.NOTHING if m.active is None else "yes" if m.active else "no",
                m.tick or wording.NOTHING,
                m.lot or wording.NOTHING,
                wording.NOTHING if m.min_qty is None else f"{m.min_qty:.10f}".rstrip("0").rstrip("."),
                wording.percent(m.maker),
                wording.percent(m.taker),
            )
            for m in found[:limit]
        ),
        right=("TICK", "LOT", "SMALLEST ORDER", "MAKER", "TAKER"),
    )
    if len(found) > limit:
        click.echo(f"\n{limit} of {len(found):,}; --limit shows more, --quote fewer")
    elif not found:
        click.echo(f"No market is quoted in {quote}.")


@exchange.command()
@click.argument("symbol")
@click.option("--timeframe", metavar="TF", default="1m", show_default=True, help="Length of a bar.")
@click.option("--since", metavar="TIME", help="From then on (UTC); else after the last stored bar.")
@click.option("--until", metavar="TIME", help="Up to then (UTC, exclusive); else the last closed bar.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def fetch(
    home: str | None,
    config: str | None,
    symbol: str,
    timeframe: str,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """Download the closed candles of SYMBOL that the store lacks; a run that was stopped goes on where it was."""
    from peaktrade_core.candles.fetch import fetch as fetch_candles
    from peaktrade_core.candles.store import CandleStore, Series

    workspace = Workspace(home, config)
    known = workspace.config.instruments.get(symbol)
    with _client(workspace) as client, _progress(client, quiet=as_json) as watch:
        outcome = fetch_candles(
            client,
            CandleStore.of_workspace(workspace.home),
            Series(f"{client.name}-drill" if client.loopback else client.name, symbol, timeframe),
            (known.venue_symbol if known else "") or symbol,
            clock=workspace.clock,
            since=moment_of(since).timestamp() if since is not None else None,
            until=moment_of(until).timestamp() if until is not None else None,
            watch=watch,
        )
    if as_json:
        print_json(outcome)
    else:
        _print(outcome)


def _print(outcome: Fetched) -> None:
    """Print what came and what is missing."""
    click.echo(f"{outcome.venue} {outcome.symbol} {outcome.timeframe}")
    asked = stretch(outcome.since, outcome.until) if outcome.wanted else "nothing: there is no closed bar since then"
    came = f"{outcome.new:,} new bars stored"
    if outcome.known:
        came += f", {outcome.known:,} were stored before"
    missing = f"{outcome.bars_missing:,} of {outcome.wanted:,} bars" if outcome.missing else "nothing"
    pairs: dict[str, Any] = {"asked for": asked, "came": came, "missing": missing}
    if outcome.refused:
        pairs["refused"] = (
            f"{outcome.refused:,} bars cannot be true and were not stored, the first at {outcome.refusal}"
        )
    if outcome.differing:
        pairs["differing"] = f"{outcome.differing:,} bars that the venue gives otherwise now; the stored ones were kept"
    print_pairs(pairs)
    for one in outcome.missing[:MOST_STRETCHES]:
        click.echo(f"    {stretch(one.first, one.last)}  {one.bars:,} missing")
    if len(outcome.missing) > MOST_STRETCHES:
        click.echo(f"    and {len(outcome.missing) - MOST_STRETCHES:,} more; `peaktrade data check` counts them")
    if outcome.next_step:
        click.echo(f"  {outcome.next_step}")


@contextmanager
def _client(workspace: Workspace) -> Iterator[VenueClient]:
    """Give the venue's client and close it."""
    client = open_venue(workspace)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _progress(client: VenueClient, *, quiet: bool) -> Iterator[Callable[[Page], None]]:
    """Show a download on stderr: a bar in a terminal, a line a page elsewhere; retries are told in both."""
    if quiet:
        yield lambda _: None
        return

    def retry(fault: ExchangeError) -> None:
        click.echo(f"  again after {type(fault).__name__}: {fault}", err=True)

    client.on_retry = retry
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda page: click.echo(
            f"  {page.new:,} new bars up to {wording.minute(from_seconds(page.until))}", err=True
        )
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("asking", total=None)
        client.on_retry = lambda fault: bar.console.print(f"again after {type(fault).__name__}: {fault}", markup=False)
        yield lambda page: bar.update(
            task, description=f"{page.new:,} new bars", completed=page.until - page.begin, total=page.end - page.begin
        )
