"""Certificates for TLS between nodes: issued by the transport key that partners have pinned, by no other authority.

The transport key itself never leaves the key store. It issues two certificates: one for itself as an authority, which
partners' proxies are told to accept, and one for a key of its own that the process or proxy uses which speaks TLS.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from corridor.exchange.rules.keys import SigningKey

_SKEW = timedelta(hours=1)
"""Clocks differ; a certificate is valid from a little before it was made."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What was issued, in PEM.

    Attributes
    ----------
    key, certificate, authority : bytes
        The private key of TLS, its certificate, and the certificate of the transport key that issued it.
    """

    key: bytes
    certificate: bytes
    authority: bytes

    @property
    def whole(self) -> bytes:
        """Key and both certificates, as the setting ``tls_certificate`` and proxies take them."""
        return self.key + self.certificate + self.authority


def issue(transport: SigningKey, *, node_id: str, host: str, days: int, now: datetime) -> Issued:
    """Return a new key of TLS with its certificate, issued by a node's transport key.

    Parameters
    ----------
    transport : SigningKey
    node_id : str
        Stands as common name.
    host : str
        Name or IP address of the node's url.
    days : int
        How long it is valid; after that, or after the transport key was rotated, issue another.
    now : datetime, aware
    """
    issuer = Ed25519PrivateKey.from_private_bytes(transport.private_bytes())
    authority_name = _name(f"{node_id} transport key")
    leaf = Ed25519PrivateKey.generate()
    until = now + timedelta(days=days)
    authority = (
        _begin(authority_name, authority_name, issuer.public_key(), now=now, until=until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(issuer, None)
    )
    certificate = (
        _begin(_name(node_id), authority_name, leaf.public_key(), now=now, until=until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(issuer, None)
    )
    return Issued(
        key=leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate=certificate.public_bytes(Encoding.PEM),
        authority=authority.public_bytes(Encoding.PEM),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _begin(
    subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey, *, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(until)
    )
