"""Gather what the package says into the catalogue of its languages: ``make words``.

Texts are the literals of the sources (an f-string is one with holes, a choice between two literals is two texts), the
sentences of the handbook, and the paragraphs of the notebooks. A translation is kept while its text is there.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import jinja2
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from peaktrade_core.runbooks.notebooks.parameters import declared
from peaktrade_core.show.language import pieces

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, CATALOGUE = ROOT / "peaktrade_core", ROOT / "templates" / "words" / "de.po"
APART = {"testing", "warm", "__main__.py"}  # rooms that say nothing to an operator
MAKERS = {
    "research/compiled.py",
    "research/machine_code.py",
    "research/loops.py",
    "show/language.py",
    "dashboard/labs/picture.py",
}  # their texts are code
MUTE = {
    "help",
    "short_help",
    "metavar",
    "epilog",
    "pattern",
    "encoding",
    "names",
    "shown",
    "more",
}  # help of commands, columns
UNSAID = {
    "compile",
    "execute",
    "executemany",
    "sub",
    "fullmatch",
    "TypeVar",
    "NewType",
    "strftime",
    "getLogger",
    "setattr",
    "getattr",
}
COMMANDS = {"command", "group", "option", "argument", "panel"}
TITLES = {
    "Column",
    "Table",
    "Cell",
    "Question",
    "Finding",
    "Chart",
    "Curve",
    "spoken",
    "entry",
    "table",
    "check_table",
    "statistics_table",
}  # what is given to them is shown, be it one word
HEAD = """# What the package says, in German. `make words` renews it; see docs/decisions/0180.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: de\\n"

"""
SMALL = (  # what stands for a value, alone
    "{0} bar", "{0} bars", "{0} step", "{0} steps", "raised", "nothing", "none", "unknown", "nobody",
    "never", "yes", "no",
    "owner", "operator", "duty", "off", "daily", "weekly", "warned", "opened", "commander", "exercised", "detection",
    "acknowledgement", "diagnosis", "mitigation", "fault", "alert", "action", "operation", "drill",
    "runbook", "scenario", "good",
    "bad", "incident", "request", "change", "written", "cause: {0}", "resolution: {0}", "symptom",
    "next step",
    "its journal supplied the figures", "yes, {0}", "incident {0} {1} by {2}: {3}",
    "note {0} by {1}: {2}", "drill {0} {1} {2} points by {3}",
    "report written: {0}", "incident written: {0}", "fleet start {0} by {1}: {2}", "watch by watcher: {0}",
    "accepted", "refused", "{0} to warm up, then {1}",
    "{0} executed in {1}, {2}", "tighter", "confirm", "weekly", "monthly", "week",
    "delivered", "noted", "escalation", "silence", "Trading", "buy and hold", "Monitoring and alerting",
    "{0} sign", "{0} signs", "{0} note", "{0} notes", "{0} high, {1} medium, {2} low", "under these limits",
    "not kept", "checks", "waits", "expectancy", "annualised return", "volatility", "{0} ({1} high, {2} medium, {3} low)",
    "medium", "suspected", "expected", "kept",
    "against", "evidence", "{0} bars of {1} = {2} of market time, planned {3}",
    "Layers", "Gates", "Routine", "Note", "Time window", "Decided",
    "reason", "process", "turns", "faults", "watcher", "all", "kill switch", "reduce", "absent", "artefact", "postmortem",
    "signs", "notes", "together", "controls", "fee", "logic", "hour", "failed: {0}", "failed {0}", "{0} failed",
    "unknown strategy on {0}", "environment unknown", "{0} (script {1})", "below {0}",
    "under these limits denied: {0}", "under these limits halted: {0}", "{0} denials by {1}",
    "suspected: {0}", "high: {0}", "medium: {0}", "low: {0}", "warning: {0}", "critical: {0}",
    "{0} (high)", "{0} (medium)", "{0} (low)",
    "incident {0} opened, {1}, by {2}: {3}", "change adopted by {0}: {1}", "baseline adopted by {0}: {1}",
    "audit adopted {0} by {1}: {2}", "mitigating", "assigning",
    "One failed: {0}", "network", "rate limit", "authentication", "api error", "order rejects", "risk limit", "pnl divergence",
    "data gap", "failed session", "died", "completed {0}", "aborted {0}", "unreadable {0}", "warning", "critical", "filled",
    "validated", "loss since 00:00 UTC {0}", "exposure {0}", "drawdown {0}", "{0} delivered", "monitor", "[Errno {0}] {1}",
    "total return", "max drawdown", "max drawdown length", "trades", "profit factor", "win rate", "average trade",
    "average duration", "exposure time", "Monitoring and alerting: {0}", "Risk and governance: {0}",
)  # fmt: skip
OF_SYSTEM = (  # what the system says of a file or a connection
    "No such file or directory", "Permission denied", "Is a directory", "Not a directory", "File exists",
    "No space left on device", "Read-only file system", "Connection refused", "Address already in use",
)  # fmt: skip
OF_CLICK = (  # what the library of the command line says
    "Missing option {0}", "Missing argument {0}", "No such option: {0}", "No such command {0}", "Invalid value for {0}: {1}",
    "Invalid value: {0}",
    "{0} is not one of {1}", "Got unexpected extra argument ({0})", "Got unexpected extra arguments ({0})", "Did you mean {0}?",
    "Option {0} requires an argument",
)  # fmt: skip
CHOICES = 16  # texts that one f-string with choices makes, at most
_WORD = re.compile(r"[^\W\d_]{2,}")
_CODE = re.compile(
    r"\b(SELECT|FROM|WHERE|PRAGMA|CREATE|INSERT|ORDER BY|GROUP BY)\b|</?[a-z]+[ >/]|^\s*--|\bvar\(|[{}]\s*$|^\s*[.#@]\w+"
    r"|^[a-z_]+(\.[a-z_]+)+$|\\[sdwb]|\(\?|^[\w./-]+/[\w./-]*$|text/|application/|charset|^peaktrade \S+( [\w<-]\S*)*$"
)
_SIGN = re.compile(r"[^\w\s`{(\[<#/.*:-] ?[A-Za-z]\w+")
_TITLE = re.compile(r"[A-Z][a-z]+(?:-[a-z]+)*:?")


def texts_of_code(path: Path) -> Iterator[str]:
    """Yield the texts of one module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent: set[int] = set()
    shown: set[int] = set()
    for node in ast.walk(tree):
        for inner in _mute(node):
            silent.update(id(one) for one in ast.walk(inner))
        if isinstance(node, ast.Call) and _name(node.func) in TITLES:
            shown.update(
                id(one) for argument in (*node.args, *(k.value for k in node.keywords)) for one in ast.walk(argument)
            )
        shown.update(map(id, _headings(node)))
        if isinstance(node, ast.JoinedStr):
            silent.update(id(one) for one in node.values if isinstance(one, ast.Constant))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any("register" in ast.dump(one) for one in node.decorator_list):
            yield (ast.get_docstring(node) or "").partition("\n")[0]  # a strategy says so what it is
        if id(node) in silent:
            continue
        if isinstance(node, ast.Call) and _name(node.func) == "many":
            yield from _counted(node)
        if isinstance(node, ast.Call) and _name(node.func) in ("UnknownNameError", "RecordKind", "meant"):
            yield from _unknown(node.args[0])
        if isinstance(node, ast.JoinedStr):
            yield from (text for text in _filled(node) if _is_said(text))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.strip()
            if _is_said(text):
                yield text
            elif id(node) in shown and _TITLE.fullmatch(text):
                yield text.removesuffix(":")


def _headings(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what heads a table's column or row: of a tuple named so, the first of two or three, and the keys of values."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(_name(one).lower().strip("_") in ("columns", "titles") for one in targets if isinstance(one, ast.expr)):
            yield from ast.walk(node.value)
    if isinstance(node, ast.Tuple) and len(node.elts) in (2, 3):
        yield node.elts[0]
    if isinstance(node, ast.Dict):
        yield from (one for one in node.keys if one is not None)


def _mute(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands below a node and is not said: docstrings, types, patterns, help of commands."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            yield first
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (one for one in node.decorator_list if isinstance(one, ast.Call) and _name(one.func) in COMMANDS)
    if isinstance(node, ast.keyword) and node.arg in MUTE:
        yield node
    if isinstance(node, ast.AnnAssign):
        yield node.annotation
    if isinstance(node, ast.Call) and _name(node.func) in UNSAID:
        yield from node.args
    if isinstance(node, ast.Call) and _name(node.func) == "many":
        yield from (one for one in node.args[1:] if isinstance(one, ast.Constant))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _filled(node: ast.JoinedStr) -> Iterator[str]:
    """Yield an f-string as texts with numbered holes, one for each of its choices between literals."""
    pieces: list[tuple[str, ...]] = []
    holes = 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            pieces.append((str(value.value),))
            continue
        assert isinstance(value, ast.FormattedValue)
        choices = _choices(value.value)
        pieces.append(choices or (f"{{{holes}}}",))
        holes += not choices
    yield from ("".join(parts).strip() for parts in islice(product(*pieces), CHOICES))


def _counted(node: ast.Call) -> Iterator[str]:
    """Yield what ``wording.many`` says of a number of things: one, and several. German bends the words before a noun, too."""
    words = [one.value for one in node.args[1:] if isinstance(one, ast.Constant)]
    if words:
        yield f"{{0}} {words[0]}"
        yield f"{{0}} {words[1] if len(words) > 1 else f'{words[0]}s'}"


def _unknown(kind: ast.expr) -> Iterator[str]:
    """Yield what is said of an unknown name: its kind has a gender of its own."""
    if isinstance(kind, ast.Constant):
        yield f"unknown {kind.value} {{0}}"
    elif isinstance(kind, ast.JoinedStr):
        for text in _filled(kind):
            yield f"unknown {text} {{{text.count('{')}}}"


def _choices(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,)
    if isinstance(node, ast.IfExp):
        first, second = _choices(node.body), _choices(node.orelse)
        return (*first, *second) if first and second else ()
    return ()


def _is_said(text: str) -> bool:
    bare = re.sub(r"\{\w*\}", " ", text)
    if _CODE.search(bare) or not _WORD.search(bare) or "{{" in text or len(text) > 1500:
        return False
    return bool(_SIGN.fullmatch(text)) or (
        " " in text and len(_WORD.findall(re.sub("`[^`]*`", " ", bare))) >= (1 if "{" in text else 2)
    )


def texts_of_toml(value: Any) -> Iterator[str]:
    """Yield the sentences of a file of values."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not key.endswith("_de"):
                yield from texts_of_toml(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of_toml(one)
    elif isinstance(value, str) and _is_said(value):
        yield value.strip()


def texts_of_notebook(path: Path) -> Iterator[str]:
    """Yield what a notebook says: the paragraphs of its cells of text, what its cells show, and what its parameters mean."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    yield from texts_of_toml(notebook["metadata"].get("peaktrade", {}))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for part in map(str.strip, re.split(r"\n\s*\n", "".join(cell["source"]))):
                if _WORD.search(part):
                    yield part
                if part.startswith("# ") and "\n" not in part:
                    yield part[2:]  # its title in lists
        elif "parameters" in cell["metadata"].get("tags", ()):
            yield from (one.comment for one in declared("".join(cell["source"]), path.name) if one.comment)
        else:
            texts = (one.value for one in ast.walk(ast.parse("".join(cell["source"]))) if isinstance(one, ast.Constant))
            yield from (text for text in texts if isinstance(text, str) and _is_said(text))


def texts_of_template(path: Path) -> Iterator[str]:
    """Yield what stands in a template itself, without what it is given."""
    for number, token, value in jinja2.Environment().lex(path.read_text(encoding="utf-8")):  # noqa: B007
        if token == "string" and _is_said(value.strip("\"'")):
            yield value.strip("\"'").strip()
        if token == "data":
            for n, piece in enumerate(pieces(value)):
                if n % 2:
                    yield from (found[1] for found in re.finditer(r'(?:aria-label|title|data-label)="([^"]+)"', piece))
                elif _WORD.search(piece) and not re.search('<|="', piece):
                    yield piece.strip()


def gathered() -> dict[str, list[str]]:
    """Return every text with the files that say it, below the project."""
    found: dict[str, list[str]] = {}

    def take(texts: Iterator[str], path: Path) -> None:
        where = path.relative_to(ROOT).as_posix()
        for text in texts:
            if where not in found.setdefault(text, []):
                found[text].append(where)

    take(iter((*OF_CLICK, *OF_SYSTEM, *SMALL)), PACKAGE / "cli.py")
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] not in APART and path.relative_to(PACKAGE).as_posix() not in MAKERS:
            take(texts_of_code(path), path)
    shipped = (path for path in sorted((ROOT / "config").rglob("*.toml")) if path.name != "config.toml")
    for path in (*sorted(PACKAGE.rglob("*.toml")), *shipped):
        take(texts_of_toml(tomllib.loads(path.read_text(encoding="utf-8"))), path)
    for folder in ("reports", "nbconvert/peaktrade"):
        for path in sorted((ROOT / "templates" / folder).glob("*.j2")):
            take(texts_of_template(path), path)
    pages = ROOT / "templates" / "voila" / "words.toml"
    take(iter(tomllib.loads(pages.read_text(encoding="utf-8")).values()), pages)
    for folder in ("runbooks", "reports", "research"):
        for path in sorted((ROOT / "notebooks" / folder).glob("*.ipynb")):
            take(texts_of_notebook(path), path)
    return found


def renewed(path: Path = CATALOGUE) -> Catalog:
    """Return the catalogue with the texts of now and the translations that are still of use."""
    before = read_po(io.BytesIO(path.read_bytes()), locale="de") if path.exists() else Catalog(locale="de")
    kept = {str(one.id): str(one.string) for one in before if one.id and one.string}
    catalogue = Catalog(
        locale="de", project="peaktrade", header_comment="# What the package says, in German. `make words` renews it."
    )
    for text, where in sorted(gathered().items(), key=lambda item: (item[1][0], item[0])):
        catalogue.add(text, kept.get(text, ""), locations=[(name, None) for name in where[:1]])
    return catalogue


def write(catalogue: Catalog, path: Path = CATALOGUE) -> None:
    """Write the catalogue; without a date, so that nothing changes where nothing was said anew."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=0, omit_header=True)
    head = b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: de\\n"\n\n'
    path.write_bytes(
        b"# What the package says, in German. `make words` renews it; see docs/decisions/0180.\n"
        + head
        + buffer.getvalue()
    )


if __name__ == "__main__":
    renew = renewed()
    write(renew)
    missing = [str(one.id) for one in renew if one.id and not one.string]
    print(f"{len(renew)} texts, {len(missing)} without a translation")
    sys.exit(bool(missing))
