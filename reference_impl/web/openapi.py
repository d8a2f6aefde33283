"""The contract: an OpenAPI 3.1 document, put together from the routes and what stands beside each of them.

A view says what it takes and answers, below its route:

    @routes.post("/api/v1/things/<tenant>")
    @documented("Make a thing", takes=Thing, answers={202: Made, **refusals(400, 404, 422)})
    def make(tenant: str) -> ResponseReturnValue: ...

A route without it is an error (`Undocumented`), and so is an answer that is not in the list: tests/change turns red.
`make openapi` writes docs/openapi.json anew; `make openapi-diff` says whether that breaks a client.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import AnyConverter, Rule

from reference_impl.web.answers import Refusal

#: Of the contract, not of the code: raised when something is added. A breaking change needs a new path instead.
VERSION = "1.0.0"
_REF = "#/components/schemas/{model}"
#: Flask answers these by itself, for every route.
_BY_ITSELF = {"HEAD", "OPTIONS"}
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([A-Za-z_]+)>")
View = TypeVar("View", bound=Callable[..., Any])
JsonSchema = Mapping[str, Any]


class Undocumented(Exception):
    """A route says nothing of itself; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Other:
    """An answer that is not JSON: `Other("text/html")`; without a media type, an answer without a body."""

    media_type: str = ""
    headers: tuple[str, ...] = ()
    """Headers that a client relies on, like Location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doc:
    summary: str
    takes: type[BaseModel] | JsonSchema | None
    media_type: str
    answers: Mapping[int, type[BaseModel] | Other | JsonSchema]
    where: Mapping[str, JsonSchema]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    when: Mapping[str, str]


def documented(
    summary: str,
    *,
    answers: Mapping[int, type[BaseModel] | Other | JsonSchema],
    takes: type[BaseModel] | JsonSchema | None = None,
    media_type: str = "application/json",
    where: Mapping[str, JsonSchema] | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    when: Mapping[str, str] | None = None,
) -> Callable[[View], View]:
    """Say what a view takes and answers.

    Shape:
        `answers`: by status, a model, a JSON Schema, or what is no JSON. `where`: schemas of the path's parts.
        `headers`, `query`: optional ones, each with a sentence. `when`: this holds only for these values of the path's
        parts, or of `method`; a view may be documented several times so.
    """
    doc = _Doc(
        summary=summary,
        takes=takes,
        media_type=media_type,
        answers=answers,
        where=where or {},
        headers=headers or {},
        query=query or {},
        when=when or {},
    )

    def note(view: View) -> View:
        view.__dict__.setdefault("__openapi__", []).insert(0, doc)  # decorators work upwards; the topmost comes first
        return view

    return note


def refusals(*statuses: int) -> Mapping[int, type[BaseModel]]:
    """These statuses, each with the body that every refusal has."""
    return dict.fromkeys(statuses, Refusal)


def blueprint(app: Flask) -> Blueprint:
    """The route that serves the document of that application's routes."""
    routes = Blueprint("contract", __name__)
    text: list[str] = []

    @routes.get("/openapi.json")
    @documented("This document", answers={200: {"type": "object"}})
    def contract() -> Response:
        if not text:
            text.append(json.dumps(document(app), indent=2, ensure_ascii=False) + "\n")
        return Response(text[0], mimetype="application/json")

    return routes


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of all routes of an application.

    Raises:
        Undocumented: a route has no `@documented` that fits it.
    """
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for path, values, rule in sorted(_paths(app), key=lambda one: one[0]):
        for method in sorted((rule.methods or set()) - _BY_ITSELF):
            doc = _doc_of(app, rule, {**values, "method": method}, path)
            name = ".".join((rule.endpoint, *values.values(), method.lower()))
            paths.setdefault(path, {})[method.lower()] = _operation(doc, name, path, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Conversion tracking",
            "version": VERSION,
            "description": "A visitor's click, a gateway's webhook, one event at Meta. Every refusal has one shape: "
            "a code for programs, which may gain new words, and a sentence for people.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components()},
    }


def _paths(app: Flask) -> Iterator[tuple[str, dict[str, str], Rule]]:
    """Each rule's paths as OpenAPI writes them; `<any(a, b):kind>` stands for one path each."""
    for rule in app.url_map.iter_rules():
        choices = {
            name: sorted(converter.items)
            for name, converter in rule._converters.items()
            if isinstance(converter, AnyConverter)
        }
        for chosen in itertools.product(*choices.values()):
            values = dict(zip(choices, chosen, strict=True))
            yield _ARGUMENT.sub(lambda found, v=values: v.get(found[1], f"{{{found[1]}}}"), rule.rule), values, rule  # type: ignore[misc]  # a default argument binds the loop's value


def _doc_of(app: Flask, rule: Rule, values: Mapping[str, str], path: str) -> _Doc:
    for doc in getattr(app.view_functions[rule.endpoint], "__openapi__", ()):
        if all(values.get(name) == value for name, value in doc.when.items()):
            found: _Doc = doc
            return found
    raise Undocumented(
        f"{values['method']} {path} ({rule.endpoint}) has no @documented: write one below its route, as "
        "reference_impl/web/openapi.py shows, and run `make openapi`"
    )


def _operation(doc: _Doc, name: str, path: str, schemas: _Schemas) -> dict[str, Any]:
    in_path = [
        {"name": one, "in": "path", "required": True, "schema": doc.where.get(one, {"type": "string", "minLength": 1})}
        for one in re.findall(r"{(\w+)}", path)
    ]
    others = [
        {"name": one, "in": place, "required": False, "description": told, "schema": {"type": "string"}}
        for place, named in (("header", doc.headers), ("query", doc.query))
        for one, told in named.items()
    ]
    operation: dict[str, Any] = {"operationId": name, "summary": doc.summary}
    if in_path or others:
        operation["parameters"] = in_path + others
    if doc.takes is not None:
        content = {doc.media_type: {"schema": schemas.of(doc.takes, "validation")}}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        str(status): _answer(status, doc.answers[status], schemas) for status in sorted(doc.answers)
    }
    return operation


def _answer(status: int, said: type[BaseModel] | Other | JsonSchema, schemas: _Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(said, Other):
        if said.headers:
            answer["headers"] = {name: {"schema": {"type": "string"}} for name in said.headers}
        if said.media_type:
            answer["content"] = {said.media_type: {"schema": {"type": "string"}}}
        return answer
    answer["content"] = {"application/json": {"schema": schemas.of(said, "serialization")}}
    return answer


@dataclass(slots=True)
class _Schemas:
    """The models that the operations name, written down once each."""

    _models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = field(default_factory=dict)

    def of(self, said: type[BaseModel] | JsonSchema, mode: JsonSchemaMode) -> JsonSchema:
        """A reference to a model; a schema as it stands."""
        if not isinstance(said, type):
            return said
        self._models[said, mode] = None
        return {"$ref": _REF.format(model=said.__name__)}

    def components(self) -> dict[str, Any]:
        """All of them, by name."""
        _, whole = models_json_schema(list(self._models), ref_template=_REF)
        found: dict[str, Any] = whole.get("$defs", {})
        return dict(sorted(found.items()))
