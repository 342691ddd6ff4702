"""Whether the dashboard answers, and whether it shows what the registry holds: asked as a viewer would ask, over HTTP.

Source: operator workflow 3.1 (dashboard reachable, panel shows sessions or says that there are none) and 5.3.
"""

from __future__ import annotations

from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import msgspec

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.rehearsal import is_rehearsal, left_out
from peaktrade_core.runs.views import Views
from peaktrade_core.workspace.workspace import Workspace

HOSTS = ("127.0.0.1", "localhost", "::1")
TIMEOUT_S = 3.0
SHOWN = 5  # sessions that are compared
_MOST = 1 << 20  # bytes of an answer
_ASK = "Does the dashboard answer?"
_SAME = "Does it show the sessions of this workspace?"


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
    if is_rehearsal(workspace):
        return [left_out("dashboard", _ASK), left_out("live_track", _SAME)]
    base = f"{where.scheme}://{where.netloc}"
    start = "Start it with `peaktrade dashboard`; meanwhile `peaktrade monitor overview` shows the runs."
    try:
        alive = _get(f"{base}/api/health")
        told = alive.get("status") if isinstance(alive, dict) else None
    except (OSError, HTTPException, msgspec.DecodeError, ValueError) as error:
        return [check("dashboard", _ASK, False, f"{base}: {_why(error)}", start, otherwise=WARN)]
    return [check("dashboard", _ASK, told == "ok", f"{base}: {told}", start, otherwise=WARN), _shown(workspace, base)]


def _shown(workspace: Workspace, base: str) -> Check:
    """Compare the newest sessions there with those of the registry; an empty registry must be shown as empty."""
    ours = [row.session_id for row in Views.of(workspace).rows(Query(limit=SHOWN))]
    try:
        found = _get(f"{base}/api/live_sessions?limit={SHOWN}")
        theirs = [row["session_id"] for row in found]
    except (OSError, HTTPException, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
        return check("live_track", _SAME, False, _why(error), "Look into its window for the error.", otherwise=WARN)
    told = "no session yet, and it says so" if not ours else f"the newest {len(ours)} are those of the registry"
    wrong = f"it shows {', '.join(theirs[:2]) or 'none'}, the registry has {', '.join(ours[:2]) or 'none'}"
    step = "It looks at another workspace: start it with --home of this one."
    return check("live_track", _SAME, ours == theirs, told if ours == theirs else wrong, step, otherwise=WARN)


def _get(url: str) -> Any:
    """Return the JSON that a page of this machine answers; no proxy is asked."""
    with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S) as answer:
        return msgspec.json.decode(answer.read(_MOST))


def _why(error: Exception) -> str:
    """Return in a few words why there was no answer."""
    return str(getattr(error, "reason", "") or error) or type(error).__name__
