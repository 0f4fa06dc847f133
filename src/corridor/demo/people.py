"""Whom a player acts for: people by the name of their office, and the second yes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corridor.accounts.models import Person

__all__ = ["allowed", "now", "staff"]


def now() -> datetime:
    """Return the moment of what the person does."""
    from corridor.base.clock import utcnow

    return utcnow()


def staff(name: str) -> Person:
    """Return a person of this node."""
    from corridor.accounts.services import person_named

    return person_named(name)


def allowed(outcome: Any) -> bool:
    """Let the second officer say the second yes, where one is waited for."""
    from corridor.accounts.approvals import approve

    if outcome.done or outcome.request_id is None:
        return True
    approve(outcome.request_id, actor=staff("officer.two"), now=now())
    return True
