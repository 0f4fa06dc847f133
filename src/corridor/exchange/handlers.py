"""Control messages have arrived: one call below for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from corridor.accounts.actors import Peer
from corridor.base.errors import CorridorError
from corridor.exchange import messages
from corridor.exchange.registry import Received, register_message
from corridor.exchange.rules.agreement import State
from corridor.exchange.rules.canonical import unb64
from corridor.exchange.rules.keys import UnknownSuite
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.exchange.rules.versions import UnknownVersion
from corridor.exchange.services import (
    agreements,
    comparison,
    consistency,
    deletion,
    partners,
    restore,
    returns,
    withdrawals,
)

Apply = Callable[[Any, str, datetime], object]


class NotYet(Exception):
    """What a returned statement is about, or follows, has not come back itself; the partner brings it again later."""


def _each(apply: Apply) -> Callable[..., None]:
    """Return a handler that applies each message; what the sender got wrong is refused, what we got wrong is not."""

    def handle(batch: Sequence[Received], *, actor: Peer, now: datetime) -> None:
        for received in batch:
            try:
                apply(received.message, actor.node_id, now)
            except Refused:
                raise
            except (UnknownVersion, UnknownSuite) as fault:
                raise Refused(Reason.UNKNOWN_MESSAGE_TYPE, fault.code) from fault
            except CorridorError as fault:
                raise Refused(Reason.HANDLER_REFUSED, fault.code) from fault

    return handle


def _statement(message: Any, from_node: str, now: datetime) -> None:
    agreements.apply_statement(unb64(message.statement), from_node=from_node, now=now)


HANDLERS: dict[type[messages.Message], Callable[..., None]] = {
    messages.CardAnnouncement: _each(lambda m, node, now: partners.accept_card(m, from_node=node, now=now)),
    messages.KeyRevocationNotice: _each(lambda m, node, now: partners.accept_revocation(m, from_node=node, now=now)),
    messages.AgreementProposal: _each(lambda m, node, now: agreements.accept_proposal(m, from_node=node, now=now)),
    messages.AgreementSignatureNotice: _each(
        lambda m, node, now: agreements.apply_statement(unb64(m.signature), from_node=node, now=now)
    ),
    messages.AgreementSuspension: _each(_statement),
    messages.AgreementResumption: _each(_statement),
    messages.AgreementActivation: _each(_statement),
    messages.AgreementTermination: _each(_statement),
    messages.CheckpointForward: _each(lambda m, node, now: consistency.accept_forward(m, from_node=node, now=now)),
    messages.ConsistencyProofNotice: _each(lambda m, node, now: consistency.accept_proof(m, from_node=node, now=now)),
    messages.ConsistencyDemand: _each(lambda m, node, now: consistency.answer_demand(m, from_node=node, now=now)),
    messages.LeavesForward: _each(lambda m, node, now: comparison.accept(m, from_node=node, now=now)),
    messages.EnvelopeWithdrawal: _each(lambda m, node, now: withdrawals.accept(m, from_node=node, now=now)),
    messages.ReceiptNotice: _each(lambda m, node, now: withdrawals.accept_receipt(m, from_node=node, now=now)),
    messages.RestoreNotice: _each(lambda m, node, now: restore.accept_notice(m, from_node=node, now=now)),
    messages.ReturnedCrossing: _each(lambda m, node, now: returns.accept_returned(m, from_node=node, now=now)),
    messages.ReturnComplete: _each(lambda m, node, now: returns.accept_complete(m, from_node=node, now=now)),
    messages.BodyDeletion: _each(lambda m, node, now: deletion.accept_notice(m, from_node=node, now=now)),
}
"""Who handles each control message."""


def _returned(apply: Apply) -> Callable[..., None]:
    """Return a handler that takes back each message of this node's own; what it rests on may still be on its way."""

    def handle(batch: Sequence[Received], *, actor: Peer, now: datetime) -> None:
        del actor
        for received in batch:
            try:
                apply(received.message, received.from_node, now)
            except CorridorError as fault:
                if getattr(fault, "reason", None) is not Reason.STATEMENT_FORKED:
                    raise NotYet(received.header.schema) from fault

    return handle


def _deletion_returned(batch: Sequence[Received], /, *, actor: Peer, now: datetime) -> None:
    """Delete again what this node had stated as deleted before it came back from a backup."""
    for received in batch:
        if isinstance(received.message, messages.BodyDeletion):
            deletion.delete_again(received.message, to_node=actor.node_id, now=now)


RETURNED: dict[type[messages.Message], Callable[..., None]] = {
    messages.AgreementProposal: _returned(
        lambda m, _, now: agreements.store(unb64(m.document), state=State.PROPOSED, now=now)
    ),
    messages.AgreementSignatureNotice: _returned(
        lambda m, node, now: agreements.apply_statement(unb64(m.signature), from_node=node, now=now)
    ),
    messages.AgreementSuspension: _returned(_statement),
    messages.AgreementResumption: _returned(_statement),
    messages.AgreementActivation: _returned(_statement),
    messages.AgreementTermination: _returned(_statement),
    messages.BodyDeletion: _deletion_returned,
}
"""Who takes back what this node itself stated and lost with a restore."""


def register() -> None:
    """Announce every control message to the registry."""
    for message, handler in HANDLERS.items():
        register_message(message, handler=handler, is_control=True, returned=RETURNED.get(message))
