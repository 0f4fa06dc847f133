"""Writes of the exchange; each outermost call is one transaction with one audit entry."""

from corridor.exchange.services.inbox import Posted, Reply, receive
from corridor.exchange.services.outbox import send, send_control
from corridor.exchange.services.release import breaches, releasable

__all__ = ["Posted", "Reply", "breaches", "receive", "releasable", "send", "send_control"]
