"""From the TOML that people write to the canonical bytes that sites sign."""

from collections.abc import Mapping
from typing import Any

from corridor.base.members import from_toml
from corridor.exchange.rules.canonical import canonical
from corridor.pillars.research.rules.protocol.document import SCHEMA, Protocol
from corridor.pillars.research.rules.protocol.reading import MalformedProtocol, read_protocol

__all__ = ["draft_protocol", "protocol_from_toml"]


def draft_protocol(source: str | Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of the protocol that `source` (TOML text, or its members) describes.

    Raises
    ------
    MalformedProtocol
        If the text is no TOML, or anything is missing or wrong; every fault is listed.
    """
    members = {"schema": SCHEMA, "version": 1, "supersedes": None, **from_toml(source, fault=MalformedProtocol)}
    drafted = canonical(members)
    read_protocol(drafted)
    return drafted


def protocol_from_toml(source: str) -> Protocol:
    """Return the protocol that a TOML text describes.

    Raises
    ------
    MalformedProtocol
    """
    return read_protocol(draft_protocol(source))
