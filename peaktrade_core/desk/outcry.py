"""When trading must stop and that cannot be written: the running processes are told by signal, people on every channel.

It is the last way that is left on a full or read-only disk. A session that gets SIGTERM opens no order any more, ends
after the bar it is at, and is not restarted. The watcher ends as well, since it could start runs again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM

from peaktrade_core.alerts.alerts import CRITICAL, DELIVERED, Notification
from peaktrade_core.alerts.channels import open_channel
from peaktrade_core.alerts.delivery import DeliveryResult, Dispatcher
from peaktrade_core.alerts.engine import alert_settings
from peaktrade_core.alerts.watcher import watch_of
from peaktrade_core.base.errors import EnvironmentFault, PeaktradeError, why
from peaktrade_core.base.processes import Identity, exists, identity_of, send
from peaktrade_core.halts.scope import Scope, TradingState
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.workspace.workspace import Workspace

OBEY_S = 5.0  # how long processes may take to end [s]
CHANNEL_S = 10.0  # how long a channel may take [s]
_HERE = ("console", "log")  # kinds of channels that lead nowhere else
_POLL_S = 0.05
_LATER_S = 60.0  # a watcher writes that it began at most so long after its process did [s]


def outcry(workspace: Workspace, wanted: TradingState, why: str) -> str:
    """Tell processes and people that trading must stop in a scope although nothing could be written; return whom.

    Args:
        workspace: whose processes and channels.
        wanted: what was to be in force: scope, state, who and why.
        why: what kept it from being written.
    """
    told = _processes(workspace, wanted)
    return f"{told}. {_people(workspace, wanted, f'{why}. {told}')}"


def _processes(workspace: Workspace, wanted: TradingState) -> str:
    """Send SIGTERM to the sessions of the scope and, for the global one, the watcher; return what became of each."""
    sent, told = dict[str, Identity](), list[str]()
    try:
        found = [*_sessions(workspace.runs, wanted), *(_watcher(workspace) if wanted.everywhere else ())]
    except OSError as error:
        return f"Running sessions cannot be looked for: {why(error)}; look for processes of `peaktrade session run` and end them"
    for name, who in found:
        try:
            if who is None:
                told.append(f"{name}: which process it is cannot be read")
            elif who.pid == os.getpid():
                told.append(f"{name} runs in this very process")
            elif send(who, SIGTERM):
                sent[name] = who
        except EnvironmentFault as fault:
            told.append(f"{name}: {fault}")
    until = time.monotonic() + OBEY_S
    while (living := [name for name, who in sent.items() if exists(who)]) and time.monotonic() < until:
        time.sleep(_POLL_S)
    told += [f"{name} (process {sent[name].pid}) was told by signal and has not ended yet" for name in living]
    ended = [name for name in sent if name not in living]
    told += [f"told by signal and ended: {', '.join(ended)}"] if ended else []
    on = "; `peaktrade fleet stop --all --force` kills what goes on" if len(told) > bool(ended) else ""
    return f"Running processes: {'; '.join(told) or 'none was found'}{on}"


def _sessions(runs: Path, wanted: TradingState) -> Iterator[tuple[str, Identity | None]]:
    """Yield each living session of a scope with its process, None where that cannot be told."""
    if not runs.is_dir():
        return
    for name in sorted(filter(is_id, os.listdir(runs))):
        folder = RunFolder(runs, name)
        if not folder.alive():
            continue
        meta = folder.read_meta()
        parts = (str(meta.get(part) or "") for part in ("mode", "strategy_name", "symbol"))
        if wanted.everywhere or not meta or Scope.of(*parts).text == wanted.scope:
            yield name, folder.owner()


def _watcher(workspace: Workspace) -> Iterator[tuple[str, Identity | None]]:
    """Yield the process of the watcher, if one runs."""
    found = watch_of(workspace)
    if found.status == "off":
        return
    who = identity_of(found.state.pid) if found.state else None
    began = found.state.started_at.timestamp() if found.state else 0.0
    yield "the watcher", who if who and -1.0 <= began - who.started <= _LATER_S else None


def _people(workspace: Workspace, wanted: TradingState, why: str) -> str:
    """Send a critical notification to every channel beyond this machine; return which took it.

    Whoever sees the console reads it there, and a log lies on the disk that cannot be written.
    """
    try:
        settings = alert_settings(workspace).channels.items()
    except PeaktradeError as error:
        return f"No channel was told: {error}"
    channels = {name: channel for name, channel in settings if channel.kind not in _HERE}
    if not channels:
        return "Nobody else was told: config/alerts.toml has no channel but console and log"
    note = Notification(
        seq=0,
        at=workspace.clock.now(),
        alert_ids=(),
        channels=tuple(channels),
        severity=CRITICAL,
        title=f"CRITICAL {wanted.scope} could NOT be set to {wanted.state}: trading must be stopped by hand",
        body=f"asked for by {wanted.by}: {wanted.reason}\n{why}",
    )
    results = list[DeliveryResult]()
    log = Path(os.devnull)
    desk = Dispatcher(channels, lambda channel: open_channel(channel, log), results.extend, workspace.clock)
    desk.offer({(0, name): note for name in channels})
    until = time.monotonic() + CHANNEL_S
    while len(results) < len(channels) and time.monotonic() < until:
        time.sleep(_POLL_S)
    with suppress(PeaktradeError):
        desk.close()
    took = [one.channel for one in results if one.outcome == DELIVERED]
    failed = [f"{one.channel} ({one.reason})" for one in results if one.outcome != DELIVERED]
    failed += [f"{name} (no answer)" for name in channels if name not in {one.channel for one in results}]
    return f"Channels told: {', '.join(took) or 'none'}" + (f"; not told: {', '.join(failed)}" if failed else "")
