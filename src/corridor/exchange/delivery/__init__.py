"""Deliver what waits to partners: the only room of the house that opens a connection."""

from corridor.exchange.delivery.addresses import Address, AddressRefused, PartnerUnreachable, check_address
from corridor.exchange.delivery.passes import ROUND_PATH, DeliveryReport, deliver_once, main, wait_after
from corridor.exchange.delivery.pinning import is_issued_by
from corridor.exchange.delivery.wires import HttpWire, Wire, WireReply

__all__ = [
    "ROUND_PATH",
    "Address",
    "AddressRefused",
    "DeliveryReport",
    "HttpWire",
    "PartnerUnreachable",
    "Wire",
    "WireReply",
    "check_address",
    "deliver_once",
    "is_issued_by",
    "main",
    "wait_after",
]
