"""What is done once so that no viewer waits for it: libraries used, labs opened, strategies compiled, long series copied.

The process that kernels are forked from calls :func:`warm`, which only takes what is at hand. Compiling takes seconds a
strategy and needs to write, as copies do, which kernels may not: a process of its own does both, ``python -m`` this module.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ipywidgets import Widget

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.candles.kept import keep
from peaktrade_core.dashboard.labs import LABS, MADE_SOMETHING, open_lab, study
from peaktrade_core.dashboard.panels import CONFIG_PATH
from peaktrade_core.research.running import code_files
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.workspace import Workspace

FEW = 4000  # bars to run a strategy over once


def warm() -> None:
    """Run the compiled strategies once and open each lab, over the workspace that the environment names."""
    import duckdb  # noqa: F401  (what the labs import as they are used)
    import pyarrow.parquet  # noqa: F401

    with suppress(PeaktradeError):  # the lab will say it
        workspace = Workspace(config=os.environ.get(CONFIG_PATH))
        ready = run_strategies(workspace, missing=False)
        for name in LABS:
            if name != "parameters" or workspace.config.session.strategy in ready:
                with suppress(Exception):  # an empty workspace has nothing to show
                    open_lab(name)
    Widget.close_all()


def run_strategies(workspace: Workspace, *, missing: bool) -> list[str]:
    """Run the strategies whose compiled code is at hand once, or those where it is missing, which keeps it.

    Returns:
        The names of those that ran.

    Raises:
        PeaktradeError: the workspace cannot be used.
    """
    cache = workspace.compiled
    data = study.market_data(workspace, None)
    few, ran = data._replace(bars=data.bars.part(0, FEW)), []
    for strategy in all_strategies():
        with suppress(PeaktradeError):
            if missing is not all((cache / name).is_file() for name in code_files(strategy)):
                study.try_out(workspace, few, study.Choice(strategy.name, {}), cache=cache)
                ran.append(strategy.name)
    return ran


if __name__ == "__main__":
    os.nice(10)
    made = 0
    with suppress(PeaktradeError):
        workspace = Workspace(config=os.environ.get(CONFIG_PATH))
        made += keep(workspace.home)
        made += len(run_strategies(workspace, missing=True))
    raise SystemExit(MADE_SOMETHING if made else 0)
