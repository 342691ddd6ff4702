"""What comes with the package: where its notebooks and templates are, and what another room does, by its name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from peaktrade_core.base.errors import EnvironmentFault

_PACKAGE = Path(__file__).resolve().parent.parent
_PARTS = ("notebooks", "templates")


def share_dir() -> Path:
    """Return the folder that holds ``notebooks/`` and ``templates/``.

    In a checkout this is the folder above the package, in an installed wheel ``peaktrade_core/_share``.

    Raises:
        EnvironmentFault: neither is there; the installation is incomplete.
    """
    for folder in (_PACKAGE.parent, _PACKAGE / "_share"):
        if all((folder / part).is_dir() for part in _PARTS):
            return folder
    raise EnvironmentFault(
        f"notebooks/ and templates/ are neither beside {_PACKAGE} nor in its _share folder; install peaktrade again"
    )


def named(where: str) -> Any:
    """Return what ``room.module:name`` says, loaded now: so a table names what is done in rooms that are built on its own."""
    module, _, name = where.partition(":")
    return getattr(import_module(f"peaktrade_core.{module}"), name)


def named_files(home: Path, folder: Path) -> dict[str, Path]:
    """Return the TOML files of a folder by name: those of a workspace, and the shipped ones that it does not replace."""
    return {path.stem: path for place in (share_dir(), home) for path in sorted((place / folder).glob("*.toml"))}
