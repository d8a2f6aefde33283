"""What an attacker, a bad proxy or a bad receiver's own framework does to a webhook, by name, as pure functions.

`tamper("one_byte", webhook, signing)` gives the request as it arrives then; `expected("one_byte", "hotmart",
"vendor")` says what a right receiver makes of it: `refused`; `accepted` where the vendor's own scheme cannot notice, or
the request is a genuine one in unusual clothes; `either` where both are right. Where the signature sits is found out
by signing twice, so a new gateway needs no edit here.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from simulators.gateways import FakeGateway, UnknownName, Webhook, gateway
from simulators.gateways._json import compact, parse, pretty

Expected = Literal["refused", "accepted", "either"]

TRANSFER_ENCODING = "Transfer-Encoding"
#: In how many bytes each a body goes out that is sent in chunks.
CHUNK_BYTES = 512
STALE_S = 3_600
"""How old a stale signature is: twelve times Stripe's tolerance of 300 s."""
JUST_STALE_S = 330
"""Half a minute past Stripe's tolerance, so that a receiver cannot be generous."""
HUGE_BYTES = 16 * 1024 * 1024
"""Longer than any body that a vendor sends, and than any that a receiver should read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """All that is needed to sign once more: who, how, with what, to where (without the vendor's query), when."""

    gateway: FakeGateway
    dialect: str
    secret: str = field(repr=False)
    url: str
    now_s: int
    another_tenants_secret: str | None = field(default=None, repr=False)
    """A secret that the receiver knows, and of another tenant: what a tenant of one's own can sign with."""

    def sign(self, body: bytes, *, secret: str | None = None, now_s: int | None = None) -> Webhook:
        """That body, with another secret or at another time if given."""
        return self.gateway.sign(
            body,
            dialect=self.dialect,
            secret=self.secret if secret is None else secret,
            url=self.url,
            now_s=self.now_s if now_s is None else now_s,
        )

    def other_secret(self) -> str:
        """A secret of the same shape that is not ours; a function of ours."""
        return self.gateway.new_secret("not " + hashlib.sha256(self.secret.encode()).hexdigest())


class NothingToTamper(ValueError):
    """The webhook has nothing that this tampering could change: a test that used it would prove nothing."""


Apply = Callable[[Webhook, Signing], Webhook]


def one_byte(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """One digit is another one, of the amount if there is any; still valid JSON, still the genuine signature."""
    found = next(filter(None, (place.search(sent.body) for place in _WHERE_A_DIGIT_IS)), None)
    if found is None:
        raise NothingToTamper("No digit stands in this body.")
    at = found.end() - 1
    # 9 -> 8, any other digit -> the next: never a leading zero, never the same amount.
    digit = b"8" if sent.body[at : at + 1] == b"9" else bytes([sent.body[at] + 1])
    return replace(sent, body=sent.body[:at] + digit + sent.body[at + 1 :])


def reserialised(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """The same JSON value in other bytes: printed over several lines, or compact if it was so printed."""
    value = parse(sent.body)
    other = next((body for body in (pretty(value), compact(value)) if body != sent.body), sent.body + b"\n")
    return replace(sent, body=other)


def missing_signature(sent: Webhook, how: Signing) -> Webhook:
    """The signature or token is not there at all: no header, no query parameter, no key in the body."""
    return _edit_signature(sent, how, None)


def truncated_signature(sent: Webhook, how: Signing) -> Webhook:
    """The last two characters of the signature or token are gone: catches a comparison of prefixes."""
    return _edit_signature(sent, how, lambda text: text[:-2])


def uppercase_signature(sent: Webhook, how: Signing) -> Webhook:
    """The signature or token in capitals: no vendor writes it so, and a token is not the same any more."""
    return _edit_signature(sent, how, str.upper)


def wrong_secret(sent: Webhook, how: Signing) -> Webhook:
    """Signed rightly, with a secret of the right shape that is somebody else's."""
    body = sent.body.replace(how.secret.encode(), how.other_secret().encode()) if how.secret else sent.body
    return how.sign(body, secret=how.other_secret())


def another_tenants_secret(sent: Webhook, how: Signing) -> Webhook:
    """Signed rightly, with a secret that the receiver knows: of another of its tenants."""
    other = how.another_tenants_secret
    if other is None or other == how.secret:
        raise NothingToTamper("No other tenant's secret was given, or it is this one's.")
    body = sent.body.replace(how.secret.encode(), other.encode()) if how.secret else sent.body
    return how.sign(body, secret=other)


def stale_timestamp(sent: Webhook, how: Signing) -> Webhook:
    """Captured an hour ago and sent again. Where no time is signed these are the genuine bytes."""
    return how.sign(sent.body, now_s=how.now_s - STALE_S)


def just_stale_timestamp(sent: Webhook, how: Signing) -> Webhook:
    """Captured five and a half minutes ago and sent again. Where no time is signed these are the genuine bytes."""
    return how.sign(sent.body, now_s=how.now_s - JUST_STALE_S)


def malformed_json(sent: Webhook, how: Signing) -> Webhook:
    """The closing brace is missing, and these very bytes are rightly signed: only the JSON is at fault."""
    cut = sent.body.rstrip()[:-1]
    return how.sign(cut)


def not_json_type(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """Genuine in all but its Content-Type, which says text/plain."""
    return replace(sent, headers={**sent.headers, "Content-Type": "text/plain; charset=utf-8"})


def key_order(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """The same members in the opposite order, as a proxy that parses and prints would send them."""
    value = parse(sent.body)
    return _with_body(sent, compact(dict(reversed(value.items()))))


def escapes(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """The same JSON value with one letter of one key written as a \\uXXXX escape."""
    found = re.search(rb'"([A-Za-z])(\w*"\s*:)', sent.body)
    if found is None:
        raise NothingToTamper("No key stands in this body.")
    escaped = b'"\\u%04x' % found[1][0] + found[2]
    return _with_body(sent, sent.body[: found.start()] + escaped + sent.body[found.end() :])


def byte_order_mark(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """A UTF-8 byte order mark before the body."""
    return _with_body(sent, b"\xef\xbb\xbf" + sent.body)


def trailing_newline(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """A line feed after the body: what an editor or `echo` adds."""
    return _with_body(sent, sent.body + b"\n")


def duplicate_keys(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """Every member twice, the second time as it was: parsers disagree on which one counts."""
    value = parse(sent.body)
    first = compact(dict.fromkeys(value, None))
    return _with_body(sent, first[:-1] + b"," + sent.body.lstrip()[1:])


def compressed(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """The body gzipped on its way, with the Content-Encoding that says so; signed before."""
    headers = {**sent.headers, "Content-Encoding": "gzip"}
    return replace(sent, headers=headers, body=gzip.compress(sent.body, mtime=0))


def chunked(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """Genuine to the last byte, and sent in chunks, without a Content-Length: what some proxies make of a body."""
    return replace(sent, headers={**sent.headers, TRANSFER_ENCODING: "chunked"})


def not_utf8(sent: Webhook, how: Signing) -> Webhook:
    """A byte that is no UTF-8 stands in a string, and these very bytes are rightly signed."""
    at = sent.body.rindex(b'"')
    return how.sign(sent.body[:at] + b"\xff" + sent.body[at:])


def huge(sent: Webhook, how: Signing) -> Webhook:
    """Sixteen MiB of spaces after the body, all of it rightly signed."""
    return how.sign(sent.body + b" " * (HUGE_BYTES - len(sent.body)))


def empty_body(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """Nothing but the genuine headers and address."""
    return _with_body(sent, b"")


def empty_signature(sent: Webhook, how: Signing) -> Webhook:
    """The signature or token is there, and empty: catches `if header:` and an empty secret."""
    return _edit_signature(sent, how, lambda _: "")


def prefix_only(sent: Webhook, how: Signing) -> Webhook:
    """The first eight characters of the signature or token, and no more."""
    return _edit_signature(sent, how, lambda text: text[:8])


def longer_signature(sent: Webhook, how: Signing) -> Webhook:
    """The right signature or token with two more characters behind it: catches a comparison of beginnings."""
    return _edit_signature(sent, how, lambda text: text + "00")


def tail_changed(sent: Webhook, how: Signing) -> Webhook:
    """As long as the right signature or token, and other in its last half: catches a comparison that stops early."""
    return _edit_signature(sent, how, lambda text: text[: len(text) // 2] + text[len(text) // 2 :].translate(_OTHERS))


def several_signatures(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """A wrong signature beside the right one, as while a secret is rolled: genuine, where the scheme has several."""
    return _edit_items(sent, lambda stamp, proof: [stamp, f"v1={'0' * 64}", f"v1={proof}"])


def only_old_scheme(sent: Webhook, how: Signing) -> Webhook:  # noqa: ARG001 -- the shape of every tampering
    """The right signature under `v0`, a scheme for tests: to take it would be a downgrade."""
    return _edit_items(sent, lambda stamp, proof: [stamp, f"v0={proof}"])


def forged_wrapper(sent: Webhook, how: Signing) -> Webhook:
    """A genuine, signed order inside a forged one (Kiwify signs `order` alone in its wrapped form)."""
    if (how.gateway.name, how.dialect) != ("kiwify", "vendor"):
        raise NothingToTamper("Only Kiwify has a wrapper that is not signed.")
    forged = one_byte(sent, how).body
    other = re.sub(rb'"order_id":"([0-9a-f])', lambda found: b'"order_id":"' + _other_hex(found[1]), forged, count=1)
    return _with_body(sent, b'{"order":' + sent.body + b"," + other[1:])


TAMPERINGS: Mapping[str, Apply] = {
    apply.__name__: apply
    for apply in (
        one_byte,
        reserialised,
        missing_signature,
        truncated_signature,
        uppercase_signature,
        wrong_secret,
        another_tenants_secret,
        stale_timestamp,
        just_stale_timestamp,
        malformed_json,
        not_json_type,
        key_order,
        escapes,
        byte_order_mark,
        trailing_newline,
        duplicate_keys,
        compressed,
        chunked,
        not_utf8,
        huge,
        empty_body,
        empty_signature,
        prefix_only,
        longer_signature,
        tail_changed,
        several_signatures,
        only_old_scheme,
        forged_wrapper,
    )
}

#: Still the same JSON for whoever does not look at the bytes.
_TOUCH_ONLY_THE_BODY = frozenset({"one_byte", "reserialised", "key_order", "escapes", "trailing_newline"})
_STALE = frozenset({"stale_timestamp", "just_stale_timestamp"})
#: JSON for some parsers only: where nothing signs the bytes, to take it and to refuse it are both right.
_MATTER_OF_PARSER = frozenset({"byte_order_mark", "duplicate_keys", "compressed"})


def tamper(name: str, webhook: Webhook, signing: Signing) -> Webhook:
    """The webhook after the tampering of that name.

    Raises:
        UnknownName: no such tampering.
        NothingToTamper: it would change nothing here.
    """
    try:
        apply = TAMPERINGS[name]
    except KeyError:
        raise UnknownName("tampering", name, TAMPERINGS) from None
    return apply(webhook, signing)


def chunks(webhook: Webhook) -> tuple[bytes, ...] | None:
    """The body in the chunks that it is to be sent in, or None: in one piece, with its length.

    Who sends leaves the header `Transfer-Encoding` out then: an HTTP library writes it by itself.
    """
    if webhook.headers.get(TRANSFER_ENCODING) != "chunked":
        return None
    return tuple(webhook.body[at : at + CHUNK_BYTES] for at in range(0, len(webhook.body), CHUNK_BYTES))


def without_framing(webhook: Webhook) -> dict[str, str]:
    """The headers but for the one that says how the body is framed."""
    return {name: value for name, value in webhook.headers.items() if name != TRANSFER_ENCODING}


def expected(name: str, gateway_name: str, dialect: str) -> Expected:
    """What a right receiver does with it. `accepted` is the vendor's weakness, not the receiver's.

    Raises:
        UnknownName: no such tampering, gateway or dialect.
    """
    fake = gateway(gateway_name)
    fake.events(dialect)  # raises for a dialect that it does not speak
    if name not in TAMPERINGS:
        raise UnknownName("tampering", name, TAMPERINGS)
    if name == "several_signatures":
        return "accepted"
    if name == "chunked":
        return "either"  # a server may insist on a length: 411
    if name in _MATTER_OF_PARSER:
        return "refused" if fake.authenticates_body[dialect] else "either"
    if name in _TOUCH_ONLY_THE_BODY:
        return "refused" if fake.authenticates_body[dialect] else "accepted"
    if name in _STALE:
        return "refused" if _signs_the_time(fake, dialect) else "accepted"
    return "refused"


def _signs_the_time(fake: FakeGateway, dialect: str) -> bool:
    first, second = (
        fake.sign(b"{}", dialect=dialect, secret=fake.new_secret("probe"), url="http://127.0.0.1/", now_s=at_s)
        for at_s in (1_000_000_000, 1_000_000_001)
    )
    return first != second


# The leading digit of an amount; else of any number; else any digit (Kiwify's abandoned cart has no number).
_WHERE_A_DIGIT_IS = (
    re.compile(rb'"(?:amount|value|sale_amount|charge_amount|amount_total)"\s*:\s*"?[0-9]'),
    re.compile(rb'":\s*-?[0-9]'),
    re.compile(rb"[0-9]"),
)
_TOKEN = re.compile(r"[0-9A-Za-z_\-]+\Z")
#: Every digit and letter for another one of its kind: a hex digit stays one.
_KINDS = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ")
_OTHERS = str.maketrans("".join(_KINDS), "".join(kind[1:] + kind[:1] for kind in _KINDS))


def _with_body(sent: Webhook, body: bytes) -> Webhook:
    """The genuine headers and address around another body."""
    if body == sent.body:
        raise NothingToTamper("The body looks the same after this tampering.")
    return replace(sent, body=body)


def _edit_items(sent: Webhook, edit: Callable[[str, str], list[str]]) -> Webhook:
    """A header of items (`t=…,v1=…`) rewritten from its time and its first proof."""
    for name, value in sent.headers.items():
        items = dict(item.partition("=")[::2] for item in value.split(","))
        if {"t", "v1"} <= set(items):
            return replace(sent, headers={**sent.headers, name: ",".join(edit(f"t={items['t']}", items["v1"]))})
    raise NothingToTamper("This vendor's signature has no items.")


def _other_hex(digit: bytes) -> bytes:
    return b"0" if digit != b"0" else b"1"


def _edit_signature(sent: Webhook, how: Signing, edit: Callable[[str], str] | None) -> Webhook:
    """The webhook with its signature edited, or without it when `edit` is None.

    The signature is whatever differs when the same body is signed with another secret: a header, a parameter of the
    query, or (nothing differs) the secret itself inside the body.
    """
    forged = how.sign(sent.body, secret=how.other_secret())
    for name, value in sent.headers.items():
        if forged.headers.get(name) != value:
            return _edit_header(sent, name, edit)
    if forged.url != sent.url:
        return _edit_query(sent, forged, edit)
    return _edit_body(sent, how.secret, edit)


def _edit_header(sent: Webhook, name: str, edit: Callable[[str], str] | None) -> Webhook:
    headers = dict(sent.headers)
    if edit is None:
        del headers[name]
    else:
        # Several items with a scheme each (Stripe: t=…,v1=…,v0=…): all but the time are edited.
        items = [item if item.startswith("t=") else _edit_end(item, edit) for item in headers[name].split(",")]
        headers[name] = _changed(headers[name], ",".join(items))
    return replace(sent, headers=headers)


def _edit_query(sent: Webhook, forged: Webhook, edit: Callable[[str], str] | None) -> Webhook:
    ours, theirs = (dict(parse_qsl(urlsplit(one.url).query, keep_blank_values=True)) for one in (sent, forged))
    name = next(key for key, value in ours.items() if theirs.get(key) != value)
    pair = f"{name}={ours[name]}"
    if edit is None:
        url = re.sub(rf"[?&]{re.escape(pair)}", "", sent.url)
    else:
        url = sent.url.replace(pair, f"{name}={edit(ours[name])}")
    return replace(sent, url=_changed(sent.url, url))


def _edit_body(sent: Webhook, secret: str, edit: Callable[[str], str] | None) -> Webhook:
    quoted = re.escape(f'"{secret}"'.encode())
    if edit is None:
        member = re.compile(rb'"\w+"\s*:\s*' + quoted + rb'\s*,\s*|,?\s*"\w+"\s*:\s*' + quoted)
        body = member.sub(b"", sent.body, count=1)
    else:
        body = re.sub(quoted, lambda _: f'"{edit(secret)}"'.encode(), sent.body, count=1)
    if not secret or body == sent.body:
        raise NothingToTamper("No signature and no token was found in this webhook.")
    return replace(sent, body=body)


def _edit_end(item: str, edit: Callable[[str], str]) -> str:
    return _TOKEN.sub(lambda found: edit(found.group()), item)


def _changed(before: str, after: str) -> str:
    if before == after:
        raise NothingToTamper("The signature looks the same after this tampering.")
    return after
