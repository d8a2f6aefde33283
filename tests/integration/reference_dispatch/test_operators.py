"""What an operator may ask for, as the commands do it, over a real database and secret store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from reference_impl import provisioning
from reference_impl.domain.hashing import sha256
from reference_impl.provisioning import AllowWish, FlagWish, NotProvisioned, PersonWish, SecretWish
from tests import command_line
from tests.rows import check_rows

if TYPE_CHECKING:
    from conftest import World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

    from reference_impl.secrets import SecretStore

NOW_S = 1_800_000_000
EMAIL = "ana@canary.example"


@pytest.fixture
def tenant(world: World, secrets: SecretStore) -> str:
    """A tenant with two gateways, made as `tenant create` makes it."""
    name = f"t-{os.getpid()}-{time.monotonic_ns()}"
    accounts = {one: {"dialect": "vendor", "secret": f"first-of-{one}"} for one in ("stripe", "hotmart")}
    wish = {"tenant": name, "pixel_id": "333", "meta_token": "EAA-token", "gateways": accounts}
    (read,) = provisioning.read_tenants(json.dumps({"tenants": [wish]}))
    provisioning.put_tenant(world.db, secrets, read)
    return name


def rotate(world: World, secrets: SecretStore, owner: str, *, now_s: float = NOW_S, **wish: Any) -> list[str]:
    """Rotate Stripe's; what is valid now."""
    read = provisioning.read(SecretWish, json.dumps({"tenant": owner, "gateway": "stripe", **wish}))
    provisioning.put_secret(world.db, secrets, read, now_s=now_s)
    return valid(secrets, owner, now_s)


def valid(secrets: SecretStore, tenant: str, now_s: float, gateway: str = "stripe") -> list[str]:
    return list(secrets.gateway_secrets(tenant)[gateway].valid(now_s))


def version(world: World, tenant: str) -> int:
    found: int = world.value("SELECT DISTINCT secrets_version FROM tenant_gateways WHERE tenant_id = %s", tenant)
    return found


def test_two_are_valid_while_a_secret_rotates(world: World, secrets: SecretStore, tenant: str) -> None:
    """The new one first; the old one until its end; the other gateway's is left alone; every change is a version."""
    begun = version(world, tenant)
    assert rotate(world, secrets, tenant, secret="second-value", overlap_s=100) == ["second-value", "first-of-stripe"]
    assert valid(secrets, tenant, NOW_S + 99) == ["second-value", "first-of-stripe"]
    assert valid(secrets, tenant, NOW_S + 100) == ["second-value"]
    assert valid(secrets, tenant, NOW_S, "hotmart") == ["first-of-hotmart"]
    changed = version(world, tenant)
    assert changed > begun
    assert rotate(world, secrets, tenant, secret="third-value") == ["third-value", "second-value"]
    assert rotate(world, secrets, tenant, secret="third-value") == ["third-value", "second-value"]
    assert rotate(world, secrets, tenant, end_overlap=True) == ["third-value"]
    assert rotate(world, secrets, tenant, secret="fourth-value", overlap_s=0) == ["fourth-value"]
    assert version(world, tenant) > changed


def test_one_that_has_ended_does_not_come_back(world: World, secrets: SecretStore, tenant: str) -> None:
    """The overlap of the next rotation is for the one before it, and for none older."""
    rotate(world, secrets, tenant, secret="second-value", overlap_s=100)
    assert rotate(world, secrets, tenant, now_s=NOW_S + 200, secret="third-value") == ["third-value", "second-value"]


def test_a_rotation_that_means_nothing_changes_nothing(world: World, secrets: SecretStore, tenant: str) -> None:
    """And no secret is in the refusal."""
    rows: list[tuple[Mapping[str, Any], str]] = [
        ({"secret": "short"}, "secret: "),
        ({"secret": "        "}, "secret: "),
        ({}, "Either secret or end_overlap"),
        ({"secret": "good-enough", "end_overlap": True}, "Either secret or end_overlap"),
        ({"secret": "good-enough", "overlap_s": -1}, "overlap_s"),
        ({"secret": "good-enough", "gateway": "strpe"}, "no such gateway; known: eduzz, hotmart"),
        ({"secret": "good-enough", "gateway": "kiwify"}, "does not use kiwify"),
        ({"secret": "good-enough", "tenant": "nobody"}, "There is no tenant"),
    ]
    begun = version(world, tenant)

    def check(row: tuple[Mapping[str, Any], str]) -> None:
        wish, sentence = row
        with pytest.raises(NotProvisioned, match=sentence) as refused:
            rotate(world, secrets, tenant, **wish)
        assert "good-enough" not in str(refused.value)
        assert (valid(secrets, tenant, NOW_S), version(world, tenant)) == (["first-of-stripe"], begun)

    check_rows(rows, check)


def test_a_wish_that_means_nothing_is_refused(world: World) -> None:
    """In words that name the field."""
    rows = [
        (FlagWish, {"flag": "on"}, "gateway or tenant"),
        (FlagWish, {"gateway": "stripe", "flag": "maybe"}, "flag: "),
        (FlagWish, {"gateway": "stripe", "tenant": "nobody", "flag": "on"}, "nobody is no tenant"),
        (AllowWish, {"gateway": "stripe", "allow": ["10.0.0.1/8"]}, "host bits set"),
        (AllowWish, {"gateway": "stripe", "allow": ["example.com"]}, "allow"),
        (AllowWish, {"gateway": "stripe", "tenant": "nobody", "allow": []}, "nobody is no tenant"),
    ]

    def check(row: tuple[Any, Mapping[str, Any], str]) -> None:
        kind, wish, sentence = row
        put = provisioning.put_flag if kind is FlagWish else provisioning.put_allowed
        with pytest.raises(NotProvisioned, match=sentence):
            put(world.db, provisioning.read(kind, json.dumps(wish)))

    check_rows(rows, check)


def test_a_person_is_never_quoted() -> None:
    """Not in a refusal, and not in what a debugger shows."""
    with pytest.raises(NotProvisioned) as refused:
        provisioning.read(PersonWish, json.dumps({"tenant": "t", "email": EMAIL * 100, "name": "Ana Canary"}))
    assert "canary" not in str(refused.value).lower()
    assert EMAIL not in repr(provisioning.read(PersonWish, json.dumps({"tenant": "t", "email": EMAIL})))


def test_the_commands_say_what_they_did(world: World, aws_url: str, secrets: SecretStore, tenant: str) -> None:
    """JSON in, JSON out, exit code 0 or 1; a person's e-mail in no output but the one that was asked for."""
    env = {
        "DATABASE_URL": world.database_url,
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def run(*words: str, as_process: bool = False, **wish: Any) -> tuple[int, Any]:
        begin = command_line.reference_process if as_process else command_line.reference
        done = begin(*words, *(["--json", "-"] if wish else []), given=json.dumps(wish), env=env)
        assert EMAIL not in done.stderr + done.stdout
        return done.returncode, json.loads(done.stdout)

    world.given(tenant=tenant, client_sealed=None)
    world.db.execute(
        "UPDATE conversions SET user_data = jsonb_build_object('em', jsonb_build_array(%s::text)), client_sealed = %s",
        [sha256(EMAIL), _sealed(secrets)],
    )
    held = run("flag", "set", tenant=tenant, gateway="stripe", flag="hold", as_process=True)
    assert held == (0, {"flag": "hold", "released": 0})
    assert run("flag", "set", tenant=tenant, flag="on") == (0, {"flag": "on", "released": 0})
    assert run("allowlist", "set", gateway="stripe", allow=["3.18.12.63"])[1]["allow"] == ["3.18.12.63/32"]
    code, told = run("tenant", "secret", tenant=tenant, gateway="stripe", secret="second-value", overlap_s=60)
    assert (code, told["valid"]) == (0, 2)
    code, shown = run("person", "export", tenant=tenant, email=EMAIL.upper())
    assert (code, shown["conversions"][0]["client"]) == (0, {"client_ip_address": "203.0.113.9"})
    code, told = run("person", "erase", tenant=tenant, email=EMAIL, phone="+5511987654321")
    assert (code, told["erased"]["suppressed"]) == (0, 1)
    assert run("person", "erase", tenant=tenant, phone="no phone", as_process=True)[0] == 1
    assert run("person", "erase", tenant="nobody", email=EMAIL) == (1, {"error": "There is no tenant 'nobody'."})
    assert run("keys", "rotate")[1]["keys"] >= 2


def _sealed(secrets: SecretStore) -> str:
    from reference_impl.sealing import Sealer

    return Sealer(secrets.data_keys()).seal('{"ip": "203.0.113.9"}')
