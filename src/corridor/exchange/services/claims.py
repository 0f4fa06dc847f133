"""Claim what waits in the outbox for one delivery, under a lease, after the gate has judged it again."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault
from corridor.exchange.messages import KeyRevocationNotice
from corridor.exchange.models import Crossing, OutboxEntry
from corridor.exchange.rules.jws import key_of
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.services import bodies, log, withdrawals
from corridor.exchange.services.crash import crash_point
from corridor.exchange.services.gatekeeping import Gatekeeper
from corridor.exchange.services.inbox import Posted
from corridor.exchange.services.partners import (
    every_transport_key,
    lock_partner,
    own_keys_count,
    revoked_cards,
    transport_keys,
)

BATCH = 100
BATCH_BYTES = 3_500_000
LEASE = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(days=7)
BODY_DELETED = "body_deleted"
"""Why an envelope is undeliverable whose body is no longer here."""
EARLY_WAITS = timedelta(minutes=5)
"""How long an envelope that is early for its agreement's start stands aside before it is looked at again."""


class NothingToRetry(InputFault):
    """The crossing does not wait for a retry."""

    code = "nothing-to-retry"


@dataclass(frozen=True, slots=True)
class Claimed:
    """One envelope leased for one delivery."""

    entry_id: int
    crossing_id: int
    token_hash: str
    posted: Posted


@dataclass(frozen=True, slots=True)
class Claim:
    """What goes to one partner in one request."""

    to_node: str
    lease: str
    envelopes: tuple[Claimed, ...] = ()


def has_due(to_node: str, *, now: datetime) -> bool:
    """Return whether anything may be claimed for a partner now; reads only."""
    return _due(to_node, now=now).exists()


def _due(to_node: str, *, now: datetime) -> QuerySet[OutboxEntry]:
    free = Q(leased_until_at__isnull=True) | Q(leased_until_at__lte=now)
    waiting = OutboxEntry.objects.filter(free, to_node=to_node, due_at__lte=now)
    return waiting.filter(is_undeliverable=False, is_withdrawn=False)


@write("exchange.claim", subject="to_node")
def claim(to_node: str, *, actor: Actor, now: datetime) -> Claim:
    """Lease up to a hundred due envelopes of one partner, oldest first, after the gate has judged each of them again.

    What the gate refuses by now is recorded as refused and leaves the outbox, or is taken back from the partner if it
    was on its way before and may have arrived; what waited for more than seven days is
    undeliverable; what is over the cap of its channel's day waits for the next.
    """
    del actor
    log.signing_node()
    lock_partner(to_node)
    due = _due(to_node, now=now).order_by("id").select_related("crossing__sealed_body")
    rows = list(due.select_for_update(skip_locked=True, of=("self",))[:BATCH])
    rows = _set_revoked_aside(_bury(rows, now=now), now=now)
    cleared = _clear(rows, to_node=to_node, now=now)
    lease, size = str(uuid.uuid4()), 0
    taken: list[Claimed] = []
    for entry in cleared:
        ciphertext = bodies.load(entry.crossing)
        if ciphertext is None and bodies.sealed_body(entry.crossing) is not None:
            _set_aside([entry], last_error=BODY_DELETED)
            continue
        size += len(entry.crossing.token) + len(ciphertext or b"") * 4 // 3
        if taken and size > BATCH_BYTES:
            break
        posted = Posted(bytes(entry.crossing.token), ciphertext)
        taken.append(Claimed(entry.pk, entry.crossing_id, entry.crossing.token_hash, posted))
    OutboxEntry.objects.filter(pk__in=[each.entry_id for each in taken]).update(
        lease=lease, leased_until_at=now + LEASE, attempts=F("attempts") + 1
    )
    note(envelopes=len(taken))
    crash_point("claim-before-commit")
    return Claim(to_node, lease, tuple(taken))


def _bury(rows: Sequence[OutboxEntry], *, now: datetime) -> list[OutboxEntry]:
    """Set aside what has waited too long; a person may retry it by hand."""
    dead = [entry for entry in rows if entry.queued_at <= now - GIVE_UP_AFTER]
    if dead:
        _set_aside(dead)
        note(undeliverable=len(dead))
    return [entry for entry in rows if entry not in dead]


def _set_revoked_aside(rows: Sequence[OutboxEntry], *, now: datetime) -> list[OutboxEntry]:
    """Return what is signed with keys that count; the notices of a revocation go out all the same.

    What a revoked key signed waits as long as the key may be reinstated. Once new keys are in use it is undeliverable,
    since other bytes under the same id would be another envelope.
    """
    own = log.own_node().node_id
    lost = every_transport_key(own).keys() - transport_keys(own).keys() if revoked_cards(own) else set()
    stopped = [
        entry
        for entry in rows
        if lost
        and entry.crossing.schema != KeyRevocationNotice.schema_id()
        and key_of(bytes(entry.crossing.token)) in lost
    ]
    if stopped and own_keys_count():
        _set_aside(stopped, last_error=Reason.KEY_REVOKED.value)
        note(undeliverable=len(stopped))
    elif stopped:
        OutboxEntry.objects.filter(pk__in=[entry.pk for entry in stopped]).update(due_at=now + EARLY_WAITS)
    return [entry for entry in rows if entry not in stopped]


def _set_aside(dead: Sequence[OutboxEntry], **members: str) -> None:
    OutboxEntry.objects.filter(pk__in=[entry.pk for entry in dead]).update(is_undeliverable=True, **members)
    Crossing.objects.filter(pk__in=[entry.crossing_id for entry in dead]).update(status=Crossing.Status.UNDELIVERABLE)


@write("exchange.give_up")
def bury_old(*, actor: Actor, now: datetime) -> int:
    """Set aside everything that has waited for seven days, whether or not its partner is tried; return how many."""
    del actor
    old = OutboxEntry.objects.filter(is_undeliverable=False, queued_at__lte=now - GIVE_UP_AFTER)
    rows = list(old.order_by("id")[:1000])
    _bury(rows, now=now)
    return len(rows)


def _clear(rows: Sequence[OutboxEntry], *, to_node: str, now: datetime) -> list[OutboxEntry]:
    """Return what may still cross; record the refusal of the rest, and take back what may have arrived."""
    own_id = log.own_node().node_id
    gate, keys = Gatekeeper(own_id=own_id, now=now), every_transport_key(own_id)
    allowed, over, early, withdrawn, refused = [], [], [], [], defaultdict(list)
    for entry in rows:
        ruling = gate.judge_again(entry.crossing, keys=keys, counted_on=entry.counted_on)
        if ruling.is_allowed:
            entry.counted_on = ruling.counted_on
            allowed.append(entry)
        elif ruling.again_at is not None:
            entry.due_at, entry.last_error = ruling.again_at, ruling.reason
            over.append(entry)
        elif ruling.is_retry:
            early.append(entry.pk)
        elif entry.attempts and withdrawals.ask(entry.crossing, now=now):
            entry.is_withdrawn, entry.last_error = True, ruling.reason
            withdrawn.append(entry)
        else:
            refused[log.tree_of(ruling.first_version, partner=to_node)].append((entry, ruling))
    # What is early must not stand, batch after batch, before what may go.
    OutboxEntry.objects.filter(pk__in=early).update(due_at=now + EARLY_WAITS)
    OutboxEntry.objects.bulk_update(over, ["due_at", "last_error"])
    OutboxEntry.objects.bulk_update(withdrawn, ["is_withdrawn", "last_error"])
    OutboxEntry.objects.bulk_update(allowed, ["counted_on"])
    gate.count_passed()
    for (kind, subject), group in sorted(refused.items()):
        head = log.lock_tree(kind, subject=subject, now=now)
        log.append(
            head,
            [
                log.record(
                    "withdrawn",
                    now=now,
                    envelope=entry.crossing.token_hash,
                    id=entry.crossing.envelope_id,
                    to=to_node,
                    agreement=entry.crossing.agreement_hash,
                    schema=entry.crossing.schema,
                    reason=ruling.reason,
                )
                for entry, ruling in group
            ],
        )
        for entry, ruling in group:
            Crossing.objects.filter(pk=entry.crossing_id).update(
                status=Crossing.Status.REFUSED, reason=ruling.reason, settled_at=now
            )
        OutboxEntry.objects.filter(pk__in=[entry.pk for entry, _ in group]).delete()
    note(refused=sum(len(group) for group in refused.values()), withdrawn=len(withdrawn))
    return allowed


@write("exchange.release_claim", subject="to_node")
def release(to_node: str, *, claim: Claim, error: str, actor: Actor, now: datetime) -> None:
    """Give a claim back after its request failed; its envelopes stay due, the partner's circuit decides when."""
    del actor, now
    OutboxEntry.objects.filter(lease=claim.lease, to_node=to_node).update(
        lease="", leased_until_at=None, last_error=error[:300]
    )


@write("exchange.retry", subject="crossing_id")
def retry(crossing_id: int, *, actor: Actor, now: datetime) -> None:
    """Queue an undeliverable envelope again, by hand.

    Raises
    ------
    NothingToRetry
        If it is not undeliverable.
    """
    require(actor, "exchange.retry")
    entry = OutboxEntry.objects.select_for_update().filter(crossing_id=crossing_id, is_undeliverable=True).first()
    if entry is None:
        raise NothingToRetry(f"crossing {crossing_id} is not undeliverable; what waits is retried by itself")
    if bodies.sealed_body(entry.crossing) is not None and bodies.load(entry.crossing) is None:
        raise NothingToRetry(f"the body of crossing {crossing_id} was deleted; make the message anew and send that")
    entry.is_undeliverable, entry.is_withdrawn, entry.queued_at, entry.due_at = False, False, now, now
    entry.save(update_fields=["is_undeliverable", "is_withdrawn", "queued_at", "due_at"])
    Crossing.objects.filter(pk=crossing_id).update(status=Crossing.Status.QUEUED)
