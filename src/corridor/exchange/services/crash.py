"""Named points at which a test may kill this process, to prove that nothing is lost or doubled there."""

from __future__ import annotations

import os

_wanted = os.environ.get("CORRIDOR_TEST_CRASH", "")
"""``name`` or ``name:count``: die when the point is passed for the count-th time. Empty outside tests."""

_passed: dict[str, int] = {}


def arm(name: str, count: int) -> None:
    """Ask this process to die when the point `name` is passed for the count-th time from now; for tests alone."""
    global _wanted
    _wanted = f"{name}:{count}" if name else ""
    _passed.clear()


def crash_point(name: str) -> None:
    """Do nothing, unless a test asked this process to die here without any clean-up."""
    if not _wanted:
        return
    wanted, _, count = _wanted.partition(":")
    if wanted != name:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] >= int(count or 1):
        os._exit(86)
