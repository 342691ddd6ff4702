"""The daily health check: look at everything once a day, and write down that somebody did.

Source: operational runbooks 6.
"""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.desk.readiness import health_checks, ready_checks
from peaktrade_core.desk.safe_stop import running_table
from peaktrade_core.desk.smoke import smoke
from peaktrade_core.runbooks.notebook_tables import sessions_table
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.runs.logs import bad_lines_table, log_checks
from peaktrade_core.show.table import Table


class HealthRunbook(Runbook):
    """Look at everything once a day; the pre-session check of the day looks for its evidence."""

    def health(self) -> Table:
        """Record the health of everything; the venue's too where the parameters ask for it."""
        checks = health_checks(self.workspace, venue=self.given.venue)
        return self.check("health", "Is everything healthy?", checks)

    def smoke(self) -> Table:
        """Record the smoke test: a real run through everything, in a workspace of its own (a second or two)."""
        return self.check("smoke", "Does this version work here?", self.workspace.told(smoke(self.workspace)))

    def tests_green(self) -> Prompt | Table:
        """Ask for the test suite."""
        text = "Is the last run of the whole test suite on this version green (CI, or `make test`)?"
        return self.confirm("tests_green", text, needed=True)

    def ready(self) -> Table:
        """Record the readiness of the stage, without what the health of everything has asked already."""
        checks = ready_checks(self.workspace, self.given.stage, machine=False)
        return self.check("ready", "Is the stage ready?", checks)

    def sessions(self) -> Table:
        """Return the last sessions."""
        return sessions_table(self.workspace, limit=10)

    def logs(self) -> Table:
        """Record whether the logs tell of errors."""
        return self.check("logs", "Do the logs tell of errors?", log_checks(self.workspace))

    def errors(self) -> Table:
        """Return the lines of the logs that tell of an error."""
        return bad_lines_table(self.workspace)

    def errors_known(self) -> Prompt | Table:
        """Ask whether each of those lines is known; where there is none, there is nothing to ask."""
        text = "Do you know each line above, and is what it tells taken care of?"
        return self.confirm("errors_known", text, about="logs")

    def running(self) -> Table:
        """Return the runs whose processes live."""
        return running_table(self.workspace)

    def as_expected(self) -> Prompt | Table:
        """Ask whether that is what should run."""
        return self.confirm("as_expected", "Does exactly that run which should run now?", needed=True)

    def files(self) -> tuple[Path, ...]:
        """Return the configuration that was looked at."""
        return (self.workspace.config_path,)
