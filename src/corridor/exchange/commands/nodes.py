"""Commands about this node: its card, its keys, its backups."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from corridor.accounts.actors import System
from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.errors import InputFault
from corridor.exchange import keystore
from corridor.exchange.commands.peers import said, say
from corridor.exchange.rules import certificates
from corridor.exchange.rules.keys import SigningKey
from corridor.exchange.services import backups, partners, restore, rotation


class UnreadableRecoveryKey(InputFault):
    """The file of the recovery key cannot be read."""

    code = "unreadable-recovery-key"


class UnwritableCertificate(InputFault):
    """The file of a certificate cannot be written."""

    code = "unwritable-certificate"


@click.group("node")
def node() -> None:
    """Make, run and upgrade a node."""


@node.command("card")
@click.option("--fingerprint", "only_fingerprint", is_flag=True, help="Print the fingerprint alone.")
def card(only_fingerprint: bool) -> None:
    """Print the card file that partners pin; tell them the fingerprint by another way.

    Example: corridor node card > card.json
    """
    if only_fingerprint:
        click.echo(partners.own_fingerprint())
        return
    click.echo(partners.own_card_file())
    click.echo(f"Fingerprint (tell it by telephone, letter or in person): {partners.own_fingerprint()}", err=True)


def _recovery_key(_context: click.Context, _option: click.Parameter, text: str) -> SigningKey | None:
    """Return the recovery key that an option or a file of it holds; None if neither is given."""
    if not text:
        return None
    if not text.startswith("@"):
        return rotation.read_recovery_key(text)
    try:
        return rotation.read_recovery_key(Path(text[1:]).read_text("ascii"))
    except (OSError, UnicodeDecodeError):
        raise UnreadableRecoveryKey(
            f"{text[1:]} cannot be read as a recovery key; give the file into which the line that `corridor node init` "
            "printed was copied"
        ) from None


RECOVERY_HELP = "As printed when the node was founded; @FILE reads it from a file."
recovery_key_asked = click.option(
    "--recovery-key", "recovery", prompt="Recovery key", hide_input=True, callback=_recovery_key, help=RECOVERY_HELP
)


@node.command("rotate-key")
@click.argument("names", nargs=-1, type=click.Choice(keystore.NAMES))
@recovery_key_asked
@click.option("--url", help="A new address of the node, if it changes too.")
def rotate_key(names: tuple[str, ...], recovery: SigningKey, url: str | None) -> None:
    """Replace the keys called NAMES (all four, if none is named) and tell every partner.

    If the keys before are revoked, give partners the new card as a file: corridor node card > card.json

    Example: corridor node rotate-key transport
    """
    now = utcnow()
    made = rotation.rotate(
        names=names or keystore.NAMES,
        recovery=recovery,
        home=keystore.home(),
        actor=acting_person(now),
        now=now,
        url=url,
    )
    click.echo(f"Card {made.serial} is in use; the fingerprint stays {partners.own_fingerprint()}.")


@node.command("revoke-keys")
@click.option("--reason", required=True, callback=said, help="Shown to partners.")
@click.option(
    "--recovery-key",
    "recovery",
    default="",
    callback=_recovery_key,
    help=f"{RECOVERY_HELP} Without it the agreement key signs, which cannot reinstate later.",
)
@click.option("--card", "serial", type=click.IntRange(1), help="The number of an earlier card, after a rotation.")
def revoke_keys(reason: str, recovery: SigningKey | None, serial: int | None) -> None:
    """State that the keys on this node's card no longer count; partners then refuse what they sign.

    Every partner is told, and the signed statement is printed, to be given as a file where that does not arrive.

    Example: corridor node revoke-keys --reason "laptop lost" --recovery-key @recovery.key > revocation.json
    """
    now = utcnow()
    statement = rotation.revoke(reason=reason, recovery=recovery, actor=acting_person(now), now=now, serial=serial)
    click.echo(statement)
    click.echo("The keys are revoked here, and every partner is told.", err=True)


@node.command("reinstate-keys")
@recovery_key_asked
def reinstate_keys(recovery: SigningKey) -> None:
    """Take the revocation of this node's card back: its keys count again.

    The signed statement is printed. A partner that knows of the revocation hears nothing from these keys, so give it
    the file: corridor peer take FILE

    Example: corridor node reinstate-keys --recovery-key @recovery.key > reinstatement.json
    """
    now = utcnow()
    click.echo(rotation.reinstate(recovery=recovery, actor=acting_person(now), now=now))
    click.echo("The keys count again here. Give the printed statement to every partner, as a file.", err=True)


@node.command("certificate")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--days", type=click.IntRange(1, 825), default=365, show_default=True, help="How long it is valid.")
@click.option("--authority", type=click.Path(path_type=Path, dir_okay=False), help="Where the public half goes.")
def certificate(target: Path, days: int, authority: Path | None) -> None:
    """Write to TARGET a key and certificate for TLS, issued by the transport key that partners pinned.

    Name TARGET in settings.toml as tls_certificate, and give it to the proxy for partners. The file of --authority
    holds no key: partners' proxies accept this node by it. Issue both anew when they end or the transport key is
    rotated.

    Example: corridor node certificate node.pem --authority pk-nih.pem
    """
    now = utcnow()
    acting_person(now)
    card_ = partners.own_chain()[-1]
    host = urlsplit(card_.url).hostname or "localhost"
    issued = certificates.issue(keystore.own_keys().transport, node_id=card_.id, host=host, days=days, now=now)
    _write(target, issued.whole)
    if authority is not None:
        _write(authority, issued.authority)
    click.echo(f"{target} is written, valid for {days} days at {host}. It holds a private key: keep it to its owner.")


def _write(target: Path, data: bytes) -> None:
    if not target.parent.is_dir():
        raise UnwritableCertificate(f"there is no folder {target.parent}; make it, or name another")
    try:
        keystore.write_private(target, data)
    except OSError as fault:
        raise UnwritableCertificate(f"{target} cannot be written ({fault.strerror}); name another file") from None


@node.command("backup")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
def backup(target: Path) -> None:
    """Write database, settings and sealed bodies to TARGET; keys and secret are kept apart.

    Example: corridor node backup monday.tar
    """
    now = utcnow()
    backups.backup(target, home=keystore.home(), actor=System("node backup"), now=now)
    click.echo(
        f"{target} is written. The keys are not in it: keep a copy of {keystore.home() / keystore.KEYS} elsewhere."
    )


@node.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option("--put-back", is_flag=True, help="The database was put back by its own tools, as on PostgreSQL.")
def restore_(source: Path | None, put_back: bool) -> None:
    """Put the backup SOURCE back; or, without it, ask to go on from a backup in a new epoch of the log.

    A node that came back signs nothing. It finds out from its partners what it lost; then two persons run this
    command without SOURCE.
    """
    now = utcnow()
    if put_back:
        restore.mark_put_back(now=now)
        click.echo("Noted. Start the node; once partners have shown what they hold: corridor node restore")
        return
    if source is not None:
        backups.put_back(source, home=keystore.home(), now=now)
        click.echo("The backup is back. Start the node; once partners have shown what they hold: corridor node restore")
        return
    say(restore.ask_to_open_epoch(actor=reauthenticated_person(now), now=now), "a new epoch is open")
