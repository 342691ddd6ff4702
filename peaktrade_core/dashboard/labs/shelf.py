"""Which labs there are: notebooks of the pages' folder and of the workspace's own, each opened at ``/lab/NAME``.

A notebook that says nothing about itself is a lab; one that says it is something else, or has side effects, is not.
Its title is the first heading, what it is about the text below that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.errors import ArtefactError, UnknownNameError, why
from peaktrade_core.base.resources import share_dir
from peaktrade_core.dashboard.pages import parsed
from peaktrade_core.workspace.workspace import Workspace

OWN = "dashboards"  # the folder of a workspace in which its own labs lie
SHIPPED = ("compare", "limits", "parameters", "sweep", "candles")  # in the order in which they are listed


class LabEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A lab in the list.

    Attributes:
        name: in its address; title, about: in words; own: whether it is the workspace's.
        fault: why it cannot be opened, empty where it can.
    """

    name: str
    title: str
    about: str
    own: bool
    fault: str = ""


class Shelf:
    """The labs of some folders; of two notebooks of one name the first folder's counts.

    Args (of the constructor):
        shipped: the folder of the pages; own: that of the workspace; neither needs to exist.
    """

    def __init__(self, shipped: Path, own: Path) -> None:
        self._folders = ((shipped, False), (own, True))

    @classmethod
    def of(cls, workspace: Workspace, shipped: Path | None = None) -> Shelf:
        """Return the labs of a workspace, found once; ``shipped`` is where the pages are, if not where ours are."""
        folder = shipped or share_dir() / "notebooks" / "dashboards"
        return workspace.once(cls, lambda: cls(folder, workspace.home / OWN))

    def labs(self) -> list[LabEntry]:
        """Return the labs: ours, then the others by name; a file that is no notebook is listed with its fault."""
        found: dict[str, LabEntry] = {}
        for folder, own in self._folders:
            for path in sorted(folder.glob("*.ipynb")):
                entry = _entry(path, own)
                if entry is not None:
                    found.setdefault(entry.name, entry)
        ours = [found.pop(name) for name in SHIPPED if name in found]
        return [*ours, *(found[name] for name in sorted(found))]

    def path(self, name: str) -> Path:
        """Return the notebook of a lab.

        Raises:
            UnknownNameError: there is none of that name; lists those that exist.
        """
        for folder, _ in self._folders:
            path = folder / f"{name}.ipynb"
            if path.parent == folder and path.is_file() and not name.startswith("."):
                return path
        raise UnknownNameError("lab", name, [lab.name for lab in self.labs()])


def read_lab(path: Path) -> dict[str, Any]:
    """Return the notebook of a lab, marked as an interactive page.

    Raises:
        ArtefactError: it is no notebook, or says that it is something else or has side effects.
    """
    notebook = parsed(path)
    about = notebook["metadata"].get("peaktrade", {})
    if about.get("kind", "lab") != "lab" or about.get("side_effects"):
        raise ArtefactError(
            f"{path.name} is no lab: its metadata says peaktrade.kind = {about.get('kind', 'lab')}"
            + (", with side effects" if about.get("side_effects") else "")
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {**notebook["metadata"], "peaktrade": {**about, "interactive": True}, "kernelspec": kernel}
    return {**notebook, "metadata": {**metadata, "title": told_of(notebook, path.stem)[0]}}


def told_of(notebook: dict[str, Any], name: str) -> tuple[str, str]:
    """Return the title of a notebook and what it is about: its first heading and the paragraph below."""
    texts = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    parts = texts[0].strip().split("\n\n") if texts else []
    titled = bool(parts) and parts[0].startswith("#")
    title = parts[0].lstrip("# ").strip() if titled else name.replace("_", " ").capitalize()
    return title, " ".join(parts[1].split()) if titled and len(parts) > 1 else ""


def _entry(path: Path, own: bool) -> LabEntry | None:
    """Return the entry of a notebook, None for one that is something else."""
    try:
        notebook = parsed(path)
    except (ArtefactError, OSError) as error:
        return LabEntry(name=path.stem, title=path.stem, about="", own=own, fault=why(error))
    about = notebook["metadata"].get("peaktrade", {})
    if about.get("kind", "lab") != "lab" or about.get("side_effects"):
        return None
    title, text = told_of(notebook, path.stem)
    return LabEntry(name=path.stem, title=title, about=text, own=own)
