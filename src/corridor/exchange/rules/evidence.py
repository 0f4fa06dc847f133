"""Evidence: one file with which anybody can check what crossed, without a node and without asking either side.

Keys inside a file anchor nothing: a forger makes keys as easily as signatures. So `verify` calls a file authentic
only where fingerprints that the reader has pinned by another way match every node whose signature it rests on, and
says "consistent, signers unauthenticated" otherwise. Where a signature, proof or digest does not hold, the file was
altered.

Times are words of the parties, not of a clock that both trust: `Verdict.latest_at` is when the other side says that
it had the object, or a checkpoint that contains it; `Verdict.earliest_at` is when the log's own node had said, to the
other side, that its log was not yet that long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from corridor.base.errors import CorridorError
from corridor.exchange.rules.card import parse_fingerprint
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.evidence_file import (
    Contents,
    Kind,
    LogProof,
    NodeHistory,
    Opening,
    ReceiptProof,
    build,
    read,
)
from corridor.exchange.rules.examination import Examination
from corridor.exchange.rules.signer import Signer

__all__ = [
    "Contents",
    "Kind",
    "LogProof",
    "NodeHistory",
    "NodeStanding",
    "Opening",
    "ReceiptProof",
    "Status",
    "Verdict",
    "build",
    "verify",
]

Status: TypeAlias = Literal["authentic", "unauthenticated", "altered"]


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """One node whose signature an evidence file rests on.

    Attributes
    ----------
    node : str
    fingerprint : str
        Of the cards in the file.
    is_pinned : bool
        Whether it is the one that the reader pinned.
    """

    node: str
    fingerprint: str
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an evidence file proves to this reader.

    Attributes
    ----------
    status : {"authentic", "unauthenticated", "altered"}
    reasons : tuple of str
        Why it is not authentic; empty if it is.
    findings : tuple of str
        What the file shows, if the signers are who it says.
    remarks : tuple of str
        What a reader should know besides.
    nodes : tuple of NodeStanding
    earliest_at, latest_at : datetime or None
        Bounds of the time at which the object entered the log or reached the other side; None where the file bounds
        nothing.
    claimed_at : datetime or None
        When the author says that it made it.
    header : Header or None
        Of the envelope.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nodes: tuple[NodeStanding, ...] = ()
    earliest_at: datetime | None = None
    latest_at: datetime | None = None
    claimed_at: datetime | None = None
    header: Header | None = None

    @property
    def exit_code(self) -> int:
        """0 if authentic, else 3."""
        return 0 if self.status == "authentic" else 3


def verify(data: bytes, trust: Mapping[str, str]) -> Verdict:
    """Return what an evidence file proves.

    Parameters
    ----------
    data : bytes
        The file.
    trust : mapping from node id to fingerprint
        Those that the reader compared by another way. Empty: nothing can be more than consistent.

    Raises
    ------
    BadFingerprint
        If a text in `trust` is no fingerprint. Nothing in `data` raises.
    """
    pinned = {node: parse_fingerprint(text) for node, text in trust.items()}
    try:
        contents = read(data)
        signers = {node: Signer.of(node, history) for node, history in contents.nodes.items()}
        examined = Examination(contents, signers)
        examined.run()
    except CorridorError as fault:
        return Verdict(status="altered", reasons=(str(fault),))
    return _verdict(examined, signers=signers, pinned=pinned)


def _verdict(examined: Examination, *, signers: Mapping[str, Signer], pinned: Mapping[str, str]) -> Verdict:
    standings, reasons = [], list(examined.after_revocation())
    remarks = [
        f"{node} is pinned by you, but nothing in this file is signed by it" for node in pinned.keys() - signers.keys()
    ]
    for node, signer in sorted(signers.items()):
        matches = pinned.get(node) == signer.fingerprint
        standings.append(NodeStanding(node=node, fingerprint=signer.fingerprint, is_pinned=matches))
        if node not in pinned:
            reasons.append(
                f"{node} is not pinned: whatever it signed here is consistent only. Compare its fingerprint "
                f"with its institution, not with this file, and add --trust {node}=FINGERPRINT."
            )
        elif not matches:
            reasons.append(
                f"{node}: you pinned {pinned[node]}, but the cards in this file have {signer.fingerprint}. "
                "They are another node's, or forged."
            )
        if signer.cards[0].demo:
            remarks.append(f"the cards of {node} say that they belong to a demonstration")
    earliest_at = max((bound.at for bound in examined.earliest), default=None)
    latest_at = min((bound.at for bound in examined.latest), default=None)
    remarks += [bound.finding for bound in (*examined.earliest, *examined.latest)]
    if earliest_at is not None and latest_at is not None and earliest_at > latest_at:
        remarks.append("the times that the two sides state exclude each other; at least one clock was wrong")
    return Verdict(
        status="unauthenticated" if reasons else "authentic",
        reasons=tuple(reasons),
        findings=tuple(examined.findings),
        remarks=tuple(remarks),
        nodes=tuple(standings),
        earliest_at=earliest_at,
        latest_at=latest_at,
        claimed_at=examined.claimed_at,
        header=examined.unpacked.header if examined.unpacked else None,
    )
