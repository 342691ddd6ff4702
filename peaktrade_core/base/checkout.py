"""The checkout that this program runs from: its commit, whether its sources changed, and where its documents lead.

Reads files and starts nothing. An installed wheel is no checkout.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

_SOURCES = ("peaktrade_core", "tests", "notebooks", "templates", "config", "docs", "benchmarks")
_FILES = ("README.md", "Makefile", "pyproject.toml", "constraints.txt", "environment.yml")
_SKIPPED = {"__pycache__", ".ipynb_checkpoints"}
_USED = re.compile(r"\[([^\[\]]+)\]\[([^\[\]]*)\]")  # a link by reference: text, and name where it is not the text
_NAMED = re.compile(r"^ {0,3}\[([^\[\]]+)\]:\s*<?([^\s>]+)", re.MULTILINE)  # a reference and where it leads


def is_checkout(folder: Path) -> bool:
    """Return whether a folder holds the sources with their tests."""
    return (folder / "pyproject.toml").is_file() and (folder / "tests").is_dir()


def git_commit(checkout: Path) -> str | None:
    """Return the commit that a checkout is at, None when it is no checkout; reads files, starts nothing."""
    try:
        git, common = _git_folders(checkout)
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head[:40]
        name = head.removeprefix("ref:").strip()
        for folder in (git, common):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()[:40]
        packed = (common / "packed-refs").read_text().splitlines()
        return next((line[:40] for line in packed if line.endswith(f" {name}")), None)
    except (OSError, UnicodeDecodeError):
        return None


def git_tag(checkout: Path) -> str:
    """Return the tags of the commit that a checkout is at, as far as they stand in plain files; empty for none.

    An annotated tag is known once git has packed its references, which it does by itself.
    """
    commit, found = git_commit(checkout), set()
    if commit is None:
        return ""
    try:
        _, common = _git_folders(checkout)
        tags = common / "refs" / "tags"
        found |= {
            path.relative_to(tags).as_posix()
            for path in tags.rglob("*")
            if path.is_file() and commit in path.read_text()
        }
        name = ""
        for line in (common / "packed-refs").read_text().splitlines():
            name = line[41:] if not line.startswith("^") else name  # the line after a tag names what it points to
            if commit in line and name.startswith("refs/tags/"):
                found.add(name.removeprefix("refs/tags/"))
    except (OSError, UnicodeDecodeError):
        pass
    return ", ".join(sorted(found))


def _git_folders(checkout: Path) -> tuple[Path, Path]:
    """Return where git keeps what belongs to a checkout, and what its worktrees share."""
    git = checkout / ".git"
    if git.is_file():  # a worktree names its folder
        git = (checkout / git.read_text().removeprefix("gitdir:").strip()).resolve()
    common = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
    return git, common


def sources_digest(checkout: Path) -> str:
    """Return one hash over the content of every source, test, notebook, template and document."""
    total = hashlib.sha256()
    for path in sorted(_source_files(checkout)):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(checkout).as_posix()} {digest}\n".encode())
    return total.hexdigest()


def _source_files(checkout: Path) -> Iterator[Path]:
    """Yield the files that a gate's result depends on."""
    for name in _SOURCES:
        for path in (checkout / name).rglob("*"):
            if path.is_file() and not _SKIPPED & set(path.parts):
                yield path
    yield from (path for name in _FILES if (path := checkout / name).is_file())


def documents(checkout: Path) -> list[Path]:
    """Return the documents whose links must lead somewhere."""
    changes = checkout / "CHANGELOG.md"
    return [
        checkout / "README.md",
        *([changes] if changes.exists() else []),
        *sorted((checkout / "docs").rglob("*.md")),
    ]


def broken_links(document: Path) -> list[str]:
    """Return the targets in a document that lead nowhere: files that are not there, headings that do not exist.

    Links are followed as they stand (``[text](target)``) and by reference (``[text][name]`` with a line ``[name]: target``);
    a name without such a line leads nowhere, too.
    """
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {_name(name): target for name, target in _NAMED.findall(text)}
    used = [name or said for said, name in _USED.findall(re.sub(r"`[^`\n]*`", "", text))]
    found = [f"[{name}]" for name in used if _name(name) not in named]
    for target in (*re.findall(r"\]\(<?([^)\s>]+)", text), *named.values()):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        aim = document.parent / file if file else document
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in _anchors(aim)):
            found.append(target)
    return found


def _name(text: str) -> str:
    """Return the name of a reference as names are compared."""
    return " ".join(text.casefold().split())


def _anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
