"""Before a session is started: the whole checklist of its stage, the settings, the desk, the logs, and the dashboard.

Whether the dashboard answers, and shows what the registry holds, is asked as a viewer would ask: over HTTP.

Source: operator workflow 3.1 (dashboard reachable, panel shows sessions or says that there are none) and 5.3.
"""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import msgspec

from peaktrade_core.base.errors import ConfigError, PeaktradeError
from peaktrade_core.base.question import WARN, Check, Found, answers, question
from peaktrade_core.candles.tables import candles_figure, open_candles
from peaktrade_core.control.tables import workspace_state
from peaktrade_core.desk.installation import changes_table
from peaktrade_core.desk.readiness import desk_checks, ready_checks, settings_checks
from peaktrade_core.desk.session_run import ask_to_start
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.notebook_tables import sessions_table
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.logs import bad_lines_table, log_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import Table
from peaktrade_core.workspace.workspace import Workspace

HOSTS = ("127.0.0.1", "localhost", "::1")
TIMEOUT_S = 3.0
SHOWN = 5  # sessions that are compared
_MOST = 1 << 20  # bytes of an answer
_SILENT = (OSError, HTTPException, msgspec.DecodeError, ValueError)


class BeforeStart(Runbook):
    """What the runbooks before a start share: how things stand, what changed, whether the stage is ready.

    Attributes:
        compared: id and title of the step that compares settings and installation with what was accepted.
    """

    compared: tuple[str, str]
    before_a_stage = True

    def stands(self) -> Table:
        """Return how things stand in the workspace."""
        return workspace_state(self.workspace)

    def ready(self) -> Table:
        """Record the readiness of the stage; of the configured market, where the parameters name no other."""
        symbol = getattr(self.given, "symbol", "")
        return self.check("ready", "Is the stage ready?", ready_checks(self.workspace, self.given.stage, symbol))

    def settings(self) -> Table:
        """Record whether mode, strategy and limits are those that are meant, and nothing changed since it was accepted."""
        checks = settings_checks(self.workspace, self.given.stage)
        return self.check(*self.compared, checks, self.workspace.config_path)

    def changes(self) -> Table:
        """Return what changed, value by value."""
        return changes_table(self.workspace)

    def changes_meant(self) -> Prompt | Table:
        """Ask whether every change is meant; where there is none, there is nothing to ask."""
        text = "Do you know every change above, and is it meant?"
        return self.confirm("changes_meant", text, about=self.compared[0])

    def errors(self) -> Table:
        """Return the newest lines of the logs that tell of an error."""
        return bad_lines_table(self.workspace, limit=10)

    def files(self) -> tuple[Path, ...]:
        """Return the configuration that was looked at."""
        return (self.workspace.config_path,)


class PreSessionRunbook(BeforeStart):
    """Answer the whole checklist before a session, and decide whether it may start; nothing is started here."""

    compared = ("settings", "Are the settings those you mean?")

    def sessions(self) -> Table:
        """Return the last sessions."""
        return sessions_table(self.workspace, limit=5)

    def candles(self) -> Chart | Table:
        """Return the stored candles of the configured market: close, gaps shaded, outliers."""
        session = self.workspace.config.session
        try:
            return candles_figure(open_candles(self.workspace, session.symbol, session.timeframe))
        except PeaktradeError as error:
            needed = "" if session.feed == "replay" else f"The configured feed, {session.feed}, needs none."
            return Table("Stored candles", (), [], empty=str(error), note=needed)

    def desk(self) -> Table:
        """Record whether the desk is in order."""
        return self.check("desk", "Is the desk in order?", desk_checks(self.workspace))

    def logs(self) -> Table:
        """Record whether the logs tell of errors."""
        return self.check("logs", "Do the logs tell of errors?", log_checks(self.workspace))

    def dashboard(self) -> Table:
        """Record whether the dashboard answers, and shows this workspace.

        Raises:
            ConfigError: the address is not a page on this machine.
        """
        checks = dashboard_checks(self.workspace, self.given.dashboard_url)
        return self.check("dashboard", "Does the dashboard show this workspace?", checks)

    def monitoring(self) -> Prompt | Table:
        """Ask whether it is watched."""
        text = "Is a second window open that watches (the dashboard, or `peaktrade monitor follow`)?"
        return self.confirm("monitoring", text, needed=True)

    def start(self) -> Prompt | Table:
        """Ask whether it may start, unless every answer so far is good."""
        return ask_to_start(self, "ready", "settings", "desk", "logs", "dashboard")


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
