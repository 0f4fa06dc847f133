"""What an amendment changes, clause by clause, for the person who must sign it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from corridor.exchange.rules.canonical import parse_canonical

# Lists whose entries have a name of their own are compared by it, so that a moved entry is no change.
_NAMED_BY: Mapping[str, str] = {"parties": "node", "legal_basis": "country", "channels": "id", "places": "base_map"}


class Change(StrEnum):
    """How a member differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class ClauseChange:
    """One member of the document that differs.

    Attributes
    ----------
    path : tuple of str
        Names from the root, such as ``("channels", "counts", "caps", "envelopes_per_day")``.
    clause : str or None
        The clause of the instrument that the changed channel carries out.
    old, new : object
        JSON values; None where the member is absent (or null).
    """

    path: tuple[str, ...]
    clause: str | None
    change: Change
    old: Any
    new: Any


def difference(old: bytes, new: bytes) -> list[ClauseChange]:
    """Return every member that differs between two documents, in the order of the new one, removed members last.

    Parameters
    ----------
    old, new : bytes
        Canonical bytes of two agreements.
    """
    before, after = parse_canonical(old), parse_canonical(new)
    changes: list[ClauseChange] = []
    for path, was, comes in _walk((), before, after):
        if path == ("supersedes",):
            continue
        change = Change.ADDED if was is None else Change.REMOVED if comes is None else Change.CHANGED
        changes.append(ClauseChange(path, _clause(path, before, after), change, was, comes))
    return changes


def _walk(path: tuple[str, ...], old: Any, new: Any) -> list[tuple[tuple[str, ...], Any, Any]]:
    old, new = _by_name(path, old), _by_name(path, new)
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*new, *(key for key in old if key not in new)]
        return [change for key in keys for change in _walk((*path, str(key)), old.get(key), new.get(key))]
    return [] if old == new else [(path, _plain(old), _plain(new))]


def _by_name(path: tuple[str, ...], value: Any) -> Any:
    key = _NAMED_BY.get(path[-1]) if len(path) == 1 else None
    if key is None or not isinstance(value, list):
        return value
    return {entry[key]: entry for entry in value}


def _plain(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) and value and _is_named(value) else value


def _is_named(value: Mapping[str, Any]) -> bool:
    return all(isinstance(entry, dict) and name in entry.values() for name, entry in value.items())


def _clause(path: Sequence[str], old: Any, new: Any) -> str | None:
    if len(path) < 2 or path[0] != "channels":
        return None
    for document in (new, old):
        for channel in document["channels"]:
            if channel["id"] == path[1]:
                return str(channel["clause"])
    return None
