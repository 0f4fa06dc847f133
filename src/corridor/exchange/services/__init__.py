"""Writes of the exchange; each outermost call is one transaction with one audit entry."""

from corridor.exchange.services.inbox import Posted, Reply, receive
from corridor.exchange.services.outbox import send, send_control
from corridor.exchange.services.release import (
    PLAIN,
    ByHand,
    ReturnsOwed,
    Terms,
    breaches,
    deductions,
    owing,
    releasable,
    require_whole,
)

__all__ = [
    "PLAIN",
    "ByHand",
    "Posted",
    "Reply",
    "ReturnsOwed",
    "Terms",
    "breaches",
    "deductions",
    "owing",
    "receive",
    "releasable",
    "require_whole",
    "send",
    "send_control",
]
