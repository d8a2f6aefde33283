"""SNS signatures: genuine ones are accepted, each way of being wrong is refused with its own reason."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from simulators.pagerduty.fetch import FetchFailed
from simulators.pagerduty.signature import MAX_CERTIFICATES, BadSignature, Certificates, NoCertificate
from simulators.pagerduty.sns import Envelope, envelope
from tests.rows import each_row

NOW_S = 1_800_000_000.0
CERT_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"
KEY, CA_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def certificate(issuer: str = "ca", signer: rsa.RSAPrivateKey = CA_KEY, key: Any = KEY, begin_day: int = -1) -> bytes:
    begin = datetime.fromtimestamp(NOW_S, tz=UTC) + timedelta(days=begin_day)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca" if key is CA_KEY else "sns")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=10))
        .sign(signer, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


CA, LEAF = certificate(key=CA_KEY), certificate()


def signed(version: str = "2", **changes: Any) -> dict[str, Any]:
    """A Notification as SNS signs it: the string is written out by hand, from the vendor's guide (facts, 3.6)."""
    told = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Subject": "Ação",
        "Message": 'Hello\n"world"',
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": version,
        "SigningCertURL": CERT_URL,
        **changes,
    }
    subject = f"Subject\n{told['Subject']}\n" if told.get("Subject") is not None else ""
    text = (
        f"Message\n{told['Message']}\nMessageId\n{told['MessageId']}\n{subject}Timestamp\n{told['Timestamp']}\n"
        f"TopicArn\n{told['TopicArn']}\nType\nNotification\n"
    )
    return sign({name: value for name, value in told.items() if value is not None}, text)


def sign(told: dict[str, Any], text: str) -> dict[str, Any]:
    digest = hashes.SHA1() if told["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 -- SNS's version 1
    told["Signature"] = base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    return told


class Server:
    """Serves certificates, and remembers what was asked of it."""

    def __init__(self, answer: Callable[[], tuple[int, bytes]] = lambda: (200, LEAF)) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answer = answer

    async def get(self, url: str, host: str) -> tuple[int, bytes]:
        self.asked.append((url, host))
        return self._answer()


def message(told: dict[str, Any]) -> Envelope:
    return envelope(json.dumps(told).encode())


def verify(told: dict[str, Any], server: Server | None = None, now_s: float = NOW_S, **options: Any) -> None:
    asyncio.run(Certificates((server or Server()).get, **options).verify(message(told), now_s=now_s))


@each_row("version", ["1", "2"])
@each_row("changes", [{}, {"Subject": None}, {"Message": ""}])
def test_a_genuine_notification_passes(version: str, changes: dict[str, Any]) -> None:
    """Both versions; without a Subject there is no line of it; attributes are not signed."""
    verify({**signed(version, **changes), "MessageAttributes": {"a": {"Type": "String", "Value": "b"}}}, ca_pem=CA)


def test_a_genuine_confirmation_passes() -> None:
    """It signs other members than a notification."""
    told = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "1",
        "Token": "tok",
        "TopicArn": "arn",
        "Message": "You have chosen",
        "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=tok",
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERT_URL,
    }
    text = (
        f"Message\nYou have chosen\nMessageId\n1\nSubscribeURL\n{told['SubscribeURL']}\n"
        "Timestamp\n2012-05-02T00:54:06.655Z\nToken\ntok\nTopicArn\narn\nType\nSubscriptionConfirmation\n"
    )
    verify(sign(told, text))
    with pytest.raises(BadSignature, match="does not match"):
        verify({**sign(told, text), "SubscribeURL": "https://evil.example/?Action=ConfirmSubscription"})


@each_row("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"])
def test_a_changed_member_is_noticed(name: str) -> None:
    """Every signed one, changed or taken away."""
    told = signed()
    with pytest.raises(BadSignature, match="does not match"):
        verify({**told, name: told[name] + "."})
    told.pop(name)
    with pytest.raises(BadSignature, match="does not match"):
        verify(told)


@each_row(
    ("changes", "reason"),
    [
        ({"SignatureVersion": "3"}, "neither 1 nor 2"),
        ({"SignatureVersion": "1"}, "does not match"),
        ({"Signature": "FAKE"}, "does not match"),
        ({"Signature": "not base64!"}, "not Base64"),
        ({"Signature": "A" * 5000}, "not Base64"),
        ({"Signature": ""}, "does not match"),
        ({"SigningCertURL": CERT_URL.replace("https", "http")}, "not one of SNS"),
        ({"SigningCertURL": CERT_URL.replace("amazonaws.com", "amazonaws.com.evil.example")}, "not one of SNS"),
        ({"SigningCertURL": CERT_URL.replace("sns.us-east-1", "s3.us-east-1")}, "not one of SNS"),
        ({"SigningCertURL": CERT_URL.replace("sns.", "x@sns.")}, "not one of SNS"),
        ({"SigningCertURL": CERT_URL.replace(".com/", ".com:8443/")}, "not one of SNS"),
        ({"SigningCertURL": CERT_URL.replace(".pem", ".txt")}, "not one of SNS"),
        ({"SigningCertURL": ""}, "not one of SNS"),
    ],
)
def test_each_way_of_being_wrong_has_its_reason(changes: dict[str, str], reason: str) -> None:
    server = Server()
    with pytest.raises(BadSignature, match=reason):
        verify({**signed(), **changes}, server)
    assert not server.asked or reason == "does not match"


@each_row(
    ("pem", "options", "now_s", "reason"),
    [
        (certificate(begin_day=1), {}, NOW_S, "not valid today"),
        (LEAF, {}, NOW_S + 20 * 86_400, "not valid today"),
        (certificate(signer=KEY), {"ca_pem": CA}, NOW_S, "not issued by the CA"),
        (certificate(issuer="another"), {"ca_pem": CA}, NOW_S, "not issued by the CA"),
        (certificate(key=ec.generate_private_key(ec.SECP256R1())), {}, NOW_S, "not RSA"),
        (b"<html>", {}, NOW_S, "no certificate"),
    ],
)
def test_a_wrong_certificate_is_refused(pem: bytes, options: dict[str, Any], now_s: float, reason: str) -> None:
    with pytest.raises(BadSignature, match=reason):
        verify(signed(), Server(lambda: (200, pem)), now_s, **options)


def test_a_certificate_that_does_not_come_is_no_forgery() -> None:
    """The sender may try again: it is not told that its signature is wrong."""

    def fail() -> tuple[int, bytes]:
        raise FetchFailed("the GET failed: OSError")

    with pytest.raises(NoCertificate, match="OSError"):
        verify(signed(), Server(fail))
    with pytest.raises(NoCertificate, match="answers 404"):
        verify(signed(), Server(lambda: (404, b"")))


def test_a_certificate_is_fetched_once() -> None:
    """By URL; the last few are kept."""

    async def run() -> int:
        server = Server()
        known = Certificates(server.get)
        for number in (*range(MAX_CERTIFICATES + 1), MAX_CERTIFICATES, 0):
            url = CERT_URL.replace("-0", f"-{number}")
            await known.verify(message(signed(SigningCertURL=url)), now_s=NOW_S)
        return len(server.asked)

    assert asyncio.run(run()) == MAX_CERTIFICATES + 2


def test_a_local_signer_serves_its_own() -> None:
    """AWS's name is asked of it as Host; its own URLs are taken too, nobody else's."""
    server = Server()
    verify(signed(), server, cert_at="http://127.0.0.1:9")
    verify(signed(SigningCertURL="http://127.0.0.1:9/own.pem"), server, cert_at="http://127.0.0.1:9")
    assert server.asked == [
        ("http://127.0.0.1:9/SimpleNotificationService-0.pem", "sns.us-east-1.amazonaws.com"),
        ("http://127.0.0.1:9/own.pem", ""),
    ]
    with pytest.raises(BadSignature, match="not one of SNS"):
        verify(signed(SigningCertURL="http://127.0.0.1:8/own.pem"), server, cert_at="http://127.0.0.1:9")
