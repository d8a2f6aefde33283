"""What an operator may ask for, as the commands do it, over a real database and secret store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from reference_impl import operations, provisioning
from reference_impl.domain.hashing import sha256
from reference_impl.provisioning import AllowWish, FlagWish, NotProvisioned, PersonWish, SecretWish
from tests import command_line
from tests.rows import check_rows

if TYPE_CHECKING:
    from conftest import OperatorProgram, World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

    from reference_impl.secrets import SecretStore

NOW_S = 1_800_000_000
EMAIL = "ana@canary.example"


@pytest.fixture
def tenant(world: World, secrets: SecretStore) -> str:
    """A tenant with two gateways, made as `tenant create` makes it."""
    name = f"t-{os.getpid()}-{time.monotonic_ns()}"
    accounts = {one: {"dialect": "vendor", "secret": f"first-of-{one}"} for one in ("stripe", "hotmart")}
    wish = {"tenant": name, "pixel_id": "333", "meta_token": "EAA-token", "gateways": accounts}
    (read,) = provisioning.read_tenants({"tenants": [wish]})
    provisioning.put_tenant(world.db, secrets, read)
    return name


def rotate(world: World, secrets: SecretStore, owner: str, *, now_s: float = NOW_S, **wish: Any) -> list[str]:
    """Rotate Stripe's; what is valid now."""
    read = provisioning.read(SecretWish, {"tenant": owner, "gateway": "stripe", **wish})
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
            put(world.db, provisioning.read(kind, wish))

    check_rows(rows, check)


def test_a_person_is_never_quoted() -> None:
    """Not in a refusal, and not in what a debugger shows."""
    with pytest.raises(NotProvisioned) as refused:
        provisioning.read(PersonWish, {"tenant": "t", "email": EMAIL * 100, "name": "Ana Canary"})
    assert "canary" not in str(refused.value).lower()
    assert EMAIL not in repr(provisioning.read(PersonWish, {"tenant": "t", "email": EMAIL}))


#: The single command of each action.
COMMANDS = {
    "provision": ("tenant", "create"),
    "set_meta_token": ("tenant", "token"),
    "rotate_secret": ("tenant", "secret"),
    "set_flag": ("flag", "set"),
    "set_allowlist": ("allowlist", "set"),
    "rotate_keys": ("keys", "rotate"),
    "export_person": ("person", "export"),
    "erase_person": ("person", "erase"),
    "create_user": ("user", "create"),
    "delete_user": ("user", "delete"),
    "event_id": ("event-id",),
    "redrive": ("redrive",),
}
Ask = Callable[..., Any]
"""An action and its input -> its output, or the sentence that it was refused with."""


@pytest.fixture(params=["single commands", "operate"])
def ask(request: pytest.FixtureRequest, operator_env: dict[str, str]) -> Ask:
    """Carries out actions by one of the two ways. The commands run in this process: a start of each would cost more."""
    if request.param == "operate":
        program: OperatorProgram = request.getfixturevalue("program")
        return program.ask

    def run(action: str, **given: Any) -> Any:
        done = command_line.reference(*COMMANDS[action], given=json.dumps(given), env=operator_env)
        assert EMAIL not in done.stdout + done.stderr
        output = json.loads(done.stdout)
        assert done.returncode == (1 if "error" in output else 0)
        return output.get("error", output)

    return run


def test_every_action_has_a_single_command() -> None:
    assert COMMANDS.keys() == operations.ACTIONS.keys()


def test_an_action_says_what_it_did(ask: Ask, world: World, secrets: SecretStore, tenant: str) -> None:
    """The same by both ways."""
    world.given(tenant=tenant, client_sealed=None)
    world.db.execute(
        "UPDATE conversions SET user_data = jsonb_build_object('em', jsonb_build_array(%s::text)), client_sealed = %s",
        [sha256(EMAIL), _sealed(secrets)],
    )
    assert ask("set_flag", tenant=tenant, gateway="stripe", flag="hold") == {"flag": "hold", "released": 0}
    assert ask("set_flag", tenant=tenant, flag="on") == {"flag": "on", "released": 0}
    assert ask("set_allowlist", gateway="stripe", allow=["3.18.12.63"])["allow"] == ["3.18.12.63/32"]
    assert ask("rotate_secret", tenant=tenant, gateway="stripe", secret="second-value", overlap_s=60)["valid"] == 2
    (shown,) = ask("export_person", tenant=tenant, email=EMAIL.upper())["conversions"]
    assert EMAIL not in str(shown).lower()
    assert shown["client"] == {"client_ip_address": "203.0.113.9"}
    assert ask("erase_person", tenant=tenant, email=EMAIL, phone="+5511987654321")["erased"]["suppressed"] == 1
    assert "cannot be read" in ask("erase_person", tenant=tenant, email=EMAIL, phone="no phone")
    assert ask("erase_person", tenant="nobody", email=EMAIL) == "There is no tenant 'nobody'."
    assert ask("rotate_keys")["keys"] >= 2
    assert ask("set_meta_token", tenant=tenant, meta_token="EAA-a-new-one") == {"tenant": tenant}
    assert ask("event_id", tenant=tenant, gateway="stripe") == "Wanted: {tenant, gateway, sale_id, kind}."
    user = {"tenant": tenant, "name": tenant.lower(), "password": "long enough to be"}
    assert ask("create_user", **user) == {"name": tenant.lower(), "tenant": tenant}
    assert ask("delete_user", name=tenant.lower()) == {"name": tenant.lower()}
    assert ask("redrive")["redriven"] == 0
    again = {"tenant": tenant, "pixel_id": "333", "meta_token": "EAA-token", "gateways": {}}
    assert ask("provision", tenants=[again]) == {"tenants": [{"tenant": tenant}]}


def _sealed(secrets: SecretStore) -> str:
    from reference_impl.sealing import Sealer

    return Sealer(secrets.data_keys()).seal('{"ip": "203.0.113.9"}')
