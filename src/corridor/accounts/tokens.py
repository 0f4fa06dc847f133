"""Tokens that let a command act in a person's name."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from corridor.accounts.access import REAUTHENTICATION_LASTS
from corridor.accounts.actors import Actor
from corridor.accounts.models import ActorToken, Person
from corridor.accounts.roles import NotPermitted, require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused

TOKEN_LASTS = timedelta(days=90)
_PREFIX = "hc1_"


class TokenRefused(Refused):
    """The token is unknown, expired, revoked, or its person's access is closed."""

    code = "token-refused"


@write("accounts.issue_token", subject="person")
def issue_token(person: Person, *, name: str, actor: Actor, now: datetime, lasts: timedelta = TOKEN_LASTS) -> str:
    """Return a new token for `person`; it is shown this once, and only its hash is kept.

    Parameters
    ----------
    name : str
        Where the token will be used, so that the right one can be revoked later.
    lasts : timedelta
        After this it is refused.

    Raises
    ------
    NotPermitted
        If `actor` is another person: nobody makes a token in someone else's name.
    """
    if isinstance(actor, Person) and actor.pk != person.pk:
        raise NotPermitted(f"{actor.username} cannot make a token in the name of {person.username}")
    require(actor, "accounts.act")
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = ActorToken.objects.create(
        person=person, name=name, digest=_digest(secret), created_at=now, expires_at=now + lasts
    )
    note(token=token.pk)
    return secret


@write("accounts.revoke_token", subject="token_id")
def revoke_token(token_id: int, *, actor: Person, now: datetime) -> bool:
    """Revoke one of one's own tokens; return whether there was one to revoke."""
    revoked = ActorToken.objects.filter(pk=token_id, person=actor, revoked_at=None).update(revoked_at=now)
    return bool(revoked)


def is_fresh(secret: str, *, now: datetime) -> bool:
    """Tell whether a token was made so lately that its making counts as having given the password just now."""
    made = ActorToken.objects.filter(digest=_digest(secret), created_at__gt=now - REAUTHENTICATION_LASTS)
    return made.exists()


def person_of_token(secret: str, *, now: datetime) -> Person:
    """Return the person in whose name `secret` acts.

    Raises
    ------
    TokenRefused
        If it is unknown, expired or revoked, or the person's access is closed.
    """
    token = ActorToken.objects.select_related("person").filter(digest=_digest(secret)).first()
    again = "Make a new one with `corridor token NAME`."
    if token is None:
        raise TokenRefused(f"this node does not know the token in CORRIDOR_TOKEN. {again}")
    if token.revoked_at is not None:
        raise TokenRefused(f"the token in CORRIDOR_TOKEN was revoked on {token.revoked_at:%Y-%m-%d}. {again}")
    if token.expires_at <= now:
        raise TokenRefused(f"the token in CORRIDOR_TOKEN expired on {token.expires_at:%Y-%m-%d}. {again}")
    if not token.person.is_active:
        raise TokenRefused(f"the access of {token.person.username} is closed; ask an administrator of this node")
    if token.last_used_at is None or now - token.last_used_at > timedelta(hours=1):
        ActorToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.person


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
