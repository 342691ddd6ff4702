"""How the house stands: its files, lines and folders, and how many files a reader opens to follow one thing.

Static figures are taken from any tree (``--tree``, several to compare); what is opened is traced in this one: one bar of a
session, one alert from fact to log, one cell of a runbook, one request of a session's page.

    python benchmarks/measure_house.py [--tree PATH ...] [--no-trace]
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve().parent.parent
PACKAGE = "peaktrade_core"


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def static(tree: Path) -> dict[str, object]:
    """Return what can be read without running anything."""
    modules = sorted((tree / PACKAGE).rglob("*.py"))
    trees = [ast.parse(path.read_text()) for path in modules]
    sizes = [lines_of(path) for path in modules]
    functions = [
        node.end_lineno - node.lineno + 1  # type: ignore[operator]
        for one in trees
        for node in ast.walk(one)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    folders = Counter(path.parent.relative_to(tree).as_posix() for path in modules)
    classes = Counter(node.name for one in trees for node in ast.walk(one) if isinstance(node, ast.ClassDef))
    twice = sorted(name for name, n in classes.items() if n > 1 and not name.startswith("_"))
    tests = sum(lines_of(path) for path in (tree / "tests").rglob("*.py"))
    largest, how_many = folders.most_common(1)[0]
    return {
        "modules": len(modules),
        "lines": sum(sizes),
        "largest flat folder": f"{how_many} ({largest})",
        "module, median / largest": f"{statistics.median(sizes):.0f} / {max(sizes)}",
        "function, median / largest": f"{statistics.median(functions):.0f} / {max(functions)}",
        "functions over 40 lines": sum(n > 40 for n in functions),
        "protocols": sum(
            isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases)
            for one in trees
            for node in ast.walk(one)
        ),
        "class names said twice": f"{len(twice)}: {', '.join(twice[:8])}" if twice else "0",
        "lines of tests per line": f"{tests / sum(sizes):.2f}",
    }


class Opened:
    """Which of our files have code that runs, and how many calls, while a block is traced."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.calls = 0

    def __enter__(self) -> Opened:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and f"/{PACKAGE}/" in frame.f_code.co_filename and frame.f_code.co_name != "<module>":
            self.files.add(frame.f_code.co_filename)
            self.calls += 1


def traced(home: Path) -> dict[str, str]:
    """Return how many files are opened for one thing each; every thing is done once before, so that nothing is first."""
    from peaktrade_core.alerts.desk import Alerts
    from peaktrade_core.dashboard.panels import Page
    from peaktrade_core.session.plan import Desk
    from peaktrade_core.session.planning import plan_session
    from peaktrade_core.session.session import run_session
    from peaktrade_core.workspace.workspace import Workspace

    workspace = Workspace(home)
    desk = Desk.of(workspace)

    def session(bars: int) -> str:
        return run_session(plan_session(workspace, steps=bars, warmup_candles=100), desk).session_id

    latest = session(300)
    things: dict[str, Callable[[], object]] = {
        "alert rules, evaluated": lambda: Alerts.of(workspace).check(),
        "session page": lambda: [Page(lambda: workspace, "", latest).panel(name) for name in SESSION_PANELS],
    }
    found = {}
    counts = []
    for bars in (300, 400):
        with Opened() as opened:
            session(bars)
        counts.append(opened)
    found["one bar"] = f"{(counts[1].calls - counts[0].calls) / 100:.0f} calls; session {len(counts[1].files)} files"
    for name, thing in things.items():
        thing()
        with Opened() as opened:
            thing()
        found[name] = f"{len(opened.files)} files, {opened.calls:,} calls"
    return found


SESSION_PANELS = ("session", "session_curves", "session_limits", "session_checks", "session_record", "session_events")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    options.add_argument("--tree", action="append", type=Path, help="a checkout; several are shown side by side")
    options.add_argument("--no-trace", action="store_true", help="only what can be read")
    chosen = options.parse_args()
    trees = chosen.tree or [HERE]
    columns = [static(tree.resolve()) for tree in trees]
    for name in columns[0]:
        print(f"{name:28}  " + "  |  ".join(str(column[name]) for column in columns))
    if not chosen.no_trace and not chosen.tree:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config"
            config.mkdir()
            (config / "config.toml").write_bytes((HERE / "config" / "config.toml").read_bytes())
            for name, text in traced(Path(folder)).items():
                print(f"{name:28}  {text}")


if __name__ == "__main__":
    main()
