"""Play every attack and print what each recovers, without its guards and with them: ``python -m tests.attack``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def main() -> int:
    """Play the attacks in one process, so that their table is printed at the end."""
    return int(pytest.main(["-q", "-n0", "-p", "no:randomly", str(Path(__file__).parent), *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
