"""Does the dashboard show the truth, and can it only read?

What was seen of it comes from :mod:`probe`; what it should say comes from the read side.

Source: web dashboard 10d, live-track monitoring 12a, session explorer 12b, watch-only runbook 4.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from peaktrade_core.base.question import FAIL, PASS, WARN, Check, Found, answers, question
from peaktrade_core.dashboard.watching.probe import FILTERED, SNAPSHOT, PageReply, SeenDashboard
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.run import ENDED, Run
from peaktrade_core.runs.views import Views
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

COMPARED = ("status", "mode", "symbol", "started_at", "ended_at", "realized_pnl", "total_pnl", "max_drawdown", "num_orders",
            "notes")  # fmt: skip
PATIENCE_S = 10.0  # a page that takes longer does not load stably [s]
_RESTART = "Start it again: `peaktrade dashboard`; a port that is taken: another with --port."


def page_checks(workspace: Workspace, seen: SeenDashboard) -> list[Check]:
    """Return whether the dashboard is there and shows what it should: page, panels, API and snapshot."""
    found = reachable(seen)
    if seen.fault:
        return [found]
    shown = panels(Compared(workspace, seen, ""))
    return [found, health(seen), shown, *answers((addresses, in_time, snapshot), seen)]


@question("reachable", "Can the dashboard be reached?", _RESTART)
def reachable(seen: SeenDashboard) -> Found:
    """Look whether it answered at all."""
    return not seen.fault, seen.fault or "it answers"


@question("health", 'Does its health say {"status": "ok"}?', _RESTART)
def health(seen: SeenDashboard) -> Found:
    """Read its health."""
    told = seen.json("/api/health")
    return told == {"status": "ok"}, str(told)


@question(
    "panels",
    "Does the Live-Track page show the tile of the latest session and the table of sessions?",
    "Reload it; a panel that fails says why in its place. `peaktrade doctor` looks at the machine.",
)
def panels(compared: Compared) -> Found:
    """Look for the panels on the first page."""
    page, empty = compared.seen.answers["/"], not Views.of(compared.workspace).stats().total_sessions
    missing = [name for name in ("snapshot", "history") if f'data-panel="{name}"' not in page.body]
    there = "no session yet, and the page says so" if empty else "tile and table are there"
    told = f"missing: {', '.join(missing)}" if missing else there
    return page.status == 200 and not missing, told


@question(
    "answers",
    "Does every address answer?",
    "The message in the answer says what is wrong; an unknown session is not in the registry.",
)
def addresses(seen: SeenDashboard) -> Found:
    """Look at every address."""
    silent = [path for path, one in seen.answers.items() if one.status != 200]
    return (
        not silent,
        f"no answer: {', '.join(silent)}" if silent else wording.many(len(seen.answers), "address", "addresses"),
    )


@question(
    "in_time",
    f"Does every address answer within {PATIENCE_S:g} s?",
    "Look at the machine's load and disk (`peaktrade doctor`); `peaktrade control` says the same without a browser.",
    otherwise=WARN,
)
def in_time(seen: SeenDashboard) -> Found:
    """Look how long each address took."""
    slow = [f"{path} {one.seconds:.1f} s" for path, one in seen.answers.items() if one.seconds > PATIENCE_S]
    return not slow and bool(seen.answers), ", ".join(
        slow
    ) or f"{wording.many(len(seen.answers), 'address', 'addresses')}, each in time"


@question(
    "snapshot",
    "Is the status snapshot there, the same for the same state?",
    "Something changed between the two looks; look again. If nothing runs, tell the developers.",
)
def snapshot(seen: SeenDashboard) -> Found:
    """Compare two snapshots."""
    once, again = seen.json(SNAPSHOT), seen.again.json()
    states = [
        {name: value for name, value in told.items() if name != "generated_at"} if isinstance(told, dict) else None
        for told in (once, again)
    ]
    many = len(once.get("panels", ())) if isinstance(once, dict) else 0
    if states[0] is not None and states[0] == states[1]:
        return PASS, f"{wording.many(many, 'panel')}, equal but for generated_at"
    return FAIL if states[0] is None else WARN, "two snapshots differ"


_STOP = "Stop this server at once and open an incident: a page that watches must not be able to act."


@question("get_only", "Does its API describe nothing but GET?", _STOP)
def get_only(seen: SeenDashboard) -> Found:
    """Read its description."""
    told = seen.mapping("/openapi.json").get("paths")
    paths = told if isinstance(told, dict) else {}
    others = [f"{str(verb).upper()} {path}" for path, verbs in paths.items() for verb in verbs if verb != "get"]
    well = bool(paths) and not others
    return well, f"{wording.many(len(paths), 'address', 'addresses')}, all GET" if well else ", ".join(
        others[:5]
    ) or _dead(seen)


@question("writes", "Is everything refused that would change something?", _STOP)
def writes(seen: SeenDashboard) -> Found:
    """Look at what was tried."""
    passed = [f"{verb} {path}: {status}" for (verb, path), status in seen.writes.items() if status != 405]
    well = bool(seen.writes) and not passed
    told = f"{wording.many(len(seen.writes), 'request')} with POST, PUT, PATCH and DELETE, all answered 405"
    return well, told if well else "; ".join(passed[:5]) or _dead(seen)


@question(
    "stranger",
    "Is a request under a foreign name refused?",
    "Another site could read the dashboard through a browser of this machine: stop it, tell the developers.",
)
def stranger(seen: SeenDashboard) -> Found:
    """Look at what a foreign name was answered."""
    return seen.stranger == 403, f"HTTP {seen.stranger}" if seen.stranger else _dead(seen)


@question(
    "secrets",
    "Is every answer free of this process's credentials?",
    "Stop it, rotate that key, and open an incident.",
)
def secrets(seen: SeenDashboard) -> Found:
    """Search the answers."""
    well = bool(seen.answers) and not seen.told
    return well, f"{wording.many(len(seen.answers), 'answer')} searched" if well else ", ".join(seen.told) or _dead(
        seen
    )


def _dead(seen: SeenDashboard) -> str:
    return seen.fault or "nothing was asked"


READ_ONLY = (get_only, writes, stranger, secrets)  # the proof that it can only read; all fail where it was not seen


class Compared(NamedTuple):
    """A dashboard beside the registry; ``session_id`` is looked at closely, empty where there is none."""

    workspace: Workspace
    seen: SeenDashboard
    session_id: str

    @property
    def theirs(self) -> dict[str, object]:
        """The sessions that it lists, by id."""
        listed = self.seen.json("/api/live_sessions?limit=50")
        return (
            {str(one.get("session_id")): one for one in listed if isinstance(one, dict)}
            if isinstance(listed, list)
            else {}
        )


def agreement_checks(workspace: Workspace, seen: SeenDashboard, session_id: str) -> list[Check]:
    """Return whether the dashboard says of the sessions what the registry says.

    Args:
        workspace: with the registry; seen: with ``session_id`` asked for.
        session_id: the session that is looked at closely, empty where there is none yet.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    if session_id:
        Views.of(workspace).look(session_id)  # raises where there is none
    asked = (agree, stats, filters, *((listed, detail) if session_id else ()))
    return answers(asked, Compared(workspace, seen, session_id))


@question(
    "agree",
    "Do status, times, PnL, drawdown and orders equal those of the registry?",
    "Open an incident: what people watch is not what was recorded. Trust the record and its journal.",
)
def agree(compared: Compared) -> Found:
    """Compare row by row."""
    ours, theirs = (
        [one for one in Views.of(compared.workspace).rows(Query(limit=50)) if one.status in ENDED],
        compared.theirs,
    )
    differing = [one.run_id for one in ours if not _same(one, theirs.get(one.run_id))]
    told = f"different: {', '.join(differing[:3])}" if differing else f"{len(ours)} sessions equal"
    return not differing and bool(theirs or not ours), told


@question(
    "stats",
    "Do the statistics equal those of the registry?",
    "A session may have begun or ended meanwhile: look again.",
    otherwise=WARN,
)
def stats(compared: Compared) -> Found:
    """Compare the sums."""
    told = compared.seen.mapping("/api/live_sessions/stats")
    same = told == msgspec.to_builtins(Views.of(compared.workspace).stats())
    return same, f"{told.get('total_sessions', 'no')} sessions"


@question(
    "filters",
    "Do page and API list under the filters shadow and completed what the registry has?",
    "A session may have ended meanwhile: look again. Else take the filters off and tell the developers.",
    otherwise=WARN,
)
def filters(compared: Compared) -> Found:
    """Compare what is listed under a filter."""
    rows = Views.of(compared.workspace).rows(Query(mode="shadow", status="completed", limit=50))
    found = compared.seen.json(f"/api/live_sessions?limit=50&{FILTERED}")
    told = [one.get("session_id") for one in found if isinstance(one, dict)] if isinstance(found, list) else None
    page = compared.seen.answers.get(f"/sessions?{FILTERED}", PageReply(0, "")).body
    shown, ours = re.findall(r'data-session="([^"]*)"', page), [row.run_id for row in rows]
    same = told == ours == shown
    return (
        same,
        wording.many(len(ours), "session") if same else f"API {len(told or ())}, page {len(shown)} of {len(ours)}",
    )


@question(
    "listed",
    "Is the session in the dashboard's list?",
    "Take the filters off (`/`), refresh; if it stays away, look at the registry: `peaktrade session list`.",
)
def listed(compared: Compared) -> Found:
    """Look for the session."""
    theirs = compared.theirs
    there, full = compared.session_id in theirs, len(theirs) >= 50
    return there or full, "yes" if there else "older than the newest 50" if full else "no"


@question(
    "detail",
    "Does its detail page show the figures, and the API its configuration, metrics and command line?",
    "An id must be copied whole from the list; an older writer's record may lack figures.",
)
def detail(compared: Compared) -> Found:
    """Look for the figures on the session's page."""
    look, quoted = Views.of(compared.workspace).look(compared.session_id), quote(compared.session_id, safe="")
    row, record = look.run, look.record
    told = compared.seen.mapping(f"/api/live_sessions/{quoted}")
    page = compared.seen.answers.get(f"/session/{quoted}", PageReply(0, ""))
    figures = [
        wording.money(record.metric("equity_end"), wording.quote_currency(record.symbol), code=False),
        wording.drawdown(record.metric("max_drawdown")),
    ]
    absent = [text for text in figures if text != wording.NOTHING and text not in page.said]
    absent += [name for name in ("config", "metrics", "cli_args", "error") if name not in told]
    well = page.status == 200 and not absent and told.get("status") == row.status
    return well, f"missing: {', '.join(absent)}" if absent else "complete"


def _same(row: Run, told: object) -> bool:
    """Return whether an item of the API says what a row says."""
    ours = msgspec.to_builtins(row)
    return isinstance(told, dict) and all(told.get(name) == ours[name] for name in COMPARED)
