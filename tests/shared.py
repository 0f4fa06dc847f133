"""Where the public reference material lies that may be read but not copied into the project."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(path: str) -> Path:
    """Return ``../shared/<path>``, or skip the test with a plain reason where that folder is absent."""
    target = SHARED / path
    if not target.exists():
        pytest.skip(f"reads ../shared/{path}, which does not lie beside this clone")
    return target
