"""How long the body of an envelope is kept, what was decided about it, and what may be viewed now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.accounts.roles import may, require
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import BodyKeeping, Crossing
from corridor.exchange.queries.lives import document_of, ended_at
from corridor.exchange.queries.texts import WHY_DELETED
from corridor.exchange.rules import retention
from corridor.exchange.rules.agreement import State, Storage
from corridor.exchange.rules.envelope import is_sealed


@dataclass(frozen=True, slots=True)
class KeepingView:
    """What is known about the body of one envelope.

    Attributes
    ----------
    has_body : bool
        Whether it lies here and could be held or deleted.
    until_at : datetime or None
        When it is due to be deleted, or until when it may be viewed; None for what this node sent, for what a legal
        hold keeps, and where there is no body.
    is_view_only : bool
        Whether it may be viewed and not kept.
    held_at, held_by, hold_reason
        Of the legal hold that lies on it.
    deleted_at, deleted_by, why
        Of its deletion here.
    partner_deleted_at, partner_why
        Of the deletion of the partner's copy, as the partner states it.
    """

    has_body: bool
    until_at: datetime | None
    is_view_only: bool
    held_at: datetime | None
    held_by: str
    hold_reason: str
    deleted_at: datetime | None
    deleted_by: str
    why: str
    partner_deleted_at: datetime | None
    partner_why: str

    @property
    def why_text(self) -> str:
        """Why it was deleted here, in the language of the page."""
        return str(WHY_DELETED.get(self.why, ""))

    @property
    def partner_why_text(self) -> str:
        """Why the partner deleted its copy, in the language of the page."""
        return str(WHY_DELETED.get(self.partner_why, ""))


def keeping(actor: Actor, crossing_id: int, *, now: datetime) -> KeepingView:
    """Return what is known about the body of an envelope.

    Raises
    ------
    NotPermitted
        If `actor` may not see crossings.
    Crossing.DoesNotExist
        If there is none of that number.
    """
    require(actor, "exchange.see_crossings")
    crossing = Crossing.objects.select_related("sealed_body", "keeping").get(pk=crossing_id)
    row = getattr(crossing, "keeping", None) or BodyKeeping()
    has_body = row.deleted_at is None and _has_body(crossing)
    agreement = _received_under(crossing)
    until_at = None
    if has_body and agreement is not None and row.held_at is None:
        until_at = retention.kept_until(
            document_of(agreement), arrived_at=crossing.recorded_at, ended_at=ended_at(agreement, now)
        )
    return KeepingView(
        has_body=has_body,
        until_at=until_at,
        is_view_only=agreement is not None and document_of(agreement).storage is Storage.VIEW_ONLY,
        held_at=row.held_at,
        held_by=row.held_by,
        # The reason names a proceeding; who may neither lay nor lift a hold need not know which.
        hold_reason=row.hold_reason if may(actor, "exchange.delete_body") else "",
        deleted_at=row.deleted_at,
        deleted_by=row.deleted_by,
        why=row.why,
        partner_deleted_at=row.partner_deleted_at,
        partner_why=row.partner_why,
    )


def viewable_until(crossing: Crossing) -> datetime | None:
    """Return until when a received body may be viewed; None where it did not come to be viewed only, or was refused."""
    agreement = _received_under(crossing)
    if agreement is None or crossing.status != Crossing.Status.ACCEPTED:
        return None
    document = document_of(agreement)
    if document.storage is not Storage.VIEW_ONLY:
        return None
    return crossing.recorded_at + retention.kept_for(document)


def viewable(actor: Actor, *, now: datetime) -> list[tuple[int, str, str, datetime]]:
    """Return number, sender, schema and end of what may be viewed now, soonest end first; nothing to who may not."""
    if not may(actor, "exchange.view_body"):
        return []
    found = []
    for row in AgreementRow.objects.exclude(state=State.DRAFT):
        document = document_of(row)
        if document.storage is not Storage.VIEW_ONLY:
            continue
        arrived = Crossing.objects.filter(
            direction=Crossing.Direction.IN,
            agreement_hash=row.hash,
            status=Crossing.Status.ACCEPTED,
            recorded_at__gt=now - retention.kept_for(document),
            keeping__deleted_at__isnull=True,
        ).exclude(channel="")
        for number, sender, schema, at in arrived.values_list("pk", "from_node", "schema", "recorded_at"):
            found.append((number, sender, schema, at + retention.kept_for(document)))
    return sorted(found, key=lambda each: each[3])


def _has_body(crossing: Crossing) -> bool:
    if crossing.channel == "":
        return False
    token = bytes(crossing.token)
    return hasattr(crossing, "sealed_body") or (bool(token) and not is_sealed(token))


def _received_under(crossing: Crossing) -> AgreementRow | None:
    if crossing.direction != Crossing.Direction.IN or crossing.channel == "":
        return None
    return AgreementRow.objects.filter(hash=crossing.agreement_hash).first()
