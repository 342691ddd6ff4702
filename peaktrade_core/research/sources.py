"""What a loop is made of: every function it calls and every constant it reads, found by following what each of them names."""

from __future__ import annotations

import builtins
import dis
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from peaktrade_core.base.errors import StrategyError

KNOWN_MODULES = ("math", "numpy")  # what numba itself can compile calls into
_CONSTANTS = (bool, int, float, complex, str, bytes, type(None))


def plain_function(function: object, strategy: str) -> FunctionType:
    """Return a function as Python wrote it.

    Raises:
        StrategyError: it is something else, as a partial; names the strategy.
    """
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise _refusal(strategy, f"it is a {type(plain).__name__}, not a plain function")
    return plain


def _refusal(strategy: str, why: str) -> StrategyError:
    return StrategyError(f"strategy {strategy!r} cannot be compiled for a backtest: {why}")


class FunctionParts(NamedTuple):
    """What a function to clone is made of, and what it reads from outside itself."""

    code: CodeType
    defaults: tuple[Any, ...] | None
    keywords: tuple[Any, ...]
    outside: dict[str, object]


class Sources:
    """All functions that are compiled together, found by following what each of them reads."""

    def __init__(self, strategy: str) -> None:
        self.functions: dict[FunctionType, FunctionParts] = {}
        self._strategy = strategy
        self._text: list[str] = []
        self._fixed = True  # whether nothing that was read can change in place

    def add(self, function: object) -> FunctionType:
        """Take in a function and all that it calls, and return it."""
        plain = plain_function(function, self._strategy)
        if plain not in self.functions:
            outside = dict(self._outside(plain))
            self.functions[plain] = FunctionParts(plain.__code__, plain.__defaults__, _items(plain), outside)
            self._text.append(f"{len(self.functions)} {code_text(plain.__code__)}")
            for name, value in [("defaults", plain.__defaults__), ("keywords", _items(plain)), *outside.items()]:
                self._text.append(f"{name} = {self._describe(plain, name, value)}")
        return plain

    @property
    def text(self) -> str:
        """All that was found, as text that differs whenever what is compiled would differ."""
        return "\n".join(self._text)

    def unchanged(self) -> bool:
        """Return whether each function still is what it was, and reads what it read."""
        return self._fixed and all(self._same(function, seen) for function, seen in self.functions.items())

    def _same(self, function: FunctionType, seen: FunctionParts) -> bool:
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
        return _refusal(self._strategy, why)

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


def code_text(code: CodeType) -> str:
    """Return bytecode and constants as text; line numbers and file names do not count."""
    consts = [_const_text(const) for const in code.co_consts]
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return f"{code.co_code.hex()} {consts} {names} {shape} {code.co_exceptiontable.hex()}"


def _const_text(const: object) -> str:
    """Return a constant of bytecode as text, the same in every process."""
    if isinstance(const, CodeType):
        return code_text(const)
    if isinstance(const, frozenset):
        return f"frozenset {sorted(map(repr, const))}"
    return f"{type(const).__name__} {const!r}"


def _items(function: FunctionType) -> tuple[Any, ...]:
    """Return the keyword defaults of a function as a tuple."""
    return tuple((function.__kwdefaults__ or {}).items())


def _place(function: FunctionType) -> str:
    """Return where a function stands, for people."""
    return f"{function.__name__}() ({Path(function.__code__.co_filename).name}:{function.__code__.co_firstlineno})"
