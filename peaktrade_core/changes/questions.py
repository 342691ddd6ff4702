"""What is asked about changes: is everything as it was approved, and was what came first approved in time?"""

from __future__ import annotations

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.question import FAIL, PASS, UNKNOWN, WARN, Check, Found, Question, answers, question
from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.keys import ALERTS, some
from peaktrade_core.show.wording import many
from peaktrade_core.trading.records import NOT_APPROVED, SessionRecord
from peaktrade_core.workspace.workspace import Workspace

NO_BASELINE, ADOPT = "no baseline was adopted", "`peaktrade change adopt --by NAME --reason TEXT`"
_SHOWN = 3  # faults in an answer


@question(
    "governed",
    "Is everything configured as it was approved?",
    "`peaktrade change verify` names each key: put it back, or propose it with --as-it-is.",
)
def governed(workspace: Workspace) -> Found:
    """Compare what is on the disk and runs with what was approved last."""
    changes = Changes.of(workspace)
    found = changes.compared()
    if found.items:
        return FAIL, found.told
    if found.faults:
        return (
            FAIL,
            "; ".join(found.faults[:_SHOWN]),
            "Open an incident: the ledger was written past the changes.",
        )
    if not found.adopted:
        return UNKNOWN, NO_BASELINE, ADOPT
    late = [one.id for one in changes.all() if one.state == "overdue"]
    if late:
        step = "Approve or refuse it: `peaktrade change show ID`."
        return WARN, f"{many(len(late), 'change')} overdue for approval: {', '.join(late)}", step
    return PASS, found.told


@question(
    "alert_rules",
    "Are alert rules, channels and escalation as they were approved?",
    "The runbook change proposes them as they are (as_it_is); two people agree. Or put config/alerts.toml back.",
)
def alert_rules(workspace: Workspace) -> Found:
    """Compare what tells people with what was approved last.

    Source: workflow overview, quick reference: new alerts and changed escalation only by go/no-go.
    """
    found = Changes.of(workspace).compared()
    if not found.adopted:
        return UNKNOWN, NO_BASELINE, ADOPT
    other = [one for one in found.items if one.key.startswith(ALERTS)]
    return not other, some(other) if other else found.by


@question(
    "governed",
    "Was it configured as it was approved?",
    "`peaktrade change verify` shows how that stands now; a figure of such a session proves nothing about what was approved.",
    otherwise=WARN,
)
def session_governed(record: SessionRecord) -> Found:
    """Say what was not; asked only of a session of which something was not."""
    return False, record.governance or "unknown"


def governance_checks(record: SessionRecord) -> list[Check]:
    """Return the answer about a session that was not configured as approved, nothing for every other one."""
    return answers((session_governed,), record) if (record.governance or "").startswith(NOT_APPROVED) else []


def where_adopted(workspace: Workspace) -> tuple[Question[Workspace], ...]:
    """Return the question where it can be answered: a baseline was adopted, or that cannot be told."""
    try:
        found = Changes.of(workspace).compared()
    except (PeaktradeError, OSError):
        return (governed,)
    return (governed,) if found.adopted or found.faults else ()


def before_a_start(workspace: Workspace) -> str:
    """Return what a person reads who starts something that is not as it was approved; empty where it is."""
    told = Changes.of(workspace).governance() or ""
    return (
        f"{told}. Its record says so; `peaktrade change verify` names each key" if told.startswith(NOT_APPROVED) else ""
    )
