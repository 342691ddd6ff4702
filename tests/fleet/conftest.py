"""What the tests of the fleet share: runs that are really started, and are gone when the test is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until


@pytest.fixture
def launch(workspace: Workspace) -> Iterator[Callable[..., str]]:
    """Return a function that starts a slow run and returns its id; all that live are killed at the end."""

    def begin(*, allow_duplicate: bool = False, **given: Any) -> str:
        order = order_of(workspace, {"mode": "shadow", "pace": "600", "steps": 100_000, **given})
        return Fleet.of(workspace).start(order, by="kim", allow_duplicate=allow_duplicate).run_id

    yield begin
    for folder in (RunFolder(workspace.runs, path.name) for path in workspace.runs.glob("[!.]*")):
        who = folder.owner()
        if who and folder.alive() and who.pid != os.getpid():
            os.kill(who.pid, signal.SIGKILL)
            until(lambda folder=folder: not folder.alive())
