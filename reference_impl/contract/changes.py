"""Breaking changes between two OpenAPI 3.1 documents, each as a sentence.

One question is asked of every pair of schemas: does whatever the one allows fit into the other? What clients send must
fit into what is taken from now on; what is answered from now on must fit into what clients were told.

Does not understand: callbacks, links, `discriminator`, `not`, `if`, `$ref` to other files; it compares `security` by
name. A schema that uses what it does not know must stay the same, or is called breaking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAME = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "not", "if", "then", "else")
_UNIONS = ("anyOf", "oneOf")
_MORE = "x-extensible-enum"


def breaking(old: Json, new: Json) -> list[str]:
    """Every change that may break a client of the old document; none for what was only added."""
    return list(_Comparison(old, new).all())


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: Json
    new: Json

    def all(self) -> Iterator[str]:
        new_paths = {_shape(path): (path, item) for path, item in self.new.get("paths", {}).items()}
        for path, item in self.old.get("paths", {}).items():
            if _shape(path) not in new_paths:
                yield f"{path}: the path is gone"
                continue
            new_path, new_item = new_paths[_shape(path)]
            for method in _METHODS:
                if method not in item:
                    continue
                where = f"{method.upper()} {path}"
                if method not in new_item:
                    yield f"{where}: the method is gone"
                    continue
                yield from self._operation(where, (path, item, method), (new_path, new_item, method))

    def _operation(self, where: str, before: tuple[str, Json, str], after: tuple[str, Json, str]) -> Iterator[str]:
        old, new = before[1][before[2]], after[1][after[2]]
        yield from self._parameters(where, _parameters(*before, self.old), _parameters(*after, self.new))
        yield from self._body(
            where, _resolved(old.get("requestBody"), self.old), _resolved(new.get("requestBody"), self.new)
        )
        asked = [one for one in _security(new, self.new) if one not in _security(old, self.old)]
        if asked and {} not in _security(new, self.new):
            yield f"{where}: wants {asked} where the old one did not"
        answers = new.get("responses", {})
        for status, answer in old.get("responses", {}).items():
            if status not in answers:
                yield f"{where}: the answer {status} is gone"
                continue
            yield from self._answer(
                f"{where}, answer {status}", _resolved(answer, self.old), _resolved(answers[status], self.new)
            )

    def _parameters(self, where: str, old: Mapping[Any, Json], new: Mapping[Any, Json]) -> Iterator[str]:
        for key, parameter in new.items():
            required = parameter.get("required") and parameter["in"] != "path"  # those are, by the path itself
            if required and not old.get(key, {}).get("required"):
                yield f"{where}: the {parameter['in']} parameter {parameter['name']} is required now"
        for key, parameter in old.items():
            told = f"{where}: the {parameter['in']} parameter {parameter['name']}"
            if key not in new:
                yield f"{told} is gone"
                continue
            yield from self._sent(told, parameter.get("schema", {}), new[key].get("schema", {}))

    def _body(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body is required now"
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{where}: the body may not be {media_type} any more"
                continue
            yield from self._sent(
                f"{where}, body", content.get("schema", {}), new["content"][media_type].get("schema", {})
            )

    def _answer(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for name in old.get("headers", {}):
            if name.lower() not in {one.lower() for one in new.get("headers", {})}:
                yield f"{where}: the header {name} is gone"
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{where}: it is not {media_type} any more"
                continue
            schema, now = content.get("schema", {}), new["content"][media_type].get("schema", {})
            fit = _Fit(inner=now, inner_in=self.new, outer=schema, outer_in=self.old, of="answer")
            yield from fit.complaints(where)

    def _sent(self, where: str, old: Json, new: Json) -> Iterator[str]:
        yield from _Fit(inner=old, inner_in=self.old, outer=new, outer_in=self.new, of="request").complaints(where)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Whether everything that `inner` allows, `outer` allows; and no field that the old one named is forgotten."""

    inner: Any
    inner_in: Json
    outer: Any
    outer_in: Json
    of: str
    """`request`: inner is the old one. `answer`: inner is the new one."""
    seen: frozenset[tuple[str, str]] = frozenset()

    def complaints(self, where: str) -> Iterator[str]:
        pair = (str(_ref(self.inner)), str(_ref(self.outer)))
        if pair in self.seen and pair != ("None", "None"):
            return  # a schema that holds itself
        seen = self.seen | {pair}
        choices, allowed = _alternatives(self.inner, self.inner_in), _alternatives(self.outer, self.outer_in)
        if len(choices) == len(allowed) == 1:
            yield from self._one(where, choices[0], allowed[0], seen)
            return
        for choice in choices:
            if not any(not list(self._one(where, choice, one, seen)) for one in allowed):
                yield f"{where}: {self._words('no longer takes', 'may now be')} {_named(choice)}"

    def _one(self, where: str, inner: Json, outer: Json, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        yield from self._kinds(where, inner, outer)
        yield from self._limits(where, inner, outer)
        yield from self._fields(where, inner, outer, seen)
        if "items" in outer and ("array" in _types(inner) or "items" in inner):
            yield from self._deeper(f"{where}[]", inner.get("items", {}), outer["items"], seen)

    def _kinds(self, where: str, inner: Json, outer: Json) -> Iterator[str]:
        wanted, given = _types(outer), _types(inner)
        if "number" in wanted:
            wanted = wanted | {"integer"}
        if wanted and (not given or not given <= wanted):
            new = sorted(given - wanted) or ["anything"]
            yield f"{where}: {self._words('no longer takes', 'may now be')} {', '.join(new)}"
        words = _enum(outer)
        if words is None or (self.of == "answer" and outer.get(_MORE)):
            return
        given_words = _enum(inner)
        if given_words is None:
            yield f"{where}: {self._words('takes only certain values now', 'may be any value now')}"
        elif more := [word for word in given_words if word not in words]:
            yield f"{where}: {self._words('no longer takes', 'may now be')} {', '.join(map(repr, more))}"

    def _limits(self, where: str, inner: Json, outer: Json) -> Iterator[str]:
        for name in _LOWER:
            if name in outer and inner.get(name, float("-inf")) < outer[name]:
                yield f"{where}: {name} {inner.get(name, 'none')} does not fit into {outer[name]}"
        for name in _UPPER:
            if name in outer and inner.get(name, float("inf")) > outer[name]:
                yield f"{where}: {name} {inner.get(name, 'none')} does not fit into {outer[name]}"
        for name in _SAME:
            if name in outer and inner.get(name) != outer[name]:
                yield f"{where}: {name} is not the same ({inner.get(name, 'none')}, {outer[name]})"

    def _fields(self, where: str, inner: Json, outer: Json, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        has, allowed = inner.get("properties", {}), outer.get("properties", {})
        for name in sorted(set(outer.get("required", ())) - set(inner.get("required", ()))):
            if self.of == "request" or name in has:  # an answer's field that is gone is said below
                yield f"{where}.{name}: {self._words('is required now', 'may be missing now')}"
        old, new = (has, allowed) if self.of == "request" else (allowed, has)
        for name in old:
            if name not in new:
                yield f"{where}.{name}: the field is gone"
        for name in has.keys() & allowed.keys():
            yield from self._deeper(f"{where}.{name}", has[name], allowed[name], seen)
        rest = outer.get("additionalProperties", True)
        if rest is False and (inner.get("additionalProperties", True) is not False or has.keys() - allowed.keys()):
            yield f"{where}: fields that are not named {self._words('are refused now', 'may come now')}"
        elif isinstance(rest, Mapping) and rest:
            yield from self._deeper(f"{where}.*", inner.get("additionalProperties", {}), rest, seen)

    def _deeper(self, where: str, inner: Any, outer: Any, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        deeper = _Fit(inner=inner, inner_in=self.inner_in, outer=outer, outer_in=self.outer_in, of=self.of, seen=seen)
        yield from deeper.complaints(where)

    def _words(self, request: str, answer: str) -> str:
        return request if self.of == "request" else answer


def _shape(path: str) -> str:
    """The path without the names of its parts: those never travel."""
    return re.sub(r"{[^}]*}", "{}", path)


def _parameters(path: str, item: Json, method: str, document: Json) -> dict[Any, Json]:
    """All of an operation's, by place and name; those of the path by their position."""
    positions = {name: number for number, name in enumerate(re.findall(r"{([^}]*)}", path))}
    found: dict[Any, Json] = {}
    for given in (*item.get("parameters", ()), *item[method].get("parameters", ())):
        one = _resolved(given, document)
        name = one["name"].lower() if one["in"] == "header" else one["name"]
        found[one["in"], positions.get(name, name) if one["in"] == "path" else name] = one
    return found


def _security(operation: Json, document: Json) -> Sequence[Any]:
    found: Sequence[Any] = operation.get("security", document.get("security", ()))
    return found


def _ref(schema: Any) -> str | None:
    return schema.get("$ref") if isinstance(schema, Mapping) else None


def _resolved(thing: Any, document: Json) -> Json:
    """What a `$ref` points to, with whatever stands beside it; `true` is a schema that allows everything."""
    if not isinstance(thing, Mapping):
        return {"not": {}} if thing is False else {}
    if "$ref" not in thing:
        return thing
    found: Any = document
    for part in thing["$ref"].removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return {**_resolved(found, document), **{key: value for key, value in thing.items() if key != "$ref"}}


def _alternatives(schema: Any, document: Json) -> list[Json]:
    """What a schema may be, unions and lists of types opened, `allOf` put together."""
    whole = dict(_resolved(schema, document))
    for part in whole.pop("allOf", ()):
        whole = _both(whole, _resolved(part, document))
    for name in _UNIONS:
        if name in whole:
            parts = whole.pop(name)
            return [one for part in parts for one in _alternatives(_both(whole, _resolved(part, document)), document)]
    if isinstance(whole.get("type"), list):
        return [{**whole, "type": one} for one in whole["type"]]
    return [whole]


def _both(one: Json, other: Json) -> dict[str, Any]:
    """Two schemas that hold at once; where both say the same word in another way, the second wins."""
    return (
        {
            **one,
            **other,
            "properties": {**one.get("properties", {}), **other.get("properties", {})},
            "required": [*one.get("required", ()), *other.get("required", ())],
        }
        if "properties" in one or "properties" in other
        else {**one, **other}
    )


def _types(schema: Json) -> set[str]:
    """The types that a schema names, or that its values have."""
    named = schema.get("type")
    found = set(named) if isinstance(named, list) else {named} if named else set()
    if not found and (words := _enum(schema)) is not None:
        found = {_type_of(word) for word in words}
    return found


def _type_of(word: Any) -> str:
    if word is None:
        return "null"
    if isinstance(word, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", list: "array", dict: "object"}[type(word)]


def _enum(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _named(schema: Json) -> str:
    words = _enum(schema)
    return ", ".join(map(repr, words)) if words else ", ".join(sorted(_types(schema))) or "anything"
