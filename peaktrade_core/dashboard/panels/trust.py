"""The ledger and its requests: what was entered last, what waits for signatures, one request with its text."""

from __future__ import annotations

from typing import Any

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.changes.keys import shown
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.dashboard.routes import read_query
from peaktrade_core.dashboard.trust.ledger import ENTRIES, MOST, ledger_answer, request_answer
from peaktrade_core.people.roster import fingerprint
from peaktrade_core.workspace.workspace import Workspace


@panel("ledger")
def _ledger(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: is the ledger the one it was, what was entered last, and what is to be kept of it?"""
    limit = _limit(asked.query)
    found = ledger_answer(workspace, limit)
    more = f"/ledger?limit={min(MOST, 4 * limit)}" if found.count > limit < MOST else None
    return {"ledger": found, "more": more}


@panel("requests")
def _requests(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: what waits for the signatures of two people?"""
    return {"ledger": ledger_answer(workspace, 1)}


@panel("request")
def _request(workspace: Workspace, asked: Visit) -> dict[str, Any]:
    """Answer: what exactly is asked for, who signed it, and who still must?"""
    if not asked.subject:
        raise ConfigError("the address names no request; open one from the page of the ledger")
    return {"one": request_answer(workspace, asked.subject), "fingerprint": fingerprint, "shown": shown}


def _limit(query: str) -> int:
    """Return how many entries a query string asks for.

    Raises:
        ConfigError: it is no whole number in the range.
    """
    text = read_query(query).get("limit", [str(ENTRIES)])[-1]
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise ConfigError(f"limit = {text!r} must be a whole number from 1 to {MOST}")
    return int(text)
