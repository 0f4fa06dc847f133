"""The tables of the exchange, by subject."""

from corridor.exchange.models.agreements import (
    Agreement,
    AgreementSignature,
    AgreementStatement,
    ChannelDay,
    ExportCounter,
    ExportedPerson,
    ReleasedCell,
)
from corridor.exchange.models.crossings import BodyKeeping, Crossing, HandRelease, OutboxEntry, SealedBody
from corridor.exchange.models.log import (
    Dispute,
    HeldByPeer,
    LogLeaf,
    LogTile,
    LogTree,
    OwnStatement,
    PeerCheckpoint,
    PeerLeaf,
    UnauthenticatedCount,
)
from corridor.exchange.models.node import CardVersion, KeyRevocation, Node, Partner

__all__ = [
    "Agreement",
    "AgreementSignature",
    "AgreementStatement",
    "BodyKeeping",
    "CardVersion",
    "ChannelDay",
    "Crossing",
    "Dispute",
    "ExportCounter",
    "ExportedPerson",
    "HandRelease",
    "HeldByPeer",
    "KeyRevocation",
    "LogLeaf",
    "LogTile",
    "LogTree",
    "Node",
    "OutboxEntry",
    "OwnStatement",
    "Partner",
    "PeerCheckpoint",
    "PeerLeaf",
    "ReleasedCell",
    "SealedBody",
    "UnauthenticatedCount",
]
