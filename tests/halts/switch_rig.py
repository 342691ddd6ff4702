"""One process at a kill switch: does one thing for each line on its standard input, and prints how it ended.

``switch_rig.py FOLDER engage | release NAME | watch | hold``; it prints ``ready`` first.
"""

from __future__ import annotations

import select
import sys
from pathlib import Path

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.log import locked
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.states import TradingStates
from peaktrade_core.workspace.settings import Releasing


def watch(switch: KillSwitch) -> str:
    """Read the switch until the next line comes; return every fault that was seen."""
    faults: set[str] = set()
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        faults.add(switch.status().fault)
    sys.stdin.readline()
    return " | ".join(sorted(faults - {""})) or "no fault"


def act(switch: KillSwitch, role: str, name: str) -> str:
    """Do what the process is for and return how it ended."""
    try:
        if role == "watch":
            return watch(switch)
        done = switch.engage(name, "news") if role == "engage" else switch.release(name, "agreed", list)
    except PeaktradeError as error:
        return f"{type(error).__name__}: {error}"
    return f"done, {done.state}"


def main() -> None:
    """Act once for each line."""
    folder, role, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    states = TradingStates(folder / "live", folder / "operations.log")
    switch = KillSwitch(states, SystemClock(), Releasing)
    if role == "hold":
        with locked(states.log.path):
            print("ready", flush=True)
            sys.stdin.readline()
        return
    print("ready", flush=True)
    for _ in iter(sys.stdin.readline, ""):
        print(act(switch, role, name), flush=True)


main()
