"""The templates and the style of everything that is written for people to read: reports, evidence, incidents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from peaktrade_core.base.resources import share_dir
from peaktrade_core.base.text import inert
from peaktrade_core.show import wording
from peaktrade_core.show.language import language, spoken, spoken_markup
from peaktrade_core.show.table import Cell, cell_html, markdown_cell, markdown_text


def css() -> Markup:
    """Return the style of every report, which is ours and goes into the page as it is."""
    return Markup(style("report") + style("cover"))  # noqa: S704  (no text of others)


def style(name: str) -> str:
    """Return a style sheet of the reports."""
    return (share_dir() / "templates" / "reports" / f"{name}.css").read_text(encoding="utf-8")


def inert_value(value: object) -> object:
    """Return a value as a template of HTML may write it: in the language read here, without control characters."""
    return spoken(inert(value)) if type(value) is str else value


def _markdown_value(value: object) -> object:
    """Return a value as a template of markdown may write it: every text is nothing but text, unless marked ``safe``."""
    return markdown_text(spoken(value)) if type(value) is str else value


def _told(value: object) -> object:
    """Return what goes into a cell in the language that people read here."""
    return value._replace(text=spoken(value.text)) if isinstance(value, Cell) else spoken(str(value))


def compile_templates() -> None:
    """Compile every template once; the process that compiled them, and what is forked from it, need not again."""
    for name in _environment(language()).list_templates(["j2"]):
        template(name)


def template(name: str) -> jinja2.Template:
    """Return a report template: what it is given is escaped as HTML, or as markdown where its name ends in ``.md.j2``."""
    return _environment(language(), markdown=name.endswith(".md.j2")).get_template(name)


class PlainAttributes(Extension):
    """Leaves what a template fills into attributes that nobody reads as it is: names of styles, ids, addresses, values."""

    _attribute = re.compile(
        r'\b(?:class|id|href|for|name|value|datetime|data-(?!label)[\w-]+)="[^"]*?(?:\{\{.*?\}\}[^"]*?)+"'
    )
    _filled = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002  (jinja's own)
        """Return a template in which such values are escaped, and so not turned into another language."""
        escaped = partial(self._filled.sub, r"{{ (\1) | e }}")
        return self._attribute.sub(lambda found: escaped(found[0]), source)


class OwnWords(Extension):
    """Turns what stands in a template itself into the language that people read, when it is compiled."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yield the tokens of a template, its texts turned."""
        for token in stream:
            yield Token(token.lineno, token.type, spoken_markup(token.value)) if token.type == "data" else token


@cache
def _environment(spoken_here: str, *, markdown: bool = False) -> jinja2.Environment:
    env = jinja2.Environment(
        extensions=[] if spoken_here == "en" else [OwnWords] if markdown else [PlainAttributes, OwnWords],
        loader=jinja2.FileSystemLoader(share_dir() / "templates" / "reports"),
        autoescape=jinja2.select_autoescape(["html.j2", "html"]),
        undefined=jinja2.StrictUndefined,
        finalize=_markdown_value if markdown else inert_value,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "badge": wording.badge,
        "cell": lambda value: Markup(markdown_cell(_told(value))),  # noqa: S704  (escaped)
        "code": lambda text: Markup(markdown_text("`" + text.replace("`", "'") + "`", code=True)),  # noqa: S704
        "told": lambda text: Markup(markdown_text(spoken(text), code=True)),  # noqa: S704  (escaped)
        "commands": lambda text: Markup(cell_html(Cell(spoken(inert(text)), code=True))),  # noqa: S704  (escaped)
        "duration": wording.duration,
        "mark": lambda status: wording.MARKS.get(status, status),
        "moment": wording.moment,
        "pairs": lambda counts: ", ".join(f"{name}: {n}" for name, n in counts.items()) or wording.NOTHING,
        "drawdown": wording.drawdown,
        "percent": wording.percent,
        "signed": wording.signed,
        "tone": wording.sign_class,
    }
    env.filters.update(filters)
    env.globals["language"] = spoken_here
    return env
