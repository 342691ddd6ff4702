"""Random command lines in this process: none ends in a trace, hangs, acts on the terminal or prints JSON that is none.

    python benchmarks/fuzz_commands.py --count 4000 --seed 1

Every command that comes to an end by itself is asked with options and arguments that are right, odd or hostile, as text
and as JSON, in an empty and in a used workspace that is made anew now and then. None may serve or start a program: a hook
refuses both. What fails is printed as a line that can be repeated; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peaktrade_core.cli import as_text, cli
from peaktrade_core.workspace.memory import STATE_HOME
from peaktrade_core.workspace.workspace import HOME
from tests.cli.surface import NASTY, faults, paths, ran, used_workspace, workspace_in
from tests.cli.test_every_surface import ELSEWHERE

AFRESH = 150  # command lines in one workspace
PATIENCE_S = 60
ASKS = {"git", "ldconfig", "gcc", "ld", "uname"}  # programs that libraries ask for versions and paths
SLOW = {"backtest", "audit snapshot"}  # asked one time in ten
ALWAYS = {"watch": ["--status"], "fleet stop": ["--all"]}  # what keeps a command from staying, or from asking
TEXTS = (
    "", " ", "latest", "nothing", "x" * 300, "y" * 5000, NASTY, "../../etc/passwd", "/dev/null", "/dev/zero", "/dev/full",
    "pipe", "sparse.bin", "config/config.toml", "config", "no/such/file.csv", "deep.toml", "latin.toml", "utf16.toml",
    "noise.csv", "noisy.py", "nan", "inf", "-inf", "1e308", "-1", "0", "1", "3", "1e400", "9" * 40, "1" + 30 * "0" + "d",
    "1h", "30s", "0001-01-01", "9999-12-31", "2026-13-45", "2026-01-05", "2026-W01", "today", "fast=10", "fast=nan", "fast=1e308",
    "=", "a=b", "max_order_notional=100", "max_order_notional=nan", "shadow", "testnet", "live", "global",
    "shadow.ma_crossover.BTC-EUR", "ma_crossover", "BTC/EUR", "1m", "\udcff\udcfe", "\u2028", "-", "--", "@", "*",
    "[bold]x[/bold]", "[[", "%s%n", "{0}", "$(id)", "'; drop table x; --", "http://[::1",
)  # fmt: skip


class TooLong(BaseException):
    """A command took longer than anybody waits."""


class Stays(BaseException):
    """A command opens a port or starts a program, which would be there when it has ended."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only commands that begin so")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    known = [(name, command) for name, command in paths(cli) if name not in ELSEWHERE and name.startswith(given.only)]
    signal.signal(signal.SIGALRM, _late)
    sys.addaudithook(_stay)
    found: Counter[str] = Counter()
    begin = time.monotonic()
    here = Path.cwd()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[STATE_HOME] = f"{folder}/state"
        template = used_workspace(Path(folder) / "template").home
        homes: list[Path] = []
        for number in range(given.count):
            if number % AFRESH == 0:
                os.chdir(folder)
                homes = _fresh(Path(folder), template)
            name, command = draw.choice(known)
            if name in SLOW and draw.random() < 0.9:
                continue
            home = draw.choice(homes)
            os.environ[HOME] = str(home)
            os.chdir(home)
            line, as_json = _line(draw, name, command)
            for fault in _asked(line, as_json):
                what = f"{name}: {fault[:200]}"
                found[what] += 1
                if found[what] == 1:
                    print(f"{what}\n    peaktrade {shlex.join(line)[:600]!a}", flush=True)
        os.chdir(here)
    print(f"{given.count} lines in {time.monotonic() - begin:.0f} s, seed {given.seed}: {len(found)} kinds of fault")
    return int(bool(found))


def _asked(line: list[str], as_json: bool) -> list[str]:
    signal.alarm(PATIENCE_S)
    try:
        return faults(ran([as_text(word) for word in line]), as_json=as_json)
    except TooLong:
        return [f"takes longer than {PATIENCE_S} s"]
    except BaseException as error:  # whatever it is, it is what is looked for
        return [f"raises {type(error).__name__}: {error}"]
    finally:
        signal.alarm(0)


def _line(draw: random.Random, name: str, command: click.Command) -> tuple[list[str], bool]:
    """Return a command line, and whether it asks for JSON."""
    line, as_json = [*name.split(), *ALWAYS.get(name, ())], False
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            for _ in range(draw.choice((0, 1, 1, 1, 1, 2))):
                line.append(_value(draw, parameter.type))
        elif isinstance(parameter, click.Option) and (parameter.required or draw.random() < 0.2):
            if parameter.name in ("home", "follow") and draw.random() < 0.9:
                continue
            line.append(parameter.opts[-1])
            as_json = as_json or parameter.name == "as_json"
            if not parameter.is_flag:
                line.append(_value(draw, parameter.type))
    return line, as_json


def _value(draw: random.Random, kind: click.ParamType) -> str:
    """Return a value, mostly one that its type may let in."""
    if isinstance(kind, click.Choice) and draw.random() < 0.8:
        return str(draw.choice(list(kind.choices)))
    if isinstance(kind, (click.types.IntParamType, click.types.FloatParamType)) and draw.random() < 0.7:
        return draw.choice(("0", "1", "2", "7", "100", "-1", "1.5", "nan", "1e308", "9" * 25))
    return draw.choice(TEXTS)


def _fresh(folder: Path, template: Path) -> list[Path]:
    """Make an empty and a used workspace anew, with files in them that are not what they seem."""
    for old in folder.glob("home_*"):
        shutil.rmtree(old, ignore_errors=True)
    turn = len(list(folder.iterdir()))
    homes = [workspace_in(folder / f"home_{turn}_empty"), folder / f"home_{turn}_used"]
    shutil.copytree(template, homes[1])
    for home in homes:
        os.mkfifo(home / "pipe")
        with (home / "sparse.bin").open("wb") as file:
            file.truncate(2 << 30)
        (home / "deep.toml").write_text("x = " + "[" * 3000 + "]" * 3000)
        (home / "latin.toml").write_bytes("[live_risk]\n# für\n".encode("latin-1"))
        (home / "utf16.toml").write_bytes("[live_risk]\n".encode("utf-16"))
        (home / "noise.csv").write_text("time,open\x1b[31m,high\u202e,low,close,volume\n1,2,3\n")
        (home / "noisy.py").write_text("print('loaded')\n")
    return homes


def _late(*_: object) -> None:
    raise TooLong


def _stay(event: str, args: tuple[Any, ...]) -> None:
    """Let no command serve or start a program; what libraries ask of the machine ends by itself."""
    if event == "socket.bind" and args[1] != ("::1", 0):
        raise Stays(f"binds {args[1]}")
    if event == "subprocess.Popen" and Path(str(args[0])).name not in ASKS:
        raise Stays(f"starts {args[1]}")


if __name__ == "__main__":
    sys.exit(main())
