"""Sealed bodies: files of the home, each wrapped once more under a key of its own that lies outside the database."""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import Refused
from corridor.exchange import keystore
from corridor.exchange.models import Crossing, SealedBody
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.services import log

FOLDER = "bodies"
_NONCE = 12


class BodyHeld(Refused):
    """A legal hold keeps the body."""

    code = "body-held"


def store(crossing: Crossing, ciphertext: bytes) -> SealedBody:
    """Write the ciphertext of a crossing to ``HOME/bodies`` under a new key and return its row."""
    folder = keystore.home()
    name = uuid.uuid4().hex
    nonce = secrets.token_bytes(_NONCE)
    wrapped = nonce + AESGCM(keystore.make_body_key(folder, name)).encrypt(nonce, ciphertext, name.encode())
    keystore.write_private(_path(folder, name), wrapped)
    return SealedBody.objects.create(
        crossing=crossing, name=name, size_bytes=len(ciphertext), ciphertext_hash=sha256_hex(ciphertext)
    )


def load(crossing: Crossing) -> bytes | None:
    """Return the ciphertext of a crossing; None where its body is not sealed or was deleted."""
    if not DataClass(crossing.data_class).travels_sealed:
        return None
    row = SealedBody.objects.filter(crossing=crossing, deleted_at__isnull=True).first()
    if row is None:
        return None
    folder = keystore.home()
    wrapped = _path(folder, row.name).read_bytes()
    key = AESGCM(keystore.body_key(folder, row.name))
    return key.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], row.name.encode())


@write("exchange.delete_body", subject="crossing")
def delete(crossing: Crossing, *, actor: Actor, now: datetime) -> None:
    """Destroy the key of a sealed body, then its file, and state so in the log: deletion is attested, not proved.

    Raises
    ------
    BodyHeld
        While a legal hold keeps it.
    """
    require(actor, "exchange.delete_body")
    row = SealedBody.objects.select_for_update().get(crossing=crossing)
    if row.is_held:
        raise BodyHeld("a legal hold keeps this body. Lift the hold first.")
    folder = keystore.home()
    keystore.destroy_body_key(folder, row.name)
    _path(folder, row.name).unlink(missing_ok=True)
    row.deleted_at, row.deleted_by = now, actor_name(actor)
    row.save(update_fields=["deleted_at", "deleted_by"])
    head = log.lock_tree(crossing.tree.kind, subject=crossing.tree.subject, now=now)
    log.append(head, [log.record("deleted", now=now, envelope=crossing.token_hash, ciphertext=row.ciphertext_hash)])
    note(crossing=crossing.pk)


@write("exchange.hold_body", subject="crossing")
def hold(crossing: Crossing, *, is_held: bool, actor: Actor, now: datetime) -> None:
    """Lay a legal hold on a sealed body, or lift it; either is logged."""
    require(actor, "exchange.delete_body")
    SealedBody.objects.filter(crossing=crossing).update(is_held=is_held)
    head = log.lock_tree(crossing.tree.kind, subject=crossing.tree.subject, now=now)
    log.append(head, [log.record("held" if is_held else "released", now=now, envelope=crossing.token_hash)])


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / name[:2] / name
