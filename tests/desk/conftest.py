"""What the tests of starting and stopping share: a runbook in hand, without a kernel, and runs that are really started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peaktrade_core.runbooks import runbook as rb
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import Evidence
from peaktrade_core.runbooks.runbooks import RunOutcome, run_runbook
from peaktrade_core.workspace.workspace import Workspace
from tests.fleet.conftest import launch as launch


@pytest.fixture
def begin(workspace: Workspace) -> Callable[..., Any]:
    """Return a function that begins a runbook as Ada."""

    def go(name: str, **who: Any) -> Any:
        return rb.begin(name, workspace, **{"operator": "Ada", **who})

    return go


@pytest.fixture
def headless(workspace: Workspace) -> Callable[..., tuple[RunOutcome, Evidence | None]]:
    """Return a function that runs a notebook without a person, as Ada, and returns how it ended with its evidence."""

    def go(name: str, **params: object) -> tuple[RunOutcome, Evidence | None]:
        outcome = run_runbook(name, {"operator": "Ada", **params}, workspace)
        return outcome, EvidenceBook.of(workspace).load(outcome.evidence_id) if outcome.evidence_id else None

    return go


@pytest.fixture
def no_venue(configure: Callable[[str, str], None]) -> None:
    """Let the configured venue be one that refuses every connection, at once."""
    configure('base_url = ""', 'base_url = "http://127.0.0.1:1"')
    configure("attempts = 4 ", "attempts = 1 ")
