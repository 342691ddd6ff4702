"""Run the steps of the Containerfile without an image registry: ``python tests/container/steps.py ROOT``, as root.

ROOT is a root file system made with debootstrap; it is copied for the build and stands for ``debian:bookworm-slim``. Each
RUN, COPY and ENV is carried out in it by chroot, with the packages that apt and pip bring on this machine. What came out is
then started as its user, its root mounted read-only and only the two volumes and /tmp writable, and asked what an operator
would ask.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CONTAINERFILE = REPO / "templates" / "container" / "Containerfile"
COPIED = (
    "/etc/resolv.conf",
    "/usr/local/share/ca-certificates",
    "/etc/xdg/pip",
    "/etc/pip.conf",
    "/etc/apt/apt.conf.d",
)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Containerfile: the word and what follows, continued lines joined."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def sh(*args: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program and fail as it does."""
    return subprocess.run(list(map(str, args)), check=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


class Stage:
    """One stage of the build: a copy of the root, its environment and its user."""

    def __init__(self, base: Path, root: Path) -> None:
        sh("cp", "-a", "--reflink=auto", base, root)
        self.root, self.env, self.user, self.entry, self.health = (
            root,
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            "0:0",
            "",
            "",
        )

    def reach(self) -> None:
        """Copy into it how this machine reaches packages; nothing of the machine itself is ever mounted to be written to."""
        for path in filter(os.path.exists, COPIED):
            inside = Path(f"{self.root}{path}")
            inside.parent.mkdir(parents=True, exist_ok=True)
            sh("cp", "-aT", path, inside)
        self.run("update-ca-certificates")

    def run(self, command: str) -> None:
        """Carry a RUN out by chroot."""
        script = ["set -e", f"mount -t proc proc {self.root}/proc"]
        script += [f"mount --bind /dev {self.root}/dev", f"mount -o remount,bind,ro {self.root}/dev"]
        kept = {name: value for name, value in os.environ.items() if name in ("PIP_CERT", "PIP_DEFAULT_TIMEOUT")}
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in {**kept, **self.env}.items())
        wrapped = f"/bin/sh -c {shlex.quote(command)}"
        script.append(f"exec env -i {given} DEBIAN_FRONTEND=noninteractive chroot {self.root} {wrapped}")
        sh("unshare", "--mount", "--pid", "--fork", "/bin/sh", "-c", "\n".join(script))


def build(base: Path, work: Path, context: Path) -> Stage:
    """Carry the Containerfile out and return its last stage."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, rest in instructions(CONTAINERFILE.read_text()):
        began = time.monotonic()
        if word == "FROM":
            stage = Stage(base, work / f"stage{len(stages)}")
            stages[rest.partition(" AS ")[2] or "last"] = stage
            stage.reach()
        assert stage is not None
        if word == "RUN":
            stage.run(rest)
        elif word == "COPY":
            *sources, to = shlex.split(rest)
            origin = (
                stages[sources.pop(0).removeprefix("--from=")].root if sources[0].startswith("--from=") else context
            )
            target = Path(f"{stage.root}{to}")
            (target if to.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
            for source in (found for one in sources for found in glob.glob(f"{origin}/{one.lstrip('/')}")):
                sh("cp", "-a", source, target)
        elif word == "ENV":
            stage.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "USER":
            stage.user = rest
        elif word == "HEALTHCHECK":
            stage.health = " ".join(json.loads(rest[rest.index("[") :]))
        elif word == "ENTRYPOINT":
            stage.entry = json.loads(rest)[0]
        print(f"{time.monotonic() - began:7.1f} s  {word} {rest[:90]}", flush=True)
    assert stage is not None
    return stage


def started(stage: Stage, volumes: Path) -> list[str]:
    """Return the words that start a program as the container would: its user, a read-only root, volumes, an own /tmp."""
    root, (uid, gid) = stage.root, stage.user.split(":")
    script = [
        f"mount --bind {root} {root}",
        f"mount -t proc proc {root}/proc",
        f"mount --bind /dev {root}/dev",
        f"mount -o remount,bind,ro {root}/dev",
    ]
    script += [f"mount -t tmpfs tmpfs {root}/tmp", f"mount -t tmpfs tmpfs {root}/dev/shm"]
    for name in ("workspace", "state"):
        (volumes / name).mkdir(parents=True, exist_ok=True)
        os.chown(volumes / name, int(uid), int(gid))
        script.append(f"mount --bind {volumes / name} {root}/{name}")
    script.append(f"mount -o remount,bind,ro {root}")
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in stage.env.items())
    rights = f"/usr/bin/setpriv --reuid {uid} --regid {gid} --clear-groups --bounding-set=-all --no-new-privs --pdeathsig KILL"
    inside = '\'cd /workspace && exec "$@"\' sh "$@"'
    script.append(f"exec /usr/sbin/chroot {root} {rights} /usr/bin/env -i {given} /bin/sh -c {inside}")
    return [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "/bin/sh",
        "-c",
        "set -e\n" + "\n".join(script),
        "sh",
    ]


def main() -> None:
    """Build and ask."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("root", type=Path)
    options.add_argument("--work", type=Path, required=True, help="An empty folder for stages and volumes.")
    given = options.parse_args()
    context = given.work / "context"
    context.mkdir(parents=True)
    code = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    sh(sys.executable, "-c", code, context, cwd=REPO)
    shutil.copy(REPO / "constraints.txt", context)
    stage = build(given.root, given.work, context)
    work_with(stage, given.work / "volumes")


def work_with(stage: Stage, volumes: Path) -> None:
    """Start what came out as its user and ask what an operator would ask."""
    run = started(stage, volumes)

    def ask(*words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run([*run, *words], capture_output=True, text=True, timeout=600)
        assert done.returncode in codes, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        print(f"ok {' '.join(words)[:100]}", flush=True)
        return done.stdout + done.stderr

    assert ask("id", "-u").strip() == stage.user.partition(":")[0]
    assert "Read-only file system" in ask("sh", "-c", "touch /opt/peaktrade/x; touch /x; true")
    assert "NoNewPrivs:\t1" in ask("cat", "/proc/self/status")
    ask(stage.entry, "init", ".")
    ask(stage.entry, "session", "run", "--steps", "60")
    ask(stage.entry, "session", "list")
    ask(stage.entry, "runbook", "run", "session_report")
    assert "off" in ask(*stage.health.split(), codes=(1,))
    watcher = subprocess.Popen(
        [*run, stage.entry, "watch"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    port = "8765"
    page = subprocess.Popen(
        [*run, stage.entry, "dashboard", "--port", port], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        assert watcher.stderr is not None
        assert page.stderr is not None
        assert json.loads(watcher.stderr.readline())["logger"] == "peaktrade.watch"
        for line in page.stderr:
            if "at http://" in json.loads(line)["event"]:
                break
        time.sleep(20)
        read = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/health').status, len(u.urlopen('http://127.0.0.1:{port}/').read()))"
        print(ask("python3", "-c", read).strip())
        assert "running" in ask(*stage.health.split())
    finally:
        for process in (watcher, page):
            process.kill()
            process.wait()
    print(ask(stage.entry, "audit", "verify", codes=(0,)).count("pass"), "answers of the audit are good")
    size = sh("du", "-sm", stage.root, capture_output=True).stdout.split()[0]
    print(f"the root has {size} MB")


if __name__ == "__main__":
    main()
