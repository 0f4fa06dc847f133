"""Record what came, or what a partner took back before it came: inbox row, log leaf and signed receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from corridor.exchange import keystore
from corridor.exchange.models import Crossing, LogTree
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.receipt import make_receipt
from corridor.exchange.services import bulk, log
from corridor.exchange.services.crash import crash_point


@dataclass(frozen=True, slots=True)
class Inbound:
    """One envelope of a partner's and what this node ruled about it.

    Attributes
    ----------
    header : Header
    token_hash : str
    token : bytes
        Empty where the envelope was taken back before it came.
    outcome : {"accepted", "refused"}
    reason : str
        Empty where it is accepted.
    """

    header: Header
    token_hash: str
    token: bytes
    outcome: str
    reason: str


def record(entries: Sequence[Inbound], *, head: LogTree, epoch: int, now: datetime) -> list[bytes]:
    """Write a leaf, a receipt and an inbox row for each entry, in the caller's transaction; return the receipts.

    Parameters
    ----------
    entries : sequence of Inbound
    head : LogTree
        Locked.
    epoch : int
        Of this node's log.
    now : datetime, aware

    Returns
    -------
    list of bytes
        One for each entry: what a repeat is answered with.
    """
    leaves = log.append(head, [_leaf_record(each, now=now) for each in entries])
    crash_point("receive-after-append")
    key = keystore.own_keys().transport
    receipts = [
        make_receipt(
            envelope_hash=each.token_hash,
            agreement=each.header.agreement,
            outcome=each.outcome,
            reason=each.reason,
            epoch=epoch,
            index=leaf.index,
            leaf_hash=leaf.leaf_hash,
            origin=head.origin,
            at=now,
            key=key,
        )
        for each, leaf in zip(entries, leaves, strict=True)
    ]
    moment = bulk.moment(now)
    bulk.insert(
        Crossing,
        _COLUMNS,
        [
            _row(each, receipt, tree=head.pk, index=leaf.index, moment=moment)
            for each, leaf, receipt in zip(entries, leaves, receipts, strict=True)
        ],
    )
    return receipts


def _leaf_record(entry: Inbound, *, now: datetime) -> bytes:
    header = entry.header
    return log.record(
        "received",
        now=now,
        envelope=entry.token_hash,
        id=header.id,
        **{"from": header.from_},
        agreement=header.agreement,
        schema=header.schema,
        outcome=entry.outcome,
        reason=entry.reason,
    )


_COLUMNS = (
    "direction",
    "envelope_id",
    "from_node",
    "to_node",
    "agreement_hash",
    "channel",
    "schema",
    "purpose",
    "data_class",
    "persons",
    "status",
    "reason",
    "token_hash",
    "token",
    "receipt",
    "lost_receipt",
    "tree",
    "leaf_index",
    "created_at",
    "recorded_at",
    "settled_at",
    "actor",
)


def _row(entry: Inbound, receipt: bytes, *, tree: int, index: int, moment: Any) -> tuple[Any, ...]:
    """Return the inbox row of an envelope, in the order of `_COLUMNS`."""
    header = entry.header
    return (
        "in",
        header.id,
        header.from_,
        header.to,
        header.agreement,
        header.channel,
        header.schema,
        header.purpose,
        str(header.data_class),
        header.persons,
        entry.outcome,
        entry.reason,
        entry.token_hash,
        entry.token,
        receipt,
        b"",
        tree,
        index,
        bulk.moment(header.created_at),
        moment,
        moment,
        "",
    )
