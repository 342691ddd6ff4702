"""Kernels that start at once: they are kernels like any other, and nothing is left behind whoever dies."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client import BlockingKernelClient, KernelManager

from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.runbooks.notebooks.execute import Executed, execute
from peaktrade_core.trading.market import Bar
from peaktrade_core.warm import owner
from peaktrade_core.warm.owner import Nursery, present_nursery, warm_kernels
from peaktrade_core.warm.provisioner import kernel_spec
from peaktrade_core.warm.spare import Spare

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
REPO = Path(__file__).resolve().parents[2]
SHOWN = "import pandas as pd, plotly.graph_objects as go; frame = pd.DataFrame({'a': [1.5, 2.5], 'b': ['x', 'y']})"
OWNER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_warm_kernels import Kernel
from peaktrade_core.warm.owner import Nursery
nursery = Nursery((), ahead=True)
nursery.start()
kernel = Kernel(nursery)
kernel.client.execute(sys.argv[2])
time.sleep(0.5)
print(nursery.pid, kernel.pid, flush=True)
time.sleep(60)
"""


class _Manager(KernelManager):
    nursery: Nursery | None = None
    memory: int | None = None

    @property
    def kernel_spec(self) -> Any:
        return kernel_spec(self.nursery, memory=self.memory)


class Kernel:
    """A running kernel and a client of it."""

    def __init__(self, nursery: Nursery | None, memory: int | None = None, **options: Any) -> None:
        self.folder = tempfile.mkdtemp(prefix="pt")
        self.manager = _Manager(connection_file=f"{self.folder}/k.json", transport="ipc")
        self.manager.nursery, self.manager.memory = nursery, memory
        self.manager.start_kernel(**options)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    @property
    def forked(self) -> bool:
        return isinstance(self.manager.provisioner.process, owner.WarmProcess)

    def run(self, code: str) -> str:
        """Return what the code prints, or the name of the error that it ends with."""
        said: list[str] = []
        reply = self.client.execute_interactive(
            code, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", ""))
        )
        return "".join(said).strip() if reply["content"]["status"] == "ok" else reply["content"]["ename"]

    def end(self) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def settles(true: Callable[[], bool], within: float = 8.0) -> bool:
    """Return whether something comes true."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            if true():
                return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    """Return whether a process runs; one that nobody waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(*pids: int) -> bool:
    """Return whether all processes end."""
    return settles(lambda: not any(alive(pid) for pid in pids))


def ready(nursery: Nursery, *others: int) -> int:
    """Return the process id of the kernel that waits to be wanted: the nursery's only child beside the others."""

    def children() -> list[int]:
        return [child.pid for child in psutil.Process(nursery.pid).children() if child.pid not in others]

    assert nursery._spare is not None
    spare = nursery._spare
    assert settles(lambda: len(children()) == 1 and spare._ready is not None)
    return children()[0]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(("peaktrade_core",), {**os.environ, "SECRET_KEY": "canary-51c2"}) as running:
        yield running
    assert running.pid is None


@pytest.fixture
def kernel(nursery: Nursery) -> Iterator[Callable[..., Kernel]]:
    made: list[Kernel] = []

    def make(chosen: Nursery | None = nursery, **options: Any) -> Kernel:
        made.append(Kernel(chosen, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


def environment(**own: str) -> dict[str, str]:
    """Return an environment that a kernel can be forked with, and more."""
    return {k: v for k, v in os.environ.items() if k == "PATH" or k.startswith(owner.READ_AT_START)} | own


def test_a_kernel_gets_its_own_environment_folder_and_session(kernel, tmp_path):
    one = kernel(cwd=str(tmp_path), env=environment(PEAKTRADE_HOME="/somewhere", TZ="Asia/Tokyo"))
    assert one.forked
    assert one.run("import os; print(os.environ['PEAKTRADE_HOME'], os.getcwd())") == f"/somewhere {tmp_path}"
    assert one.run("print(sorted(k for k in os.environ if 'SECRET' in k))") == "[]"
    assert one.run("import time; print(time.tzname[0])") == "JST"
    assert one.run("print(os.getsid(0) == os.getpid() == os.getpgid(0))") == "True"
    assert one.run("import subprocess; print(subprocess.check_output(['env']).decode().count('canary'))") == "0"
    assert one.run("import sys; print(sys.executable)") == sys.executable


def test_kernels_draw_different_random_numbers(kernel):
    ask = "import random, uuid, numpy; print(random.random(), numpy.random.rand(), uuid.uuid4())"
    drawn = [set(kernel().run(ask).split()) for _ in range(2)]
    assert len(drawn[0] | drawn[1]) == 6


def test_libraries_with_threads_work_after_the_fork(kernel):
    code = (
        "import numpy as np, pandas as pd; a = np.ones((600, 600)); t = pd.DataFrame({'s': ['a', 'b'] * 9000});"
        "t.to_parquet('/dev/null'); print((a @ a)[0, 0], t.s.str.upper().value_counts()['A'])"
    )
    assert kernel().run(code) == "600.0 9000"


def test_an_interrupt_ends_the_cell_and_not_the_kernel(kernel):
    one = kernel()
    sent = one.client.execute("import time; print('on', flush=True); time.sleep(60)", stop_on_error=False)
    while one.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    one.manager.interrupt_kernel()
    reply = one.client.get_shell_msg(timeout=60)
    assert (reply["parent_header"]["msg_id"], reply["content"]["ename"]) == (sent, "KeyboardInterrupt")
    assert one.run("print(1)") == "1"


@pytest.mark.parametrize("warm", [True, False], ids=["forked", "ordinary"])
def test_a_kernel_cannot_take_more_memory_than_it_may(kernel, nursery, warm):
    one = kernel(nursery if warm else None, memory=1 << 30)
    assert one.forked == warm
    assert one.run("hoard = bytearray(3 << 30)") == "MemoryError"
    assert one.run("print(len(bytearray(50 << 20)))") == str(50 << 20)


def test_a_kernel_restarts(kernel):
    one = kernel()
    before = one.pid
    one.manager.restart_kernel(now=True)
    one.client.wait_for_ready(timeout=60)
    assert one.pid != before
    assert gone(before)
    assert one.run("print(1)") == "1"


def test_a_killed_kernel_is_noticed_and_the_next_one_works(kernel):
    one = kernel()
    os.kill(one.pid, signal.SIGKILL)
    assert gone(one.pid)
    assert one.manager.provisioner.process.wait(60) == -signal.SIGKILL
    assert not one.manager.is_alive()
    assert kernel().run("print(1)") == "1"


def test_a_kernel_outlives_the_nursery_and_the_next_one_is_an_ordinary_one(caplog):
    with Nursery((), ahead=True) as mortal, caplog.at_level(logging.WARNING, "peaktrade.kernels"):
        first = Kernel(mortal)
        parent = mortal.pid
        assert parent is not None
        os.kill(parent, signal.SIGKILL)
        assert gone(parent)
        assert first.forked
        assert first.run("print(1)") == "1"
        others = [Kernel(mortal) for _ in range(3)]
        assert [other.forked for other in others][1:] == [False, False]  # the first may be the one that was ready
        assert [other.run("print(2)") for other in others] == ["2"] * 3
        assert len(caplog.messages) == 1
        assert "kernels start slowly: the process that kernels are forked from ended" in caplog.messages[0]
        pids = [one.pid for one in (first, *others)]
        for one in (first, *others):
            one.end()
        assert gone(*pids)


@pytest.mark.parametrize("killed", ["owner", "owner and nursery"])
@pytest.mark.parametrize("work", ["import time; time.sleep(60)", "while True: pass"], ids=["sleeps", "busy"])
def test_nothing_outlives_the_owner(killed, work):
    child = "import subprocess; subprocess.Popen(['sleep', '60'])\n" + work
    command = [sys.executable, "-c", OWNER, str(Path(__file__).parent), child]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPO)})
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    family = [*pids, *(grandchild.pid for grandchild in psutil.Process(pids[1]).children(recursive=True))]
    assert len(family) == 3
    family.extend(child.pid for child in psutil.Process(pids[0]).children())  # with the one that is ready
    for pid in [pids[0]] if killed == "owner and nursery" else []:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(*family)


def test_the_next_kernel_is_ready_and_becomes_what_is_asked_for(tmp_path):
    with Nursery((), ahead=True) as nursery:
        first = Kernel(nursery, env=environment(NOTE="first", HOME="/"))
        waiting = ready(nursery, first.pid)
        wanted = environment(NOTE="second", TZ="Asia/Tokyo", HOME="/")
        second = Kernel(nursery, memory=1 << 30, cwd=str(tmp_path), env=wanted)
        assert (second.forked, second.pid) == (True, waiting)
        assert second.run("import os, time; print(os.environ['NOTE'], os.getcwd(), time.tzname[0])") == (
            f"second {tmp_path} JST"
        )
        assert second.run("hoard = bytearray(3 << 30)") == "MemoryError"
        assert second.run("import ipykernel; print(ipykernel.get_connection_file())") == second.manager.connection_file
        assert second.run("print(In[1][:9], len(In))") == "import os 5"
        ready(nursery, first.pid, second.pid)
        second.manager.restart_kernel(now=True)  # whoever talks to it goes on where it was
        second.client.wait_for_ready(timeout=60)
        assert second.run("print('restarted')") == "restarted"
        for one in (first, second):
            one.end()


def test_the_next_kernel_needs_nothing_of_the_last_ones_folder(tmp_path, monkeypatch, capfd):
    late: list[Any] = []
    with Nursery((), ahead=True) as nursery:
        (tmp_path / "gone").mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(Spare, "prepare", lambda _, like: late.append(like))
            first = Kernel(nursery, cwd=str(tmp_path / "gone"))
        (tmp_path / "gone").rmdir()
        assert nursery._spare is not None
        nursery._spare.prepare(late[0])
        waiting = ready(nursery, first.pid)
        second = Kernel(nursery, cwd=str(tmp_path))
        assert second.pid == waiting
        assert second.run("import os; print(os.getcwd(), get_ipython().starting_dir)") == f"{tmp_path} {tmp_path}"
        for one in (first, second):
            one.end()
    assert "Traceback" not in capfd.readouterr().err


def test_a_ready_kernel_that_does_not_fit_or_was_killed_is_passed_over():
    with Nursery((), ahead=True) as nursery:
        first = Kernel(nursery, env=environment(HOME="/"))
        waiting = ready(nursery, first.pid)
        elsewhere = Kernel(nursery, env=environment(HOME="/tmp"))  # whose configuration it would have to read
        assert elsewhere.forked
        assert elsewhere.pid != waiting
        assert gone(waiting)
        waiting = ready(nursery, first.pid, elsewhere.pid)
        os.kill(waiting, signal.SIGKILL)
        assert gone(waiting)
        third = Kernel(nursery, env=environment(HOME="/tmp"))
        assert third.forked
        assert third.run("print(3)") == "3"
        for one in (first, elsewhere, third):
            one.end()


def test_a_ready_kernel_ends_with_the_nursery_and_leaves_no_files():
    with Nursery((), ahead=True) as nursery:
        first = Kernel(nursery)
        waiting = ready(nursery, first.pid)
        assert nursery._spare is not None
        folder = Path(str(nursery._spare._folder))
        assert list(folder.glob("*.json"))
        first.end()
    assert gone(waiting)
    assert not folder.exists()


def test_closing_ends_every_kernel_and_may_be_done_twice():
    one = Kernel(closed := Nursery((), ahead=True))
    helper, pid = closed.pid, one.pid
    assert helper is not None
    closed.close()
    closed.close()
    assert gone(helper, pid)
    one.end()


def test_the_process_that_is_forked_has_one_thread_though_labs_read_candles_in_it(tmp_path):
    (tmp_path / "config").mkdir()
    shutil.copy(REPO / "config" / "config.toml", tmp_path / "config")
    bars = [Bar(60.0 * n, 100.0, 101.0, 99.0, 100.0 + n % 2, 1.0) for n in range(3000)]
    CandleStore.of_workspace(tmp_path).put(Series("kraken", "BTC/EUR", "1m"), bars)
    (tmp_path / "looks.py").write_text(
        "from peaktrade_core.dashboard.labs import open_lab\nseen = []\n"
        "def look():\n    seen.append(len(open_lab('candles').price.drawn.lines[0].values))\n"
    )
    env = environment(PEAKTRADE_HOME=str(tmp_path), PYTHONPATH=str(tmp_path))
    with Nursery(("peaktrade_core.dashboard.labs:warm_up", "looks:look"), env) as nursery:
        for looks in (1, 2):
            one = Kernel(nursery, env=env)
            told = one.run("import looks, sys; print(len(looks.seen), looks.seen[0] > 100, 'duckdb' in sys.modules)")
            assert told == f"{looks} True True"
            one.end()
            assert nursery.pid is not None
            assert psutil.Process(nursery.pid).num_threads() == 1
            nursery.warm_again()


def test_a_nursery_that_warms_up_again_hands_on_what_came_later(tmp_path):
    (tmp_path / "grows.py").write_text(
        f"import pathlib\nseen = []\ndef look():\n    seen.append(pathlib.Path({str(tmp_path / 'now')!r}).read_text())\n"
    )
    (tmp_path / "now").write_text("before")
    env = environment(PYTHONPATH=str(tmp_path))
    with Nursery(("grows:look",), env) as nursery:
        first = Kernel(nursery, env=env)
        (tmp_path / "now").write_text("after")
        nursery.warm_again()
        second = Kernel(nursery, env=env)
        assert second.forked
        assert second.run("import grows; print(grows.seen)") == "['before', 'after']"
        assert first.run("import grows; print(grows.seen)") == "['before']"  # the one that was there goes on
        for one in (first, second):
            one.end()
    nursery.warm_again()  # of one that has ended it asks nothing
    assert nursery.pid is None


@pytest.mark.parametrize("broken", ["import raises", "hangs", "another python environment", "no fork"])
def test_without_a_nursery_a_kernel_starts_in_the_ordinary_way(broken, monkeypatch, tmp_path, caplog):
    env, wanted = dict(os.environ), dict(os.environ)
    if broken == "import raises":
        (tmp_path / "msgspec.py").write_text("raise SystemError('broken')")
        env["PYTHONPATH"] = wanted["PYTHONPATH"] = str(tmp_path)
        monkeypatch.setattr(owner, "READ_AT_START", ())
        wanted.pop("PYTHONPATH")
    elif broken == "hangs":
        (tmp_path / "stuck.py").write_text("import time; time.sleep(60)")
        env["PYTHONPATH"] = wanted["PYTHONPATH"] = str(tmp_path)
        monkeypatch.setattr(owner, "WAIT_S", 1.0)
    elif broken == "another python environment":
        wanted["PYTHONHASHSEED"] = "7"
    else:
        monkeypatch.delattr(os, "fork")
    with Nursery(("stuck",), env) as nursery, caplog.at_level(logging.WARNING, "peaktrade.kernels"):
        one = Kernel(nursery, env=wanted)
        assert not one.forked
        assert one.run("print(1)") == "1"
        one.end()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("kernels start slowly: ")


def write(folder: Path, *cells: str) -> Path:
    path = folder / "probe.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def outputs(done: Executed) -> list[Any]:
    return [output for cell in done.notebook.cells for output in cell.outputs]


def test_papermill_sees_the_same_outputs_either_way(tmp_path):
    path = write(
        tmp_path, SHOWN, "frame", "go.Figure(go.Scatter(y=frame.a))", "import sys; print(__name__, sys.path[0])"
    )
    plain = outputs(execute(path, {}, home=tmp_path))
    with warm_kernels() as nursery:
        assert present_nursery() is nursery
        first, second = (outputs(execute(path, {}, home=tmp_path)) for _ in range(2))
        assert nursery.pid is not None
        assert settles(
            lambda: sum(alive(child.pid) for child in psutil.Process(nursery.pid).children()) == 1
        )  # the one that is ready
    assert present_nursery() is None
    assert len(plain) == 3
    assert "application/vnd.plotly.v1+json" in plain[1]["data"]
    assert first == second == plain


ALIVE_AT_ITS_END = """
import atexit, pathlib, threading
def tell(file=pathlib.Path("alive"), threads=threading.enumerate):
    file.write_text(" ".join(thread.name for thread in threads()))
atexit.register(tell)
print(" ".join(thread.name for thread in threading.enumerate()))
"""


@pytest.mark.parametrize("warm", [True, False])
def test_a_kernel_ends_its_control_thread_before_the_output_that_it_needs(warm, tmp_path, capfd):
    (tmp_path / "traitlets.py").write_text("raise SystemError('a file of the workspace was taken for a library')")
    with warm_kernels(()) if warm else nullcontext():
        (said,) = outputs(execute(write(tmp_path, ALIVE_AT_ITS_END), {}, home=tmp_path))
    assert "Control" in said["text"]
    assert "IOPub" in (tmp_path / "alive").read_text()
    assert "Control" not in (tmp_path / "alive").read_text()
    assert capfd.readouterr().err == ""


def test_a_kernel_that_ends_calls_whoever_wants_to_know(tmp_path):
    cell = "import atexit, pathlib; atexit.register(pathlib.Path('told').write_text, 'it ended')"
    with warm_kernels(()):
        assert execute(write(tmp_path, cell), {}, home=tmp_path).fault is None
        assert (tmp_path / "told").read_text() == "it ended"


def test_papermill_gives_the_same_verdicts_with_warm_kernels(tmp_path):
    verdicts = {
        "1 / 0": "cell 1 failed: ZeroDivisionError: division by zero",
        "import sys; sys.exit(0)": "cell 1 ended the notebook with sys.exit(0); the cells after it did not run",
        "import os; os.kill(os.getpid(), 9)": "the kernel died in cell 1: it was killed, or the machine ran out of memory",
        "import time; time.sleep(60)": "cell 1 was still running when the time limit of 3 s for the whole notebook was up",
    }
    with warm_kernels(()) as nursery:
        execute(write(tmp_path, "1"), {}, home=tmp_path)
        for cell, says in verdicts.items():
            assert execute(write(tmp_path, cell, "print(1)"), {}, home=tmp_path, timeout_s=3.0).fault == says
        assert nursery.pid is not None
        assert settles(
            lambda: sum(alive(child.pid) for child in psutil.Process(nursery.pid).children()) == 1
        )  # the one that is ready
