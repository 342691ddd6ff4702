"""Units of systemd that keep the watcher and the dashboard of a workspace running, and what stands of them.

They are units of a user, in the user's own folder: nothing here needs to be root, and nothing is started.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from string import Template

import msgspec

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.resources import share_dir
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.workspace.memory import STATE_HOME, outside_of

NAMES = ("peaktrade-watch.service", "peaktrade-dashboard.service")
ABSENT, SAME, DIFFERS = "absent", "as written", "differs"
UNKNOWN = "unknown"
ASK_S = 10.0  # systemctl may take so long
_PLAIN = re.compile(r"/[\w./ @+,=-]*", re.ASCII)


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit.

    Attributes:
        path: its file; file: ``absent``, ``as written`` or ``differs`` from what would be written now.
        active: systemd's word: ``active``, ``inactive``, ``failed`` ..., ``unknown`` where there is none to ask.
    """

    name: str
    path: str
    file: str
    active: str


UNITS = Columns[Unit](name=Column("Unit"), file=Column("File"), active=Column("State"), path=Column("Path", priority=1))


def unit_folder() -> Path:
    """Return where the units of this user belong."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def unit_texts(home: Path, port: int) -> dict[str, str]:
    """Return each unit by its name.

    Args:
        home: the workspace; port: of the dashboard, on 127.0.0.1.

    Raises:
        ConfigError: a path has a character that a unit could read in another way.
    """
    program = Path(sys.executable).parent / "peaktrade"
    memory = _memory(home)
    for path in (home, program, memory):
        if not _PLAIN.fullmatch(str(path)):
            raise ConfigError(f"{path}: a unit of systemd takes letters, digits and . _ - @ + , = of a path; move it")
    folder = share_dir() / "templates" / "systemd"
    known = {"home": str(home), "program": str(program), "port": str(port)}
    known |= {"memory": str(memory), "variable": STATE_HOME}
    hardening = Template((folder / "hardening.conf").read_text()).substitute(known)
    return {name: Template((folder / name).read_text()).substitute(known, hardening=hardening) for name in NAMES}


def install(home: Path, folder: Path, port: int) -> list[Unit]:
    """Write the units, over those of before, and return how they stand.

    Raises:
        ConfigError: see :func:`unit_texts`.
        EnvironmentFault: the folder cannot be written.
    """
    texts = unit_texts(home, port)
    folder.mkdir(parents=True, exist_ok=True)
    (home / ".cache").mkdir(exist_ok=True)
    _memory(home).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    return status(home, folder, port)


def status(home: Path, folder: Path, port: int) -> list[Unit]:
    """Return how the units stand, their files and, where systemd can be asked, whether they run."""
    found = []
    for name, text in unit_texts(home, port).items():
        path = folder / name
        file = ABSENT if not path.is_file() else SAME if path.read_text(errors="replace") == text else DIFFERS
        found.append(Unit(name=name, path=str(path), file=file, active=_active(name)))
    return found


def tell_manager(state: str) -> None:
    """Tell systemd how this service stands (``READY=1``, ``WATCHDOG=1``), where it asked to be told.

    Source: sd_notify(3): a datagram to the socket that ``NOTIFY_SOCKET`` names, ``@`` for one without a file.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.settimeout(1.0)
        line.sendto(state.encode(), address.replace("@", "\0", 1))


def _memory(home: Path) -> Path:
    """Return the folder outside the workspace where it is remembered how long its logs were."""
    outside = outside_of(home)
    return outside.parent if outside else home / ".cache" / "memory"


def _active(name: str) -> str:
    """Return systemd's word for a unit."""
    program = shutil.which("systemctl")
    if program is None:
        return UNKNOWN
    try:
        asked = subprocess.run(  # noqa: S603 - a fixed program, a fixed name
            [program, "--user", "is-active", name], capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    return asked.stdout.strip() or UNKNOWN
