"""A shift on a disk that is full, and on one that is read-only: what was tried, what was told, to whom, and what was lost.

Needs Linux and the right to mount (root): the workspace lies on a tmpfs of 16 MB that is filled to the last byte, or on a
read-only bind mount of it, which holds root up as well. Without that right a limit on the size of files stands in for the
full disk (RLIMIT_FSIZE) and the read-only part is left out; the first line says which it was.

A command fails this script when it says nothing, speaks of a bug, prints a traceback, or said that something was done that is
gone when the disk has room again.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

SIZE_MB = 16
WHO = ("--by", "Ada")
PACED = ("--timeframe", "1s", "--pace", "20", "--steps", "100000")


class Row(NamedTuple):
    """One thing that was tried."""

    tried: str
    code: int
    told: str
    channels: int
    fault: str


class Channel:
    """A webhook on this machine that counts what it receives."""

    def __init__(self) -> None:
        self.received: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.received.append(str(body.get("title")))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Shift:
    """A workspace on a small disk, the commands of a shift on it, and the table of what came out."""

    def __init__(self, disk: Path, *, apart: bool, limited: bool, fills: bool) -> None:
        self.disk, self.home, self.limited, self.fills = disk, disk / "workspace", limited, fills
        self.rows: list[Row] = []
        self.channel = Channel()
        self.bad = False  # whether the disk can be written
        self.env = {**os.environ, "COLUMNS": "400", "PEAKTRADE_HOME": str(self.home)}
        self.env["PEAKTRADE_STATE_HOME"] = str(disk / "state")
        if apart:
            self.env["PEAKTRADE_RUNS_DIR"] = tempfile.mkdtemp(prefix="runs-")

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command; on a limited disk none of its files may grow."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))

        command = [sys.executable, "-m", "peaktrade_core", *args]
        held = limit if self.limited and self.bad else None
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=300, preexec_fn=held)

    def attempt(self, tried: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command and add a row about it."""
        if self.bad and self.fills:
            fill(self.disk)  # a process that ended gave room back
        before = len(self.channel.received)
        done = self.run(*args)
        said = f"{done.stderr.strip()} {done.stdout.strip()}".strip()
        fault = "SILENT" if not said and done.returncode else ""
        fault = "BUG" if "This is a bug" in said or "Traceback" in said else fault
        self.rows.append(Row(tried, done.returncode, said, len(self.channel.received) - before, fault))
        return done

    def json(self, *args: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.run(*args, "--json").stdout)

    def begin(self) -> str:
        """Make the workspace, trade, start two runs and a watcher, let one die unseen; return the alert about it."""
        subprocess.run(
            [sys.executable, "-m", "peaktrade_core", "init", str(self.home)], check=True, capture_output=True
        )
        config = self.home / "config" / "config.toml"
        config.write_text(re.sub(r"min_free_disk_mb = \S+", "min_free_disk_mb = 0", config.read_text()))
        alerts = self.home / "config" / "alerts.toml"
        text = alerts.read_text().replace('channels = ["log", "console"]', 'channels = ["log", "console", "hook"]')
        alerts.write_text(f'{text}\n[channels.hook]\nurl = "{self.channel.url}"\n')
        self.run("session", "run", "--steps", "200")
        for symbol in ("BTC/EUR", "ETH/EUR", "BTC/EUR-PERP"):
            self.run("fleet", "start-shadow", "--symbol", symbol, *PACED)
        lost = next(run for run in self.json("fleet", "status") if run["symbol"] == "BTC/EUR-PERP")
        meta = Path(self.env.get("PEAKTRADE_RUNS_DIR", self.home / "live_runs")) / lost["run_id"] / "meta.json"
        os.kill(json.loads(meta.read_text())["process"]["pid"], signal.SIGKILL)
        self.run("watch", "--once")
        return str(self.json("alerts", "list")["alerts"][0]["alert_id"])

    def work(self, alert_id: str) -> dict[str, Callable[[], bool]]:
        """Do what a shift does; return for each thing that was said to be done how to see that it is still there."""
        kept: dict[str, Callable[[], bool]] = {}

        def keeps(done: subprocess.CompletedProcess[str], what: str, there: Callable[[], bool]) -> None:
            if done.returncode == 0:
                kept[what] = there

        ran = self.attempt("run a session", "session", "run", "--steps", "20", "--json")
        session = json.loads(ran.stdout)["session_id"] if ran.returncode == 0 else ""
        keeps(ran, "the session", lambda: any(row["session_id"] == session for row in self.json("session", "list")))
        self.attempt("look after alerts once", "watch", "--once")
        keeps(
            self.attempt("take an alert on", "alerts", "ack", alert_id, *WHO, "--note", "on it"),
            "the acknowledgement",
            lambda: any(
                a["alert_id"] == alert_id and a["acknowledged_by"]
                for a in self.json("alerts", "list", "--all")["alerts"]
            ),
        )
        opened = ("--kind", "other", "--title", "the disk", "--severity", "high", *WHO)
        keeps(
            self.attempt("open an incident", "incident", "open", *opened),
            "the incident",
            lambda: bool(self.json("incident", "list")),
        )
        scope = ("--scope", "shadow.ma_crossover.ETH/EUR", *WHO, "--reason", "odd fills")
        keeps(
            self.attempt("halt one scope", "risk", "halt", *scope),
            "the halt",
            lambda: any("ETH" in state["scope"] for state in self.json("risk", "status")["states"]),
        )
        keeps(
            self.attempt("engage the kill switch", "killswitch", "engage", *WHO, "--reason", "odd fills"),
            "the engagement",
            lambda: bool(self.json("killswitch", "status")["engaged"]),
        )
        for tried, *args in (
            ("look at it", "killswitch", "status"),
            ("ask for its release", "killswitch", "release", *WHO, "--reason", "over"),
            ("stop all runs, close positions", "fleet", "stop", "--all", "--close", *WHO, "--deadline", "5"),
            ("kill all runs", "fleet", "stop", "--all", "--force", *WHO),
            ("write evidence (runbook)", "runbook", "run", "kill_switch"),
            ("write evidence (health)", "runbook", "run", "health_check"),
            ("report on a session", "session", "report"),
            ("look at sessions", "session", "list"),
            ("look at alerts", "alerts", "list"),
            ("diagnose", "incident", "diagnose"),
            ("ask the doctor", "doctor"),
            ("verify the chains", "audit", "verify"),
        ):
            self.attempt(tried, *args)
        return kept


def table(rows: list[Row]) -> str:
    """Return the rows as markdown, what was told in its first words."""
    lines = ["| tried | exit | told | other channels | |", "|---|---|---|---|---|"]
    for row in rows:
        told = " ".join(re.sub(r"/tmp/\S*?/workspace", "~", row.told).split()).replace("|", "/")
        lines.append(f"| {row.tried} | {row.code} | {told[:230]} | {row.channels or '–'} | {row.fault} |")
    return "\n".join(lines)


def fill(disk: Path) -> None:
    """Fill a disk to its last byte."""
    with suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 9, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass


def mount(*args: str) -> bool:
    """Mount something; False where that is not allowed."""
    return subprocess.run(["mount", *args], capture_output=True, check=False).returncode == 0


def shift(kind: str, *, apart: bool) -> bool:
    """Work a shift and print what came of it; return whether nothing was silent, a bug or lost."""
    disk = Path(tempfile.mkdtemp(prefix="disk-"))
    mounted = mount("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(disk))
    if kind == "read-only" and not mounted:
        print("\n## read-only: left out, mounting is not allowed\n")
        return True
    means = {"full": f"tmpfs of {SIZE_MB} MB, filled", "read-only": "read-only bind mount"}[kind]
    means = means if mounted else "RLIMIT_FSIZE = 0 for each command"
    print(f"\n## {kind} ({means}), runs {'on another disk' if apart else 'on the same disk'}\n", flush=True)
    work = Shift(disk, apart=apart, limited=not mounted, fills=mounted and kind == "full")
    try:
        alert_id = work.begin()
        if kind == "read-only":
            mount("--bind", str(disk), str(disk))
            mount("-o", "remount,bind,ro", str(disk))
        work.bad = True
        if work.fills:
            fill(disk)
        time.sleep(2.0)
        kept = work.work(alert_id)
        work.bad = False
        if kind == "read-only":
            subprocess.run(["umount", str(disk)], check=True)
        (disk / "filler").unlink(missing_ok=True)
        lost = [what for what, there in kept.items() if not there()]
        broken = work.run("audit", "verify")
        lost += [f"a chain: {broken.stdout.strip()}"] if broken.returncode else []
        print(table(work.rows))
        print(f"\nAcknowledged: {', '.join(kept) or 'nothing'}. Lost: {'; '.join(lost) or 'nothing'}.", flush=True)
        return not lost and not any(row.fault for row in work.rows)
    finally:
        work.run("fleet", "stop", "--all", "--force", *WHO)
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def main() -> None:
    """Work three shifts."""
    fine = [shift("full", apart=False), shift("full", apart=True), shift("read-only", apart=True)]
    sys.exit(0 if all(fine) else 1)


main()
