"""The runs that are watched, one a line, as the runbooks show them."""

from __future__ import annotations

from collections.abc import Sequence

from peaktrade_core.fleet.during_session import Watched
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, TONE_OF, Cell, Table

_STATE = {"running": ("● running", GOOD), "silent": ("▲ silent", MID), "died": ("✕ died", BAD)}


def watched_table(watched: Sequence[Watched]) -> Table:
    """Return the runs of a round, one a line."""
    rows = []
    for row, *_ in watched:
        text, tone = _STATE.get(row.state, (wording.badge(row.state), TONE_OF.get(row.state, "")))
        last = f"{wording.duration(row.silence_s)} ago" if row.alive else wording.minute(row.last_event_at)
        pnl = None if row.realized_pnl is None else row.realized_pnl + (row.unrealized_pnl or 0.0)
        rows.append(
            (
                row.run_id,
                Cell(text, tone),
                f"{row.mode}: {row.strategy or wording.NOTHING} on {row.symbol or wording.NOTHING}",
                last,
                wording.count(row.step),
                wording.signed(pnl, wording.quote_currency(row.symbol)),
                wording.percent(row.max_drawdown),
                wording.count(row.orders_blocked),
            )
        )
    columns = ("Run", "State", "What", "Last event (UTC)", "Bars", "PnL", "Max DD", "Blocked")
    newest = "this is the newest session" if len(rows) == 1 else "these are the newest sessions"
    note = "" if any(one.row.alive for one in watched) else f"Nothing runs now: {newest}."
    empty = "Nothing runs, and nothing ever ran: the runbook session_run starts the first session."
    return Table("What runs", columns, rows, numbers=(4, 5, 6, 7), note=note, empty=empty)
