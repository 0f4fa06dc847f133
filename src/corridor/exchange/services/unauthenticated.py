"""Count by the hour what could not be authenticated; nothing of it is kept, and none of it becomes a leaf."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from corridor.exchange.models import UnauthenticatedCount


def count_unauthenticated(fault: str, *, now: datetime, times: int = 1) -> None:
    """Add `times` to the count of `fault` in the hour of `now`."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    UnauthenticatedCount.objects.bulk_create(
        [UnauthenticatedCount(hour_at=hour, fault=fault[:40], count=0)], ignore_conflicts=True
    )
    UnauthenticatedCount.objects.filter(hour_at=hour, fault=fault[:40]).update(count=F("count") + times)
