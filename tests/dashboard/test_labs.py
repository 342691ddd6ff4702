"""The labs over the wire: what is listed and opened, what their code can and cannot do, and when their kernels end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Dashboard, make_history, make_page, new_workspace
from test_attacks import connect, fingerprint, message, refusal

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.dashboard import wire
from peaktrade_core.dashboard.labs.shelf import Shelf, read_lab, told_of
from peaktrade_core.dashboard.wire import BURST, PER_S, PROTOCOL, Allowance, for_widgets
from peaktrade_core.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("confined_kernels")
ATTEMPTS = r"""
import ctypes, os, pathlib, signal, socket, subprocess, sys
home, outside, port = pathlib.Path(os.environ["PEAKTRADE_HOME"]), pathlib.Path({outside!r}), {port}
record = next((home / "reports" / "experiments" / "live_sessions").iterdir())
libc = ctypes.CDLL(None, use_errno=True)

def native(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "native")

attempts = dict(
    write_workspace=lambda: (home / "reports" / "planted").write_text("x"),
    change_record=lambda: record.write_text("x"),
    delete_record=lambda: record.unlink(),
    move_record=lambda: record.rename(record.with_name("moved")),
    change_rights=lambda: record.chmod(0o600),
    change_times=lambda: os.utime(record),
    truncate=lambda: os.truncate(record, 0),
    native_write=lambda: native(libc.open(str(home / "planted").encode(), os.O_CREAT | os.O_WRONLY, 0o600)),
    write_outside=lambda: (outside / "planted").write_text("x"),
    write_package=lambda: pathlib.Path(sys.modules["peaktrade_core"].__file__).with_name("planted.py").write_text("x"),
    read_secret=lambda: (outside / "secret").read_text(),
    read_config_folder=lambda: (home / "config" / "alerts.toml").read_text(),
    read_server_environment=lambda: pathlib.Path(f"/proc/{{os.getppid()}}/environ").read_bytes(),
    tcp=lambda: socket.create_connection(("127.0.0.1", port), timeout=2),
    udp=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    six=lambda: socket.socket(socket.AF_INET6),
    unix=lambda: socket.socket(socket.AF_UNIX).connect(str(outside / "socket")),
    native_socket=lambda: native(libc.socket(2, 1, 0)),
    run_program=lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True),
    end_server=lambda: os.kill(os.getppid(), signal.SIGTERM),
    new_namespace=lambda: native(libc.unshare(0x10000000)),
)
for name, attempt in attempts.items():
    try:
        attempt()
        print("DID", name)
    except BaseException as error:
        print("refused", name, type(error).__name__)
print("secrets", [name for name in os.environ if "SECRET" in name], os.environ.get("HOME"))
print("reads", (home / "config" / "config.toml").is_file() and record.read_text()[:1])
import tempfile; print("own", tempfile.NamedTemporaryFile().write(b"x"))
"""
ATTEMPTED = ATTEMPTS.count("=lambda:")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = new_workspace(tmp_path_factory.mktemp("labs") / "home")
    (workspace.home / "config" / "alerts.toml").write_text("webhook = 'canary-7f3a'")
    make_history(workspace)
    own = workspace.home / "dashboards"
    make_page(own, "import ipywidgets; ipywidgets.IntSlider(3)", page="slider")
    make_page(own, "1", page="report", kind="runbook", side_effects=True)
    make_page(own, "import os; os._exit(3)", page="dies")
    (own / "torn.ipynb").write_text("{")
    return workspace


@pytest.fixture(scope="module")
def labs(home: Workspace) -> Iterator[Dashboard]:
    running = Dashboard(home.home, env={"KRAKEN_API_SECRET": "canary-7f3a"}, kernels=4, arrive_s=5.0, ping_s=0.2)
    yield running
    running.stop()


def ended(labs: Dashboard, within: float = 60.0) -> bool:
    """Return whether no kernel is left within some seconds."""
    until = time.monotonic() + within
    while labs.kernels() and time.monotonic() < until:
        time.sleep(0.2)
    return not labs.kernels()


def test_labs_of_both_folders_are_listed_and_a_damaged_one_says_so(labs: Dashboard) -> None:
    listed = labs.json("/api/labs")
    assert [lab["name"] for lab in listed] == [
        "compare",
        "limits",
        "parameters",
        "sweep",
        "candles",
        "dies",
        "slider",
        "torn",
    ]
    assert {lab["name"]: bool(lab["fault"]) for lab in listed}["torn"]
    page = labs.get("/lab").body
    assert 'href="/lab/slider"' in page
    assert "no notebook" in page
    assert 'href="/lab/report"' not in page


@pytest.mark.parametrize(
    ("path", "status"), [("nope", 404), ("report", 403), ("torn", 403), ("alerts", 403), ("..", 404)]
)
def test_what_is_no_lab_is_not_run(labs: Dashboard, path: str, status: int) -> None:
    answer = labs.get(f"/lab/{path}")
    assert answer.status == status
    assert labs.kernels() == [] or ended(labs)


def test_code_of_a_lab_writes_nothing_reads_no_secret_and_reaches_nobody(
    labs: Dashboard, home: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("canary-7f3a")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        make_page(home.home / "dashboards", ATTEMPTS.format(outside=str(tmp_path), port=labs.port), page="evil")
        before = fingerprint(home)
        body = labs.get("/lab/evil").body
    said = "".join(json.loads(text).get("text", "") for text in re.findall(r"cell-output\+json\">(.*?)</script>", body))
    assert re.findall(r"DID \w+", said) == []
    assert len(re.findall(r"refused \w+ (?:PermissionError|OSError)", said)) == ATTEMPTED, said
    assert "secrets [] " in said
    assert str(Path.home()) not in said.partition("secrets")[2]
    assert "reads {" in said
    assert "own 1" in said
    assert "canary-7f3a" not in body
    assert fingerprint(home) == before
    assert labs.get("/api/health").status == 200


def test_a_kernel_ends_with_its_viewer_and_leaves_no_folder(labs: Dashboard) -> None:
    assert ended(labs)
    found = re.search(r'"kernelId": "([^"]+)"', labs.get("/lab/slider").body)
    assert found
    assert len(labs.kernels()) == 1
    assert labs.get(f"/api/kernels/{found[1]}").status == 200
    own = labs.url.rstrip("/")
    assert labs.get(f"/voila/api/shutdown/{found[1]}", "POST", Origin=own).status == 204
    assert ended(labs, 5.0)
    assert labs.get(f"/api/kernels/{found[1]}").status == 404


def opened(labs: Dashboard, name: str) -> tuple[str, str]:
    """Open a lab; return its kernel's id and the address of its websocket."""
    found = re.search(r'"kernelId": "([^"]+)"', labs.get(f"/lab/{name}").body)
    assert found
    return found[1], f"{labs.url.replace('http', 'ws')}api/kernels/{found[1]}/channels?session_id=test"


def test_a_viewer_who_answers_keeps_the_connection_and_the_kernel(labs: Dashboard) -> None:
    assert ended(labs)
    kernel, url = opened(labs, "slider")

    async def watch() -> str:
        wire = await connect(url, labs.url.rstrip("/"), [PROTOCOL])
        until = asyncio.get_running_loop().time() + 2.0  # ten times the interval in which it is asked
        while (left := until - asyncio.get_running_loop().time()) > 0.0:
            with contextlib.suppress(TimeoutError):
                assert await asyncio.wait_for(wire.read_message(), left) is not None
        await wire.write_message(message("comm_info_request", {}), binary=True)
        said = str(await asyncio.wait_for(wire.read_message(), 60))
        wire.close()
        return said

    async def sleep() -> None:
        wire = await connect(url, labs.url.rstrip("/"), [PROTOCOL])
        wire.protocol.write_ping = wire.protocol._write_frame = lambda *_, **__: None  # answers nothing any more
        while await asyncio.wait_for(wire.read_message(), 60) is not None:
            pass

    assert "comm_info" in asyncio.run(watch())
    asyncio.run(sleep())
    labs.get(f"/voila/api/shutdown/{kernel}", "POST", Origin=labs.url.rstrip("/"))
    assert refusal(url, labs.url.rstrip("/"), [PROTOCOL]) == 404
    assert json.loads(labs.get(f"/api/kernels/{kernel}").body)["message"]


def test_a_kernel_that_dies_is_not_started_again_and_frees_its_place(labs: Dashboard) -> None:
    for _ in range(5):  # one more than there are places
        assert labs.get("/lab/dies").status == 200
        assert ended(labs)


@pytest.mark.parametrize(
    ("channel", "kind", "content", "passes"),
    [
        (b"shell", "comm_msg", {"comm_id": "x", "data": {}}, True),
        (b"shell", "kernel_info_request", {}, True),
        (b"shell", "comm_info_request", {}, True),
        (b"shell", "comm_open", {"target_name": "jupyter.widget.control"}, True),
        (b"shell", "comm_open", {"target_name": "jupyter.widget"}, False),
        (b"shell", "comm_open", {}, False),
        (b"control", "comm_msg", {}, False),
        (b"stdin", "input_reply", {"value": "1"}, False),
        (b"shell", "comm_close", {"comm_id": "x"}, False),
        (b"shell", "execute_request", {"code": "1"}, False),
        (b"control", "shutdown_request", {}, False),
        (b"control", "debug_request", {}, False),
        (b"shell", "create_subshell_request", {}, False),
    ],
)
def test_only_what_widgets_say_reaches_a_kernel(
    channel: bytes, kind: str, content: dict[str, object], passes: bool
) -> None:
    assert for_widgets(message(kind, content, channel)) is passes


def test_own_folder_does_not_hide_ours_and_names_do_not_leave_the_folders(tmp_path: Path) -> None:
    shelf = Shelf(make_page(tmp_path / "ours", "1", page="limits"), make_page(tmp_path / "own", "2", page="limits"))
    make_page(tmp_path, "3", page="outside")
    assert [lab.own for lab in shelf.labs()] == [False]
    assert shelf.path("limits").parent.name == "ours"
    for name in ("../outside", "nope", ".hidden", ""):
        with pytest.raises(UnknownNameError, match="known: limits"):
            shelf.path(name)


def test_a_notebook_without_metadata_is_a_lab_with_its_heading_as_title(tmp_path: Path) -> None:
    path = make_page(tmp_path, "1", page="my_own") / "my_own.ipynb"
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {}
    notebook["cells"].insert(
        0, {"cell_type": "markdown", "metadata": {}, "source": ["# Mine\n", "\n", "What it\n", "is."]}
    )
    path.write_text(json.dumps(notebook))
    assert told_of(read_lab(path), "my_own") == ("Mine", "What it is.")
    assert read_lab(path)["metadata"]["peaktrade"]["interactive"] is True


def test_what_a_viewer_has_spent_comes_back_with_time_up_to_the_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(wire.time, "monotonic", lambda: now)
    messages = Allowance(BURST, PER_S)
    assert sum(messages.spend(1) for _ in range(BURST + 50)) == BURST
    now += 1.0
    assert sum(messages.spend(1) for _ in range(PER_S + 50)) == PER_S - 50  # the refused ones count, too
    now += 3600.0
    assert sum(messages.spend(1) for _ in range(BURST + 50)) == BURST
