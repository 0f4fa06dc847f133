"""What an amendment changes, clause by clause, for the person who must sign it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corridor.base.differences import Change, differences
from corridor.exchange.rules.canonical import parse_canonical

# Lists whose entries have a name of their own are compared by it, so that a moved entry is no change.
_NAMED_BY: Mapping[str, str] = {"parties": "node", "legal_basis": "country", "channels": "id", "places": "base_map"}


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
    return [
        ClauseChange(each.path, _clause(each.path, before, after), each.change, each.old, each.new)
        for each in differences(before, after, named_by=_NAMED_BY)
        if each.path != ("supersedes",)
    ]


def _clause(path: Sequence[str], old: Any, new: Any) -> str | None:
    if len(path) < 2 or path[0] != "channels":
        return None
    for document in (new, old):
        for channel in document["channels"]:
            if channel["id"] == path[1]:
                return str(channel["clause"])
    return None
