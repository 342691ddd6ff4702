"""The labs: notebooks with widgets under ``/lab``, each in a locked-up kernel of its own.

Nothing here writes or asks the network. A lab of one's own imports what it needs from here and from the rooms.
"""

from __future__ import annotations

from typing import Any

LABS = {
    "parameters": "ParametersLab", "limits": "LimitsLab", "compare": "CompareLab", "sweep": "SweepLab", "candles": "CandlesLab",
}  # fmt: skip
MADE_SOMETHING = 10  # the exit code of the process that compiles, when something was missing


def open_lab(name: str) -> Any:
    """Return a lab of ours: its cards are attributes that a notebook shows.

    Raises:
        UnknownNameError: there is none of that name.
    """
    from importlib import import_module

    from peaktrade_core.base.errors import UnknownNameError

    if name not in LABS:
        raise UnknownNameError("lab", name, sorted(LABS))
    return getattr(import_module(f"{__name__}.{name}"), LABS[name])()


def warm_up() -> None:
    """Do what would make every viewer wait, once, in the process that kernels are forked from.

    The compiled strategies that are at hand are loaded, the embedded market is made, each library is used once.
    """
    from peaktrade_core.dashboard.labs.warming import warm

    warm()
