"""The reference accepts the third witness's bytes, reads in them what is written beside them, and notices a change.

The vectors and how they were made: tests/vectors/README.md.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.readiness.plan import load
from reference_impl.domain.conversion import Buyer, Ignored, Meaning, Purchase, Reinstatement, Reversal, Trail
from reference_impl.gateways import BadSignature, MalformedBody, RawDelivery, SchemaMismatch, adapter, known
from tests.rows import each_row

VECTORS = Path(__file__).parents[1] / "vectors"
ALL = sorted(path.relative_to(VECTORS).with_suffix("").as_posix() for path in VECTORS.glob("*/*/*.json"))
TOKENS = {("hotmart", "vendor"), ("perfectpay", "vendor")}
"""Who proves itself by a static token, and so vouches for no byte of the body."""
WRAPPED = "kiwify/vendor/order_approved_wrapped"


def dialect_of(name: str) -> tuple[str, str]:
    gateway, dialect, _ = name.split("/")
    return gateway, dialect


TOKEN_CASES = [name for name in ALL if dialect_of(name) in TOKENS]
SIGNED_CASES = [name for name in ALL if dialect_of(name) not in TOKENS]


class Vector:
    """One case, as the reference's web layer would hand it to the adapter."""

    def __init__(self, name: str) -> None:
        said = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        self.gateway, self.dialect = dialect_of(name)
        self.secret, self.at_s, self.meaning = said["secret"], said["at_s"], said["meaning"]
        self.old_secret = said.get("old_secret")
        self.delivery = RawDelivery(
            body=(VECTORS / f"{name}.body").read_bytes(),
            headers={header.lower(): value for header, value in said["headers"].items()},
            query=said["query"],
        )

    def verify(
        self, delivery: RawDelivery | None = None, *, secrets: list[str] | None = None, late_s: float = 0
    ) -> None:
        adapter(self.gateway).verify(
            delivery or self.delivery,
            dialect=self.dialect,
            secrets=[self.secret] if secrets is None else secrets,
            now_s=self.at_s + late_s,
        )

    def read(self, body: bytes | None = None) -> Meaning:
        return adapter(self.gateway).read(self.delivery.body if body is None else body, dialect=self.dialect)

    def changed_at(self, place: int) -> RawDelivery:
        """The same delivery with the lowest bit of one byte turned over."""
        body = bytearray(self.delivery.body)
        body[place] ^= 1
        return replace(self.delivery, body=bytes(body))


@pytest.fixture
def vector(request: pytest.FixtureRequest) -> Vector:
    return Vector(request.param)


every_vector = pytest.mark.parametrize("vector", ALL, indirect=True)
every_signed_vector = pytest.mark.parametrize("vector", SIGNED_CASES, indirect=True)


def wanted(said: dict[str, Any]) -> Meaning | type[Ignored]:
    """The json's `meaning` in the reference's own words."""
    fields = {key: value for key, value in said.items() if key != "kind"}
    if said["kind"] == "ignored":
        return Ignored
    if said["kind"].endswith("_undone"):
        return Reinstatement(kind=said["kind"].removesuffix("_undone"), **fields)
    if said["kind"] != "purchase":
        return Reversal(kind=said["kind"], **fields)
    fields |= {
        "amount": Decimal(fields["amount"]),
        "buyer": Buyer(**fields["buyer"]),
        "trail": Trail(**fields["trail"]),
    }
    return Purchase(**fields)


def test_every_dialect_of_every_gateway_has_vectors() -> None:
    """A purchase, and something that is none, for each."""
    kinds: dict[tuple[str, str], set[str]] = {}
    for name in ALL:
        kinds.setdefault(dialect_of(name), set()).add(Vector(name).meaning["kind"])
    spoken = {(name, dialect) for name, one in known().items() for dialect in one.dialects}
    assert set(kinds) <= spoken
    assert {name for name, _ in spoken - set(kinds)}.isdisjoint(load().gateways), "the plan's gateways need a witness"
    assert all("purchase" in found and "ignored" in found for found in kinds.values()), kinds


@every_vector
def test_a_genuine_delivery_is_accepted(vector: Vector) -> None:
    """With its own secret alone, and while that is being rotated in either order."""
    vector.verify()
    vector.verify(secrets=["somebody-elses", vector.secret])
    vector.verify(secrets=[vector.secret, "somebody-elses"])
    if vector.old_secret:
        vector.verify(secrets=[vector.old_secret])


@every_vector
def test_it_means_what_is_written_beside_it(vector: Vector) -> None:
    """Field by field, the buyer's plain text included (its repr hides it, so it is compared as a dictionary)."""
    expected, found = wanted(vector.meaning), vector.read()
    if isinstance(expected, type):
        assert isinstance(found, expected)
        return
    assert type(found) is type(expected)
    assert asdict(found) == asdict(expected)
    if isinstance(found, Purchase):
        assert str(found.amount) == vector.meaning["amount"]  # digit for digit


@every_vector
@each_row(
    ("secrets", "why"),
    [(["somebody-elses"], "match|agreed"), ([], "No secret"), ([""], "No secret"), ([" \t"], "No secret")],
    ids=["wrong", "none", "empty", "blank"],
    shared=("vector",),
)
def test_another_secret_proves_nothing(vector: Vector, secrets: list[str], why: str) -> None:
    """Nor does an empty one, with which anybody could sign."""
    with pytest.raises(BadSignature, match=why):
        vector.verify(secrets=secrets)


@every_vector
def test_without_its_proof_it_is_refused(vector: Vector) -> None:
    """No header, no query; PerfectPay's body without its token."""
    body = vector.delivery.body
    if not vector.delivery.headers and not vector.delivery.query:
        body = body.replace(b'"token"', b'"taken"')
        assert body != vector.delivery.body
    with pytest.raises(BadSignature, match="missing"):
        vector.verify(RawDelivery(body=body, headers={}, query={}))


@every_signed_vector
def test_any_changed_byte_is_noticed(vector: Vector) -> None:
    """Each byte in turn: refused; in Kiwify's wrapper what is not signed may pass, and then changes nothing."""
    before, passed = vector.read(), []
    for place in range(len(vector.delivery.body)):
        changed = vector.changed_at(place)
        try:
            vector.verify(changed)
        except BadSignature:
            continue
        passed.append(place)
        assert vector.read(changed.body) == before
    # What passed is not empty only where only a part is signed, and then it lies before that part.
    assert not passed or max(passed) < vector.delivery.body.index(b'"order"')
    assert not passed or b'{"url"' in vector.delivery.body


@pytest.mark.parametrize("vector", [WRAPPED], indirect=True)
def test_a_wrapper_cannot_smuggle_an_order_past_the_signature(vector: Vector) -> None:
    """Who has seen one genuine order could put another beside it; only what was signed is read."""
    forged = vector.delivery.body.replace(
        b'{"url"',
        b'{"order_id":"forged","webhook_event_type":"order_approved","order_status":"paid",'
        b'"Commissions":{"charge_amount":1},"url"',
    )
    assert forged != vector.delivery.body
    with pytest.raises(BadSignature, match="match"):
        vector.verify(replace(vector.delivery, body=forged))


@pytest.mark.parametrize("vector", TOKEN_CASES, indirect=True)
def test_a_token_gives_no_integrity(vector: Vector) -> None:
    """The vendor's weakness, stated: a changed sale id is accepted, and read."""
    sale_id = vector.meaning.get("sale_id", "").encode()
    changed = vector.delivery.body.replace(sale_id, b"X" * len(sale_id)) if sale_id else vector.delivery.body + b" "
    assert changed != vector.delivery.body
    vector.verify(replace(vector.delivery, body=changed))
    found = vector.read(changed)
    if sale_id:
        assert isinstance(found, Purchase | Reversal)
        assert found.sale_id == "X" * len(sale_id)


@pytest.mark.parametrize("vector", [name for name in ALL if name.startswith("perfectpay/vendor")], indirect=True)
@each_row("second", [b'"token":"x"', b'"\\u0074oken":"x"'], ids=["plain", "escaped"], shared=("vector",))
def test_a_second_token_is_refused(vector: Vector, second: bytes) -> None:
    """Which of the two would count is the parser's whim; so neither does."""
    with pytest.raises(MalformedBody, match="twice"):
        vector.verify(replace(vector.delivery, body=vector.delivery.body[:-1] + b"," + second + b"}"))


@pytest.mark.parametrize("vector", [name for name in ALL if name.startswith("stripe/")], indirect=True)
def test_only_stripes_signature_grows_old(vector: Vector) -> None:
    """300 s are borne, more are not; a stamp from the future passes, as in the official SDKs."""
    vector.verify(late_s=300)
    vector.verify(late_s=-3600)
    with pytest.raises(BadSignature, match="older than 300"):
        vector.verify(late_s=300.5)


@pytest.mark.parametrize("vector", [name for name in ALL if not name.startswith("stripe/")], indirect=True)
def test_the_others_do_not(vector: Vector) -> None:
    """Nothing about the time is signed there: a captured request stays valid, and only the sale's identity helps."""
    vector.verify(late_s=365 * 86_400)


@every_vector
def test_the_dialect_is_never_sniffed(vector: Vector) -> None:
    """Genuine in one dialect, refused in the other: by the signature, and then by the schema."""
    others = set(adapter(vector.gateway).dialects) - {vector.dialect}
    for dialect in others:
        with pytest.raises(BadSignature):
            adapter(vector.gateway).verify(vector.delivery, dialect=dialect, secrets=[vector.secret], now_s=vector.at_s)
        if vector.meaning["kind"] == "purchase":
            with pytest.raises(SchemaMismatch):
                adapter(vector.gateway).read(vector.delivery.body, dialect=dialect)
