"""What carries a round to a partner and its answer back: HTTP, over TLS wherever the partner is not on this machine."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpcore
import httpx

from corridor.exchange.delivery.addresses import Address, PartnerUnreachable, check_address
from corridor.exchange.delivery.pinning import PinnedBackend, tls_context
from corridor.exchange.services import partners

MAX_REPLY_BYTES = 4 * 1024 * 1024
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WireReply:
    """What came back over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire(Protocol):
    """What carries a request to a partner; tests put another one in the place of HTTP."""

    def post(self, partner: str, *, url: str, path: str, headers: Mapping[str, str], body: bytes) -> WireReply:
        """Return the partner's reply.

        Raises
        ------
        PartnerUnreachable, AddressRefused
        """


class HttpWire:
    """Carries rounds over HTTP, and over TLS 1.3 with pinned keys wherever the partner is not on this machine."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.Client] = {}

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def post(self, partner: str, *, url: str, path: str, headers: Mapping[str, str], body: bytes) -> WireReply:
        """Return the partner's reply, of at most 4 MiB, within ten seconds in all.

        Raises
        ------
        AddressRefused
            If the address has user info, another scheme, or leads to where no partner is allowed to be.
        PartnerUnreachable
            If it does not answer in time and form.
        """
        address = check_address(url)
        client = self._client(partner, address)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            with client.stream(
                "POST", f"{address.scheme}://{address.netloc}{path}", content=body, headers=dict(headers)
            ) as reply:
                if reply.is_redirect:
                    raise PartnerUnreachable(f"{partner} answered with a redirect; redirects are not followed")
                return WireReply(reply.status_code, dict(reply.headers), _read(reply.iter_raw(), deadline, partner))
        except (httpx.HTTPError, httpcore.NetworkError, ssl.SSLError, OSError) as fault:
            self._drop(partner)
            raise PartnerUnreachable(
                f"{partner} at {address.netloc} cannot be reached: {type(fault).__name__}"
            ) from None

    def _client(self, partner: str, address: Address) -> httpx.Client:
        key = f"{partner} {address.scheme} {address.netloc}"
        if key not in self._clients:
            self._drop(partner)
            transport = httpx.HTTPTransport(verify=tls_context() if address.scheme == "https" else True, retries=0)
            backend = PinnedBackend(address, partners.transport_public_keys(partner))
            # httpx offers no other way to connect to an address that was resolved and checked before.
            transport._pool._network_backend = backend
            self._clients[key] = httpx.Client(
                transport=transport, timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
            )
        return self._clients[key]

    def _drop(self, partner: str) -> None:
        for key in [key for key in self._clients if key.startswith(f"{partner} ")]:
            self._clients.pop(key).close()


def _read(chunks: Iterable[bytes], deadline: float, partner: str) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise PartnerUnreachable(f"{partner} answered more than {MAX_REPLY_BYTES} bytes")
        if time.monotonic() > deadline:
            raise PartnerUnreachable(f"{partner} did not finish its answer in {TIMEOUT_SECONDS:.0f} s")
    return bytes(body)
