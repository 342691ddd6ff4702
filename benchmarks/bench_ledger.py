"""What the ledger costs: entries verified in a second, one entry, the look at every bar, the start of a session under a long one,
and a session with and without.

Baselines: the same bytes hashed line by line, a plain write and fsync, and the same session whose ledger takes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from common import REPOSITORY

from peaktrade_core.base.chain import BEGINNING, linked
from peaktrade_core.changes.book import Changes
from peaktrade_core.records.chain import RegistryChain
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import Workspace

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--entries", type=int, default=250_000)
    options.add_argument("--bars", type=int, default=5_000)
    options.add_argument("--runs", type=int, default=9)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[STATE_HOME] = f"{folder}/state"
        verifying(Path(folder) / "many", given.entries)
        entering(Path(folder) / "one", given.runs)
        starting(Path(folder) / "long", given.entries, given.runs)
        sessions(Path(folder) / "home", given.bars, given.runs)


def verifying(home: Path, entries: int) -> None:
    ledger = Ledger(home)
    ledger.path.parent.mkdir(parents=True)
    said = {"file": "20260105T080000_live_session_shadow_shadow_20260105_080000_abcdef.json", "sha256": "0" * 64}
    told = ((NOW + timedelta(seconds=n), "registry/record", {**said, "id": str(n)}) for n in range(entries))
    lines, _ = linked(told, 0, BEGINNING)
    ledger.path.write_bytes(b"".join(line + b"\n" for line in lines))
    ours = timed(lambda: sum(1 for _ in ledger.links()))
    plain = timed(lambda: [hashlib.sha256(line).hexdigest() for line in ledger.path.read_bytes().split(b"\n")])
    print(f"{entries:,} entries verified: {entries / ours:,.0f} a second, {ours / plain:.1f} times only hashing them")


def entering(home: Path, runs: int) -> None:
    ledger, log = Ledger(home), home / "plain.log"
    ledger.append(("trials/begun", {"id": "0"}), at=NOW)

    def plain() -> None:
        with log.open("ab") as file:
            file.write(b"x" * 250 + b"\n")
            file.flush()
            os.fsync(file.fileno())

    ours = middle(20 * runs, lambda: ledger.append(("trials/begun", {"id": "x" * 60}), at=NOW))
    bare = middle(20 * runs, plain)
    look = middle(20 * runs, ledger.fault)
    print(f"one entry: {ours * 1e3:.2f} ms, {ours / bare:.1f} times a write and fsync; a look: {look * 1e6:.0f} µs")


def starting(home: Path, entries: int, runs: int) -> None:
    """Ask what every start asks, is it configured as approved, as a new process does: under a long ledger and a short one."""
    workspace_in(home)
    Changes.of(Workspace(home)).adopt("Ada", "as it was set up")
    short = middle(runs, lambda: Changes.of(Workspace(home)).governance())
    ledger = Ledger(home)
    said = {"sha256": "0" * 64, "file": "20260105T080000_live_session_shadow_shadow_20260105_080000_abcdef.json"}
    kinds = ["evidence/evidence", "papers/written", *["registry/started", "registry/record"] * 9]
    ledger.append(*((kinds[n % 20], {**said, "id": str(n)}) for n in range(entries)), at=NOW)
    first = timed(lambda: Changes.of(Workspace(home)).governance())
    then = middle(runs, lambda: Changes.of(Workspace(home)).governance())
    entry = middle(runs, lambda: Ledger(home).append(("trials/begun", {"id": "0"}), at=NOW))
    print(
        f"is it as approved, under {entries:,} entries: {first:.2f} s where all is read, then {then * 1e3:.1f} ms "
        f"({short * 1e3:.1f} ms under a short ledger); one entry by a new process: {entry * 1e3:.1f} ms"
    )


def workspace_in(home: Path) -> None:
    """Make a workspace with the configuration that ships."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPOSITORY / "config" / "config.toml").read_bytes())


def sessions(home: Path, bars: int, runs: int) -> None:
    workspace_in(home)

    def session() -> None:
        place = Workspace(home)
        run_session(plan_session(place, steps=bars), Desk.of(place))

    enter, fault = RegistryChain.enter, Ledger.fault
    session()
    with_, without = [], []
    for _ in range(runs):  # in pairs: the machine is noisy
        with_.append(timed(session))
        RegistryChain.enter, Ledger.fault = lambda *_: None, lambda _: ""  # type: ignore[method-assign,assignment]
        without.append(timed(session))
        RegistryChain.enter, Ledger.fault = enter, fault  # type: ignore[method-assign]
    ratio = median(one / other for one, other in zip(with_, without, strict=True))
    print(f"a session of {bars:,} bars: {median(with_):.2f} s, {ratio:.2f} times without the ledger")


def middle(runs: int, work: Callable[[], object]) -> float:
    """Return the median time of some calls [s]."""
    return median(timed(work) for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """Return how long a call takes [s]."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
