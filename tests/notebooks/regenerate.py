"""Run the committed notebooks again and keep their outputs: ``python tests/notebooks/regenerate.py [NAME ...]``.

Each runs as it stands, with its default parameters, in a workspace of its own that is prepared in the same way every
time, under a fixed clock, with candles in the store and a venue on this machine that stands still. So the outputs are
the same on every machine and day, and doing it twice changes nothing. nbval runs in the same workspaces.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import nbformat

from peaktrade_core.alerts.desk import Alerts
from peaktrade_core.alerts.engine import AlertEngine
from peaktrade_core.base.environment import environment
from peaktrade_core.base.errors import NotebookError, UnknownNameError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.resources import share_dir
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.changes.book import Changes
from peaktrade_core.control.changing.propose import propose
from peaktrade_core.desk.installation import accept
from peaktrade_core.desk.readiness import BEFORE_RELEASE
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.research.cells import scan_markets, try_grid
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.testing import LoopbackVenue, MarketSource, VenueClock
from peaktrade_core.trading.market import Bar
from peaktrade_core.venue.credentials import variables_of
from peaktrade_core.warm.owner import warm_kernels
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import FIXED_CLOCK, HOME, Workspace
from tests.notebooks.drill_sessions import DRILL_SCENES
from tests.notebooks.incident_sessions import INCIDENT_SCENES

MACHINE = "machine"
BEFORE = "2026-01-05T06:00:00+00:00"  # when the prepared sessions ran
NOW = "2026-01-05T08:00:00+00:00"  # when the notebooks run
DAYS = 900  # of the market that research looks at
KEPT_TAGS = ("parameters",)


def committed(folder: Path | None = None) -> list[Path]:
    """Return the notebooks whose outputs are committed: all but the dashboards, which are served."""
    folder = folder or share_dir() / "notebooks"
    return sorted(
        path for path in folder.rglob("*.ipynb") if not {"dashboards", ".ipynb_checkpoints"} & set(path.parts)
    )


def prepare(home: Path) -> None:
    """Make a workspace with a few sessions, the same ones every time; the last has something to tell."""
    home.mkdir(parents=True, exist_ok=True)
    (home / CONFIG).parent.mkdir(exist_ok=True)
    shutil.copyfile(share_dir() / CONFIG, home / CONFIG)
    with environment({FIXED_CLOCK: BEFORE, HOME: str(home)}):
        workspace = Workspace(home)
        desk = Desk.of(workspace)
        calm = plan_session(
            workspace, symbol="ETH/EUR", strategy="rsi_reversion", seed=7, steps=400, notes="Quiet market."
        )
        busy = plan_session(
            workspace, strategy="donchian_breakout", seed=3, steps=600, notes="Second look at the breakout."
        )
        large = plan_session(
            workspace, seed=5, steps=900, position_fraction=0.0999, notes="As large as max_order_notional lets it be."
        )
        for plan in (calm, busy, large):
            run_session(plan, desk)
        prepare_desk(workspace)
    prepare_candles(home)


def prepare_desk(workspace: Workspace) -> None:
    """Leave what runbooks find on a desk: an accepted installation, and a kill switch that was tried."""
    accept(workspace, "Robin", "EV-20260104-RESTART-AFTER-MAINTENANCE-170000")
    switch = KillSwitch.of(workspace)
    switch.engage("Robin", "monthly test of the kill switch")
    switch.request_release("Robin", "test done, nothing ran")
    switch.release("Sascha", "seen: every order was denied", lambda: workspace.ask(BEFORE_RELEASE))


def prepare_candles(home: Path) -> None:
    """Store two days of synthetic minutes that end at ``NOW``, with two gaps, a quiet quarter of an hour and a bad print."""
    series = Series("synthetic", "BTC/EUR", "1m")
    end = datetime.fromisoformat(NOW).timestamp()
    everything = takewhile(lambda bar: bar.ts < end, SyntheticFeed(11, series.bar_s))
    bars = [bar for bar in everything if bar.ts >= end - 2 * 86_400]
    bars[2000] = bars[2000]._replace(high=round(bars[2000].high * 1.04, 2))
    quiet = bars[899].close
    bars[900:915] = [Bar(bar.ts, quiet, quiet, quiet, quiet, 0.0) for bar in bars[900:915]]
    CandleStore.of_workspace(home).put(series, bars[:1200] + bars[1237:2500] + bars[2501:])


def raise_alerts(home: Path) -> None:
    """Let the alert rules find something: a rule so strict that the orders denied in a prepared session break it."""
    (home / "config" / "alerts.toml").write_text(ALERTS)
    with environment({FIXED_CLOCK: BEFORE, HOME: str(home)}):
        AlertEngine(Workspace(home), Alerts.of(Workspace(home)).log).evaluate()


ALERTS = """
[channels.log]
kind = "log"

[[rule]]
id = "deny-burst"
kind = "deny_burst"
max_denials = 1
window_s = 86400.0
channels = ["log"]
owner = "operator on shift"
runbook = "8"
"""


def try_something(home: Path) -> None:
    """Leave experiments: a sweep over the stored minutes, and a scan of their market."""
    with environment({FIXED_CLOCK: BEFORE, HOME: str(home)}):
        workspace = Workspace(home)
        grid = "fast 5,10,20; slow 30,60"
        try_grid(workspace, "ma_crossover", "BTC/EUR", "1m", grid, "Does a crossover of minutes carry over?", 10)
        scan_markets(workspace, "donchian_breakout", "BTC/EUR", "backtest-lite", "1m", "stored")


def propose_something(home: Path) -> None:
    """Adopt what stands there, and propose what another person then applies."""
    alerts, config = home / "config" / "alerts.toml", home / CONFIG
    shutil.copyfile(share_dir() / "config" / "alerts.toml", alerts)
    config.write_text(config.read_text().replace('mode = "shadow"', 'mode = "testnet"'))
    with environment({FIXED_CLOCK: BEFORE, HOME: str(home)}):
        workspace = Workspace(home)
        Changes.of(workspace).adopt("Ada Example", "As it was set up.")
        calmer = ["alerts.rule.drawdown.critical_pct=8", "alerts.rule.deny-burst.max_denials=10"]
        propose(
            workspace,
            calmer,
            [],
            by="Ada Example",
            reason="The drawdown of last week went too far before it was halted.",
        )


def store_days(home: Path) -> None:
    """Store 900 days of a market made up, the last of them over at ``NOW``, in the place of its minutes."""
    store = CandleStore.of_workspace(home)
    shutil.rmtree(store.folder(Series("synthetic", "BTC/EUR", "1m")))
    series = Series("synthetic", "BTC/EUR", "1d")
    bars = [bar for _, bar in zip(range(DAYS), SyntheticFeed(23, series.bar_s), strict=False) if isinstance(bar, Bar)]
    last = datetime.fromisoformat(NOW).timestamp() // series.bar_s - 1.0
    back = last * series.bar_s - bars[-1].ts
    store.put(series, [bar._replace(ts=bar.ts + back) for bar in bars])


SCENES = {
    "alert_handling": raise_alerts,
    "backtest": store_days,
    "change": propose_something,
    "rnd_playbook": store_days,
    "experiments": try_something,
    **INCIDENT_SCENES,
    **DRILL_SCENES,
}  # what a notebook needs to see besides


@contextmanager
def prepared(home: Path, name: str = "") -> Iterator[None]:
    """Prepare a workspace, and keep a venue beside it that it is configured for, as long as the block runs.

    Args:
        home: where; name: of the notebook that is to see it.
    """
    with patch("socket.gethostname", return_value=MACHINE):  # a record names its machine, and reports show its digest
        prepare(home)
        if name in SCENES:
            SCENES[name](home)
    clock = VenueClock(datetime.fromisoformat(NOW).timestamp())
    market = MarketSource.synthetic(seed=1, bar_s=60, symbol="BTC/EUR").aligned(clock.now().timestamp())
    with LoopbackVenue(market, clock=clock) as venue:
        config = (home / CONFIG).read_text()
        config = config.replace('base_url = ""', f'base_url = "{venue.url}"')
        (home / CONFIG).write_text(config.replace('mode = "shadow"', 'mode = "testnet"'))
        key, secret = variables_of("kraken")
        with environment({key: venue.credentials.key, secret: venue.credentials.secret}):
            yield


def regenerate(path: Path) -> bytes:
    """Return the bytes of a notebook with the outputs of a fresh run.

    Raises:
        NotebookError: a cell failed, or an output tells something that will differ on another machine.
    """
    from peaktrade_core.runbooks.notebooks.execute import execute

    with tempfile.TemporaryDirectory(prefix="peaktrade-") as folder:
        home = Path(folder) / "workspace"
        state = {STATE_HOME: str(home.with_name("state"))}
        with environment(state), prepared(home, path.stem), environment({FIXED_CLOCK: NOW}):
            done = execute(path, {}, home=home, timeout_s=300.0)
    if done.fault:
        raise NotebookError(f"{path}: {done.fault}")
    text: str = nbformat.writes(tidy(done.notebook, path.stem), indent=1) + "\n"
    if folder in text or str(share_dir()) in text:
        raise NotebookError(f"{path}: an output names a folder of this machine; print paths below the workspace")
    return text.encode()


def tidy(notebook: Any, stem: str) -> Any:
    """Take out of a notebook what says nothing to its reader: timings, tools' traces, random ids."""
    kept = {"kernelspec", "peaktrade"}
    notebook.metadata = {name: value for name, value in notebook.metadata.items() if name in kept}
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.nbformat_minor = 5
    number = 0
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{re.sub('[^a-z0-9]+', '-', stem.lower())}-{index:02d}"
        tags = [tag for tag in cell.metadata.get("tags", ()) if tag in KEPT_TAGS]
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type != "code":
            continue
        number += 1
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
    return nbformat.from_dict(notebook)


def main(names: list[str]) -> int:
    """Run the named notebooks (all of them without names) and say which changed."""
    paths = committed()
    known = [path.stem for path in paths]
    for name in names:
        if name not in known:
            raise UnknownNameError("notebook", name, known)
    with warm_kernels():
        for path in paths:
            if not names or path.stem in names:
                new = regenerate(path)
                changed = new != path.read_bytes()
                if changed:
                    write_atomic(path, new)
                click.echo(f"{'changed  ' if changed else 'unchanged'} {path.relative_to(share_dir())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
