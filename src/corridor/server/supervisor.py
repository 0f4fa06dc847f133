"""One command runs a node: it starts web, delivery and jobs as processes, and starts again what dies."""

from __future__ import annotations

import logging
import os
import signal
import socket  # noqa: TID251  # to see whether the port is free before a child stumbles over it
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from corridor.base.errors import WrongUsage

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
STOP_SECONDS = 15.0


class PortTaken(WrongUsage):
    """Another program listens where the node should."""

    code = "port-taken"


def check_port(address: str, port: int) -> int:
    """Return `port` if it is free, or a free one for 0.

    Raises
    ------
    PortTaken
        If another program listens there.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} of {address} cannot be used ({error.strerror}); "
                "stop what listens there, or give another --port or --address"
            ) from error
        return int(probe.getsockname()[1])


@dataclass
class Child:
    """One process under supervision."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    start_after: float = 0.0

    def start(self, now: float) -> None:
        """Start the process; it ends by itself when this one is gone, since its standard input then closes."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE)  # noqa: S603  # our own interpreter and module
        self.started_at = now

    def look_after(self, now: float) -> None:
        """Start the process if it is not running and its pause is over; the pause doubles while it keeps dying."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._close()
            if now - self.started_at > HEALTHY_SECONDS:
                self.pause = FIRST_PAUSE_SECONDS
            log.error("%s ended with code %s; it starts again in %.1f s", self.name, code, self.pause)
            self.start_after = now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)
        if now >= self.start_after:
            self.start(now)

    def stop(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Wait for the end of the process, and end it by force at `until`."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("%s does not stop; it is ended by force", self.name)
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


@dataclass
class Supervisor:
    """Keeps its children running until it is told to stop."""

    children: list[Child]
    stop_event: threading.Event = field(default_factory=threading.Event)

    def run(self, *, ready: Callable[[], None]) -> None:
        """Start the children, call `ready`, and look after them until SIGTERM or SIGINT."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            now = time.monotonic()
            for child in self.children:
                child.start(now)
            ready()
            while not self.stop_event.wait(0.2):
                for child in self.children:
                    child.look_after(time.monotonic())
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop_event.set()

    def _stop(self) -> None:
        for child in self.children:
            child.stop()
        until = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.wait(until)


def child_command(part: str, *arguments: str) -> list[str]:
    """Return the command line of the child that runs `part`."""
    return [sys.executable, "-m", "corridor.server.child", part, *arguments]


def stop_with_parent(stop: Callable[[], None]) -> None:
    """Call `stop` once standard input closes, which happens when the supervisor is gone, even if it was killed."""

    def watch() -> None:
        while os.read(0, 1024):
            continue
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
