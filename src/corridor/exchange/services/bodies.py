"""Sealed bodies: files of the home, each wrapped once more under a key of its own that lies outside the database.

Both sides keep the ciphertext that travelled beside an accepted envelope, so that either can show it in evidence and
either can be asked to delete it. A body is everything that travelled in its envelope, attachments included: there is
no second place. What was refused is not kept.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.accounts.actors import Actor, System, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import InputFault, Refused
from corridor.exchange import keystore
from corridor.exchange.models import Crossing, Node, SealedBody
from corridor.exchange.queries.crossings import crossing_by_envelope
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.services import log

FOLDER = "bodies"
SWEEP_AFTER = timedelta(days=1)
"""How old a file without a row must be before it is swept: its transaction ended long ago, and not by a commit."""
_NONCE = 12


class BodyHeld(Refused):
    """A legal hold keeps the body."""

    code = "body-held"


class BodyWaits(Refused):
    """The envelope has not been receipted yet, so its body is still needed to deliver it."""

    code = "body-waits"


class NoSealedBody(InputFault):
    """The envelope has no sealed body here: it travelled open, was refused, or its body was deleted."""

    code = "no-sealed-body"


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
    """Return the ciphertext of a crossing; None where its body is not sealed, was not kept, or its key is gone."""
    if not DataClass(crossing.data_class).travels_sealed:
        return None
    row = SealedBody.objects.filter(crossing=crossing, deleted_at__isnull=True).first()
    folder = keystore.home()
    # A backup that was put back knows nothing of a deletion after it; the key that was destroyed stays destroyed.
    if row is None or not keystore.has_body_key(folder, row.name):
        return None
    wrapped = _path(folder, row.name).read_bytes()
    key = AESGCM(keystore.body_key(folder, row.name))
    return key.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], row.name.encode())


@write("exchange.delete_body", subject="envelope_id")
def delete(envelope_id: str, *, actor: Actor, now: datetime) -> None:
    """Destroy the key of a sealed body, then its file, and state so in the log: deletion is attested, not proved.

    Envelope, receipt and log stay: they hold the hash of the ciphertext and a commitment that nobody can open any
    more. The key goes before the transaction ends, so that no statement stands for a key that is still there; where
    the transaction then fails, the same call again states it.

    Parameters
    ----------
    envelope_id : str
        May be given by its beginning.

    Raises
    ------
    NoSuchCrossing, NoSealedBody
    BodyHeld
        While a legal hold keeps it.
    BodyWaits
        While the partner has not receipted the envelope.
    """
    require(actor, "exchange.delete_body")
    row = _locked(envelope_id, actor=actor)
    crossing = row.crossing
    if row.is_held:
        raise BodyHeld("a legal hold keeps this body. Lift it first with `corridor crossings release`, if it is over.")
    if crossing.status == Crossing.Status.QUEUED:
        raise BodyWaits(
            f"{crossing.to_node} has not receipted this envelope yet, and without its body it cannot be delivered. "
            "Delete it once there is a receipt, or once it is undeliverable"
        )
    folder = keystore.home()
    keystore.destroy_body_key(folder, row.name)
    _path(folder, row.name).unlink(missing_ok=True)
    row.deleted_at, row.deleted_by = now, actor_name(actor)
    row.save(update_fields=["deleted_at", "deleted_by"])
    _state("deleted", crossing, now=now, ciphertext=row.ciphertext_hash)
    note(crossing=crossing.pk)


@write("exchange.hold_body", subject="envelope_id")
def hold(envelope_id: str, *, is_held: bool, actor: Actor, now: datetime) -> None:
    """Lay a legal hold on a sealed body, or lift it; either is logged.

    Raises
    ------
    NoSuchCrossing, NoSealedBody
    """
    require(actor, "exchange.delete_body")
    row = _locked(envelope_id, actor=actor)
    if row.is_held == is_held:
        return
    row.is_held = is_held
    row.save(update_fields=["is_held"])
    _state("held" if is_held else "released", row.crossing, now=now)
    note(crossing=row.crossing_id)


def _locked(envelope_id: str, *, actor: Actor) -> SealedBody:
    number = crossing_by_envelope(actor, envelope_id).view.id
    rows = SealedBody.objects.select_for_update(of=("self",)).select_related("crossing__tree")
    row = rows.filter(crossing_id=number).first()
    if row is None:
        raise NoSealedBody(
            f"envelope {envelope_id} has no sealed body here: it travelled open, or it was refused. An open body is "
            "part of what its sender signed, and stays in the log with it."
        )
    if row.deleted_at is not None:
        raise NoSealedBody(f"the body of {envelope_id} was deleted on {row.deleted_at:%Y-%m-%d} by {row.deleted_by}")
    return row


def _state(kind: str, crossing: Crossing, *, now: datetime, **members: str) -> None:
    head = log.lock_tree(crossing.tree.kind, subject=crossing.tree.subject, now=now)
    log.append(head, [log.record(kind, now=now, envelope=crossing.token_hash, **members)])


def sweep(*, now: datetime) -> int:
    """Remove files and keys that no row names, left by a transaction that failed; return how many bodies that were."""
    folder = keystore.home()
    old = [path for path in (folder / FOLDER).glob("*/*") if path.stat().st_mtime < (now - SWEEP_AFTER).timestamp()]
    known = set(SealedBody.objects.values_list("name", flat=True)) if old else set()
    orphans = [path for path in old if path.name not in known]
    for path in orphans:
        keystore.destroy_body_key(folder, path.name)
        path.unlink(missing_ok=True)
    return len(orphans)


def acknowledge_lost(*, actor: System, now: datetime) -> int:
    """State again, after a restore, the deletions that the backup does not know: bodies whose key is gone.

    Returns
    -------
    int
        How many; none while this node signs nothing.
    """
    if log.own_node().state != Node.State.RUNNING:
        return 0
    folder = keystore.home()
    rows = SealedBody.objects.filter(deleted_at__isnull=True).select_related("crossing__tree")
    lost = [row for row in rows.order_by("pk") if not keystore.has_body_key(folder, row.name)]
    return _acknowledge(lost, actor=actor, now=now) if lost else 0


@write("exchange.acknowledge_lost_bodies")
def _acknowledge(lost: list[SealedBody], *, actor: System, now: datetime) -> int:
    for row in sorted(lost, key=lambda row: (row.crossing.tree.kind, row.crossing.tree.subject)):
        _path(keystore.home(), row.name).unlink(missing_ok=True)
        row.deleted_at, row.deleted_by = now, f"{actor_name(actor)}: deleted before the restore"
        row.save(update_fields=["deleted_at", "deleted_by"])
        _state("deleted", row.crossing, now=now, ciphertext=row.ciphertext_hash)
    note(bodies=len(lost))
    return len(lost)


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / name[:2] / name
