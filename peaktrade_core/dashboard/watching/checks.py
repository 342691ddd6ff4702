"""Whether the dashboard answers, and whether it shows what the registry holds: asked as a viewer would ask, over HTTP.

Source: operator workflow 3.1 (dashboard reachable, panel shows sessions or says that there are none) and 5.3.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import WARN, Check, Found, answers, question
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

HOSTS = ("127.0.0.1", "localhost", "::1")
TIMEOUT_S = 3.0
SHOWN = 5  # sessions that are compared
_MOST = 1 << 20  # bytes of an answer
_SILENT = (OSError, HTTPException, msgspec.DecodeError, ValueError)


class Shown(NamedTuple):
    """A dashboard on this machine, by the address of its first page, and the workspace that it should show."""

    workspace: Workspace
    base: str


def dashboard_checks(workspace: Workspace, url: str) -> list[Check]:
    """Return whether a dashboard answers at ``url`` and shows this workspace's newest sessions.

    Args:
        workspace: which it should show.
        url: of its first page, on this machine.

    Raises:
        ConfigError: the address is no page on this machine.
    """
    where = urlsplit(url)
    if where.scheme != "http" or where.hostname not in HOSTS:
        raise ConfigError(f"dashboard_url = {url!r} must be a page on this machine, such as http://127.0.0.1:8000")
    shown = Shown(workspace, f"{where.scheme}://{where.netloc}")
    return answers((dashboard, live_track), shown, rehearsal=workspace.rehearsal)


@question(
    "dashboard",
    "Does the dashboard answer?",
    "Start it with `peaktrade dashboard`; meanwhile `peaktrade monitor overview` shows the runs.",
    otherwise=WARN,
    differs="answer",
)
def dashboard(shown: Shown) -> Found:
    """Ask for its health."""
    try:
        alive = _get(f"{shown.base}/api/health")
    except _SILENT as error:
        return False, f"{shown.base}: {_why(error)}"
    told = alive.get("status") if isinstance(alive, dict) else None
    return told == "ok", f"{shown.base}: {told}"


@question(
    "live_track",
    "Does it show the sessions of this workspace?",
    "It looks at another workspace: start it with --home of this one.",
    otherwise=WARN,
    differs="answer",
)
def live_track(shown: Shown) -> Found:
    """Compare the newest sessions there with those of the registry; an empty registry must be shown as empty."""
    ours = [row.run_id for row in Views.of(shown.workspace).rows(Query(limit=SHOWN))]
    try:
        theirs = [row["session_id"] for row in _get(f"{shown.base}/api/live_sessions?limit={SHOWN}")]
    except (*_SILENT, KeyError, TypeError) as error:
        return WARN, _why(error), "Look into its window for the error."
    told = "no session yet, and it says so" if not ours else f"the newest {len(ours)} are those of the registry"
    wrong = f"it shows {', '.join(theirs[:2]) or 'none'}, the registry has {', '.join(ours[:2]) or 'none'}"
    return ours == theirs, told if ours == theirs else wrong


def _get(url: str) -> Any:
    """Return the JSON that a page of this machine answers; no proxy is asked."""
    with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S) as answer:
        return msgspec.json.decode(answer.read(_MOST))


def _why(error: Exception) -> str:
    """Return in a few words why there was no answer."""
    return str(getattr(error, "reason", "") or error) or type(error).__name__
