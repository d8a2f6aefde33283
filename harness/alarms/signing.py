"""SNS's signature on this machine: a key and a certificate of our own, served over HTTP as AWS serves its own."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Signer:
    """An RSA key that lives as long as the run. Needs the package cryptography (`golive[aws]`)."""

    def __init__(self, *, now_s: float) -> None:
        from cryptography import x509  # noqa: PLC0415 -- an extra
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 -- the same
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 -- the same

        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
        today = datetime.fromtimestamp(now_s, UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=1))
            .not_valid_after(today + timedelta(days=365))  # time travel goes forward, by weeks
            .sign(self._key, hashes.SHA256())
        )
        self.certificate_pem = made.public_bytes(serialization.Encoding.PEM)

    def sign(self, text: bytes) -> str:
        """SHA256withRSA, PKCS#1 v1.5, Base64: SignatureVersion 2 (facts/aws_pagerduty.md, 3.7)."""
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 -- an extra
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 -- the same

        return base64.b64encode(self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode("ascii")


@contextmanager
def certificate_desk(pem: Callable[[], bytes]) -> Iterator[str]:
    """Serve a certificate; gives the base URL, under which any path that ends in .pem is it."""

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pem() if self.path.endswith(".pem") else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
