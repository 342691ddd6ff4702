"""The session explorer: sessions under filters, figures over them, one session's settings and how to repeat it.

The filters are those of the dashboard's address, so that notebook, page and command line list the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

from peaktrade_core.base.question import WARN, Check, check
from peaktrade_core.dashboard.watching.pages import agreement_checks
from peaktrade_core.dashboard.watching.watch import DashboardRunbook
from peaktrade_core.records.registry import Query
from peaktrade_core.runbooks.figures import course_figure
from peaktrade_core.runbooks.notebook import Session, open_session
from peaktrade_core.runbooks.notebook_tables import (
    evidence_table,
    links,
    session_checks,
    session_files,
    session_summary,
    trades_table,
)
from peaktrade_core.runbooks.runbook import Prompt
from peaktrade_core.runs.columns import RUNS, SESSIONS
from peaktrade_core.runs.listing import SESSION_LIST
from peaktrade_core.runs.repeat import repeat_command
from peaktrade_core.runs.sums import Stats
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.show.chart import Chart
from peaktrade_core.show.listing import Chosen
from peaktrade_core.show.table import Cell, Table
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

ANY = "any"
NEEDED = ("strategy_name", "params", "symbol", "timeframe", "feed", "warmup_candles", "position_fraction",
          "start_balance", "fee_bps", "slippage_bps", "risk_limits")  # fmt: skip


class SessionExplorerRunbook(DashboardRunbook):
    """Find a session by mode and status, see it whole, and check it against its journal and the dashboard."""

    @classmethod
    def about(cls, workspace: Workspace, given: SimpleNamespace) -> str:
        """Return the session that is meant."""
        return Views.of(workspace).resolve(given.session_id)

    @cached_property
    def session(self) -> Session:
        """The session."""
        return open_session(self.workspace, self.round.record.subject)

    def listed(self) -> Table:
        """Return the sessions under the filters, with the address and the command that show the same.

        Raises:
            UnknownNameError: no such mode or status.
        """
        chosen, limit = self._filters(), self.given.limit
        flags = "".join(f" --{name} {chosen.facets[name]}" for name in ("mode", "status") if name in chosen.facets)
        found = SESSION_LIST.ask(self.workspace, chosen._replace(limit=limit))
        note = (
            f"{len(found.rows)} of {found.total}. On the dashboard: {SESSION_LIST.address(chosen)} In a terminal: "
            + (f"peaktrade session list{flags} --limit {limit}")
        )
        empty = "No session passes the filters. Take them off: mode and status any."
        return RUNS.table("Sessions", found.rows, SESSIONS, note=note, empty=empty)

    def figures(self) -> Table:
        """Return figures over all sessions that pass the filters, as ``/api/live_sessions/stats`` tells them."""
        chosen = self._filters()
        stats = Views.of(self.workspace).stats(
            Query(mode=chosen.facets.get("mode"), status=chosen.facets.get("status"))
        )
        rows = [
            ("Sessions", wording.count(stats.total_sessions)),
            ("By mode", _counted(stats.by_mode)),
            ("By status", _counted(stats.by_status)),
            (wording.TOTAL, _each(stats, "total_pnl")),
            (wording.REALIZED, _each(stats, "realized_pnl")),
            ("Average drawdown", wording.drawdown(stats.avg_drawdown)),
        ]
        link = SESSION_LIST.address(chosen, path="")
        return Table("Figures", ("", ""), rows, note=f"The same for programs: /api/live_sessions/stats{link}")

    def summary(self) -> Table:
        """Return the session's figures, as report and dashboard show them."""
        return session_summary(self.session)

    def course(self) -> Chart | Table:
        """Return the session's equity over time with fills, denied orders and halts."""
        return course_figure(self.session)

    def trades(self) -> Table:
        """Return the session's newest trades: entry, exit, PnL, duration and why, and what all of them come to."""
        return trades_table(self.session)

    def settings(self) -> Table:
        """Return the session's configuration as it was recorded, and the command that repeats it."""
        record = self.session.record
        rows = [(name, _shown(value)) for name, value in record.config.items() if value not in (None, "", [], {})]
        rows += [("environment", record.env_name or wording.NOTHING), ("tier", record.strategy_tier or wording.NOTHING)]
        again = Cell(f"Again, from a terminal: `{repeat_command(record)}`", code=True)
        return Table("Configuration, as it was recorded", ("", ""), rows, note=again)

    def complete(self) -> Table:
        """Record whether the record holds all that a review needs: metadata, times, error, repeatable settings."""
        record = self.session.record
        lacking = [
            name
            for name, value in (
                ("mode", record.mode),
                ("env_name", record.env_name),
                ("symbol", record.symbol),
                ("started_at", record.started_at),
                ("finished_at", record.finished_at or record.status == "started"),
                ("metrics", record.metrics or record.status == "started"),
                ("error", record.error or record.status != "failed"),
            )
            if not value
        ]
        settings = _missing(record)
        step = "An older or foreign writer made the record; what it lacks cannot be reviewed."
        found = [
            check(
                "metadata",
                "Are the record's metadata complete: environment, times, result, error?",
                not lacking,
                "complete" if not lacking else f"missing: {', '.join(lacking)}",
                step,
                otherwise=WARN,
            ),
            check(
                "repeatable",
                "Does the record hold what a repetition needs?",
                not settings,
                "strategy, market, data, size, costs and limits" if not settings else f"missing: {', '.join(settings)}",
                step,
                otherwise=WARN,
            ),
            can_be_repeated(record),
            check(
                "not_live",
                "Is it a session of shadow or testnet?",
                record.mode != "live",
                record.mode or "unknown",
                "peaktrade writes no live session: find out who did, and open an incident.",
            ),
        ]
        return self.check("detail", "Is the record complete?", found)

    def order(self) -> Table:
        """Record the post-session checklist of the session."""
        return self.check("order", "Is it in order?", session_checks(self.session))

    def agrees(self) -> Table:
        """Record whether the dashboard says of the sessions what the registry says."""
        found = agreement_checks(self.workspace, self.seen, self.session.id)
        return self.check("agree", "Does the dashboard show the same?", found)

    def evidence(self) -> Table:
        """Return the files that hold the session."""
        return evidence_table(self.session)

    def noted(self) -> Prompt | Table:
        """Ask whether what is not in order is written down, unless all is."""
        text = "Is the result noted, and an incident open for what is not in order?"
        return self.confirm("noted", text, about="order")

    def files(self) -> Sequence[Path]:
        """Return the session's record and journal."""
        return session_files(self.session)

    def links(self, *names: str) -> Table:
        """Return where to go on with the session."""
        return links(*names, session=self.session)

    def _filters(self) -> Chosen:
        """Return what the address of the dashboard's list would ask for what was chosen."""
        chosen = {"mode": self.given.mode, "status": self.given.status}
        return SESSION_LIST.read(urlencode({name: value for name, value in chosen.items() if value not in ("", ANY)}))


def can_be_repeated(record: SessionRecord) -> Check:
    """Return whether this version takes the command line that repeats the session: it is read, and not run."""
    from peaktrade_core.workspace.misread import misread

    told = repeat_command(record)
    fault = misread(told)
    return check(
        "command",
        "Is the command line that repeats it one that this version takes?",
        not fault,
        fault or told,
        "Take the settings above instead; an option of an older version may have another name.",
        otherwise=WARN,
    )


def _each(stats: Stats, name: str) -> str:
    """Return a figure in each currency: money of different ones is never added."""
    found = [wording.signed(getattr(one, name), one.currency) for one in stats.by_currency]
    return ", ".join(found) or wording.NOTHING


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name} {part:g}" if isinstance(part, float) else f"{name} {part}" for name, part in value.items()
        )
    return str(value)


def _missing(record: SessionRecord) -> list[str]:
    """Return what a record lacks for its session to be repeated."""
    lacking = [name for name in NEEDED if record.setting(name) is None]
    if record.setting("seed") is None and not record.setting("data_sha256"):
        lacking.append("seed or data_sha256")
    return lacking
