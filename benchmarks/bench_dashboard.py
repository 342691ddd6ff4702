"""The dashboard's server over HTTP: p50 and p99 of the API, health under load, pages beside plain Voila's.

Records and runs are made up in a temporary workspace; the server is a process of its own, as it is in use.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import psutil
from bench_views import fill, made_up
from common import REPOSITORY, scratch

from peaktrade_core.records.registry import Registry
from peaktrade_core.trading.records import encode_record
from peaktrade_core.workspace.workspace import FIXED_CLOCK, Workspace

NEW_RECORDS, ASKERS, VOILA_LOADS = 1000, 4, 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--events", type=int, default=10_000, help="bars in each run's journal")
    options.add_argument("--repeat", type=int, default=300)
    options.add_argument("--no-voila", action="store_true", help="leave plain Voila out")
    given = options.parse_args()
    with scratch() as home:
        run_ids = fill(Workspace(home), given.records, given.runs, given.events)
        print(f"{given.records:,} records, {given.runs} runs of {given.events:,} bars, on {os.cpu_count()} cores\n")
        Registry.of(Workspace(home)).refresh()
        measure(home, run_ids, given.records, given.repeat)
        if not given.no_voila:
            beside_voila(home, given.records)


class Server:
    """A dashboard in a process of its own."""

    def __init__(self, home: Path, now: datetime) -> None:
        command = [sys.executable, "-c", "from peaktrade_core.cli import main; main()"]
        self.port = free_port()
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "dashboard", "--home", str(home), "--port", str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, FIXED_CLOCK: now.isoformat()},
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.started_s = time.perf_counter() - began
        self.wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path: str) -> bytes:
        """Return the answer of a path over a connection that stays open."""
        self.wire.request("GET", path)
        answer = self.wire.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


def measure(home: Path, run_ids: list[str], records: int, repeat: int) -> None:
    """Print what the server takes."""
    server = Server(home, now_of(records))
    try:
        print(f"{'start to listening':<52} {server.started_s:9.2f} s\n{'':<52} {'p50 ms':>9} {'p99 ms':>9}")
        show("first request: /api/live_sessions?limit=100", lambda: server.get("/api/live_sessions?limit=100"), 1)
        middle = made_up(records // 2).session_id
        for path, times in {
            "/api/health": repeat,
            "/api/live_sessions?limit=100": repeat,
            "/api/live_sessions?limit=100&mode=live&status=failed": repeat,
            "/api/live_sessions/stats": repeat,
            f"/api/live_sessions/{middle}": repeat,
            "/runs": repeat // 3,
            f"/runs/{run_ids[0]}/tail?limit=500": repeat // 3,
            "/api/live/status/snapshot.json": repeat // 3,
            "/metrics": repeat // 3,
            "/": repeat // 3,
            f"/session/{run_ids[-1]}": repeat // 3,
        }.items():
            show(re.sub(r"\w+_\d{8}_\d{6}_\w+", "{id}", path), lambda path=path: server.get(path), times)
        loaded = Load(server.port, ("/runs", "/api/live_sessions?limit=100", "/"))
        show(f"/api/health while {ASKERS} clients ask for more", lambda: server.get("/api/health"), repeat)
        loaded.stop()
        registry = Registry.of(Workspace(home))
        for number in range(records, records + NEW_RECORDS):
            registry.path_of(made_up(number)).write_bytes(encode_record(made_up(number)))
        show(f"first /api/live_sessions after {NEW_RECORDS:,} new records", lambda: server.get("/api/live_sessions"), 1)
        show("while they are taken in", lambda: server.get("/api/live_sessions?limit=100"), repeat)
        resident = psutil.Process(server.process.pid).memory_info().rss >> 20
        print(f"{'resident memory':<52} {resident:9d} MB")
    finally:
        server.stop()


class Load:
    """Clients that ask without a pause."""

    def __init__(self, port: int, paths: tuple[str, ...]) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(port, paths), daemon=True) for _ in range(ASKERS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, port: int, paths: tuple[str, ...]) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not self._over.is_set():
            for path in paths:
                wire.request("GET", path)
                wire.getresponse().read()

    def stop(self) -> None:
        """End them."""
        self._over.set()
        for thread in self._threads:
            thread.join()


def now_of(records: int) -> datetime:
    """Return the time just after the newest record, which is then today's."""
    started = made_up(records).started_at
    assert started is not None
    return started


def show(name: str, ask: Callable[[], object], times: int) -> None:
    """Print the p50 and p99 of a question [ms]."""
    took = []
    for _ in range(max(1, times)):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    p99 = sorted(took)[min(len(took) - 1, int(0.99 * len(took)))]
    print(f"{name:<52} {statistics.median(took):9.1f} {p99:9.1f}", flush=True)


def beside_voila(home: Path, records: int) -> None:
    """Print the time to the whole HTML of the same notebook, ours and as Voila ships."""
    notebook, port = REPOSITORY / "notebooks" / "dashboards" / "live_track.ipynb", free_port()
    plain = subprocess.Popen(
        [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={port}"],
        env={**os.environ, "PEAKTRADE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not listening(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        theirs = statistics.median(whole_page(port) for _ in range(VOILA_LOADS))
    finally:
        plain.terminate()
        plain.wait(20)
    server = Server(home, now_of(records))
    try:
        server.get("/")
        ours = statistics.median(whole_page(server.port) for _ in range(10 * VOILA_LOADS))
    finally:
        server.stop()
    print(
        f"\nwhole HTML of Live-Track: ours {ours * 1000:.0f} ms, plain Voila {theirs * 1000:.0f} ms, ratio {theirs / ours:.0f}"
    )


def whole_page(port: int) -> float:
    """Return how long the first page takes over a new connection [s]."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    wire.request("GET", "/")
    answer = wire.getresponse()
    body = answer.read()
    took = time.perf_counter() - began
    if answer.status != 200 or b"data-panel" not in body:
        raise SystemExit(f"the page on port {port} is not whole: {answer.status}")
    return took


def listening(port: int) -> bool:
    """Return whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
