"""People with real keys of ``ssh-keygen``, each in a folder of its own, and a workspace that names them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from peaktrade_core.people.approvals import Approvals
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.workspace import Workspace

HASH = "a" * 64
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Keyed(NamedTuple):
    """A person's key: the private file and the public line."""

    path: Path
    public: str


class Moving:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def later(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture(scope="session")
def key_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Keyed]:
    """Return a function that makes a person's key, once."""
    if shutil.which("ssh-keygen") is None:
        pytest.fail("these tests need ssh-keygen: install the OpenSSH client")
    folder, made = tmp_path_factory.mktemp("keys"), dict[str, Keyed]()

    def of(name: str) -> Keyed:
        if name not in made:
            path = folder / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
            made[name] = Keyed(path, path.with_name(f"{name}.pub").read_text().strip())
        return made[name]

    return of


@pytest.fixture
def names(home: Path, key_of: Callable[[str], Keyed]) -> Callable[..., str]:
    """Return a function that writes people.toml: name = roles, or a tuple of roles and whose key."""

    def write(to: Path | None = None, **people: str | tuple[str, str]) -> str:
        text = ""
        for name, given in people.items():
            roles, key = (given, name) if isinstance(given, str) else given
            keys = f'["{key_of(key).public}"]' if key else "[]"
            listed = ", ".join(f'"{role}"' for role in roles.split())
            text += f'[[person]]\nname = "{name}"\nroles = [{listed}]\nkeys = {keys}\n'
        (to or home / "config" / "people.toml").write_text(text)
        return text

    return write


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
def team(workspace: Workspace, clock: Moving, names: Callable[..., str]) -> Workspace:
    """Return a workspace with an owner, a risk officer and two operators, all with keys."""
    names(Ada="owner", Ben="risk_officer", Cleo="operator", Dora="operator")
    workspace.clock = clock
    return workspace


@pytest.fixture
def approvals(team: Workspace, clock: Moving) -> Approvals:
    return Approvals(Ledger.of(team), team.home, clock)
