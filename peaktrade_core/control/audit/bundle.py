"""One file for an auditor: the ledger, everything that it holds, and a page of Python that verifies it elsewhere."""

from __future__ import annotations

import base64
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.resources import share_dir
from peaktrade_core.control.audit.anchor import stamped
from peaktrade_core.records.folder import LAUNCH
from peaktrade_core.records.kept import CODE, WARMUP
from peaktrade_core.workspace.grown import PLAIN_LOGS
from peaktrade_core.workspace.ledger import LEDGER, SEALED, Ledger
from peaktrade_core.workspace.papers import papers
from peaktrade_core.workspace.workspace import Workspace

VERIFY = "verify.py"
_FIXED = (1980, 1, 1, 0, 0, 0)  # the time of each file in it, so that the same workspace makes the same bundle


class Bundle(NamedTuple):
    """A bundle that was written: its file, how many files are in it, and how large it is [bytes]."""

    path: Path
    files: int
    size: int


def bundle(place: Workspace, path: Path, *, journals: bool = True) -> Bundle:
    """Write a bundle of a workspace and return what it is.

    Args:
        place: whose; path: a new file; journals: whether journals and tables of sessions are in it, which are large.

    Raises:
        ConfigError: the workspace has no ledger yet, or there is a file of that name.
        EnvironmentFault: it cannot be written; nothing is left of it.
    """
    if not (place.reports / LEDGER).is_file():
        raise ConfigError(f"{place.home} has no ledger yet: nothing was recorded that could be bundled")
    if path.exists():
        raise ConfigError(f"{path} exists already; name a new file")
    staged, count = path.with_name(f".{path.name}.tmp"), 1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(staged, "w", zipfile.ZIP_DEFLATED) as packed:
            _add(packed, VERIFY, share_dir() / "templates" / "audit" / VERIFY)
            for name, file in dict(_files(place, journals=journals)).items():  # a paper may fit a form, too
                _add(packed, name, file)
                count += 1
            for one in stamped(Ledger(place.home)):
                packed.writestr(zipfile.ZipInfo(f"anchors/{one.head}.tsr", _FIXED), base64.b64decode(one.answer))
                count += 1
        os.replace(staged, path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {why(error)}") from error
    finally:
        staged.unlink(missing_ok=True)
    return Bundle(path, count, path.stat().st_size)


def _files(place: Workspace, *, journals: bool) -> Iterator[tuple[str, Path]]:
    """Yield what belongs into a bundle: the name in it, and the file."""
    reports, records = place.reports, place.reports / "experiments" / "live_sessions"
    forms = [(reports, LEDGER), (reports / "live", "halts*.jsonl"), (records, "*.json")]
    forms += [(reports / name, form) for name in SEALED for form in ("*.json", "*/*.json", "*/*.md")]
    forms += [(place.home, form) for form in PLAIN_LOGS]
    for folder, form in forms:
        for file in sorted(folder.glob(form)):
            if file.is_file() and not file.is_symlink() and not file.name.startswith("."):
                yield file.relative_to(place.home).as_posix(), file
    if (roots := place.home / place.config.audit.anchor_roots).is_file():
        yield "anchors/roots.pem", roots
    for name in sorted(papers(Ledger(place.home))):
        if (file := place.home / name).is_file() and not file.is_symlink():
            yield name, file
    runs = (file for form in ("events.*", WARMUP, CODE, LAUNCH, "meta.json") for file in place.runs.glob(f"*/{form}"))
    for file in sorted(runs) if journals else ():
        if file.is_file() and not file.is_symlink():
            yield f"live_runs/{file.parent.name}/{file.name}", file


def _add(packed: zipfile.ZipFile, name: str, file: Path) -> None:
    """Add a file to a bundle, without its time."""
    about = zipfile.ZipInfo(name, _FIXED)
    about.compress_type = zipfile.ZIP_DEFLATED
    with file.open("rb") as source, packed.open(about, "w", force_zip64=True) as target:
        while data := source.read(1 << 20):
            target.write(data)
