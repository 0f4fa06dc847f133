"""One process of a node: ``python -m corridor.server.child web|delivery|jobs``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module

from corridor.server.supervisor import stop_with_parent

LOOPS = {"delivery": "corridor.exchange.delivery", "jobs": "corridor.jobs.worker"}
# More threads than cores only queue for the interpreter; two at least, so that a waiting write does not stop reading.
BLOCKING_THREADS = max(2, os.cpu_count() or 2)


def web(*, address: str, port: int, workers: int) -> None:
    """Answer requests until SIGTERM."""
    from granian.constants import Interfaces
    from granian.server import Server

    # The parent is watched here alone: granian's workers are children of this process and end with it.
    stop_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    Server(
        "corridor.server.wsgi:application",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=BLOCKING_THREADS,
        respawn_failed_workers=True,
        websockets=False,
        log_access=False,
        workers_kill_timeout=10,
    ).serve()


def loop(part: str) -> None:
    """Run the loop of delivery or jobs until SIGTERM; the work under way is finished first."""
    import django

    stop_event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_event.set())
    stop_with_parent(stop_event.set)
    django.setup()
    import_module(LOOPS[part]).main(stop_event)


def main(arguments: list[str]) -> None:
    """Run the part that the first argument names; for ``web``, address, port and workers follow."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
    if arguments[0] == "web":
        web(address=arguments[1], port=int(arguments[2]), workers=int(arguments[3]))
    else:
        loop(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
