"""What one request for a session's page opens: the index, the record, the journal, and how long its panels take.

Counted is what the process really opens (an audit hook of Python), so versions can be compared:
``PYTHONPATH=CHECKOUT python benchmarks/count_questions.py``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import scratch

from peaktrade_core.dashboard.panels import Page
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import Workspace

PAGES = {
    "/session/{id}": ("session", "session_curves", "session_limits", "session_checks", "session_record", "session_events"),
    "/run/{id}": ("run", "run_tail", "run_alerts", "run_events"),
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=2000, help="bars of the session")
    options.add_argument("--repeat", type=int, default=7)
    given = options.parse_args()
    with scratch() as home:
        workspace = Workspace(home)
        plan = plan_session(workspace, mode="shadow", strategy="ma_crossover", steps=given.steps, seed=1)
        record = run_session(plan, Desk.of(workspace))
        files = {
            str(Registry.of(workspace).path_of(record)): "record read",
            str(RunFolder(workspace.runs, record.session_id).journal): "journal read",
        }
        counts: Counter[str] = Counter()

        def hear(event: str, args: tuple[Any, ...]) -> None:
            if event == "sqlite3.connect":
                counts["index opened"] += 1
            elif event == "open" and (what := files.get(str(args[0]))):
                counts[what] += 1

        sys.addaudithook(hear)
        for page, panels in PAGES.items():
            report(home, page, panels, record.session_id, counts, given.repeat)


def report(home: Path, page: str, panels: tuple[str, ...], session_id: str, counts: Counter[str], repeat: int) -> None:
    """Print what the panels of a page open and how long they take: at first, and again when nothing changed."""
    workspace = Workspace(home)
    for when in ("first request", "next request"):
        counts.clear()
        ask(workspace, panels, session_id)
        told = ", ".join(f"{what} {n} times" for what, n in sorted(counts.items()))
        print(f"{page}, {when}: {told or 'nothing opened'}")
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        ask(workspace, panels, session_id)
        times.append(time.perf_counter() - begun)
    print(f"{page}, warm: {1000 * min(times):.1f} ms, best of {repeat}")


def ask(workspace: Workspace, panels: tuple[str, ...], session_id: str) -> None:
    """Make the panels of one request."""
    page = Page(lambda: workspace, "", session_id)
    for name in panels:
        assert "could not" not in page.panel(name)[:400], name


if __name__ == "__main__":
    main()
