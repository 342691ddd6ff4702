"""A day of watching in minutes: pages opened and dropped half-way, twenty viewers of labs beside them; what is left behind.

One round is one minute of the day: a page is opened, and one more is abandoned after its first bytes. Beside that
viewers open labs, each a few times in the day: they connect, move a slider there and back, and then close the page,
lose the line and come back, leave without a word, leave before the page is whole, or forget the open tab. What the
server waits for (a viewer who has gone, a tab that nobody touches) is shorter, as the day is. Memory, file handles,
threads, kernels and files, of the server and of the process that kernels are forked from, are compared with those after
the first hour.

    python benchmarks/endurance_dashboard.py                 # 24 hours, 20 viewers
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from bench_views import fill
from common import REPOSITORY
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.dashboard.labs import LABS
from peaktrade_core.dashboard.wire import PROTOCOL
from peaktrade_core.records.registry import Registry
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.workspace.workspace import Workspace

SETTLE_S = 15.0
ALLOWED_MB = 24.0  # what an allocator keeps is no leak; a leak of 10 kB a page would be 40 MB
ENDS = ("closed", "line lost", "left", "dropped", "forgotten")  # how a visit to a lab ends
VISIT_S = 120.0  # a visit that takes longer has failed
WAITS = {"GRACE_S": 2.0, "ARRIVE_S": 5.0, "IDLE_S": 10.0}  # of the server, in place of 20 s, two minutes, half an hour
SERVE = f"""
import sys
from pathlib import Path
from peaktrade_core.dashboard import kernels
from peaktrade_core.dashboard.server import serve
from peaktrade_core.workspace.workspace import Workspace
vars(kernels).update({WAITS})
serve(Workspace(Path(sys.argv[1])), port=0, kernels=int(sys.argv[2]))
"""


class Held(NamedTuple):
    """What is held: private memory [MB], handles, threads, processes below the server; the same of the nursery; files."""

    memory: float
    handles: int
    threads: int
    children: int
    nursery_memory: float
    nursery_handles: int
    nursery_threads: int
    files: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=int, default=24)
    options.add_argument("--records", type=int, default=1000)
    options.add_argument("--viewers", type=int, default=20, help="of labs")
    options.add_argument("--visits", type=int, default=5, help="that each viewer makes in the day")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, scratch = Path(folder) / "home", Path(folder) / "tmp"
        scratch.mkdir()
        session_id = make(home, given.records)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(home), str(given.viewers + 4)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(scratch)},
            text=True,
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+:(\d+)/", server.stdout.readline())
            if found is None:
                raise SystemExit("the server did not start")
            day = Day(server.pid, int(found[1]), scratch, session_id, given.viewers)
            asyncio.run(day.watch(given.hours, given.visits))
        finally:
            server.terminate()
            server.wait(20)
        if left := [str(path) for path in scratch.iterdir()]:
            raise SystemExit(f"left behind by the server: {left}")


def make(home: Path, records: int) -> str:
    """Make a workspace of records, two real sessions and candles; return the id of a run to look at."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_bytes((REPOSITORY / "config" / "config.toml").read_bytes())
    workspace = Workspace(home)
    session_id = fill(workspace, records, 1, 2000)[0]
    for seed in (1, 2):
        run_session(plan_session(workspace, strategy="ma_crossover", seed=seed, steps=500), Desk.of(workspace))
    CandleStore.of_workspace(home).put(Series("kraken", "BTC/EUR", "1m"), list(SyntheticFeed(1, 60, bars=5000)))
    Registry.of(workspace).refresh()
    return session_id


class Day(NamedTuple):
    """A server that is watched.

    Attributes:
        pid, port: of the server; scratch: where it writes; session_id: what is looked at; viewers: of labs.
    """

    pid: int
    port: int
    scratch: Path
    session_id: str
    viewers: int

    async def watch(self, hours: int, visits: int) -> None:
        """Play the day and print what is left of it.

        Raises:
            SystemExit: something was left behind, or a lab did not answer.
        """
        AsyncHTTPClient.configure(None, max_clients=2 * self.viewers)
        warm, day = Visits(self.port, 1, 1), Visits(self.port, visits, hours)
        await self._hour(warm, 0)
        await asyncio.sleep(SETTLE_S)
        print(f"warmed up: {warm}", flush=True)
        began, first = time.perf_counter(), self.held()
        for hour in range(hours):
            await self._hour(day, hour)
            now = self.held()
            first = first if hour else now  # by then each thread of the server has opened its files
            print(f"{hour + 1:3d} h {time.perf_counter() - began:5.0f} s  {now}  {day}", flush=True)
        await asyncio.sleep(SETTLE_S)
        last = self.held()
        print(f"\nafter the first hour {first}\nat the end           {last}")
        print(f"{hours} hours in {time.perf_counter() - began:.0f} s, {self.viewers} viewers of labs: {day}")
        grown = {name: now - then for name, now, then in zip(Held._fields, last, first, strict=True)}
        leaks = [name for name, by in grown.items() if by > (ALLOWED_MB if "memory" in name else 2)]
        if leaks or warm.failed or day.failed:
            raise SystemExit(
                f"left behind: {', '.join(leaks) or 'nothing'}; visits that failed: {warm.failed + day.failed}"
            )

    async def _hour(self, visits: Visits, hour: int) -> None:
        """Let an hour go by: its pages one after the other, the visits that begin in it beside them."""
        due = [visits.visit(viewer, hour) for viewer in range(self.viewers) if visits.due(viewer, hour)]
        await asyncio.gather(asyncio.to_thread(self._pages), *due)

    def _pages(self) -> None:
        """Do what happens in an hour but for the labs."""
        paths = ("/?mode=shadow", f"/session/{self.session_id}", "/api/panels?panel=status&panel=history", "/runs")
        for minute in range(60):
            ask(self.port, paths[minute % len(paths)])
            drop(self.port, "/", 300)

    def held(self) -> Held:
        """Return what is held now."""
        server = psutil.Process(self.pid)
        children = server.children(recursive=True)
        (nursery,) = [child for child in server.children() if any("warm.nursery" in word for word in words(child))]
        files = sum(1 for path in self.scratch.rglob("*") if path.is_file() or path.is_socket())
        return Held(
            round(server.memory_full_info().uss / 1e6, 1), server.num_fds(), server.num_threads(), len(children),
            round(nursery.memory_full_info().uss / 1e6, 1), nursery.num_fds(), nursery.num_threads(), files,
        )  # fmt: skip


class Visits:
    """Viewers of labs, and how their visits went.

    Args (of the constructor):
        each: visits that a viewer makes; hours: in so many.
    """

    def __init__(self, port: int, each: int, hours: int) -> None:
        self._own, self._each, self._hours, self._numbers = f"127.0.0.1:{port}", each, hours, count()
        self.made, self.moved, self.failed = 0, 0, list[str]()

    def __str__(self) -> str:
        return f"{self.made} visits, {self.moved} slider moves answered, {len(self.failed)} failed"

    def due(self, viewer: int, hour: int) -> bool:
        """Return whether a viewer comes in an hour: each a certain number of times, spread over the day."""
        return (hour * self._each + viewer) % self._hours < self._each

    async def visit(self, viewer: int, hour: int) -> None:
        """Let a viewer come, each time to another lab and with another end; note when it fails, and go on."""
        lab, end = list(LABS)[(viewer + hour) % len(LABS)], ENDS[(viewer // len(LABS) + hour) % len(ENDS)]
        try:
            async with asyncio.timeout(VISIT_S):
                await self._visit(lab, end)
            self.made += 1
        except Exception as error:  # whatever went wrong, the day goes on and ends with it
            self.failed.append(f"{hour} h, {lab}, {end}: {error!r}"[:300])
            print(self.failed[-1], flush=True)

    async def _visit(self, lab: str, end: str) -> None:
        """Open a lab, move its sliders, and leave in some way."""
        if end == "dropped":
            await asyncio.to_thread(drop, int(self._own.partition(":")[2]), f"/lab/{lab}", 300)
            return
        page = await AsyncHTTPClient().fetch(f"http://{self._own}/lab/{lab}", request_timeout=90)
        found = re.search(rb'"kernelId": "([^"]+)"', page.body)
        if found is None:
            raise ValueError("the page names no kernel")
        kernel = found[1].decode()
        wire = await self._connect(kernel)
        for model, state in (await self._sliders(wire))[:1]:
            for value in (state["max"] if state["value"] == state["min"] else state["min"], state["value"]):
                data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
                await self._say(wire, "comm_msg", {"comm_id": model, "data": data})
                await self._hear(wire, "update")
                self.moved += 1
        if end == "line lost":
            wire.close()
            await asyncio.sleep(0.5)
            wire = await self._connect(kernel)
            await self._sliders(wire)
        if end == "forgotten":  # the server ends the kernel; the tab stays
            await asyncio.sleep(WAITS["IDLE_S"] + WAITS["GRACE_S"])
        wire.close()
        if end in ("closed", "line lost"):
            url, own = f"http://{self._own}/voila/api/shutdown/{kernel}", {"Origin": f"http://{self._own}"}
            await AsyncHTTPClient().fetch(url, method="POST", body="", headers=own)

    async def _connect(self, kernel: str) -> WebSocketClientConnection:
        url = f"ws://{self._own}/api/kernels/{kernel}/channels?session_id=viewer{next(self._numbers)}"
        asked = HTTPRequest(url, headers={"Origin": f"http://{self._own}"}, connect_timeout=60)
        return await websocket_connect(asked, subprotocols=[PROTOCOL])

    async def _sliders(self, wire: WebSocketClientConnection) -> list[tuple[str, dict[str, Any]]]:
        """Ask for the state of all widgets, as a page does; return the sliders of one number."""
        control = f"{next(self._numbers):032x}"
        await self._say(wire, "comm_open", {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}})
        await self._say(wire, "comm_msg", {"comm_id": control, "data": {"method": "request_states"}})
        states = (await self._hear(wire, "update_states"))["states"].items()
        kinds = ("IntSliderModel", "FloatSliderModel")
        return [(model, told["state"]) for model, told in states if told["model_name"] in kinds]

    async def _say(self, wire: WebSocketClientConnection, kind: str, content: dict[str, Any]) -> None:
        """Send a message of the framed protocol."""
        who = {"session": "viewer", "username": "", "version": "5.3", "date": ""}
        header = {"msg_id": f"{id(wire)} {next(self._numbers)}", "msg_type": kind, **who}
        about = {"version": "1.0.0"}  # of the protocol by which a page asks for all widgets
        parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, about, content))]
        offsets = [8 * (len(parts) + 2)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        await wire.write_message(
            b"".join(n.to_bytes(8, "little") for n in (len(offsets), *offsets)) + b"".join(parts), True
        )

    async def _hear(self, wire: WebSocketClientConnection, method: str) -> dict[str, Any]:
        """Return the data of the next message of a widget that says something."""
        while (said := await wire.read_message()) is not None:
            if isinstance(said, bytes):
                offsets = [int.from_bytes(said[8 * i : 8 * i + 8], "little") for i in range(1, 1 + said[0])]
                parts = [said[begin:end] for begin, end in pairwise(offsets)]
                data = json.loads(parts[4]).get("data", {}) if b"comm_msg" in parts[1] else {}
                if data.get("method") == method:
                    return data
        raise ConnectionError(f"closed with {wire.close_code}")


def words(process: psutil.Process) -> list[str]:
    """Return the command of a process, nothing of one that has ended."""
    with suppress(psutil.NoSuchProcess):
        return list(process.cmdline())
    return []


def ask(port: int, path: str) -> bytes:
    """Return an answer over a connection of its own."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        wire.request("GET", path)
        return wire.getresponse().read()
    finally:
        wire.close()


def drop(port: int, path: str, after: int) -> None:
    """Ask and go away after a few bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        wire.recv(after)


if __name__ == "__main__":
    main()
