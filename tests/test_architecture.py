"""The rules of the house: rooms have an order, values and rules are pure, modules are small, what must agree does."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from peaktrade_core.base.checkout import broken_links, documents
from peaktrade_core.workspace.config import Config, load_config

REPO = Path(__file__).resolve().parent.parent
PACKAGE = REPO / "peaktrade_core"
ROOMS = (  # a room may use those before it
    "base", "show", "trading", "workspace", "people", "changes", "warm", "records", "halts", "runs", "venue", "candles",
    "session", "testing", "research", "runbooks", "fleet", "schedule", "alerts", "incidents", "desk", "reports", "control",
    "drills", "dashboard",
)  # fmt: skip
PURE = {  # values and rules: no disk, no clock, no environment
    "base": ("clock", "errors", "people", "question"),
    "show": ("chart", "checklist", "drawing", "sparkline", "table", "wording"),
    "trading": ("*",),
    "workspace": ("settings",),
    "people": ("approval", "fold", "matrix", "request"),
    "changes": ("change", "fold", "keys"),
    "halts": ("scope",),
    "schedule": ("jobs", "periods"),
    "alerts": ("alerts", "book", "changes", "settings"),
    "alerts.rules": ("facts", "kinds", "margin", "of_desk", "rule"),
    "runbooks": ("evidence",),
    "incidents": ("incident",),
    "incidents.diagnosis": ("findings",),
    "drills": ("drill", "score"),
}
FULLEST_FOLDER = 17  # modules
LONGEST_MODULE, LONGEST_BODY = 350, 60  # lines; a body is a function without its signature and docstring
IMPURE = {
    "asyncio",
    "ctypes",
    "ftplib",
    "glob",
    "http",
    "importlib",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "pickle",
    "platform",
    "random",
    "requests",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
HEAVY = {"pandas", "numpy", "plotly", "ccxt", "numba", "pyarrow", "rich"}
LIBRARIES_BELOW = {"msgspec", "numpy"}  # what values and rules may use, numpy only inside functions


class Module(NamedTuple):
    """A module of the package."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it is in: the first part of its name below the package; empty for the command line."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""

    @property
    def pure(self) -> bool:
        """Whether it is a module of values or rules."""
        within, _, name = self.name.removeprefix("peaktrade_core.").rpartition(".")
        return name in PURE.get(within, ()) or "*" in PURE.get(within, ())


def _modules() -> dict[str, Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(REPO).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, ast.parse(path.read_text()))
    return found


MODULES = _modules()


def imports(module: Module, *, at_import: bool = False) -> set[str]:
    """Return the modules that a module imports: all of them, or those that are loaded with it."""
    found = set()
    nodes = list(ast.walk(module.tree))
    if at_import:
        nodes = list(_loaded(module.tree.body))
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}: write imports in full"
            base = node.module or ""
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names}
    return found


def _loaded(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that run at import: not those inside functions or for the type checker only."""
    found = []
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        found.append(node)
        for part in ("body", "orelse", "finalbody", "handlers"):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found += _loaded(getattr(node, part, []))
    return found


def test_every_folder_of_the_package_is_a_room() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)


def test_no_folder_is_too_full_to_be_looked_through() -> None:
    full = Counter(str(module.path.parent.relative_to(PACKAGE)) for module in MODULES.values())
    assert {folder: n for folder, n in full.items() if n > FULLEST_FOLDER} == {}


def test_a_class_name_stands_for_one_thing() -> None:
    nodes = [node for module in MODULES.values() for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    counted = Counter(node.name for node in nodes if not node.name.startswith("_"))
    assert [name for name, n in counted.items() if n > 1] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_only_those_before_it(room: str) -> None:
    before = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = [
        f"{module.name} imports {name}"
        for module in MODULES.values()
        if module.room == room
        for name in imports(module)
        if name.startswith("peaktrade_core.") and name.split(".")[1] not in before
    ]
    assert wrong == []


def test_the_loopback_venue_is_used_by_drills_alone() -> None:
    for module in MODULES.values():
        if module.room not in ("testing", "drills"):
            assert not [name for name in imports(module) if name.startswith("peaktrade_core.testing")], module.name


def test_no_two_modules_need_each_other_to_be_imported() -> None:
    needs = {name: imports(module, at_import=True) & set(MODULES) - {name} for name, module in MODULES.items()}
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError, which names the cycle
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("name", [name for name, module in MODULES.items() if module.pure])
def test_values_and_rules_are_pure(name: str) -> None:
    tops = {used.split(".")[0] for used in imports(MODULES[name])}
    assert not tops & IMPURE
    assert tops - {"peaktrade_core"} <= set(sys.stdlib_module_names) | LIBRARIES_BELOW
    assert "numpy" not in {used.split(".")[0] for used in imports(MODULES[name], at_import=True)}
    calls = {ast.unparse(node.func) for node in ast.walk(MODULES[name].tree) if isinstance(node, ast.Call)}
    assert not calls & {"open", "print", "input", "datetime.now", "datetime.utcnow", "date.today", "breakpoint"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_and_stays_small(name: str) -> None:
    module = MODULES[name]
    assert ast.get_docstring(module.tree), f"{name} has no docstring"
    assert len(module.path.read_text().splitlines()) <= LONGEST_MODULE
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= LONGEST_BODY, f"{name}.{node.name} has {lines} lines"


@pytest.mark.parametrize("name", MODULES)
def test_what_the_system_refuses_is_said_in_our_words(name: str) -> None:
    for node in ast.walk(MODULES[name].tree):
        if isinstance(node, ast.ExceptHandler) and node.name and node.type and "OSError" in ast.unparse(node.type):
            raw = rf"\{{{node.name}\}}|\bstr\({node.name}\)"
            said = re.search(raw, "\n".join(map(ast.unparse, node.body)))
            assert not said, f"{name}, line {node.lineno}: `[Errno 2] ...` is no sentence; errors.why() makes one"


def test_public_names_exist_and_are_what_dir_shows() -> None:
    for name in MODULES:
        loaded = importlib.import_module(name)
        for public in getattr(loaded, "__all__", ()):
            assert hasattr(loaded, public), f"{name} promises {public}"
        assert name != "peaktrade_core" or set(loaded.__all__) <= set(dir(loaded))


def test_notebooks_import_only_what_the_package_offers() -> None:
    offered = set(importlib.import_module("peaktrade_core").__all__)
    for path in sorted((REPO / "notebooks").rglob("*.ipynb")):
        cells = msgspec.json.decode(path.read_bytes())["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for names in re.findall(r"^from peaktrade_core import (.+)$", code, re.MULTILINE):
            assert {name.strip() for name in names.strip("()").split(",")} <= offered, path.name


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, peaktrade_core.session.session, peaktrade_core.alerts.watcher; "
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()


@pytest.mark.parametrize("module", ["runbooks.notebooks.execute", "dashboard.server", "warm.kernel"])
def test_notebooks_are_read_without_a_grammar_of_addresses(module: str) -> None:
    script = f"import sys, peaktrade_core.{module}, nbformat; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "jsonschema" in done.stdout.split()
    assert "lark" not in done.stdout.split()


def test_conda_and_pip_install_the_same() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    pip = {*project["dependencies"], *project["optional-dependencies"]["dev"], f"python{project['requires-python']}"}
    lines = re.findall(r"^  - ([^\s:#]+)\s*(?:#.*)?$", (REPO / "environment.yml").read_text(), re.MULTILINE)
    conda = set(lines) - {"conda-forge", "pip"}
    assert conda == {re.sub(r"\s", "", line) for line in pip}


def test_the_shipped_configuration_is_the_built_in_one() -> None:
    shipped = msgspec.to_builtins(load_config(REPO / "config" / "config.toml"))
    built_in = msgspec.to_builtins(Config())
    built_in["live_risk"] = Config().limits._asdict()
    assert {k: v for k, v in shipped.items() if k not in ("instruments", "strategy")} == {
        k: v for k, v in built_in.items() if k not in ("instruments", "strategy")
    }


def test_the_shipped_strategy_parameters_are_the_built_in_ones() -> None:
    from peaktrade_core.trading.strategies import all_strategies

    config = load_config(REPO / "config" / "config.toml")
    assert set(config.strategy) == {s.name for s in all_strategies() if s.tier == "core"}
    for name, given in config.strategy.items():
        strategy = next(s for s in all_strategies() if s.name == name)
        assert strategy.parameters(given) == strategy.parameters({})


@pytest.mark.parametrize("path", documents(REPO), ids=lambda path: str(path.relative_to(REPO)))
def test_every_link_in_the_documents_leads_somewhere(path: Path) -> None:
    assert broken_links(path) == []
