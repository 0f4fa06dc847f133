"""The one place where the time of day enters the house."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the present moment, aware, in UTC.

    Only the edge (commands, views, API, worker loops) calls this; everything below takes ``now`` as an argument.
    """
    return datetime.now(UTC)
