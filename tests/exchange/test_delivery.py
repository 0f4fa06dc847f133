"""Delivery over real sockets: to a node behind HTTP, and to stand-ins that misbehave."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from corridor.exchange import delivery
from corridor.exchange.delivery import wires
from corridor.exchange.models import Partner
from tests.exchange.nodes import Corridor

PK, CN = "pk.nih", "cn.cdc"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


def _free_ports(number: int) -> int:
    """Return the first of `number` ports in a row that are free."""
    for first in range(21_000 + os.getpid() % 1_000, 60_000, 17):
        held: list[socket.socket] = []
        try:
            held.extend(socket.create_server(("127.0.0.1", port)) for port in range(first, first + number))
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
        return first
    raise RuntimeError("no free ports")


@contextmanager
def served(
    port: int, answer: Callable[[BaseHTTPRequestHandler, bytes], None], *, context: ssl.SSLContext | None = None
) -> Iterator[None]:
    """Answer POSTs on `port` as `answer` does, over TLS where a `context` is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of a handshake that failed, as it should."""

    server = Server(("127.0.0.1", port), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _node(corridor: Corridor, node_id: str) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    node = corridor[node_id]
    node.wrapper.inc_thread_sharing()

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        reply = corridor.wire.take(node, dict(handler.headers), body, path=handler.path)
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    return answer


def _reply(
    body: bytes = b"{}", *, status: int = 200, seconds: float = 0, **headers: str
) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 65_536):
            time.sleep(seconds)
            handler.wfile.write(body[start : start + 65_536])

    return answer


@SQLITE
def test_a_figure_crosses_over_http(make_corridor: Callable[..., Corridor]) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with served(corridor.first_port, _node(corridor, CN)), corridor[PK]:
        report = delivery.deliver_once(now=corridor.now)
    assert (report.accepted, report.failed) == (1, [])
    assert [value for _, value in corridor[CN].effects()] == [7]


@SQLITE
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_reply(b"{}"), "without a signature"),
        (_reply(b"x" * (4 * 1024 * 1024 + 1)), "more than 4194304 bytes"),
        (_reply(b"", status=302, Location="http://127.0.0.1:1/"), "redirect"),
        (_reply(gzip.compress(b"x" * 1_000_000), Content_Encoding="gzip"), "without a signature"),
    ],
    ids=["unsigned", "too large", "redirect", "compressed"],
)
def test_a_stand_in_that_misbehaves_is_left_alone_and_nothing_is_lost(
    make_corridor: Callable[..., Corridor], answer: Callable[[BaseHTTPRequestHandler, bytes], None], said: str
) -> None:
    corridor = make_corridor(first_port=_free_ports(2))
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with served(corridor.first_port, answer), corridor[PK]:
        report = delivery.deliver_once(now=corridor.now)
    assert report.failed == [CN]
    with corridor[PK]:
        assert said in Partner.objects.get().last_failure
    assert corridor[PK].waiting() == 1


@SQLITE
def test_an_answer_that_trickles_is_cut_off(
    make_corridor: Callable[..., Corridor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "TIMEOUT_SECONDS", 0.5)
    corridor = make_corridor(first_port=_free_ports(2))
    agreement = corridor.sign()
    corridor[PK].send(7, to=CN, agreement=agreement)
    with served(corridor.first_port, _reply(b"x" * 2_000_000, seconds=0.2)), corridor[PK]:
        report = delivery.deliver_once(now=corridor.now)
    assert report.failed == [CN]


@SQLITE
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://[::ffff:10.0.0.1]",
        "http://93.184.216.34",
        "https://user:secret@93.184.216.34",
        "ftp://93.184.216.34",
        "https://93.184.216.34/?q=1",
        "https://93.184.216.34:99999",
    ],
)
def test_an_address_where_no_partner_belongs_is_refused(corridor: Corridor, url: str) -> None:
    with corridor[PK], pytest.raises(delivery.AddressRefused):
        delivery.check_address(url)


@SQLITE
def test_a_global_address_is_called_over_https_only(corridor: Corridor) -> None:
    with corridor[PK]:
        assert delivery.check_address("https://93.184.216.34:8443").ip == "93.184.216.34"


def test_the_wait_after_failures_doubles_up_to_an_hour_with_jitter() -> None:
    assert delivery.wait_after(0, draw=lambda: 1.0) == timedelta(seconds=2)
    assert delivery.wait_after(3, draw=lambda: 1.0) == timedelta(seconds=16)
    assert delivery.wait_after(3, draw=lambda: 0.0) == timedelta(seconds=8)
    assert delivery.wait_after(50, draw=lambda: 1.0) == timedelta(hours=1)


def test_a_certificate_counts_only_if_the_pinned_key_issued_it_and_it_is_valid() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    issuer, leaf = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cn.cdc")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(leaf.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(issuer, None)
        .public_bytes(Encoding.DER)
    )
    pinned = issuer.public_key().public_bytes_raw()
    assert delivery.is_issued_by(certificate, [pinned], now=now)
    assert not delivery.is_issued_by(certificate, [leaf.public_key().public_bytes_raw()], now=now)
    assert not delivery.is_issued_by(certificate, [pinned], now=now + timedelta(days=2))
