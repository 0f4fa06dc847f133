"""What needs two persons: one asks, another allows, and only then is it done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.models import ApprovalRequest, Person
from corridor.accounts.roles import may, require
from corridor.accounts.transactions import note, write
from corridor.base.errors import CorridorError, Refused, WrongUsage

APPOINTMENT_BINDS = timedelta(days=7)
"""A person cannot approve together with the one who appointed them, for this long."""


REQUEST_LASTS = timedelta(days=7)
"""How long a first yes counts: whoever gives the second one later decides what the first no longer looks at."""


class UnknownApproval(CorridorError):
    """No app has announced this kind of step."""

    code = "unknown-approval"


class NoSuchRequest(WrongUsage):
    """There is no request of that number."""

    code = "no-such-request"


class AlreadyDecided(Refused):
    """The request was done or declined before."""

    code = "already-decided"


class RequestExpired(Refused):
    """The first yes is too old to count."""

    code = "request-expired"


class SamePerson(Refused):
    """The person who asked cannot also be the second one."""

    code = "same-person"


class TooCloselyAppointed(Refused):
    """One of the two appointed the other within the last seven days."""

    code = "appointed-by-the-other"


class AdministratorsApproveNothing(Refused):
    """An administrator looks after people and settings, and decides nothing about what crosses."""

    code = "administrators-approve-nothing"


class OnlyPersonsApprove(Refused):
    """A partner's node or a job asked for, or allowed, what two persons must decide."""

    code = "only-persons-approve"


@dataclass(frozen=True)
class Outcome:
    """How a step that needs two persons stands after a call.

    Attributes
    ----------
    done : bool
        Whether it was executed; False means that it waits for a second person.
    request_id : int or None
        The number for ``corridor approve``; None where one person decided alone.
    result : object
        What the step returned, once it is done.
    """

    done: bool
    request_id: int | None
    result: Any = None


@dataclass(frozen=True)
class Kind:
    """A kind of step that needs two persons."""

    name: str
    permission: str
    execute: Callable[..., object]
    describe: Callable[[dict[str, Any]], str]
    answers_for: Callable[[dict[str, Any]], list[str]]


_kinds: dict[str, Kind] = {}


def _nothing_more(arguments: dict[str, Any]) -> list[str]:
    """Return what the two persons answer for where the sentence says all."""
    del arguments
    return []


def register_approval(
    kind: str,
    *,
    permission: str,
    execute: Callable[..., object],
    describe: Callable[[dict[str, Any]], str],
    answers_for: Callable[[dict[str, Any]], list[str]] = _nothing_more,
) -> None:
    """Announce a kind of step that needs two persons.

    Parameters
    ----------
    kind : str
        Stable name, such as ``exchange.sign-agreement``.
    permission : str
        What both persons must hold.
    execute : callable
        Called as ``execute(**arguments, actor=second, first=first, now=now)`` in the second person's transaction.
    describe : callable
        Turns the arguments into one translated sentence for the page and the command; names from elsewhere in it go
        through `isolated`.
    answers_for : callable, optional
        Turns the arguments into sentences on what the two persons answer for. They are shown to nobody who could not
        decide, unlike the sentence of `describe`.
    """
    _kinds[kind] = Kind(name=kind, permission=permission, execute=execute, describe=describe, answers_for=answers_for)


def isolated(text: str) -> str:
    """Return `text` between Unicode's isolates, so that its direction cannot disturb the sentence around it."""
    return f"\u2068{text}\u2069"


def kind_of(name: str) -> Kind:
    """Return the announced kind of that name.

    Raises
    ------
    UnknownApproval
        If no app announced it.
    """
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownApproval(f"no app announced the approval {name!r}") from None


def kinds() -> tuple[Kind, ...]:
    """Return every announced kind of step."""
    return tuple(_kinds.values())


def is_one_person_mode() -> bool:
    """Tell whether this node lets one person decide alone (``one_person`` in settings.toml)."""
    return bool(settings.CORRIDOR["one_person"])


@write("accounts.ask_approval", subject="kind")
def ask(kind: str, arguments: dict[str, Any], *, actor: Actor, now: datetime) -> Outcome:
    """Record the first person's yes; in one-person mode do the step at once.

    Asking again for the same step while it waits returns the request that waits, whoever asks. A request waits for
    seven days; then it is expired, and asking again makes a new one.

    Raises
    ------
    OnlyPersonsApprove, AdministratorsApproveNothing, NotPermitted
        If `actor` may not ask for this.
    """
    step = kind_of(kind)
    person = _entitled(actor, step)
    note(kind=kind)
    if is_one_person_mode():
        note(one_person=True)
        return Outcome(
            done=True, request_id=None, result=step.execute(**arguments, actor=person, first=person, now=now)
        )
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
    _close_expired(now=now)
    request, created = ApprovalRequest.objects.get_or_create(
        kind=kind,
        arguments_hash=digest,
        state=ApprovalRequest.State.WAITING,
        defaults={"arguments": arguments, "asked_by": person, "asked_at": now},
    )
    note(request=request.pk, already_waiting=not created)
    return Outcome(done=False, request_id=request.pk)


@write("accounts.approve", subject="request_id")
def approve(request_id: int, *, actor: Actor, now: datetime) -> Outcome:
    """Give the second person's yes and do the step, in one transaction.

    Raises
    ------
    NoSuchRequest, AlreadyDecided, RequestExpired
        If there is nothing to decide.
    OnlyPersonsApprove, AdministratorsApproveNothing, NotPermitted, SamePerson, TooCloselyAppointed
        If these two may not decide it together. The first person's standing is looked at again.
    """
    request = _waiting(request_id, now=now)
    step = kind_of(request.kind)
    note(kind=request.kind)
    second = _entitled(actor, step)
    first = _entitled(request.asked_by, step)
    _check_pair(first, second, now=now)
    request.state = ApprovalRequest.State.DONE
    request.decided_by, request.decided_at = second, now
    request.save(update_fields=["state", "decided_by", "decided_at"])
    note(first=first.username)
    return Outcome(
        done=True, request_id=request.pk, result=step.execute(**request.arguments, actor=second, first=first, now=now)
    )


@write("accounts.decline", subject="request_id")
def decline(request_id: int, *, actor: Actor, now: datetime) -> None:
    """Say no to a step that waits; whoever may approve it may decline it, and who asked may take it back.

    Raises
    ------
    NoSuchRequest, AlreadyDecided, RequestExpired, OnlyPersonsApprove, AdministratorsApproveNothing, NotPermitted
        As in `approve`.
    """
    request = _waiting(request_id, now=now)
    person = _entitled(actor, kind_of(request.kind))
    note(kind=request.kind, first=request.asked_by.username)
    request.state = ApprovalRequest.State.DECLINED
    request.decided_by, request.decided_at = person, now
    request.save(update_fields=["state", "decided_by", "decided_at"])


def answers_for(request: ApprovalRequest, *, actor: Actor) -> list[str]:
    """Return what the two persons answer for; nothing to an `actor` who could not decide it."""
    step = kind_of(request.kind)
    return step.answers_for(request.arguments) if may(actor, step.permission) else []


def why_not(request: ApprovalRequest, *, actor: Actor, now: datetime) -> Refused | None:
    """Return why `actor` cannot give the second yes to `request`, or None if they can; for the page of what waits."""
    try:
        _check_fresh(request, now=now)
        step = kind_of(request.kind)
        _check_pair(_entitled(request.asked_by, step), _entitled(actor, step), now=now)
    except Refused as refusal:
        return refusal
    return None


def expires_at(request: ApprovalRequest) -> datetime:
    """Return when the first yes of a request ceases to count."""
    return request.asked_at + REQUEST_LASTS


def _close_expired(*, now: datetime) -> None:
    """Mark what waited too long, so that the same step can be asked for again."""
    old = ApprovalRequest.objects.filter(state=ApprovalRequest.State.WAITING, asked_at__lte=now - REQUEST_LASTS)
    old.update(state=ApprovalRequest.State.EXPIRED, decided_at=F("asked_at") + REQUEST_LASTS)


def _check_fresh(request: ApprovalRequest, *, now: datetime) -> None:
    if expires_at(request) <= now:
        raise RequestExpired(
            f"request {request.pk} expired on {expires_at(request):%Y-%m-%d %H:%M} UTC: a first yes counts for "
            f"{REQUEST_LASTS.days} days. Ask for the step again if it is still wanted"
        )


def _waiting(request_id: int, *, now: datetime) -> ApprovalRequest:
    request = ApprovalRequest.objects.select_for_update().select_related("asked_by").filter(pk=request_id).first()
    if request is None:
        raise NoSuchRequest(f"there is no request {request_id}; `corridor approve` without a number lists what waits")
    if request.state != ApprovalRequest.State.WAITING:
        raise AlreadyDecided(
            f"request {request_id} is already {request.state}; ask for the step again if it is still wanted"
        )
    _check_fresh(request, now=now)
    return request


def _entitled(actor: Actor, step: Kind) -> Person:
    if not isinstance(actor, Person):
        raise OnlyPersonsApprove(f"{step.name} is decided by persons; {actor_name(actor)} is none")
    if "administrator" in actor.role_names:
        raise AdministratorsApproveNothing(
            f"{actor.username} is an administrator, and administrators approve nothing; let another person do it"
        )
    require(actor, step.permission)
    return actor


def _check_pair(first: Person, second: Person, *, now: datetime) -> None:
    if first.pk == second.pk:
        raise SamePerson(f"{second.username} asked for this; it takes the yes of a second person")
    for appointer, appointed in ((first, second), (second, first)):
        if appointed_within(appointer, appointed, since=now - APPOINTMENT_BINDS):
            raise TooCloselyAppointed(
                f"{appointer.username} appointed {appointed.username} less than 7 days ago; let another person approve"
            )


def appointed_within(appointer: Person, appointed: Person, *, since: datetime) -> bool:
    """Tell whether `appointer` made `appointed`, gave them a role, or gave them a password, after `since`."""
    return (
        (appointed.appointed_by_id == appointer.pk and appointed.appointed_at > since)
        or (
            appointed.password_given_by_id == appointer.pk
            and appointed.password_given_at is not None
            and appointed.password_given_at > since
        )
        or appointed.roles.filter(given_by=appointer, given_at__gt=since).exists()
    )


def can_approve_anything(actor: Actor) -> bool:
    """Tell whether any announced kind of step is open to `actor`."""
    return (
        isinstance(actor, Person)
        and "administrator" not in actor.role_names
        and any(may(actor, kind.permission) for kind in _kinds.values())
    )
