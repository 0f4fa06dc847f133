"""Send: outbox row and log leaf in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from corridor.accounts.actors import Actor, System, actor_name
from corridor.exchange import keystore
from corridor.exchange.messages import KeyRevocationNotice, Message
from corridor.exchange.models import CardVersion, Crossing, OutboxEntry, Partner
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.rules.envelope import Header, Sealed, new_id, pack
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.sealing import seal
from corridor.exchange.services import bodies, log
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.gatekeeping import Gatekeeper, Ruling, is_control
from corridor.exchange.services.partners import current_card, own_keys_count
from corridor.exchange.services.release import PLAIN, Terms

DELIVERY = System("delivery")
"""Who claims and settles."""


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
