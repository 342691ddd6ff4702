"""Where the notebooks and templates that come with the package are, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

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


def named_files(home: Path, folder: Path) -> dict[str, Path]:
    """Return the TOML files of a folder by name: those of a workspace, and the shipped ones that it does not replace."""
    return {path.stem: path for place in (share_dir(), home) for path in sorted((place / folder).glob("*.toml"))}
