"""One round between two nodes: envelopes and checkpoints one way, receipts and checkpoints the other."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from corridor.accounts.actors import Actor, Peer
from corridor.accounts.transactions import write
from corridor.base.errors import CorridorError, InputFault
from corridor.exchange.models import Crossing, OutboxEntry, Partner
from corridor.exchange.rules.canonical import NotBase64url, NotCanonical, b64, parse_strict, unb64
from corridor.exchange.services import (
    checkpoints,
    claims,
    comparison,
    consistency,
    inbox,
    leaves,
    log,
    outbox,
    restore,
    returns,
    settling,
    swaps,
)
from corridor.exchange.services.claims import Claim
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.inbox import MAX_BATCH, InclusionPath, Posted, Reply
from corridor.exchange.services.partners import lock_partner
from corridor.exchange.services.settling import Settled
from corridor.exchange.services.swaps import Swap

VERSION = 1
_STATUSES = ("receipt", "deferred", "unauthenticated")


class MalformedRound(InputFault):
    """The bytes of a request or reply are no round of this version."""

    code = "malformed-round"


class PeerOnHold(CorridorError):
    """Nothing is exchanged with this peer now; it comes again later."""

    code = "peer-on-hold"


@dataclass(frozen=True, slots=True)
class Round:
    """What one node brings to another.

    Attributes
    ----------
    is_hello : bool
        Only asks which checkpoints the other holds, and brings nothing: how a node that starts finds out.
    """

    nonce: str
    envelopes: tuple[Posted, ...] = ()
    swaps: tuple[Swap, ...] = ()
    is_hello: bool = False

    def to_bytes(self) -> bytes:
        """Return the round as JSON."""
        envelopes = [
            {"token": posted.token.decode()}
            | ({} if posted.ciphertext is None else {"ciphertext": b64(posted.ciphertext)})
            for posted in self.envelopes
        ]
        return _json(
            {
                "version": VERSION,
                "nonce": self.nonce,
                "hello": self.is_hello,
                "envelopes": envelopes,
                "swaps": _write_swaps(self.swaps),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Round:
        """Return the round that `data` spells.

        Raises
        ------
        MalformedRound
            If it spells none, or carries more than 100 envelopes.
        """
        value = _object(data, {"version", "nonce", "hello", "envelopes", "swaps"})
        envelopes = _list(value["envelopes"], "envelopes", MAX_BATCH)
        if not isinstance(value["nonce"], str) or len(value["nonce"]) > 100 or not isinstance(value["hello"], bool):
            raise MalformedRound("a round has a nonce of at most 100 characters, and hello is true or false")
        return cls(
            nonce=value["nonce"],
            envelopes=tuple(_posted(each) for each in envelopes),
            swaps=_read_swaps(value["swaps"]),
            is_hello=value["hello"],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answers to a round."""

    replies: tuple[Reply, ...] = ()
    swaps: tuple[Swap, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the answer as JSON."""
        replies = [
            {
                "status": reply.status,
                "receipt": reply.receipt.decode(),
                "reason": reply.reason,
                "leaf": _write_leaf(reply.leaf),
            }
            for reply in self.replies
        ]
        return _json({"version": VERSION, "replies": replies, "swaps": _write_swaps(self.swaps)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Return the answer that `data` spells.

        Raises
        ------
        MalformedRound
        """
        value = _object(data, {"version", "replies", "swaps"})
        replies = [_reply(each) for each in _list(value["replies"], "replies", MAX_BATCH)]
        return cls(tuple(replies), _read_swaps(value["swaps"]))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A round ready to go to one partner, with the claim that it carries."""

    to_node: str
    claim: Claim
    round: Round


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _object(data: bytes, members: set[str]) -> dict[str, Any]:
    try:
        value = parse_strict(data)
    except NotCanonical as fault:
        raise MalformedRound(f"expected JSON: {fault}") from None
    version = value.get("version") if isinstance(value, dict) else None
    if type(version) is int and version != VERSION:
        raise MalformedRound(
            f"a round of version {version} came, and this node speaks version {VERSION}: the older of the two nodes "
            "is to be upgraded"
        )
    # In Python `true` and 1.0 equal 1; in the description of the API they do not.
    if not isinstance(value, dict) or value.keys() != members or repr(value["version"]) != str(VERSION):
        raise MalformedRound(f"expected an object of version {VERSION} with the members {', '.join(sorted(members))}")
    return value


def _list(value: Any, name: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise MalformedRound(f"{name}: expected a list of at most {most}")
    return value


def _posted(value: Any) -> Posted:
    if not isinstance(value, dict) or not isinstance(value.get("token"), str) or value.keys() - {"token", "ciphertext"}:
        raise MalformedRound("an envelope has a token and perhaps a ciphertext")
    try:
        ciphertext = unb64(value["ciphertext"]) if "ciphertext" in value else None
    except NotBase64url:
        raise MalformedRound("a ciphertext is base64url") from None
    return Posted(value["token"].encode(), ciphertext)


def _reply(value: Any) -> Reply:
    if not isinstance(value, dict) or value.keys() != {"status", "receipt", "reason", "leaf"}:
        raise MalformedRound("a reply has status, receipt, reason and leaf")
    status, receipt, reason = value["status"], value["receipt"], value["reason"]
    if status not in _STATUSES or not isinstance(receipt, str) or not isinstance(reason, str):
        raise MalformedRound("a reply has a known status, and texts")
    kind = cast("Literal['receipt', 'deferred', 'unauthenticated']", status)
    return Reply(kind, receipt.encode(), reason[:300], _read_leaf(value["leaf"]))


def _write_leaf(leaf: InclusionPath | None) -> dict[str, Any] | None:
    return None if leaf is None else {"hash": b64(leaf.leaf_hash), "path": [b64(each) for each in leaf.path]}


def _read_leaf(value: Any) -> InclusionPath | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"hash", "path"}:
        raise MalformedRound("a leaf has a hash and a path")
    try:
        return InclusionPath(unb64(value["hash"]), tuple(unb64(text) for text in _list(value["path"], "path", 64)))
    except NotBase64url:
        raise MalformedRound("a leaf and its path are hashes in base64url") from None


def _write_swaps(items: Sequence[Swap]) -> list[dict[str, Any]]:
    return [{"statement": swap.statement.decode(), "proof": [b64(each) for each in swap.proof]} for swap in items]


def _read_swaps(value: Any) -> tuple[Swap, ...]:
    found = []
    for each in _list(value, "swaps", swaps.MAX_SWAPS):
        if (
            not isinstance(each, dict)
            or each.keys() != {"statement", "proof"}
            or not isinstance(each["statement"], str)
        ):
            raise MalformedRound("a swap has a statement and a proof")
        try:
            proof = tuple(unb64(text) for text in _list(each["proof"], "proof", 128))
        except NotBase64url:
            raise MalformedRound("a proof is a list of hashes in base64url") from None
        found.append(Swap(each["statement"].encode(), proof))
    return tuple(found)


def answer(came: Round, *, peer: str, now: datetime, clock_offset_seconds: float | None = None) -> Answer:
    """Take a round from an authenticated peer and answer it; the answer may leave once this returns.

    Raises
    ------
    PeerOnHold
        While the partner is paused, or has not yet shown what it holds since this node started.
    log.NotSigning
        While this node signs nothing.
    django.db.DatabaseError
        If the database cannot write. In all three cases nothing was written.
    """
    try:
        made = _answer(came, peer=peer, actor=Peer(peer), now=now, clock_offset_seconds=clock_offset_seconds)
    except (swaps.BeyondOurLog, log.LogMismatch) as fault:
        raise _stop(fault, now=now) from fault
    crash_point("receive-after-commit")
    return made


def _stop(fault: swaps.BeyondOurLog | log.LogMismatch, *, now: datetime) -> log.NotSigning:
    """Remember, after the transaction rolled back, why this node signs nothing any more."""
    if isinstance(fault, swaps.BeyondOurLog):
        restore.begin(fault, now=now)
    else:
        checkpoints.halt(str(fault), now=now)
    return log.NotSigning(str(fault))


@write("exchange.receive", subject="peer")
def _answer(came: Round, *, peer: str, actor: Peer, now: datetime, clock_offset_seconds: float | None) -> Answer:
    del actor
    partner = lock_partner(peer)
    if partner.state == Partner.State.PAUSED:
        raise PeerOnHold(f"exchange with {peer} is paused here")
    if came.is_hello:
        held = swaps.make(peer, swaps.shared_trees(peer), nonce=came.nonce, now=now, is_signing=False)
        return Answer(swaps=tuple(held))
    if partner.confirmed_at is None:
        raise PeerOnHold(f"this node started and waits for {peer} to show which checkpoints it holds")
    about = swaps.take(peer, came.swaps, now=now)
    touched: set[tuple[str, str]] = set(about.trees)
    replies = inbox.receive(came.envelopes, peer=peer, now=now, touched=touched) if came.envelopes else []
    made = swaps.make(peer, touched, nonce=came.nonce, now=now)
    replies = leaves.show(replies, beside=made)
    _met(partner, now=now, clock_offset_seconds=clock_offset_seconds)
    return Answer(tuple(replies), tuple(made))


def _met(partner: Partner, *, now: datetime, clock_offset_seconds: float | None) -> None:
    """Note that the partner was heard: its circuit closes, so that what waits for it goes at once."""
    Partner.objects.filter(pk=partner.pk).update(
        last_contact_at=now,
        failures=0,
        circuit_open_until_at=None,
        clock_offset_seconds=clock_offset_seconds,
    )


def _trees_of(claim: Claim) -> list[tuple[str, str]]:
    """Return the trees in which the envelopes of a claim are recorded here."""
    rows = Crossing.objects.filter(pk__in=[each.crossing_id for each in claim.envelopes])
    return list(rows.values_list("tree__kind", "tree__subject").distinct().order_by())


def hello(*, nonce: str | None = None) -> Round:
    """Return the round that only asks what the other holds."""
    return Round(nonce=nonce or secrets.token_urlsafe(24), is_hello=True)


def greet(to_node: str, answered: Answer, *, now: datetime) -> None:
    """Take the answer to a hello: if our log extends all that the partner holds, exchange with it may begin.

    Raises
    ------
    log.NotSigning
        If the partner holds more than our log reproduces.
    """
    try:
        _greet(to_node, answered, actor=outbox.DELIVERY, now=now)
    except swaps.BeyondOurLog as fault:
        raise _stop(fault, now=now) from fault


@write("exchange.greet", subject="to_node")
def _greet(to_node: str, answered: Answer, *, actor: Actor, now: datetime) -> None:
    del actor
    partner = lock_partner(to_node)
    swaps.take(to_node, answered.swaps, now=now)
    restore.confirm_contact(to_node, now=now)
    returns.heard(to_node)
    _met(partner, now=now, clock_offset_seconds=partner.clock_offset_seconds)


def prepare(to_node: str, *, is_swap_due: bool, now: datetime) -> Prepared | None:
    """Claim what is due for a partner and sign the checkpoints that go with it; None where nothing is to be sent.

    Raises
    ------
    log.NotSigning
    """
    if not is_swap_due and not claims.has_due(to_node, now=now):
        return None
    try:
        prepared = _prepare(to_node, is_swap_due=is_swap_due, actor=outbox.DELIVERY, now=now)
    except log.LogMismatch as fault:
        raise _stop(fault, now=now) from fault
    crash_point("claim-after-commit")
    return prepared


@write("exchange.deliver", subject="to_node")
def _prepare(to_node: str, *, is_swap_due: bool, actor: Actor, now: datetime) -> Prepared | None:
    if is_swap_due:
        passed_on = (*consistency.forwards(to_node), *comparison.forwards(to_node))
        for message in (*passed_on, *consistency.demands(to_node, now=now)):
            outbox.send_control(message, to=to_node, actor=actor, now=now)
        Partner.objects.filter(node_id=to_node).update(swapped_at=now)
    claim = claims.claim(to_node, actor=actor, now=now)
    if not claim.envelopes and not is_swap_due:
        return None
    trees = swaps.shared_trees(to_node) if is_swap_due else _trees_of(claim)
    nonce = secrets.token_urlsafe(24)
    made = swaps.make(to_node, trees, nonce=nonce, now=now)
    return Prepared(
        to_node, claim, Round(nonce=nonce, envelopes=tuple(each.posted for each in claim.envelopes), swaps=tuple(made))
    )


def conclude(
    prepared: Prepared, answered: Answer, *, now: datetime, clock_offset_seconds: float | None = None
) -> Settled:
    """Take a partner's answer: receipts, put-offs and checkpoints, in one transaction.

    Raises
    ------
    MalformedRound
        If it does not answer every envelope.
    log.NotSigning
        If the partner holds more than our log reproduces.
    """
    if len(answered.replies) != len(prepared.claim.envelopes):
        raise MalformedRound("the partner did not answer every envelope")
    try:
        settled = _conclude(
            prepared, answered, actor=outbox.DELIVERY, now=now, clock_offset_seconds=clock_offset_seconds
        )
    except swaps.BeyondOurLog as fault:
        raise _stop(fault, now=now) from fault
    crash_point("settle-after-commit")
    return settled


@write("exchange.conclude")
def _conclude(
    prepared: Prepared, answered: Answer, *, actor: Actor, now: datetime, clock_offset_seconds: float | None
) -> Settled:
    partner = lock_partner(prepared.to_node)
    settled = settling.settle(prepared.to_node, claim=prepared.claim, replies=answered.replies, actor=actor, now=now)
    taken = swaps.take(prepared.to_node, answered.swaps, now=now)
    swaps.remember_told(prepared.to_node, prepared.round.swaps, now=now)
    receipts = [(receipt, answered.replies[place].leaf) for place, receipt in settled.receipts]
    leaves.take(prepared.to_node, receipts, given=taken.given, now=now)
    returns.tell_if_complete(partner, actor=actor, now=now)
    _met(partner, now=now, clock_offset_seconds=clock_offset_seconds)
    return settled


def failed(to_node: str, *, claim: Claim | None, error: str, wait_until_at: datetime, now: datetime) -> None:
    """Note that a partner could not be reached, give the claim back and open the circuit until `wait_until_at`."""
    _failed(to_node, claim=claim, error=error, wait_until_at=wait_until_at, actor=outbox.DELIVERY, now=now)


@write("exchange.delivery_failed", subject="to_node")
def _failed(
    to_node: str, *, claim: Claim | None, error: str, wait_until_at: datetime, actor: Actor, now: datetime
) -> None:
    partner = lock_partner(to_node)
    if claim is not None:
        claims.release(to_node, claim=claim, error=error, actor=actor, now=now)
    partner.failures += 1
    partner.last_failure_at, partner.last_failure = now, error[:300]
    partner.circuit_open_until_at = wait_until_at
    partner.save(update_fields=["failures", "last_failure_at", "last_failure", "circuit_open_until_at"])


def bury_old(*, now: datetime) -> int:
    """Set aside what has waited for seven days for partners that are not even tried; return how many."""
    return claims.bury_old(actor=outbox.DELIVERY, now=now) if OutboxEntry.objects.exists() else 0
