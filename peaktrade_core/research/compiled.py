"""The decision code as machine code: the engine's loop and one strategy, compiled into a single function by numba.

The functions themselves stay plain Python. Starting at the loop and at the strategy, everything they call is found,
cloned with its callees replaced by compiled ones, and compiled without any licence to reorder arithmetic. The result is
kept on disk under a digest of *all* that went in - bytecode, constants, the globals and free variables read, versions,
processor - so a change anywhere means another file and code that is out of date can never run. The folder may be
deleted at any time. This module does not know what the code decides.

Arithmetic on floats means the same both ways. What a strategy of one's own should leave alone: whole numbers beyond 64
bits, and ``**`` or transcendental functions where the last digit matters.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from peaktrade_core.base.errors import EnvironmentFault, StrategyError
from peaktrade_core.research.machine_code import Machine, MachineCode, keep, load, machine_code, processor
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import Strategy

KNOWN_MODULES = ("math", "numpy")  # what numba itself can compile calls into
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))
_DULL = ("Failed in", "During:", "- Resolution failure", "- Of which", "[", "There are", "\x1b", "raised from", ">>>")
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # only the entry is called from Python; halves the time
_WHOLES = 5  # numbers that come before the parameters, market and limits: how long each array is
_ENTRY = """\
def entry(reals, wholes, state, book, out, ts, ohlcv, tape, rows):
    n = wholes[1]
    return run(
        {Params}, carray(state, (wholes[2],)), carray(book, (wholes[3],)), carray(out, (wholes[4],)), {Market}, {Limits},
        reals[0], carray(ts, (n,)), carray(ohlcv, (n, 5)), wholes[0],
        carray(tape, (n, {tape})), carray(rows, ({rows} * n, {columns})),
    )
"""

Numbers = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]
_ready: dict[str, Machine] = {}  # what this process has compiled or loaded, by digest
_prepared: dict[tuple[Strategy, str], _Entry] = {}  # what this process has looked through, by strategy and entry


def compile_run(strategy: Strategy, numbers: Numbers, cache: Path | None) -> Callable[..., int | None]:
    """Return the loop of :func:`engine.runner` compiled for a strategy.

    The result takes the other arguments of the loop, ``(state, book, out, bar_s, ts, ohlcv, trade_from, tape, rows)``,
    arrays contiguous and of float64, and returns what the loop returns, or None when the strategy raised.

    Args:
        strategy: any registered strategy, also from a notebook cell.
        numbers: parameters, market and limits as plain tuples.
        cache: folder for compiled code, None to compile in memory only.

    Raises:
        StrategyError: the strategy, or something it uses, cannot be compiled; says what and why.
    """
    import numpy as np

    entry = _prepare(strategy, numbers)
    if entry.digest not in _ready:
        _ready[entry.digest] = Machine((cache and load(cache, entry.digest)) or _build(entry, cache))
    machine = _ready[entry.digest]
    flat = [value for some in numbers for value in some]
    reals = np.array([0.0, *(value for value in flat if not _whole(value))])
    wholes = np.array([*[0] * _WHOLES, *(value for value in flat if _whole(value))], dtype=np.int64)

    def run(
        state: Any, book: Any, out: Any, bar_s: float, ts: Any, ohlcv: Any, trade_from: int, *rest: Any
    ) -> int | None:
        reals[0] = bar_s
        wholes[:_WHOLES] = trade_from, len(ts), len(state), len(book), len(out)
        return machine(reals, wholes, state, book, out, ts, ohlcv, *rest)

    return run


def code_digest(strategy: Strategy) -> str:
    """Return the digest of everything that is compiled for a strategy; it names the file in the cache.

    Raises:
        StrategyError: the strategy uses something that cannot be compiled.
    """
    return _prepare(strategy, (tuple(strategy.params()), (0.0,) * len(Market._fields), tuple(Limits()))).digest


class _Entry(NamedTuple):
    """The function that is called from outside: its text, the classes it names, the loop, and how much is our own."""

    code: _Sources
    text: str
    names: dict[str, Any]
    run: Any
    trusted: int
    digest: str


def _prepare(strategy: Strategy, numbers: Numbers) -> _Entry:
    """Find all that has to be compiled for a strategy; it is looked through again only when something of it changed."""
    names = {"Params": strategy.params, "Market": Market, "Limits": Limits}
    text = _entry_text(names, numbers)
    known = _prepared.get((strategy, text))
    if known is None or not known.code.unchanged():
        code = _Sources(strategy.name)
        code.add(engine.step)
        trusted = len(code.functions) + 1
        run = code.add(engine.runner(code.plain(strategy.update), strategy.clock))
        known = _prepared[strategy, text] = _Entry(code, text, names, run, trusted, code.digest(text, names))
    return known


def _entry_text(names: dict[str, Any], numbers: Numbers) -> str:
    """Return the source of the entry, which makes parameters, market and limits of the numbers that it is given."""
    at = {"reals": 1, "wholes": _WHOLES}
    made = {}
    for name, values in zip(names, numbers, strict=True):
        parts = []
        for value in values:
            where = "wholes" if _whole(value) else "reals"
            parts.append(f"{where}[{at[where]}]{' != 0' if isinstance(value, bool) else ''}")
            at[where] += 1
        made[name] = f"{name}({', '.join(parts)})"
    return _ENTRY.format(**made, tape=engine.TAPE, rows=engine.ROWS, columns=1 + engine.WIDTH)


def _whole(value: object) -> bool:
    """Return whether a number is a whole one to compiled code."""
    return hasattr(value, "__index__")


class _Seen(NamedTuple):
    """What a function to clone is made of, and what it reads from outside itself."""

    code: CodeType
    defaults: tuple[Any, ...] | None
    keywords: tuple[Any, ...]
    outside: dict[str, object]


class _Sources:
    """All functions that are compiled together, found by following what each of them reads."""

    def __init__(self, strategy: str) -> None:
        self.functions: dict[FunctionType, _Seen] = {}
        self._strategy = strategy
        self._text: list[str] = []
        self._fixed = True  # whether nothing that was read can change in place

    def add(self, function: object) -> FunctionType:
        """Take in a function and all that it calls, and return it."""
        plain = self.plain(function)
        if plain not in self.functions:
            outside = dict(self._outside(plain))
            self.functions[plain] = _Seen(plain.__code__, plain.__defaults__, _items(plain), outside)
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

    def digest(self, entry: str, classes: dict[str, Any]) -> str:
        """Return the name of this code on this machine: 32 hexadecimal digits."""
        import numpy as np

        fields = [cls._fields for cls in classes.values()]
        machine = (sys.version, version("numba"), np.__version__, *processor())
        how = f"{fields} {_INNER} {_code_text(_clone.__code__)} {_code_text(_compile.__code__)}"
        text = "\n".join([*self._text, entry, how, *machine])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def unchanged(self) -> bool:
        """Return whether each function still is what it was, and reads what it read."""
        return self._fixed and all(self._same(function, seen) for function, seen in self.functions.items())

    def _same(self, function: FunctionType, seen: _Seen) -> bool:
        """Return whether one function is unchanged."""
        now = dict(self._outside(function))
        return (
            function.__code__ is seen.code
            and function.__defaults__ is seen.defaults
            and _items(function) == seen.keywords
            and now.keys() == seen.outside.keys()
            and all(now[name] is value for name, value in seen.outside.items())
        )

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
            self._fixed = False
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


def _build(entry: _Entry, cache: Path | None) -> MachineCode:
    """Compile, and keep the result for other processes."""
    try:
        machine = _compile(entry)
    except Exception as fault:  # nothing has run yet: whatever it is, numba cannot compile this code
        raise entry.code.refuse(_reason(fault)) from fault
    if cache is not None:
        try:
            keep(cache, entry.digest, machine)
        except EnvironmentFault as fault:  # costs time, nothing else
            warnings.warn(f"compiled code is not kept in {cache}: {fault}", RuntimeWarning, stacklevel=2)
    return machine


def _compile(entry: _Entry) -> MachineCode:
    """Compile the entry with all that it calls into one function of pointers."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]
    import numba

    space = {"__name__": __name__, "run": _clone(entry.code, entry.trusted)[entry.run], "carray": numba.carray}
    space |= entry.names
    exec(compile(entry.text, "<entry>", "exec"), space)  # noqa: S102 - our own text, see _ENTRY
    function = numba.njit(space["entry"], **_INNER)
    reals, wholes = numba.types.CPointer(numba.float64), numba.types.CPointer(numba.int64)
    function.compile((reals, wholes, *[reals] * 7))
    (made,) = function.overloads.values()
    module = llvm.parse_assembly(made.library.get_llvm_str())
    outside = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    _, _, (code, _) = made.library.serialize_using_object_code()
    return machine_code(made.fndesc.llvm_func_name, code, outside)


def _clone(code: _Sources, trusted: int) -> dict[FunctionType, Any]:
    """Return each function as a numba one whose callees are the other ones.

    A strategy's code is compiled with checked indices: reading past its slots raises, as it does in a session.
    """
    import numba

    clones: dict[FunctionType, Any] = {}
    spaces = []
    for n, (function, seen) in enumerate(code.functions.items()):
        space: dict[str, Any] = {"__builtins__": builtins, "__name__": __name__}  # a module any process can import
        cells = tuple(CellType() for _ in function.__code__.co_freevars)
        clone = FunctionType(function.__code__, space, function.__name__, function.__defaults__, cells)
        clone.__kwdefaults__ = function.__kwdefaults__
        ours = function.__module__.startswith("peaktrade_core.") if function.__module__ else False
        clones[function] = numba.njit(clone, boundscheck=n >= trusted, forceinline=ours, **_INNER)
        spaces.append((seen.outside, space, dict(zip(function.__code__.co_freevars, cells, strict=True))))
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
