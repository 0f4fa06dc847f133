"""A process that works on a study between nodes in files until it dies at a crash point.

``python -m tests.research.living FOLDER AGREEMENT NOW POINT COUNT``: a process of its own, since one that was forked
has no threads for the tables. Exit status 86 says that it died there.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import django


def main(folder: Path, agreement: str, now: datetime, point: str, count: int) -> None:
    """Deliver and compute at every site until nothing moves, or until the point is passed for the count-th time."""
    django.setup()
    from corridor.exchange.services import crash
    from corridor.pillars.research.rules.protocol import read_protocol
    from tests.exchange.nodes import Corridor
    from tests.research.studies import StudyCorridor

    document = (folder / "protocol.json").read_bytes()
    protocol = read_protocol(document)
    corridor = Corridor.reopened(folder, [site.node for site in protocol.sites], now=now)
    study = StudyCorridor(corridor, document, protocol, agreement=agreement)
    crash.arm(point, count)
    study.settle(passes=8)
    corridor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
