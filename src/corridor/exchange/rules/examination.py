"""The examination of an evidence file: everything in it is checked against everything else in it.

What does not hold raises. What holds becomes a finding in words, and a bound of time where a party's statement
gives one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from corridor.base.errors import CorridorError
from corridor.exchange.rules.agreement.life import Kind as StatementKind
from corridor.exchange.rules.agreement.statement import parse_statement, verify_statement
from corridor.exchange.rules.canonical import parse_canonical, sha256_hex
from corridor.exchange.rules.control import CheckpointStatement, read_checkpoint_by, read_checkpoint_statement
from corridor.exchange.rules.envelope import Unpacked, check_ciphertext, unpack
from corridor.exchange.rules.evidence_file import Contents, LogProof
from corridor.exchange.rules.jws import BadSignature, Malformed, key_of
from corridor.exchange.rules.note import Checkpoint
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.rules.sealing import commitment
from corridor.exchange.rules.signer import Signer
from corridor.exchange.rules.tree import leaf_hash, verify_inclusion

_REFUSING = ("refused", "withdrawn")
_LATER = ("held", "released", "deleted")
"""Kinds of records that tell what became of a body long after its envelope crossed; they bound no time of it."""


class Bound(NamedTuple):
    """One bound of time, and the words of whom it rests on."""

    at: datetime
    finding: str


class _Signed(NamedTuple):
    """One object that counts only as long as the key that signed it was not revoked."""

    node: str
    public: bytes
    hash: str
    what: str


class _Proved(NamedTuple):
    """A leaf that stands in its log: its proof, the checkpoint, its record, and which hashes of this file it names."""

    proof: LogProof
    checkpoint: Checkpoint
    record: Mapping[str, object]
    named: set[str]


@dataclass(slots=True)
class Examination:
    """Checks everything in a file against everything else in it; raises where something does not hold."""

    contents: Contents
    signers: Mapping[str, Signer]
    findings: list[str] = field(default_factory=list)
    earliest: list[Bound] = field(default_factory=list)
    latest: list[Bound] = field(default_factory=list)
    claimed_at: datetime | None = None
    unpacked: Unpacked | None = None
    receipt: Receipt | None = None
    _signed: list[_Signed] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)
    _proved: list[_Proved] = field(default_factory=list)
    _signed_at: dict[str, datetime] = field(default_factory=dict)
    _held: list[tuple[CheckpointStatement, Checkpoint]] = field(default_factory=list)

    def run(self) -> None:
        """Examine envelope, receipt, agreement, proofs, statements, in this order."""
        self._examine_envelope()
        self._examine_receipt()
        self._examine_agreement()
        for proof in self.contents.proofs:
            self._examine_proof(proof)
        for token in self.contents.statements:
            self._examine_statement(token)
        self._bound_by_agreement()
        self._examine_kind()
        if self._used != set(self.signers):
            raise Malformed("the file carries cards of a node that signed nothing in it")

    def _signer(self, node: str) -> Signer:
        if node not in self.signers:
            raise Malformed(f"the file lacks the cards of {node}")
        self._used.add(node)
        return self.signers[node]

    def _owner(self, kid: str, node: str) -> bytes:
        """Return the public key called `kid`, which must be one of `node`."""
        public = self._signer(node).transport.get(kid)
        if public is None:
            raise BadSignature(f"what names {node} as its author is signed by another node's key")
        return public

    @property
    def _all_transport(self) -> dict[str, bytes]:
        return {kid: public for signer in self.signers.values() for kid, public in signer.transport.items()}

    def _examine_envelope(self) -> None:
        if self.contents.envelope is None:
            if self.contents.ciphertext is not None or self.contents.opening is not None:
                raise Malformed("the file carries a ciphertext or an opening without an envelope")
            return
        unpacked = unpack(self.contents.envelope, keys=self._all_transport)
        header = unpacked.header
        public = self._owner(unpacked.kid, header.from_)
        self.unpacked, self.claimed_at = unpacked, header.created_at
        self._signed.append(_Signed(header.from_, public, unpacked.token_hash, "the envelope"))
        self.findings.append(f"{header.from_} signed envelope {header.id} to {header.to}: {header.schema}")
        if self.contents.ciphertext is not None:
            check_ciphertext(unpacked, self.contents.ciphertext)
            self.findings.append("the ciphertext is the one that the sender signed")
        if self.contents.opening is not None:
            opening = self.contents.opening
            if unpacked.sealed is None or commitment(opening.body, r=opening.r) != unpacked.sealed.mac:
                raise Malformed("the body shown is not the one that the sender committed to")
            self.findings.append("the body shown is the one that the sender committed to")

    def _examine_receipt(self) -> None:
        if self.contents.receipt is None:
            if self.contents.receipt_proof is not None:
                raise Malformed("the file carries the proof of a receipt without the receipt")
            return
        receipt = read_receipt(self.contents.receipt, keys=self._all_transport)
        public = self._owner(key_of(self.contents.receipt), receipt.node)
        if self.unpacked is not None:
            header = self.unpacked.header
            expected = (self.unpacked.token_hash, header.agreement, header.to)
            if (receipt.envelope_hash, receipt.agreement, receipt.node) != expected:
                raise Malformed("the receipt answers another envelope")
        else:
            self.claimed_at = receipt.at
        self.receipt = receipt
        self._signed.append(_Signed(receipt.node, public, receipt.hash, "the receipt"))
        ending = f" ({receipt.reason})" if receipt.reason else ""
        self.findings.append(f"{receipt.node} receipted it as {receipt.outcome}{ending} at {_minute(receipt.at)}")
        self.latest.append(
            Bound(receipt.at, f"{receipt.node} states that it had the envelope at {_minute(receipt.at)}")
        )
        self._examine_receipt_proof(receipt)

    def _examine_receipt_proof(self, receipt: Receipt) -> None:
        shown = self.contents.receipt_proof
        if shown is None:
            return
        checkpoint = read_checkpoint_by(shown.checkpoint, log_keys=self._signer(receipt.node).log, node=receipt.node)
        if checkpoint.origin != receipt.origin or not verify_inclusion(
            receipt.leaf_hash, index=receipt.index, size=checkpoint.size, proof=shown.path, root=checkpoint.root
        ):
            raise Malformed(f"the leaf that the receipt names is not contained in the checkpoint of {receipt.node}")
        self.findings.append(
            f"the leaf that the receipt names stands in the log of {receipt.node}, under its signed checkpoint of "
            f"{checkpoint.size} leaves"
        )

    def _examine_agreement(self) -> None:
        document = self.contents.agreement
        if document is None:
            if self.contents.agreement_signatures:
                raise Malformed("the file carries signatures of an agreement without the agreement")
            return
        value = parse_canonical(document)
        parties = value.get("parties") if isinstance(value, dict) else None
        if not isinstance(parties, list):
            raise Malformed("the agreement in this file names no parties")
        named = sha256_hex(document)
        referred = (
            self.unpacked.header.agreement if self.unpacked else self.receipt.agreement if self.receipt else named
        )
        if referred != named:
            raise Malformed("the agreement in this file is not the one that the envelope names")
        nodes = {str(party.get("node")) for party in parties if isinstance(party, dict)}
        signed = [
            self._examine_signature(signature, document, nodes) for signature in self.contents.agreement_signatures
        ]
        if len(signed) != len(set(signed)):
            raise Malformed("the file carries two signatures of one party to the agreement")
        missing = sorted(nodes - set(signed))
        ending = f"; without the signature of {', '.join(missing)}" if missing else "; no party is missing"
        self.findings.append(
            f"the agreement {named[:12]}… is signed by {', '.join(sorted(signed)) or 'nobody here'}{ending}"
        )

    def _examine_signature(self, signed: bytes, document: bytes, nodes: set[str]) -> str:
        statement = parse_statement(signed)
        if statement.kind is not StatementKind.SIGNATURE or statement.agreement != sha256_hex(document):
            raise Malformed("a signature in this file is not one of its agreement")
        if statement.party not in nodes:
            raise Malformed(f"{statement.party} signed an agreement to which it is no party")
        for public in self._signer(statement.party).agreement:
            try:
                verify_statement(statement, public=public, document=document)
            except CorridorError:
                continue
            self._signed.append(_Signed(statement.party, public, statement.hash, "the signature of the agreement"))
            self._signed_at[statement.party] = statement.stated_at
            if self.claimed_at is None or (self.unpacked is None and self.receipt is None):
                self.claimed_at = max(statement.stated_at, self.claimed_at or statement.stated_at)
            return statement.party
        raise BadSignature(f"the signature of {statement.party} does not belong to this agreement")

    def _subjects(self) -> set[str]:
        """Return the hashes that a log record may name to be about this file's object."""
        subjects = {signed.hash for signed in self._signed}
        subjects |= {sha256_hex(signature) for signature in self.contents.agreement_signatures}
        if self.receipt is not None:
            subjects.add(self.receipt.envelope_hash)
        return subjects

    def _named(self, record: Mapping[str, object]) -> set[str]:
        """Return the hashes by which a log record is about this file's object; empty if it is about something else."""
        values = {value for value in record.values() if isinstance(value, str)}
        named = values & self._subjects()
        # A record of any envelope names its agreement too, and says nothing about the agreement itself.
        if self.contents.kind == "agreement" and self.contents.agreement is not None and "envelope" not in record:
            named |= values & {sha256_hex(self.contents.agreement)}
        return named

    def _examine_proof(self, proof: LogProof) -> None:
        checkpoint = read_checkpoint_by(proof.checkpoint, log_keys=self._signer(proof.node).log, node=proof.node)
        leaf = leaf_hash(proof.salt + proof.record)
        if not verify_inclusion(leaf, index=proof.index, size=checkpoint.size, proof=proof.path, root=checkpoint.root):
            raise Malformed(f"the leaf is not contained in the checkpoint of {proof.node}")
        record = parse_canonical(proof.record)
        if not isinstance(record, dict):
            raise Malformed("a log record is a JSON object")
        named = self._named(record)
        if not named:
            raise Malformed(f"the log record of {proof.node} is about something else")
        receipt = self.receipt
        if receipt is not None and (receipt.origin, receipt.index) == (checkpoint.origin, proof.index):
            if receipt.leaf_hash != leaf:
                raise Malformed(f"the receipt of {proof.node} names another leaf than its log holds")
            self.findings.append(f"the leaf that the receipt names stands in the log of {proof.node}")
        self._proved.append(_Proved(proof, checkpoint, record, named))
        if record.get("kind") == "deleted":
            self.findings.append(
                f"{proof.node} states in its log that it deleted the body ({str(record.get('why', ''))[:40]}), "
                f"at {str(record.get('at', ''))[:16].replace('T', ' ')} UTC; what it said can no longer be shown by it"
            )
        self.findings.append(
            f"leaf {proof.index} of {checkpoint.origin} records it ({str(record.get('kind', 'record'))[:40]}), "
            f"under the signed checkpoint of {checkpoint.size} leaves"
        )

    def _examine_statement(self, token: bytes) -> None:
        statement = read_checkpoint_statement(token, keys=self._all_transport)
        self._owner(key_of(token), statement.node)
        author = self._signer(statement.node)
        given = [
            read_checkpoint_by(data, log_keys=author.log, node=author.node)
            for data in (statement.given, statement.quoted)
            if data is not None
        ]
        if statement.held is not None:
            other = self._signer(statement.to)
            held = read_checkpoint_by(statement.held, log_keys=other.log, node=other.node)
            self._held.append((statement, held))
            self._bound_latest(statement, held)
        if statement.given is not None:
            self._bound_earliest(statement, given[0])

    def _bound_latest(self, statement: CheckpointStatement, held: Checkpoint) -> None:
        if any(_same(held, each.checkpoint) for each in self._proved) and statement.node != statement.to:
            finding = (
                f"{statement.node} states that at {_minute(statement.at)} it held a checkpoint "
                f"of {statement.to} that contains it"
            )
            self.latest.append(Bound(statement.at, finding))

    def _bound_earliest(self, statement: CheckpointStatement, given: Checkpoint) -> None:
        # Only the author's own log bounds the object from below; the other side's leaf came later anyway.
        author = self.unpacked.header.from_ if self.unpacked else self.receipt.node if self.receipt else None
        for proof, checkpoint, record, _ in self._proved:
            if record.get("kind") in _LATER:
                continue
            if proof.node == author and checkpoint.origin == given.origin and given.size <= proof.index:
                finding = (
                    f"{statement.node} stated at {_minute(statement.at)} to {statement.to} that its log had "
                    f"{given.size} leaves, so leaf {proof.index} came later"
                )
                self.earliest.append(Bound(statement.at, finding))

    def _bound_by_agreement(self) -> None:
        """Bound the time from below: a receiver accepts nothing under an agreement that it has not signed yet."""
        receipt = self.receipt
        if receipt is not None and receipt.outcome == "accepted" and receipt.node in self._signed_at:
            at = self._signed_at[receipt.node]
            finding = f"{receipt.node} signed the agreement at {_minute(at)} and accepted nothing under it before"
            self.earliest.append(Bound(at, finding))

    def _examine_kind(self) -> None:
        kind, receipt = self.contents.kind, self.receipt
        # An envelope that its sender's own gate stopped, when it was queued or when it was claimed for sending.
        refused_in_log = any(
            each.record.get("kind") in _REFUSING or each.record.get("outcome") == "refused" for each in self._proved
        )
        refused = receipt.outcome == "refused" if receipt is not None else refused_in_log
        holds = {
            "envelope": self.unpacked is not None and not refused,
            "refusal": self.unpacked is not None and refused,
            "receipt": self.unpacked is None and receipt is not None,
            "agreement": self.unpacked is None and receipt is None and bool(self.contents.agreement_signatures),
        }
        if not holds[kind]:
            raise Malformed(f"the file says that it is about a {kind}, but holds something else")

    def after_revocation(self) -> list[str]:
        """Return what does not count because its key was revoked before another held a checkpoint that contains it."""
        reasons = []
        for signed in self._signed:
            revocation = self.signers[signed.node].revocation_of(signed.public)
            if revocation is not None and not self._was_held(signed, before=revocation.at):
                reasons.append(
                    f"{signed.what} of {signed.node} is signed with a key revoked at {_minute(revocation.at)}, and no "
                    "checkpoint that another held before then contains it"
                )
        return reasons

    def _was_held(self, signed: _Signed, *, before: datetime) -> bool:
        checkpoints = [
            checkpoint
            for proof, checkpoint, _, named in self._proved
            if proof.node == signed.node and signed.hash in named
        ]
        return any(
            statement.node != signed.node and statement.at < before and any(_same(held, each) for each in checkpoints)
            for statement, held in self._held
        )


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    return (one.origin, one.size, one.root) == (other.origin, other.size, other.root)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
