"""What breaks a client, and what does not: each on the committed contract, changed in one place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference_impl.contract.changes import breaking
from tests.rows import each_row

OLD: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/things/{tenant}": {
            "post": {
                "parameters": [
                    {"name": "tenant", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "kind", "in": "query", "schema": {"enum": ["a", "b"]}},
                    {"name": "X-Proof", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {
                    "202": {
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Made"}}},
                    },
                    "404": {"content": {"application/json": {"schema": {"type": "object"}}}},
                },
            },
            "get": {"responses": {"200": {}}},
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 50},
                    "size": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                    "colour": {"enum": ["red", "blue"]},
                },
            },
            "Made": {
                "type": "object",
                "required": ["id", "status"],
                "properties": {
                    "id": {"type": "string"},
                    "status": {"type": "string", "enum": ["new", "old"]},
                    "word": {"type": "string", "enum": ["x"], "x-extensible-enum": True},
                    "note": {"type": "string"},
                    "count": {"type": "integer", "minimum": 0},
                },
            },
        }
    },
}

Change = Callable[[dict[str, Any]], object]


def post(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/things/{tenant}"]["post"]
    return found


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def fields(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = schema(document, name)["properties"]
    return found


BREAKS: dict[str, tuple[Change, str]] = {
    "path": (lambda d: d["paths"].clear(), "/things/{tenant}: the path is gone"),
    "method": (lambda d: d["paths"]["/things/{tenant}"].pop("get"), "GET /things/{tenant}: the method is gone"),
    "status": (lambda d: post(d)["responses"].pop("404"), "the answer 404 is gone"),
    "answer's header": (lambda d: post(d)["responses"]["202"].pop("headers"), "the header Location is gone"),
    "answer's type": (
        lambda d: post(d)["responses"]["202"]["content"].update(
            {"text/plain": post(d)["responses"]["202"]["content"].pop("application/json")}
        ),
        "it is not application/json any more",
    ),
    "body's type": (
        lambda d: post(d)["requestBody"]["content"].pop("application/json"),
        "the body may not be application/json any more",
    ),
    "body required": (lambda d: post(d)["requestBody"].update(required=True), "a body is required now"),
    "parameter gone": (lambda d: post(d)["parameters"].pop(2), "the header parameter X-Proof is gone"),
    "parameter required": (
        lambda d: post(d)["parameters"][1].update(required=True),
        "the query parameter kind is required now",
    ),
    "new required parameter": (
        lambda d: post(d)["parameters"].append({"name": "q", "in": "query", "required": True}),
        "the query parameter q is required now",
    ),
    "parameter's enum": (lambda d: post(d)["parameters"][1]["schema"]["enum"].pop(), "no longer takes 'b'"),
    "security": (lambda d: post(d).update(security=[{"key": []}]), "wants [{'key': []}] where the old one did not"),
    "new required field": (
        lambda d: (fields(d, "Thing").update(x={"type": "string"}), schema(d, "Thing")["required"].append("x")),
        "body.x: is required now",
    ),
    "field required": (lambda d: schema(d, "Thing")["required"].append("colour"), "body.colour: is required now"),
    "request field gone": (lambda d: fields(d, "Thing").pop("size"), "body.size: the field is gone"),
    "narrower type": (lambda d: fields(d, "Thing")["name"].update(type="integer"), "no longer takes string"),
    "no null": (lambda d: fields(d, "Thing").update(size={"type": "number"}), "body.size: no longer takes null"),
    "number to integer": (
        lambda d: fields(d, "Thing")["size"]["anyOf"][0].update(type="integer"),
        "body.size: no longer takes number",
    ),
    "narrower enum": (lambda d: fields(d, "Thing")["colour"]["enum"].remove("red"), "no longer takes 'red'"),
    "new enum": (lambda d: fields(d, "Thing")["name"].update(enum=["x"]), "takes only certain values now"),
    "shorter": (lambda d: fields(d, "Thing")["name"].update(maxLength=40), "maxLength 50 does not fit into 40"),
    "longer at least": (lambda d: fields(d, "Thing")["name"].update(minLength=2), "minLength none"),
    "pattern": (lambda d: fields(d, "Thing")["name"].update(pattern="^a"), "pattern is not the same"),
    "closed": (lambda d: schema(d, "Thing").update(additionalProperties=False), "that are not named are refused now"),
    "deep": (
        lambda d: fields(d, "Thing")["parts"].update(items={"type": "string"}),
        "body.parts[]: no longer takes object",
    ),
    "answer's field": (
        lambda d: (fields(d, "Made").pop("id"), schema(d, "Made")["required"].remove("id")),
        "answer 202.id: the field is gone",
    ),
    "answer's optional field": (lambda d: fields(d, "Made").pop("note"), "answer 202.note: the field is gone"),
    "answer's field optional": (lambda d: schema(d, "Made")["required"].remove("id"), "id: may be missing now"),
    "answer's enum": (lambda d: fields(d, "Made")["status"]["enum"].append("lost"), "status: may now be 'lost'"),
    "answer's enum open": (lambda d: fields(d, "Made")["status"].pop("enum"), "may be any value now"),
    "answer's null": (
        lambda d: fields(d, "Made").update(id={"type": ["string", "null"]}),
        "answer 202.id: may now be null",
    ),
    "answer's number": (lambda d: fields(d, "Made")["count"].update(type="number"), "count: may now be number"),
    "answer's limit": (lambda d: fields(d, "Made")["count"].pop("minimum"), "minimum none does not fit into 0"),
}

KEEPS: dict[str, Change] = {
    "nothing": lambda d: None,
    "path": lambda d: d["paths"].update({"/more": {"get": {"responses": {"200": {}}}}}),
    "method": lambda d: d["paths"]["/things/{tenant}"].update(put={"responses": {"200": {}}}),
    "name of a path's part": lambda d: d["paths"].update(
        {
            "/things/{tenantId}": {
                **d["paths"].pop("/things/{tenant}"),
                "parameters": [{"name": "tenantId", "in": "path", "required": True, "schema": {"type": "string"}}],
            }
        }
    ),
    "status": lambda d: post(d)["responses"].update({"429": {}}),
    "optional parameter": lambda d: post(d)["parameters"].append({"name": "q", "in": "query"}),
    "spelling of a header": lambda d: post(d)["parameters"][2].update(name="x-proof"),
    "optional field": lambda d: fields(d, "Thing").update(x={"type": "string"}),
    "field no longer required": lambda d: schema(d, "Thing")["required"].clear(),
    "wider type": lambda d: fields(d, "Thing")["name"].update(type=["string", "integer"]),
    "wider enum": lambda d: fields(d, "Thing")["colour"]["enum"].append("green"),
    "enum dropped": lambda d: fields(d, "Thing").update(colour={}),
    "longer": lambda d: fields(d, "Thing")["name"].update(maxLength=60),
    "answer's field": lambda d: fields(d, "Made").update(more={"type": "string"}),
    "answer's field required": lambda d: schema(d, "Made")["required"].append("note"),
    "answer's enum narrower": lambda d: fields(d, "Made")["status"]["enum"].pop(),
    "answer's word where new ones are announced": lambda d: fields(d, "Made")["word"]["enum"].append("y"),
    "answer's model renamed": lambda d: (
        d["components"]["schemas"].update(Other=d["components"]["schemas"]["Made"]),
        post(d)["responses"]["202"]["content"]["application/json"].update(
            schema={"$ref": "#/components/schemas/Other"}
        ),
    ),
}


def changed(change: Change) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    change(new)
    return new


@each_row("name", BREAKS)
def test_a_breaking_change_is_named(name: str) -> None:
    """Once, in words that say where."""
    change, sentence = BREAKS[name]
    found = breaking(OLD, changed(change))
    assert any(sentence in one for one in found), found
    assert len(set(found)) == len(found)


@each_row("name", KEEPS)
def test_what_is_only_added_breaks_nobody(name: str) -> None:
    """Whoever was written against the old document is served as before."""
    assert breaking(OLD, changed(KEEPS[name])) == []


def test_the_committed_contract_breaks_nobody_of_its_own() -> None:
    """The same document twice, with everything that pydantic writes."""
    document = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert breaking(document, document) == []
