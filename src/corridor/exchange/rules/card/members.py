"""The members of a card document, each checked for its form, and the signatures under a document."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from corridor.exchange.rules.canonical import (
    NotBase64url,
    NotCanonical,
    NotUtc,
    is_hash,
    parse_canonical,
    unb64,
    utc_time,
)
from corridor.exchange.rules.card.document import CARD, KEY_NAMES, Card, CardKeys
from corridor.exchange.rules.envelope import is_node_id
from corridor.exchange.rules.jws import BadSignature, Malformed
from corridor.exchange.rules.keys import MalformedKey, check_encryption, check_public, suite, verify_statement
from corridor.exchange.rules.versions import check_version

_CARD_MEMBERS = frozenset(
    {
        "schema",
        "id",
        "legal_entity",
        "names",
        "country",
        "url",
        "suite",
        "keys",
        "recovery",
        "issued_at",
        "serial",
        "previous",
        "fingerprint",
        "demo",
    }
)
_COUNTRY = re.compile(r"[A-Z]{2}\Z")


def parse(document: bytes, what: str) -> dict[str, Any]:
    """Return the members of a canonical JSON object.

    Raises
    ------
    Malformed
        Naming `what` it should have been.
    """
    try:
        value = parse_canonical(document)
    except NotCanonical as fault:
        raise Malformed(f"a {what} is a canonical JSON document; {fault}") from fault
    if not isinstance(value, dict):
        raise Malformed(f"a {what} is a JSON object")
    return value


def check_signatures(
    unsigned: bytes, *, kind: str, needed: Mapping[str, bytes], signatures: Mapping[str, object]
) -> None:
    """Raise unless each key of `needed` (public keys by thumbprint) signed the bytes as a statement of `kind`.

    Raises
    ------
    BadSignature, Malformed
    """
    for kid, public in needed.items():
        if not verify_statement(unsigned, kind=kind, public=public, signature=read_bytes(signatures[kid], "signature")):
            raise BadSignature(f"the signature of key {kid[:8]}… does not belong to this document")


def read_bytes(text: object, member: str) -> bytes:
    """Return the bytes of a base64url member, or raise `Malformed` naming it."""
    try:
        return unb64(text)  # type: ignore[arg-type] # unb64 refuses what is no text
    except NotBase64url as fault:
        raise Malformed(f"member {member!r}: expected strict base64url") from fault


def read_time(text: object, member: str) -> datetime:
    """Return the time of a member, or raise `Malformed` naming it."""
    try:
        return utc_time(text)  # type: ignore[arg-type] # utc_time refuses what is no text
    except NotUtc as fault:
        raise Malformed(f"member {member!r}: expected a UTC time with microseconds and Z") from fault


def _check_members(value: object) -> None:
    if isinstance(value, dict):
        check_version(value.get("schema"), known=CARD, what="a card")
    if isinstance(value, dict) and value.keys() == _CARD_MEMBERS and value["schema"] == CARD:
        return
    unknown = sorted(str(key)[:40] for key in value.keys() - _CARD_MEMBERS) if isinstance(value, dict) else []
    beside = f"; unknown: {', '.join(unknown[:5])}. If a newer node wrote it, upgrade this one" if unknown else ""
    raise Malformed(f"a card has exactly the members of {CARD}{beside}")


def read_members(value: Any, *, signed: bytes) -> Card:
    """Return the card whose members have the right form and whose keys are sound; no signature is checked here.

    Raises
    ------
    Malformed, WeakKey, UnknownSuite
    """
    _check_members(value)
    if not is_node_id(value["id"]):
        raise Malformed("member 'id': expected a node id, lower-case and dotted, country first, such as pk.nih")
    if not isinstance(value["country"], str) or not _COUNTRY.match(value["country"]):
        raise Malformed("member 'country': expected an ISO 3166-1 alpha-2 code such as PK")
    if value["id"][:2] != value["country"].lower():
        raise Malformed("a node id begins with the node's country")
    if not isinstance(value["legal_entity"], str) or not 0 < len(value["legal_entity"]) <= 500:
        raise Malformed("member 'legal_entity': expected a text of up to 500 characters")
    names = value["names"]
    if (
        not isinstance(names, dict)
        or not names
        or not all(isinstance(n, str) and 0 < len(n) <= 500 for n in names.values())
    ):
        raise Malformed("member 'names': expected at least one text by language")
    if type(value["serial"]) is not int or not 1 <= value["serial"] < 2**31:
        raise Malformed("member 'serial': expected a whole number from 1")
    if value["previous"] is not None and not is_hash(value["previous"]):
        raise Malformed("member 'previous': expected a SHA-256, or null in the first card")
    origin = value["fingerprint"]
    if not isinstance(origin, str) or not re.fullmatch(r"[0-9a-f]{40}", origin):
        raise Malformed("member 'fingerprint': expected 40 hexadecimal digits")
    if type(value["demo"]) is not bool:
        raise Malformed("member 'demo': expected true or false")
    if not isinstance(value["suite"], str):
        raise Malformed("member 'suite': expected a text")
    return Card(
        id=value["id"],
        legal_entity=value["legal_entity"],
        names=MappingProxyType(names),
        country=value["country"],
        url=_read_url(value["url"]),
        keys=_read_keys(value["keys"]),
        recovery=_read_recovery(value),
        suite=suite(value["suite"]).name,
        issued_at=read_time(value["issued_at"], "issued_at"),
        serial=value["serial"],
        previous=value["previous"],
        origin=origin,
        demo=value["demo"],
        signed=signed,
    )


def _read_url(text: object) -> str:
    if not isinstance(text, str) or len(text) > 300 or not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        raise Malformed("member 'url': expected an address in ASCII of up to 300 characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as fault:
        raise Malformed("member 'url': expected an address such as https://node.example.org") from fault
    sound = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and not parts.password
    if not sound or parts.path not in {"", "/"} or parts.query or parts.fragment or port == 0:
        raise Malformed(
            "member 'url': expected scheme, host and port alone, such as https://node.example.org, without user or path"
        )
    return text


def _read_keys(value: Any) -> CardKeys:
    if not isinstance(value, dict) or value.keys() != set(KEY_NAMES):
        raise Malformed("member 'keys': expected exactly transport, log, agreement and encryption")
    keys = CardKeys(**{name: read_bytes(value[name], name) for name in KEY_NAMES})
    try:
        for public in (keys.transport, keys.log, keys.agreement):
            check_public(public)
        check_encryption(keys.encryption)
    except MalformedKey as fault:
        raise Malformed(f"member 'keys': {fault}") from fault
    if len({keys.transport, keys.log, keys.agreement}) != 3:
        raise Malformed("member 'keys': transport, log and agreement must be three different keys")
    return keys


def _read_recovery(value: dict[str, Any]) -> bytes:
    recovery = read_bytes(value["recovery"], "recovery")
    try:
        check_public(recovery)
    except MalformedKey as fault:
        raise Malformed(f"member 'recovery': {fault}") from fault
    if value["recovery"] in value["keys"].values():
        raise Malformed("member 'recovery': the recovery key must be none of the online keys")
    return recovery
