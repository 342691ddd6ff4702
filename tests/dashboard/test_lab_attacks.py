"""A viewer who attacks over the websocket of an open lab: to run code, make objects, get at files or hosts, stay, flood.

One lab here is as careless as can be: it runs whatever text its viewer sends. So what is refused there is refused by the
bounds of the kernel, and each test also sees something pass, which shows that its messages arrive.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Dashboard, make_history, make_page, new_workspace, text
from test_attacks import FORBIDDEN, connect, fingerprint, message, refusal
from test_labs import ATTEMPTED, ATTEMPTS, ended
from tornado.websocket import WebSocketClientConnection

from peaktrade_core.dashboard.wire import BURST, PROTOCOL
from peaktrade_core.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("confined_kernels")
CARELESS = """
import contextlib, io
import ipywidgets as w

asked, told = w.Text(), w.Text()

def run(change):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(change.new, {})
    told.value = said.getvalue()

asked.observe(run, "value")
print("ids", asked.model_id, told.model_id)
w.VBox([asked, told])
"""
OPEN_FILES = """
import os, pathlib
home = pathlib.Path(os.environ["PEAKTRADE_HOME"])
for path in ({paths}):
    try:
        print("READ", pathlib.Path(path).read_bytes()[:40])
    except OSError as error:
        print("refused", type(error).__name__)
print("environment", sorted(name for name in os.environ if "SECRET" in name or "KEY" in name or "TOKEN" in name))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = new_workspace(tmp_path_factory.mktemp("attacked") / "home")
    for name in ("alerts.toml", "people.toml", "credentials.toml"):
        (workspace.home / "config" / name).write_text("canary-7f3a")
    (workspace.home / "id_ed25519").write_text("canary-7f3a")
    make_history(workspace)
    make_page(workspace.home / "dashboards", CARELESS, page="careless")
    return workspace


@pytest.fixture(scope="module")
def labs(home: Workspace) -> Iterator[Dashboard]:
    secrets = {"KRAKEN_API_SECRET": "canary-7f3a", "BINANCE_API_KEY": "canary-7f3a", "PEAKTRADE_DASHBOARD_TOKEN": ""}
    slow = (1, 1000)  # messages and bytes that come back each second: a busy machine floods slowly
    running = Dashboard(home.home, env=secrets, kernels=4, allowed_per_s=slow)
    yield running
    running.stop()


class Viewer:
    """Somebody who has opened a lab, and says what he likes to its kernel.

    Attributes:
        kernel: its id; url: of its websocket; body: the page.
    """

    def __init__(self, labs: Dashboard, name: str) -> None:
        self.labs, self.own = labs, labs.url.rstrip("/")
        self.body = labs.get(f"/lab/{name}").body
        found = re.search(r'"kernelId": "([^"]+)"', self.body)
        assert found, text(self.body)
        self.kernel = found[1]
        self.url = f"{labs.url.replace('http', 'ws')}api/kernels/{self.kernel}/channels?session_id=test"

    async def __aenter__(self) -> Viewer:
        try:
            self.wire: WebSocketClientConnection = await connect(self.url, self.own, [PROTOCOL])
        except Exception as error:
            raise AssertionError(text(self.body)[-3000:]) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self.wire.close()
        self.labs.get(f"/voila/api/shutdown/{self.kernel}", "POST", Origin=self.own)

    async def say(self, kind: str, content: dict[str, Any], channel: bytes = b"shell") -> None:
        await self.wire.write_message(message(kind, content, channel), binary=True)

    async def hear(self, word: str, within: float = 30.0) -> str:
        """Return the next message in which a word stands."""
        until = time.monotonic() + within
        while (said := await asyncio.wait_for(self.wire.read_message(), until - time.monotonic())) is not None:
            text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
            if word in text:
                return text
        raise AssertionError(f"closed with {self.wire.close_code}")

    async def comms(self) -> set[str]:
        """Return the ids of all objects that the kernel has for pages."""
        await self.say("comm_info_request", {})
        return set(re.findall(r"[0-9a-f]{32}", await self.hear("comm_info_reply")))

    async def run(self, code: str) -> str:
        """Have the careless lab run something; return what it printed."""
        asked, told = re.findall(r"ids ([0-9a-f]{32}) ([0-9a-f]{32})", self.body)[0]
        state = {"method": "update", "state": {"value": code}, "buffer_paths": []}
        await self.say("comm_msg", {"comm_id": asked, "data": state})
        while True:
            text = await self.hear(told)
            found = re.search(r'"value":\s*("(?:[^"\\]|\\.)*")', text)
            if found:
                return str(json.loads(found[1]))


def most_memory(labs: Dashboard) -> int:
    """Return the most resident memory that the server has had so far [bytes]."""
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{labs.process.pid}/status").read_text())
    return int(peak) * 1024


def test_no_code_no_widget_and_no_other_object_is_made(labs: Dashboard, home: Workspace, tmp_path: Path) -> None:
    before, ran = fingerprint(home), tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w').close()"
    asked = {"code": code, "silent": False, "cursor_pos": 0, "user_expressions": {"x": code}, "value": code}
    state = {"_model_name": "TextModel", "_model_module": "@jupyter-widgets/controls", "value": code}

    async def attack() -> None:
        async with Viewer(labs, "parameters") as viewer:
            known = await viewer.comms()
            assert len(known) > 20
            for kind in FORBIDDEN:
                for channel in (b"shell", b"control", b"stdin", b"iopub"):
                    await viewer.say(kind, asked, channel)
            for target in ("jupyter.widget", "jupyter.widget.version", "evil", ""):
                await viewer.say("comm_open", {"comm_id": "f" * 32, "target_name": target, "data": {"state": state}})
            for one in list(known)[:3]:
                await viewer.say("comm_close", {"comm_id": one, "data": {}})
            await viewer.say("comm_msg", {"comm_id": "e" * 32, "data": {"method": "custom", "content": {"code": code}}})
            assert await viewer.comms() == known

    asyncio.run(attack())
    assert not ran.exists()
    assert fingerprint(home) == before


@pytest.mark.parametrize("first", ["execute_request", "comm_msg"])
def test_a_message_that_says_two_things_runs_nothing(labs: Dashboard, first: str) -> None:
    second = {"execute_request": "comm_msg", "comm_msg": "execute_request"}[first]

    async def attack() -> str:
        async with Viewer(labs, "careless") as viewer:
            content = {"code": "asked.value = 'print(1)'", "silent": False, "comm_id": "x", "data": {}}
            raw = message("comm_msg", content)
            twice = f'"msg_type": "{first}", "msg_type": "{second}"'
            parts = raw.replace(b'"msg_type": "comm_msg"', twice.encode())
            grown = len(parts) - len(raw)
            n = int.from_bytes(raw[:8], "little")
            offsets = [int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(1, n + 1)]
            moved = [at + (grown if number >= 2 else 0) for number, at in enumerate(offsets)]
            table = b"".join(at.to_bytes(8, "little") for at in (n, *moved))
            await viewer.wire.write_message(table + parts[len(table) :], binary=True)
            return await viewer.run("print(asked.value if 'asked' in dir() else 'here')")

    assert "here" in asyncio.run(attack())


def test_code_that_a_lab_runs_for_its_viewer_stays_in_its_bounds(
    labs: Dashboard, home: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("canary-7f3a")
    before = fingerprint(home)
    secret = [home.home / "config" / name for name in ("alerts.toml", "people.toml", "credentials.toml")]
    secret += [home.home / "id_ed25519", Path.home() / ".bashrc", Path("/etc/shadow"), Path("/proc/1/environ")]

    async def attack() -> tuple[str, str, str]:
        async with Viewer(labs, "careless") as viewer:
            return (
                await viewer.run("print(6 * 7)"),
                await viewer.run(ATTEMPTS.format(outside=str(tmp_path), port=labs.port)),
                await viewer.run(OPEN_FILES.format(paths=", ".join(repr(str(path)) for path in secret))),
            )

    worked, tried, read = asyncio.run(attack())
    assert worked == "42\n"
    assert re.findall(r"DID \w+", tried) == []
    assert len(re.findall(r"refused \w+ (?:PermissionError|OSError)", tried)) == ATTEMPTED, tried
    assert read.count("refused") == len(secret), read
    assert "environment []" in read
    assert "canary-7f3a" not in tried + read
    assert fingerprint(home) == before


def test_nobody_stays_after_the_page_was_closed(labs: Dashboard) -> None:
    assert ended(labs)

    async def attack() -> str:
        async with Viewer(labs, "careless") as viewer:
            await viewer.run("print(1)")
            (kernel,) = labs.kernels()
            labs.get(f"/voila/api/shutdown/{viewer.kernel}", "POST", Origin=viewer.own)
            for _ in range(20):
                await viewer.say("kernel_info_request", {})
            kernel.wait(60)
            return viewer.url

    assert refusal(asyncio.run(attack()), labs.url.rstrip("/"), [PROTOCOL]) == 404
    assert ended(labs, 10.0)


@pytest.mark.parametrize(("size", "many"), [(200, 3 * BURST), (900_000, 60)])
def test_who_floods_is_cut_off_and_others_are_answered(labs: Dashboard, size: int, many: int) -> None:
    held = most_memory(labs)

    async def attack() -> tuple[int, bool]:
        async with Viewer(labs, "careless") as viewer, Viewer(labs, "careless") as other:
            busy = "import time; time.sleep(2); print(1)"  # so that nothing is taken away meanwhile
            asked = re.findall(r"ids ([0-9a-f]{32})", viewer.body)[0]
            state = {"method": "update", "state": {"value": busy}, "buffer_paths": []}
            await viewer.say("comm_msg", {"comm_id": asked, "data": state})
            for _ in range(many):
                if viewer.wire.close_code is not None or viewer.wire.protocol is None:
                    break
                try:
                    await viewer.say("comm_msg", {"comm_id": "e" * 32, "data": {"x": "y" * size}})
                except Exception:  # tornado's, of a stream that was closed
                    break
            while await asyncio.wait_for(viewer.wire.read_message(), 60) is not None:
                pass
            return int(viewer.wire.close_code or 0), await other.run("print(2)") == "2\n"

    assert asyncio.run(attack()) == (1008, True)
    assert labs.get("/api/health").status == 200
    assert most_memory(labs) - held < 100e6
    assert ended(labs)


def test_what_comes_after_the_farewell_is_not_read(labs: Dashboard) -> None:
    held = most_memory(labs)

    async def attack() -> int:
        async with Viewer(labs, "careless") as viewer:
            await viewer.run("print(1)")
            sent = (b"no frame", *(message("kernel_info_request", {}) for _ in range(20)))
            await asyncio.gather(*(viewer.wire.write_message(one, binary=True) for one in sent))
            while await asyncio.wait_for(viewer.wire.read_message(), 60) is not None:
                pass
            return int(viewer.wire.close_code or 0)

    assert asyncio.run(attack()) == 1007
    assert labs.get("/api/health").status == 200
    assert most_memory(labs) - held < 100e6
