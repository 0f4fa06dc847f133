"""Writes about people: appointing, roles, passwords, tokens, sessions."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from corridor.accounts.actors import Actor
from corridor.accounts.login import WrongPassword
from corridor.accounts.models import ActorToken, Person, PersonSession, RoleAssignment
from corridor.accounts.roles import permissions_of_role, require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused, WrongUsage

MANAGE = "accounts.manage_people"
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,63}")
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


class BadName(InputFault):
    """A person's name cannot be used for signing in."""

    code = "bad-person-name"


class NameTaken(InputFault):
    """Someone of that name exists already."""

    code = "name-taken"


class NoSuchPerson(WrongUsage):
    """Nobody of that name is known here."""

    code = "no-such-person"


class UnknownLanguage(InputFault):
    """The pages do not exist in that language."""

    code = "unknown-language"


class WeakPassword(InputFault):
    """The password is too easy to guess."""

    code = "weak-password"


class OwnRoles(Refused):
    """People do not change their own roles."""

    code = "own-roles"


class LastAdministrator(Refused):
    """Without this person nobody could look after the node's people any more."""

    code = "last-administrator"


def one_time_password() -> str:
    """Return a random password of 80 bits that is easy to read out: four groups of four letters."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def person_named(username: str) -> Person:
    """Return the person of that name.

    Raises
    ------
    NoSuchPerson
        If there is none.
    """
    person = Person.objects.filter(username__iexact=username).first()
    if person is None:
        raise NoSuchPerson(f"nobody here is called {username!r}; `corridor user list` shows the people of this node")
    return person


def check_name(username: str) -> None:
    """Do nothing if a person may be called `username`.

    Raises
    ------
    BadName
        With what a name takes.
    """
    if not _NAME.fullmatch(username):
        raise BadName(
            f"{username!r} cannot be a name for signing in: "
            "it takes 2 to 64 of a-z, 0-9, dot, dash and underscore, a letter first"
        )


@write("accounts.add_person", subject="username")
def add_person(
    username: str,
    *,
    roles: Iterable[str],
    actor: Actor,
    now: datetime,
    display_name: str = "",
    language: str = "en",
    password: str | None = None,
    must_change_password: bool = True,
) -> Person:
    """Appoint a person and give them roles.

    Parameters
    ----------
    username : str
        Lower-case Latin letters, digits, dot, dash, underscore; 2 to 64 of them, a letter first.
    roles : iterable of str
        Names of announced roles.
    password : str or None
        None leaves the person without one; `give_password` makes a one-time password.
    must_change_password : bool
        Whether the first login must replace `password`.

    Raises
    ------
    NotPermitted
        If `actor` may not manage people.
    BadName, NameTaken, UnknownRole, UnknownLanguage
        If the input cannot be used.
    """
    require(actor, MANAGE)
    check_name(username)
    if language not in dict(settings.LANGUAGES):
        raise UnknownLanguage(
            f"there are no pages in {language!r}; choose one of: {', '.join(dict(settings.LANGUAGES))}"
        )
    if Person.objects.filter(username__iexact=username).exists():
        raise NameTaken(f"{username} exists already; choose another name, or change that person's roles")
    appointer = actor if isinstance(actor, Person) else None
    person = Person(
        username=username,
        display_name=display_name or username,
        language=language,
        must_change_password=must_change_password,
        appointed_by=appointer,
        appointed_at=now,
    )
    person.set_password(password)
    person.save()
    wanted = sorted(set(roles))
    for role in wanted:
        permissions_of_role(role)
        RoleAssignment.objects.create(person=person, role=role, given_by=appointer, given_at=now)
    note(roles=wanted)
    return person


@write("accounts.give_password", subject="person")
def give_password(person: Person, *, actor: Actor, now: datetime) -> str:
    """Set and return a one-time password, end the person's sessions and tokens, and have it changed at the next login.

    Raises
    ------
    NotPermitted
        If `actor` may not manage people.
    """
    require(actor, MANAGE)
    password = one_time_password()
    person.set_password(password)
    person.must_change_password = True
    person.password_given_by = actor if isinstance(actor, Person) else None
    person.password_given_at = now
    person.save(update_fields=["password", "must_change_password", "password_given_by", "password_given_at"])
    _end_everything(person, now=now)
    return password


@write("accounts.change_password", subject="actor")
def change_password(
    new_password: str, *, current: str, actor: Person, now: datetime, keep_session: str | None = None
) -> None:
    """Replace one's own password; every other session of the person ends, and every token.

    Raises
    ------
    WrongPassword
        If `current` is not the present password.
    WeakPassword
        If the new one is the present one, short, common, or like the name.
    """
    if not actor.check_password(current):
        raise WrongPassword("the present password is wrong")
    if new_password == current:
        raise WeakPassword("the new password is the present one; choose another")
    try:
        validate_password(new_password, actor)
    except ValidationError as error:
        raise WeakPassword(f"the new password cannot be used: {' '.join(error.messages)}") from None
    actor.set_password(new_password)
    actor.must_change_password = False
    actor.save(update_fields=["password", "must_change_password"])
    ended, _ = PersonSession.objects.filter(person_id=actor.pk).exclude(session_key=keep_session or "").delete()
    revoked = ActorToken.objects.filter(person_id=actor.pk, revoked_at=None).update(revoked_at=now)
    note(sessions_ended=ended, tokens_ended=revoked)


@write("accounts.set_roles", subject="person")
def set_roles(person: Person, *, roles: Iterable[str], actor: Actor, now: datetime) -> None:
    """Give `person` exactly these roles.

    Raises
    ------
    NotPermitted, OwnRoles, UnknownRole, LastAdministrator
        If `actor` may not, or the change would leave nobody to manage people.
    """
    require(actor, MANAGE)
    if isinstance(actor, Person) and actor.pk == person.pk:
        raise OwnRoles(f"{person.username} cannot change their own roles; another administrator can")
    wanted = set(roles)
    for role in wanted:
        permissions_of_role(role)
    held = person.role_names
    if "administrator" in held - wanted:
        _check_not_last_administrator(person)
    person.roles.exclude(role__in=wanted).delete()
    appointer = actor if isinstance(actor, Person) else None
    for role in sorted(wanted - held):
        RoleAssignment.objects.create(person=person, role=role, given_by=appointer, given_at=now)
    note(given=sorted(wanted - held), taken=sorted(held - wanted))


@write("accounts.close_person", subject="person")
def close_person(person: Person, *, actor: Actor, now: datetime) -> None:
    """Close a person's access: no login, no token, no session; the name stays in the audit trail.

    Raises
    ------
    NotPermitted, OwnRoles, LastAdministrator
        If `actor` may not, or nobody could manage people afterwards.
    """
    require(actor, MANAGE)
    if isinstance(actor, Person) and actor.pk == person.pk:
        raise OwnRoles(f"{person.username} cannot close their own access; another administrator can")
    _check_not_last_administrator(person)
    person.is_active = False
    person.closed_at = now
    person.save(update_fields=["is_active", "closed_at"])
    _end_everything(person, now=now)


@write("accounts.reopen_person", subject="person")
def reopen_person(person: Person, *, actor: Actor, now: datetime) -> None:
    """Open a closed person's access again; it counts as appointing them now.

    Raises
    ------
    NotPermitted
        If `actor` may not manage people.
    """
    require(actor, MANAGE)
    person.is_active = True
    person.closed_at = None
    person.appointed_by = actor if isinstance(actor, Person) else None
    person.appointed_at = now
    person.save(update_fields=["is_active", "closed_at", "appointed_by", "appointed_at"])


@write("accounts.end_session", subject="actor")
def end_session(session_key: str, *, actor: Person, now: datetime) -> bool:
    """End one of one's own sessions; return whether there was such a session."""
    ended, _ = PersonSession.objects.filter(person_id=actor.pk, session_key=session_key).delete()
    note(sessions_ended=ended)
    return bool(ended)


def _end_everything(person: Person, *, now: datetime) -> None:
    sessions, _ = PersonSession.objects.filter(person_id=person.pk).delete()
    tokens = ActorToken.objects.filter(person=person, revoked_at=None).update(revoked_at=now)
    note(sessions_ended=sessions, tokens_ended=tokens)


def _check_not_last_administrator(person: Person) -> None:
    others = RoleAssignment.objects.filter(role="administrator", person__is_active=True).exclude(person=person)
    if "administrator" in person.role_names and not others.exists():
        raise LastAdministrator(f"{person.username} is the only administrator; appoint another one first")
