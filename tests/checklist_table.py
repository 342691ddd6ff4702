"""The table of the handbooks' checklists: read from ``docs/checklists.d/*.toml``, written to ``docs/checklists.md``.

``python tests/checklist_table.py`` writes it. Each line says which step of which notebook answers it, and by which
check; ``inventory.toml`` says how many lines each section of the handbooks has.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import msgspec

REPO = Path(__file__).resolve().parent.parent
FOLDER, TABLE = REPO / "docs" / "checklists.d", REPO / "docs" / "checklists.md"
INVENTORY = "inventory.toml"
CHECK, QUESTION, ACTION, SHOWN, NONE = "check", "question", "action", "shown", "not applicable"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of a handbook: its lines to tick off, its numbered steps, and other points; who answers them."""

    seed: str
    title: str
    file: str
    boxes: int = 0
    steps: int = 0
    points: int = 0

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self.boxes + self.steps + self.points


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line and what answers it.

    Attributes:
        seed: handbook and section; text: what it asks for.
        notebook, step, check: where it is answered; no check: by a person or by what the notebook does.
        given: parameters with which the notebook takes that step.
        how: ``action`` when the notebook does it; else a step without a check is a question to a person.
        why: says why no step answers it.
    """

    seed: str
    text: str
    notebook: str = ""
    step: str = ""
    check: str = ""
    given: dict[str, str] = {}
    how: str = ""
    why: str = ""

    @property
    def kind(self) -> str:
        """How it is answered."""
        if self.check:
            return CHECK
        if self.step:
            return self.how or QUESTION
        return NONE if self.why else SHOWN


def sections() -> list[Section]:
    """Return the inventory."""
    return msgspec.toml.decode((FOLDER / INVENTORY).read_bytes(), type=dict[str, list[Section]])["section"]


def lines(file: str | None = None) -> list[Line]:
    """Return the lines of one file of the folder, or of all of them.

    Raises:
        msgspec.ValidationError: a line has an unknown field or a value of the wrong type.
    """
    paths = sorted(FOLDER.glob("*.toml")) if file is None else [FOLDER / f"{file}.toml"]
    found: list[Line] = []
    for path in paths:
        if path.name != INVENTORY:
            found += msgspec.toml.decode(path.read_bytes(), type=dict[str, list[Line]])["line"]
    return found


def table() -> str:
    """Return the page."""
    every = lines()
    by_kind = Counter(line.kind for line in every)
    counted = ", ".join(f"{by_kind[kind]} {told}" for kind, told in _COUNTED if by_kind[kind])
    text = _HEAD.format(lines=len(every), sections=len({line.seed for line in every}), counted=counted)
    handbook = ""
    for section in sections():
        mine = [line for line in every if line.seed == section.seed]
        if not mine:
            continue
        stem, _, number = section.seed.partition(" ")
        if stem != handbook:
            text += f"\n## {stem}\n"
            handbook = stem
        text += f"\n### {number}: {section.title}\n\n| line | notebook | step | answered by |\n|---|---|---|---|\n"
        text += "".join(_row(line) for line in mine)
    return text


_COUNTED = (
    (CHECK, "by a check that answers itself"),
    (QUESTION, "by a person, with name and reason"),
    (ACTION, "by what the notebook does"),
    (SHOWN, "by what the notebook shows"),
    (NONE, "not applicable"),
)
_HEAD = """# Checklists

Every line of the handbooks' checklists, and what answers it: a *check* answers itself from the artefacts; a *question* is
answered by a person, with a name; an *action* is done by the notebook, once. All of it ends up in the evidence record of
the notebook's run. {lines} lines in {sections} sections: {counted}.

Made by `python tests/checklist_table.py` from `docs/checklists.d/`; `tests/test_checklists.py` runs the notebooks and holds
each row to what they left.
"""


def _row(line: Line) -> str:
    """Return a line as a row of the table."""
    given = ", ".join(f"{name} = {value}" for name, value in line.given.items())
    notebook = _link(line.notebook) + (f" with {given}" if given else "")
    answer = f"check `{line.check}`" if line.check else f"{line.kind}: {line.why}" if line.why else line.kind
    cells = (line.text, notebook, f"`{line.step}`" if line.step else "", answer)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _link(name: str) -> str:
    """Return a notebook as a link, where it is."""
    for kind in ("runbooks", "reports"):
        if name and (REPO / "notebooks" / kind / f"{name}.ipynb").is_file():
            return f"[{name}](../notebooks/{kind}/{name}.ipynb)"
    return name


if __name__ == "__main__":
    TABLE.write_text(table())
    sys.stdout.write(f"{TABLE.relative_to(REPO)}: {len(lines())} lines\n")
