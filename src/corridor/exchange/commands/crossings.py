"""Commands about what crossed: list it, verify the log, prove one envelope, retry or delete a body."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from corridor.accounts.actors import System
from corridor.accounts.commands import acting_person, reauthenticated_person
from corridor.base.clock import utcnow
from corridor.base.errors import CorridorError
from corridor.exchange import queries
from corridor.exchange.commands.peers import said, say
from corridor.exchange.services import checkpoints, claims, deletion, proofs


class LogNotWhole(CorridorError):
    """The log does not agree with itself; the node has stopped signing."""

    code = "log-not-whole"


@click.group("crossings", invoke_without_command=True)
@click.option("--partner", default="", help="Node id of the partner.")
@click.option("--direction", type=click.Choice(["in", "out"]), help="Seen from this node.")
@click.option(
    "--status", type=click.Choice(["queued", "accepted", "refused", "undeliverable"]), help="Where it stands."
)
@click.option("--schema", default="", help="Message type, such as surveillance.period-counts/1.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def crossings(
    context: click.Context,
    partner: str,
    direction: str | None,
    status: str | None,
    schema: str,
    limit: int,
    as_json: bool,
) -> None:
    """List what crossed or was refused, newest first.

    Example: corridor crossings --partner cn.cdc --status refused
    """
    if context.invoked_subcommand is not None:
        return
    now = utcnow()
    filters = queries.CrossingFilters(
        partner=partner, direction=direction or "", status=status or "", schema=schema, limit=limit
    )
    views = queries.crossings(acting_person(now), filters)
    if as_json:
        click.echo(json.dumps([_row(view) for view in views], ensure_ascii=False, indent=2))
        return
    for view in views:
        other = f"from {view.from_node}" if view.direction == "in" else f"to {view.to_node}"
        back = f"  taken back ({view.last_error}), the partner's answer decides" if view.is_withdrawn else ""
        late = "  unreceipted for 24 h" if view.is_unreceipted(now) else ""
        reason = f" ({view.reason})" if view.reason else ""
        by_hand = f"  released by hand: {view.by_hand.asked_by}, {view.by_hand.allowed_by}" if view.by_hand else ""
        click.echo(
            f"{view.recorded_at:%Y-%m-%d %H:%M} {view.envelope_id} {other:24} "
            f"{view.schema:36} {view.status}{reason}{by_hand}{back}{late}"
        )
    if not views:
        click.echo("Nothing crossed that fits.")


def _row(view: queries.CrossingView) -> dict[str, object]:
    return {
        "id": view.id,
        "envelope": view.envelope_id,
        "direction": view.direction,
        "from": view.from_node,
        "to": view.to_node,
        "agreement": view.agreement,
        "channel": view.channel,
        "schema": view.schema,
        "class": view.data_class,
        "persons": view.persons,
        "status": view.status,
        "reason": view.reason,
        "taken_back": view.is_withdrawn,
        "released_by_hand": asdict(view.by_hand) if view.by_hand else None,
        "token_sha256": view.token_hash,
        "receipt": view.has_receipt,
        "log": view.origin,
        "leaf": view.leaf_index,
        "recorded_at": view.recorded_at.isoformat(),
    }


@crossings.command("retry")
@click.argument("number", type=int)
def retry(number: int) -> None:
    """Queue crossing NUMBER again, which could not be delivered for seven days."""
    now = utcnow()
    claims.retry(number, actor=acting_person(now), now=now)
    click.echo(f"Crossing {number} is queued again.")


@crossings.command("delete")
@click.argument("envelope_id")
def delete(envelope_id: str) -> None:
    """Ask that the body of the envelope whose id begins with ENVELOPE_ID be deleted here; a second person allows it.

    The key of a sealed body is destroyed, and with it every copy in a backup; an open body goes with the bytes that
    its sender signed. What was made of it goes too. Hash, receipt and log stay as evidence that it crossed, without
    what it said. The partner is told, and its own copy is the partner's to delete.

    Example: corridor crossings delete 0197c1b2
    """
    now = utcnow()
    say(deletion.ask_to_delete(envelope_id, actor=reauthenticated_person(now), now=now), "the body is deleted")


@crossings.command("hold")
@click.argument("envelope_id")
@click.option("--reason", required=True, callback=said, help="The order or the proceeding that calls for it.")
def hold(envelope_id: str, reason: str) -> None:
    """Lay a legal hold on the body of an envelope: nothing deletes it, its retention neither, until it is lifted.

    Example: corridor crossings hold 0197c1b2 --reason "Court order 12/2026"
    """
    now = utcnow()
    deletion.hold(envelope_id, reason=reason, actor=acting_person(now), now=now)
    click.echo("A legal hold lies on the body; two persons lift it with `corridor crossings release`.")


@crossings.command("release")
@click.argument("envelope_id")
def release(envelope_id: str) -> None:
    """Ask that the legal hold on the body of an envelope be lifted; a second person allows it."""
    now = utcnow()
    say(
        deletion.ask_to_release(envelope_id, actor=reauthenticated_person(now), now=now),
        "no legal hold lies on the body",
    )


@click.group("log")
def log() -> None:
    """Verify the tamper-evident log of this node, and prove what stands in it."""


@log.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(as_json: bool) -> None:
    """Recompute every tree from its leaves and compare it with what was signed.

    Example: corridor log verify
    """
    now = utcnow()
    checks = checkpoints.verify_log(actor=System("log verify"), now=now)
    faults = [f"{check.origin}: {fault}" for check in checks for fault in check.faults]
    if as_json:
        rows = [{"log": check.origin, "leaves": check.size, "faults": list(check.faults)} for check in checks]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for check in checks:
            click.echo(f"{'clean' if not check.faults else 'FAULT':6} {check.size:>8} leaves  {check.origin}")
    if faults:
        raise LogNotWhole(
            f"the log does not agree with itself, and this node has stopped signing: {'; '.join(faults)[:2000]}. "
            "Keep the database as it is, look for who changed it, then restore a backup (`corridor node restore`)."
        )


@log.command("prove")
@click.argument("envelope_id")
def prove(envelope_id: str) -> None:
    """Write the evidence of one envelope to standard output.

    Example: corridor log prove 0197c1… > evidence.json
    """
    now = utcnow()
    click.echo(proofs.prove(envelope_id, actor=acting_person(now), now=now), nl=False)
