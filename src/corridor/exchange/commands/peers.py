"""Commands about partners: pin them, take what they say of their keys, see how each is doing, pause, resume."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from corridor.accounts.approvals import REQUEST_LASTS, Outcome
from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.errors import InputFault
from corridor.exchange import queries
from corridor.exchange.rules.jws import Malformed
from corridor.exchange.services import disputes, partners, restore, returns


class UnreadableCard(InputFault):
    """A card file is not there, is a folder, is empty, or holds something else."""

    code = "unreadable-card"


def said(_context: click.Context, option: click.Parameter, text: str) -> str:
    """Return what an option says; people and partners will read it, so it may not be blank."""
    if not text.strip():
        raise click.BadParameter("it is empty; say it in a sentence", param=option)
    return text.strip()


@click.group("peer")
def peer() -> None:
    """Partners: the nodes whose cards two persons here have pinned."""


@peer.command("add")
@click.argument("card", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--fingerprint", required=True, help="As the partner told it by telephone, letter or in person.")
@click.option("--anew", metavar="NODE_ID", help="The pinned partner that lost all its keys, recovery key included.")
def add(card: Path, fingerprint: str, anew: str | None) -> None:
    """Pin the partner whose card file is CARD; with --anew in the place of the card that is pinned.

    Example: corridor peer add card.json --fingerprint AB12-CD34-EF56-…
    """
    now = utcnow()
    person = reauthenticated_person(now)
    document = _read(card)
    try:
        outcome = partners.ask_to_pin(document, fingerprint=fingerprint, actor=person, now=now, anew=anew)
    except Malformed as fault:
        raise UnreadableCard(
            f"{card} is no card file: {fault}. Ask the partner for the output of `corridor node card`, as a file"
        ) from None
    say(outcome, "pinned")


@peer.command("take")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def take(file: Path) -> None:
    """Take FILE, by which a pinned partner tells of its keys: a new card, a revocation, or a reinstatement.

    A partner's node sends these by itself. The file is for when the key that it would sign them with is revoked or
    gone.
    What brings a revoked partner back takes two persons.

    Example: corridor peer take card.json
    """
    now = utcnow()
    person = reauthenticated_person(now)
    document = _read(file)
    try:
        outcome = partners.ask_to_take(document, actor=person, now=now)
    except Malformed as fault:
        raise UnreadableCard(
            f"{file} tells nothing of a partner's keys: {fault}. Ask the partner for the output of "
            "`corridor node card`, `revoke-keys` or `reinstate-keys`, as a file"
        ) from None
    say(outcome, "taken; `corridor peer list` shows how the partner stands")


@peer.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """Show every partner: reachable or not, since when, what waits, what is disputed.

    Example: corridor peer list --json
    """
    now = utcnow()
    views = queries.partners(acting_person(now))
    if as_json:
        rows = [
            {
                "node": view.node_id,
                "country": view.country,
                "url": view.url,
                "state": view.state,
                "reachable": view.is_reachable,
                "last_contact_at": view.last_contact_at.isoformat() if view.last_contact_at else None,
                "waiting": view.waiting,
                "undeliverable": view.undeliverable,
                "disputes": view.disputes,
                "clock_offset_seconds": view.clock_offset_seconds,
                "owes_return": view.is_owing,
                "fingerprint": view.fingerprint,
            }
            for view in views
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for view in views:
        standing = view.state if view.state != "pinned" else "reachable" if view.is_reachable else "not reached"
        last = f"{view.last_contact_at:%Y-%m-%d %H:%M}" if view.last_contact_at else "never"
        click.echo(
            f"{view.node_id:24} {standing:12} last contact {last:16}  waiting {view.waiting}  "
            f"undeliverable {view.undeliverable}  disputes {view.disputes}  {view.url}"
        )
        if view.is_owing:
            click.echo("    may hold what a restore lost here: no figure leaves until it has returned it")
        if view.is_clock_off:
            click.echo(f"    its clock differs from ours by {view.clock_offset_seconds:.0f} s")
        if view.last_failure and not view.is_reachable:
            click.echo(f"    {view.last_failure}")
    if not views:
        click.echo("No partner is pinned yet. Exchange card files, compare fingerprints, then: corridor peer add CARD")


@peer.command("pause")
@click.argument("node_id")
@click.option("--reason", required=True, callback=said, help="Shown to the people of this node.")
def pause(node_id: str, reason: str) -> None:
    """Stop all exchange with NODE_ID until `resume`; what waits stays queued."""
    now = utcnow()
    partners.pause(node_id, reason=reason, actor=acting_person(now), now=now)
    click.echo(f"{node_id} is paused.")


@peer.command("resume")
@click.argument("node_id")
def resume(node_id: str) -> None:
    """Lift the pause of NODE_ID; two persons agree to it."""
    now = utcnow()
    say(partners.ask_to_resume(node_id, actor=reauthenticated_person(now), now=now), f"{node_id} is no longer paused")


@peer.command("use-url")
@click.argument("node_id")
def use_url(node_id: str) -> None:
    """Use the address on the latest card of NODE_ID; two persons agree to it."""
    now = utcnow()
    say(partners.ask_to_change_url(node_id, actor=reauthenticated_person(now), now=now), "in use")


@peer.command("confirm-restore")
@click.argument("node_id")
def confirm_restore(node_id: str) -> None:
    """Welcome NODE_ID back from a backup; what it lost is returned to it."""
    now = utcnow()
    count = restore.confirm_restore(node_id, actor=acting_person(now), now=now)
    click.echo(f"{node_id} is welcomed back; {count} envelope(s) are returned or sent again.")


@peer.command("forgo-returns")
@click.argument("node_id")
@click.option("--reason", required=True, callback=said, help="Why nothing will be returned; it stays in the log.")
def forgo_returns(node_id: str, reason: str) -> None:
    """Let figures leave again although NODE_ID has not returned what a restore lost here; two persons agree to it.

    Example: corridor peer forgo-returns cn.cdc --reason "the institute was closed"
    """
    now = utcnow()
    say(returns.ask_to_forgo(node_id, reason=reason, actor=reauthenticated_person(now), now=now), "figures leave again")


@peer.command("close-dispute")
@click.argument("number", type=int)
@click.option("--note", required=True, callback=said, help="What was found and agreed.")
def close_dispute(number: int, note: str) -> None:
    """Close dispute NUMBER; exchange under its agreement goes on."""
    now = utcnow()
    say(disputes.ask_to_close(number, closing_note=note, actor=reauthenticated_person(now), now=now), "closed")


def say(outcome: Outcome, done: str) -> None:
    """Tell whether a step was done, or waits for a second person."""
    if outcome.done:
        click.echo(f"Done: {done}.")
    else:
        click.echo(f"Waiting for a second person, for {REQUEST_LASTS.days} days: corridor approve {outcome.request_id}")


def _read(path: Path) -> bytes:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as fault:
        raise UnreadableCard(
            f"{path} cannot be read ({fault.strerror}); give the card file that the partner sent"
        ) from None
    if not data.strip():
        raise UnreadableCard(f"{path} is empty; ask the partner for the output of `corridor node card`")
    return data
