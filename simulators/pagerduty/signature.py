"""Whether SNS signed a message: the rule for the certificate's URL, the certificate itself, the RSA signature.

Source: /work/shared/facts/aws_pagerduty.md, 3.6 to 3.8. RSA PKCS#1 v1.5 over `Envelope.string_to_sign()`, Base64;
SignatureVersion 1 is SHA-1, 2 is SHA-256. Needs the package cryptography, and imports it only when it verifies.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from simulators.pagerduty.fetch import FetchFailed
from simulators.pagerduty.sns import Envelope, split_url

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: AWS's own validator tests exactly this (3.8).
_AWS_HOST = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?").fullmatch
_MAX_SIGNATURE = 4096
MAX_CERTIFICATES = 16

Get = Callable[[str, str], Awaitable[tuple[int, bytes]]]
"""URL and Host header (empty: the URL's) -> HTTP status and body; raises FetchFailed."""


class BadSignature(Exception):
    """Not signed by SNS; the message says what is wrong, and quotes nothing."""


class NoCertificate(Exception):
    """Whether it was signed cannot be said: the certificate could not be fetched."""


class Certificates:
    """Signing certificates by URL: fetched once, the last `MAX_CERTIFICATES` kept."""

    def __init__(self, get: Get, *, cert_at: str = "", ca_pem: bytes | None = None) -> None:
        self._get, self._at, self._ca_pem = get, cert_at, ca_pem
        self._known: OrderedDict[str, Certificate] = OrderedDict()

    async def verify(self, message: Envelope, *, now_s: float) -> None:
        """Return if SNS signed the message.

        Raises:
            BadSignature: it did not.
            NoCertificate: the certificate could not be fetched; the sender may try again.
        """
        algorithm = _algorithm(message.get("SignatureVersion"))
        signature = _decode(message.get("Signature"))
        certificate = await self._certificate(message.get("SigningCertURL"))
        self._check(certificate, now_s)
        _verify(certificate, signature, message.string_to_sign(), algorithm)

    async def _certificate(self, url: str) -> Certificate:
        from cryptography import x509  # noqa: PLC0415 -- only who verifies needs it

        where, host = self._place(url)
        known = self._known.get(url)
        if known is not None:
            self._known.move_to_end(url)
            return known
        try:
            status, pem = await self._get(where, host)
        except FetchFailed as error:
            raise NoCertificate(str(error)) from None
        if status != 200:
            reason = f"the certificate's URL answers {status}"
            raise NoCertificate(reason)
        try:
            found = x509.load_pem_x509_certificate(pem)
        except ValueError:
            reason = "what the certificate's URL serves is no certificate"
            raise BadSignature(reason) from None
        self._known[url] = found
        if len(self._known) > MAX_CERTIFICATES:
            self._known.popitem(last=False)
        return found

    def _place(self, url: str) -> tuple[str, str]:
        """Where the certificate is fetched, and under which Host.

        Raises:
            BadSignature: the URL is neither AWS's nor below `cert_at`.
        """
        asked = split_url(url)
        if asked is not None and asked.path.endswith(".pem"):
            base = urlsplit(self._at)
            if self._at and (asked.scheme, asked.netloc) == (base.scheme, base.netloc):
                return url, ""
            if asked.scheme == "https" and asked.port is None and _AWS_HOST(asked.hostname or ""):
                here = urlunsplit((base.scheme, base.netloc, asked.path, "", "")) if self._at else url
                return here, asked.netloc
        reason = "SigningCertURL is not one of SNS"
        raise BadSignature(reason)

    def _check(self, certificate: Certificate, now_s: float) -> None:
        """Its dates, and who issued it if that was asked for."""
        from cryptography import x509  # noqa: PLC0415 -- only who verifies needs it
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- the same

        now = datetime.fromtimestamp(now_s, tz=UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            reason = "the certificate is not valid today"
            raise BadSignature(reason)
        if self._ca_pem is None:
            return
        try:
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(self._ca_pem))
        except (ValueError, TypeError, InvalidSignature):
            reason = "the certificate was not issued by the CA"
            raise BadSignature(reason) from None


def _algorithm(version: str) -> str:
    found = {"1": "SHA1", "2": "SHA256"}.get(version)
    if found is None:
        reason = "SignatureVersion is neither 1 nor 2"
        raise BadSignature(reason)
    return found


def _decode(signature: str) -> bytes:
    if len(signature) <= _MAX_SIGNATURE:
        try:
            return base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            pass
    reason = "Signature is not Base64"
    raise BadSignature(reason)


def _verify(certificate: Certificate, signature: bytes, signed: bytes, algorithm: str) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- only who verifies needs it
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 -- the same
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 -- the same

    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        reason = "the certificate's key is not RSA"
        raise BadSignature(reason)
    digest = hashes.SHA256() if algorithm == "SHA256" else hashes.SHA1()  # noqa: S303 -- SNS's version 1
    try:
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    except InvalidSignature:
        reason = "the signature does not match"
        raise BadSignature(reason) from None
