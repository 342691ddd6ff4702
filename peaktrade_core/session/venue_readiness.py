"""The testnet half of the pre-session check: is the venue there, is it sane, and can it trade nothing live?

Source: operational runbook 2 (testnet run: readiness, smoke test, start).
"""

from __future__ import annotations

from collections.abc import Callable

from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ExchangeError
from peaktrade_core.runs.error_help import next_step
from peaktrade_core.session.planning import venue_broker
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.market import Instrument
from peaktrade_core.venue.client import open_venue
from peaktrade_core.venue.credentials import find_credentials, variables_of
from peaktrade_core.venue.facts import inspect_venue, list_markets
from peaktrade_core.venue.hosts import DEMO_HOSTS, LOOPBACK
from peaktrade_core.workspace.workspace import Workspace

MOST_SKEW_S = 5.0


def venue_checks(workspace: Workspace, symbol: str) -> list[Check]:
    """Return the checklist of the venue before a testnet session; a venue that does not answer fails its lines.

    Raises:
        ConfigError: the symbol is not configured.
    """
    instrument = workspace.config.instrument(symbol)
    return [
        _answered("credentials", "Are there credentials for the venue?", lambda: _credentials(workspace)),
        _locked(workspace),
        _answered("venue", "Does the venue answer, and is it open?", lambda: _status(workspace)),
        _answered("skew", "Does its clock agree with ours?", lambda: _skew(workspace)),
        _answered(
            "market", "Is the symbol traded there, in our steps?", lambda: _market(workspace, instrument, symbol)
        ),
    ]


def smoke_checks(workspace: Workspace, symbol: str) -> list[Check]:
    """Return whether the venue takes the smallest order of ``symbol``: validated only, or placed in the demo and closed.

    Raises:
        ConfigError: the symbol is not configured.
    """
    return [_answered("smoke", "Does the venue take our smallest order?", lambda: _smoke(workspace, symbol))]


def _answered(id: str, question: str, ask: Callable[[], Check]) -> Check:
    """Return the answer, or a failed check when the venue could not be asked."""
    try:
        return ask()
    except ExchangeError as fault:
        told = f"{type(fault).__name__}: {fault}"
        step = next_step(told)
        return Check(id=id, question=question, status=FAIL, evidence=told, next_step=step[:1].upper() + step[1:])


def _credentials(workspace: Workspace) -> Check:
    venue = workspace.config.exchange.venue
    find_credentials(venue)
    return check(
        "credentials", "Are there credentials for the venue?", True, f"{' and '.join(variables_of(venue))} are set", ""
    )


def _locked(workspace: Workspace) -> Check:
    client = open_venue(workspace)
    validated = client.name == "kraken"
    foreign = client.hosts - set(DEMO_HOSTS) - set(LOOPBACK)
    return check(
        "locked",
        "Is it impossible that an order trades live?",
        validated or not foreign,
        "every order carries validate=true" if validated else "orders go to the demo venue only",
        "Nothing starts: the broker refuses to be built for this venue.",
    )


def _status(workspace: Workspace) -> Check:
    facts = inspect_venue(open_venue(workspace), workspace.clock)
    return check(
        "venue",
        "Does the venue answer, and is it open?",
        facts.status in (None, "ok"),
        f"{facts.venue}: {facts.status or 'answers'}, {facts.active} of {facts.markets} markets open",
        "Wait until the venue says that it is open again.",
        otherwise=WARN,
    )


def _skew(workspace: Workspace) -> Check:
    client, clock = open_venue(workspace), workspace.clock
    before, venue = clock.now(), client.now()
    skew = 0.0 if venue is None else (venue - before).total_seconds()
    return check(
        "skew",
        "Does its clock agree with ours?",
        abs(skew) <= MOST_SKEW_S,
        "the venue tells no time"
        if venue is None
        else f"within {MOST_SKEW_S:g} s"
        if abs(skew) <= MOST_SKEW_S
        else f"{skew:+.1f} s",
        "Set this machine's time (NTP); bars follow the venue's clock meanwhile.",
        otherwise=WARN,
    )


def _market(workspace: Workspace, instrument: Instrument, symbol: str) -> Check:
    wanted = instrument.venue_symbol or symbol
    found = next((one for one in list_markets(open_venue(workspace)) if one.symbol == wanted), None)
    question = "Is the symbol traded there, in our steps?"
    if found is None or found.active is False:
        return Check(
            id="market",
            question=question,
            status=FAIL,
            evidence=f"{wanted} is {'closed' if found else 'unknown'} at the venue",
            next_step="`peaktrade exchange markets` lists what is traded; set venue_symbol in [instruments].",
        )
    coarser = [
        f"{name} {theirs} is coarser than our {ours}"
        for name, theirs, ours in (("tick", found.tick, instrument.tick), ("lot", found.lot, instrument.lot))
        if theirs is not None and float(theirs) > float(ours)
    ]
    return check(
        "market",
        question,
        not coarser,
        "; ".join(coarser) or f"{wanted}: tick {found.tick}, lot {found.lot}",
        "Set tick and lot in [instruments] to the venue's.",
        otherwise=WARN,
    )


def _smoke(workspace: Workspace, symbol: str) -> Check:
    instrument = workspace.config.instrument(symbol)
    broker = venue_broker(workspace, instrument, symbol)
    qty = max(instrument.min_qty, float(instrument.lot))
    said = []
    for number, (purpose, signed) in enumerate((("open", qty), ("close", -qty)), 1):
        answer = broker.submit(Order(0, EPOCH, f"smoke{number}", purpose, signed, 0.0, 0.0))
        said.append(f"{'buy' if signed > 0 else 'sell'} {qty:g}: {answer.message}")
        if not answer.accepted:
            break
    return check(
        "smoke",
        "Does the venue take our smallest order?",
        answer.accepted,
        "; ".join(said),
        "Read the venue's words; runbook 7 treats each class of error.",
    )
