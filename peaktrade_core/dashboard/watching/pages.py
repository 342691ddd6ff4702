"""Does the dashboard show the truth, and can it only read?

What was seen of it comes from :mod:`dashboard_probe`; what it should say comes from the read side.

Source: web dashboard 10d, live-track monitoring 12a, session explorer 12b, watch-only runbook 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import quote

import msgspec

from peaktrade_core.base.question import FAIL, WARN, Check, check
from peaktrade_core.dashboard.watching.probe import FILTERED, SNAPSHOT, Answer, Seen
from peaktrade_core.records.registry import Query
from peaktrade_core.runs.run_views import ENDED
from peaktrade_core.runs.views import SessionRow, Views
from peaktrade_core.show import wording
from peaktrade_core.workspace.workspace import Workspace

COMPARED = ("status", "mode", "symbol", "started_at", "ended_at", "realized_pnl", "max_drawdown", "num_orders", "notes")
_RESTART = "Start it again: `peaktrade dashboard`; a port that is taken: another with --port."


def page_checks(workspace: Workspace, seen: Seen) -> list[Check]:
    """Return whether the dashboard is there and shows what it should: page, panels, API and snapshot."""
    reachable = check(
        "reachable", "Can the dashboard be reached?", not seen.fault, seen.fault or "it answers", _RESTART
    )
    if seen.fault:
        return [reachable]
    page, health_ = seen.answers["/"], seen.json("/api/health")
    panels = [name for name in ("snapshot", "sessions") if f'data-panel="{name}"' not in page.body]
    silent = [path for path, one in seen.answers.items() if one.status != 200]
    empty = not Views.of(workspace).stats().total_sessions
    told = "no session yet, and the page says so" if empty else "tile and table are there"
    return [
        reachable,
        check("health", 'Does its health say {"status": "ok"}?', health_ == {"status": "ok"}, str(health_), _RESTART),
        check(
            "panels",
            "Does the Live-Track page show the tile of the latest session and the table of sessions?",
            page.status == 200 and not panels,
            told if not panels else f"missing: {', '.join(panels)}",
            "Reload it; a panel that fails says why in its place. `peaktrade doctor` looks at the machine.",
        ),
        check(
            "answers",
            "Does every address answer?",
            not silent,
            f"{len(seen.answers)} addresses" if not silent else f"no answer: {', '.join(silent)}",
            "The message in the answer says what is wrong; an unknown session is not in the registry.",
        ),
        _snapshot(seen),
    ]


def _snapshot(seen: Seen) -> Check:
    """Return whether the status snapshot is there, and the same when nothing changed."""
    once, again = seen.json(SNAPSHOT), seen.again.json()
    states = [
        {name: value for name, value in told.items() if name != "generated_at"} if isinstance(told, dict) else None
        for told in (once, again)
    ]
    panels = len(once.get("panels", ())) if isinstance(once, dict) else 0
    return check(
        "snapshot",
        "Is the status snapshot there, the same for the same state?",
        states[0] is not None and states[0] == states[1],
        f"{panels} panels, equal but for generated_at" if states[0] == states[1] else "two snapshots differ",
        "Something changed between the two looks; look again. If nothing runs, tell the developers.",
        otherwise=FAIL if states[0] is None else WARN,
    )


def read_only_checks(seen: Seen) -> list[Check]:
    """Return the proof that a dashboard can only read; all fail when it could not be looked at."""
    told = seen.mapping("/openapi.json").get("paths")
    paths = told if isinstance(told, dict) else {}
    others = [f"{str(verb).upper()} {path}" for path, verbs in paths.items() for verb in verbs if verb != "get"]
    passed = [f"{verb} {path}: {status}" for (verb, path), status in seen.writes.items() if status != 405]
    stop = "Stop this server at once and open an incident: a page that watches must not be able to act."
    dead = seen.fault or "nothing was asked"
    return [
        check(
            "get_only",
            "Does its API describe nothing but GET?",
            bool(paths) and not others,
            f"{len(paths)} addresses, all GET" if paths and not others else ", ".join(others[:5]) or dead,
            stop,
        ),
        check(
            "writes",
            "Is everything refused that would change something?",
            bool(seen.writes) and not passed,
            f"{len(seen.writes)} requests with POST, PUT, PATCH and DELETE, all answered 405"
            if seen.writes and not passed
            else "; ".join(passed[:5]) or dead,
            stop,
        ),
        check(
            "stranger",
            "Is a request under a foreign name refused?",
            seen.stranger == 403,
            f"HTTP {seen.stranger}" if seen.stranger else dead,
            "Another site could read the dashboard through a browser of this machine: stop it, tell the developers.",
        ),
        check(
            "secrets",
            "Does no answer tell a credential of this process?",
            bool(seen.answers) and not seen.told,
            f"{len(seen.answers)} answers searched" if seen.answers and not seen.told else ", ".join(seen.told) or dead,
            "Stop it, rotate that key, and open an incident.",
        ),
    ]


def agreement_checks(workspace: Workspace, seen: Seen, session_id: str) -> list[Check]:
    """Return whether the dashboard says of the sessions what the registry says.

    Args:
        workspace: with the registry; seen: with ``session_id`` asked for.
        session_id: the session that is looked at closely, empty where there is none yet.

    Raises:
        SessionNotFoundError: no record has that id.
    """
    ours = [one for one in Views.of(workspace).rows(Query(limit=50)) if one.status in ENDED]
    listed = seen.json("/api/live_sessions?limit=50")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    theirs = {str(one.get("session_id")): one for one in found}
    differing = [one.session_id for one in ours if not _same(one, theirs.get(one.session_id))]
    stats = seen.mapping("/api/live_sessions/stats")
    incident = "Open an incident: what people watch is not what was recorded. Trust the record and its journal."
    return [
        check(
            "agree",
            "Do status, times, PnL, drawdown and orders equal those of the registry?",
            not differing and bool(theirs or not ours),
            f"{len(ours)} sessions equal" if not differing else f"different: {', '.join(differing[:3])}",
            incident,
        ),
        check(
            "stats",
            "Do the statistics equal those of the registry?",
            stats == msgspec.to_builtins(Views.of(workspace).stats()),
            f"{stats.get('total_sessions', 'no')} sessions",
            "A session may have begun or ended meanwhile: look again.",
            otherwise=WARN,
        ),
        _filters(workspace, seen),
        *(_one_session(workspace, seen, session_id, theirs) if session_id else ()),
    ]


def _filters(workspace: Workspace, seen: Seen) -> Check:
    """Return whether page and API list under a filter what the registry has under it."""
    rows = Views.of(workspace).rows(Query(mode="shadow", status="completed", limit=50))
    listed = seen.json(f"/api/live_sessions?limit=50&{FILTERED}")
    told = [one.get("session_id") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else None
    page = seen.answers.get(f"/?{FILTERED}", Answer(0, "")).body
    shown = re.findall(r'data-session="([^"]*)"', page)
    ours = [row.session_id for row in rows]
    return check(
        "filters",
        "Do page and API list under the filters shadow and completed what the registry has?",
        told == ours and shown == ours,
        f"{len(ours)} sessions"
        if told == ours == shown
        else f"API {len(told or ())}, page {len(shown)} of {len(ours)}",
        "A session may have ended meanwhile: look again. Else take the filters off and tell the developers.",
        otherwise=WARN,
    )


def _one_session(workspace: Workspace, seen: Seen, session_id: str, theirs: Mapping[str, object]) -> list[Check]:
    """Return whether a session is in the dashboard's list, and its page complete."""
    row, record = Views.of(workspace).row(session_id), Views.of(workspace).record(session_id)
    quoted = quote(session_id, safe="")
    detail = seen.mapping(f"/api/live_sessions/{quoted}")
    page = seen.answers.get(f"/session/{quoted}", Answer(0, ""))
    figures = [wording.money(record.metric("equity_end")), wording.percent(record.metric("max_drawdown"))]
    absent = [text for text in figures if text != wording.NOTHING and text not in unescape(page.body)]
    lacking = [name for name in ("config", "metrics", "cli_args", "error") if name not in detail]
    return [
        check(
            "listed",
            "Is the session in the dashboard's list?",
            session_id in theirs or len(theirs) >= 50,
            "yes" if session_id in theirs else "older than the newest 50" if len(theirs) >= 50 else "no",
            "Take the filters off (`/`), refresh; if it stays away, look at the registry: `peaktrade session list`.",
        ),
        check(
            "detail",
            "Does its detail page show the figures, and the API its configuration, metrics and command line?",
            page.status == 200 and not absent and not lacking and detail.get("status") == row.status,
            "complete" if not absent and not lacking else f"missing: {', '.join([*absent, *lacking])}",
            "An id must be copied whole from the list; an older writer's record may lack figures.",
        ),
    ]


def _same(row: SessionRow, told: object) -> bool:
    """Return whether an item of the API says what a row says."""
    ours = msgspec.to_builtins(row)
    return isinstance(told, dict) and all(told.get(name) == ours[name] for name in COMPARED)
