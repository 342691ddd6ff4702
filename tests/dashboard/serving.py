"""A dashboard in a process of its own, over a workspace with real sessions, for the HTTP and the browser tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.services.session import run_session

HOSTILE = "<script>window.stolen = 1</script><img src=x onerror='window.stolen=2'>"
CODE = """
import sys
from pathlib import Path
from peaktrade_core.edge.bootstrap import Workspace
from peaktrade_core.edge.dashboard.server import serve
home, refresh, pages = sys.argv[1:]
serve(Workspace(home), port=0, auto_refresh_seconds=int(refresh), pages=Path(pages) if pages else None)
"""


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    body: str
    headers: Any


class Dashboard:
    """A running dashboard.

    Attributes:
        url: of its first page; process: the server's.
    """

    def __init__(
        self, home: Path, *, refresh: int = 60, pages: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(home), str(refresh), str(pages or "")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + self.process.stdout.read()
        self.url = found[0]

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path; header names are written with underscores."""
        asked = urllib.request.Request(
            self.url + path.lstrip("/"),
            method=method,
            data=b"" if method == "POST" else None,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), error.headers)

    def kernels(self) -> list[psutil.Process]:
        """Return the kernels that run now."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if any("ipykernel" in word for word in child.cmdline())]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; return the exit code and how long it took [s]."""
        begun = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return code, time.monotonic() - begun


def make_history(workspace: Workspace) -> None:
    """Fill a workspace: four real shadow sessions, a failed one full of markup, an aborted one, a broken file."""
    for seed, strategy in enumerate(("ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout"), 1):
        run_session(workspace.plan(strategy=strategy, seed=seed, steps=300), workspace.desk())
    folder = workspace.registry.folder
    record = json.loads(sorted(folder.iterdir())[0].read_text())
    for session_id, changes in {
        "testnet_20260101_080000_aaaaaa": {
            "status": "failed",
            "mode": "testnet",
            "run_type": "live_session_testnet",
            "symbol": HOSTILE,
            "error": f"ExchangeAuthenticationError: {HOSTILE}",
        },
        "shadow_20260101_070000_bbbbbb": {"status": "aborted", "error": "stopped by the operator"},
    }.items():
        moved = {"started_at": "2026-01-01T08:00:00+00:00", "finished_at": "2026-01-01T08:10:30"}
        changed = {**record, **moved, "session_id": session_id, "run_id": session_id, **changes}
        (folder / f"20260101T080000_{session_id}.json").write_text(json.dumps(changed))
    (folder / "20260101T060000_live_session_shadow_torn.json").write_text('{"session_id": "torn", ')


def make_page(folder: Path, source: str, **metadata: object) -> Path:
    """Write a view notebook of one cell where the first page is looked for, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cell = {"cell_type": "code", "execution_count": None, "id": "one", "metadata": {}, "outputs": [], "source": source}
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "title": "Test",
        "peaktrade": metadata,
    }
    notebook = {"cells": [cell], "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    (folder / "live_track.ipynb").write_text(json.dumps(notebook))
    return folder
