"""Passes over the partners: what is due goes in rounds, and a partner that fails is left alone for a while.

One thread per partner, so that a slow one delays nobody else. The wait doubles, with jitter, up to an hour; as soon as
the partner answers, or calls here, everything that waits for it goes, without new traffic.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import connections
from django.db.utils import DatabaseError

from corridor.base.clock import utcnow
from corridor.base.errors import CorridorError
from corridor.exchange import queries
from corridor.exchange.delivery.addresses import AddressRefused, PartnerUnreachable
from corridor.exchange.delivery.wires import TIMEOUT_SECONDS, HttpWire, Wire
from corridor.exchange.rules import http_signature
from corridor.exchange.services import log, partners, restore, rounds

ROUND_PATH = "/exchange/v1/envelopes"
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(hours=1)
SWAP_EVERY = timedelta(hours=1)
_IDLE_SECONDS = 0.5
_MAX_ROUNDS = 1_000
_log = logging.getLogger(__name__)


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
