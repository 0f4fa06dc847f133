"""Homes: making one, checking that one is ready, and letting only one process serve it."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from corridor.base.errors import InputFault, WrongUsage
from corridor.base.reference import places
from corridor.server import env

_NODE_ID = re.compile(r"[a-z]{2}(\.[a-z0-9][a-z0-9-]{0,30}){1,3}")
PARTS = ("web", "delivery", "jobs")


class HomeExists(WrongUsage):
    """The folder for a new home already holds something."""

    code = "home-exists"


class NoHome(WrongUsage):
    """No home was named, or the folder is none."""

    code = "no-home"


class BadNode(InputFault):
    """What `node init` was told about the node cannot be used."""

    code = "bad-node"


class OldDatabase(WrongUsage):
    """The database lacks steps that this version of the program needs."""

    code = "old-database"


class DatabaseUnreachable(WrongUsage):
    """The database of the home does not answer."""

    code = "database-unreachable"


class DatabaseBusy(WrongUsage):
    """Another process has held the database for longer than this one waits."""

    code = "database-busy"


class DiskFull(InputFault):
    """The disk under the database is full."""

    code = "disk-full"


class AlreadyServed(WrongUsage):
    """Another process serves this home."""

    code = "already-served"


def check_identity(*, node_id: str, name: str, country: str, url: str) -> None:
    """Do nothing if a node may be called this.

    Raises
    ------
    BadNode
        With what was expected, what came and an example.
    """
    if not _NODE_ID.fullmatch(node_id):
        raise BadNode(
            f"--id is {node_id!r}; it takes the country code, a dot and a short name, all in lower case, such as pk.nih"
        )
    known = places().get(country) if re.fullmatch("[A-Z]{2}", country) else None
    if known is None:
        raise BadNode(f"--country is {country!r}; it takes an ISO 3166-1 code of two capital letters, such as PK")
    if not node_id.startswith(country.lower() + "."):
        raise BadNode(f"--id is {node_id!r} but --country is {country}; the id begins with {country.lower()}.")
    if not name.strip() or len(name) > 200:
        raise BadNode("--name is empty or longer than 200 letters; it takes the institution's name as partners see it")
    _check_url(url)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    try:
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        port_is_good = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good:
        raise BadNode(
            f"--url is {url!r}; it takes an address such as https://node.example.org or http://127.0.0.1:8001"
        )
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise BadNode(f"--url is {url!r}; it takes scheme, host and port alone, with no path, query or user in it")
    if parts.scheme == "http" and not env.is_loopback(parts.hostname):
        raise BadNode(
            f"--url is {url!r}; http is for this machine alone (127.0.0.1). Put a proxy with TLS in front: https://…"
        )


def make(home: Path, *, values: dict[str, Any], secret_file: Path) -> None:
    """Make the folder of a new home with its settings, and the secret outside it.

    Raises
    ------
    HomeExists
        If `home` exists and is not an empty folder, or the secret exists already.
    BadNode
        If the folder cannot be made, or the secret would lie inside the home.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise HomeExists(f"{home} exists and is not an empty folder; choose another --home, nothing there was changed")
    if secret_file.is_relative_to(home):
        raise BadNode(
            f"CORRIDOR_SECRET_FILE is {secret_file}, inside the home; a copy of the home would open its own keys"
        )
    if secret_file.exists():
        raise HomeExists(f"the secret {secret_file} exists already; it belongs to another home. Choose another --home")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        secret_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_secret(secret_file)
        env.write_file(home / env.SETTINGS_FILE, values)
    except OSError as error:
        raise BadNode(
            f"{home} cannot be made: {error.strerror or error}. Choose a folder that you may write to"
        ) from error


def unmake(home: Path, *, secret_file: Path) -> None:
    """Remove what `make` made, after the rest of making a node failed."""
    shutil.rmtree(home, ignore_errors=True)
    secret_file.unlink(missing_ok=True)


def _write_secret(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")


def check(home: Path | None) -> Path:
    """Return `home` if it is one.

    Raises
    ------
    NoHome
        If none was named, or the folder was not made by ``corridor node init``.
    """
    if home is None:
        raise NoHome("no home was named; give --home DIR or set CORRIDOR_HOME. `corridor node init` makes a home")
    if not home.is_dir():
        raise NoHome(
            f"there is no folder {home}; check --home, or make a home with `corridor node init --home {home} …`"
        )
    if not (home / env.SETTINGS_FILE).is_file():
        raise NoHome(f"{home} holds no {env.SETTINGS_FILE}, so it is not the home of a node; check --home")
    return home


def check_database(*, expected: str) -> None:
    """Do nothing if the database is the right one and has every migration.

    Parameters
    ----------
    expected : str
        ``database`` of settings.toml: sqlite or postgresql.

    Raises
    ------
    DatabaseUnreachable, OldDatabase
        With what to do.
    """
    if connection.vendor != expected:
        raise DatabaseUnreachable(
            f"this home was made on {expected}, but DATABASE_URL leads to {connection.vendor}; "
            + ("set DATABASE_URL as for `corridor node init`" if expected == "postgresql" else "unset DATABASE_URL")
        )
    missing = unapplied()
    if missing:
        raise OldDatabase(
            f"the database lacks {len(missing)} step(s), first {missing[0]}; "
            "make a backup, then run `corridor node upgrade`"
        )


def unapplied() -> list[str]:
    """Return the names of the migrations that the database lacks, in order.

    Raises
    ------
    DatabaseUnreachable
        If the database does not answer.
    """
    _check_file()
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise DatabaseUnreachable(_not_answering(error)) from error
    return [f"{migration.app_label}.{migration.name}" for migration, backwards in plan if not backwards]


def _not_answering(error: DatabaseError) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if connection.vendor == "sqlite":
        file = connection.settings_dict["NAME"]
        return f"{file} cannot be read: {reason}. Move it away (keep it), then: corridor node restore FILE"
    return f"the database does not answer: {reason}. Start it, or check DATABASE_URL"


def _check_file() -> None:
    """SQLite makes a missing file at once; an upgrade would then fill an empty database where a full one was lost."""
    file = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite" and isinstance(file, Path) and not (file.is_file() and file.stat().st_size):
        raise DatabaseUnreachable(f"{file} is missing or empty. Look for the file, or: corridor node restore FILE")


@contextmanager
def database_faults() -> Iterator[None]:
    """Turn what stops a database for reasons outside the program into a fault that says what to do.

    Raises
    ------
    DiskFull, DatabaseBusy, DatabaseUnreachable
        With what to do. What was begun has been rolled back.
    """
    try:
        yield
    except DatabaseError as error:
        text = str(error).lower()
        if "disk is full" in text or "no space left" in text:
            raise DiskFull(
                "the disk of the database is full, and the step under way was undone. Free space and repeat the command"
            ) from error
        if "is locked" in text:
            raise DatabaseBusy(
                "another process has held the database for half a minute. Repeat the command later"
            ) from error
        if "readonly" in text or "read-only" in text or "unable to open" in text:
            raise DatabaseUnreachable(
                f"the database cannot be written ({error}). Check who owns the home and its files, "
                "and that the disk is writable"
            ) from error
        if "not a database" in text or "malformed" in text:
            raise DatabaseUnreachable(_not_answering(error)) from error
        if isinstance(error, (InterfaceError, OperationalError)) and connection.vendor == "postgresql":
            raise DatabaseUnreachable(_not_answering(error)) from error
        raise


@contextmanager
def serving(home: Path, parts: Sequence[str]) -> Iterator[None]:
    """Hold the locks of `parts` of a home; they fall by themselves when the process ends, however it ends.

    Raises
    ------
    AlreadyServed
        If another process holds one of them; the text names its process id.
    """
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(_lock(home / f"{part}.lock", part=part))
        yield


@contextmanager
def _lock(path: Path, *, part: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise AlreadyServed(
                f"process {holder} already runs the {part} of {path.parent}; stop it first, or choose another --home"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
