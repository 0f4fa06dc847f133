"""Roles, announced by the app that needs them, and what each may do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corridor.base.errors import CorridorError, Refused, WrongUsage

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from corridor.accounts.actors import Actor

ACT = "accounts.act"
"""What everyone with a role may do: sign in, change the password, see their own sessions and tokens."""


class NotPermitted(Refused):
    """The actor holds no role that allows this."""

    code = "not-permitted"


class UnknownRole(WrongUsage):
    """No app has announced a role of that name."""

    code = "unknown-role"


class RoleTwice(CorridorError):
    """Two apps announced a role of the same name with different meaning."""

    code = "role-twice"


@dataclass(frozen=True)
class Role:
    """A kind of work at the node.

    Attributes
    ----------
    name : str
        Stable, in English, as stored.
    pillar : str
        The app that announced it.
    label : lazy text
        How pages call it, translated.
    """

    name: str
    pillar: str
    label: str | _StrPromise


_roles: dict[str, Role] = {}
_granted: defaultdict[str, set[str]] = defaultdict(set)


def register_role(role: Role) -> None:
    """Announce `role`; announcing the same one again changes nothing."""
    known = _roles.setdefault(role.name, role)
    if (known.name, known.pillar) != (role.name, role.pillar):
        raise RoleTwice(f"role {role.name} is announced by {known.pillar} and by {role.pillar}")


def roles() -> tuple[Role, ...]:
    """Return every announced role, in the order of announcement."""
    return tuple(_roles.values())


def grant(role_name: str, *permissions: str) -> None:
    """Let holders of `role_name` do what `permissions` name (``<app>.<verb>``)."""
    _granted[role_name].update(permissions)


def permissions_of_role(role_name: str) -> frozenset[str]:
    """Return what a role allows.

    Raises
    ------
    UnknownRole
        If no app announced it.
    """
    if role_name not in _roles:
        raise UnknownRole(f"there is no role {role_name!r}; choose one of: {', '.join(_roles)}")
    return frozenset(_granted[role_name])


def all_permissions() -> frozenset[str]:
    """Return every permission that any role holds."""
    return frozenset().union(*(_granted[name] for name in _roles))


def permissions_of(actor: Actor) -> frozenset[str]:
    """Return what `actor` may do: a closed person and a partner's node nothing, the node itself everything."""
    from corridor.accounts.actors import Peer, System

    if isinstance(actor, System):
        return all_permissions()
    if isinstance(actor, Peer) or not actor.is_active:
        return frozenset()
    return frozenset().union(*(_granted[name] for name in actor.role_names if name in _roles))


def may(actor: Actor, permission: str) -> bool:
    """Tell whether `actor` may do what `permission` names; the node itself may do everything."""
    from corridor.accounts.actors import System

    return isinstance(actor, System) or permission in permissions_of(actor)


def require(actor: Actor, permission: str) -> None:
    """Do nothing if `actor` may do what `permission` names.

    Raises
    ------
    NotPermitted
        If not; the text says which role would be needed.
    """
    from corridor.accounts.actors import actor_name

    if may(actor, permission):
        return
    holders = [name for name in _roles if permission in _granted[name]] or ["none"]
    raise NotPermitted(
        f"{actor_name(actor)} may not do this ({permission}); it takes the role {' or '.join(holders)}. "
        "Ask an administrator of this node."
    )
