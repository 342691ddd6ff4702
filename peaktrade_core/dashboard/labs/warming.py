"""What is done once, before kernels are forked, so that no viewer waits for it."""

from __future__ import annotations

import os
from contextlib import suppress

from ipywidgets import Widget

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.dashboard.panels import CONFIG_PATH
from peaktrade_core.trading.strategies import all_strategies
from peaktrade_core.workspace.workspace import Workspace


def warm() -> None:
    """Open each lab over the workspace that the environment names, and run each strategy once; nothing is kept."""
    import duckdb  # noqa: F401  (what the labs import as they are used)
    import pyarrow.parquet  # noqa: F401

    from peaktrade_core.dashboard.labs import _LABS, open_lab, study

    workspace = Workspace(config=os.environ.get(CONFIG_PATH))
    with suppress(PeaktradeError):  # the lab will say it
        data = study.market_data(workspace, None)
        few = data._replace(bars=data.bars.part(0, 4000))
        for strategy in all_strategies():
            with suppress(PeaktradeError):
                choice = study.Choice(strategy.name, {})
                study.try_out(workspace, few, choice, decided=True, cache=workspace.home / ".cache" / "numba")
    for name in _LABS:
        with suppress(Exception):  # an empty workspace has nothing to show
            open_lab(name)
    Widget.close_all()
