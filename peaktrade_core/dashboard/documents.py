"""Documents that the server makes by itself: the API's description, its page, the snapshot's HTML, and plain messages."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

import jinja2
import msgspec

from peaktrade_core.base.clock import iso
from peaktrade_core.base.resources import share_dir
from peaktrade_core.dashboard.papers import linked
from peaktrade_core.dashboard.routes import JSON, Param, Route
from peaktrade_core.dashboard.snapshot import Snapshot
from peaktrade_core.show.language import language
from peaktrade_core.show.templates import inert_value

MARKS = {"ok": "✓", "warn": "!", "fail": "✕", "unknown": "?", "empty": "–"}


class Problem(msgspec.Struct, frozen=True):
    """What was wrong with a request, and what to do."""

    message: str


@cache
def openapi(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the OpenAPI document of routes."""
    types = [route.returns for route in routes if route.media == JSON]
    schemas, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    shapes = dict(zip([route.path for route in routes if route.media == JSON], schemas, strict=False))
    problem = {"description": "what was wrong", "content": {JSON: {"schema": schemas[-1]}}}
    paths = {}
    for route in routes:
        content = {route.media: {"schema": shapes.get(route.path, {"type": "string"})}}
        for path in (route.path, *route.aliases):
            paths[path] = {"get": _operation(route, path, content, problem)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "peaktrade dashboard",
            "version": version("peaktrade"),
            "description": "Read-only: every operation is GET. Money is in quote currency, times are UTC.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route, path: str, content: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    """Return a route as OpenAPI's operation."""
    parameters: list[dict[str, Any]] = [
        {"name": param.name, "in": "query", "description": param.about, "schema": param.schema()}
        for param in route.params
    ]
    responses = {"200": {"description": route.about, "content": content}, "422": problem}
    if route.part:
        inside = {"type": "string", "minLength": 1, "maxLength": 200}
        parameters.append({"name": route.part, "in": "path", "required": True, "schema": inside})
        responses["404"] = problem
    name = re.sub(r"\W+", "_", path).strip("_")
    return {"operationId": name, "summary": route.about, "parameters": parameters, "responses": responses}


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A route as the page shows it; ``fields`` are names and types of the answer."""

    path: str
    anchor: str
    about: str
    media: str
    aliases: tuple[str, ...]
    params: list[dict[str, str]]
    fields: list[tuple[str, str]]
    is_list: bool


def docs_html(routes: Sequence[Route], app_version: str) -> str:
    """Return the API's page.

    Args:
        routes: what it describes; app_version: of the static files that it links.
    """
    return _template("docs").render(routes=[_described(route) for route in routes], version=app_version)


def _described(route: Route) -> Described:
    """Return a route as the page shows it."""
    answer = route.returns
    is_list = get_origin(answer) is list
    struct = get_args(answer)[0] if is_list else answer
    fields = msgspec.structs.fields(struct) if isinstance(struct, type) and issubclass(struct, msgspec.Struct) else ()
    return Described(
        path=route.path,
        anchor=re.sub(r"\W+", "-", route.path).strip("-"),
        about=route.about,
        media=route.media,
        aliases=route.aliases,
        params=[_explained(param) for param in route.params],
        fields=[(field.encode_name, _kind(field.type)) for field in fields],
        is_list=is_list,
    )


def _explained(param: Param) -> dict[str, str]:
    """Return a parameter in words."""
    if param.low is not None:
        kind = f"{param.low} to {param.high}"
    else:
        kind = ", ".join(param.choices) or ("time, ISO 8601" if param.moment else "text")
    default = "" if param.default is None else str(param.default)
    return {
        "name": param.name,
        "kind": kind + (", repeatable" if param.many else ""),
        "default": default,
        "about": param.about,
    }


_KINDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "datetime": "time"}


def _kind(kind: Any) -> str:
    """Return the name of a type as people say it."""
    if get_origin(kind) in (list, tuple):
        return f"list of {_kind(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "object"
    if parts := get_args(kind):
        return " or ".join("null" if part is type(None) else _kind(part) for part in parts)
    name = getattr(kind, "__name__", str(kind))
    return _KINDS.get(name, name)


def snapshot_html(snapshot: Snapshot) -> str:
    """Return a snapshot as one HTML file that needs nothing else."""
    return _template("snapshot").render(snapshot=snapshot, marks=MARKS, style=plain_style())


@cache
def plain_style() -> str:
    """Return the style of files that stand alone."""
    return (share_dir() / "templates" / "voila" / "server" / "plain.css").read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the source expression by which a Content-Security-Policy lets an inline style pass."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def message_html(title: str, message: str, *, onward: str = "", asked: str | None = None) -> str:
    """Return a page that says something in words.

    Args:
        title, message: what it says.
        onward: where the browser goes on by itself.
        asked: the address for which the page asks for the token, None when it does not.
    """
    fields = parse_qsl((asked or "").partition("?")[2])
    return _template("message").render(title=title, message=message, onward=onward, asked=asked, fields=fields)


@cache
def _template(name: str) -> jinja2.Template:
    """Return one of the templates: escaping always on, a missing value is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(share_dir() / "templates" / "voila" / "server"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=inert_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["iso"] = iso
    env.filters["cell"] = _cell
    env.filters["linked"] = linked
    env.globals["language"] = language
    return env.get_template(f"{name}.html.j2")


def _cell(value: object) -> str:
    """Return a figure of the snapshot as text."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:.10g}" if isinstance(value, float) else msgspec.json.encode(value).decode()
