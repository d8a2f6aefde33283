"""Bytes become parameters and events, in each encoding clients use; any bytes end in a result or a GraphError."""

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators.meta import decode
from simulators.meta.errors import GraphError
from tests.rows import each_row

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=xYx"
EVENTS = [{"event_name": "Purchase", "custom_data": {"value": 1.5}}, {"event_name": "Lead", "note": "ção & = %"}]
OBJECTS = orjson.dumps(EVENTS).decode()
STRINGS = orjson.dumps([orjson.dumps(one).decode() for one in EVENTS]).decode()


def multipart(**fields: str) -> bytes:
    parts = [
        f'--xYx\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    ]
    return ("".join(parts) + "--xYx--\r\n").encode()


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def read(content_type: str, body: bytes, *, query: bytes = b"", authorization: str = "") -> decode.Parameters:
    return decode.parameters(query, content_type, authorization, body)


@each_row(
    ("content_type", "body"),
    [
        (JSON, b'{"data": ' + OBJECTS.encode() + b', "access_token": "EAAone"}'),
        (JSON, b'{"data": ' + STRINGS.encode() + b', "access_token": "EAAone"}'),
        (JSON, orjson.dumps({"data": STRINGS, "access_token": "EAAone"})),
        ("application/json; charset=utf-8", b'{"data": ' + OBJECTS.encode() + b', "access_token": "EAAone"}'),
        ("", b'{"data": ' + OBJECTS.encode() + b', "access_token": "EAAone"}'),
        (FORM, form(data=OBJECTS, access_token="EAAone")),
        (FORM, form(data=STRINGS, access_token="EAAone")),
        ("", form(data=STRINGS, access_token="EAAone")),
        (MULTIPART, multipart(data=OBJECTS, access_token="EAAone")),
        (MULTIPART.replace("xYx", '"xYx"'), multipart(data=STRINGS, access_token="EAAone")),
    ],
)
def test_each_encoding_gives_the_same_events_and_token(content_type: str, body: bytes) -> None:
    """Objects or strings; as JSON, as a form, as multipart: one meaning."""
    asked = read(content_type, body)
    assert asked.token == "EAAone"
    assert "access_token" not in asked.values
    assert decode.events(asked.values["data"], limit=1000) == EVENTS


@each_row(
    ("query", "body", "authorization", "token"),
    [
        (b"access_token=EAAquery", b"", "", "EAAquery"),
        (b"access_token=EAAquery", b'{"access_token": "EAAbody"}', "Bearer EAAheader", "EAAbody"),
        (b"access_token=EAAquery", b"{}", "Bearer EAAheader", "EAAquery"),
        (b"", b"{}", "bearer  EAAheader ", "EAAheader"),
        (b"", b"{}", "Basic EAAheader", None),
        (b"", b'{"access_token": 7}', "", None),
        (b"", b"", "", None),
    ],
)
def test_where_a_token_may_stand(query: bytes, body: bytes, authorization: str, token: str | None) -> None:
    """The body wins over the query, and the header is asked last."""
    assert read(JSON, body, query=query, authorization=authorization).token == token


def test_the_body_wins_over_the_query() -> None:
    """Parameters are merged."""
    assert read(JSON, b'{"b": 2}', query=b"a=1&b=1").values == {"a": "1", "b": 2}


@each_row(
    ("content_type", "body"),
    [
        (JSON, b'{"data": [maria@example.com]}'),
        (JSON, b'["maria@example.com"]'),
        (JSON, b'"maria@example.com"'),
        (JSON, b"\xff\xfe"),
        (JSON, b"[" * 5000 + b"]" * 5000),
        (FORM, b"data=\xff"),
        (FORM, b"data=%ff"),
        (FORM, b"&".join(b"maria%d=1" % number for number in range(1001))),
        ("multipart/form-data", multipart(data="maria@example.com")),
        (MULTIPART, multipart(data="maria@example.com").removesuffix(b"--\r\n")),
        (MULTIPART, b'--xYx\r\nContent-Disposition: form-data; name="data"\r\n\r\n\xff\r\n--xYx--'),
        (MULTIPART, b""" maria@example.com """),
    ],
)
def test_a_body_that_cannot_be_read_is_told_without_quoting_it(content_type: str, body: bytes) -> None:
    """Code 100, and nothing of the body in the answer."""
    with pytest.raises(GraphError) as caught:
        read(content_type, body)
    assert (caught.value.name, caught.value.code, caught.value.status) == ("malformed_body", 100, 400)
    assert "maria" not in str(caught.value.envelope("A"))


@each_row(
    ("data", "name"),
    [
        (None, "missing_parameter"),
        ("", "malformed_data"),
        ("no json", "malformed_data"),
        ("{}", "malformed_data"),
        ({}, "malformed_data"),
        (7, "malformed_data"),
        ([], "empty_data"),
        ("[]", "empty_data"),
        ([{}] * 4, "too_many_events"),
    ],
)
def test_data_that_is_no_batch(data: object, name: str) -> None:
    """Each way of being no batch has its own answer; the limit is the caller's."""
    with pytest.raises(GraphError) as caught:
        decode.events(data, limit=3)
    assert caught.value.name == name


def test_a_batch_at_the_limit_is_a_batch() -> None:
    """Three of three; what is not an object is left for the rules to refuse."""
    assert decode.events(["{}", "no json", 7], limit=3) == [{}, "no json", 7]


def test_parameters_hide_what_they_hold() -> None:
    """A repr in a log names neither token nor person."""
    shown = repr(read(JSON, b'{"data": ["maria"], "access_token": "EAAsecret"}'))
    assert "data" in shown
    assert "maria" not in shown
    assert "EAAsecret" not in shown


kinds = st.sampled_from([JSON, FORM, MULTIPART, "multipart/form-data", "", "text/plain"]) | st.text(max_size=20)
shaped = st.sampled_from(
    [b"", b'{"data":', b"data=", b"--xYx\r\n", b'Content-Disposition: form-data; name="data"\r\n\r\n']
)
bodies = st.lists(shaped | st.binary(max_size=30), max_size=5).map(b"".join)


@example(query=b"", content_type=JSON, authorization="", body=b'{"data":"\\ud800"}')
@settings(deadline=None, derandomize=True)
@given(query=st.binary(max_size=20), content_type=kinds, authorization=st.text(max_size=20), body=bodies)
def test_any_bytes_end_in_a_result_or_a_refusal(
    query: bytes, content_type: str, authorization: str, body: bytes
) -> None:
    """No bytes make anything but parameters, events or a GraphError."""
    try:
        asked = decode.parameters(query, content_type, authorization, body)
        found = decode.events(asked.values.get("data"), limit=10)
    except GraphError as error:
        orjson.dumps(error.envelope("A"))
    else:
        assert 1 <= len(found) <= 10


@settings(deadline=None, derandomize=True)
@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_value_of_data_ends_in_a_result_or_a_refusal(value: Any) -> None:
    """The same for what JSON may hold in `data`."""
    try:
        found = decode.events(value, limit=5)
    except GraphError as error:
        orjson.dumps(error.envelope("A"))
    else:
        assert 1 <= len(found) <= 5
