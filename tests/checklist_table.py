"""The table of the handbooks' checklists: read from ``docs/checklists.d/*.toml``, written to ``docs/checklists.md``.

``python tests/checklist_table.py`` writes it. Each line says which step of which notebook answers it, and by which
check; ``inventory.toml`` says how many lines each section of the handbooks has.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import msgspec

REPO = Path(__file__).resolve().parent.parent
FOLDER, TABLE = REPO / "docs" / "checklists.d", REPO / "docs" / "checklists.md"
INVENTORY = "inventory.toml"
_STEP = re.compile(r" step (\d+)$")
CHECK, QUESTION, ACTION, SHOWN, NONE = "check", "question", "action", "shown", "not applicable"
STEP = "step"


Given = tuple[tuple[str, str], ...]


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
    """A line and what answers it; a line may have several answers.

    Attributes:
        seed: handbook and section, for one of its numbered steps with ``step N``; text: what it asks for.
        line: its number in the section, where order and ``step N`` do not say it; -1 for what goes beyond the handbook.
        notebook, step, check: where it is answered; no check: by a person or by what the notebook does.
        given: parameters with which the notebook takes that step; after: those of a run before it in the same workspace.
        how: ``action`` when the notebook does it; ``step`` when the step as a whole answers it, by the worst of its checks;
            else a step without a check is a question to a person.
        why: says why no step answers it.
    """

    seed: str
    text: str
    line: int = 0
    notebook: str = ""
    step: str = ""
    check: str = ""
    given: dict[str, str] = {}
    after: dict[str, str] = {}
    how: str = ""
    why: str = ""

    @property
    def run(self) -> tuple[str, Given, Given]:
        """The run of a notebook that answers it: its name, its parameters, and those of the run before it."""
        return self.notebook, tuple(sorted(self.given.items())), tuple(sorted(self.after.items()))

    @property
    def section(self) -> str:
        """The section that it belongs to."""
        return _STEP.sub("", self.seed)

    @property
    def step_number(self) -> int:
        """Which of the section's numbered steps it is; 0 for none."""
        found = _STEP.search(self.seed)
        return int(found[1]) if found else 0

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


def numbered(section: Section, every: list[Line]) -> list[tuple[int, Line]]:
    """Return the lines of a section with their numbers, in that order: boxes first, then steps, then other points."""
    found, next_ = [], 0
    for line in every:
        if line.section != section.seed:
            continue
        number = line.line or (section.boxes + line.step_number if line.step_number else 0)
        if not number:
            next_ += 1
            number = next_
        found.append((number, line))
    return sorted(found, key=lambda pair: (pair[0] < 0, pair[0]))


def table() -> str:
    """Return the page."""
    every = lines()
    answered = [section for section in sections() if numbered(section, every)]
    by_kind = Counter(line.kind for line in every)
    counted = ", ".join(f"{by_kind[kind]} {told}" for kind, told in _COUNTED if by_kind[kind])
    text = _HEAD.format(lines=sum(section.lines for section in answered), sections=len(answered), counted=counted)
    handbook = ""
    for section in answered:
        stem, _, number = section.seed.partition(" ")
        if stem != handbook:
            text += f"\n## {stem}\n"
            handbook = stem
        text += (
            f"\n### {number}: {section.title}\n\n| | line | notebook | step | answered by |\n|---|---|---|---|---|\n"
        )
        text += "".join(_row(number, line) for number, line in numbered(section, every))
    return text


_COUNTED = (
    (CHECK, "by a check that answers itself"),
    (STEP, "by the worst of a step's checks"),
    (QUESTION, "by a person, with name and reason"),
    (ACTION, "by what the notebook does"),
    (SHOWN, "by what the notebook shows"),
    (NONE, "not applicable"),
)
_HEAD = """# Checklists

Every line of the handbooks' checklists, and what answers it: a *check* answers itself from the artefacts, a *step* by the
worst of its checks; a *question* is answered by a person, with a name; an *action* is done by the notebook, once. All of it
ends up in the evidence record of the notebook's run. {lines} lines in {sections} sections; their answers: {counted}. What goes
beyond the handbook has a +.

Made by `python tests/checklist_table.py` from `docs/checklists.d/`; `tests/test_checklists.py` runs the notebooks and holds
each row to what they left.
"""


def _row(number: int, line: Line) -> str:
    """Return a line as a row of the table."""
    given = ", ".join(f"{name} = {value}" for name, value in line.given.items())
    notebook = _link(line.notebook) + (f" with {given}" if given else "")
    answer = f"check `{line.check}`" if line.check else f"{line.kind}: {line.why}" if line.why else line.kind
    cells = (str(number) if number > 0 else "+", line.text, notebook, f"`{line.step}`" if line.step else "", answer)
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
