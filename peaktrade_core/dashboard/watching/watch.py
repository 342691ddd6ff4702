"""The checks of those who watch: is the desk watched over, is there something to see, is the dashboard there?

Source: operator workflow 3.3, watch-only runbook 2.
"""

from __future__ import annotations

from functools import cached_property

from peaktrade_core.alerts.questions import alerts, watcher
from peaktrade_core.base.question import WARN, Found, question
from peaktrade_core.dashboard.watching.pages import page_checks
from peaktrade_core.dashboard.watching.probe import ADDRESSES, PageReply, SeenDashboard, look_at_dashboard
from peaktrade_core.halts.questions import account, halts, kill_switch
from peaktrade_core.runbooks.figures import sessions_figure
from peaktrade_core.runbooks.runbook import Runbook
from peaktrade_core.runs.questions import runs
from peaktrade_core.runs.views import Views
from peaktrade_core.session.questions import live
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.table import BAD, GOOD, Cell, Table
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.workspace import Workspace

LOOKED_AT = 200  # of the newest evidence records
DESK = (runs, watcher, alerts, kill_switch, halts, account, live)  # what changes while sessions run
_FIRST = "Nothing is shown before something ran: `peaktrade session run` starts the first session."


@question("sessions", "Are there sessions in the registry?", _FIRST, otherwise=WARN)
def sessions(workspace: Workspace) -> Found:
    """Count the records."""
    total = Views.of(workspace).stats().total_sessions
    return total > 0, f"{many(total, 'record')} in reports/experiments/live_sessions"


@question("run_folders", "Are there run folders?", _FIRST, otherwise=WARN)
def run_folders(workspace: Workspace) -> Found:
    """Count the runs."""
    found = Views.of(workspace).runs(200)
    return bool(found), many(len(found), "run")


@question(
    "readable",
    "Can every record and every run folder be read?",
    "`peaktrade session list --status unreadable` names the files; restore them from a backup.",
    otherwise=WARN,
)
def readable(workspace: Workspace) -> Found:
    """Look for records and run folders that cannot be read."""
    broken = Views.of(workspace).stats().by_status.get("unreadable", 0)
    odd = [row.run_id for row in Views.of(workspace).runs(200) if row.state == "unreadable"]
    told = f"{many(broken, 'record')} and {len(odd)} run folders unreadable" if broken or odd else "all"
    return not broken and not odd, told


SOURCES = (sessions, run_folders, readable)  # is there anything to watch, and can all of it be read?


class DashboardRunbook(Runbook):
    """A runbook that looks at the dashboard from outside, over HTTP, as its viewers do."""

    def figure(self) -> Chart | Table:
        """Return the PnL of the newest sessions, over each other."""
        return sessions_figure(Views.of(self.workspace))

    @cached_property
    def seen(self) -> SeenDashboard:
        """What was seen of the dashboard, and of the page of the session that the runbook is about; it is asked once."""
        return look_at_dashboard(self.workspace, self.given.dashboard, self.round.record.subject)

    def sources(self) -> Table:
        """Record whether there is anything to watch: records, run folders, and that all can be read."""
        return self.check("sources", "Is there something to watch?", self.workspace.ask(SOURCES))

    def dashboard(self) -> Table:
        """Record whether the dashboard is there and shows what it should.

        Raises:
            ConfigError: the given address is none of this machine.
        """
        return self.check("dashboard", "Is the dashboard there?", page_checks(self.workspace, self.seen))

    def addresses(self) -> Table:
        """Return every address that was asked for, and whether it answered."""
        about = dict(ADDRESSES)
        rows = [(path, about.get(path, "one session"), _told(one)) for path, one in self.seen.answers.items()]
        whose = "one that was started for this look, and ended" if self.seen.own else "the one at the given address"
        columns, note = ("Address", "What", "Answer"), f"Asked was {whose}."
        return Table("The dashboard's addresses", columns, rows, note=note, empty=self.seen.fault)


def _told(answer: PageReply) -> Cell:
    """Return how an address answered."""
    told = f"HTTP {answer.status}" if answer.status else "no answer"
    return Cell(f"✓ {told}", GOOD) if answer.status == 200 else Cell(f"✕ {told}", BAD)
