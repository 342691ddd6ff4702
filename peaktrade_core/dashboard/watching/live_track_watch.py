"""Watching the Live-Track page: the tile of the dashboard and what it means, the warning signs of a series, the truth of it.

The figures are those of the read side, which page, API and command line show as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Status, check
from peaktrade_core.dashboard.watching.pages import agreement_checks
from peaktrade_core.dashboard.watching.watch import LOOKED_AT, DashboardRunbook
from peaktrade_core.fleet.during_session import LONG_BARS
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.evidence import FAILED, PASSED, WARNED
from peaktrade_core.runbooks.notebook_tables import sessions_table
from peaktrade_core.runbooks.runbook import Prompt
from peaktrade_core.runs.columns import state_cell
from peaktrade_core.runs.questions import needs_review, of_drawdown
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, Cell, Table
from peaktrade_core.workspace.workspace import Workspace

_STATUS_MEANS = {
    "started": ("it runs", "go on watching"),
    "completed": ("it ended as planned", "post-session check"),
    "failed": ("it ended by an error", "read the error, open the runbook incident_failed_session now"),
    "aborted": ("it was stopped, or its process died", "write down who stopped it and why"),
}
SWING = 3.0  # how many times as large as the others' median a PnL may be before it is odd


class LiveTrackRunbook(DashboardRunbook):
    """Prove that the dashboard is there and tells the truth, and say what each warning sign in it asks for."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is looked at closely, empty for the latest where there is none yet.

        Raises:
            SessionNotFoundError: no record has that id.
        """
        if given.session_id in ("", "latest") and not Views.of(workspace).stats().total_sessions:
            return ""
        return Views.of(workspace).resolve(given.session_id or "latest")

    def tile(self) -> Table:
        """Return the tile of the latest session, element by element."""
        return tile_table(self.workspace)

    def sessions(self) -> Table:
        """Return the newest sessions, as the dashboard lists them."""
        return sessions_table(self.workspace, limit=min(self.given.limit, 10))

    def signs(self) -> Table:
        """Record the warning signs of the table: failures in a row, swings, drawdowns, idle sessions, odd modes and times.

        Source: operator workflow 4.2.
        """
        rows = Views.of(self.workspace).rows(Query(limit=self.given.limit))
        ended = [row for row in rows if row.status in ("completed", "failed", "aborted")]
        streak = next((n for n, row in enumerate(ended) if row.status != "failed"), len(ended))
        deep = [row for row in ended if of_drawdown(row.max_drawdown or 0.0) == FAIL]
        idle = [row for row in ended if row.num_orders == 0 and (row.step or 0) >= LONG_BARS]
        odd = [row for row in rows if row.mode not in ("shadow", "testnet", "paper") and row.status != "unreadable"]
        late = [row for row in ended if not row.started_at or not row.ended_at or row.ended_at < row.started_at]
        swings = _swings(ended)
        counted = wording.many(len(ended), "session")
        found = [
            check(
                "in_a_row",
                "Sessions that failed in a row",
                streak < 2,
                f"the newest {streak} of {counted}" if streak else f"none, of {counted}",
                "A problem of the system: pause, and find the root cause (incident_failed_session).",
            ),
            _found("untreated", "Is every failed session of the table treated?", _untreated(self.workspace, ended), counted,
                   "Open the runbook incident_failed_session for each; it leaves the evidence that closes this line."),
            _found("again", "Did a session of the same kind complete after each failed one?", _unproven(ended), counted,
                   "Mend the cause, run the same strategy on the same symbol again, and see it complete."),
            _found("swings", "Is the PnL of the sessions of one size?", swings, counted,
                   "Strongly changing PnL: an unstable strategy. Compare with its backtest (runbook 9)."),
            _found("deep", "Is the drawdown of every session below 10 %?", deep, counted,
                   "Risk review at once, and pause that strategy.", otherwise=FAIL),
            _found("idle", "Did every long session trade?", idle, counted,
                   "A bug of the strategy, a limit that denies everything, or a market without movement."),
            _found("modes", "Is every session in the mode that is meant?", odd, counted,
                   "peaktrade writes shadow and testnet only: find out who wrote the record.", otherwise=FAIL),
            _found("times", "Are start and end of every session plausible?", late, counted,
                   "The machine's clock was off, or the record is of an older writer."),
        ]  # fmt: skip
        return self.check("signs", "Are there warning signs?", found)

    def agrees(self) -> Table:
        """Record whether the dashboard says of the sessions what the registry says."""
        found = agreement_checks(self.workspace, self.seen, self.round.record.subject)
        return self.check("agree", "Does the page tell the truth?", found)

    def noted(self) -> Prompt | Table:
        """Ask whether every warning sign is written down, unless there is none."""
        return self.confirm("noted", "Is every warning sign above written down, with its session?", about="signs")


def tile_table(workspace: Workspace) -> Table:
    """Return the tile of the latest session, element by element: what it shows, what that means, what to do."""
    rows = Views.of(workspace).rows(Query(limit=1))
    if not rows:
        empty = "No sessions found. The first appears here after a shadow or testnet run: `peaktrade session run`."
        return Table("The latest session, as the tile shows it", (), [], empty=empty)
    row = rows[0]
    means, action = _STATUS_MEANS.get(
        row.status or "", ("a record of a foreign writer, or a torn one", "look at the file")
    )
    record = Views.of(workspace).record(row.run_id) if row.status != "unreadable" else None
    balance = record.setting("start_balance") if record else None
    share = (row.total_pnl or 0.0) / balance if isinstance(balance, (int, float)) and balance else 0.0
    deep = of_drawdown(row.max_drawdown or 0.0) != PASS
    live = row.mode == "live"
    lines = [
        ("Session", row.run_id, "its id: name it in every note", ""),
        ("Mode", Cell(f"⚠ {row.mode}" if live else row.mode, BAD if live else ""), _mode_means(row), ""),
        ("Status", state_cell(row), means, action),
        (
            wording.TOTAL,
            wording.signed(row.total_pnl, row.currency),
            f"{wording.percent(share)} of the start balance, net of fees; "
            f"realized {wording.signed(row.realized_pnl, row.currency, code=False)}",
            "risk review" if needs_review(share) else "",
        ),
        (
            "Max drawdown",
            wording.drawdown(row.max_drawdown),
            "5 % or more" if deep else "below 5 %",
            "risk review; above 10 % pause at once" if deep else "",
        ),
        (
            "Notes",
            row.notes or wording.NOTHING,
            "the error if there is one, else the operator's words",
            _note_step(row),
        ),
    ]
    columns = ("Element", "It shows", "It means", "Do")
    return Table("The latest session, as the tile shows it", columns, lines)


def _mode_means(row: Run) -> str:
    means = {
        "shadow": "simulated fills, nothing leaves this machine",
        "testnet": "each order is also put to a venue that cannot trade it",
        "paper": "a record of an older writer",
    }
    return means.get(row.mode, "peaktrade writes no such mode: an incident")


def _note_step(row: Run) -> str:
    return "look into it at once" if row.status in ("failed", "unreadable") else ""


def _found(id: str, question: str, rows: Sequence[Run], good: str, step: str, *, otherwise: Status = WARN) -> Check:
    """Return a check that no session was found."""
    told = wording.counted([row.run_id for row in rows], good)
    return check(id, question, not rows, told, step, otherwise=otherwise)


def _swings(ended: Sequence[Run]) -> list[Run]:
    """Return the sessions whose PnL is far larger than the others' median; none of fewer than five."""
    sizes = sorted(abs(row.total_pnl) for row in ended if row.total_pnl)
    if len(sizes) < 5:
        return []
    median = sizes[len(sizes) // 2]
    return [row for row in ended if abs(row.total_pnl or 0.0) > SWING * median]


def _untreated(workspace: Workspace, ended: Sequence[Run]) -> list[Run]:
    """Return the failed sessions that no incident runbook went through to its end, with every question answered."""
    failed = [row for row in ended if row.status == "failed"]
    if not failed:
        return []
    treated = {
        record.subject
        for record in EvidenceBook.of(workspace).newest(most=LOOKED_AT)
        if record.runbook.startswith("incident_") and record.outcome in (PASSED, WARNED, FAILED)
    }
    return [row for row in failed if row.run_id not in treated]


def _unproven(ended: Sequence[Run]) -> list[Run]:
    """Return the failed sessions after which none of the same mode, strategy and symbol completed; newest first."""
    proven, left = set(), []
    for row in ended:
        kind = (row.mode, row.strategy, row.symbol)
        if row.status == "completed":
            proven.add(kind)
        elif row.status == "failed" and kind not in proven:
            left.append(row)
    return left
