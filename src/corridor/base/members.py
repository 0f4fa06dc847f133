"""Walk a JSON object member by member, noting every fault with its JSON pointer instead of stopping at the first."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Self

from corridor.base.errors import InputFault

__all__ = ["Fault", "FaultyDocument", "Members", "from_toml", "plain"]

_MAX_TEXT = 20_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NEWER = "If a newer node wrote it, upgrade this one"


@dataclass(frozen=True)
class Fault:
    """One fault of a document: where it is (RFC 6901 pointer) and what was expected there."""

    pointer: str
    text: str


class FaultyDocument(InputFault):
    """A document breaks its schema; every fault is listed with its JSON pointer.

    Attributes
    ----------
    faults : tuple of Fault
    noun : str
        What a kind of document is called in the text.
    """

    code: ClassVar[str] = "faulty-document"
    noun: ClassVar[str] = "document"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        listed = "\n".join(f"  {fault.pointer or '/'}: {fault.text}" for fault in faults)
        super().__init__(f"the {self.noun} has {len(faults)} fault(s); mend these and try again:\n{listed}")

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the error for a document that cannot be read at all."""
        return cls((Fault("", text),))


def plain(value: Any) -> Any:
    """Return what TOML holds as JSON has it: days as ISO texts (of a time its day), everything else as it is."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def from_toml(source: str | Mapping[str, Any], *, fault: type[FaultyDocument]) -> dict[str, Any]:
    """Return the members of a TOML text (or those given) as JSON has them.

    Parameters
    ----------
    source : str or mapping
        The text, or what `tomllib` made of it.
    fault : type of FaultyDocument
        What is raised where the text is no TOML.
    """
    if isinstance(source, str):
        try:
            source = tomllib.loads(source)
        except tomllib.TOMLDecodeError as broken:
            raise fault.of_text(f"the file is no TOML: {broken}") from None
    return {str(key): plain(value) for key, value in source.items()}


class Members:
    """The members of one JSON object; each reading method returns a usable value and notes a fault if it made one up.

    Parameters
    ----------
    value : object
        The parsed JSON value; anything but an object is a fault.
    pointer : str
        Where the object stands in the document.
    faults : list of Fault
        Shared by all readers of one document.
    """

    def __init__(self, value: object, pointer: str, faults: list[Fault]) -> None:
        self.faults = faults
        self._pointer = pointer
        self._seen: set[str] = set()
        self._absent = False
        if isinstance(value, dict):
            self._value: dict[str, Any] = value
        else:
            self._value = {}
            self._absent = True
            faults.append(Fault(pointer, "expected an object"))

    @classmethod
    def of(cls, value: object) -> "Members":
        """Return a reader of the whole document."""
        return cls(value, "", [])

    def fault(self, key: str, text: str) -> None:
        """Note that the member `key` (or a path below it) is at fault."""
        self.faults.append(Fault(f"{self._pointer}/{key}", text))

    def done(self) -> None:
        """Note every member that nobody asked for: what is not understood must not be signed."""
        for key in sorted(set(self._value) - self._seen):
            self.fault(key, f"unknown member; this version has none of that name. {_NEWER}")

    def skip(self, *keys: str) -> None:
        """Let members stand unread, there or not: they describe, and change nothing of what is read."""
        self._seen.update(keys)

    def is_null(self, key: str) -> bool:
        """Return whether the member stands there as null."""
        self._seen.add(key)
        return key in self._value and self._value[key] is None

    def text(self, key: str, *, pattern: re.Pattern[str] | None = None) -> str:
        """Return a non-empty string of at most 20,000 characters that `pattern` matches wholly."""
        return self._text(key, self._take(key), pattern)

    def optional(self, key: str, *, pattern: re.Pattern[str] | None = None, absent_allowed: bool = False) -> str | None:
        """Return a string or None for null; with `absent_allowed` the member may be left out."""
        self._seen.add(key)
        if absent_allowed and key not in self._value:
            return None
        value = self._take(key)
        return None if value is None and key in self._value else self._text(key, value, pattern)

    def day(self, key: str) -> date:
        """Return a day of the calendar, written YYYY-MM-DD."""
        text = self.text(key, pattern=_DAY)
        try:
            return date.fromisoformat(text)
        except ValueError:
            if text:
                self.fault(key, "expected a day of the calendar, YYYY-MM-DD")
            return date(1970, 1, 1)

    def choice(self, key: str, allowed: Sequence[str], *, absent: str | None = None) -> str:
        """Return one of `allowed`; `absent` is the value where the member is left out."""
        self._seen.add(key)
        if absent is not None and key not in self._value:
            return absent
        value = self._take(key)
        if value in allowed and isinstance(value, str):
            return value
        if not self._absent and key in self._value:
            self.fault(key, f"expected one of {', '.join(allowed)}")
        return allowed[0]

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._take(key)
        if isinstance(value, bool):
            return value
        if key in self._value:
            self.fault(key, "expected true or false")
        return False

    def whole(self, key: str, *, least: int, most: int, fallback: int = 0) -> int:
        """Return a whole number within ``[least, most]``."""
        value = self._take(key)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        if key in self._value:
            wanted = f"{least}" if least == most else f"a whole number from {least} to {most}"
            self.fault(key, f"expected {wanted}")
        return fallback

    def number(self, key: str, *, least: float, most: float, fallback: float = 0.0) -> float:
        """Return a finite number within ``[least, most]``, whole or not."""
        value = self._take(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        if key in self._value:
            self.fault(key, f"expected a number from {least:g} to {most:g}")
        return fallback

    def has(self, key: str) -> bool:
        """Return whether the member is there, without taking it."""
        return key in self._value

    def names(self) -> tuple[str, ...]:
        """Return the names of all members, in their order."""
        return tuple(self._value)

    def numbers(self, key: str, *, least: float, most: float) -> list[float]:
        """Return a list of finite numbers within ``[least, most]``."""
        values = self._list(key, at_least=0, absent_allowed=False)
        found = []
        for index, value in enumerate(values):
            if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
                found.append(float(value))
            else:
                self.fault(f"{key}/{index}", f"expected a number from {least:g} to {most:g}")
        return found

    def is_text(self, key: str) -> bool:
        """Return whether the member holds a string, without taking it."""
        return isinstance(self._value.get(key), str)

    def rest(self, taken: Sequence[str]) -> dict[str, Any]:
        """Return every member but `taken` as it stands, for a reader that knows what they mean."""
        self._seen.update(self._value)
        return {key: value for key, value in self._value.items() if key not in taken}

    def members(self, key: str) -> "Members":
        """Return a reader of the object at `key`."""
        return Members(self._take(key), f"{self._pointer}/{key}", self.faults if key in self._value else [])

    def items(self, key: str, *, at_least: int = 0, absent_allowed: bool = False) -> list["Members"]:
        """Return a reader for each object of the list at `key`."""
        values = self._list(key, at_least=at_least, absent_allowed=absent_allowed)
        return [Members(value, f"{self._pointer}/{key}/{index}", self.faults) for index, value in enumerate(values)]

    def strings(self, key: str, *, pattern: re.Pattern[str] | None = None, at_least: int = 0) -> list[str]:
        """Return a list of distinct strings."""
        values = self._list(key, at_least=at_least, absent_allowed=False)
        strings = [self._text(f"{key}/{index}", value, pattern) for index, value in enumerate(values)]
        if len(set(strings)) < len(strings):
            self.fault(key, "expected each entry once")
        return strings

    def texts(self, key: str, languages: Sequence[str], *, pattern: re.Pattern[str] | None = None) -> dict[str, str]:
        """Return a non-empty object of language to string."""
        item = self.members(key)
        texts = {language: item.text(language, pattern=pattern) for language in languages if language in item._value}
        if not texts and key in self._value:
            self.fault(key, f"expected a text in at least one of {', '.join(languages)}")
        item.done()
        return texts

    def _take(self, key: str) -> object:
        self._seen.add(key)
        if key not in self._value and not self._absent:
            self.fault(key, "expected this member; it is missing")
        return self._value.get(key)

    def _text(self, key: str, value: object, pattern: re.Pattern[str] | None) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
            if key.partition("/")[0] in self._value:
                self.fault(key, f"expected a text of 1 to {_MAX_TEXT} characters")
            return ""
        if pattern is not None and not pattern.fullmatch(value):
            self.fault(key, f"does not have the expected form {pattern.pattern}")
            return ""
        return value

    def _list(self, key: str, *, at_least: int, absent_allowed: bool) -> list[object]:
        self._seen.add(key)
        if absent_allowed and key not in self._value:
            return []
        values = self._take(key)
        if not isinstance(values, list):
            if key in self._value:
                self.fault(key, "expected a list")
            return []
        if len(values) < at_least:
            self.fault(key, f"expected at least {at_least} entries, came {len(values)}")
        return values
