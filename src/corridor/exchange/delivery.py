"""Deliver what waits to partners: the only room of the house that opens a connection.

One thread per partner, so that a slow one delays nobody else. A partner that fails is left alone for a while that
doubles, with jitter, up to an hour; as soon as it answers, or calls here, everything that waits for it goes, without
new traffic.
"""

from __future__ import annotations

import ipaddress
import logging
import random
import socket  # noqa: TID251  # this is the room that connects: resolve once, connect there
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpcore
import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import connections
from django.db.utils import DatabaseError

from corridor.base.clock import utcnow
from corridor.base.errors import CorridorError, Refused, Unreachable
from corridor.exchange import queries
from corridor.exchange.rules import http_signature
from corridor.exchange.services import log, partners, restore, rounds

ROUND_PATH = "/exchange/v1/envelopes"
MAX_REPLY_BYTES = 4 * 1024 * 1024
TIMEOUT_SECONDS = 10.0
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(hours=1)
SWAP_EVERY = timedelta(hours=1)
_IDLE_SECONDS = 0.5
_MAX_ROUNDS = 1_000
_log = logging.getLogger(__name__)


class AddressRefused(Refused):
    """A partner's address may not be called: its form, or where it leads."""

    code = "address-refused"


class PartnerUnreachable(Unreachable):
    """A partner did not answer, or not as a node does."""

    code = "partner-unreachable"


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


@dataclass(slots=True)
class DeliveryReport:
    """What one pass over the partners did."""

    rounds: int = 0
    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    failed: list[str] = field(default_factory=list)

    def __add__(self, other: DeliveryReport) -> DeliveryReport:
        return DeliveryReport(
            self.rounds + other.rounds,
            self.accepted + other.accepted,
            self.refused + other.refused,
            self.deferred + other.deferred,
            self.failed + other.failed,
        )


def wait_after(failures: int, *, draw: Callable[[], float] = random.random) -> timedelta:
    """Return how long a partner is left alone after so many failures: doubling, at most an hour, half of it jitter."""
    whole = min(FIRST_WAIT * 2 ** min(failures, 20), LONGEST_WAIT)
    seconds = whole.total_seconds() / 2
    return timedelta(seconds=seconds + seconds * draw())


def deliver_once(*, now: datetime, wire: Wire | None = None) -> DeliveryReport:
    """Make one pass over all partners, one after the other, and return what it did.

    Parameters
    ----------
    now : datetime, aware
    wire : Wire, optional
        By default HTTP.
    """
    report = DeliveryReport()
    if queries.own_node() is None:
        return report
    with _wire_or_http(wire) as carrier:
        for node_id in partners.callable_now(now=now):
            report += deliver_to(node_id, now=now, wire=carrier)
    return report


def deliver_to(
    node_id: str, *, now: datetime, wire: Wire, clock: Callable[[], datetime] | None = None
) -> DeliveryReport:
    """Deliver everything due to one partner, batch after batch, until nothing is left or the partner fails."""
    report = DeliveryReport()
    tell = clock or (lambda: now)
    try:
        _greet_if_needed(node_id, now=tell(), wire=wire)
        for _ in range(_MAX_ROUNDS):
            prepared = rounds.prepare(
                node_id, is_swap_due=partners.is_swap_due(node_id, every=SWAP_EVERY, now=tell()), now=tell()
            )
            if prepared is None:
                break
            report += _carry(prepared, now=tell(), wire=wire)
            if report.failed:
                break
    except (PartnerUnreachable, AddressRefused) as fault:
        _leave_alone(node_id, claim=None, fault=fault, now=tell())
        report.failed.append(node_id)
    except log.NotSigning as fault:
        _log.warning("nothing is delivered: %s", fault)
        report.failed.append(node_id)
    return report


def _greet_if_needed(node_id: str, *, now: datetime, wire: Wire) -> None:
    if partners.is_confirmed(node_id):
        return
    answered, _ = _ask(node_id, rounds.hello(), now=now, wire=wire)
    rounds.greet(node_id, answered, now=now)


def _carry(prepared: rounds.Prepared, *, now: datetime, wire: Wire) -> DeliveryReport:
    node_id = prepared.to_node
    try:
        answered, offset = _ask(node_id, prepared.round, now=now, wire=wire)
        settled = rounds.conclude(prepared, answered, now=now, clock_offset_seconds=offset)
    except (PartnerUnreachable, AddressRefused, rounds.MalformedRound) as fault:
        _leave_alone(node_id, claim=prepared.claim, fault=fault, now=now)
        return DeliveryReport(rounds=1, failed=[node_id])
    return DeliveryReport(1, settled.accepted, settled.refused, settled.deferred)


def _leave_alone(node_id: str, *, claim: Any, fault: CorridorError, now: datetime) -> None:
    wait = wait_after(partners.failures(node_id))
    rounds.failed(node_id, claim=claim, error=str(fault), wait_until_at=now + wait, now=now)


def _ask(node_id: str, brought: rounds.Round, *, now: datetime, wire: Wire) -> tuple[rounds.Answer, float]:
    """Return the partner's verified answer to a round, and how far its clock is off in seconds."""
    url, body = partners.url_of(node_id), brought.to_bytes()
    headers = http_signature.sign_request(
        method="POST",
        authority=urlsplit(url).netloc,
        path=ROUND_PATH,
        body=body,
        key=partners.speaking_key(node_id),
        nonce=brought.nonce,
        created_at=now,
    )
    sent = {**headers, "Content-Type": "application/json"}
    reply = wire.post(node_id, url=url, path=ROUND_PATH, headers=sent, body=body)
    try:
        signed = http_signature.verify_reply(
            reply.headers,
            status=reply.status,
            body=reply.body,
            request_headers=headers,
            keys=partners.transport_keys(node_id),
        )
    except CorridorError as fault:
        raise PartnerUnreachable(
            f"{node_id} answered {reply.status} without a signature that counts ({fault.code}); is this its address?"
        ) from None
    if reply.status != 200:
        raise PartnerUnreachable(f"{node_id} answered {reply.status}: {reply.body[:200].decode(errors='replace')}")
    try:
        return rounds.Answer.from_bytes(reply.body), (signed.created_at - now).total_seconds()
    except rounds.MalformedRound as fault:
        raise PartnerUnreachable(f"{node_id} answered what is no round: {fault}") from None


class _wire_or_http:  # noqa: N801  # used as a statement
    """Use the wire that was given, or open an HTTP one for as long as it is needed."""

    def __init__(self, wire: Wire | None) -> None:
        self._own = None if wire is not None else HttpWire()
        self._wire: Wire = wire if wire is not None else self._own  # type: ignore[assignment]  # one of the two is set

    def __enter__(self) -> Wire:
        return self._wire

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()


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


@dataclass(frozen=True, slots=True)
class Address:
    """Where a partner is called: as its card says, and the one IP address that this was resolved to."""

    scheme: str
    netloc: str
    host: str
    port: int
    ip: str


def check_address(url: str) -> Address:
    """Return where `url` leads, resolved once; the connection then goes to that very address.

    Raises
    ------
    AddressRefused
        If it has user info, a path, another scheme than https (http on loopback), or leads to an address that is not
        global and not allowed by name.
    PartnerUnreachable
        If the name does not resolve.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise AddressRefused(f"{url!r} has no port that could be called") from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password or parts.query:
        raise AddressRefused(f"{url!r} is no address of a node; expected https://host or https://host:port")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise PartnerUnreachable(f"the name {host} does not resolve") from None
    allowed = [info[4][0] for info in found if _may_call(str(info[4][0]), host, scheme=parts.scheme)]
    if not allowed:
        raise AddressRefused(
            f"{host} leads to {found[0][4][0]}, which no partner is called at. An address inside this network is "
            "allowed by its host name in settings.toml: partner_hosts = [...]."
        )
    return Address(parts.scheme, parts.netloc, host, port, str(allowed[0]))


def _may_call(ip: str, host: str, *, scheme: str) -> bool:
    address = ipaddress.ip_address(ip.partition("%")[0])
    named = host in tuple(settings.CORRIDOR.get("partner_hosts") or ())
    if address.is_loopback:
        return named or _is_on_loopback()
    if scheme != "https":
        return False
    return named or (address.is_global and not address.is_multicast)


def _is_on_loopback() -> bool:
    """Return whether this node is itself called on loopback; it may then call its neighbours there."""
    node = queries.own_node()
    host = urlsplit(node.url).hostname or "" if node else ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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


def main(stop: threading.Event) -> None:
    """Deliver until `stop` is set: one thread per partner, started as partners are pinned."""
    restore.start(now=utcnow())
    threads: dict[str, threading.Thread] = {}
    while not stop.is_set():
        try:
            pinned = partners.pinned_ids()
        except DatabaseError as fault:
            _log.warning("the database does not answer: %s", type(fault).__name__)
            pinned = []
        for node_id in pinned:
            if node_id not in threads or not threads[node_id].is_alive():
                threads[node_id] = threading.Thread(
                    target=_serve, args=(node_id, stop), name=f"deliver {node_id}", daemon=True
                )
                threads[node_id].start()
        stop.wait(2.0)
    for thread in threads.values():
        thread.join(TIMEOUT_SECONDS + 1)


def _serve(node_id: str, stop: threading.Event) -> None:
    wire = HttpWire()
    try:
        while not stop.is_set():
            try:
                now = utcnow()
                if node_id in partners.callable_now(now=now):
                    deliver_to(node_id, now=now, wire=wire, clock=utcnow)
            except (DatabaseError, CorridorError) as fault:
                _log.warning("delivery to %s: %s", node_id, type(fault).__name__)
                connections.close_all()
                stop.wait(5.0)
            stop.wait(_IDLE_SECONDS)
    finally:
        wire.close()
        connections.close_all()
