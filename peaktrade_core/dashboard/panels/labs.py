"""The list of the labs."""

from __future__ import annotations

from typing import Any

from peaktrade_core.dashboard.labs.shelf import OWN, Shelf
from peaktrade_core.dashboard.panels.base import Visit, panel
from peaktrade_core.warm.confine import missing
from peaktrade_core.workspace.workspace import Workspace


@panel("labs")
def _labs(workspace: Workspace, _: Visit) -> dict[str, Any]:
    """Answer: which labs are there, and can they be opened on this machine?"""
    return {"labs": Shelf.of(workspace).labs(), "missing": missing(), "folder": workspace.home / OWN}
