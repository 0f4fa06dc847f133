"""A process that works on a study between nodes that another one made, until it dies at a crash point.

``python -m tests.research.living FOLDER AGREEMENT NOW POINT COUNT``: a process of its own, since one that was forked
has no threads for the tables. Exit status 86 says that it died there.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import django


def opened(url: str, home: Path) -> Any:
    """Return a connection to a node's database: that of `url`, or the SQLite file of its home where that is empty."""
    from corridor.server import env
    from tests.exchange.nodes import sqlite_wrapper, wrapper_of

    if not url:
        return sqlite_wrapper(home / env.DATABASE_FILE)
    return wrapper_of(env.database(url, None) | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False})


def main(folder: Path, agreement: str, now: datetime, point: str, count: int) -> None:
    """Deliver and compute at every site until nothing moves, or until the point is passed for the count-th time."""
    django.setup()
    from corridor.exchange.services import crash
    from corridor.pillars.research.rules.protocol import read_protocol
    from tests.exchange.nodes import Corridor
    from tests.research.studies import StudyCorridor

    document = (folder / "protocol.json").read_bytes()
    protocol = read_protocol(document)
    urls = json.loads((folder / "databases.json").read_text(encoding="utf-8"))
    corridor = Corridor.reopened(
        folder, [site.node for site in protocol.sites], database=lambda node, home: opened(urls[node], home), now=now
    )
    study = StudyCorridor(corridor, document, protocol, agreement=agreement)
    crash.arm(point, count)
    study.settle(passes=8)
    corridor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
