"""Where a partner's name leads is decided once per call, and the connection goes there and nowhere else.

Forms of addresses, redirects, answers that are too large, compressed or slow: ``tests/exchange/test_delivery.py``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from corridor.exchange import delivery
from tests.exchange.nodes import Corridor

PK, CN = "pk.nih", "cn.cdc"
NAME = "node.partner.example"
SQLITE = pytest.mark.parametrize("make_corridor", ["sqlite"], indirect=True)


@pytest.fixture
def stand_in() -> Iterator[tuple[int, list[str]]]:
    """Return the port of a server on loopback, and the Host of each request that reached it."""
    hosts: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hosts.append(self.headers["Host"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], hosts
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that sets what `NAME` resolves to, call after call; it returns the list of names asked for."""

    def answers(*found: str) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            if host != NAME:
                return real(host, port, *args, **options)
            asked.append(host)
            address = found[min(len(asked), len(found)) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in address.split()]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return answers


def _post(url: str) -> delivery.WireReply:
    wire = delivery.HttpWire()
    try:
        return wire.post(CN, url=url, path="/", headers={}, body=b"x")
    finally:
        wire.close()


@SQLITE
def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(
    corridor: Corridor, stand_in: tuple[int, list[str]], resolver: Callable[..., list[str]]
) -> None:
    port, hosts = stand_in
    asked = resolver("127.0.0.1", "169.254.169.254")
    with corridor[PK]:
        reply = _post(f"http://{NAME}:{port}")

    assert (reply.status, hosts, asked) == (200, [f"{NAME}:{port}"], [NAME])


@SQLITE
def test_a_name_is_checked_again_at_each_call(
    corridor: Corridor, stand_in: tuple[int, list[str]], resolver: Callable[..., list[str]]
) -> None:
    port, hosts = stand_in
    resolver("127.0.0.1", "169.254.169.254")
    wire = delivery.HttpWire()
    with corridor[PK]:
        wire.post(CN, url=f"http://{NAME}:{port}", path="/", headers={}, body=b"x")
        with pytest.raises(delivery.AddressRefused):
            wire.post(CN, url=f"http://{NAME}:{port}", path="/", headers={}, body=b"x")
    wire.close()

    assert len(hosts) == 1


@SQLITE
@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.1.2.3", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "198.18.0.1"]
)
def test_a_name_that_leads_inside_is_refused_unless_it_is_allowed_by_name(
    corridor: Corridor, resolver: Callable[..., list[str]], address: str
) -> None:
    resolver(address)
    with corridor[PK]:
        with pytest.raises(delivery.AddressRefused):
            delivery.check_address(f"https://{NAME}")
        with (
            override_settings(CORRIDOR={**settings.CORRIDOR, "partner_hosts": ["another.example"]}),
            pytest.raises(delivery.AddressRefused),
        ):
            delivery.check_address(f"https://{NAME}")


@SQLITE
def test_of_several_addresses_only_one_that_is_global_is_called(
    corridor: Corridor, resolver: Callable[..., list[str]]
) -> None:
    resolver("169.254.169.254 93.184.216.34 10.0.0.1")
    with corridor[PK]:
        assert delivery.check_address(f"https://{NAME}").ip == "93.184.216.34"


@SQLITE
def test_a_node_that_is_not_on_loopback_calls_nobody_there(
    corridor: Corridor, resolver: Callable[..., list[str]]
) -> None:
    from corridor.exchange.models import Node

    resolver("127.0.0.1")
    with corridor[PK]:
        assert delivery.check_address(f"http://{NAME}").ip == "127.0.0.1"
        Node.objects.update(url="https://node.example.org")
        with pytest.raises(delivery.AddressRefused):
            delivery.check_address(f"http://{NAME}")


@SQLITE
def test_proxies_of_the_environment_are_ignored(
    corridor: Corridor, stand_in: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, hosts = stand_in
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with corridor[PK]:
        reply = _post(f"http://127.0.0.1:{port}")

    assert (reply.status, len(hosts)) == (200, 1)
