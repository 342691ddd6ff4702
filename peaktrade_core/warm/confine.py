"""A process locked up by the operating system: it reads what it is given, writes into one folder, reaches nobody.

Landlock bounds the files, a seccomp filter the system calls; both hold for native code, for root and for everything
that the process starts, and cannot be taken back. What they do not bound is time and processor (memory has its own
limit). Needed are Linux 5.13 on x86-64 or arm64, no privilege and no other program; elsewhere :func:`confine` refuses.
It has to be called before the process has threads.

Source: the kernel's ``Documentation/userspace-api/landlock.rst`` and ``seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from peaktrade_core.base.errors import EnvironmentFault

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_READ = 1 << 2 | 1 << 3  # read a file, list a folder
_READ_FILE = 1 << 2
_WRITES = (1 << 1) | sum(1 << n for n in range(4, 13))  # write, remove, make of every kind
_BY_VERSION = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # move between folders, truncate, control devices
_EXECUTE = 1 << 0
_FILE_RIGHTS = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)  # what can be granted on something not a folder
_NO_TCP, _NO_ABSTRACT_SOCKET_NOR_SIGNAL = 3, 3
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group",
    "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system", "/sys/fs/cgroup",
    "/dev/urandom", "/dev/zero",
)  # fmt: skip

# System calls that the filter refuses on each processor: reach others, look into or signal other processes, start
# programs, change what belongs to files that may only be read, get at the kernel itself.
_REFUSED = {
    "x86_64": (
        *(42, 59, 322),  # connect, execve, execveat
        *(76, 90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280),  # truncate, chmod, chown, times, by path or file
        *(188, 189, 190, 197, 198, 199, 463, 466),  # extended attributes
        *(101, 310, 311, 438, 424, 200, 129, 297, 272, 308, 155, 161, 165, 166, 304),  # processes, namespaces, mounts
        *(321, 298, 323, 425, 426, 427, 248, 249, 250),  # bpf, perf, userfaultfd, io_uring, keys
    ),
    "aarch64": (
        *(203, 221, 281),
        *(45, 52, 53, 452, 54, 55, 88),
        *(5, 6, 7, 14, 15, 16, 463, 466),
        *(117, 270, 271, 438, 424, 130, 138, 240, 97, 268, 41, 51, 40, 39, 265),
        *(280, 241, 282, 425, 426, 427, 217, 218, 219),
    ),
}
_OWN_ONLY = {"x86_64": (62, 234, 302), "aarch64": (129, 131, 261)}  # kill, tgkill, prlimit64: of itself
_SOCKET = {"x86_64": 41, "aarch64": 198}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x4000_0000  # x86-64's other numbering of the same calls
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCH, _FIRST, _SECOND = 0, 4, 16, 24  # where a call's number, processor and arguments are
_ALLOW, _REFUSE, _KILL = 0x7FFF_0000, 0x0005_0000 | 1, 0x8000_0000  # 1: EPERM
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


class Bounds(msgspec.Struct, frozen=True):
    """What a process may touch; the rest of the machine's files does not exist for it.

    Attributes:
        read: files and folders beside those that Python and the system's libraries need; one that is missing is left out.
        write: the one folder in which it may make, change and delete.
    """

    read: tuple[str, ...]
    write: str


def missing() -> str:
    """Return why processes cannot be confined on this machine, an empty string where they can."""
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURE:
        return "it needs Linux on x86-64 or arm64"
    return "" if _version() > 0 else "it needs Linux 5.13 or newer with Landlock switched on"


def confine(bounds: Bounds) -> None:
    """Confine this process, for good.

    Raises:
        EnvironmentFault: this machine cannot; the process must end then.
    """
    if why := missing():
        raise EnvironmentFault(f"this process cannot be confined: {why}")
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "give up privileges")
    _drop_capabilities(libc)
    _bound_files(libc, bounds)
    _bound_calls(libc)


def _version() -> int:
    """Return Landlock's version, -1 where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(_CREATE_RULESET, None, 0, 1))


def _check(result: int, what: str) -> int:
    if result < 0:
        raise EnvironmentFault(f"this process cannot be confined: cannot {what}: {os.strerror(ctypes.get_errno())}")
    return result


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Let go of what root may do beyond other users."""
    header, none = struct.pack("Ii", 0x2008_0522, 0), bytes(24)
    _check(libc.capset(header, none), "drop capabilities")


def _bound_files(libc: ctypes.CDLL, bounds: Bounds) -> None:
    """Let only listed files be read and only one folder be written."""
    version = _version()
    everything = _EXECUTE | _READ | _WRITES | sum(bit for since, bit in _BY_VERSION.items() if version >= since)
    rules = [
        everything,
        *([_NO_TCP] if version >= 4 else []),
        *([_NO_ABSTRACT_SOCKET_NOR_SIGNAL] if version >= 6 else []),
    ]
    attributes = struct.pack(f"{len(rules)}Q", *rules)
    ruleset = _check(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0), "make rules")
    try:
        for path in {*_SYSTEM, *_python(), *bounds.read}:
            _allow(libc, ruleset, path, _EXECUTE | _READ)
        _allow(libc, ruleset, "/dev/null", _READ_FILE | 1 << 1)
        _allow(libc, ruleset, bounds.write, everything & ~_EXECUTE)
        _check(libc.syscall(_RESTRICT_SELF, ruleset, 0), "bound the files")
    finally:
        os.close(ruleset)


def _python() -> Iterable[str]:
    """Return where this interpreter, its libraries and this package are."""
    import peaktrade_core
    from peaktrade_core.base.resources import share_dir

    share = share_dir()
    package = Path(peaktrade_core.__file__).parent
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    ours = (package, share / "templates", share / "notebooks")
    return (sys.prefix, sys.base_prefix, sys.exec_prefix, *libraries, *map(str, ours))


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Grant rights on a file, or on a folder and all below it; what does not exist needs none."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        granted = rights if Path(path).is_dir() else rights & _FILE_RIGHTS
        _check(libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", granted, handle), 0), f"allow {path}")
    finally:
        os.close(handle)


def _bound_calls(libc: ctypes.CDLL) -> None:
    """Refuse the system calls that reach beyond this process."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    code = _program(platform.machine(), os.getpid())
    program = Program(len(code) // 8, code)
    _check(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0), "bound the system calls")


def _program(machine: str, pid: int) -> bytes:
    """Return the filter: each instruction is a code, where to go on true and on false, and a number."""
    steps = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for number in _REFUSED[machine]:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    for number in _OWN_ONLY[machine]:  # the whole group, as 0, is itself too
        own = [(_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, pid), (_EQUAL, 0, 1, 0), (_RETURN, 0, 0, _ALLOW)]
        steps += [(_EQUAL, 0, len(own) + 1, number), *own, (_RETURN, 0, 0, _REFUSE)]
    # of sockets only those of this machine's files that must be connected, which nobody can without ``connect``
    unix = [(_LOAD, 0, 0, _FIRST), (_EQUAL, 0, 3, 1), (_LOAD, 0, 0, _SECOND), (_AND, 0, 0, 0xF), (_EQUAL, 1, 0, 1)]
    steps += [(_EQUAL, 0, len(unix) + 1, _SOCKET[machine]), *unix, (_RETURN, 0, 0, _REFUSE)]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
