"""The labs in Chromium, cold browser and warm server, beside plain Voila: first figure, a slider's move, memory of a viewer.

    python benchmarks/bench_labs.py              # goals: 1.5 s, 150 ms (p95) over 525,600 bars, 60 MB a viewer

Needs the extra ``dev`` and Chrome or Chromium. The year of minutes, two sessions and a sweep are made up in a temporary
workspace; ``--home`` keeps it for another run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from bench_dashboard import Server, free_port, listening
from bench_pages import CHROMES, FLAGS, until_seen
from common import REPOSITORY
from playwright.sync_api import Browser, Page, sync_playwright

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.trials.spec import Sweep
from peaktrade_core.research.trials.sweep import prepare, run_sweep
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.workspace import Workspace

YEAR = 525_600  # minutes
FIRST = ".scatterlayer .trace path.js-line, .heatmaplayer image"
STILL = ".still-figure .plane"  # drawn by the server, in place of a widget that is not there yet
STORED = Series("kraken", "BTC/EUR", "1m")
SESSION_BARS = 2000
LABS = {
    "parameters": f"?market={STORED}".replace(" ", "%20"), "limits": "", "compare": "", "sweep": "", "candles": "",
}  # fmt: skip
# plain Voila has no /static/figure.js: there the widget brings its script itself
PLAIN = """
from plotly.graph_objects import FigureWidget
from peaktrade_core.dashboard.labs import open_lab, picture
picture.Figure._esm = FigureWidget._esm
"""
# Notes when the page's frame, its first figure of either kind, and the first that answers were painted [ms since epoch].
PAINTS = """([still, first]) => {
  window.painted = {};
  const wanted = { frame: "h1, .jp-RenderedHTMLCommon", seen: `${still}, ${first}`, answers: first };
  new MutationObserver((_, observer) => {
    for (const [name, where] of Object.entries(wanted)) {
      if (name in painted || !document.querySelector(where)) continue;
      painted[name] = 0;
      requestAnimationFrame(() => setTimeout(() => { painted[name] = performance.timeOrigin + performance.now(); }));
    }
    if (painted.answers) observer.disconnect();
  }).observe(document, { subtree: true, childList: true });
}"""
# Notes when a key went down, and when the first curve that differs was painted after it.
MOVES = """() => {
  window.moves = []; let pressed = 0;
  const curve = () => document.querySelector(".scatterlayer .trace path.js-line")?.getAttribute("d");
  let seen = curve();
  addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => {
    const now = curve();
    if (!pressed || !now || now === seen) return;
    seen = now; const began = pressed; pressed = 0;
    requestAnimationFrame(() => setTimeout(() => moves.push(performance.now() - began)));
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["d"] });
}"""


HEAD = f"{{:<20}} {'frame s':>8} {'figure s':>9} {'answers s':>10} {'reload s':>9} {'answers s':>10} {'MB':>7}"

ROW = "{:<20} {:8.2f} {:9.2f} {:10.2f} {:9.2f} {:10.2f} {:7.1f}"
TIDY_S = 4.0  # after a last move, or an opening, a lab has given back what it does not need


class Seen(NamedTuple):
    """When a lab was painted [s], and what travelled [MB].

    Attributes:
        frame: of the page; seen: its first figure, drawn by the server or a widget; answers: the first one of a widget;
        reload, again: the last two after a reload.
    """

    frame: float
    seen: float
    answers: float
    reload: float
    again: float
    megabytes: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bars", type=int, default=YEAR, help="that a backtest of the lab of parameters runs over")
    options.add_argument("--viewers", type=int, default=20)
    options.add_argument("--moves", type=int, default=100)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--home", type=Path, help="keep the workspace here")
    options.add_argument("--no-voila", action="store_true", help="leave plain Voila out")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = given.home or Path(folder)
        if not (home / "config").exists():
            fill(home, given.bars)
        now = Views.of(Workspace(home)).now()
        found = next(filter(None, map(shutil.which, CHROMES)), None)
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        print(f"{given.bars:,} bars, sessions of {SESSION_BARS:,}, {os.cpu_count()} cores, medians of {given.repeat}\n")
        server = Server(home, now)
        try:
            warm(server, home)
            print(HEAD.format("lab"))
            ours = {lab: row(lab, browser, address(server, lab), given.repeat) for lab in LABS}
            moves(browser, address(server, "parameters"), given.moves, "ours")
            at_rest(browser, server)
            viewers(browser, server, given.viewers, given.moves)
        finally:
            server.stop()
        if not given.no_voila:
            beside_voila(browser, home, ours, given)


def fill(home: Path, bars: int) -> None:
    """Make a workspace: candles of which research may read so many, two sessions."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPOSITORY / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
    stored = int(bars / (1.0 - workspace.config.research.holdout)) + 1
    CandleStore.of_workspace(home).put(STORED, list(SyntheticFeed(1, 60, bars=stored)))
    days = Series("kraken", "BTC/EUR", "1d")
    CandleStore.of_workspace(home).put(days, list(SyntheticFeed(1, 86_400, bars=800)))
    grid = {"fast": {"from": 2, "to": 20, "step": 2}, "slow": {"from": 20, "to": 100, "step": 10}}
    asked = {"symbol": "BTC/EUR", "timeframe": "1d", "candles": str(CandleStore.of_workspace(home).folder(days))}
    sweep = Sweep(name="days", question="For the benchmark", strategy="ma_crossover", parameters=grid, **asked)
    run_sweep(workspace, prepare(workspace, sweep))
    for seed in (1, 2):
        run_session(plan_session(workspace, strategy="ma_crossover", seed=seed, steps=SESSION_BARS), Desk.of(workspace))


def address(server: Server, lab: str) -> str:
    """Return where a lab of ours is."""
    return f"http://127.0.0.1:{server.port}/lab/{lab}{LABS[lab]}"


def warm(server: Server, home: Path) -> None:
    """Have the strategies compiled and each lab opened once, as on a server that is in use."""
    server.get("/lab")
    until = time.monotonic() + 180.0
    while len(list((home / ".cache" / "numba").glob("*"))) < len(all_strategies()) and time.monotonic() < until:
        server.get("/api/health")
        time.sleep(1.0)
    for lab in LABS:
        server.get(f"/lab/{lab}{LABS[lab]}")


def row(name: str, browser: Browser, url: str, repeat: int) -> Seen:
    """Print and return the medians of a lab."""
    looks = [look(browser, url) for _ in range(repeat)]
    found = Seen(*(statistics.median(column) for column in zip(*looks, strict=True)))
    print(ROW.format(name, *found), flush=True)
    return found


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """Yield a page of a browser that knows nothing."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        yield context.new_page()
    finally:
        context.close()


def look(browser: Browser, url: str) -> Seen:
    """Open a lab, reload it, and leave."""
    with opened(browser) as page:
        sizes: list[float] = []
        wire = page.context.new_cdp_session(page)
        wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        wire.on("Network.webSocketFrameReceived", lambda event: sizes.append(len(event["response"]["payloadData"])))
        wire.send("Network.enable")
        page.add_init_script(f"({PAINTS})({[STILL, FIRST]})")
        first = painted(page, lambda: page.goto(url, wait_until="commit"))
        page.wait_for_timeout(500)
        size = sum(sizes)
        _, reload, again = painted(page, lambda: page.reload(wait_until="commit"))
        return Seen(*first, reload, again, size / 1e6)


def painted(page: Page, go: Callable[[], object]) -> tuple[float, float, float]:
    """Return how long after going there the frame, the first figure and the first that answers were painted [s]."""
    began = time.time()
    go()
    page.wait_for_function("window.painted?.frame && painted.seen && painted.answers", timeout=60_000)
    found = page.evaluate("painted")
    return found["frame"] / 1e3 - began, found["seen"] / 1e3 - began, found["answers"] / 1e3 - began


def moves(browser: Browser, url: str, count: int, whose: str) -> float:
    """Print and return how long it takes from a key on a slider to the curve redrawn, p95 [s]."""
    with opened(browser) as page:
        until_seen(page, lambda: page.goto(url, wait_until="commit"), FIRST)
        return moved(page, count, whose)


def moved(page: Page, count: int, whose: str) -> float:
    """Move the first slider of an open lab, each move once the one before is drawn."""
    page.wait_for_timeout(1000)
    page.evaluate(MOVES)
    slider = page.get_by_role("slider").first
    slider.focus()
    for number in range(count):
        slider.press("ArrowRight" if number % 20 < 10 else "ArrowLeft")
        page.wait_for_function(f"window.moves.length > {number}", polling=10, timeout=30_000)
    took = sorted(page.evaluate("window.moves"))
    p95 = float(took[int(0.95 * len(took))])
    print(
        f"\nslider to curve, {whose}: p50 {statistics.median(took):.0f} ms, p95 {p95:.0f} ms, {count} moves", flush=True
    )
    return p95 / 1000.0


def at_rest(browser: Browser, server: Server) -> None:
    """Print what each lab holds of its own when it is open and everything is said."""
    process = psutil.Process(server.process.pid)
    told = []
    for lab in LABS:
        before = private(process)
        with opened(browser) as page:
            until_seen(page, lambda lab=lab: page.goto(address(server, lab), wait_until="commit"), FIRST)
            page.wait_for_timeout(2 * TIDY_S * 1000)  # candles are judged first
            told.append(f"{lab} {max(mb for pid, mb in private(process).items() if pid not in before):.0f}")
    print(f"\nprivate, at rest [MB]: {', '.join(told)}", flush=True)


def viewers(browser: Browser, server: Server, count: int, moves: int) -> None:
    """Print what viewers cost who look at the lab of parameters, and how it answers one of them meanwhile."""
    process = psutil.Process(server.process.pid)
    before, context = process.memory_full_info().uss, browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        pages, took, others = [], [], private(process)
        for _ in range(count):
            page = context.new_page()
            took.append(
                until_seen(page, lambda page=page: page.goto(address(server, "parameters"), wait_until="commit"), FIRST)
            )
            pages.append(page)
            if len(pages) == 1:
                (mover,) = private(process).keys() - others.keys()
        pages[0].wait_for_timeout(TIDY_S * 1000)
        own = [mb for pid, mb in private(process).items() if pid not in others]
        each = (process.memory_full_info().uss - before) / count / 1e6
        print(f"\n{count} viewers ({len(own)} kernels): first figure {statistics.median(took):.2f} s, ", end="")
        print(f"{statistics.median(own):.0f} MB private a kernel (at most {max(own):.0f}), {each:.1f} MB in the server")
        pages[0].bring_to_front()  # a hidden page draws once a second
        moved(pages[0], moves, f"one of {count}")
        print(f"the one that moved its slider: {private(process)[mover]:.0f} MB private", end="", flush=True)
        pages[0].wait_for_timeout(TIDY_S * 1000)
        print(f", four seconds later {private(process)[mover]:.0f}", flush=True)
    finally:
        context.close()


def private(server: psutil.Process) -> dict[int, float]:
    """Return the private memory of each kernel that runs, by its process id [MB]."""
    found = {}
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended while it was looked at
            parent = child.parent()
            if parent is not None and "nursery" in " ".join(parent.cmdline()):
                found[child.pid] = child.memory_full_info().uss / 1e6
    return found


def beside_voila(browser: Browser, home: Path, ours: dict[str, Seen], given: argparse.Namespace) -> None:
    """Print the same of plain Voila, from which each lab's notebook differs by the widget's script only."""
    print(f"\n{HEAD.format('plain Voila')}")
    for lab, query in LABS.items():
        with plain_voila(home, lab) as (url, process):
            theirs = row(lab, browser, f"{url}{query}", min(2, given.repeat))
            ratios = [b / a for a, b in zip(ours[lab], theirs, strict=True)]
            print(ROW.format("ratio", *ratios))
            if lab == "parameters":
                moves(browser, f"{url}{query}", given.moves, "plain Voila")
                own = [child.memory_full_info().uss / 1e6 for child in process.children(recursive=True)]
                print(f"{max(own, default=0.0):.0f} MB private a kernel", flush=True)


@contextmanager
def plain_voila(home: Path, lab: str) -> Iterator[tuple[str, psutil.Process]]:
    """Serve a lab's notebook as Voila is shipped."""
    import nbformat

    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.read(REPOSITORY / "notebooks" / "dashboards" / f"{lab}.ipynb", as_version=4)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        first.source = PLAIN
        path, port = Path(folder) / f"{lab}.ipynb", free_port()
        nbformat.write(notebook, path)
        command = [sys.executable, "-m", "voila", str(path), "--no-browser", f"--port={port}"]
        null = subprocess.DEVNULL
        plain = subprocess.Popen(command, env={**os.environ, "PEAKTRADE_HOME": str(home)}, stdout=null, stderr=null)
        try:
            until = time.monotonic() + 60
            while not listening(port) and time.monotonic() < until:
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/", psutil.Process(plain.pid)
        finally:
            plain.terminate()
            plain.wait(20)


if __name__ == "__main__":
    main()
