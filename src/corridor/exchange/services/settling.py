"""Settle a delivered claim: store the receipts, each with a leaf; put off what the partner deferred."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from corridor.accounts.actors import Actor
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError
from corridor.exchange.models import Crossing, OutboxEntry
from corridor.exchange.rules.receipt import Receipt, read_receipt
from corridor.exchange.services import bulk, log
from corridor.exchange.services.claims import Claim, Claimed
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.inbox import Reply
from corridor.exchange.services.partners import lock_partner, transport_keys

RETRY_AFTER = timedelta(seconds=20)
"""How long a deferred envelope waits before the first repeat; the wait doubles up to an hour."""
RETRY_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many envelopes of a claim ended how, and the receipts, each with its place among the replies."""

    accepted: int = 0
    refused: int = 0
    deferred: int = 0
    receipts: tuple[tuple[int, Receipt], ...] = ()


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
    store([(each.crossing_id, receipt) for each, receipt in receipts], to_node=to_node, now=now)
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


def store(receipts: Sequence[tuple[int, Receipt]], *, to_node: str, now: datetime) -> None:
    """Store receipts, each with the crossing that it ends, and a leaf for each; one that came before changes nothing.

    Parameters
    ----------
    receipts : sequence of (int, Receipt)
        Each verified, and about the envelope of that crossing.
    to_node : str
    now : datetime, aware
    """
    waiting = OutboxEntry.objects.filter(to_node=to_node, crossing_id__in=[number for number, _ in receipts])
    # A receipt that came twice, by two workers, is stored and logged once.
    open_ids = set(waiting.values_list("crossing_id", flat=True))
    fresh = [(number, receipt) for number, receipt in receipts if number in open_ids]
    rows = Crossing.objects.filter(pk__in=[number for number, _ in fresh])
    trees = {number: (kind, subject) for number, kind, subject in rows.values_list("pk", "tree__kind", "tree__subject")}
    by_tree: dict[tuple[str, str], list[Receipt]] = defaultdict(list)
    for number, receipt in fresh:
        by_tree[trees[number]].append(receipt)
    for (kind, subject), group in sorted(by_tree.items()):
        log.append(
            log.lock_tree(kind, subject=subject, now=now),
            [
                log.record(
                    "receipted", now=now, envelope=receipt.envelope_hash, receipt=receipt.hash, outcome=receipt.outcome
                )
                for receipt in group
            ],
        )
    moment = bulk.moment(now)
    bulk.update(
        Crossing,
        ("status", "reason", "receipt", "settled_at"),
        [(receipt.outcome, receipt.reason or "", receipt.signed, moment, number) for number, receipt in fresh],
    )
    OutboxEntry.objects.filter(crossing_id__in=[number for number, _ in fresh]).delete()


def _put_off(deferred: Sequence[tuple[Claimed, str]], *, now: datetime) -> None:
    rows = {entry.pk: entry for entry in OutboxEntry.objects.filter(pk__in=[each.entry_id for each, _ in deferred])}
    for each, reason in deferred:
        entry = rows.get(each.entry_id)
        if entry is not None:
            wait = min(RETRY_AFTER * 2 ** min(entry.attempts - 1, 12), RETRY_AT_MOST)
            entry.due_at, entry.last_error = now + wait, reason[:300]
            entry.lease, entry.leased_until_at = "", None
    OutboxEntry.objects.bulk_update(rows.values(), ["due_at", "last_error", "lease", "leased_until_at"])
