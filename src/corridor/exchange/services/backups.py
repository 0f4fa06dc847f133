"""Back up a node's database and sealed bodies, and put a backup back; keys never travel with it."""

from __future__ import annotations

import sqlite3
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path

from django.db import connection

from corridor.accounts.actors import Actor
from corridor.accounts.transactions import write
from corridor.base.errors import InputFault, WrongUsage
from corridor.exchange.services import bodies, restore

_DATABASE = "corridor.db"
_SETTINGS = "settings.toml"


class NotSqlite(WrongUsage):
    """The node's database is PostgreSQL, which has its own tools for backups."""

    code = "backup-postgresql"


class UnreadableBackup(InputFault):
    """A file is no backup of a node."""

    code = "unreadable-backup"


class UnwritableBackup(InputFault):
    """The file of a backup cannot be written."""

    code = "unwritable-backup"


class BackupExists(WrongUsage):
    """The file to write is there already."""

    code = "backup-exists"


def backup(target: Path, *, home: Path, actor: Actor, now: datetime) -> None:
    """Write database, settings and sealed bodies to `target`, a tar file; consistent although the node runs.

    Raises
    ------
    NotSqlite
        On PostgreSQL: use pg_dump, and copy ``bodies/`` and ``settings.toml``.
    BackupExists
        If `target` is there already.
    UnwritableBackup
        If its folder is not there, or nothing can be written in it; what was begun is removed.
    """
    if connection.vendor != "sqlite":
        raise NotSqlite(
            "this node lies on PostgreSQL: back it up with pg_dump, and copy bodies/ and settings.toml of the home"
        )
    if target.exists():
        raise BackupExists(f"{target} exists already; name another file")
    if not target.parent.is_dir():
        raise UnwritableBackup(f"there is no folder {target.parent} for the backup; make it, or name another")
    _note_backup(actor=actor, now=now)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        copy = Path(folder) / _DATABASE
        connection.ensure_connection()
        with sqlite3.connect(copy) as into:
            connection.connection.backup(into)
        into.close()
        with tarfile.open(target, "x") as archive:
            archive.add(copy, _DATABASE)
            for name in (_SETTINGS, bodies.FOLDER):
                if (home / name).exists():
                    archive.add(home / name, name)
    target.chmod(0o600)


def put_back(source: Path, *, home: Path, now: datetime) -> None:
    """Put the database and the bodies of a backup back; keys and settings of the home stay as they are.

    Afterwards this node signs nothing to a partner until that partner has shown which checkpoints it holds.

    Raises
    ------
    UnreadableBackup
        If `source` is no backup.
    NotSqlite
    """
    if connection.vendor != "sqlite":
        raise NotSqlite(
            "this node lies on PostgreSQL: restore it with psql or pg_restore, then run "
            "`corridor node restore --put-back`"
        )
    with tempfile.TemporaryDirectory(dir=home) as folder:
        try:
            with tarfile.open(source) as archive:
                archive.extractall(folder, filter="data")
            copy = sqlite3.connect(f"file:{Path(folder) / _DATABASE}?mode=ro", uri=True)
            copy.execute("SELECT node_id FROM exchange_node").fetchone()
        except (OSError, tarfile.TarError, sqlite3.Error) as fault:
            raise UnreadableBackup(
                f"{source} is no backup made by `corridor node backup` ({type(fault).__name__}), or it was damaged; "
                "nothing was changed. Name the .tar file that this command wrote"
            ) from None
        connection.ensure_connection()
        copy.backup(connection.connection)
        copy.close()
        _put_bodies_back(Path(folder) / bodies.FOLDER, home / bodies.FOLDER)
    restore.mark_put_back(now=now)


def _put_bodies_back(source: Path, target: Path) -> None:
    for path in source.rglob("*") if source.exists() else ():
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


@write("exchange.backup")
def _note_backup(*, actor: Actor, now: datetime) -> None:
    """Leave an audit entry."""
    del actor, now
