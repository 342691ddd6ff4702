"""The proof that live stays locked: each way to a live order is tried, and must be refused.

Nothing here asks a venue. The same workspace and version give the same snapshot, apart from its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from itertools import product
from typing import Any

import msgspec

from peaktrade_core.base.checkout import git_commit
from peaktrade_core.base.clock import EPOCH, iso, local
from peaktrade_core.base.errors import ConfigError, ForbiddenRequestError
from peaktrade_core.base.files import sha256_of
from peaktrade_core.base.question import FAIL, ORDER, PASS, Check, Found, question, worst
from peaktrade_core.base.resources import share_dir
from peaktrade_core.control.audit.daily import everything
from peaktrade_core.desk.live_stage import keys
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import MODES
from peaktrade_core.session.questions import live
from peaktrade_core.show.wording import many
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.workspace.chain_heads import chain_heads
from peaktrade_core.workspace.venues import VENUES
from peaktrade_core.workspace.workspace import Workspace

_CONFUSING = (  # each leads somewhere else, or could: one parser says so, another does not
    "https://venue.invalid",
    "https://api.kraken.com",
    "https://venue.invalid\\@127.0.0.1/",
    "https://venue.invalid\\@127.0.0.1/..",
    "https://127.0.0.1\\@venue.invalid/",
    "https://127.0.0.1@venue.invalid/",
    "https://venue.invalid@127.0.0.1/",
    "https://127.0.0.1:80@venue.invalid:80/",
    "https://127.0.0.1%2f@venue.invalid/",
    "https://127.0.0.1%00.venue.invalid/",
    "https://venue.invalid%5c@127.0.0.1/",
    "https://127.0.0.1.venue.invalid/",
    "https://127.0.0.1\t.venue.invalid/",
    "https://venue.invalid#@127.0.0.1/",
    "https://venue.invalid?@127.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://\uff4cocalhost/",
    "https://localhost./",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://[::ffff:203.0.113.1]/",
    "https://[::1%25lo]/",
    "//venue.invalid",
)
_ORDERS = (
    "https://api.kraken.com/0/private/AddOrder",
    "https://api.kraken.com/0/private/AddOrderBatch",
    "https://api.kraken.com/0/private/EditOrder",
    "https://api.kraken.com/0/private/AmendOrder",
    "https://api.kraken.com/0/private/Withdraw",
    "https://api.kraken.com/0/public/../private/AddOrder",
    "https://futures.kraken.com/derivatives/api/v3/sendorder",
    "https://futures.kraken.com/derivatives/api/v3/batchorder",
    "https://futures.kraken.com/derivatives/api/v3/editorder",
)
_PATHS = (
    "/",
    "/order",
    "/orders",
    "/api/v3/order",
    "/v5/order/create",
    "/api/v1/withdraw",
    "/private/order",
    "/0/private/AddOrder",
)
_HEADERS = {"API-Key": "none", "APIKey": "none", "Content-Type": "application/x-www-form-urlencoded"}
_OTHER_VERSION = "Stop everything, tell the owner, and use another version: this one lacks the lock."


class AuditSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What an auditor gets.

    Attributes:
        as_of, as_of_local: when, UTC and Europe/Berlin.
        verdict: ``LOCKED``, or ``NOT PROVEN`` when a way was not refused, a record says that it was live, or a chained log
            was changed, so that what it says of the past proves nothing.
        version, commit, environment, config_sha256: what was looked at.
        contrary: what speaks against the verdict, or could not be shown, in a sentence each, the worst first.
        lock: the ways to a live order, each tried; audit: everything that the ledger holds, verified.
        heads: the last hash of each chained log.
        sessions: how many by mode and by status; states: trading states that are not ACTIVE.
        kill_switch: its state; limits: the risk limits in force.
    """

    as_of: str
    as_of_local: str
    verdict: str
    contrary: list[str]
    version: str
    commit: str
    environment: str
    config_sha256: str
    lock: list[Check]
    audit: list[Check]
    heads: dict[str, str]
    sessions: dict[str, dict[str, int]]
    kill_switch: str
    states: list[str]
    limits: dict[str, float]


def audit_snapshot(workspace: Workspace) -> AuditSnapshot:
    """Return the proof, and beside it what the workspace holds; reads only.

    Raises:
        ConfigError: the configuration is not sound, so that nothing can be proven.
    """
    now, stats = workspace.clock.now(), Views.of(workspace).stats()
    lock, audit = lock_checks(workspace), everything(workspace)
    return AuditSnapshot(
        as_of=iso(now),
        as_of_local=local(now),
        verdict="NOT PROVEN" if worst((*lock, *audit)) == FAIL else "LOCKED",
        contrary=contrary_of((*lock, *audit)),
        version=metadata.version("peaktrade"),
        commit=git_commit(share_dir()) or "no checkout",
        environment=workspace.config.environment.name,
        config_sha256=sha256_of(workspace.config_path),
        lock=lock,
        audit=audit,
        heads=chain_heads(workspace.home),
        sessions={"by_mode": dict(sorted(stats.by_mode.items())), "by_status": dict(sorted(stats.by_status.items()))},
        kill_switch=KillSwitch.of(workspace).status().state,
        states=[str(state) for state in TradingStates.of(workspace).stopped()],
        limits=workspace.config.limits._asdict(),
    )


def contrary_of(checks: Sequence[Check]) -> list[str]:
    """Return what is not good among answers, the worst first: the headline of a proof names it, or says that there is none."""
    odd = sorted((one for one in checks if one.status != PASS), key=lambda one: -ORDER.index(one.status))
    return [f"{one.id}: {one.evidence}" for one in odd]


@question("modes", "Are shadow and testnet the only modes?", _OTHER_VERSION)
def modes(_: Workspace) -> Found:
    """Look for live among the modes of a session."""
    return "live" not in MODES, f"sessions can be {' or '.join(MODES)}"


@question("validate_only", "Is every spot order sent for validation only?", _OTHER_VERSION)
def validate_only(_: Workspace) -> Found:
    """Take down what a spot order is sent with."""
    from peaktrade_core.venue.brokers import ValidatingBroker

    listener = _Listener()
    order = Order(seq=0, ts=EPOCH, order_id="audit", purpose="open", qty=1.0, price=1.0, notional=1.0)  # goes nowhere
    answer: OrderAnswer = ValidatingBroker(listener, "BTC/EUR").submit(order)  # type: ignore[arg-type]
    sent = listener.call[-1]
    well = answer.accepted and isinstance(sent, dict) and sent.get("validate") == "true"
    return well, f"an order goes out with {sent}"


class _Listener:
    """Stands in for the venue, takes down what an order is sent with, and sends nothing."""

    name = "kraken"

    def order(self, *call: Any) -> dict[str, Any]:
        """Take a call down; say what the venue would."""
        self.call = call
        return {"id": None, "info": {"descr": {"order": "taken down"}}}


@question("demo_only", "Does the futures broker refuse every venue but the demo?", _OTHER_VERSION)
def demo_only(_: Workspace) -> Found:
    """Try to build the futures broker for the real venue."""
    from peaktrade_core.venue.brokers import DemoBroker
    from peaktrade_core.venue.client import VenueClient

    try:
        DemoBroker(VenueClient("krakenfutures"), "PF_XBTUSD", "audit")
    except ConfigError as refusal:
        return True, str(refusal)
    return False, "one was built for the real venue"


@question("base_url", "Is every other host refused in the venue's place?", _OTHER_VERSION)
def base_url(_: Workspace) -> Found:
    """Try to put other hosts in the venue's place."""
    from peaktrade_core.venue.client import VenueClient

    taken = []
    for url in _CONFUSING:
        with suppress(ConfigError):
            VenueClient("kraken", base_url=url)
            taken.append(url)
    return (
        not taken,
        f"{len(taken)} of {len(_CONFUSING)} accepted: {taken[:3]}" if taken else f"{len(_CONFUSING)} refused",
    )


@question("wire", "Is every order to a production venue stopped where it would leave?", _OTHER_VERSION)
def wire(workspace: Workspace) -> Found:
    """Ask the guard of each client of each venue about orders that may never leave; nothing is sent."""
    from peaktrade_core.venue.hosts import Guard
    from peaktrade_core.venue.places import no_sandbox, places_of

    venues, tried, passed = venues_asked(workspace), 0, list[str]()
    for venue in venues:
        guards = [Guard(venue), Guard(venue, base_url="http://127.0.0.1:8080")]
        guards += [] if no_sandbox(venue) else [Guard(venue, demo=True)]
        hosts = {str(origin) for origin in places_of(venue, demo=False).reading}
        bodies = [("nonce=1", url) for url in (*_CONFUSING, *_ORDERS)]
        bodies += [("nonce=1", f"{host}{path}") for host in sorted(hosts) for path in _PATHS]
        bodies += [(f"nonce=1&validate={value}", _ORDERS[0]) for value in ("", "false", "1", "true&validate=")]
        for guard, (body, url) in product(guards, bodies):
            tried += 1
            with suppress(ForbiddenRequestError):
                guard.judge("POST", url, _HEADERS, body)
                passed.append(url)
    of = f"to {', '.join(venues)}"
    return (
        not passed,
        f"{len(passed)} of {tried} would leave: {passed[:3]}" if passed else f"{many(tried, 'order')} refused {of}",
    )


def venues_asked(workspace: Workspace) -> list[str]:
    """Return the venues that this workspace can ask or has asked: Kraken's two, the configured one, those of its records."""
    recorded = (row.environment for row in Views.of(workspace).rows())
    found = {workspace.config.exchange.venue, *filter(None, recorded)} & set(VENUES)
    return ["kraken", "krakenfutures", *sorted(found - {"kraken", "krakenfutures"})]


@question(
    "no_live_record",
    "Records that say they were live",
    "peaktrade never writes such a record: find out where it came from, and open an incident.",
)
def no_live_record(workspace: Workspace) -> Found:
    """Look into the registry."""
    found = [row.run_id for row in Views.of(workspace).rows(Query(mode="live", limit=5))]
    return not found, ", ".join(found) or "none"


BROKERS = (validate_only, demo_only, base_url, wire)
LOCK = (live, modes, *BROKERS, no_live_record, keys)


def lock_checks(workspace: Workspace, *, brokers: bool = True) -> list[Check]:
    """Return each way to a live order, tried.

    Args:
        workspace: of which.
        brokers: also try to build the brokers, which takes a second to import.
    """
    return workspace.ask(one for one in LOCK if brokers or one not in BROKERS)
