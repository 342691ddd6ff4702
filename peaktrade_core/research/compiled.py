"""The decision code as machine code: the engine's loop and one strategy, compiled into a single function by numba.

The functions themselves stay plain Python. Starting at the loop and at the strategy, everything they call is found,
cloned with its callees replaced by compiled ones, and compiled without any licence to reorder arithmetic. The result is
kept on disk in a folder named by a digest of *all* that went in - bytecode, constants, the globals and free variables
read, versions, processor - so a change anywhere means another folder and code that is out of date can never run.
The folder may be deleted at any time. This module does not know what the code decides.

Arithmetic on floats means the same both ways. What a strategy of one's own should leave alone: whole numbers beyond 64
bits, and ``**`` or transcendental functions where the last digit matters.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from peaktrade_core.base.errors import StrategyError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import Strategy

UNUSED_S = 30 * 86_400.0  # compiled code that nobody used for so long is removed [s]
KNOWN_MODULES = ("math", "numpy")  # what numba itself can compile calls into
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))
_DULL = ("Failed in", "During:", "- Resolution failure", "- Of which", "[", "There are", "\x1b", "raised from", ">>>")
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # only the entry is called from Python; halves the time
_ENTRY = """\
def entry(params, state, book, out, market, limits, bar_s, ts, ohlcv, trade_from, tape, rows):
    return run({params}, state, book, out, {market}, {limits}, bar_s, ts, ohlcv, trade_from, tape, rows)
"""

Compiled = Callable[..., int]
_READY: dict[str, Any] = {}  # what this process has compiled or loaded, by digest


def compile_run(strategy: Strategy, arguments: tuple[Any, ...], cache: Path | None) -> Compiled:
    """Return the loop of :func:`engine.runner` compiled for a strategy.

    Args:
        strategy: any registered strategy, also from a notebook cell.
        arguments: what the function will be called with: the loop's own arguments, with parameters, market and limits
            as plain tuples. Only their types matter.
        cache: folder for compiled code, None to compile in memory only.

    Raises:
        StrategyError: the strategy, or something it uses, cannot be compiled; says what and why.
    """
    code, entry = _prepare(strategy)
    digest = code.digest(entry, arguments)
    if digest not in _READY:
        _READY[digest] = _build(code, entry, arguments, cache and cache / digest)
    ready: Compiled = _READY[digest]
    return ready


def code_digest(strategy: Strategy, arguments: tuple[Any, ...] = ()) -> str:
    """Return the digest of everything that is compiled for a strategy; it names the folder in the cache.

    Raises:
        StrategyError: the strategy uses something that cannot be compiled.
    """
    code, entry = _prepare(strategy)
    return code.digest(entry, arguments)


class _Entry(NamedTuple):
    """The function that is called from outside: its text, the classes it names, the loop, and how much is our own."""

    text: str
    names: dict[str, Any]
    run: Any
    trusted: int


def _prepare(strategy: Strategy) -> tuple[_Sources, _Entry]:
    """Find all that has to be compiled for a strategy."""
    code = _Sources(strategy.name)
    code.add(engine.step)
    trusted = len(code.functions) + 1
    run = code.add(engine.runner(code.plain(strategy.update)))
    text = _ENTRY.format(
        params=_rebuild("Params", "params", strategy.params),
        market=_rebuild("Market", "market", Market),
        limits=_rebuild("Limits", "limits", Limits),
    )
    return code, _Entry(text, {"Params": strategy.params, "Market": Market, "Limits": Limits}, run, trusted)


def _kind(value: Any) -> str:
    """Return the type of an argument as far as compiled code depends on it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_kind, value))})"
    return f"{type(value).__name__}{getattr(value, 'ndim', '')}"


def _rebuild(name: str, variable: str, cls: type[Any]) -> str:
    """Return the expression that makes a NamedTuple again; the compiled signature knows only plain tuples."""
    return f"{name}({', '.join(f'{variable}[{i}]' for i in range(len(cls._fields)))})"


class _Function(NamedTuple):
    """A function to clone, and what it reads from outside itself."""

    function: FunctionType
    outside: dict[str, object]


class _Sources:
    """All functions that are compiled together, found by following what each of them reads."""

    def __init__(self, strategy: str) -> None:
        self.functions: dict[FunctionType, _Function] = {}
        self._strategy = strategy
        self._text: list[str] = []

    def add(self, function: object) -> FunctionType:
        """Take in a function and all that it calls, and return it."""
        plain = self.plain(function)
        if plain not in self.functions:
            outside = dict(self._outside(plain))
            self.functions[plain] = _Function(plain, outside)
            self._text.append(f"{len(self.functions)} {_code_text(plain.__code__)}")
            for name, value in [("defaults", plain.__defaults__), ("keywords", _items(plain)), *outside.items()]:
                self._text.append(f"{name} = {self._describe(plain, name, value)}")
        return plain

    def plain(self, function: object) -> FunctionType:
        """Return a function as Python wrote it."""
        plain = getattr(function, "py_func", function)
        if not isinstance(plain, FunctionType):
            raise self.refuse(f"it is a {type(plain).__name__}, not a plain function")
        return plain

    def digest(self, entry: _Entry, arguments: tuple[Any, ...]) -> str:
        """Return the name of this code on this machine: 32 hexadecimal digits."""
        import llvmlite.binding as llvm  # type: ignore[import-untyped]
        import numba
        import numpy as np

        fields = [cls._fields for cls in entry.names.values()]
        kinds = [_kind(value) for value in arguments]
        features = llvm.get_host_cpu_features().flatten()
        machine = (sys.version, numba.__version__, np.__version__, llvm.get_host_cpu_name(), features)
        how = f"{fields} {kinds} {_INNER} {_code_text(_clone.__code__)}"
        text = "\n".join([*self._text, entry.text, how, *machine])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def refuse(self, why: str) -> StrategyError:
        """Return the error that says why the strategy cannot be compiled."""
        return StrategyError(f"strategy {self._strategy!r} cannot be compiled for a backtest: {why}")

    def _outside(self, function: FunctionType) -> Iterator[tuple[str, object]]:
        """Yield the global and free variables that a function reads, sorted by name."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name in sorted(_globals_read(function.__code__) | set(cells)):
            try:
                if name in cells:
                    yield name, cells[name].cell_contents
                else:
                    yield name, function.__globals__[name] if name in function.__globals__ else getattr(builtins, name)
            except (AttributeError, ValueError):
                raise self.refuse(f"{_place(function)} uses {name!r}, which is not defined") from None

    def _describe(self, function: FunctionType, name: str, value: object) -> str:
        """Return a text that differs whenever what is compiled would differ."""
        root = str(getattr(value, "__module__", None)).partition(".")[0]
        if isinstance(value, ModuleType):
            if value.__name__ in KNOWN_MODULES:
                return f"module {value.__name__}"
            raise self.refuse(
                f"{_place(function)} reads through the module {value.__name__!r}; import the names it needs one by one"
            )
        if root in ("builtins", *KNOWN_MODULES) and (
            isinstance(value, (type, BuiltinFunctionType)) or (callable(value) and root == "numpy")
        ):
            return f"known {root}.{getattr(value, '__name__', value)}"
        if isinstance(value, FunctionType) or hasattr(value, "py_func"):
            plain = self.add(value)
            return f"function {list(self.functions).index(plain) + 1}"
        if isinstance(value, type) and hasattr(value, "_fields"):
            return f"NamedTuple {value.__name__}{value._fields}"
        if type(value).__name__ == "ndarray":
            array: Any = value
            return f"array {array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        if isinstance(value, tuple):
            return f"{type(value).__name__}({', '.join(self._describe(function, name, item) for item in value)})"
        if isinstance(value, _CONSTANTS):
            return f"{type(value).__name__} {value!r}"
        raise self.refuse(
            f"{_place(function)} uses {name!r}, a {type(value).__name__}; only numbers, tuples, arrays, NamedTuples, "
            "functions, math and numpy can be compiled. Make it a parameter of the strategy or a tuple"
        )


@lru_cache(maxsize=1024)
def _globals_read(code: CodeType) -> frozenset[str]:
    """Return the names of the globals that bytecode reads, with those of functions nested in it."""
    read = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return frozenset(read).union(*(_globals_read(const) for const in code.co_consts if isinstance(const, CodeType)))


def _code_text(code: CodeType) -> str:
    """Return bytecode and constants as text; line numbers and file names do not count."""
    consts = [_const_text(const) for const in code.co_consts]
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return f"{code.co_code.hex()} {consts} {names} {shape} {code.co_exceptiontable.hex()}"


def _const_text(const: object) -> str:
    """Return a constant of bytecode as text, the same in every process."""
    if isinstance(const, CodeType):
        return _code_text(const)
    if isinstance(const, frozenset):
        return f"frozenset {sorted(map(repr, const))}"
    return f"{type(const).__name__} {const!r}"


def _items(function: FunctionType) -> tuple[Any, ...]:
    """Return the keyword defaults of a function as a tuple."""
    return tuple((function.__kwdefaults__ or {}).items())


def _place(function: FunctionType) -> str:
    """Return where a function stands, for people."""
    return f"{function.__name__}() ({Path(function.__code__.co_filename).name}:{function.__code__.co_firstlineno})"


def _build(code: _Sources, entry: _Entry, arguments: tuple[Any, ...], folder: Path | None) -> Any:
    """Clone and compile, or load what an earlier process compiled."""
    import numba

    def compiled(path: Path | None) -> Any:
        clones = _clone(code, entry.trusted)
        space = {"__name__": __name__, "run": clones[entry.run], **entry.names}
        exec(compile(entry.text, str(path or "<entry>"), "exec"), space)  # noqa: S102 - our own text, see _ENTRY
        function = numba.njit(space["entry"], cache=path is not None)
        function.compile(tuple(numba.typeof(value) for value in arguments))
        return function

    try:
        try:
            return compiled(folder and _entry_file(folder, entry.text))
        except Exception as fault:  # a cache that cannot be written or read costs time, nothing else
            if folder is None or isinstance(fault, numba.core.errors.NumbaError):
                raise
            function = compiled(None)
            warnings.warn(f"compiled code is not kept in {folder}: {fault}", RuntimeWarning, stacklevel=2)
            return function
    except Exception as fault:  # nothing has run yet: whatever it is, numba cannot compile this code
        raise code.refuse(_reason(fault)) from fault


def _entry_file(folder: Path, text: str) -> Path:
    """Write the source that numba files its compiled code beside, unless it is there, and return its path.

    What nobody has used for long is removed when something new comes; a folder's own time says when it was used.
    """
    path = folder / "entry.py"
    if not path.is_file() or path.read_text() != text:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
        oldest = time.time() - UNUSED_S
        for other in folder.parent.iterdir():
            with suppress(OSError):  # somebody else may be at it
                if other.is_dir() and other.stat().st_mtime < oldest:
                    shutil.rmtree(other)
    else:
        os.utime(folder)
    return path


def _clone(code: _Sources, trusted: int) -> dict[FunctionType, Any]:
    """Return each function as a numba one whose callees are the other ones.

    A strategy's code is compiled with checked indices: reading past its slots raises, as it does in a session.
    """
    import numba

    clones: dict[FunctionType, Any] = {}
    spaces = []
    for n, (function, outside) in enumerate(code.functions.values()):
        space: dict[str, Any] = {"__builtins__": builtins, "__name__": __name__}  # a module any process can import
        cells = tuple(CellType() for _ in function.__code__.co_freevars)
        clone = FunctionType(function.__code__, space, function.__name__, function.__defaults__, cells)
        clone.__kwdefaults__ = function.__kwdefaults__
        ours = function.__module__.startswith("peaktrade_core.") if function.__module__ else False
        clones[function] = numba.njit(clone, boundscheck=n >= trusted, forceinline=ours, **_INNER)
        spaces.append((outside, space, dict(zip(function.__code__.co_freevars, cells, strict=True))))
    for outside, space, by_name in spaces:
        for name, value in outside.items():
            plain = getattr(value, "py_func", value)
            mine = clones.get(plain, value) if isinstance(plain, FunctionType) else value
            if name in by_name:
                by_name[name].cell_contents = mine
            else:
                space[name] = mine
    return clones


def _reason(error: Exception) -> str:
    """Return numba's message without its scaffolding: what it could not do, and in which line."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_DULL)]
    where = next((line for line in reversed(lines) if line.startswith('File "')), "").rstrip(":")
    return " ".join(dict.fromkeys([*told[:3], where])).strip()
