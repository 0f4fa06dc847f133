"""Take back an envelope that may cross no more, but was on its way before and may have arrived.

Neither side can know alone: the answer may have been lost, or the request. The partner decides, once, under its own
lock: who has the envelope gives its receipt again; who has it not refuses it for good, whatever arrives later. So both
logs say the same in the end.
"""

from __future__ import annotations

from datetime import datetime

from corridor.base.errors import CorridorError
from corridor.exchange.messages import EnvelopeWithdrawal, ReceiptNotice
from corridor.exchange.models import Agreement, Crossing
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.rules.receipt import read_receipt
from corridor.exchange.services import inbound, log, settling
from corridor.exchange.services.inbound import Inbound
from corridor.exchange.services.outbox import DELIVERY, send_control
from corridor.exchange.services.partners import transport_keys


def ask(crossing: Crossing, *, now: datetime) -> bool:
    """Ask the partner what became of an envelope, and to refuse it if it has not come; return whether it can be asked.

    A partner whose keys are revoked is asked nothing any more.
    """
    message = EnvelopeWithdrawal(
        envelope=crossing.token_hash,
        envelope_id=crossing.envelope_id,
        agreement=crossing.agreement_hash,
        channel=crossing.channel,
        message_type=crossing.schema,
        data_class_of=DataClass(crossing.data_class),
        created_at=crossing.created_at,
    )
    asked = send_control(message, to=crossing.to_node, agreement=crossing.agreement_hash, actor=DELIVERY, now=now)
    return asked.status == Crossing.Status.QUEUED


def accept(message: EnvelopeWithdrawal, *, from_node: str, now: datetime) -> None:
    """Answer a partner that takes an envelope back: with the receipt it got, or with a refusal for good.

    Raises
    ------
    Refused
        If other bytes came under that id.
    """
    rows = Crossing.objects.filter(
        direction=Crossing.Direction.IN, from_node=from_node, envelope_id=message.envelope_id
    )
    known = rows.exclude(reason=Reason.ID_REUSED).first()
    if known is not None and known.token_hash != message.envelope:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    receipt = bytes(known.receipt) if known is not None else _refuse_for_good(message, from_node=from_node, now=now)
    answer = ReceiptNotice(receipt=receipt.decode())
    send_control(answer, to=from_node, agreement=message.agreement, actor=DELIVERY, now=now)


def _refuse_for_good(message: EnvelopeWithdrawal, *, from_node: str, now: datetime) -> bytes:
    """Record the envelope as refused although it has not come, and return the receipt; what comes later gets it too."""
    own = log.own_node()
    agreement = Agreement.objects.filter(hash=message.agreement).first() if message.agreement else None
    kind, subject = log.tree_of(agreement.first_version if agreement else "", partner=from_node)
    header = Header(
        id=message.envelope_id,
        from_=from_node,
        to=own.node_id,
        agreement=message.agreement,
        channel=message.channel,
        schema=message.message_type,
        purpose="",
        data_class=message.data_class_of,
        persons=0,
        created_at=message.created_at,
        body_kind="plain",
    )
    refused = Inbound(header, message.envelope, b"", Crossing.Status.REFUSED.value, Reason.WITHDRAWN.value)
    head = log.lock_tree(kind, subject=subject, now=now)
    (receipt,) = inbound.record([refused], head=head, epoch=own.epoch, now=now)
    return receipt


def accept_receipt(message: ReceiptNotice, *, from_node: str, now: datetime) -> None:
    """Settle an envelope that was taken back by the receipt that its recipient gave.

    Raises
    ------
    Refused
        If the receipt is not the partner's, or about nothing that was sent to it.
    """
    try:
        receipt = read_receipt(message.receipt.encode(), keys=transport_keys(from_node))
    except CorridorError as fault:
        raise Refused(Reason.BAD_SIGNATURE, fault.code) from fault
    sent = Crossing.objects.filter(
        direction=Crossing.Direction.OUT, to_node=from_node, token_hash=receipt.envelope_hash
    ).first()
    if sent is None or receipt.node != from_node:
        raise Refused(Reason.UNKNOWN_SUBJECT)
    settling.store([(sent.pk, receipt)], to_node=from_node, now=now)
