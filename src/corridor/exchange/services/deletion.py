"""Delete the bodies of envelopes, by two persons or because the agreement's time has run out; hold them by law.

A sealed body goes with its key, and with it every copy of the ciphertext. An open body is part of the bytes that its
sender signed: these go, and what stays are the hash by which log and receipt know the envelope, the receipt, and
what the header said. With the body of what arrived goes whatever a pillar made of it. Every deletion is a leaf of the
log and a signed statement to the partner: it is attested, not proved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from corridor.accounts.actors import Actor, System, actor_name
from corridor.accounts.approvals import Outcome, ask, isolated, register_approval
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore, registry
from corridor.exchange.messages import BodyDeletion
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import BodyKeeping, Crossing, Node, SealedBody
from corridor.exchange.queries.crossings import crossing_by_envelope
from corridor.exchange.queries.lives import document_of, ended_at
from corridor.exchange.rules import retention
from corridor.exchange.rules.agreement import State, Storage
from corridor.exchange.rules.envelope import is_sealed
from corridor.exchange.rules.reasons import Reason
from corridor.exchange.rules.retention import Why
from corridor.exchange.services import bodies, holds, log
from corridor.exchange.services.agreements import lock
from corridor.exchange.services.holds import Hold
from corridor.exchange.services.outbox import send_control
from corridor.exchange.services.partners import lock_partner

PERMISSION = "exchange.delete_body"
DELETE, RELEASE = "exchange.delete-body", "exchange.release-body"
BATCH = 200
"""How many bodies go in one transaction of the scheduled work."""


class BodyHeld(Refused):
    """A legal hold keeps the body."""

    code = "body-held"


class BodyNotHeld(Refused):
    """No legal hold lies on the body."""

    code = "body-not-held"


class BodyWaits(Refused):
    """There is no receipt of the envelope, so its body is still needed: to deliver it, or as its only evidence."""

    code = "body-waits"


class NoBody(InputFault):
    """The envelope has no body here that could be held or deleted."""

    code = "no-body"


@write("exchange.hold_body", subject="envelope_id")
def hold(envelope_id: str, *, reason: str, actor: Actor, now: datetime) -> None:
    """Lay a legal hold on the body of an envelope: nobody deletes it, and no retention, until two persons lift it.

    One person suffices, because a hold cannot wait. On a body that is held already nothing changes.

    Parameters
    ----------
    envelope_id : str
        May be given by its beginning.
    reason : str
        The order or the proceeding that calls for it. It stays on this node; the log says only that there is a hold.

    Raises
    ------
    NoSuchCrossing, NoBody
    """
    require(actor, PERMISSION)
    crossing = _locked(_number(envelope_id, actor=actor))
    keeping = _keeping(crossing)
    if keeping.held_at is not None:
        return
    keeping.held_at, keeping.held_by, keeping.hold_reason = now, actor_name(actor), reason
    keeping.save()
    _append("held", [crossing], now=now)
    holds.keep(crossing, held_at=now, held_by=keeping.held_by, reason=reason)
    note(crossing=crossing.pk)


def ask_to_release(envelope_id: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that a legal hold be lifted; a second person allows it.

    Raises
    ------
    NoSuchCrossing, NoBody, BodyNotHeld
    """
    crossing = _find(_number(envelope_id, actor=actor))
    _check_held(crossing)
    return ask(RELEASE, {"crossing_id": crossing.pk}, actor=actor, now=now)


@write("exchange.release_body", subject="crossing_id")
def release(*, crossing_id: int, actor: Actor, first: Actor, now: datetime) -> None:
    """Lift a legal hold; from then on the agreement's terms say again how long the body is kept.

    Raises
    ------
    NoBody, BodyNotHeld
    """
    crossing = _locked(crossing_id)
    _check_held(crossing)
    keeping = _keeping(crossing)
    keeping.held_at, keeping.held_by, keeping.hold_reason = None, "", ""
    keeping.save()
    _append("released", [crossing], now=now)
    holds.forget(crossing)
    note(crossing=crossing.pk, first=actor_name(first))


def ask_to_delete(envelope_id: str, *, actor: Actor, now: datetime) -> Outcome:
    """Ask that the body of an envelope be deleted here; a second person allows it.

    Raises
    ------
    NoSuchCrossing, NoBody, BodyHeld, BodyWaits
    """
    crossing = _find(_number(envelope_id, actor=actor))
    _check_deletable(crossing)
    return ask(DELETE, {"crossing_id": crossing.pk}, actor=actor, now=now)


@write("exchange.delete_body", subject="crossing_id")
def delete(*, crossing_id: int, actor: Actor, first: Actor, now: datetime) -> None:
    """Delete the body of an envelope, and whatever was made of it here; state it in the log and to the partner.

    The key of a sealed body goes before the transaction ends, so that no statement stands for a key that is still
    there; where the transaction then fails, the same call again states it.

    Raises
    ------
    NoBody, BodyHeld, BodyWaits
    """
    found = _find(crossing_id)
    _lock_before([found])
    crossing = _locked(crossing_id)
    _check_deletable(crossing)
    _delete([crossing], why=Why.REQUEST, by=f"{actor_name(first)}, {actor_name(actor)}", actor=actor, now=now)
    note(crossing=crossing.pk, first=actor_name(first))


def enforce_retention(*, actor: System, now: datetime) -> Iterator[int]:
    """Delete what is past the time that its agreement gives it, batch by batch; yield how many bodies went.

    A legal hold keeps a body; nothing goes while this node signs nothing, since nothing could be stated.
    """
    if log.own_node().state != Node.State.RUNNING:
        return
    lay_again(actor=actor, now=now)
    for row in AgreementRow.objects.exclude(state=State.DRAFT).order_by("pk"):
        for why, due in _due(row, now=now):
            while ids := list(due.values_list("pk", flat=True)[:BATCH]):
                yield _enforce(ids, agreement=row.hash, why=why, actor=actor, now=now)


def _due(row: AgreementRow, *, now: datetime) -> Iterator[tuple[Why, QuerySet[Crossing]]]:
    document = document_of(row)
    kept = Crossing.objects.filter(
        Q(sealed_body__isnull=False) | ~Q(token=b""),
        direction=Crossing.Direction.IN,
        agreement_hash=row.hash,
        keeping__deleted_at__isnull=True,
        keeping__held_at__isnull=True,
    ).exclude(channel="")
    over = Why.RETENTION if document.storage is Storage.RETAIN else Why.VIEW_ENDED
    yield over, kept.filter(recorded_at__lte=now - retention.kept_for(document)).order_by("pk")
    ended = None if retention.data_survives(document) else ended_at(row, now)
    if ended is not None and ended + retention.AFTER_THE_END <= now:
        yield Why.AGREEMENT_ENDED, kept.order_by("pk")


@write("exchange.enforce_retention", subject="agreement")
def _enforce(ids: Sequence[int], *, agreement: str, why: Why, actor: System, now: datetime) -> int:
    _lock_before(Crossing.objects.filter(pk__in=ids))
    rows = Crossing.objects.select_for_update(of=("self",)).filter(pk__in=ids, keeping__held_at__isnull=True)
    crossings = list(rows.order_by("pk").select_related("tree", "sealed_body"))
    _delete(crossings, why=why, by=actor_name(actor), actor=actor, now=now)
    note(bodies=len(crossings), why=why.value)
    return len(crossings)


def acknowledge_lost(*, actor: System, now: datetime) -> int:
    """State again, after a restore, the deletions that the backup does not know: bodies whose key is gone.

    Returns
    -------
    int
        How many; none while this node signs nothing.
    """
    if log.own_node().state != Node.State.RUNNING:
        return 0
    folder = keystore.home()
    rows = SealedBody.objects.filter(crossing__keeping__deleted_at__isnull=True).order_by("pk")
    lost = [row.crossing_id for row in rows if not keystore.has_body_key(folder, row.name)]
    return _acknowledge(lost, actor=actor, now=now) if lost else 0


@write("exchange.acknowledge_lost_bodies")
def _acknowledge(lost: Sequence[int], *, actor: System, now: datetime) -> int:
    _lock_before(Crossing.objects.filter(pk__in=lost))
    crossings = list(Crossing.objects.filter(pk__in=lost).select_related("tree", "sealed_body").order_by("pk"))
    _delete(crossings, why=Why.RESTORE, by=actor_name(actor), actor=actor, now=now)
    note(bodies=len(crossings))
    return len(crossings)


def accept_notice(message: BodyDeletion, *, from_node: str, now: datetime) -> None:
    """Note what a partner states about its copies of our envelopes; what it says of others' changes nothing."""
    del now
    ours = Crossing.objects.filter(
        direction=Crossing.Direction.OUT, to_node=from_node, token_hash__in=message.envelopes
    )
    for crossing in ours:
        keeping = _keeping(crossing)
        keeping.partner_deleted_at, keeping.partner_why = message.deleted_at, message.why.value
        keeping.save()


def delete_again(message: BodyDeletion, *, to_node: str, now: datetime) -> int:
    """Delete again, after a restore, what this node had stated as deleted and the backup brought back.

    A partner returned the statement; what it names lies open in this database once more.
    """
    back = Crossing.objects.filter(
        direction=Crossing.Direction.IN,
        from_node=to_node,
        token_hash__in=message.envelopes,
        keeping__deleted_at__isnull=True,
    )
    crossings = list(back.select_related("tree", "sealed_body").order_by("pk"))
    _delete(crossings, why=Why.RESTORE, by=actor_name(RETENTION), actor=RETENTION, now=now)
    return len(crossings)


RETENTION = System("retention")
"""Who deletes what nobody asked to delete."""


def register_approvals() -> None:
    """Announce what two persons decide about bodies."""
    register_approval(DELETE, permission=PERMISSION, execute=delete, describe=_describe_deletion)
    register_approval(RELEASE, permission=PERMISSION, execute=release, describe=_describe_release)


def _describe_deletion(arguments: dict[str, Any]) -> str:
    return _("Delete the body of envelope %(envelope)s from %(sender)s to %(receiver)s") % _named(arguments)


def _describe_release(arguments: dict[str, Any]) -> str:
    return _("Lift the legal hold on the body of envelope %(envelope)s from %(sender)s to %(receiver)s") % _named(
        arguments
    )


def _named(arguments: dict[str, Any]) -> dict[str, str]:
    crossing = Crossing.objects.get(pk=arguments["crossing_id"])
    return {
        "envelope": isolated(crossing.envelope_id),
        "sender": isolated(crossing.from_node),
        "receiver": isolated(crossing.to_node),
    }


def _number(envelope_id: str, *, actor: Actor) -> int:
    return crossing_by_envelope(actor, envelope_id).view.id


def _find(crossing_id: int) -> Crossing:
    crossing = Crossing.objects.select_related("tree", "sealed_body", "keeping").get(pk=crossing_id)
    _check_body(crossing)
    return crossing


def _locked(crossing_id: int) -> Crossing:
    Crossing.objects.select_for_update().get(pk=crossing_id)
    return _find(crossing_id)


def _keeping(crossing: Crossing) -> BodyKeeping:
    return BodyKeeping.objects.get_or_create(crossing=crossing)[0]


def _check_body(crossing: Crossing) -> None:
    what = f"envelope {crossing.envelope_id}"
    if crossing.channel == "":
        raise NoBody(
            f"{what} is a control message between partners, which tells of cards, agreements or the log and of "
            "nobody's data. It stays with the log; nothing of it is held or deleted"
        )
    keeping = getattr(crossing, "keeping", None)
    if keeping is not None and keeping.deleted_at is not None:
        raise NoBody(f"the body of {what} was deleted on {keeping.deleted_at:%Y-%m-%d} by {keeping.deleted_by}")
    token = bytes(crossing.token)
    if bodies.sealed_body(crossing) is None and (not token or is_sealed(token)):
        raise NoBody(f"{what} has no body here: it was refused, and what is refused is not kept")


def _check_deletable(crossing: Crossing) -> None:
    if _is_held(crossing):
        raise BodyHeld(
            "a legal hold keeps this body. If it is over, two persons lift it first: `corridor crossings release`"
        )
    is_open = bodies.sealed_body(crossing) is None
    if crossing.status == Crossing.Status.QUEUED or (is_open and not crossing.receipt):
        raise BodyWaits(
            f"there is no receipt of {crossing.to_node} for this envelope: its body is needed to deliver it, or is the "
            "only evidence of what was refused here. Delete it once there is a receipt"
        )


def _check_held(crossing: Crossing) -> None:
    if not _is_held(crossing):
        raise BodyNotHeld(f"no legal hold lies on the body of envelope {crossing.envelope_id}")


def _is_held(crossing: Crossing) -> bool:
    keeping = getattr(crossing, "keeping", None)
    return holds.is_kept(crossing) or (keeping is not None and keeping.held_at is not None)


def lay_again(*, actor: System, now: datetime) -> int:
    """Lay again, after a restore, the holds that the backup does not know; join them to the bodies that they keep.

    Returns
    -------
    int
        How many; none while this node signs nothing. An envelope that was lost is held once its partner returned it.
    """
    if log.own_node().state != Node.State.RUNNING:
        return 0
    lost = [hold for hold in holds.kept() if _to_hold(hold) is not None]
    return _lay_again(lost, actor=actor, now=now) if lost else 0


@write("exchange.lay_holds_again")
def _lay_again(lost: Sequence[Hold], *, actor: System, now: datetime) -> int:
    del actor
    pairs = [(hold, crossing) for hold in lost if (crossing := _to_hold(hold)) is not None]
    _lock_before([crossing for _, crossing in pairs])
    for hold, crossing in pairs:
        bodies.rejoin(crossing, name=hold.body, ciphertext_hash=hold.ciphertext_hash, size_bytes=hold.size_bytes)
        keeping = _keeping(crossing)
        keeping.held_at, keeping.held_by = datetime.fromisoformat(hold.held_at), hold.held_by
        keeping.hold_reason = hold.reason
        keeping.save()
    _append("held", [crossing for _, crossing in pairs], now=now)
    note(bodies=len(pairs))
    return len(pairs)


def _to_hold(hold: Hold) -> Crossing | None:
    """Return the crossing that a file says is held and the database does not; None if there is nothing to do."""
    found = Crossing.objects.filter(direction=hold.direction, token_hash=hold.token_hash).exclude(
        reason=Reason.ID_REUSED
    )
    free = Q(keeping=None) | Q(keeping__held_at=None, keeping__deleted_at=None)
    return found.filter(free).select_related("tree").first()


def _partner(crossing: Crossing) -> str:
    return crossing.from_node if crossing.direction == Crossing.Direction.IN else crossing.to_node


def _lock_before(crossings: Iterable[Crossing]) -> None:
    """Lock partners and agreements before any tree: the one order in which locks are taken."""
    found = list(crossings)
    for node in sorted({_partner(crossing) for crossing in found}):
        lock_partner(node)
    for hash_ in sorted({crossing.agreement_hash for crossing in found}):
        if AgreementRow.objects.filter(hash=hash_).exists():
            lock(hash_)


def _append(kind: str, crossings: Sequence[Crossing], *, now: datetime, **members: str) -> dict[int, tuple[int, int]]:
    """Append one leaf for each crossing to the tree in which it is recorded; return tree and index of each."""
    by_tree: dict[tuple[str, str], list[Crossing]] = defaultdict(list)
    for crossing in crossings:
        by_tree[crossing.tree.kind, crossing.tree.subject].append(crossing)
    places = {}
    for (tree_kind, subject), group in sorted(by_tree.items()):
        head = log.lock_tree(tree_kind, subject=subject, now=now)
        records = [log.record(kind, now=now, envelope=each.token_hash, **members) for each in group]
        for each, leaf in zip(group, log.append(head, records), strict=True):
            places[each.pk] = (head.pk, leaf.index)
    return places


def _delete(crossings: Sequence[Crossing], *, why: Why, by: str, actor: Actor, now: datetime) -> None:
    places = _append("deleted", crossings, now=now, why=why.value)
    for crossing in crossings:
        row = bodies.sealed_body(crossing)
        if row is not None:
            bodies.destroy(row)
        else:
            Crossing.objects.filter(pk=crossing.pk).update(token=b"")
        keeping = _keeping(crossing)
        keeping.deleted_at, keeping.deleted_by, keeping.why = now, by, why.value
        keeping.held_at, keeping.held_by, keeping.hold_reason = None, "", ""
        keeping.tree_id, keeping.leaf_index = places[crossing.pk]
        keeping.save()
    _forget(crossings, actor=actor, now=now)
    _tell(crossings, why=why, actor=actor, now=now)


def _forget(crossings: Sequence[Crossing], *, actor: Actor, now: datetime) -> None:
    by_schema: dict[str, list[int]] = defaultdict(list)
    for crossing in crossings:
        if crossing.direction == Crossing.Direction.IN:
            by_schema[crossing.schema].append(crossing.pk)
    for schema, ids in by_schema.items():
        registered = registry.registration(schema)
        if registered is not None and registered.forget is not None:
            registered.forget(ids, actor=actor, now=now)


def _tell(crossings: Sequence[Crossing], *, why: Why, actor: Actor, now: datetime) -> None:
    by_partner: dict[tuple[str, str], list[str]] = defaultdict(list)
    for crossing in crossings:
        by_partner[_partner(crossing), crossing.agreement_hash].append(crossing.token_hash)
    for (node, agreement), hashes in sorted(by_partner.items()):
        notice = BodyDeletion(envelopes=tuple(hashes), why=why, deleted_at=now)
        send_control(notice, to=node, actor=actor, now=now, agreement=agreement)
