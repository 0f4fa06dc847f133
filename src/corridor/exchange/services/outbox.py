"""Send: outbox row and log leaf in the caller's transaction; claim for delivery under a lease; settle by receipts."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from corridor.accounts.actors import Actor, System, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, InputFault
from corridor.exchange import keystore
from corridor.exchange.messages import KeyRevocationNotice, Message
from corridor.exchange.models import CardVersion, Crossing, OutboxEntry, Partner
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.rules.envelope import Header, Sealed, new_id, pack
from corridor.exchange.rules.jws import key_of
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.rules.sealing import seal
from corridor.exchange.services import bodies, bulk, log
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.gatekeeping import Gatekeeper, Ruling, is_control
from corridor.exchange.services.inbox import Posted, Reply
from corridor.exchange.services.partners import (
    current_card,
    every_transport_key,
    lock_partner,
    own_keys_count,
    revoked_cards,
    transport_keys,
)
from corridor.exchange.services.release import PLAIN, Terms

BATCH = 100
BATCH_BYTES = 3_500_000
LEASE = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(days=7)
RETRY_AFTER = timedelta(seconds=20)
"""How long a deferred envelope waits before the first repeat; the wait doubles up to an hour."""
RETRY_AT_MOST = timedelta(hours=1)
BODY_DELETED = "body_deleted"
"""Why an envelope is undeliverable whose body is no longer here."""
EARLY_WAITS = timedelta(minutes=5)
"""How long an envelope that is early for its agreement's start stands aside before it is looked at again."""


class NothingToRetry(InputFault):
    """The crossing does not wait for a retry."""

    code = "nothing-to-retry"


@dataclass(frozen=True, slots=True)
class Claimed:
    """One envelope leased for one delivery."""

    entry_id: int
    crossing_id: int
    token_hash: str
    posted: Posted


@dataclass(frozen=True, slots=True)
class Claim:
    """What goes to one partner in one request."""

    to_node: str
    lease: str
    envelopes: tuple[Claimed, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """How many envelopes of a claim ended how, and the receipts, each with its place among the replies."""

    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    receipts: tuple[tuple[int, Receipt], ...] = ()


def send(
    message: Message,
    *,
    to: str,
    agreement: str,
    channel: str,
    actor: Actor,
    now: datetime,
    terms: Terms = PLAIN,
) -> Crossing:
    """Queue a message for a partner, or record why it may not cross; never raises for a refusal.

    Outbox row and log leaf belong to the caller's transaction: they stand or fall with the domain write that they
    tell of.

    Parameters
    ----------
    message : Message
    to : str
        The partner's node id.
    agreement : str
        Hash of the agreement's version.
    channel : str
        The channel's id in that agreement.
    actor : Actor
    now : datetime, aware
    terms : Terms
        What the release ledger must know beside the body: what the message says of figures that it does not carry,
        and the two persons who answer for a release by hand.

    Returns
    -------
    Crossing
        With ``status`` "queued", or "refused" and the ``reason``.

    Raises
    ------
    log.NotSigning
        If this node signs nothing now; then nothing is written.
    """
    return _send(message, to=to, agreement=agreement, channel=channel, actor=actor, now=now, terms=terms)


def send_control(message: Message, *, to: str, actor: Actor, now: datetime, agreement: str = "") -> Crossing:
    """Queue a control message for a pinned partner; with `agreement` it is recorded in that agreement's tree.

    Raises
    ------
    log.NotSigning
    """
    return _send(message, to=to, agreement=agreement, channel="", actor=actor, now=now)


@transaction.atomic
def _send(
    message: Message,
    *,
    to: str,
    agreement: str,
    channel: str,
    actor: Actor,
    now: datetime,
    terms: Terms = PLAIN,
) -> Crossing:
    own = log.signing_node()
    gate = Gatekeeper(own_id=own.node_id, now=now, terms=terms)
    data_class = message.computed_class()
    header = Header(
        id=new_id(now),
        from_=own.node_id,
        to=to,
        agreement=agreement,
        channel=channel,
        schema=message.schema_id(),
        purpose=gate.purpose_of(agreement, channel),
        data_class=data_class,
        persons=message.persons(),
        created_at=now,
        body_kind="sealed" if data_class.travels_sealed or gate.is_view_only(agreement, channel) else "plain",
    )
    ruling = _partner_ruling(to, gate, header) or gate.judge(header, message)
    body = message.to_bytes()
    # A refused envelope is signed too, for evidence of the refusal; it stays here.
    packed, sealed = _pack(header, body)
    token_hash = sha256_hex(packed or body)
    kind, subject = log.tree_of(ruling.first_version, partner=to)
    head = log.lock_tree(kind, subject=subject, now=now)
    (leaf,) = log.append(
        head,
        [
            log.record(
                "refused" if ruling.refused_reason else "sent",
                now=now,
                envelope=token_hash,
                id=header.id,
                to=to,
                agreement=agreement,
                schema=header.schema,
                reason=ruling.refused_reason,
                **_answered_for(terms),
            )
        ],
    )
    crossing = Crossing.objects.create(
        direction=Crossing.Direction.OUT,
        envelope_id=header.id,
        from_node=header.from_,
        to_node=header.to,
        agreement_hash=header.agreement,
        channel=header.channel,
        schema=header.schema,
        purpose=header.purpose,
        data_class=str(header.data_class),
        persons=header.persons,
        status=Crossing.Status.REFUSED if ruling.refused_reason else Crossing.Status.QUEUED,
        reason=ruling.refused_reason,
        token_hash=token_hash,
        token=packed,
        tree=head,
        leaf_index=leaf.index,
        created_at=now,
        recorded_at=now,
        settled_at=now if ruling.refused_reason else None,
        actor=actor_name(actor),
    )
    crash_point("send-before-outbox")
    if ruling.refused_reason:
        return crossing
    OutboxEntry.objects.create(crossing=crossing, to_node=to, queued_at=now, due_at=now)
    if sealed is not None:
        bodies.store(crossing, sealed.ciphertext)
    if not is_control(header):
        gate.note_sent(header, message, crossing=crossing)
    return crossing


def _answered_for(terms: Terms) -> dict[str, str]:
    """Return what the leaf of a release by hand says: who asked, who allowed it, and why."""
    by_hand = terms.by_hand
    if by_hand is None:
        return {}
    return {"released_by_hand": f"{by_hand.first}, {by_hand.second}", "released_because": by_hand.reason}


def _partner_ruling(to: str, gate: Gatekeeper, header: Header) -> Ruling | None:
    # A revoked key signs nothing but what tells of itself.
    if header.schema != KeyRevocationNotice.schema_id() and not own_keys_count():
        return gate.refuse(header, Reason.KEY_REVOKED)
    partner = Partner.objects.filter(node_id=to).first()
    if partner is None:
        return gate.refuse(header, Reason.NOT_A_PARTY)
    if partner.state == Partner.State.REVOKED:
        return gate.refuse(header, Reason.KEY_REVOKED)
    return None


def _pack(header: Header, body: bytes) -> tuple[bytes, Sealed | None]:
    key = keystore.own_keys().transport
    if header.body_kind == "plain":
        return pack(header, body, key=key), None
    if not CardVersion.objects.filter(node_id=header.to).exists():
        return b"", None
    sealed = seal(body, header=header, recipient_key=current_card(header.to).keys.encryption)
    return pack(header, sealed, key=key), sealed


def has_due(to_node: str, *, now: datetime) -> bool:
    """Return whether anything may be claimed for a partner now; reads only."""
    return _due(to_node, now=now).exists()


def _due(to_node: str, *, now: datetime) -> QuerySet[OutboxEntry]:
    free = Q(leased_until_at__isnull=True) | Q(leased_until_at__lte=now)
    return OutboxEntry.objects.filter(free, to_node=to_node, is_undeliverable=False, due_at__lte=now)


@write("exchange.claim", subject="to_node")
def claim(to_node: str, *, actor: Actor, now: datetime) -> Claim:
    """Lease up to a hundred due envelopes of one partner, oldest first, after the gate has judged each of them again.

    What the gate refuses by now is recorded as refused and leaves the outbox; what waited for more than seven days is
    undeliverable; what is over the cap of its channel's day waits for the next.
    """
    del actor
    log.signing_node()
    lock_partner(to_node)
    due = _due(to_node, now=now).order_by("id").select_related("crossing__sealed_body")
    rows = list(due.select_for_update(skip_locked=True, of=("self",))[:BATCH])
    rows = _set_revoked_aside(_bury(rows, now=now), now=now)
    cleared = _clear(rows, to_node=to_node, now=now)
    lease, size = str(uuid.uuid4()), 0
    taken: list[Claimed] = []
    for entry in cleared:
        ciphertext = bodies.load(entry.crossing)
        if ciphertext is None and bodies.sealed_body(entry.crossing) is not None:
            _set_aside([entry], last_error=BODY_DELETED)
            continue
        size += len(entry.crossing.token) + len(ciphertext or b"") * 4 // 3
        if taken and size > BATCH_BYTES:
            break
        posted = Posted(bytes(entry.crossing.token), ciphertext)
        taken.append(Claimed(entry.pk, entry.crossing_id, entry.crossing.token_hash, posted))
    OutboxEntry.objects.filter(pk__in=[each.entry_id for each in taken]).update(
        lease=lease, leased_until_at=now + LEASE, attempts=F("attempts") + 1
    )
    note(envelopes=len(taken))
    crash_point("claim-before-commit")
    return Claim(to_node, lease, tuple(taken))


def _bury(rows: Sequence[OutboxEntry], *, now: datetime) -> list[OutboxEntry]:
    """Set aside what has waited too long; a person may retry it by hand."""
    dead = [entry for entry in rows if entry.queued_at <= now - GIVE_UP_AFTER]
    if dead:
        _set_aside(dead)
        note(undeliverable=len(dead))
    return [entry for entry in rows if entry not in dead]


def _set_revoked_aside(rows: Sequence[OutboxEntry], *, now: datetime) -> list[OutboxEntry]:
    """Return what is signed with keys that count; the notices of a revocation go out all the same.

    What a revoked key signed waits as long as the key may be reinstated. Once new keys are in use it is undeliverable,
    since other bytes under the same id would be another envelope.
    """
    own = log.own_node().node_id
    lost = every_transport_key(own).keys() - transport_keys(own).keys() if revoked_cards(own) else set()
    stopped = [
        entry
        for entry in rows
        if lost
        and entry.crossing.schema != KeyRevocationNotice.schema_id()
        and key_of(bytes(entry.crossing.token)) in lost
    ]
    if stopped and own_keys_count():
        _set_aside(stopped, last_error=Reason.KEY_REVOKED.value)
        note(undeliverable=len(stopped))
    elif stopped:
        OutboxEntry.objects.filter(pk__in=[entry.pk for entry in stopped]).update(due_at=now + EARLY_WAITS)
    return [entry for entry in rows if entry not in stopped]


def _set_aside(dead: Sequence[OutboxEntry], **members: str) -> None:
    OutboxEntry.objects.filter(pk__in=[entry.pk for entry in dead]).update(is_undeliverable=True, **members)
    Crossing.objects.filter(pk__in=[entry.crossing_id for entry in dead]).update(status=Crossing.Status.UNDELIVERABLE)


@write("exchange.give_up")
def bury_old(*, actor: Actor, now: datetime) -> int:
    """Set aside everything that has waited for seven days, whether or not its partner is tried; return how many."""
    del actor
    old = OutboxEntry.objects.filter(is_undeliverable=False, queued_at__lte=now - GIVE_UP_AFTER)
    rows = list(old.order_by("id")[:1000])
    _bury(rows, now=now)
    return len(rows)


def _clear(rows: Sequence[OutboxEntry], *, to_node: str, now: datetime) -> list[OutboxEntry]:
    """Return what may still cross; record the refusal of the rest."""
    own_id = log.own_node().node_id
    gate, keys = Gatekeeper(own_id=own_id, now=now), every_transport_key(own_id)
    allowed, over, early, refused = [], [], [], defaultdict(list)
    for entry in rows:
        ruling = gate.judge_again(entry.crossing, keys=keys, counted_on=entry.counted_on)
        if ruling.is_allowed:
            entry.counted_on = ruling.counted_on
            allowed.append(entry)
        elif ruling.again_at is not None:
            entry.due_at, entry.last_error = ruling.again_at, ruling.reason
            over.append(entry)
        elif ruling.is_retry:
            early.append(entry.pk)
        else:
            refused[log.tree_of(ruling.first_version, partner=to_node)].append((entry, ruling))
    # What is early must not stand, batch after batch, before what may go.
    OutboxEntry.objects.filter(pk__in=early).update(due_at=now + EARLY_WAITS)
    OutboxEntry.objects.bulk_update(over, ["due_at", "last_error"])
    OutboxEntry.objects.bulk_update(allowed, ["counted_on"])
    gate.count_passed()
    for (kind, subject), group in sorted(refused.items()):
        head = log.lock_tree(kind, subject=subject, now=now)
        log.append(
            head,
            [
                log.record(
                    "withdrawn",
                    now=now,
                    envelope=entry.crossing.token_hash,
                    id=entry.crossing.envelope_id,
                    to=to_node,
                    agreement=entry.crossing.agreement_hash,
                    schema=entry.crossing.schema,
                    reason=ruling.reason,
                )
                for entry, ruling in group
            ],
        )
        for entry, ruling in group:
            Crossing.objects.filter(pk=entry.crossing_id).update(
                status=Crossing.Status.REFUSED, reason=ruling.reason, settled_at=now
            )
        OutboxEntry.objects.filter(pk__in=[entry.pk for entry, _ in group]).delete()
    note(refused=sum(len(group) for group in refused.values()))
    return allowed


@write("exchange.settle", subject="to_node")
def settle(to_node: str, *, claim: Claim, replies: Sequence[Reply], actor: Actor, now: datetime) -> Settled:
    """Store the receipts of a delivered claim, each with a leaf; put off what the partner deferred.

    A receipt that does not name the envelope it answers, or that the partner's key did not sign, counts as no answer.
    """
    del actor
    lock_partner(to_node)
    keys = transport_keys(to_node)
    receipts: list[tuple[Claimed, Receipt]] = []
    places: list[tuple[int, Receipt]] = []
    deferred: list[tuple[Claimed, str]] = []
    for place, (each, reply) in enumerate(zip(claim.envelopes, replies, strict=True)):
        receipt = _receipt(reply, each, keys, to_node)
        if receipt is None:
            deferred.append((each, reply.reason or "no_valid_receipt"))
        else:
            receipts.append((each, receipt))
            places.append((place, receipt))
    _store(receipts, to_node=to_node, now=now)
    _put_off(deferred, now=now)
    crash_point("settle-before-commit")
    refused = sum(receipt.outcome == "refused" for _, receipt in receipts)
    note(accepted=len(receipts) - refused, refused=refused, deferred=len(deferred))
    return Settled(len(receipts) - refused, refused, len(deferred), tuple(places))


def _receipt(reply: Reply, each: Claimed, keys: dict[str, bytes], to_node: str) -> Receipt | None:
    if reply.status != "receipt":
        return None
    try:
        receipt = read_receipt(reply.receipt, keys=keys)
    except CorridorError:
        return None
    return receipt if (receipt.envelope_hash, receipt.node) == (each.token_hash, to_node) else None


def _store(receipts: Sequence[tuple[Claimed, Receipt]], *, to_node: str, now: datetime) -> None:
    waiting = OutboxEntry.objects.filter(crossing_id__in=[each.crossing_id for each, _ in receipts])
    # A receipt that came twice, by two workers, is stored and logged once.
    open_ids = set(waiting.values_list("crossing_id", flat=True))
    fresh = [(each, receipt) for each, receipt in receipts if each.crossing_id in open_ids]
    trees = dict(
        Crossing.objects.filter(pk__in=[each.crossing_id for each, _ in fresh]).values_list("pk", "tree__subject")
    )
    kinds = dict(
        Crossing.objects.filter(pk__in=[each.crossing_id for each, _ in fresh]).values_list("pk", "tree__kind")
    )
    by_tree: dict[tuple[str, str], list[tuple[Claimed, Receipt]]] = defaultdict(list)
    for each, receipt in fresh:
        by_tree[kinds[each.crossing_id], trees[each.crossing_id]].append((each, receipt))
    for (kind, subject), group in sorted(by_tree.items()):
        log.append(
            log.lock_tree(kind, subject=subject, now=now),
            [
                log.record(
                    "receipted", now=now, envelope=each.token_hash, receipt=receipt.hash, outcome=receipt.outcome
                )
                for each, receipt in group
            ],
        )
    moment = bulk.moment(now)
    bulk.update(
        Crossing,
        ("status", "reason", "receipt", "settled_at"),
        [(receipt.outcome, receipt.reason or "", receipt.signed, moment, each.crossing_id) for each, receipt in fresh],
    )
    OutboxEntry.objects.filter(crossing_id__in=[each.crossing_id for each, _ in fresh]).delete()


def _put_off(deferred: Sequence[tuple[Claimed, str]], *, now: datetime) -> None:
    rows = {entry.pk: entry for entry in OutboxEntry.objects.filter(pk__in=[each.entry_id for each, _ in deferred])}
    for each, reason in deferred:
        entry = rows.get(each.entry_id)
        if entry is not None:
            wait = min(RETRY_AFTER * 2 ** min(entry.attempts - 1, 12), RETRY_AT_MOST)
            entry.due_at, entry.last_error = now + wait, reason[:300]
            entry.lease, entry.leased_until_at = "", None
    OutboxEntry.objects.bulk_update(rows.values(), ["due_at", "last_error", "lease", "leased_until_at"])


@write("exchange.release_claim", subject="to_node")
def release(to_node: str, *, claim: Claim, error: str, actor: Actor, now: datetime) -> None:
    """Give a claim back after its request failed; its envelopes stay due, the partner's circuit decides when."""
    del actor, now
    OutboxEntry.objects.filter(lease=claim.lease, to_node=to_node).update(
        lease="", leased_until_at=None, last_error=error[:300]
    )


@write("exchange.retry", subject="crossing_id")
def retry(crossing_id: int, *, actor: Actor, now: datetime) -> None:
    """Queue an undeliverable envelope again, by hand.

    Raises
    ------
    NothingToRetry
        If it is not undeliverable.
    """
    require(actor, "exchange.retry")
    entry = OutboxEntry.objects.select_for_update().filter(crossing_id=crossing_id, is_undeliverable=True).first()
    if entry is None:
        raise NothingToRetry(f"crossing {crossing_id} is not undeliverable; what waits is retried by itself")
    if bodies.sealed_body(entry.crossing) is not None and bodies.load(entry.crossing) is None:
        raise NothingToRetry(f"the body of crossing {crossing_id} was deleted; make the message anew and send that")
    entry.is_undeliverable, entry.queued_at, entry.due_at = False, now, now
    entry.save(update_fields=["is_undeliverable", "queued_at", "due_at"])
    Crossing.objects.filter(pk=crossing_id).update(status=Crossing.Status.QUEUED)


DELIVERY = System("delivery")
"""Who claims and settles."""
