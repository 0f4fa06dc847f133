"""Reads about people, the audit trail and what waits for a second person, limited to what the actor may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import DateTimeField, F, Q, QuerySet
from django.db.models.functions import Coalesce

from corridor.accounts.actors import Actor
from corridor.accounts.approvals import REQUEST_LASTS, kinds
from corridor.accounts.models import ActorToken, ApprovalRequest, AuditEntry, Person, PersonSession
from corridor.accounts.roles import may, require


@dataclass(frozen=True)
class AuditFilter:
    """Which entries of the audit trail are wanted; an empty field stands for all.

    Attributes
    ----------
    since, before : datetime, UTC, or None
        Half open.
    actor, action, subject : str
        The beginning of the action; the others whole or in part.
    outcome : str
        ``done`` or ``refused``.
    """

    since: datetime | None = None
    before: datetime | None = None
    actor: str = ""
    action: str = ""
    subject: str = ""
    outcome: str = ""


def people(*, actor: Actor) -> list[Person]:
    """Return everyone of this node, open access first.

    Raises
    ------
    NotPermitted
        If `actor` does not manage people.
    """
    require(actor, "accounts.manage_people")
    return list(
        Person.objects.select_related("appointed_by").prefetch_related("roles").order_by("-is_active", "username")
    )


def person(person_id: int, *, actor: Actor) -> Person | None:
    """Return one person, or None.

    Raises
    ------
    NotPermitted
        If `actor` does not manage people.
    """
    require(actor, "accounts.manage_people")
    return Person.objects.select_related("appointed_by").filter(pk=person_id).first()


def audit_entries(chosen: AuditFilter, *, actor: Actor) -> QuerySet[AuditEntry]:
    """Return entries of the audit trail, newest first.

    Raises
    ------
    NotPermitted
        If `actor` may not read the audit trail.
    """
    require(actor, "accounts.see_audit")
    entries = AuditEntry.objects.order_by("-id")
    if chosen.since is not None:
        entries = entries.filter(at__gte=chosen.since)
    if chosen.before is not None:
        entries = entries.filter(at__lt=chosen.before)
    if chosen.actor:
        entries = entries.filter(actor__icontains=chosen.actor)
    if chosen.action:
        entries = entries.filter(action__istartswith=chosen.action)
    if chosen.subject:
        entries = entries.filter(subject__icontains=chosen.subject)
    if chosen.outcome:
        entries = entries.filter(outcome=chosen.outcome)
    return entries


def waiting_approvals(*, actor: Actor, now: datetime) -> list[ApprovalRequest]:
    """Return what waits for a second person: all of it to those who see approvals, to others what is theirs."""
    waiting = ApprovalRequest.objects.select_related("asked_by").filter(_still_waits(now))
    if not may(actor, "accounts.see_approvals"):
        waiting = waiting.filter(kind__in=[kind.name for kind in kinds() if may(actor, kind.permission)])
    return list(waiting.order_by("id"))


def decided_approvals(*, actor: Actor, now: datetime) -> list[ApprovalRequest]:
    """Return the last fifty requests that no longer wait: decided, or expired.

    Raises
    ------
    NotPermitted
        If approvals are not open to `actor`.
    """
    require(actor, "accounts.see_approvals")
    decided = ApprovalRequest.objects.select_related("asked_by", "decided_by").exclude(_still_waits(now))
    # What expired is marked when the same step is asked for again; until then its time alone says so.
    ended_at = Coalesce("decided_at", F("asked_at") + REQUEST_LASTS, output_field=DateTimeField())
    return list(decided.annotate(ended_at=ended_at).order_by("-ended_at")[:50])


def _still_waits(now: datetime) -> Q:
    return Q(state=ApprovalRequest.State.WAITING, asked_at__gt=now - REQUEST_LASTS)


def approval(request_id: int, *, actor: Actor, now: datetime) -> ApprovalRequest | None:
    """Return one request that waits and that `actor` may see, or None."""
    return next((request for request in waiting_approvals(actor=actor, now=now) if request.pk == request_id), None)


def own_sessions(*, actor: Person, now: datetime) -> list[PersonSession]:
    """Return the open sessions of `actor`, newest first."""
    return list(PersonSession.objects.filter(person_id=actor.pk, expire_date__gt=now).order_by("-began_at"))


def own_tokens(*, actor: Person, now: datetime) -> list[ActorToken]:
    """Return the tokens of `actor` that are still accepted."""
    return list(ActorToken.objects.filter(person=actor, revoked_at=None, expires_at__gt=now).order_by("-created_at"))
