"""TLS between nodes with real handshakes on loopback: 1.3 alone, both sides known by the keys on their cards."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from corridor.accounts import tokens
from corridor.base.clock import utcnow
from corridor.exchange import delivery, keystore
from corridor.exchange.commands.nodes import node as command
from corridor.exchange.models import Partner
from corridor.exchange.rules import certificates
from corridor.exchange.rules.keys import SigningKey
from tests.exchange.nodes import Corridor, Node
from tests.exchange.test_delivery import _free_ports, _node, served

PK, CN = "pk.nih", "cn.cdc"
pytestmark = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


def issue(node: Node, folder: Path, *, key: SigningKey | None = None) -> tuple[Path, Path]:
    """Return the files of a node's key with certificate, and of its authority."""
    with node:
        issued = certificates.issue(
            key or keystore.own_keys().transport, node_id=node.id, host="127.0.0.1", days=1, now=utcnow()
        )
    whole, authority = folder / f"{node.id}.pem", folder / f"{node.id}.authority.pem"
    whole.write_bytes(issued.whole)
    authority.write_bytes(issued.authority)
    return whole, authority


def as_proxy(certificate: Path, authority: Path, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Return what the proxy of the how-to does: it shows its own certificate and asks for the partner's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(certificate)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextmanager
def calling(corridor: Corridor, certificate: Path | None) -> Iterator[None]:
    """Let Pakistan call China over TLS with `certificate`, and send one figure."""
    with corridor[PK]:
        Partner.objects.filter(node_id=CN).update(url=corridor[CN].url.replace("http:", "https:"))
        settings.CORRIDOR = {**settings.CORRIDOR, "tls_certificate": certificate}
        yield


def send_over(corridor: Corridor, context: ssl.SSLContext, certificate: Path | None) -> delivery.DeliveryReport:
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with served(corridor.first_port, _node(corridor, CN), context=context), calling(corridor, certificate):
        return delivery.deliver_once(now=corridor.now)


def test_a_figure_crosses_where_both_sides_show_certificates_of_their_pinned_keys(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    mine, authority = issue(corridor[PK], tmp_path)
    theirs, _ = issue(corridor[CN], tmp_path)
    report = send_over(corridor, as_proxy(theirs, authority), mine)
    assert (report.accepted, report.failed) == (1, [])
    assert [value for _, value in corridor[CN].effects()] == [7]


def test_a_server_with_a_certificate_of_another_key_is_not_spoken_to(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    mine, authority = issue(corridor[PK], tmp_path)
    other = SigningKey.from_bytes(Ed25519PrivateKey.generate().private_bytes_raw())
    theirs, _ = issue(corridor[CN], tmp_path, key=other)
    assert send_over(corridor, as_proxy(theirs, authority), mine).failed == [CN]
    assert corridor[CN].effects() == []


def test_a_server_that_speaks_an_older_tls_is_not_spoken_to(
    make_corridor: Callable[..., Corridor], tmp_path: Path
) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    mine, authority = issue(corridor[PK], tmp_path)
    theirs, _ = issue(corridor[CN], tmp_path)
    older = as_proxy(theirs, authority, newest=ssl.TLSVersion.TLSv1_2)
    assert send_over(corridor, older, mine).failed == [CN]
    assert corridor[CN].effects() == []


@pytest.mark.parametrize("shown", ["none", "of another key"])
def test_a_caller_without_a_certificate_of_its_pinned_key_is_turned_away(
    make_corridor: Callable[..., Corridor], tmp_path: Path, shown: str
) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    _, authority = issue(corridor[PK], tmp_path)
    theirs, _ = issue(corridor[CN], tmp_path)
    (tmp_path / "other").mkdir()
    other = issue(corridor[PK], tmp_path / "other", key=SigningKey.generate())[0] if shown != "none" else None
    assert send_over(corridor, as_proxy(theirs, authority), other).failed == [CN]
    assert corridor[CN].effects() == []


def test_the_command_writes_key_and_authority_apart_for_their_owner_alone(
    corridor: Corridor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with corridor[PK] as node:
        person = node.person()
        person.must_change_password = False
        person.save()
        monkeypatch.setenv("CORRIDOR_TOKEN", tokens.issue_token(person, name="test", actor=person, now=utcnow()))
        whole, authority = tmp_path / "node.pem", tmp_path / "public.pem"
        result = CliRunner().invoke(command, ["certificate", str(whole), "--authority", str(authority)])
        assert result.exit_code == 0, result.output
        assert whole.stat().st_mode & 0o777 == 0o600
        assert b"PRIVATE KEY" in whole.read_bytes()
        assert b"PRIVATE KEY" not in authority.read_bytes()
        leaf = ssl.PEM_cert_to_DER_cert(_first_certificate(whole.read_text()))
        assert delivery.is_issued_by(leaf, [keystore.own_keys().transport.public], now=utcnow())
        missing = CliRunner().invoke(command, ["certificate", str(tmp_path / "nowhere" / "node.pem")])
        assert "make it, or name another" in str(missing.exception)


def _first_certificate(text: str) -> str:
    start, end = text.index("-----BEGIN CERTIFICATE"), text.index("-----END CERTIFICATE-----")
    return text[start : end + len("-----END CERTIFICATE-----")]
