"""The pictures of README and docs, made anew: a month of sessions on the embedded market, then the pages as they are.

python tests/browser/pictures.py        (or `make pictures`)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.workspace import Workspace

REPO = Path(__file__).resolve().parents[2]
IMAGES = REPO / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STRATEGIES = ("ma_crossover", "rsi_reversion", "trend_following", "donchian_breakout")
PICTURES = (  # name, address, width, height, dark
    ("live_track", "/", 1280, 860, False),
    ("live_track_dark", "/", 1280, 860, True),
    ("session", "/session/{latest}", 1280, 1000, False),
    ("wall", "/wall", 1280, 720, False),
    ("phone", "/", 390, 844, False),
)


def month(home: Path) -> str:
    """Run a session on most days of the last month and return the newest one's id."""
    (home / "config").mkdir(parents=True)
    shutil.copy(REPO / "config" / "config.toml", home / "config")
    now, latest = datetime.now(UTC).replace(minute=5), ""
    for day in range(29, -1, -1):
        if day % 6 == 5:
            continue
        workspace = Workspace(home)
        workspace.clock = FixedClock(now - timedelta(days=day, hours=2), timedelta(milliseconds=1))
        fraction = 0.2 if day == 7 else 0.05  # one whose every order is too large
        strategy = STRATEGIES[day % len(STRATEGIES)]
        plan = plan_session(workspace, strategy=strategy, seed=day + 1, steps=900, position_fraction=fraction)
        latest = run_session(plan, Desk.of(workspace)).session_id
    return latest


def main() -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("no Chrome or Chromium found: install the package chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "desk"
        latest = month(home)
        command = [sys.executable, "-m", "peaktrade_core", "dashboard", "--home", str(home), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http")).rstrip("/")
            for name, path, width, height, dark in PICTURES:
                page = chromium.new_page(
                    viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
                )
                page.goto(address + path.format(latest=latest))
                page.wait_for_timeout(1000)
                page.screenshot(path=IMAGES / f"{name}.png")
                page.close()
                print(f"docs/images/{name}.png")
        finally:
            chromium.close()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
