"""Mutated artefacts of a workspace: whatever lies there, a command that reads it says so in our words and ends.

    python benchmarks/fuzz_artefacts.py --count 2000 --seed 1

A used workspace is kept aside. For each case one of its files (journal, record, meta, configuration, alerts, jobs,
evidence, incident, drill, log, chain) is changed: bits flip, bytes go or are doubled, values of its JSON or TOML become
hostile, or the file becomes a folder, a pipe, empty, sparse or unreadable. Then the commands that read such a file are
asked. What fails is printed with what repeats it; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peaktrade_core.drills.scenarios import find_scenario
from peaktrade_core.drills.staging.run import run_drill
from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import HOME, Workspace
from tests.cli.surface import BY, NASTY, faults, ran, used_workspace

PATIENCE_S = 60
COMMANDS = (  # what reads such a file, by a part of its path
    ("live_runs", ("session show", "monitor run latest", "fleet tail latest", "incident diagnose", "monitor overview")),
    ("live_sessions", ("session list", "session show", "session report --stdout", "audit verify", "ops portfolio")),
    ("config.toml", ("session run --dry-run", "doctor", "risk show", "readiness", "strategies")),
    ("alerts.toml", ("alerts rules", "alerts check", "doctor")),
    ("jobs.toml", ("schedule list", "schedule next", "schedule status")),
    ("reports/alerts", ("alerts list --all", "alerts check", "watch --status")),
    ("reports/evidence", ("evidence list", "evidence verify", "evidence show EVIDENCE", "audit verify")),
    ("reports/incidents", ("incident list", "incident show INCIDENT", "incident review", "audit verify")),
    ("reports/drills", ("drill log", "drill score", "drill coverage")),
    ("reports/live", ("killswitch status", "killswitch audit", "risk status", "audit verify")),
    ("logs", ("ops health", "ops notes", "schedule status", "drill log")),
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, 2**63, "", "x" * 3000, NASTY, [], {}, [[[]]], "0001-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59+00:00", "nan", "1e400", "../../x", "\u2028", "2026-01-01", [1, "a", None], {"a": {"b": []}},
)  # fmt: skip
IN_TOML = (
    "nan",
    "-1",
    "1e308",
    "[]",
    "{}",
    '""',
    '"1e400"',
    "9" * 30,
    "true",
    "0001-01-01",
    '"\\u001b[31m"',
    "[[[[]]]]",
    "inf",
)


class TooLong(BaseException):
    """A command took longer than anybody waits."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only files whose path holds this")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    signal.signal(signal.SIGALRM, _late)
    found: Counter[str] = Counter()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[STATE_HOME] = f"{folder}/state"
        place = used_workspace(Path(folder) / "template")
        _more(place.home)
        kept = [
            p.relative_to(place.home) for p in sorted(place.home.rglob("*")) if p.is_file() and given.only in str(p)
        ]
        kept = [path for path in kept if any(part in str(path) for part, _ in COMMANDS) and path.suffix != ".lock"]
        for number in range(given.count):
            home = Path(folder) / f"home_{number}"
            shutil.copytree(place.home, home, symlinks=True)
            path, change = draw.choice(kept), draw.choice(CHANGES)
            told = f"{path}: {change.__name__.strip('_')}"
            os.environ[HOME] = str(home)
            try:
                change(draw, home / path)
                asked = next(commands for part, commands in COMMANDS if part in str(path))
                for words in draw.sample(asked, min(2, len(asked))):
                    for fault in _asked([place.words.get(word, word) for word in words.split()], draw.random() < 0.3):
                        what = f"{words}: {fault[:250]}"
                        found[what] += 1
                        if found[what] == 1:
                            print(f"{what}\n    case {number}, {told}", flush=True)
            finally:
                shutil.rmtree(home, ignore_errors=True)
    print(f"{given.count} cases in {time.monotonic() - begin:.0f} s, seed {given.seed}: {len(found)} kinds of fault")
    return int(bool(found))


def _more(home: Path) -> None:
    """Leave evidence made by hand, jobs, a drill and a note in the workspace, too."""
    os.environ[HOME] = str(home)
    workspace = Workspace(home)
    run_drill(workspace, find_scenario(home, "rate_limit"), operator="Ada", script="good")
    for line in (
        ["schedule", "run-now", "retention"],
        ["schedule", "run-now", "snapshot_export"],
        ["evidence", "add", "--tag", "odd", "--text", NASTY, "config/config.toml", *BY],
        ["ops", "note", NASTY, *BY],
        ["incident", "open", "--kind", "failed_session", "--title", "odd", "--severity", "low", *BY],
        ["ops", "health"],
    ):
        if (ended := ran(line)).code not in (0, 1):
            raise SystemExit(f"{line}: {ended.err}")


def _asked(line: list[str], as_json: bool) -> list[str]:
    signal.alarm(PATIENCE_S)
    try:
        return faults(
            ran([*line, *(["--json"] if as_json and "--stdout" not in line else [])]),
            as_json=as_json and "--stdout" not in line,
        )
    except TooLong:
        return [f"takes longer than {PATIENCE_S} s"]
    except BaseException as error:  # whatever it is, it is what is looked for
        return [f"raises {type(error).__name__}: {error}"]
    finally:
        signal.alarm(0)


def _bits(draw: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes() or b"x")
    for _ in range(draw.choice((1, 1, 5, 50))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    path.write_bytes(data)


def _cut(draw: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data) + 1)])


def _hole(draw: random.Random, path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    del lines[draw.randrange(len(lines))]
    path.write_bytes(b"\n".join(lines))


def _twice(draw: random.Random, path: Path) -> None:
    lines = path.read_bytes().split(b"\n")
    lines.insert(draw.randrange(len(lines)), draw.choice(lines))
    path.write_bytes(b"\n".join(lines))


def _value(draw: random.Random, path: Path) -> None:
    """Make a value of the document, or of one of its lines, another."""
    if path.suffix == ".toml":
        lines = path.read_text().split("\n")
        at = draw.choice([n for n, line in enumerate(lines) if "=" in line])
        lines[at] = f"{lines[at].split('=')[0]}= {draw.choice(IN_TOML)}"
        path.write_text("\n".join(lines))
        return None
    lines = path.read_bytes().split(b"\n") if path.suffix == ".jsonl" else [path.read_bytes()]
    at = draw.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except ValueError:
        return _bits(draw, path)
    node = document
    while isinstance(node, (dict, list)) and node:
        key = draw.choice(list(node)) if isinstance(node, dict) else draw.randrange(len(node))
        if not isinstance(node[key], (dict, list)) or not node[key] or draw.random() < 0.3:
            if isinstance(node, dict) and draw.random() < 0.2:
                del node[key]
            else:
                node[key] = draw.choice(VALUES)
            break
        node = node[key]
    lines[at] = json.dumps(document).encode()
    path.write_bytes(b"\n".join(lines))
    return None


def _deep(_: random.Random, path: Path) -> None:
    path.write_bytes(b"[" * 100_000 + b"\n")


def _torn(draw: random.Random, path: Path) -> None:
    with path.open("ab") as file:
        file.write(
            draw.choice(
                (
                    b"\0" * 4096,
                    b'{"seq": 1',
                    b"\xff\xfe\n",
                    "é\n".encode("latin-1"),
                    b"null\n",
                    b"[]\n",
                    b"{}\n",
                    b"\n\n",
                )
            )
        )


def _instead(draw: random.Random, path: Path) -> None:
    """Put something that is no file of its kind in its place."""
    path.unlink()
    kind = draw.choice(("nothing", "empty", "folder", "pipe", "device", "sparse", "null", "list", "link", "utf-16"))
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "sparse":
            with path.open("wb") as file:
                file.truncate(2 << 30)
        case "link":
            path.symlink_to(path.name)
        case "nothing":
            pass
        case _:
            path.write_bytes({"empty": b"", "null": b"null", "list": b"[]"}.get(kind, "x = 1".encode("utf-16")))


CHANGES: tuple[Callable[[random.Random, Path], None], ...] = (
    _bits, _cut, _hole, _twice, _value, _value, _value, _value, _deep, _torn, _instead, _instead,
)  # fmt: skip


def _late(*_: object) -> None:
    raise TooLong


if __name__ == "__main__":
    sys.exit(main())
