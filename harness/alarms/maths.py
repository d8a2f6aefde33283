"""Metric math, as far as our template uses it: arithmetic, comparisons, AND/OR, FILL, IF, SUM, METRICS. No I/O.

Source: /work/shared/facts/aws_pagerduty.md, 1.17 to 1.20. What AWS leaves open and we decided is marked "ours".
Series here are aligned: one slot for each period of the evaluation range, None where there is no datapoint.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, cast

Series = Sequence[float | None]
_Value = float | Series | Sequence[Series]

MAX_EXPRESSION = 2048
"""Characters, as GetMetricData takes them (1.13)."""
_MAX_DEPTH = 40
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d*)?|\.\d+)|([A-Za-z_][A-Za-z0-9_]*)|(>=|<=|==|!=|&&|\|\||[-+*/^(),<>])|(\S))")
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_LOGIC = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR"}
_KNOWN = "arithmetic, comparisons, AND, OR, FILL, IF, SUM, METRICS"


class BadExpression(ValueError):
    """The expression means nothing here; the message says where and what is known."""


def evaluate(expression: str, series: Mapping[str, Series], *, slots: int) -> Series:
    """The expression over named series of `slots` slots each.

    Raises:
        BadExpression: it cannot be read, names what is not there, or does not yield a time series.
    """
    if len(expression) > MAX_EXPRESSION:
        raise BadExpression(f"An expression has at most {MAX_EXPRESSION} characters; this one has {len(expression)}.")
    found = _Reader(expression, series, slots).whole()
    if isinstance(found, float) or _is_array(found):
        raise BadExpression(f"{expression!r} yields no single time series, and an alarm watches one.")
    return cast("Series", found)


def names(expression: str) -> frozenset[str]:
    """The ids that an expression reads: they begin in lower case (1.13)."""
    return frozenset(word for _, word, _, _ in _TOKEN.findall(expression) if word and word[0].islower())


def _is_array(value: _Value) -> bool:
    return not isinstance(value, float) and bool(value) and isinstance(value[0], (list, tuple))


class _Reader:
    """Recursive descent that computes as it reads; a bounded depth, and nothing but numbers in or out."""

    def __init__(self, text: str, series: Mapping[str, Series], slots: int) -> None:
        self._text, self._series, self._slots = text, series, slots
        self._tokens = ["".join(parts) for parts in _TOKEN.findall(text)]
        self._at = self._depth = 0

    def whole(self) -> _Value:
        found = self._logic()
        if self._at != len(self._tokens):
            self._fail(f"{self._tokens[self._at]!r} was not expected")
        return found

    def _fail(self, what: str) -> NoReturn:
        raise BadExpression(f"{self._text!r}: {what}. Known: {_KNOWN}.")

    def _next(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return None

    def _need(self, token: str) -> None:
        if self._next(token) is None:
            self._fail(f"{token!r} is missing")

    def _logic(self) -> _Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail("it is nested too deep")
        left = self._comparison()
        while token := self._next(*_LOGIC):
            both, right = _LOGIC[token] == "AND", self._comparison()
            left = self._pairs(left, right, _and if both else _or)
        self._depth -= 1
        return left

    def _comparison(self) -> _Value:
        left = self._sum()
        if token := self._next(*_COMPARISONS):
            holds = _COMPARISONS[token]
            return self._pairs(left, self._sum(), lambda a, b: float(holds(a, b)))
        return left

    def _sum(self) -> _Value:
        left = self._product()
        while sign := self._next("+", "-"):
            left = self._pairs(left, self._product(), operator.add if sign == "+" else operator.sub)
        return left

    def _product(self) -> _Value:
        left = self._signed()
        while sign := self._next("*", "/"):
            left = self._pairs(left, self._signed(), operator.mul if sign == "*" else _divided)
        return left

    def _signed(self) -> _Value:
        if self._next("-"):
            return self._pairs(0.0, self._atom(), operator.sub)
        return self._atom()

    def _atom(self) -> _Value:
        if self._next("("):
            found = self._logic()
            self._need(")")
            return found
        if self._at == len(self._tokens):
            self._fail("it ends too early")
        token = self._tokens[self._at]
        self._at += 1
        if token.lstrip(".")[:1].isdigit():
            return float(token)
        if token in self._series:
            return list(self._series[token])
        if token in ("FILL", "IF", "SUM", "METRICS"):
            return self._call(token)
        return self._fail(f"{token!r} is neither a metric here ({', '.join(sorted(self._series)) or 'none'}) nor known")

    def _call(self, name: str) -> _Value:
        self._need("(")
        arguments: list[_Value] = []
        if name == "FILL":
            arguments.append(self._logic())
            self._need(",")
            word = self._next("REPEAT", "LINEAR")
            if word == "LINEAR":
                self._fail("FILL(…, LINEAR) is not evaluated here")
            if word == "REPEAT":
                self._need(")")
                return _repeated(self._one(arguments[0]))
            arguments.append(self._logic())
            self._need(")")
        elif not self._next(")"):
            arguments.append(self._logic())
            while self._next(","):
                arguments.append(self._logic())
            self._need(")")
        return self._apply(name, arguments)

    def _apply(self, name: str, arguments: list[_Value]) -> _Value:
        wanted = {"FILL": 2, "IF": 3, "SUM": 1, "METRICS": 0}[name]
        if len(arguments) != wanted:
            self._fail(f"{name} takes {wanted} arguments here, not {len(arguments)}")
        match name:
            case "FILL":
                # Every period of the range is filled, the newest too (1.18), also of a metric that is not there (ours).
                filler = self._one(arguments[1])
                return [
                    other if one is None else one for one, other in zip(self._one(arguments[0]), filler, strict=True)
                ]
            case "IF":
                condition, yes, no = map(self._one, arguments)
                rows = zip(condition, yes, no, strict=True)
                # No datapoint of the condition, no datapoint (ours).
                return [None if one is None else (then if one else other) for one, then, other in rows]
            case "SUM":
                return self._total(arguments[0])
            case _:
                return [list(one) for one in self._series.values()]

    def _total(self, value: _Value) -> _Value:
        if isinstance(value, float) or not _is_array(value):
            # SUM of one series is a scalar over the whole range, which AWS discourages in alarms (1.19).
            self._fail("SUM is evaluated here for several series (METRICS()) only")
        columns = zip(*cast("Sequence[Series]", value), strict=True)
        return [None if all(one is None for one in column) else sum(one or 0.0 for one in column) for column in columns]

    def _one(self, value: _Value) -> Series:
        if isinstance(value, float):
            return [value] * self._slots
        if _is_array(value):
            self._fail("METRICS() can be summed, nothing else")
        return cast("Series", value)

    def _pairs(self, left: _Value, right: _Value, act: Callable[[float, float], float | None]) -> _Value:
        if isinstance(left, float) and isinstance(right, float):
            found = act(left, right)
            if found is None:
                self._fail("it divides by zero")
            return found
        scalar_left, scalar_right = isinstance(left, float), isinstance(right, float)
        made: list[float | None] = []
        for a, b in zip(self._one(left), self._one(right), strict=True):
            # A missing side counts as 0 (1.17); where every series is missing there is no datapoint (ours).
            nothing = (a is None or scalar_left) and (b is None or scalar_right)
            made.append(None if nothing else act(a or 0.0, b or 0.0))
        return made


def _and(a: float, b: float) -> float:
    return float(bool(a) and bool(b))


def _or(a: float, b: float) -> float:
    return float(bool(a) or bool(b))


def _divided(a: float, b: float) -> float | None:
    """A point that would divide by zero is dropped (1.17)."""
    return None if b == 0 else a / b


def _repeated(series: Series) -> Series:
    made: list[float | None] = []
    last: float | None = None
    for one in series:
        last = last if one is None else one
        made.append(last)
    return made
