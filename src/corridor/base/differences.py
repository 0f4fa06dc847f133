"""Two documents side by side: what was added, removed or changed, member by member."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Change", "Difference", "SidePair", "differences", "side_by_side"]

Path = tuple[str, ...]


class Change(StrEnum):
    """How a member differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Difference:
    """One member that differs between two documents.

    Attributes
    ----------
    path : tuple of str
        Names from the root; an entry of a named list stands under its name.
    old, new : object
        JSON values; None where the member is absent (or null).
    """

    path: Path
    change: Change
    old: Any
    new: Any


@dataclass(frozen=True)
class SidePair:
    """One value of two documents side by side; None where a document has none."""

    path: Path
    left: Any
    right: Any

    @property
    def differs(self) -> bool:
        """Whether the two sides say different things."""
        return bool(self.left != self.right)


def differences(old: Any, new: Any, *, named_by: Mapping[str, str]) -> list[Difference]:
    """Return every member that differs, in the order of the new document, removed members last.

    What only one document has is one difference, however much lies below it.

    Parameters
    ----------
    old, new : JSON values
    named_by : mapping of the name of a list to the member that names its entries
        Such lists are compared entry by entry by that name, so that a moved entry is no change.
    """
    return [
        Difference(
            path, Change.ADDED if was is None else Change.REMOVED if comes is None else Change.CHANGED, was, comes
        )
        for path, was, comes in _walk((), old, new, named_by)
    ]


def side_by_side(left: Any, right: Any, *, named_by: Mapping[str, str]) -> list[SidePair]:
    """Return every single value of either document, equal or not, in the order of the left one.

    The names of entries stand in the paths, not again as values.

    Parameters
    ----------
    left, right : JSON values
    named_by : mapping of the name of a list to the member that names its entries
    """
    return list(_pairs((), left, right, named_by))


def _walk(path: Path, old: Any, new: Any, named_by: Mapping[str, str]) -> Iterator[tuple[Path, Any, Any]]:
    before, after = _by_name(path, old, named_by), _by_name(path, new, named_by)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *(key for key in before if key not in after)]:
            yield from _walk((*path, str(key)), before.get(key), after.get(key), named_by)
    elif old != new:
        yield path, old, new


def _pairs(path: Path, left: Any, right: Any, named_by: Mapping[str, str]) -> Iterator[SidePair]:
    sides = [_by_name(path, left, named_by), _by_name(path, right, named_by)]
    if any(isinstance(side, dict) for side in sides) and all(side is None or isinstance(side, dict) for side in sides):
        first, second = ({} if side is None else side for side in sides)
        name = named_by.get(path[-2]) if len(path) > 1 else None
        for key in [*first, *(key for key in second if key not in first)]:
            if key == name and path[-1] in (first.get(key), second.get(key)):
                continue
            yield from _pairs((*path, str(key)), first.get(key), second.get(key), named_by)
    elif left is not None or right is not None:
        yield SidePair(path, left, right)


def _by_name(path: Path, value: Any, named_by: Mapping[str, str]) -> Any:
    """Return a list whose entries have names of their own as a mapping; anything else as it is."""
    key = named_by.get(path[-1]) if path else None
    if key is None or not isinstance(value, list):
        return value
    names: Sequence[Any] = [entry.get(key) if isinstance(entry, dict) else None for entry in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return value
    return dict(zip(names, value, strict=True))
