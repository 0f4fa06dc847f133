"""The first steps of the exchange at a new node: keys, own card, the first leaf of the log."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from corridor.accounts.actors import Actor


def found(home: Path, *, actor: Actor, now: datetime) -> str:
    """Make the node's keys and card; return the recovery key as text, to be shown once."""
    if find_spec("corridor.exchange.services.founding") is None:
        return ""
    return str(import_module("corridor.exchange.services.founding").found_node(home, actor=actor, now=now))
