"""A session of many bars on its page: how long the page takes, and a range of it at full detail.

python benchmarks/bench_zoom.py --bars 100000     (the goal is 300 ms a zoom)
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from bench_dashboard import Server
from common import scratch

from peaktrade_core.base.clock import iso
from peaktrade_core.runs.curves import Curves
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import Workspace

SHARES = (0.5, 0.1, 0.01, 0.001)  # of the session that is zoomed into


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bars", type=int, default=100_000)
    options.add_argument("--repeat", type=int, default=20)
    given = options.parse_args()
    with scratch() as home:
        workspace = Workspace(home)
        plan = plan_session(workspace, strategy="rsi_reversion", seed=3, steps=given.bars)
        session_id = run_session(plan, Desk.of(workspace)).session_id
        measure(home, session_id, given.repeat)


def measure(home: Path, session_id: str, repeat: int) -> None:
    """Print how long the page and its zoom take over HTTP."""
    views = Views.of(Workspace(home))
    whole, fills = views.curves(session_id), len(views.look(session_id).journal.fills)
    print(f"{whole.all_bars:,} bars, {fills:,} fills, medians (and worst) of {repeat}")
    server = Server(home, views.now())
    try:
        show(server, "the page, first look", f"/session/{session_id}", 1)
        show(server, "the page", f"/session/{session_id}", repeat)
        for share in SHARES:
            zoom(server, session_id, whole, share, repeat)
    finally:
        server.stop()


def zoom(server: Server, session_id: str, whole: Curves, share: float, repeat: int) -> None:
    """Print what a zoom into the middle of a session takes: the panel that the page asks for, and the JSON."""
    assert whole.first is not None
    assert whole.last is not None
    length = (whole.last - whole.first) * share
    since = whole.first + (whole.last - whole.first - length) / 2
    stretch = f"since={quote(iso(since))}&until={quote(iso(since + max(length, timedelta(minutes=2))))}"
    panel = f"/api/panels?panel=session_curves&subject={session_id}&query={quote(stretch)}"
    show(server, f"zoom to {share:.1%}, panel", panel, repeat)
    show(server, f"zoom to {share:.1%}, JSON", f"/api/live_sessions/{session_id}/curves?{stretch}", repeat)


def show(server: Server, what: str, path: str, repeat: int) -> None:
    """Print the median and the worst time of an answer [ms], and its size [kB]."""
    took, size = [], 0
    for _ in range(repeat):
        began = time.perf_counter()
        size = len(server.get(path))
        took.append(1000 * (time.perf_counter() - began))
    print(f"{what:<24} {statistics.median(took):7.0f} ms ({max(took):.0f}) {size / 1000:8.0f} kB", flush=True)


if __name__ == "__main__":
    main()
