"""Who is called in an emergency, by people.toml and ``[contacts]``, and whether an alert reaches one of them by itself.

Source: operational runbooks 3.2 (emergency contacts up to date), 5.3 and 11.2 (the owner is told).
"""

from __future__ import annotations

from datetime import timedelta

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import Found, question
from peaktrade_core.people.roster import PEOPLE, read_people
from peaktrade_core.show import wording
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.workspace.workspace import Workspace

NEEDED = ("owner", "risk officer")
TRIED = timedelta(days=30)  # a channel that delivered nothing for longer is not known to work
_WHERE = f"Write them into {PEOPLE}, with a contact, or into [contacts] of config/config.toml."


def contacts_table(workspace: Workspace) -> Table:
    """Return the emergency contacts; where the configuration cannot be read, that is said in their place."""
    empty = f"No contact is named. {_WHERE}"
    try:
        people = emergency_contacts(workspace)
    except ConfigError as error:
        people, empty = {}, f"The configuration cannot be read: {error}"
    return Table("Emergency contacts", ("Who", "How"), [(who, Cell(how)) for who, how in people.items()], empty=empty)


def emergency_contacts(workspace: Workspace) -> dict[str, str]:
    """Return how each person or role is reached: those of people.toml first, then those of ``[contacts]``.

    Raises:
        ConfigError: one of the files cannot be read.
    """
    people = read_people(workspace.home / PEOPLE).people
    named = {
        f"{one.name} ({', '.join(role.replace('_', ' ') for role in one.roles)})": one.contact
        for one in people
        if one.contact.strip()
    }
    return {**named, **workspace.config.contacts}


@question("contacts_named", "Do owner and risk officer stand among the emergency contacts?", _WHERE)
def contacts_named(workspace: Workspace) -> Found:
    """Look who can be reached in which role; whether a number is right only a person can tell."""
    people = emergency_contacts(workspace)
    found = read_people(workspace.home / PEOPLE).people
    roles = {role.replace("_", " ") for one in found if one.contact.strip() for role in one.roles}
    missing = [who for who in NEEDED if who not in roles and not people.get(who, "").strip()]
    return not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(people)


@question(
    "contacts",
    f"Did an alert channel that leaves this machine deliver something in the last {TRIED.days} days?",
    "Add a channel with an address to config/alerts.toml, and try it: `peaktrade alerts test-channel NAME`.",
)
def contacts(workspace: Workspace) -> Found:
    """Look for channels that leave this machine, and for what they delivered last."""
    from peaktrade_core.alerts.engine import alert_settings
    from peaktrade_core.alerts.log import last_delivered

    outward = [name for name, channel in alert_settings(workspace).channels.items() if channel.kind == "apprise"]
    if not outward:
        return False, "no channel leaves this machine"
    told = last_delivered(workspace.reports / "alerts")
    since = workspace.clock.now() - TRIED
    alive = [name for name in outward if name in told and told[name] >= since]
    said = ", ".join(
        f"{name} {wording.minute(told[name])} UTC" if name in told else f"{name} never" for name in outward
    )
    return bool(alive), said
