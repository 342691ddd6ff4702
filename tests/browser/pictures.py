"""The pictures of README and docs, made anew: a month of sessions on the embedded market, one that runs, alerts, a sweep.

python tests/browser/pictures.py [NAME ...]        (or `make pictures`)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from jupyterlab_served import open_form, served_lab
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from peaktrade_core.alerts.alerts import Raised
from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.base.clock import FixedClock
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.research.trials.spec import Sweep
from peaktrade_core.research.trials.sweep import prepare, run_sweep
from peaktrade_core.runbooks.book import EvidenceBook
from peaktrade_core.runbooks.notebooks.lab import copy_of
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
IMAGES = REPO / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STRATEGIES = ("ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout")
COLOURS, RARE = 240, 80  # of a picture: text stays sharp, and the file is a third
WAIT_MS = 90_000


class Shot(NamedTuple):
    """A picture: its name, the address, the window, whether it is dark, and what must be there before it is taken."""

    name: str
    path: str
    width: int = 1280
    height: int = 860
    dark: bool = False
    first: str = "[data-panel]"


LINE = ".scatterlayer .trace path.js-line"
SHOTS = (
    Shot("live_track", "/"),
    Shot("live_track_dark", "/", dark=True),
    Shot("sessions", "/sessions"),
    Shot("session", "/session/{latest}", height=1000),
    Shot("alerts", "/alerts", height=760),
    Shot("papers", "/papers", height=620),
    Shot("wall", "/wall", 1920, 1080),
    Shot("phone", "/", 390, 844),
    Shot("lab_compare", "/lab/compare?session={latest}&session={before}", height=760, first=LINE),
    Shot("lab_limits", "/lab/limits?session={blocked}", height=800, first=LINE),
    Shot("lab_parameters", "/lab/parameters", height=760, dark=True, first=LINE),
    Shot("lab_candles", "/lab/candles", height=760, first=LINE),
    Shot("lab_sweep", "/lab/sweep", height=900, first=".heatmaplayer image"),
)
RUNBOOK = "runbook"


def month(home: Path) -> dict[str, str]:
    """Run a session on most days of the last month and return those that pictures are about, by their role."""
    (home / "config").mkdir(parents=True)
    shutil.copy(REPO / "config" / "config.toml", home / "config")
    now, found = datetime.now(UTC).replace(minute=5), {"latest": ""}
    for day in range(29, -1, -1):
        if day % 6 == 5:
            continue
        workspace = Workspace(home)
        workspace.clock = FixedClock(now - timedelta(days=day, hours=2), timedelta(milliseconds=1))
        fraction = 0.2 if day == 7 else 0.05  # one whose every order is too large
        strategy = STRATEGIES[day % len(STRATEGIES)]
        plan = plan_session(workspace, strategy=strategy, seed=day + 1, steps=900, position_fraction=fraction)
        done = run_session(plan, Desk.of(workspace)).session_id
        found |= {"before": found["latest"], "latest": done} | ({"blocked": done} if day == 7 else {})
    return found


def fill(home: Path, sessions: dict[str, str]) -> None:
    """Add what else the pages show: open alerts, a runbook that waits, candles, a sweep."""
    workspace, now = Workspace(home), datetime.now(UTC)
    run, text = sessions["latest"], "no bar for {n} s, the feed gives one every 60 s"
    told = [
        ("A-71c0", "drawdown", "critical", "drawdown 10.3 % of the best equity (limit 10 %)", 130, "risk officer", "8")
    ]
    told += [
        (f"A-{n:04x}", "stale-feed", "warning", text.format(n=n), n, "operator on shift", "10") for n in (305, 402)
    ]
    raised = [
        Raised(at=now - timedelta(seconds=ago), alert_id=alert, rule_id=rule, key=alert, severity=severity,
               message=message, run_id=run, symbol="BTC/EUR", owner=owner, runbook=runbook)
        for alert, rule, severity, message, ago, owner, runbook in told
    ]  # fmt: skip
    Alerts.of(workspace).log.append(lambda _: list(raised))
    EvidenceBook.of(workspace).begin("monitoring_round", "Monitoring round", operator="Ada")
    try_days(workspace)


def try_days(workspace: Workspace) -> str:
    """Keep 800 days of candles and run a sweep over them; return its id."""
    store, days = CandleStore.of_workspace(workspace.home), Series("kraken", "BTC/EUR", "1d")
    store.put(days, list(SyntheticFeed(1, 86_400, bars=800)))
    grid = {"fast": {"from": 2, "to": 20, "step": 2}, "slow": {"from": 20, "to": 100, "step": 10}}
    asked = {"symbol": "BTC/EUR", "timeframe": "1d", "candles": str(store.folder(days))}
    sweep = Sweep(name="days", question="Do averages of days pay?", strategy="ma_crossover", parameters=grid, **asked)
    return run_sweep(workspace, prepare(workspace, sweep)).sweep_id


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve the workspace while a session runs in it and a watcher looks after it; give the address."""
    own = [sys.executable, "-m", "peaktrade_core"]
    at, null = ["--home", str(home)], subprocess.DEVNULL
    paced = ["--pace", "600", "--steps", "5000", "--strategy", "trend_following"]
    beside = [subprocess.Popen([*own, "session", "run", *at, *paced], stdout=null, stderr=null)]
    server = subprocess.Popen([*own, "dashboard", *at, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield next(word for word in server.stdout.readline().split() if word.startswith("http")).rstrip("/")
    finally:
        for one in (server, *beside):
            one.terminate()
            one.wait(60)


def keep(page: Page, name: str) -> None:
    """Write what a page shows as a small picture."""
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    path = IMAGES / f"{name}.png"
    picture.quantize(palette=palette(picture), dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"docs/images/{path.name} {path.stat().st_size / 1000:.0f} kB", flush=True)


def palette(picture: Image.Image) -> Image.Image:
    """Return a palette in which the commonest colours are exact, and rare ones keep their tone."""
    common = sorted(picture.getcolors(picture.width * picture.height) or (), reverse=True)[: COLOURS - RARE]
    rare = (picture.quantize(RARE, Image.Quantize.MAXCOVERAGE).getpalette() or [])[: 3 * RARE]
    found = Image.new("P", (1, 1))
    found.putpalette([part for _, colour in common for part in colour] + rare)
    return found


def take(browser: Browser, address: str, shot: Shot, sessions: dict[str, str]) -> None:
    """Take one picture of the dashboard."""
    look = {"viewport": {"width": shot.width, "height": shot.height}, "color_scheme": "dark" if shot.dark else "light"}
    page = browser.new_page(**look)  # type: ignore[arg-type]
    page.goto(address + shot.path.format(**sessions), wait_until="commit", timeout=WAIT_MS)
    page.locator(shot.first).first.wait_for(state="attached", timeout=WAIT_MS)
    page.wait_for_timeout(2500 if shot.path.startswith("/lab/") else 1200)
    keep(page, shot.name)
    page.close()


def take_runbook(browser: Browser, address: str) -> None:
    """Take the picture of a runbook in JupyterLab, with its red button and its form."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    open_form(page, address)
    page.wait_for_timeout(1500)
    keep(page, RUNBOOK)
    page.close()


def main(names: list[str]) -> None:
    """Take the pictures of these names, all without."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("no Chrome or Chromium found: install the package chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "desk"
        sessions = month(home)
        fill(home, sessions)
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            with served(home) as address:
                for shot in SHOTS:
                    if not names or shot.name in names:
                        take(chromium, address, shot, sessions)
            if not names or RUNBOOK in names:
                workspace = Workspace(home)
                with served_lab(copy_of("kill_switch", {}, workspace), workspace) as address:
                    take_runbook(chromium, address)
        finally:
            chromium.close()


if __name__ == "__main__":
    main(sys.argv[1:])
