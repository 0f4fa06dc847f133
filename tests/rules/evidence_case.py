"""A small corridor of two nodes, made by hand, from which tests of proof take what they need."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from corridor.exchange.rules import tree
from corridor.exchange.rules.agreement.life import Kind as StatementKind
from corridor.exchange.rules.agreement.statement import make_statement
from corridor.exchange.rules.canonical import canonical, sha256_hex, utc_text
from corridor.exchange.rules.card import Card, NodeKeys, fingerprint, make_card
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.control import make_checkpoint_statement
from corridor.exchange.rules.envelope import Header, Sealed, new_id, pack
from corridor.exchange.rules.evidence import Contents, LogProof, NodeHistory
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.rules.note import log_origin, sign_checkpoint
from corridor.exchange.rules.receipt import make_receipt

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@dataclass
class Log:
    """One tree of one node, with its salts and records."""

    node: "Party"
    origin: str
    leaves: list[tuple[bytes, bytes]] = field(default_factory=list)

    def append(self, **record: object) -> int:
        self.leaves.append((secrets.token_bytes(32), canonical(record)))
        return len(self.leaves) - 1

    @property
    def hashes(self) -> list[bytes]:
        return [tree.leaf_hash(salt + record) for salt, record in self.leaves]

    def checkpoint(self, size: int | None = None) -> bytes:
        hashes = self.hashes[:size]
        return sign_checkpoint(self.origin, len(hashes), tree.root(hashes), self.node.keys.log, self.node.card.id)

    def prove(self, index: int, size: int | None = None) -> LogProof:
        size = len(self.leaves) if size is None else size
        return LogProof(
            node=self.node.card.id,
            salt=self.leaves[index][0],
            record=self.leaves[index][1],
            index=index,
            path=tuple(tree.inclusion_proof(self.hashes, index, size)),
            checkpoint=self.checkpoint(size),
        )


@dataclass
class Party:
    """A node with its keys."""

    keys: NodeKeys
    recovery: SigningKey
    card: Card

    @classmethod
    def found(cls, node: str, *, demo: bool = False) -> "Party":
        keys, recovery = NodeKeys.generate(), SigningKey.generate()
        card = make_card(
            id=node,
            legal_entity=f"Institute of {node}",
            names={"en": node},
            country=node[:2].upper(),
            url="https://node.example.org",
            keys=keys,
            recovery=recovery.public,
            issued_at=NOW - timedelta(days=30),
            demo=demo,
        )
        return cls(keys, recovery, card)

    @property
    def history(self) -> NodeHistory:
        return NodeHistory(cards=(self.card.signed,))

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.card)

    def log(self, agreement: str) -> Log:
        return Log(self, log_origin(self.card.id, kind="agreement", subject=agreement, epoch=1))


@dataclass
class Case:
    """Two parties, one agreement, one envelope that crossed."""

    sender: Party
    receiver: Party
    contents: Contents
    sent: Log
    received: Log

    @property
    def trust(self) -> dict[str, str]:
        return {party.card.id: party.fingerprint for party in (self.sender, self.receiver)}


def header_for(
    sender: Party, receiver: Party, *, agreement: str, data_class: DataClass = DataClass.AGGREGATE, sealed: bool = False
) -> Header:
    return Header(
        id=new_id(NOW),
        from_=sender.card.id,
        to=receiver.card.id,
        agreement=agreement,
        channel="counts",
        schema="surveillance.period-counts/1",
        purpose="disease-surveillance",
        data_class=data_class,
        persons=0,
        created_at=NOW,
        body_kind="sealed" if sealed else "plain",
    )


def crossed(*, outcome: str = "accepted", reason: str = "", sealed: Sealed | None = None) -> Case:
    """Return the case of one envelope from pk.nih to cn.cdc, with agreement, receipt, proofs and times."""
    sender, receiver = Party.found("pk.nih"), Party.found("cn.cdc")
    agreement = canonical(
        {
            "purpose": secrets.token_hex(8),
            "parties": [{"node": "pk.nih"}, {"node": "cn.cdc"}],
            "schema": "health-corridor.agreement/1",
        }
    )
    named = sha256_hex(agreement)
    signatures = tuple(
        make_statement(
            StatementKind.SIGNATURE,
            agreement=named,
            party=party.card.id,
            after=None,
            key=party.keys.agreement,
            now=NOW - timedelta(days=9),
            document=agreement,
        ).signed
        for party in (sender, receiver)
    )
    token = pack(header_for(sender, receiver, agreement=named), b'{"cells":[]}', key=sender.keys.transport)
    sent, received = sender.log(named), receiver.log(named)
    for count, log in ((3, sent), (5, received)):
        for number in range(count):
            log.append(kind="sent", at=utc_text(NOW), envelope=sha256_hex(b"other %d" % number), agreement=named)
    place = sent.append(kind="sent", at=utc_text(NOW), envelope=sha256_hex(token), agreement=named)
    answered = received.append(kind="received", envelope=sha256_hex(token), agreement=named, outcome=outcome)
    receipt = make_receipt(
        envelope_hash=sha256_hex(token),
        agreement=named,
        outcome=outcome,
        reason=reason,
        epoch=1,
        index=answered,
        leaf_hash=received.hashes[answered],
        origin=received.origin,
        at=NOW + timedelta(seconds=2),
        key=receiver.keys.transport,
    )
    sent.append(kind="receipt", envelope=sha256_hex(token), receipt=sha256_hex(receipt))
    early = make_checkpoint_statement(
        node="pk.nih",
        to="cn.cdc",
        at=NOW - timedelta(hours=1),
        nonce="n" * 22,
        key=sender.keys.transport,
        given=sent.checkpoint(3),
    )
    held = make_checkpoint_statement(
        node="cn.cdc",
        to="pk.nih",
        at=NOW + timedelta(seconds=1),
        nonce="n" * 22,
        key=receiver.keys.transport,
        given=received.checkpoint(5),
        held=sent.checkpoint(),
    )
    contents = Contents(
        kind="refusal" if outcome == "refused" else "envelope",
        nodes={"pk.nih": sender.history, "cn.cdc": receiver.history},
        envelope=token,
        receipt=receipt,
        agreement=agreement,
        agreement_signatures=signatures,
        proofs=(sent.prove(place), received.prove(answered)),
        statements=(early, held),
    )
    return Case(sender, receiver, contents, sent, received)


def without(contents: Contents, **changes: object) -> Contents:
    """Return `contents` with some members replaced."""
    return replace(contents, **changes)  # type: ignore[arg-type]
