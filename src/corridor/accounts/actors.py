"""Who acts: a person, a partner's node, or the node itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from corridor.accounts.models import Person


@dataclass(frozen=True)
class Peer:
    """A partner's node, known by its id; it may do nothing but what the exchange hands it."""

    node_id: str


@dataclass(frozen=True)
class System:
    """The node itself, at work on a job or a delivery; `name` says which part."""

    name: str


Actor: TypeAlias = Person | Peer | System


def actor_name(actor: Actor) -> str:
    """Return the name under which the audit trail knows `actor`."""
    match actor:
        case Person():
            return actor.username
        case Peer():
            return actor.node_id
        case System():
            return actor.name


def actor_kind(actor: Actor) -> str:
    """Return ``person``, ``peer`` or ``system``."""
    # Not by type(): the person of a request is a lazy object that only isinstance() sees through.
    match actor:
        case Person():
            return "person"
        case Peer():
            return "peer"
        case System():
            return "system"
