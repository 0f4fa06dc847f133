"""Writes of the exchange; each outermost call is one transaction with one audit entry."""

from corridor.exchange.services.inbox import Posted, Reply, receive
from corridor.exchange.services.outbox import send, send_control

__all__ = ["Posted", "Reply", "receive", "send", "send_control"]
