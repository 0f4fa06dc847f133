"""Evidence of one envelope: what crossed or was refused, both signatures, the proof that the log contains it."""

from __future__ import annotations

from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Unreachable
from corridor.exchange.models import (
    Agreement,
    AgreementSignature,
    BodyKeeping,
    Crossing,
    HeldByPeer,
    KeyRevocation,
    LogLeaf,
    LogTree,
    OwnStatement,
    Partner,
)
from corridor.exchange.queries.crossings import crossing_by_envelope
from corridor.exchange.queries.lives import document_of
from corridor.exchange.rules import control, tree
from corridor.exchange.rules.agreement import Storage, parse_statement
from corridor.exchange.rules.card import Card
from corridor.exchange.rules.evidence import build
from corridor.exchange.rules.evidence_file import Contents, LogProof, NodeHistory, ReceiptProof
from corridor.exchange.rules.jws import key_of
from corridor.exchange.rules.keys import thumbprint
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.services import bodies, checkpoints, leaves, log
from corridor.exchange.services.partners import chain, chains, every_transport_key, log_keys_of, revoked_cards


class PartnerNotHeard(Unreachable):
    """No checkpoint can be signed until a partner has shown which ones it holds."""

    code = "partner-not-heard"


@write("exchange.prove", subject="envelope_id")
def prove(envelope_id: str, *, actor: Actor, now: datetime) -> bytes:
    """Return the evidence file of one envelope, whose id may be given by its beginning.

    The proof leads to a checkpoint that the partner is known to hold, where there is one; else to a new one of our own.
    Of an envelope whose body was deleted it proves what is left: the receipt and the leaves, that of the deletion too.

    Raises
    ------
    NoSuchCrossing
        If there is no such envelope, or more than one.
    PartnerNotHeard
        If a checkpoint would have to be signed before the partner showed which ones it holds.
    """
    require(actor, "exchange.see_crossings")
    found = crossing_by_envelope(actor, envelope_id)
    crossing = Crossing.objects.select_related("tree").get(pk=found.view.id)
    own = log.own_node().node_id
    peer = crossing.from_node if crossing.direction == Crossing.Direction.IN else crossing.to_node
    receipt = _receipt(crossing, own=own, peer=peer)
    peer_cards = _chain_of(crossing, receipt, peer=peer)
    found_proofs, statements = _proofs(crossing, receipt, own=own, peer=peer_cards, now=now)
    agreement = Agreement.objects.filter(hash=crossing.agreement_hash).first()
    signatures = _signatures(agreement) if agreement else ()
    token = bytes(crossing.token) or None
    signers = {own, *({crossing.from_node} if token else ())}
    signers |= {peer} if statements or (receipt is not None and receipt.node == peer) else set()
    signers |= set(AgreementSignature.objects.filter(agreement=agreement).values_list("node_id", flat=True))
    contents = Contents(
        kind="receipt" if token is None else "refusal" if _is_refused(crossing, receipt) else "envelope",
        nodes={node: _history(node, peer_cards if node == peer else chain(node)) for node in sorted(signers)},
        envelope=token,
        ciphertext=None if _is_viewed_only(crossing, agreement) else bodies.load(crossing),
        receipt=receipt.signed if receipt else None,
        receipt_proof=_receipt_proof(receipt, peer=peer),
        agreement=bytes(agreement.document) if agreement else None,
        agreement_signatures=signatures,
        proofs=found_proofs,
        statements=(*statements, *(_told_before(crossing, peer=peer) if receipt or statements else ())),
    )
    note(crossing=crossing.pk)
    return build(contents)


def _is_viewed_only(crossing: Crossing, agreement: Agreement | None) -> bool:
    """Return whether a file with the ciphertext would keep what came here to be viewed and not kept."""
    is_in = crossing.direction == Crossing.Direction.IN
    return is_in and agreement is not None and document_of(agreement).storage is Storage.VIEW_ONLY


def _receipt(crossing: Crossing, *, own: str, peer: str) -> Receipt | None:
    signed = bytes(crossing.receipt)
    return read_receipt(signed, keys=every_transport_key(own) | every_transport_key(peer)) if signed else None


def _is_refused(crossing: Crossing, receipt: Receipt | None) -> bool:
    return crossing.status == Crossing.Status.REFUSED if receipt is None else receipt.outcome == "refused"


def _receipt_proof(receipt: Receipt | None, *, peer: str) -> ReceiptProof | None:
    """Return what the partner's log showed of its receipt; a receipt of our own has its leaf among our proofs."""
    shown = leaves.of_receipt(receipt) if receipt is not None and receipt.node == peer else None
    return None if shown is None else ReceiptProof(shown.path, shown.checkpoint)


def _told_before(crossing: Crossing, *, peer: str) -> tuple[bytes, ...]:
    """Return our last word to the partner that this log had not yet come to the leaf, which bounds it from below."""
    if crossing.direction != Crossing.Direction.OUT:
        return ()
    told = OwnStatement.objects.filter(
        node_id=peer, origin=crossing.tree.origin, size__gt=0, size__lte=crossing.leaf_index
    )
    last = told.order_by("size").last()
    return () if last is None else (bytes(last.signed),)


def _chain_of(crossing: Crossing, receipt: Receipt | None, *, peer: str) -> tuple[Card, ...]:
    """Return the chain under which the partner spoke of this crossing: one that was pinned anew since had another."""
    signed = receipt.signed if receipt is not None and receipt.node == peer else bytes(crossing.token)
    found, kid = chains(peer), key_of(signed) if signed else ""
    for each in found:
        if kid in {thumbprint(card.keys.transport) for card in each}:
            return each
    return found[-1]


def _held(
    crossing: Crossing, receipt: Receipt | None, head: LogTree, *, own: str, peer: str, index: int
) -> HeldByPeer | None:
    """Return the checkpoint containing a leaf that a partner said it holds.

    If one of our keys that signed was revoked since, the word from before the revocation is looked for first.
    """
    revoked = revoked_cards(own)
    if revoked:
        signed = {bytes(crossing.token)} | ({receipt.signed} if receipt is not None else set())
        kids = {key_of(each) for each in signed if each}
        lost = [card.hash for card in chain(own) if card.hash in revoked and thumbprint(card.keys.transport) in kids]
        frozen = HeldByPeer.every.filter(node_id=peer, origin=head.origin, size__gt=index, frozen_by__in=lost)
        if frozen.exists():
            return frozen.first()
    return HeldByPeer.objects.filter(node_id=peer, origin=head.origin, size__gt=index).first()


def _proofs(
    crossing: Crossing, receipt: Receipt | None, *, own: str, peer: tuple[Card, ...], now: datetime
) -> tuple[tuple[LogProof, ...], tuple[bytes, ...]]:
    head = LogTree.objects.select_for_update().get(pk=crossing.tree_id)
    found = [*_leaf_of_own_signature(head, own=own), *_leaves(crossing, head)]
    name = peer[0].id
    held = _held(crossing, receipt, head, own=own, peer=name, index=found[-1].index)
    if held is None and Partner.objects.filter(node_id=name, confirmed_at__isnull=True).exists():
        raise PartnerNotHeard(
            f"{name} has not shown since this node started which checkpoints it holds, and until then none is signed "
            "here. Wait until it is reached; `corridor peer list` shows when."
        )
    signed = bytes(held.signed) if held else checkpoints.sign(head, now=now).signed
    size = control.read_checkpoint_by(signed, log_keys=log_keys_of(own), node=own).size
    reader = checkpoints.reader_of(head)
    proofs = tuple(
        LogProof(
            node=own,
            salt=bytes(leaf.salt),
            record=bytes(leaf.record),
            index=leaf.index,
            path=tuple(tree.inclusion_proof(reader, leaf.index, size)),
            checkpoint=signed,
        )
        for leaf in found
    )
    # A statement by keys that are not in this file, since the partner was pinned anew in between, bounds nothing here.
    spoken = held is not None and key_of(bytes(held.statement)) in {thumbprint(card.keys.transport) for card in peer}
    return proofs, (bytes(held.statement),) if held is not None and spoken else ()


def _leaf_of_own_signature(head: LogTree, *, own: str) -> list[LogLeaf]:
    """Return the leaf of our signature of the agreement if a key of ours was revoked since, else nothing.

    The signature counts then only because a checkpoint that a partner held before contains it.
    """
    if head.kind != LogTree.Kind.AGREEMENT or not revoked_cards(own):
        return []
    rows = AgreementSignature.objects.filter(agreement__first_version=head.subject, node_id=own)
    named = [parse_statement(bytes(signed)).hash.encode() for signed in rows.values_list("signed", flat=True)]
    return [
        leaf
        for leaf in LogLeaf.objects.filter(tree=head).order_by("index").iterator()
        if b'"kind":"statement"' in bytes(leaf.record) and any(each in bytes(leaf.record) for each in named)
    ]


def _leaves(crossing: Crossing, head: LogTree) -> list[LogLeaf]:
    """Return the leaf of a crossing, and those that say what became of it: that it was withdrawn, its body deleted."""
    # A deletion that stands in the tree of a later epoch is not in this one, and has no place in its proof.
    places = BodyKeeping.objects.filter(crossing=crossing, tree=head).values("leaf_index")
    deleted = LogLeaf.objects.filter(tree=head, index__in=places)
    return [*_leaves_of_crossing(crossing, head), *deleted]


def _leaves_of_crossing(crossing: Crossing, head: LogTree) -> list[LogLeaf]:
    first = LogLeaf.objects.get(tree=head, index=crossing.leaf_index)
    is_out = crossing.direction == Crossing.Direction.OUT
    if not is_out or crossing.status != Crossing.Status.REFUSED or crossing.receipt:
        return [first]
    later = LogLeaf.objects.filter(tree=head, index__gt=crossing.leaf_index).order_by("index")
    for leaf in later.iterator():
        record = bytes(leaf.record)
        if b'"kind":"withdrawn"' in record and crossing.token_hash.encode() in record:
            return [first, leaf]
    return [first]


def _signatures(agreement: Agreement) -> tuple[bytes, ...]:
    return tuple(
        bytes(row.signed) for row in AgreementSignature.objects.filter(agreement=agreement).order_by("node_id")
    )


def _history(node_id: str, cards: tuple[Card, ...]) -> NodeHistory:
    statements = []
    rows = KeyRevocation.objects.filter(node_id=node_id, card_hash__in=[card.hash for card in cards])
    for row in rows.order_by("recorded_at", "pk"):
        statements += [bytes(row.signed)] + ([bytes(row.reinstatement)] if row.reinstatement else [])
    return NodeHistory(cards=tuple(card.signed for card in cards), revocations=tuple(statements))
