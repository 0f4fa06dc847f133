"""Receive a partner's envelopes: verified first, then inbox, leaf, effect and receipt in one transaction."""

from __future__ import annotations

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Literal

from django.db import IntegrityError, transaction
from django.db.utils import DatabaseError

from corridor.accounts.actors import Peer
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, UserFault
from corridor.exchange import keystore, registry
from corridor.exchange.messages import MalformedMessage, Message
from corridor.exchange.models import Crossing, LogTree
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.rules.envelope import Header, Unpacked, check_ciphertext, unpack
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.rules.sealing import open_sealed
from corridor.exchange.services import bodies, inbound, log
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.gatekeeping import Gatekeeper, Ruling
from corridor.exchange.services.inbound import Inbound
from corridor.exchange.services.partners import lock_partner, transport_keys
from corridor.exchange.services.unauthenticated import count_unauthenticated

MAX_BATCH = 100
_log = logging.getLogger(__name__)


class BatchTooLarge(UserFault):
    """More envelopes came in one request than are taken."""

    code = "batch-too-large"


@dataclass(frozen=True, slots=True)
class Posted:
    """What came for one envelope: the token, and beside it the ciphertext of a sealed body."""

    token: bytes
    ciphertext: bytes | None = None


@dataclass(frozen=True, slots=True)
class InclusionPath:
    """A leaf of the replying node's log, and its path to the checkpoint that goes with the reply."""

    leaf_hash: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What one envelope is answered with.

    Attributes
    ----------
    status : {"receipt", "deferred", "unauthenticated"}
        A receipt is final. Deferred: nothing was written, come again. Unauthenticated: nothing of it was kept.
    receipt : bytes
        The signed receipt, for status "receipt".
    reason : str
        For the other two.
    leaf : InclusionPath or None
        Beside a receipt: the leaf at the place that it names, shown to be in the log.
    """

    status: Literal["receipt", "deferred", "unauthenticated"]
    receipt: bytes = b""
    reason: str = ""
    leaf: InclusionPath | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    """One verified envelope on its way through the gate."""

    place: int
    posted: Posted
    unpacked: Unpacked

    @property
    def header(self) -> Header:
        return self.unpacked.header


@dataclass(frozen=True, slots=True)
class _Judged:
    """One envelope and what this node rules about it."""

    item: _Item
    ruling: Ruling
    message: Message | None
    body: bytes | None


def receive(
    batch: Sequence[Posted | bytes], *, peer: str, now: datetime, touched: set[tuple[str, str]] | None = None
) -> list[Reply]:
    """Take a batch of envelopes from an authenticated partner and return one reply for each, in order.

    Everything that is recorded is one transaction, joined if one is open; a reply may leave only after its commit. If
    one envelope makes its handler fail, the batch is replayed one by one under savepoints, so that it spares the
    others.

    Parameters
    ----------
    batch : sequence of Posted or bytes
        At most 100; bytes are a token without ciphertext.
    peer : str
        The node that signed the request.
    now : datetime, aware
    touched : set, optional
        Kind and subject of every tree that got a leaf are added to it.

    Raises
    ------
    BatchTooLarge
        If there are more than 100.
    log.NotSigning
        If this node signs nothing now; nothing was written.
    django.db.DatabaseError
        If the database cannot write; nothing was written.
    """
    if len(batch) > MAX_BATCH:
        raise BatchTooLarge(f"a request carries at most {MAX_BATCH} envelopes; {len(batch)} came")
    posted = [Posted(item) if isinstance(item, bytes) else item for item in batch]
    replies: list[Reply | None] = [None] * len(posted)
    items, unauthenticated = _verify(posted, peer=peer)
    for place, fault in unauthenticated.items():
        replies[place] = Reply("unauthenticated", reason=fault)
    for fault in unauthenticated.values():
        count_unauthenticated(fault, now=now)
    if items:
        crash_point("receive-before-transaction")
        for place, reply in _record(
            items, peer=peer, touched=touched if touched is not None else set(), actor=Peer(peer), now=now
        ).items():
            replies[place] = reply
    return [reply for reply in replies if reply is not None]


def _verify(posted: Sequence[Posted], *, peer: str) -> tuple[list[_Item], dict[int, str]]:
    """Check every signature before anything is opened or looked up; return what counts, and the faults of the rest."""
    keys = transport_keys(peer)
    items: list[_Item] = []
    faults: dict[int, str] = {}
    for place, each in enumerate(posted):
        try:
            unpacked = unpack(each.token, keys=keys, sender=peer)
            if unpacked.sealed is not None:
                check_ciphertext(unpacked, each.ciphertext or b"")
        except CorridorError as fault:
            faults[place] = fault.code
        else:
            items.append(_Item(place, each, unpacked))
    return items, faults


@write("exchange.receive", subject="peer")
def _record(
    items: Sequence[_Item], *, peer: str, touched: set[tuple[str, str]], actor: Peer, now: datetime
) -> dict[int, Reply]:
    """Record `items` in one transaction and return the reply for each place."""
    own = log.signing_node()
    lock_partner(peer)
    replies: dict[int, Reply] = {}
    # What one run does may open or close the way for the next: a signature brings an agreement in force.
    for _, run in groupby(items, key=lambda item: (item.header.agreement, item.header.schema)):
        receiver = _Receiver(own_id=own.node_id, epoch=own.epoch, touched=touched, actor=actor, now=now)
        replies.update(receiver.take(list(run)))
    crash_point("receive-before-commit")
    note(
        envelopes=len(items),
        deferred=sum(reply.status == "deferred" for reply in replies.values()),
    )
    return replies


@dataclass(frozen=True, slots=True)
class _Receiver:
    """Takes runs of envelopes of one type under one agreement."""

    own_id: str
    epoch: int
    touched: set[tuple[str, str]]
    actor: Peer
    now: datetime
    taken: set[str] = field(default_factory=set)

    def take(self, items: list[_Item]) -> dict[int, Reply]:
        """Take `items` as one batch, or one by one if the batch fails."""
        fresh, replies = self._known(items)
        if not fresh:
            return replies
        if len(fresh) > 1:
            try:
                with transaction.atomic():
                    return replies | self._take_batch(fresh)
            except (DatabaseError, log.NotSigning) as fault:
                if not isinstance(fault, IntegrityError):
                    raise
            except Exception:  # whatever a handler raises, the others of its batch are to be spared
                _log.info("a batch of %d from %s is replayed one by one", len(fresh), self.actor.node_id)
        for item in fresh:
            replies[item.place] = self._take_one(item)
        return replies

    def _take_one(self, item: _Item) -> Reply:
        try:
            with transaction.atomic():
                return self._take_batch([item])[item.place]
        except Refused as refusal:
            with transaction.atomic():
                return self._take_batch([item], forced=Ruling.refused(refusal.reason))[item.place]
        except (DatabaseError, log.NotSigning) as fault:
            if not isinstance(fault, IntegrityError):
                raise
            return Reply("deferred", reason="handler_failed")
        except Exception as fault:  # a handler's fault is ours to mend; the envelope waits at its sender
            what = (item.header.schema, self.actor.node_id, type(fault).__name__, _place(fault))
            _log.warning("handling %s from %s failed: %s at %s", *what)
            return Reply("deferred", reason="handler_failed")

    def _known(self, items: list[_Item]) -> tuple[list[_Item], dict[int, Reply]]:
        """Return what is new, and the stored receipts of what was here before."""
        rows = list(
            Crossing.objects.filter(
                direction=Crossing.Direction.IN,
                from_node=self.actor.node_id,
                envelope_id__in=[item.header.id for item in items],
            )
            .order_by()
            .values_list("envelope_id", "token_hash", "receipt")
        )
        self.taken.update(envelope_id for envelope_id, _, _ in rows)
        stored = {(envelope_id, token_hash): bytes(receipt) for envelope_id, token_hash, receipt in rows}
        replies: dict[int, Reply] = {}
        fresh: list[_Item] = []
        seen: set[tuple[str, str]] = set()
        for item in items:
            identity = (item.header.id, item.unpacked.token_hash)
            if identity in stored:
                replies[item.place] = Reply("receipt", stored[identity])
            elif identity in seen:
                replies[item.place] = Reply("deferred", reason="twice_in_one_request")
            else:
                seen.add(identity)
                fresh.append(item)
        return fresh, replies

    def _take_batch(self, items: list[_Item], *, forced: Ruling | None = None) -> dict[int, Reply]:
        gate = Gatekeeper(own_id=self.own_id, now=self.now)
        judged = list(self._judge(items, gate, forced=forced))
        replies = {
            each.item.place: Reply("deferred", reason=each.ruling.reason) for each in judged if each.ruling.is_retry
        }
        final = [each for each in judged if not each.ruling.is_retry]
        by_tree: dict[tuple[str, str], list[_Judged]] = defaultdict(list)
        for each in final:
            by_tree[log.tree_of(each.ruling.first_version, partner=self.actor.node_id)].append(each)
        for (kind, subject), group in sorted(by_tree.items()):
            self.touched.add((kind, subject))
            replies.update(self._write(group, head=log.lock_tree(kind, subject=subject, now=self.now)))
        allowed = [each for each in final if each.ruling.is_allowed]
        gate.count_passed()
        gate.note_received([(each.item.header, each.message) for each in allowed if each.message is not None])
        # What may only be viewed reaches no handler: it waits in its sealed body, on the page of its envelope.
        self._handle([each for each in allowed if not each.ruling.is_view_only])
        self.taken.update(each.item.header.id for each in final)
        return replies

    def _judge(self, items: list[_Item], gate: Gatekeeper, *, forced: Ruling | None) -> Iterator[_Judged]:
        taken = set(self.taken)
        for item in items:
            if item.header.id in taken:
                yield _Judged(item, gate.refuse(item.header, Reason.ID_REUSED), None, None)
                continue
            taken.add(item.header.id)
            if forced is not None:
                yield _Judged(item, gate.refuse(item.header, Reason(forced.reason)), None, None)
                continue
            yield self._judge_one(item, gate)

    def _judge_one(self, item: _Item, gate: Gatekeeper) -> _Judged:
        header = item.header
        if header.to != self.own_id:
            return _Judged(item, gate.refuse(header, Reason.WRONG_RECIPIENT), None, None)
        # Before anything is decrypted the header alone must pass; what travels open is judged once, with its body.
        early = gate.judge_header(header) if item.unpacked.sealed is not None else None
        if early is not None:
            return _Judged(item, early, None, None)
        try:
            body = _open(item)
            message = _parse(header, body)
        except Refused as refusal:
            return _Judged(item, gate.refuse(header, refusal.reason), None, None)
        return _Judged(item, gate.judge(header, message), message, body)

    def _write(self, group: Sequence[_Judged], *, head: LogTree) -> dict[int, Reply]:
        entries = [
            Inbound(
                each.item.header,
                each.item.unpacked.token_hash,
                each.item.posted.token,
                each.ruling.outcome,
                each.ruling.reason,
            )
            for each in group
        ]
        receipts = inbound.record(entries, head=head, epoch=self.epoch, now=self.now)
        self._keep_bodies(group)
        crash_point("receive-after-inbox")
        return {each.item.place: Reply("receipt", receipt) for each, receipt in zip(group, receipts, strict=True)}

    def _keep_bodies(self, group: Sequence[_Judged]) -> None:
        """Keep the ciphertext of what was accepted, for evidence, until a person deletes it."""
        sealed = [each.item for each in group if each.ruling.is_allowed and each.item.unpacked.sealed]
        if not sealed:
            return
        ids = [item.header.id for item in sealed]
        rows = Crossing.objects.filter(direction="in", from_node=self.actor.node_id, envelope_id__in=ids)
        crossings = {row.envelope_id: row for row in rows.exclude(reason=Reason.ID_REUSED)}
        for item in sealed:
            bodies.store(crossings[item.header.id], item.posted.ciphertext or b"")

    def _handle(self, allowed: Sequence[_Judged]) -> None:
        if not allowed:
            return
        registered = registry.registration(allowed[0].item.header.schema)
        if registered is None:
            raise Refused(Reason.UNKNOWN_MESSAGE_TYPE)
        numbers = _crossing_ids(self.actor.node_id, [each.item.header.id for each in allowed])
        registered.handler(
            [
                registry.Received(
                    message=each.message,
                    header=each.item.header,
                    envelope_id=each.item.header.id,
                    from_node=each.item.header.from_,
                    agreement=each.item.header.agreement,
                    channel=each.ruling.channel,
                    token_hash=each.item.unpacked.token_hash,
                    crossing_id=numbers.get(each.item.header.id),
                )
                for each in allowed
                if each.message is not None
            ],
            actor=self.actor,
            now=self.now,
        )
        crash_point("receive-after-effect")


def _crossing_ids(from_node: str, envelope_ids: Sequence[str]) -> Mapping[str, int]:
    rows = Crossing.objects.filter(direction="in", from_node=from_node, envelope_id__in=envelope_ids).order_by()
    return dict(rows.exclude(reason=Reason.ID_REUSED).values_list("envelope_id", "pk"))


def _place(fault: BaseException) -> str:
    """Return where a fault was raised; its text may hold what no log may."""
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"


def hash_of(token: bytes) -> str:
    """Return the name of an envelope: SHA-256 of its bytes."""
    return sha256_hex(token)


def _open(item: _Item) -> bytes:
    """Return the body, opened if it was sealed."""
    unpacked = item.unpacked
    if unpacked.body is not None:
        return unpacked.body
    if unpacked.sealed is None or item.posted.ciphertext is None:
        raise Refused(Reason.MALFORMED)
    try:
        opened = open_sealed(
            item.posted.ciphertext,
            header=unpacked.header,
            mac=unpacked.sealed.mac,
            key=keystore.opening_key(unpacked.sealed.enc_kid),
        )
    except CorridorError:
        raise Refused(Reason.CANNOT_DECRYPT) from None
    return opened.body


def _parse(header: Header, body: bytes) -> Message:
    registered = registry.registration(header.schema)
    if registered is None:
        raise Refused(Reason.UNKNOWN_MESSAGE_TYPE)
    try:
        return registered.message.from_bytes(body)
    except MalformedMessage:
        raise Refused(Reason.MALFORMED) from None
