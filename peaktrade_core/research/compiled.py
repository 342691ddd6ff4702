"""Loops of the decision code and of strategies as machine code, each compiled into a single function by numba.

The functions themselves stay plain Python. Starting at the loop, everything it calls is found,
cloned with its callees replaced by compiled ones, and compiled without any licence to reorder arithmetic. The result is
kept on disk under a digest of *all* that went in - bytecode, constants, the globals and free variables read, versions,
processor - so a change anywhere means another file and code that is out of date can never run. The folder may be
deleted at any time. This module does not know what the code decides.

Arithmetic on floats means the same both ways. What a strategy of one's own should leave alone: whole numbers beyond 64
bits, and ``**`` or transcendental functions where the last digit matters.
"""

from __future__ import annotations

import builtins
import hashlib
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.research.machine_code import Machine, MachineCode, keep, load, machine_code, processor
from peaktrade_core.research.sources import Sources, code_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DULL = ("Failed in", "During:", "- Resolution failure", "- Of which", "[", "There are", "\x1b", "raised from", ">>>")
_INNER = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # only the entry is called from Python; halves the time
_ENTRY = """\
def entry(reals, wholes, {names}):
    return run({numbers}, {arrays})
"""

_ready: dict[str, Machine] = {}  # what this process has compiled or loaded, by digest
_prepared: dict[tuple[object, str], _Entry] = {}  # what this process has looked through, by owner and entry


class LoopSource(NamedTuple):
    """A loop to compile: it takes NamedTuples of numbers and then contiguous arrays of float64, and returns a whole number.

    Attributes:
        name: of the strategy for error messages; owner: what it is known by in this process.
        make: returns the function, which may be a closure made anew; own: whether all of it is ours, not a stranger's.
        columns: of each array, 0 for a flat one.
    """

    name: str
    owner: object
    make: Callable[[], Any]
    own: bool
    columns: tuple[int, ...]


class Compiled:
    """A compiled loop for numbers of given kinds."""

    def __init__(self, machine: Machine, columns: tuple[int, ...]) -> None:
        self._machine, self._columns = machine, columns

    def __call__(self, numbers: Sequence[tuple[Any, ...]], *arrays: NDArray[np.float64]) -> int | None:
        """Return what the loop returns, None when the strategy raised; ``numbers`` are of the kinds it was compiled for."""
        import numpy as np

        flat = [value for some in numbers for value in some]
        reals = np.array([value for value in flat if not _whole(value)] or [0.0])
        lengths = [len(array) for array in arrays]
        wholes = np.array([*lengths, *(value for value in flat if _whole(value))], dtype=np.int64)
        return self._machine(reals, wholes, *arrays)


def compile_loop(loop: LoopSource, numbers: Sequence[tuple[Any, ...]], cache: Path | None) -> Compiled:
    """Return a loop compiled for numbers like these: NamedTuples, as parameters, market and limits are.

    Args:
        loop: what to compile; numbers: of the kinds that it will be called with.
        cache: folder for compiled code, None to compile in memory only.

    Raises:
        StrategyError: the strategy, or something it uses, cannot be compiled; says what and why.
    """
    entry = _prepare(loop, numbers)
    if entry.digest not in _ready:
        _ready[entry.digest] = Machine((cache and load(cache, entry.digest)) or _build(entry, cache))
    return Compiled(_ready[entry.digest], loop.columns)


def loop_digest(loop: LoopSource, numbers: Sequence[tuple[Any, ...]]) -> str:
    """Return the digest of everything that is compiled for a loop; it names the file in the cache.

    Raises:
        StrategyError: the strategy uses something that cannot be compiled.
    """
    return _prepare(loop, numbers).digest


class _Entry(NamedTuple):
    """The function that is called from outside: its text, the classes it names, the loop, and how much is our own."""

    code: Sources
    text: str
    names: dict[str, Any]
    run: Any
    arrays: int
    trusted: int
    digest: str


def _prepare(loop: LoopSource, numbers: Sequence[tuple[Any, ...]]) -> _Entry:
    """Find all that has to be compiled for a loop; it is looked through again only when something of it changed."""
    names = {f"Numbers{at}": type(some) for at, some in enumerate(numbers)}
    text = _entry_text(names, numbers, loop.columns)
    known = _prepared.get((loop.owner, text))
    if known is None or not known.code.unchanged():
        code = Sources(loop.name)
        run = code.add(loop.make())
        trusted = len(code.functions) if loop.own else 1
        digest = _digest(code, text, names)
        known = _prepared[loop.owner, text] = _Entry(code, text, names, run, len(loop.columns), trusted, digest)
    return known


def _digest(code: Sources, entry: str, classes: dict[str, Any]) -> str:
    """Return the name of this code on this machine: 32 hexadecimal digits."""
    import numpy as np

    fields = [cls._fields for cls in classes.values()]
    machine = (sys.version, _numba(), np.__version__, *processor())
    how = f"{fields} {_INNER} {code_text(_clone.__code__)} {code_text(_compile.__code__)}"
    return hashlib.sha256("\n".join([code.text, entry, how, *machine]).encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def _numba() -> str:
    return version("numba")


def _entry_text(names: dict[str, Any], numbers: Sequence[tuple[Any, ...]], columns: tuple[int, ...]) -> str:
    """Return the source of the entry, which makes NamedTuples and arrays of the numbers and pointers that it is given."""
    at = {"reals": 0, "wholes": len(columns)}
    made = []
    for name, values in zip(names, numbers, strict=True):
        parts = []
        for value in values:
            where = "wholes" if _whole(value) else "reals"
            parts.append(f"{where}[{at[where]}]{' != 0' if isinstance(value, bool) else ''}")
            at[where] += 1
        made.append(f"{name}({', '.join(parts)})")
    arrays = [f"carray(a{n}, (wholes[{n}],{f' {width}' if width else ''}))" for n, width in enumerate(columns)]
    given = ", ".join(f"a{n}" for n in range(len(columns)))
    return _ENTRY.format(names=given, numbers=", ".join(made), arrays=", ".join(arrays))


def _whole(value: object) -> bool:
    """Return whether a number is a whole one to compiled code."""
    return hasattr(value, "__index__")


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
    function.compile((reals, wholes, *[reals] * entry.arrays))
    (made,) = function.overloads.values()
    module = llvm.parse_assembly(made.library.get_llvm_str())
    outside = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    _, _, (code, _) = made.library.serialize_using_object_code()
    return machine_code(made.fndesc.llvm_func_name, code, outside)


def _clone(code: Sources, trusted: int) -> dict[FunctionType, Any]:
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
