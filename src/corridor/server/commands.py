"""The commands that make, run and upgrade a node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from corridor.accounts.actors import System
from corridor.accounts.services import add_person, check_name, one_time_password
from corridor.base.clock import utcnow
from corridor.exchange.services.founding import found_from_settings
from corridor.server import env, homes
from corridor.server.supervisor import Child, Supervisor, check_port, child_command


@click.group("node")
def node() -> None:
    """Make, run and upgrade a node."""


@node.command("init")
@click.option("--id", "node_id", required=True, help="Country code, dot, short name: pk.nih.")
@click.option("--name", required=True, help="The institution's name as partners see it.")
@click.option("--country", required=True, help="ISO 3166-1 code: PK.")
@click.option("--url", required=True, help="Address at which people and partners reach the node.")
@click.option("--administrator", default="admin", show_default=True, help="Name of the first administrator.")
@click.option(
    "--language",
    type=click.Choice(["en", "zh-hans", "ru", "ur"]),
    default="en",
    show_default=True,
    help="Language of the pages and of the first administrator.",
)
@click.option("--one-person", is_flag=True, help="One person decides alone; shown on every agreement.")
@click.option("--simulated", is_flag=True, help="The data are simulated; every page, chart and export says so.")
def init(node_id: str, name: str, country: str, url: str, administrator: str, **options: Any) -> None:
    """Make the home of a new node: folder, settings, keys, database and the first administrator."""
    home: Path | None = settings.CORRIDOR_HOME
    if home is None or settings.CORRIDOR_SECRET_FILE is None:
        raise homes.NoHome("no home was named; give --home DIR (a folder that does not exist yet)")
    homes.check_identity(node_id=node_id, name=name, country=country, url=url)
    check_name(administrator)
    values = {
        "id": node_id,
        "name": name.strip(),
        "country": country,
        "url": url.rstrip("/"),
        "database": connection.vendor,
        **{key: options[key] for key in ("language", "one_person", "simulated")},
    }
    homes.make(home, values=values, secret_file=settings.CORRIDOR_SECRET_FILE)
    settings.CORRIDOR.update(values)
    try:
        password, recovery = _begin(home, administrator=administrator, language=options["language"])
    except BaseException:
        # Half a home would stand in the way of the next attempt, and its keys were shown to nobody.
        connection.close()
        homes.unmake(home, secret_file=settings.CORRIDOR_SECRET_FILE)
        raise
    click.echo(
        f"The home of {node_id} is {home}; its secret is {settings.CORRIDOR_SECRET_FILE} "
        "(keep a copy apart from backups)."
    )
    click.echo(f"First administrator: {administrator}   one-time password: {password}   (shown this once)")
    click.echo(f"Recovery key: {recovery}   (shown this once; keep it on paper, away from this machine)")
    click.echo(f"Next: corridor node serve --home {home}")


def _begin(home: Path, *, administrator: str, language: str) -> tuple[str, str]:
    """Make database, first administrator and keys; return the one-time password and the recovery key."""
    now = utcnow()
    migrate()
    password = one_time_password()
    add_person(
        administrator,
        roles=["administrator"],
        actor=System("init"),
        now=now,
        password=password,
        language=language,
    )
    return password, found_from_settings(home, actor=System("init"), now=now)


@node.command("serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. Default: that of the url."
)
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="Address to listen on; a proxy stands in front."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Web processes.")
@click.option("--only", type=click.Choice(homes.PARTS), multiple=True, help="Run this part alone; may be given again.")
def serve(port: int | None, address: str, workers: int, only: tuple[str, ...]) -> None:
    """Run the node: pages and API, delivery to partners, background jobs. Ctrl-C stops it."""
    run_parts(only or homes.PARTS, address=address, port=_port(port), workers=workers)


@node.command("work")
def work() -> None:
    """Run delivery to partners alone, as a service of its own."""
    run_parts(("delivery",), address="127.0.0.1", port=0, workers=1)


@node.command("upgrade")
def upgrade() -> None:
    """Bring the database to what this version of the program needs; the node must be stopped."""
    with homes.serving(homes.check(settings.CORRIDOR_HOME), homes.PARTS):
        missing = homes.unapplied()
        migrate()
    click.echo(f"{len(missing)} step(s) applied: {', '.join(missing)}" if missing else "The database is up to date.")


def run_parts(parts: tuple[str, ...], *, address: str, port: int, workers: int) -> None:
    """Hold the home and keep `parts` of it running until the process is told to stop.

    Raises
    ------
    NoHome, OldDatabase, DatabaseUnreachable, AlreadyServed, PortTaken
        With what to do.
    """
    home = homes.check(settings.CORRIDOR_HOME)
    with homes.serving(home, parts):
        homes.check_database(expected=settings.CORRIDOR["database"])
        connection.close()
        if "web" in parts:
            port = check_port(address, port)
        os.environ["CORRIDOR_HOME"] = str(home)
        arguments = {"web": (address, str(port), str(workers))}
        children = [Child(part, child_command(part, *arguments.get(part, ()))) for part in parts]
        Supervisor(children).run(ready=lambda: _announce(parts, address=address, port=port))
    click.echo("Stopped.")


def migrate() -> None:
    """Apply every migration to the database of this process."""
    call_command("migrate", verbosity=0, interactive=False)


def _port(given: int | None) -> int:
    if given is not None:
        return given
    url = urlsplit(settings.CORRIDOR["url"])
    return url.port if url.port and env.is_loopback(url.hostname or "") else 8000


def _announce(parts: tuple[str, ...], *, address: str, port: int) -> None:
    if "web" in parts:
        host = f"[{address}]" if ":" in address else address
        click.echo(f"{settings.CORRIDOR['id']} answers at http://{host}:{port}/   ({', '.join(parts)}; Ctrl-C stops)")
    else:
        click.echo(f"{settings.CORRIDOR['id']} runs {', '.join(parts)}   (Ctrl-C stops)")


COMMANDS: tuple[click.Command, ...] = (node,)
