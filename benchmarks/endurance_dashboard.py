"""A day of watching in minutes: pages opened, reloaded and dropped half-way, kernels among them; what is left behind.

One round is one minute of the day: two pages without a kernel opened and refreshed, one answer abandoned after its first
bytes. Every tenth minute somebody opens a page that needs a kernel and drops the connection, every twentieth somebody
opens one and closes it properly. Memory, file handles, threads and kernels are compared with those after a warm-up.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from bench_dashboard import REPOSITORY
from bench_views import fill

from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.workspace import Workspace

MINUTES, WARM_UP, SETTLE_S = 1440, 60, 15.0
ALLOWED_MB = 24.0  # what an allocator keeps is no leak; a leak of 10 kB a page would be 40 MB
SERVE = """
import sys
from pathlib import Path
from peaktrade_core.workspace.workspace import Workspace
from peaktrade_core.dashboard.server import serve
serve(Workspace(Path(sys.argv[1])), port=0, pages=Path(sys.argv[2]))
"""


class Held(NamedTuple):
    """What the server holds: private memory [MB], file handles, threads, processes below it."""

    memory: float
    handles: int
    threads: int
    children: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=24.0)
    options.add_argument("--records", type=int, default=1000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, pages = Path(folder) / "home", Path(folder) / "pages"
        (home / "config").mkdir(parents=True)
        (home / "config" / "config.toml").write_bytes((REPOSITORY / "config" / "config.toml").read_bytes())
        session_id = fill(Workspace(home), given.records, 1, 2000)[0]
        Registry.of(Workspace(home)).refresh()
        kernel_pages(pages)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(home), str(pages)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+:(\d+)/", server.stdout.readline())
            if found is None:
                raise SystemExit("the server did not start")
            watch(server.pid, int(found[1]), session_id, round(given.hours * 60))
        finally:
            server.terminate()
            server.wait(20)


def kernel_pages(folder: Path) -> None:
    """Copy the shipped pages and give one of them code that needs a kernel."""
    folder.mkdir()
    for path in (REPOSITORY / "notebooks" / "dashboards").glob("*.ipynb"):
        (folder / path.name).write_bytes(path.read_bytes())
    page = folder / "system.ipynb"
    notebook = json.loads(page.read_text())
    code = {
        **notebook["cells"][-1],
        "cell_type": "code",
        "id": "needs-a-kernel",
        "source": "import os; print(os.getpid())",
    }
    notebook["cells"].append({"outputs": [], "execution_count": None, **code})
    notebook["metadata"]["peaktrade"]["interactive"] = True
    page.write_text(json.dumps(notebook))


def watch(pid: int, port: int, session_id: str, minutes: int) -> None:
    """Play the day and print what is left of it.

    Raises:
        SystemExit: something was left behind.
    """
    began, kernels = time.perf_counter(), 0
    first = None
    for minute in range(WARM_UP + minutes):
        kernels += one_minute(port, session_id, minute)
        if minute == WARM_UP - 1:
            first = held(pid)
        if minute % 240 == 239:
            print(f"{minute // 60 + 1:3d} h  {held(pid)}", flush=True)
    assert first is not None
    time.sleep(SETTLE_S)
    last = held(pid)
    print(f"\nafter the warm-up {first}\nat the end        {last}")
    print(f"{minutes / 60:g} hours in {time.perf_counter() - began:.0f} s, {kernels} pages with a kernel")
    leaks = [name for name, now, then in zip(Held._fields[1:], last[1:], first[1:], strict=True) if now > then + 2]
    if leaks or last.memory - first.memory > ALLOWED_MB:
        raise SystemExit(f"left behind: {', '.join(leaks) or 'memory'}")


def held(pid: int) -> Held:
    """Return what a process holds."""
    process = psutil.Process(pid)
    return Held(
        round(process.memory_full_info().uss / 1e6, 1),
        process.num_fds(),
        process.num_threads(),
        len(process.children(recursive=True)),
    )


def one_minute(port: int, session_id: str, minute: int) -> int:
    """Do what happens in a minute and return how many pages with a kernel were opened."""
    for path in ("/?mode=shadow", f"/session/{session_id}", "/api/panels?panel=status&panel=history", "/runs"):
        ask(port, path)
    drop(port, "/", 300)
    if minute % 10 == 0:
        drop(port, "/system", 1)
        return 1
    if minute % 20 == 5:
        body = ask(port, "/system")
        for kernel in re.findall(rb'"kernelId":\s*"([^"]+)"', body):
            with contextlib.suppress(OSError):
                ask(port, f"/voila/api/shutdown/{kernel.decode()}", "POST")
        return 1
    return 0


def ask(port: int, path: str, method: str = "GET") -> bytes:
    """Return an answer over a connection of its own."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        wire.request(method, path, headers={"Origin": f"http://127.0.0.1:{port}"})
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
