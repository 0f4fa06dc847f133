"""The keys of this node: files of the home for their owner alone, wrapped by a secret that lies outside the home.

``HOME/keys/NAME.json`` holds one wrapped private key each. The wrapping key is derived (scrypt) from the secret file,
so that a copy of the home, or of the database and its backups, opens nothing. Keys of sealed bodies lie below
``HOME/keys/bodies`` in the same form; destroying such a file destroys the body, wherever copies of the ciphertext
lie.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

from corridor.base.errors import WrongUsage
from corridor.exchange.rules.canonical import b64, unb64
from corridor.exchange.rules.card import NodeKeys
from corridor.exchange.rules.keys import SealingKey, SigningKey

KEYS = "keys"
BODY_KEYS = "bodies"
NAMES = ("transport", "log", "agreement", "encryption")
_SALT = "salt"
_SCRYPT_N = 2**14


class NoHome(WrongUsage):
    """No home folder is named."""

    code = "no-home"


class KeysUnreadable(WrongUsage):
    """The keys of the home cannot be opened: a file is missing, or the secret is another one."""

    code = "keys-unreadable"


class KeysExist(WrongUsage):
    """The home already has keys; they are never overwritten."""

    code = "keys-exist"


def home() -> Path:
    """Return the home of this process.

    Raises
    ------
    NoHome
        If none is set.
    """
    folder: Path | None = getattr(settings, "CORRIDOR_HOME", None)
    if folder is None:
        raise NoHome("no home is named. Give --home DIR, or set CORRIDOR_HOME.")
    return Path(folder)


def secret_path(folder: Path) -> Path:
    """Return where the secret of `folder` lies: ``CORRIDOR_SECRET_FILE``, else ``<home>.secret`` beside the home."""
    named: Path | None = getattr(settings, "CORRIDOR_SECRET_FILE", None)
    return Path(named) if named is not None else folder.with_name(folder.name + ".secret")


def make_secret(path: Path) -> None:
    """Write a new random secret to `path` (mode 0600) unless one is there."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode() + b"\n")


def create(folder: Path) -> tuple[NodeKeys, SigningKey]:
    """Make the keys of a new node under `folder`; return them with the recovery key, which is not stored.

    Raises
    ------
    KeysExist
        If the home has keys already.
    """
    target = folder / KEYS
    if (target / f"{NAMES[0]}.json").exists():
        raise KeysExist(
            f"{target} already holds keys. A node's keys are made once; rotate them with `corridor node rotate-key`."
        )
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_secret(secret_path(folder))
    keys = NodeKeys.generate()
    for name in NAMES:
        _wrap(folder, name, getattr(keys, name).private_bytes())
    return keys, SigningKey.generate()


def replace(folder: Path, name: str, key: SigningKey | SealingKey) -> None:
    """Put a new key in the place of the one called `name`; the old file is kept as ``NAME.old.json``."""
    current = folder / KEYS / f"{name}.json"
    current.replace(current.with_name(f"{name}.old.json"))
    _wrap(folder, name, key.private_bytes())


def own_keys() -> NodeKeys:
    """Return the keys of the home of this process, anew after they were rotated by another process.

    Raises
    ------
    NoHome, KeysUnreadable
    """
    return open_keys(home())


def open_keys(folder: Path) -> NodeKeys:
    """Return the keys of the node in `folder`; they stay open until one of them is replaced.

    Raises
    ------
    KeysUnreadable
        If a file is missing or the secret does not open it.
    """
    return _open_keys(folder, tuple(_stamp(folder / KEYS / f"{name}.json") for name in NAMES))


def previous_transport_key(folder: Path) -> SigningKey | None:
    """Return the transport key before the last rotation, by which partners know this node until they took the card."""
    if not (folder / KEYS / "transport.old.json").exists():
        return None
    return SigningKey.from_bytes(_unwrap(folder, "transport", file="transport.old"))


def opening_key(kid: str) -> SealingKey:
    """Return the key to which a body with this key's thumbprint was sealed: the present one, or the one before it.

    What a partner sealed before it took the new card is still on its way when the key is rotated.
    """
    present, folder = own_keys().encryption, home()
    if kid == present.kid or not (folder / KEYS / "encryption.old.json").exists():
        return present
    old = SealingKey.from_bytes(_unwrap(folder, "encryption", file="encryption.old"))
    return old if kid == old.kid else present


def close_keys() -> None:
    """Forget every open key."""
    _open_keys.cache_clear()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=16)
def _open_keys(folder: Path, stamps: tuple[int, ...]) -> NodeKeys:
    del stamps  # part of the key under which they are found again
    transport, log, agreement = (SigningKey.from_bytes(_unwrap(folder, name)) for name in NAMES[:3])
    return NodeKeys(transport, log, agreement, SealingKey.from_bytes(_unwrap(folder, "encryption")))


def make_body_key(folder: Path, name: str) -> bytes:
    """Make, store and return the 32-byte key of the sealed body called `name`."""
    key = secrets.token_bytes(32)
    _wrap(folder, f"{BODY_KEYS}/{name}", key)
    return key


def body_key(folder: Path, name: str) -> bytes:
    """Return the key of the sealed body called `name`.

    Raises
    ------
    KeysUnreadable
        If it was destroyed.
    """
    return _unwrap(folder, f"{BODY_KEYS}/{name}")


def has_body_key(folder: Path, name: str) -> bool:
    """Return whether the key of the sealed body called `name` is still there."""
    return (folder / KEYS / BODY_KEYS / f"{name}.json").exists()


def body_key_made_at(folder: Path, name: str) -> datetime | None:
    """Return when the key called `name` was made; None if there is none."""
    try:
        made = (folder / KEYS / BODY_KEYS / f"{name}.json").stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(made, UTC)


def destroy_body_key(folder: Path, name: str) -> None:
    """Destroy the key of the sealed body called `name`, so that no power cut brings it back; twice is fine."""
    path = folder / KEYS / BODY_KEYS / f"{name}.json"
    path.unlink(missing_ok=True)
    if path.parent.exists():
        sync_folder(path.parent)


def _wrapping_key(folder: Path) -> AESGCM:
    path = secret_path(folder)
    try:
        secret = path.read_bytes().strip()
    except OSError as fault:
        raise KeysUnreadable(
            f"the secret {path} cannot be read ({fault.strerror}). Restore it, or name it in CORRIDOR_SECRET_FILE."
        ) from None
    salt_path = folder / KEYS / _SALT
    if not salt_path.exists():
        write_private(salt_path, secrets.token_bytes(16))
    return AESGCM(_derive(secret, salt_path.read_bytes()))


@lru_cache(maxsize=16)
def _derive(secret: bytes, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=1).derive(secret)


def _wrap(folder: Path, name: str, material: bytes) -> None:
    nonce = secrets.token_bytes(12)
    sealed = _wrapping_key(folder).encrypt(nonce, material, name.encode())
    write_private(
        folder / KEYS / f"{name}.json", json.dumps({"v": 1, "nonce": b64(nonce), "sealed": b64(sealed)}).encode()
    )


def _unwrap(folder: Path, name: str, *, file: str = "") -> bytes:
    path = folder / KEYS / f"{file or name}.json"
    try:
        stored = json.loads(path.read_bytes())
        return _wrapping_key(folder).decrypt(unb64(stored["nonce"]), unb64(stored["sealed"]), name.encode())
    except FileNotFoundError:
        raise KeysUnreadable(
            f"{path} is missing. Restore the home from its backup; a body whose key is gone was deleted."
        ) from None
    except InvalidTag:
        raise KeysUnreadable(
            f"{path} does not open with the secret {secret_path(folder)}. Restore the secret that belongs to this home."
        ) from None
    except (ValueError, KeyError, OSError) as fault:
        raise KeysUnreadable(
            f"{path} is damaged ({type(fault).__name__}). Restore it from the backup of the home."
        ) from None


def write_private(path: Path, data: bytes) -> None:
    """Write `data` so that a crash or a power cut leaves the old file or the new one, readable by its owner alone.

    Once this returns the new one is on the disk, with the folders that were made for it.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    for folder in reversed(made):
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(path)
    for folder in (path.parent, *(each.parent for each in made)):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Bring what was named, renamed or removed in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
