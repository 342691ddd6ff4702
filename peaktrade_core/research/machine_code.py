"""Machine code as it is kept and called: one file of it, loaded by llvmlite alone.

numba makes the code, but takes far longer to import than the code takes to load. Nothing here knows what the code does.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.base.files import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNUSED_S = 30 * 86_400.0  # compiled code that nobody used for so long is removed [s]
_FREES = "NRT_MemInfo_call_dtor"  # of numba's runtime: frees what the code allocated
_no_memory = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)  # stands in for it where nothing is allocated


class MachineCode(msgspec.Struct, frozen=True):
    """A compiled function.

    Attributes:
        symbol: its name in ``code``, an object file; sha256: of that, since damaged code must never run.
        needs_numba: whether it calls numba's own runtime.
    """

    symbol: str
    code: bytes
    sha256: str
    needs_numba: bool


def machine_code(symbol: str, code: bytes, outside: set[str]) -> MachineCode:
    """Return a compiled function; ``outside`` are the names that it calls and does not hold."""
    return MachineCode(symbol, code, hashlib.sha256(code).hexdigest(), bool(outside - {_FREES}))


class Machine:
    """A compiled function that can be called."""

    def __init__(self, machine: MachineCode) -> None:
        """Load it into this process."""
        import llvmlite.binding as llvm  # type: ignore[import-untyped]

        if machine.needs_numba:
            import numba

            _ = numba.core.registry.cpu_target.target_context  # makes its runtime known to the linker
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple().create_target_machine(jit=True)  # each engine owns one
        if llvm.address_of_symbol(_FREES) is None:
            llvm.add_symbol(_FREES, ctypes.cast(_no_memory, ctypes.c_void_p).value)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(machine.code))
        self._engine.finalize_object()
        self._address = self._engine.get_function_address(machine.symbol)
        self._functions: dict[int, Callable[..., int]] = {}  # by how many arrays they take

    def __call__(self, *arrays: NDArray[np.float64] | NDArray[np.int64]) -> int | None:
        """Return the whole number that the function returns for contiguous arrays, None when it raised."""
        pointer, count = ctypes.c_void_p, len(arrays)
        function = self._functions.get(count)
        if function is None:
            kinds = [pointer] * (2 + count)
            function = self._functions[count] = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(self._address)
        result, fault = ctypes.c_int64(), pointer()
        given = [pointer(array.ctypes.data) for array in arrays]
        status: int = function(ctypes.byref(result), ctypes.byref(fault), *given)
        return None if status else result.value


@lru_cache(maxsize=1)
def processor() -> tuple[str, str]:
    """Return the name of this machine's processor and what it can do, on which machine code depends."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def load(folder: Path, digest: str) -> MachineCode | None:
    """Return what an earlier process kept, None where there is nothing or something damaged."""
    path = folder / digest
    try:
        found = msgspec.msgpack.decode(path.read_bytes(), type=MachineCode)
        if hashlib.sha256(found.code).hexdigest() != found.sha256:
            return None
        os.utime(path)  # a file's own time says when it was used
    except (OSError, msgspec.DecodeError):
        return None
    return found


def keep(folder: Path, digest: str, machine: MachineCode) -> None:
    """Keep compiled code for other processes, and remove what nobody has used for long.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot create {folder}: {why(error)}") from error
    write_atomic(folder / digest, msgspec.msgpack.encode(machine))
    oldest = time.time() - UNUSED_S
    for other in folder.iterdir():
        with suppress(OSError):  # another process may be at it
            if other.stat().st_mtime < oldest:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
