"""The session engine: Django's database engine, with the person, address and browser beside each session."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from corridor.accounts.models import PersonSession

ADDRESS = "_corridor_address"
BROWSER = "_corridor_browser"
BEGAN_AT = "_corridor_began_at"


class SessionStore(DatabaseSessionStore):
    """Sessions in the table `PersonSession`."""

    @classmethod
    def get_model_class(cls) -> type[PersonSession]:
        """Return the table of sessions."""
        return PersonSession

    def create_model_instance(self, data: dict[str, Any]) -> PersonSession:
        """Return the row for `data`, with the columns by which a person finds their own sessions."""
        row = cast("PersonSession", super().create_model_instance(data))
        person_id = data.get("_auth_user_id")
        row.person_id = int(person_id) if person_id is not None else None
        row.address = data.get(ADDRESS, "")
        row.browser = data.get(BROWSER, "")
        row.began_at = datetime.fromisoformat(data[BEGAN_AT]) if BEGAN_AT in data else None
        return row


def begin(session: Any, *, address: str, browser: str, now: datetime) -> None:
    """Note in a session that was just opened from where it was opened."""
    session[ADDRESS] = address[:64]
    session[BROWSER] = browser[:200]
    session[BEGAN_AT] = now.isoformat()
