"""Proofs of who sent a webhook, in constant time and over exactly the raw bytes. Written once for all gateways."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence

from reference_impl.gateways import BadSignature, UnprovenSender

_DIGITS = re.compile(r"^[0-9]{1,12}$")


def usable(secrets: Sequence[str]) -> list[str]:
    """The secrets that can prove anything. An empty one would let anybody sign.

    Raises:
        UnprovenSender: there is none.
    """
    found = [one for one in secrets if one.strip()]
    if not found:
        raise UnprovenSender("No secret is configured for this gateway.")
    return found


def same(given: str, wanted: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ. Any characters may come in."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def any_same(given: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether one of the given is one of the wanted; every pair is compared, so that time tells nothing."""
    wanted = list(wanted)
    return sum(same(one, other) for one in given for other in wanted) > 0


def hex_hmac(secret: str, message: bytes, algorithm: Callable[..., hashlib._Hash] = hashlib.sha256) -> str:
    """Lower-case hex of the HMAC."""
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


def check_plan(headers_value: str | None, body: bytes, secrets: Sequence[str]) -> None:
    """The plan's own scheme: `X-Signature: sha256=<lower-case hex of HMAC-SHA256(secret, raw body)>`.

    Raises:
        BadSignature: none, of another scheme, or wrong.
    """
    secrets = usable(secrets)
    if not headers_value:
        raise BadSignature("The header X-Signature is missing.")
    scheme, _, given = headers_value.partition("=")
    if scheme != "sha256" or not given:
        raise BadSignature("The header X-Signature does not say sha256=….")
    if not any_same([given], (hex_hmac(secret, body) for secret in secrets)):
        raise UnprovenSender("The signature does not match the body.")


def check_timestamped(
    header: str | None, body: bytes, secrets: Sequence[str], *, now_s: float, tolerance_s: float
) -> None:
    """Stripe's scheme: `t=<seconds>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA256 over `<t>.<raw body>`.

    Only v1 counts (v0 is a test scheme: taking it would be a downgrade); several are normal while a secret is
    rolled. The first t counts; nothing is trimmed. A stamp in the future passes, as in the official SDKs.

    Source:
        docs.stripe.com/webhooks (facts/gateways.md sections 4.2 and 4.3).

    Raises:
        BadSignature: none, unreadable, wrong, or older than `tolerance_s`.
    """
    secrets = usable(secrets)
    if not header:
        raise BadSignature("The header Stripe-Signature is missing.")
    items = [item.partition("=")[::2] for item in header.split(",")]
    stamp = next((value for key, value in items if key == "t"), None)
    given = [value for key, value in items if key == "v1"]
    if stamp is None or not _DIGITS.match(stamp):
        raise BadSignature("The header Stripe-Signature has no readable time.")
    if not given:
        raise BadSignature("The header Stripe-Signature has no v1 signature.")
    message = stamp.encode() + b"." + body
    if not any_same(given, (hex_hmac(secret, message) for secret in secrets)):
        raise UnprovenSender("The signature does not match the body.")
    # Only now is the stamp known to be the gateway's own.
    if now_s - int(stamp) > tolerance_s:
        raise BadSignature(f"The signature is older than {tolerance_s:.0f} seconds.")


def check_token(given: object, secrets: Sequence[str], *, where: str) -> None:
    """A static token: it proves that the sender knows it, and nothing about the body.

    Raises:
        BadSignature: none, no text, or wrong.
    """
    secrets = usable(secrets)
    if not isinstance(given, str) or not given:
        raise BadSignature(f"{where} is missing.")
    if not any_same([given], secrets):
        raise UnprovenSender(f"{where} is not the one that was agreed.")
