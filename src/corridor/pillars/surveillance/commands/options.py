"""Options that several commands of surveillance share: names of diseases and places, moments."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import ClassVar

from corridor.base.errors import WrongUsage
from corridor.base.reference import diseases, places

__all__ = ["BadOption", "UnknownName", "disease_code", "moment_of", "place_code"]


class UnknownName(WrongUsage):
    """An option names a disease or a place that is not in the reference data."""

    code: ClassVar[str] = "unknown-name"


class BadOption(WrongUsage):
    """An option is not written as expected."""

    code: ClassVar[str] = "bad-option"


def disease_code(text: str) -> str:
    """Return the code of a disease that is named in any of the four languages.

    Raises
    ------
    UnknownName
        With what it may have meant.
    """
    found = diseases().resolve(text)
    if found is None:
        near = ", ".join(each.code for each in diseases().candidates(text)[:5])
        raise UnknownName(
            f"disease {text!r} is not in the reference data." + (f" Did you mean: {near}?" if near else "")
        )
    return found.code


def place_code(text: str) -> str:
    """Return the code of a place that is named in any of the four languages.

    Raises
    ------
    UnknownName
        With what it may have meant.
    """
    found = places().resolve(text)
    if found is None:
        near = ", ".join(f"{each.code} {each.name()}" for each in places().candidates(text)[:5])
        raise UnknownName(f"place {text!r} is not in the reference data." + (f" Did you mean: {near}?" if near else ""))
    return found.code


def moment_of(text: str | None, now: datetime, *, option: str = "--as-of") -> datetime:
    """Return the time that an option names: a moment, or a day (until its end, at most now)."""
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise BadOption(
            f"{option} is a date or a moment such as 2024-05-31 or 2024-05-31T18:00Z, came {text!r}."
        ) from fault
    if len(text) <= 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59), UTC)
        moment = min(moment, now) if moment.date() == now.date() else moment
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment > now:
        raise BadOption(f"{option} {text} lies in the future; give a moment that has passed.")
    return moment
