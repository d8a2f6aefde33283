"""The contract: every route is in it, it is what is committed, it breaks nobody, and the answers keep to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import jsonschema
import pytest
import requests
from hypothesis import strategies as st

from reference_impl.contract.changes import breaking
from simulators import gateways as fakes
from simulators.people import order as make_order

if TYPE_CHECKING:
    from conftest import Site  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

DOCUMENT = "docs/openapi.json"
#: Prints the document of the application as `bootstrap` really puts it together; a route without words is an error.
PRINT = """
import json
from reference_impl import bootstrap
from reference_impl.web.openapi import document
print(json.dumps(document(bootstrap.web_app()), indent=2, ensure_ascii=False))
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=8), deeper, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def front_door(parts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One web process for this file, with a tenant of each dialect."""
    site = parts.site(tmp_path_factory.mktemp("contract"))
    site.prepare()
    site.url, _ = site.start_web()
    for dialect in ("plan", "vendor"):
        spoken = {name: dialect for name, one in fakes.known().items() if dialect in one.dialects}
        site.provision(f"{site.tenant}-{dialect}", f"{site.pixel_id}{len(dialect)}", **spoken)
    yield site
    site.close()


def test_every_route_is_documented(front_door: Site, root: Path) -> None:
    """What `@documented` says of all of them is exactly what is committed. `make openapi` writes it anew."""
    argv = [sys.executable, "-c", PRINT]
    done = subprocess.run(argv, env=front_door.env, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.strip().splitlines()[-1]
    if os.environ.get("GOLIVE_WRITE_OPENAPI"):
        (root / DOCUMENT).write_text(done.stdout, encoding="utf-8")
    committed = (root / DOCUMENT).read_text(encoding="utf-8")
    assert committed == done.stdout, f"{DOCUMENT} is not what the code says: run `make openapi` and look at the diff"


def test_what_is_committed_is_served(front_door: Site, root: Path) -> None:
    """Byte for byte, as JSON."""
    answer = requests.get(f"{front_door.url}/openapi.json", timeout=5)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == (root / DOCUMENT).read_bytes()


def test_no_change_breaks_a_client(root: Path, released_contract: dict[str, Any]) -> None:
    """Whoever was written against the last release is served as before."""
    found = breaking(released_contract, json.loads((root / DOCUMENT).read_text(encoding="utf-8")))
    assert not found, "\n".join((*found, "A breaking change needs a new path beside the old one."))


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(True, id="known tenant"),
        # Nearly all of these requests end at "unknown tenant": the night has the nine seconds.
        pytest.param(False, id="any tenant", marks=pytest.mark.nightly),
    ],
)
def test_schemathesis_finds_no_5xx_and_nothing_undocumented(front_door: Site, tmp_path: Path, *, known: bool) -> None:
    """Every kind of request that the document suggests, and every kind that it forbids."""
    if known:
        (tmp_path / "schemathesis.toml").write_text(f'[parameters]\ntenant = "{front_door.tenant}"\n')
    argv = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{front_door.url}/openapi.json"),
        *("--checks", "all", "--phases", "coverage,fuzzing", "--max-examples", "25"),
        *("--seed", "1", "--generation-deterministic", "--no-color"),
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("dialect", ["plan", "vendor"])
@pytest.mark.parametrize("name", sorted(fakes.known()))
def test_whatever_a_genuine_sender_says_is_answered_as_documented(
    front_door: Site, root: Path, secret: str, name: str, dialect: str
) -> None:
    """Rightly signed, and with anything at all in the place of any one value: no 5xx, nothing undocumented."""
    fake = fakes.gateway(name)
    if dialect not in fake.dialects:
        return
    contract = json.loads((root / DOCUMENT).read_text(encoding="utf-8"))
    told = contract["paths"]["/api/v1/webhooks/{gateway}/{tenant}"]["post"]["responses"]
    url = f"{front_door.url}/api/v1/webhooks/{name}/{front_door.tenant}-{dialect}"
    statuses = set()

    @hypothesis.settings(max_examples=150, derandomize=True, deadline=None, database=None)
    @hypothesis.given(st.data())
    def check(data: st.DataObject) -> None:
        key = str(data.draw(st.integers(min_value=0, max_value=10**6)))
        order = make_order(key, now_s=1_771_927_205)
        event = data.draw(st.sampled_from(sorted(fake.events(dialect))))
        body = json.loads(fake.render(order, event, dialect=dialect, secret=secret, url=url, now_s=1_771_927_205))
        changed = json.dumps(_put(body, data.draw(st.sampled_from(_places(body))), data.draw(JSON)))
        sent = fake.sign(changed.encode(), dialect=dialect, secret=secret, url=url, now_s=int(time.time()))
        query = sent.url.partition("?")[2]
        answer = front_door.http.post(
            f"{url}?{query}" if query else url, data=sent.body, headers=dict(sent.headers), timeout=10
        )
        statuses.add(answer.status_code)
        assert answer.status_code < 500, f"{answer.status_code} for {changed}"
        assert str(answer.status_code) in told, f"{answer.status_code} is not documented; sent: {changed}"
        schema = told[str(answer.status_code)]["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": contract["components"]})

    check()
    assert 202 in statuses, "else the signatures were wrong, and nothing was seen"


def _places(value: Any, *before: Any) -> list[tuple[Any, ...]]:
    """The way to everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, one in inside for way in ((*before, key), *_places(one, *before, key))]


def _put(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    holder = value
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = new
    return value
