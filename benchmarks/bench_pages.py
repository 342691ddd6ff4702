"""The pages in Chromium, cold browser and warm server: when something is seen, how much travels, what a viewer costs.

Plain Voila serves the same notebooks beside ours. Needs the extra ``dev`` and Chrome or Chromium.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from bench_dashboard import Server, free_port, listening, now_of
from bench_views import fill
from common import REPOSITORY, scratch
from playwright.sync_api import Browser, Page, sync_playwright

from peaktrade_core.dashboard.panels import SUBJECT
from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.workspace import Workspace

CHROMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PAGES = ("/", "/session/{id}", "/run/{id}", "/sessions", "/alerts", "/activity", "/system", "/control-center", "/wall")
SEEN = {
    "/": "[data-panel=history] tr[data-session]",
    "/session/{id}": "[data-panel=session_curves] .plot-equity .line",
}
VOILA = {"/": "live_track.ipynb", "/session/{id}": "session.ipynb"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--viewers", type=int, default=50)
    options.add_argument("--seconds", type=float, default=30.0, help="how long the viewers watch")
    options.add_argument("--repeat", type=int, default=7)
    options.add_argument("--no-voila", action="store_true", help="leave plain Voila out")
    given = options.parse_args()
    with scratch() as home, sync_playwright() as playwright:
        session_id = fill(Workspace(home), given.records, 1, 2000)[0]
        Registry.of(Workspace(home)).refresh()
        found = next(filter(None, map(shutil.which, CHROMES)), None)
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        print(
            f"{given.records:,} records, a session of 2,000 bars, {os.cpu_count()} cores, medians of {given.repeat}\n"
        )
        seen_in_chromium(browser, home, session_id, given)
        viewers(home, session_id, given)


def seen_in_chromium(browser: Browser, home: Path, session_id: str, given: argparse.Namespace) -> None:
    """Print when tile, table and chart are seen, and what travels, beside plain Voila."""
    server = Server(home, now_of(given.records))
    try:
        print(f"{'page':<18} {'seen s':>8} {'reload s':>9} {'kB':>7} {'requests':>9}")
        ours = {}
        for path in PAGES:
            address = f"http://127.0.0.1:{server.port}{path.format(id=session_id)}"
            ours[path] = row(path, browser, address, SEEN.get(path, "main"), given.repeat)
    finally:
        server.stop()
    if given.no_voila:
        return
    for path, name in VOILA.items():
        with_voila(browser, home, name, session_id, path, ours[path])


def row(name: str, browser: Browser, address: str, seen: str, repeat: int) -> tuple[float, float, float]:
    """Print and return the medians of a page: seen [s], seen again [s], bytes on the wire [kB]."""
    looks = [look(browser, address, seen) for _ in range(repeat + 1)][1:]  # the first warms the server
    first, again, size, requests = (statistics.median(column) for column in zip(*looks, strict=True))
    print(f"{name:<18} {first:8.2f} {again:9.2f} {size / 1000:7.0f} {requests:9.0f}", flush=True)
    return first, again, size / 1000


def look(browser: Browser, address: str, seen: str) -> tuple[float, float, float, float]:
    """Open a page in a browser that knows nothing and reload it; return seconds, seconds, bytes and requests."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    wire.on("Network.webSocketFrameReceived", lambda event: sizes.append(len(event["response"]["payloadData"])))
    wire.send("Network.enable")
    first = until_seen(page, lambda: page.goto(address, wait_until="commit"), seen)
    page.wait_for_load_state("networkidle")
    size, requests = sum(sizes), len(sizes)
    again = until_seen(page, lambda: page.reload(wait_until="commit"), seen)
    context.close()
    return first, again, size, requests


def until_seen(page: Page, go: Callable[[], object], seen: str) -> float:
    """Return how long it takes until an element is there and painted [s]."""
    began = time.perf_counter()
    go()
    page.locator(seen).first.wait_for(state="attached", timeout=60_000)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return time.perf_counter() - began


def with_voila(
    browser: Browser, home: Path, notebook: str, session_id: str, path: str, ours: tuple[float, float, float]
) -> None:
    """Print the same of plain Voila."""
    port = free_port()
    environment = {**os.environ, "PEAKTRADE_HOME": str(home), SUBJECT: session_id}
    command = [sys.executable, "-m", "voila", str(REPOSITORY / "notebooks" / "dashboards" / notebook)]
    plain = subprocess.Popen(
        [*command, "--no-browser", f"--port={port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not listening(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        theirs = row(f"Voila {path}", browser, f"http://127.0.0.1:{port}/", "[data-panel]", 2)
    finally:
        plain.terminate()
        plain.wait(20)
    ratios = (b / a for a, b in zip(ours, theirs, strict=True))
    print(f"{'ratio':<18} {next(ratios):8.0f} {next(ratios):9.0f} {next(ratios):7.0f}")


def viewers(home: Path, session_id: str, given: argparse.Namespace) -> None:
    """Print what many viewers cost: each asks as the page's script does, every 5 s, half of them look at a session."""
    server = Server(home, now_of(given.records))
    try:
        process = psutil.Process(server.process.pid)
        for path in PAGES:
            server.get(path.format(id=session_id))
        before = process.memory_full_info().uss
        took: list[float] = []
        over = threading.Event()
        watchers = [Viewer(server.port, session_id, n, took, over) for n in range(given.viewers)]
        began, busy = time.perf_counter(), sum(process.cpu_times()[:2])
        time.sleep(given.seconds)
        busy = (sum(process.cpu_times()[:2]) - busy) / (time.perf_counter() - began)
        after = process.memory_full_info().uss
        over.set()
        for watcher in watchers:
            watcher.join()
        took.sort()
        each = (after - before) / given.viewers / 1e6
        print(f"\n{given.viewers} viewers for {given.seconds:.0f} s: {len(took)} answers, ", end="")
        print(f"p50 {1000 * took[len(took) // 2]:.0f} ms, p99 {1000 * took[int(0.99 * len(took))]:.0f} ms, ", end="")
        print(f"{100 * busy:.0f} % of a core, {each:.2f} MB private memory a viewer")
    finally:
        server.stop()


class Viewer(threading.Thread):
    """Somebody who opens a page and leaves it open."""

    def __init__(self, port: int, session_id: str, number: int, took: list[float], over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._late, self._took, self._over = port, number / 10, took, over  # not all in the same moment
        self._page = "/" if number % 2 else f"/session/{session_id}"
        self._panels = (
            "/api/panels?panel=status&panel=snapshot&panel=now&panel=today&panel=trend&panel=history"
            if number % 2
            else "/api/health"
        )
        self.start()

    def run(self) -> None:
        """Open the page, then ask for its panels every 5 s."""
        self._over.wait(self._late)
        path = self._page
        while not self._over.is_set():
            began = time.perf_counter()
            wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            wire.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = wire.getresponse()
            answer.read()
            wire.close()
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status}")
            self._took.append(time.perf_counter() - began)
            path = self._panels
            self._over.wait(5.0)


if __name__ == "__main__":
    main()
