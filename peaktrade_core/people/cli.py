"""``peaktrade people``, ``requests``, ``approve`` and ``reject``: who decides what, and their signatures."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from peaktrade_core.base.question import FAIL, worst
from peaktrade_core.people.approval import NOT_VERIFIED
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.people.matrix import AUTHORITIES, needed
from peaktrade_core.people.questions import PEOPLE_CHECKS
from peaktrade_core.people.request import Request, Signature, request_item
from peaktrade_core.people.roster import PEOPLE, Person, Roster, fingerprint, read_people
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, Part, command
from peaktrade_core.workspace.workspace import Workspace

TONES = {"waits": MID, "approved": GOOD, "rejected": BAD, "expired": "", "used": GOOD}
WHO = Columns[Person](
    name=Column("Name", lambda one: one.name),
    roles=Column("Roles", lambda one: ", ".join(one.roles)),
    contact=Column("Contact", lambda one: one.contact or wording.NOTHING, "words"),
    keys=Column("Keys", lambda one: "\n".join(map(fingerprint, one.keys)) or Cell(f"none: {NOT_VERIFIED}", MID)),
)
REQUESTS = Columns[Request](
    id=Column("Request", lambda one: one.id),
    state=Column("State", lambda one: Cell(one.state, TONES[one.state])),
    situation=Column("For", lambda one: one.asked.authority.situation, "words"),
    about=Column("About", lambda one: one.asked.subject, "words", 1),
    by=Column("Asked by", lambda one: one.asked.by, priority=2),
    signed=Column("Signed by", lambda one: ", ".join(one.signers) or wording.NOTHING),
    lacks=Column("Still needed", lambda one: one.lacks or wording.NOTHING, "words"),
    until=Column("Until (UTC)", lambda one: wording.minute(one.asked.until), priority=1),
)
SIGNATURES = Columns[Signature](
    by=Column("By", lambda one: one.by),
    roles=Column("Roles", lambda one: ", ".join(one.roles), priority=1),
    at=Column("At (UTC)", lambda one: wording.moment(one.at)),
    key=Column("Key", lambda one: fingerprint(one.key) if one.key else NOT_VERIFIED, priority=2),
    counts=Column("Counts", lambda one: Cell(f"✕ {one.fault}", BAD) if one.fault else Cell("✓", GOOD), "words"),
)


@click.group()
def people() -> None:
    """Show who decides what, check that each decision can be signed, change people or keys."""


@people.command("list")
@command
def list_people(workspace: Workspace) -> CommandResult:
    """List the people, their roles and keys, and who decides in which situation."""
    found = read_people(workspace.home / PEOPLE).people
    matrix = {name: one for name, one in AUTHORITIES.items() if one.second}
    value = {
        "people": [{**msgspec.to_builtins(one), "fingerprints": list(map(fingerprint, one.keys))} for one in found],
        "decisions": {name: {**one._asdict(), "needed": needed(one)} for name, one in matrix.items()},
    }
    rows = [(one.situation, needed(one), wording.duration(one.within_s)) for one in matrix.values()]
    empty = f"Nobody is named in {PEOPLE}: names are typed, and {NOT_VERIFIED}."
    decisions = Table("Decisions of two people", ("Decision", "Signed by", "Within"), rows)
    counting, notes = Approvals.of(workspace).people.counting(), list[str]()
    if differs := Roster(found).differs(counting):
        notes.append(
            f"note: the keys that count are those that were approved last, not those of {PEOPLE} ({differs}); "
            "`peaktrade people check` says what to do"
        )
    value["counting"] = [one.name for one in counting.people if one.keys]
    return CommandResult(value, [WHO.table("People", found, empty=empty), decisions], notes=notes)


@people.command("check")
@command
def check_people(workspace: Workspace) -> CommandResult:
    """Check people.toml, and that each decision can be signed by those who have keys; exit 1 when one cannot."""
    found = workspace.ask(PEOPLE_CHECKS)
    return CommandResult(found, CHECKS.table("", found), code=int(worst(found) == FAIL))


@people.command("change")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; those who sign it read it.")
@command
def change_people(workspace: Workspace, file: Path, by: str, reason: str) -> CommandResult:
    """Put FILE in the place of config/people.toml, once two whose keys count have signed that.

    The first call asks for it; call it again when both have signed.
    """
    roster, approval = Approvals.of(workspace).change_people(file, by=by, reason=reason)
    told = f"{PEOPLE} names {len(roster.people)} people now, by {approval.told}"
    return CommandResult({"people": roster.people, "approval": approval}, told)


@click.group()
def requests() -> None:
    """List what waits for signatures, or show one request."""


@requests.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that were used, refused or have expired.")
@command
def list_requests(workspace: Workspace, every: bool) -> CommandResult:
    """List the requests that wait for a signature or are approved, newest first."""
    found = [one for one in reversed(Approvals.of(workspace).all()) if every or one.state in ("waits", "approved")]
    empty = "Nothing was ever asked for." if every else "Nothing waits for a signature."
    return CommandResult([request_item(one) for one in found], REQUESTS.table("", found, empty=empty))


@requests.command()
@click.argument("request", metavar="ID")
@command
def show(workspace: Workspace, request: str) -> CommandResult:
    """Show a request (`latest` or its id): the text that is signed, who signed, who still must."""
    found = Approvals.of(workspace).find(request, latest=True)
    return CommandResult(request_item(found), request_parts(found))


@click.command()
@click.argument("request", metavar="ID")
@click.option("--key", type=click.Path(path_type=Path), help="Your key; else the one in ~/.ssh that people.toml names.")
@command
def approve(workspace: Workspace, request: str, key: Path | None) -> CommandResult:
    """Sign a request with your own SSH key, from your own login; read it first: `peaktrade requests show ID`."""
    found, person = Approvals.of(workspace).sign(request, key)
    last = f"{found.id} is approved." if found.state == "approved" else f"{found.id} still needs: {found.lacks}."
    return CommandResult(request_item(found), [*request_parts(found), f"{person.name} signed. {last}"])


@click.command()
@click.argument("request", metavar="ID")
@click.option("--reason", required=True, help="Why not; kept in the ledger.")
@click.option("--by", default="", help="Who you are, where you have no key at hand; it then says not verified.")
@click.option("--key", type=click.Path(path_type=Path), help="Your key; else the one in ~/.ssh that people.toml names.")
@command
def reject(workspace: Workspace, request: str, reason: str, by: str, key: Path | None) -> CommandResult:
    """Say no to a request, which ends it."""
    found = Approvals.of(workspace).reject(request, reason, by=by, key=key)
    assert found.rejected is not None
    return CommandResult(request_item(found), f"{found.id} is refused by {found.rejected.by}: {found.rejected.reason}")


def request_parts(found: Request) -> list[Part]:
    """Return a request for people: how it stands, its text, its signatures."""
    asked = found.asked
    pairs = {
        "For": asked.authority.situation,
        "About": asked.subject,
        "Because": asked.reason,
        "Asked": f"by {asked.by}, {wording.moment(asked.at)} UTC",
        "Valid until (UTC)": wording.moment(asked.until),
        "Signed by": f"{needed(asked.authority)}" + (f"; still needed: {found.lacks}" if found.lacks else ""),
        "Refused": f"by {found.rejected.by}: {found.rejected.reason}" if found.rejected else "",
        "Used": f"by {found.used_by}, {wording.moment(found.used_at)} UTC" if found.used_at else "",
    }
    shown = Table.pairs({name: text for name, text in pairs.items() if text}, f"{found.id}: {found.state}")
    return [shown, SIGNATURES.table("Signatures", found.signatures, empty="Nobody has signed it."), asked.text]
