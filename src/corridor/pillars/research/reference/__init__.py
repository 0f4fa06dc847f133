"""The pillar's own reference documents: treatment protocols and follow-up schedules, each figure with its source.

Guidance as data, to compare with and to start from; no medical advice.
"""

from functools import cache
from importlib.resources import files
from typing import ClassVar

from corridor.base.errors import WrongUsage

__all__ = ["UnknownReference", "reference_names", "reference_text"]

_DATA = files("corridor.pillars.research.reference") / "care"


class UnknownReference(WrongUsage):
    """No reference document has the given name."""

    code: ClassVar[str] = "unknown-reference"


@cache
def reference_names() -> tuple[str, ...]:
    """Return the names of all reference documents."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _DATA.iterdir() if file.name.endswith(".toml")))


def reference_text(name: str) -> str:
    """Return the TOML text of a reference document.

    Raises
    ------
    UnknownReference
    """
    if name not in reference_names():
        raise UnknownReference(f"there is no reference document {name!r}; there are {', '.join(reference_names())}.")
    return (_DATA / f"{name}.toml").read_text(encoding="utf-8")
