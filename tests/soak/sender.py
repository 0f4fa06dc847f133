"""The sending process of the long run: queues figures without end, and names each id once it is committed.

Run as ``python -m tests.soak.sender AGREEMENT FIRST`` with ``CORRIDOR_HOME`` set; it ends when its input closes.
"""

from __future__ import annotations

import os
import sys
import time

import django
from django.db import transaction

BATCH = 20
MOST_WAITING = 1_000
"""With more than this in the outbox it pauses, so that the run ends soon after its last kill."""


def main(agreement: str, first: int) -> None:
    """Queue figures with values from `first` on."""
    django.setup()
    from corridor.accounts.actors import System
    from corridor.base.clock import utcnow
    from corridor.exchange.models import OutboxEntry
    from corridor.exchange.services import send
    from tests.exchange.nodes import Figure

    value = first
    while True:
        if OutboxEntry.objects.count() > MOST_WAITING:
            time.sleep(0.2)
            continue
        ids = []
        with transaction.atomic():
            for _ in range(BATCH):
                value += 1
                # 666 is the value that poisons its handler.
                message = Figure(place="PK-SD", value=value if value != 666 else 0)
                crossing = send(
                    message, to="cn.cdc", agreement=agreement, channel="figures", actor=System("soak"), now=utcnow()
                )
                ids.append(f"{crossing.envelope_id} {crossing.status}")
        sys.stdout.write("\n".join(ids) + "\n")
        sys.stdout.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    from corridor.server.supervisor import stop_with_parent

    stop_with_parent(lambda: os._exit(0))
    main(sys.argv[1], int(sys.argv[2]))
