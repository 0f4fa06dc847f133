"""Draft an agreement from a short source: defaults are filled in, texts hashed, and the result read back."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

from corridor.exchange.rules.agreement.document import SCHEMA
from corridor.exchange.rules.agreement.reading import read_agreement
from corridor.exchange.rules.canonical import canonical, sha256_hex

# The cautious choice wherever a source is silent.
DEFAULTS: Mapping[str, Any] = {
    "schema": SCHEMA,
    "retention_days": 1_825,
    "onward_transfer": False,
    "storage": "retain",
    "incident_notice_hours": 72,
    "renewal": "none",
    "suspension": "Any party may suspend at once; only the party that suspended lifts its suspension.",
    "termination": {"notice_days": 30},
    "survives": ["audit", "evidence"],
    "witnesses": 0,
    "governing_language": "en",
    "emergency": None,
    "supersedes": None,
}
CHANNEL_DEFAULTS: Mapping[str, Any] = {
    "disclosure": [],
    "caps": {"envelopes_per_day": 10_000, "persons_per_year": 0},
    "acceptance": "preview",
}


def draft(source: Mapping[str, Any], *, texts: Mapping[str, bytes]) -> bytes:
    """Return the canonical bytes of an agreement.

    Parameters
    ----------
    source : mapping
        Members of the document as TOML or JSON gives them; dates and times may be native values. Members left out take
        the cautious default of `DEFAULTS` and `CHANNEL_DEFAULTS`; what has no safe default must be given.
    texts : mapping of language to bytes
        The readable text in each language, whose hash goes into the document.

    Raises
    ------
    MalformedAgreement
        If anything is missing or wrong; every fault is listed.
    """
    document = {**deepcopy(dict(DEFAULTS)), **{key: _plain(value) for key, value in source.items()}}
    if texts:
        document["texts"] = {language: sha256_hex(text) for language, text in texts.items()}
    if isinstance(document.get("channels"), list):
        document["channels"] = [_channel(channel) for channel in document["channels"]]
    if isinstance(document.get("legal_basis"), list):
        document["legal_basis"] = [
            {"filing": None, "exemption": None, **basis} if isinstance(basis, dict) else basis
            for basis in document["legal_basis"]
        ]
    drafted: bytes = canonical(document)
    read_agreement(drafted)
    return drafted


def _channel(channel: Any) -> Any:
    if not isinstance(channel, dict):
        return channel
    filled = {**deepcopy(dict(CHANNEL_DEFAULTS)), **channel}
    if isinstance(channel.get("caps"), dict):
        filled["caps"] = {**CHANNEL_DEFAULTS["caps"], **channel["caps"]}
    return filled


def _plain(value: Any) -> Any:
    """Return `value` with native dates and times as the texts that the document carries."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
