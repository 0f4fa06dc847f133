"""TLS 1.3 with a partner that is known by the transport key on its card, whatever a certificate says beside it."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpcore
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from corridor.base.clock import utcnow
from corridor.exchange.delivery.addresses import Address, AddressRefused


def tls_context() -> ssl.SSLContext:
    """Return a context for TLS 1.3 alone; trust comes from the pinned key, which `PinnedBackend` checks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    certificate = settings.CORRIDOR.get("tls_certificate")
    if certificate:
        context.load_cert_chain(str(certificate))
    return context


class PinnedBackend(httpcore.SyncBackend):
    """Connects to the address that was resolved and checked, and lets TLS pass only under the partner's pinned key."""

    def __init__(self, address: Address, transport_keys: Iterable[bytes]) -> None:
        super().__init__()
        self._address = address
        self._keys = tuple(transport_keys)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the checked address, whatever the name resolves to by now."""
        if (host, port) != (self._address.host, self._address.port):
            raise AddressRefused(f"a connection to {host} was asked for in place of {self._address.host}")
        stream = super().connect_tcp(self._address.ip, port, timeout, local_address, socket_options)
        return _PinnedStream(stream, self._keys)


class _PinnedStream(httpcore.NetworkStream):
    """A stream whose TLS handshake counts only if the certificate was issued by the partner's transport key."""

    def __init__(self, stream: httpcore.NetworkStream, keys: tuple[bytes, ...]) -> None:
        self._stream = stream
        self._keys = keys

    def start_tls(self, ssl_context: ssl.SSLContext, *args: Any, **options: Any) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, *args, **options)
        socket_ = secured.get_extra_info("ssl_object")
        certificate = socket_.getpeercert(True) if socket_ is not None else None
        if not certificate or not is_issued_by(certificate, self._keys, now=utcnow()):
            secured.close()
            raise httpcore.ConnectError("the certificate was not issued by the key on the partner's card")
        return secured

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def is_issued_by(certificate: bytes, keys: Iterable[bytes], *, now: datetime) -> bool:
    """Return whether an X.509 certificate (DER) is valid at `now` and signed by one of the Ed25519 `keys`."""
    parsed = x509.load_der_x509_certificate(certificate)
    if not parsed.not_valid_before_utc <= now <= parsed.not_valid_after_utc:
        return False
    for public in keys:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(parsed.signature, parsed.tbs_certificate_bytes)
        except InvalidSignature:
            continue
        return True
    return False
