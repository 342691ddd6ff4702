"""What is asked before a session: is live locked, did one die unseen, and of a testnet session: is the venue fit for it?

Source: operational runbook 2 (testnet run: readiness, smoke test, start).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ExchangeNetworkError, LiveModeNotAllowedError
from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, Question, answers, question
from peaktrade_core.runs.handbook import next_step
from peaktrade_core.session.planning import plan_session, venue_broker
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.market import Instrument
from peaktrade_core.venue.client import VenueClient, open_venue
from peaktrade_core.venue.credentials import find_credentials, variables_of
from peaktrade_core.venue.facts import at_venue, inspect_venue, list_markets
from peaktrade_core.venue.hosts import LOOPBACK
from peaktrade_core.venue.places import SANDBOXES
from peaktrade_core.workspace.workspace import Workspace

MOST_SKEW_S = 5.0
T = TypeVar("T")
_SOUND = "Mend the configuration first."


class Traded:
    """What is to be traded, and where; the venue is asked by one client, and no longer once it gave no answer.

    Args (of the constructor):
        workspace: where; symbol: empty for the configured one.
    """

    def __init__(self, workspace: Workspace, symbol: str = "") -> None:
        self.workspace, self.name = workspace, symbol or workspace.config.session.symbol
        self._silent: ExchangeNetworkError | None = None

    @property
    def instrument(self) -> Instrument:
        """The symbol as it is configured.

        Raises:
            ConfigError: it is not.
        """
        return self.workspace.config.instrument(self.name)

    @cached_property
    def client(self) -> VenueClient:
        """A client of the place that a testnet session asks, without a key."""
        return open_venue(self.workspace, sandbox=True)

    def answered(self, ask: Callable[[VenueClient], T]) -> T:
        """Return what the venue answers; each question would wait out its retries at one that is silent.

        Raises:
            ExchangeError: it, or the way to it, failed, now or at the question before.
        """
        if self._silent is not None:
            raise self._silent
        try:
            return ask(self.client)
        except ExchangeNetworkError as error:
            self._silent = error
            raise


@question("live", "Is live trading locked?", "Stop everything, tell the owner, and use another version.")
def live(workspace: Workspace) -> Found:
    """Try what must be impossible: to plan a live session."""
    try:
        plan_session(workspace, mode="live")
    except LiveModeNotAllowedError:
        return True, "planning a live session is refused"
    return False, "a live session could be planned"


@question(
    "stale",
    "Sessions that died without a word",
    "Look at the machine's log for why they died; their figures are those of their journals.",
    otherwise=WARN,
)
def stale(workspace: Workspace) -> Found:
    """End the sessions whose process is gone, and name them."""
    recovered = recover(workspace)
    return not recovered, f"recovered: {', '.join(r.session_id for r in recovered)}" if recovered else "none"


def advice(told: str) -> str:
    """Return what to do about an error of the venue."""
    step = next_step(told)
    return step[:1].upper() + step[1:]


@question("switch", "Is testnet switched on here?", 'Write mode = "testnet" in [environment] of config/config.toml.')
def switch(traded: Traded) -> Found:
    """Look at the switch of the configuration."""
    mode = traded.workspace.config.environment.mode
    return mode == "testnet", f"[environment] mode = {mode}"


@question("credentials", "Are there credentials for the venue?", _SOUND, advice=advice)
def credentials(traded: Traded) -> Found:
    """Look for the key."""
    venue_name = traded.workspace.config.exchange.venue
    find_credentials(venue_name)
    return True, f"{' and '.join(variables_of(venue_name))} are set"


@question(
    "locked",
    "Is it impossible that an order trades live?",
    "Nothing starts: the broker refuses to be built for this venue.",
)
def locked(traded: Traded) -> Found:
    """Look where orders go, and with what."""
    client = traded.client
    if client.name == "kraken":
        return True, "every order carries validate=true"
    foreign = client.order_hosts - set(SANDBOXES.get(client.name, ())) - set(LOOPBACK)
    demo = "demo venue" if client.dialect.always_demo else "sandbox"
    return bool(client.order_hosts) and not foreign, f"orders go to the {demo} only"


@question(
    "venue",
    "Does the venue answer, and is it open?",
    "Wait until the venue says that it is open again.",
    otherwise=WARN,
    advice=advice,
)
def venue(traded: Traded) -> Found:
    """Ask the venue for its status and markets."""
    facts = traded.answered(lambda client: inspect_venue(client, traded.workspace.clock))
    told = f"{facts.venue}: {facts.status or 'answers'}, {facts.active} of {facts.markets} markets open"
    return facts.status in (None, "ok"), told


@question(
    "skew",
    "Does its clock agree with ours?",
    "Set this machine's time (NTP); bars follow the venue's clock meanwhile.",
    otherwise=WARN,
    advice=advice,
)
def skew(traded: Traded) -> Found:
    """Compare its clock with ours."""
    before, theirs = traded.workspace.clock.now(), traded.answered(lambda client: client.now())
    if theirs is None:
        return True, "the venue tells no time"
    off = (theirs - before).total_seconds()
    return abs(off) <= MOST_SKEW_S, f"within {MOST_SKEW_S:g} s" if abs(off) <= MOST_SKEW_S else f"{off:+.1f} s"


@question(
    "market",
    "Is the symbol traded there, in our steps?",
    "Set tick and lot in [instruments] to the venue's.",
    otherwise=WARN,
    advice=advice,
)
def market(traded: Traded) -> Found:
    """Compare the venue's market with the configured instrument."""
    instrument = traded.instrument
    wanted = instrument.venue_symbol or traded.name
    if not instrument.complete:
        known = traded.answered(lambda client: at_venue(client, traded.name, instrument))
        return True, f"{wanted}: tick {known.tick}, lot {known.lot}, the venue's own"
    found = next((one for one in traded.answered(list_markets) if one.symbol == wanted), None)
    if found is None or found.active is False:
        step = "`peaktrade exchange markets` lists what is traded; set venue_symbol in [instruments]."
        return FAIL, f"{wanted} is {'closed' if found else 'unknown'} at the venue", step
    coarser = [
        f"{name} {theirs} is coarser than our {ours}"
        for name, theirs, ours in (("tick", found.tick, instrument.tick), ("lot", found.lot, instrument.lot))
        if theirs is not None and float(theirs) > float(ours)
    ]
    return not coarser, "; ".join(coarser) or f"{wanted}: tick {found.tick}, lot {found.lot}"


@question(
    "smoke",
    "Does the venue take our smallest order?",
    "Read the venue's words; runbook 7 treats each class of error.",
    advice=advice,
)
def smallest_order(traded: Traded) -> Found:
    """Let the venue validate the smallest order, or place it in the demo and close it."""
    instrument = traded.instrument
    if not instrument.complete:
        found = instrument
        instrument = traded.answered(lambda client: at_venue(client, traded.name, found))
    broker = venue_broker(traded.workspace, instrument, traded.name)
    qty = max(instrument.min_qty, float(instrument.lot))
    said = []
    for number, (purpose, signed) in enumerate((("open", qty), ("close", -qty)), 1):
        answer = broker.submit(Order(0, EPOCH, f"smoke{number}", purpose, signed, 0.0, 0.0))
        said.append(f"{'buy' if signed > 0 else 'sell'} {qty:g}: {answer.message}")
        if not answer.accepted:
            break
    return PASS if answer.accepted else FAIL, "; ".join(said)


VENUE: tuple[Question[Traded], ...] = (switch, credentials, locked, venue, skew, market)


def venue_checks(workspace: Workspace, symbol: str = "") -> list[Check]:
    """Return the checklist of the venue before a testnet session; a venue that does not answer fails its lines.

    Args:
        workspace: where; symbol: what is to be traded, empty for the configured one.
    """
    return _of_venue(VENUE, workspace, symbol)


def smoke_checks(workspace: Workspace, symbol: str = "") -> list[Check]:
    """Return whether the venue takes the smallest order of ``symbol``."""
    return _of_venue((smallest_order,), workspace, symbol)


def _of_venue(questions: tuple[Question[Traded], ...], workspace: Workspace, symbol: str) -> list[Check]:
    return workspace.told(answers(questions, Traded(workspace, symbol), rehearsal=workspace.rehearsal))
