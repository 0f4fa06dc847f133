"""Named points at which a test may kill this process, to prove that nothing is lost or doubled there."""

from __future__ import annotations

import os
from pathlib import Path

_WANTED = os.environ.get("CORRIDOR_TEST_CRASH", "")
"""``name`` or ``name:count``: die when the point is passed for the count-th time. Empty outside tests."""

_passed: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Do nothing, unless the environment asked this process to die here without any clean-up."""
    if not _WANTED:
        return
    wanted, _, count = _WANTED.partition(":")
    if wanted != name:
        return
    _passed[name] = _passed.get(name, 0) + 1
    if _passed[name] >= int(count or 1):
        report = os.environ.get("CORRIDOR_TEST_CRASH_REPORT")
        if report:
            Path(report).write_text(name)
        os._exit(86)
