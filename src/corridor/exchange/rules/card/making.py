"""Make cards: the first one of a node, and its successors."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from corridor.exchange.rules.canonical import b64, canonical
from corridor.exchange.rules.card.document import CARD, Card, NodeKeys, members_of
from corridor.exchange.rules.card.fingerprint import origin_of
from corridor.exchange.rules.card.members import read_members
from corridor.exchange.rules.card.reading import needed_signers, read_document
from corridor.exchange.rules.keys import SigningKey, sign_statement


def make_card(
    *,
    id: str,  # noqa: A002 - the member of the document is called so
    legal_entity: str,
    names: Mapping[str, str],
    country: str,
    url: str,
    keys: NodeKeys,
    recovery: bytes,
    issued_at: datetime,
    suite: str = "hc1",
    demo: bool = False,
) -> Card:
    """Return the first card of a node, signed by its own keys.

    Parameters
    ----------
    id, legal_entity, names, country, url, issued_at, suite, demo
        As in `Card`.
    keys : NodeKeys
    recovery : bytes, 32
        Public half of the recovery key; the private half is written down and kept offline.

    Raises
    ------
    Malformed
        If a member has the wrong form.
    """
    return _sign(
        members_of(
            id=id,
            legal_entity=legal_entity,
            names=names,
            country=country,
            url=url,
            keys=keys.public,
            recovery=recovery,
            suite=suite,
            issued_at=issued_at,
            serial=1,
            previous=None,
            origin=origin_of(keys.public, recovery),
            demo=demo,
        ),
        signers=(keys.transport, keys.log, keys.agreement),
        current=None,
    )


def rotate_card(
    current: Card,
    *,
    keys: NodeKeys,
    issued_at: datetime,
    previous_agreement_key: SigningKey | None = None,
    recovery_key: SigningKey | None = None,
    new_recovery_key: SigningKey | None = None,
    url: str | None = None,
    names: Mapping[str, str] | None = None,
    legal_entity: str | None = None,
) -> Card:
    """Return the successor of a card: other keys, another address, other names.

    Parameters
    ----------
    current : Card
        The card before.
    keys : NodeKeys
        Those of the new card (the same as before if only names or the address change).
    issued_at : datetime
    previous_agreement_key, recovery_key : SigningKey, optional
        Both are needed when a key changes: the agreement key of `current` and its recovery key.
    new_recovery_key : SigningKey, optional
        The recovery key from now on, if it changes too.
    url, names, legal_entity
        What changes, else as before.

    Raises
    ------
    BrokenChain
        If a signature that the rotation needs is missing.
    """
    recovery = new_recovery_key.public if new_recovery_key else current.recovery
    signers = [keys.transport, keys.log, keys.agreement]
    signers += [key for key in (previous_agreement_key, recovery_key, new_recovery_key) if key is not None]
    members = members_of(
        id=current.id,
        legal_entity=legal_entity or current.legal_entity,
        names=names or current.names,
        country=current.country,
        url=url or current.url,
        keys=keys.public,
        recovery=recovery,
        suite=current.suite,
        issued_at=issued_at,
        serial=current.serial + 1,
        previous=current.hash,
        origin=current.origin,
        demo=current.demo,
    )
    return _sign(members, signers=signers, current=current)


def _sign(members: dict[str, Any], *, signers: Sequence[SigningKey], current: Card | None) -> Card:
    unsigned = canonical(members)
    needed = needed_signers(read_members(members, signed=b""), current)
    signatures = {key.kid: b64(sign_statement(unsigned, kind=CARD, key=key)) for key in signers if key.kid in needed}
    return read_document(canonical({"card": members, "signatures": signatures}), current)
