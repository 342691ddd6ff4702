"""A dashboard in a process of its own, over a workspace with real sessions, for the HTTP and the browser tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from peaktrade_core.dashboard.panels.base import Page
from peaktrade_core.records.registry import Registry
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.show.wording import TIED
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
HOSTILE = "<script>window.stolen = 1</script><img src=x onerror='window.stolen=2'>"
CODE = """
import json, sys
from pathlib import Path
from peaktrade_core.workspace.workspace import Workspace
from peaktrade_core.dashboard import kernels, wire
from peaktrade_core.dashboard.server import serve
kernels.MOST_KERNELS = 8
home, refresh, pages, options = sys.argv[1:]
pages, options = Path(pages) if pages else None, json.loads(options)
kernels.ARRIVE_S = options.pop("arrive_s", kernels.ARRIVE_S)
wire.PING_S = options.pop("ping_s", wire.PING_S)
wire.PER_S, wire.BYTES_PER_S = options.pop("allowed_per_s", (wire.PER_S, wire.BYTES_PER_S))
serve(Workspace(home), port=0, auto_refresh_seconds=int(refresh), pages=pages, **options)
"""


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    body: str
    headers: Any


class Dashboard:
    """A running dashboard.

    Attributes:
        url: of its first page, on loopback; port: of that; process: the server's.
    """

    def __init__(
        self,
        home: Path,
        *,
        refresh: int = 60,
        pages: Path | None = None,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, str(home), str(refresh), str(pages or ""), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)/", line)
        assert found, line + self.process.stdout.read()
        self.url, self.port = f"http://127.0.0.1:{found[1]}/", int(found[1])

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path exactly as it is written; header names are written with underscores."""
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            wire.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                wire.putheader(name.replace("_", "-"), value)
            if method in ("POST", "PUT", "PATCH"):
                wire.putheader("Content-Length", "0")
            wire.endheaders()
            answer = wire.getresponse()
            return Answer(answer.status, answer.read().decode(), answer.headers)
        except ConnectionRefusedError as error:
            said, _ = self.process.communicate(timeout=60)
            raise AssertionError(f"the server ended with {self.process.returncode} and said: {said[-4000:]}") from error
        finally:
            wire.close()

    def json(self, path: str) -> Any:
        """Return what a route of the API answers."""
        answer = self.get(path)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def talk(self, raw: bytes) -> bytes:
        """Send bytes as they are and return what comes back until the server closes or says nothing for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
            wire.sendall(raw)
            got = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while part := wire.recv(65_536):
                    got += part
            return got

    def kernels(self) -> list[psutil.Process]:
        """Return the kernels that run now."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if _is_kernel(child)]

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def _is_kernel(process: psutil.Process) -> bool:
    """Return whether a process is a kernel, started in the ordinary way or forked from the nursery."""
    try:
        parent = process.parent()
        forked = parent is not None and any(word.endswith("warm.nursery") for word in parent.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and (
            forked or any("ipykernel" in word for word in process.cmdline())
        )
    except psutil.NoSuchProcess:  # it ended while it was looked at; a zombie is one, too
        return False


def shown(workspace: Workspace, name: str, query: str = "", subject: str | None = None) -> str:
    """Return a panel, with plain blanks between figures and their units."""
    return Page(lambda: workspace, query, subject).panel(name).replace(TIED, " ")


def text(html: str) -> str:
    """Return what a person reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.replace("<wbr>", "")).replace("&nbsp;", " ").split())


def make_history(workspace: Workspace) -> None:
    """Fill a workspace: four real shadow sessions, a failed one full of markup, an aborted one, a broken file."""
    for seed, strategy in enumerate(("ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout"), 1):
        run_session(plan_session(workspace, strategy=strategy, seed=seed, steps=300), Desk.of(workspace))
    folder = Registry.of(workspace).folder
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


def new_workspace(folder: Path) -> Workspace:
    """Return a fresh workspace with the shipped configuration."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "config.toml").write_bytes((REPO / "config" / "config.toml").read_bytes())
    return Workspace(folder)


def make_page(folder: Path, source: str, page: str = "live_track", **metadata: object) -> Path:
    """Write a view notebook of one cell where a page is looked for, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "one",
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "title": "Test",
        "peaktrade": metadata,
    }
    notebook = {"cells": [cell], "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{page}.ipynb").write_text(json.dumps(notebook))
    return folder
